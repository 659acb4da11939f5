/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "guard_attach.h"
#include "guard_load.h"
#include "guard_port.h"
#include "link.h"
#include "meter.h"
#include "meter_map.h"
#include "neighbours.h"
#include "own.h"
#include "str.h"

static int near_index(unsigned id, uint32_t *index, struct err *err)
{
	char name[IFNAMSIZ];

	near_name(id, name);
	*index = if_nametoindex(name);
	return *index ? 0 : fail(err, errno, "link '%s'", name);
}

/* What it says comes before who obeys it: without, nothing passes. */
static int port_write(uint32_t index, const struct guard_port *port, struct err *err)
{
	own_fd ports = guard_map_open("ports", err);

	if (ports < 0)
		return -1;
	if (bpf_map_update_elem(ports, &index, port, BPF_ANY) < 0)
		return fail(err, errno, "cannot tell the guard what is its own");
	return 0;
}

/* A nodectl of another version may just have put its own in place of ours: that loads ours
 * anew. */
static int program_open(enum guard_way way, unsigned *number, struct err *err)
{
	int program = guard_program_open(way, number, err);

	for (unsigned i = 0; i < 3 && program < 0 && err->code == ENOENT; i++) {
		if (guard_ensure(err) < 0)
			return -1;
		program = guard_program_open(way, number, err);
	}
	return program;
}

static int way_attach(unsigned id, uint32_t index, enum guard_way way,
		      struct guard_hurry *hurry, struct err *err)
{
	unsigned number, first;
	char pin[GUARD_PATH];

	own_fd program = program_open(way, &number, err);
	if (program < 0 || guard_first(index, way, &first, err) < 0)
		return -1;
	if (first == number)
		return 0;
	guard_link_path(id, way, pin);
	guard_hurry_begin(hurry);
	return guard_attach(index, way, program, pin, err);
}

static int guard_apply(unsigned id, uint32_t index, const struct guard_port *port,
		       struct err *err)
{
	own_hurry hurry = { .fd = -1 };

	if (meter_begin(id, err) < 0 || guard_index_note(id, index, err) < 0 ||
	    port_write(index, port, err) < 0)
		return -1;
	for (unsigned i = 0; i < GUARD_WAYS; i++) {
		if (way_attach(id, index, i, &hurry, err) < 0)
			return -1;
	}
	return 0;
}

int link_guard(unsigned id, const struct bridge *bridge, const struct link *link,
	       struct err *err)
{
	struct guard_port port;
	uint32_t index;

	if (near_index(id, &index, err) < 0)
		return -1;
	guard_port_fill(&port, id, bridge, link);
	if (guard_apply(id, index, &port, err) == 0)
		return 0;
	return err->kind == ERR_KERNEL ? -1 : fail_in(err, "guard of 'nv%u'", id);
}

void guard_remove(unsigned id)
{
	own_hurry hurry = { .fd = -1 };
	struct err ignored;
	char pin[GUARD_PATH];
	uint32_t index = guard_index_find(id);
	bool left = false;

	if (!index)
		return;
	own_fd ports = guard_map_open("ports", &ignored);
	if (ports >= 0)
		(void)bpf_map_delete_elem(ports, &index);
	for (unsigned i = 0; i < GUARD_WAYS; i++) {
		guard_link_path(id, i, pin);
		/* before Linux 6.6 there is none */
		if (access(pin, F_OK) == 0 || errno != ENOENT)
			guard_hurry_begin(&hurry);
		left |= guard_detach(pin) < 0;
	}
	/* by its note repair finds what is left */
	if (!left)
		guard_index_forget(id);
}

/* A guard that cannot be opened is not there: it was taken away, or there was none yet. */
static int program_compare(const struct link_comparison *comparison, uint32_t index,
			   enum guard_way way, struct err *err)
{
	static const char *const names[] = { "guard of what it sends",
					     "guard of what it receives" };
	unsigned number = 0, first;
	own_fd program = guard_program_open(way, &number, err);

	(void)program;
	if (guard_first(index, way, &first, err) < 0)
		return -1;
	return link_compare(comparison, names[way], number && first == number, "attached",
			    first ? "another program is first" : "none", err);
}

static int settings_compare(const struct link_comparison *comparison, uint32_t index,
			    const struct guard_port *want, struct err *err)
{
	own_fd ports = guard_map_open("ports", err);
	struct guard_port got;
	char wants[24], has[24];

	if (ports < 0 || bpf_map_lookup_elem(ports, &index, &got) < 0)
		return link_compare(comparison, "guard's settings", false, "there", "none",
				    err);
	str_format(wants, sizeof(wants), "%u", guard_port_rate(want));
	str_format(has, sizeof(has), "%u", guard_port_rate(&got));
	if (link_compare(comparison, "packet-rate", want->interval == got.interval, wants, has,
			 err) < 0 ||
	    link_compare(comparison, "smtp", want->smtp == got.smtp, want->smtp ? "yes" : "no",
			 got.smtp ? "yes" : "no", err) < 0)
		return -1;
	got.interval = want->interval;
	got.burst = want->burst;
	got.smtp = want->smtp;
	return link_compare(comparison, "guard's addresses", guard_port_is_equal(want, &got),
			    "its own", "others", err);
}

int link_guard_diff(unsigned id, const struct bridge *bridge, const struct link *link,
		    int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		    void *arg, struct err *err)
{
	char name[IFNAMSIZ];
	struct link_comparison comparison = { each, arg, name };
	struct guard_port port;
	uint32_t index;

	near_name(id, name);
	if (near_index(id, &index, err) < 0)
		return -1;
	for (unsigned i = 0; i < GUARD_WAYS; i++) {
		if (program_compare(&comparison, index, i, err) < 0)
			return fail_in(err, "guard of '%s'", name);
	}
	guard_port_fill(&port, id, bridge, link);
	if (settings_compare(&comparison, index, &port, err) < 0)
		return -1;
	if (link_compare(&comparison, "neighbours", !neighbours_lack(id), "bounded",
			 "as many as it likes", err) < 0)
		return -1;
	return link_compare(&comparison, "meter", meter_has(id), "there", "none", err);
}

static bool is_wanted(const struct guard_free *key, const struct bridge *bridge,
		      const struct address *networks, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct guard_free want;

		guard_free_fill(&want, bridge, &networks[i]);
		if (memcmp(key, &want, sizeof(want)) == 0)
			return true;
	}
	return false;
}

/* The next is asked for before this one may go. */
static int unwanted_remove(int map, const struct bridge *bridge, const struct address *networks,
			   unsigned count, struct err *err)
{
	struct guard_free key, next;
	int result = bpf_map_get_next_key(map, NULL, &next);

	while (result == 0) {
		key = next;
		result = bpf_map_get_next_key(map, &key, &next);
		if (key.node == guard_node(bridge) &&
		    !is_wanted(&key, bridge, networks, count) &&
		    bpf_map_delete_elem(map, &key) < 0 && errno != ENOENT)
			return fail(err, errno, "cannot take from the free networks");
	}
	return result == -ENOENT ? 0 : fail(err, -result, "cannot read the free networks");
}

static int guard_free(const struct bridge *bridge, const struct address *networks,
		      unsigned count, struct err *err)
{
	own_fd map = guard_map_open("free", err);
	struct guard_free key;
	uint8_t one = 1;

	if (map < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		guard_free_fill(&key, bridge, &networks[i]);
		if (bpf_map_update_elem(map, &key, &one, BPF_ANY) < 0)
			return fail(err, errno, "cannot set the free networks");
	}
	return unwanted_remove(map, bridge, networks, count, err);
}

static unsigned free_count(const struct bridge *bridge)
{
	unsigned count = 0;

	while (count < BRIDGE_FREE_MAX && bridge->free[count].family)
		count++;
	return count;
}

/* What they were last set to is noted beside the map, so that a start need not read it. */
int guard_free_ensure(const struct bridge *bridge, struct err *err)
{
	unsigned count = free_count(bridge);
	char path[GUARD_PATH], is[32] = "", wanted[32];
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; i < count * sizeof(bridge->free[0]); i++)
		sum = (sum ^ ((const uint8_t *)bridge->free)[i]) * 1099511628211u;
	str_format(wanted, sizeof(wanted), "%u-%llx", count, (unsigned long long)sum);
	guard_path(path, "free-%x", guard_node(bridge));
	if (readlink(path, is, sizeof(is) - 1) > 0 && strcmp(is, wanted) == 0)
		return 0;
	(void)unlink(path);
	if (guard_free(bridge, bridge->free, count, err) < 0)
		return -1;
	if (symlink(wanted, path) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot make '%s'", path);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "knobs.h"
#include "own.h"

#define own_cgroup __attribute__((cleanup(cgroup_free))) struct cgroup *

bool host_has_swap(void)
{
	char text[4096];
	struct err err;
	ssize_t len = file_read(AT_FDCWD, "/proc/swaps", text, sizeof(text), &err);

	/* a heading, then a line each; many areas do not fit, and are certainly some */
	if (len < 0)
		return err.code == EFBIG;

	const char *heading_end = strchr(text, '\n');
	return heading_end && heading_end[1];
}

int knob_read(int dir, const char *name, char *text, size_t size, struct err *err)
{
	if (file_read(dir, name, text, size, err) < 0)
		return -1;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

static uint64_t knob_number(int dir, const char *name, uint64_t otherwise)
{
	char text[64];
	struct err err;

	return knob_read(dir, name, text, sizeof(text), &err) < 0 || strcmp(text, "max") == 0
		   ? otherwise
		   : strtoull(text, NULL, 10);
}

bool knob_is_needless(const struct knob *knob, const struct limits *limits)
{
	if (!(cgroup_asked(limits) & ~limits->accepted & knob->limit))
		return true;
	/* without swap space any limit of it is kept; doctor tells what a later swapon breaks
	 */
	return knob->limit == LIMIT_SWAP && !host_has_swap();
}

static int knob_absent(const struct knob *knob, const struct limits *limits, struct err *err)
{
	if (knob_is_needless(knob, limits))
		return 0;
	return fail_as(err, ERR_KERNEL, "this host cannot enforce the limit of %s: no '%s'",
		       limit_name(knob->limit), knob->name);
}

/*
 * v1 limits memory and swap as one sum, so that swap has no limit of its own
 * when memory has none.
 */
static int swap_check(const struct limits *limits, struct err *err)
{
	if (limits->memory || (limits->accepted & LIMIT_SWAP) || !host_has_swap())
		return 0;
	return fail_as(err, ERR_KERNEL,
		       "this host cannot enforce the limit of swap without one of memory "
		       "(cgroup v1)");
}

/*
 * cgroup2 would meet a limit below what is in use with the OOM killer, v1
 * refuses it; a customer's database is worth the refusal on both.  memory.high
 * first pushes out what can go.
 */
static int memory_fits(int dir, const struct limits *limits, struct err *err)
{
	uint64_t max = limits->memory ? page_round(limits->memory) : UINT64_MAX;
	char old[64], high[32];

	if (knob_number(dir, "memory.current", 0) <= max)
		return 0;

	snprintf(high, sizeof(high), "%" PRIu64, high_of_memory(limits->memory));
	if (knob_read(dir, "memory.high", old, sizeof(old), err) < 0 ||
	    file_write(dir, "memory.high", high, err) < 0)
		return -1;

	uint64_t used = knob_number(dir, "memory.current", 0);
	struct err ignored;

	if (used <= max)
		return 0;
	(void)file_write(dir, "memory.high", old, &ignored);
	return fail(err, EBUSY,
		    "cannot lower 'memory.max' to %" PRIu64 " while %" PRIu64 " are in use",
		    max, used);
}

/* @fd stands on a knob: has it that value?  What it has is in @got. */
static bool knob_is(int fd, const char *value, char *got, size_t size)
{
	ssize_t len = pread(fd, got, size - 1, 0);

	got[len > 0 ? len : 0] = 0;
	got[strcspn(got, "\n")] = 0;
	return knob_matches(value, got);
}

/* Set one knob and read it back; one that has its value already is left alone. */
static int knob_set(int dir, const struct knob *knob, const struct limits *limits,
		    struct err *err)
{
	ssize_t len = (ssize_t)strlen(knob->value);
	char got[64];

	own_fd fd = openat(dir, knob->name, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return knob_absent(knob, limits, err);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", knob->name);
	if (knob_is(fd, knob->value, got, sizeof(got)))
		return 0;
	if (write(fd, knob->value, (size_t)len) != len)
		return fail(err, errno, "cannot change '%s' from '%s' to '%s'", knob->name, got,
			    knob->value);
	if (knob_is(fd, knob->value, got, sizeof(got)))
		return 0;
	return fail_as(err, ERR_KERNEL, "'%s' is '%s' after it was set to '%s'", knob->name,
		       got, knob->value);
}

/*
 * The knobs of one controller through libcgroup, as far as this host has them.
 * Nothing is returned: knob_set() looks at each of them afterwards, and names
 * the one that was refused, which the library does not.
 */
static void knobs_write(const char *name, int dir, unsigned version, const struct knob *knobs,
			unsigned count)
{
	own_cgroup group = cgroup_new_cgroup(name);
	struct cgroup_controller *controller =
	    group ? cgroup_add_controller(group, controller_name(knobs->controller, version))
		  : NULL;

	for (unsigned i = 0; controller && i < count; i++) {
		if (faccessat(dir, knobs[i].name, F_OK, 0) == 0)
			(void)cgroup_add_value_string(controller, knobs[i].name,
						      knobs[i].value);
	}
	if (controller)
		(void)cgroup_modify_cgroup(group);
}

/* No hierarchy has the controller. */
static int controller_absent(enum controller controller, const struct limits *limits,
			     struct err *err)
{
	struct knob knobs[KNOB_MAX];
	unsigned count = knobs_plan(limits, controller, 2, knobs);

	for (unsigned i = 0; i < count; i++) {
		if (knob_absent(&knobs[i], limits, err) < 0)
			return -1;
	}
	return 0;
}

/* @name is that of the group for libcgroup, or NULL to do without. */
static int controller_apply(int dir, enum controller controller, unsigned version,
			    const struct limits *limits, const char *name, struct err *err)
{
	struct knob knobs[KNOB_MAX];
	unsigned count = knobs_plan(limits, controller, version, knobs);

	if (controller == CONTROLLER_MEMORY && version == 1) {
		if (swap_check(limits, err) < 0)
			return -1;
		knobs_order(knobs, count,
			    knob_number(dir, "memory.memsw.limit_in_bytes", UINT64_MAX));
	}
	if (controller == CONTROLLER_MEMORY && version == 2 &&
	    memory_fits(dir, limits, err) < 0)
		return -1;

	if (name && count)
		knobs_write(name, dir, version, knobs, count);
	for (unsigned i = 0; i < count; i++) {
		if (knob_set(dir, &knobs[i], limits, err) < 0)
			return -1;
	}
	return 0;
}

int knobs_apply(const struct hierarchies *hierarchies, unsigned id, const struct limits *limits,
		enum knobs_by by, struct err *err)
{
	char name[GROUP_NAME];
	bool library = by == KNOBS_LIBCGROUP && cgroup_init() == 0;

	group_name(id, name);
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		const char *v1 = hierarchies->v1[i];

		if (!v1[0] && !hierarchies->on_v2[i]) {
			if (controller_absent(i, limits, err) < 0)
				return -1;
			continue;
		}

		own_fd dir = group_open(v1[0] ? v1 : hierarchies->unified, id, err);
		if (dir < 0 || controller_apply(dir, i, v1[0] ? 1 : 2, limits,
						library ? name : NULL, err) < 0)
			return -1;
	}
	return 0;
}

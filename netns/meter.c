/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "guard_load.h"
#include "guard_map.h"
#include "io.h"
#include "meter_map.h"
#include "own.h"
#include "str.h"

static void ids_free(unsigned **ids)
{
	free(*ids);
}

static void cells_free(struct guard_cell **cells)
{
	free(*cells);
}

#define own_ids	  __attribute__((cleanup(ids_free))) unsigned *
#define own_cells __attribute__((cleanup(cells_free))) struct guard_cell *

#define BATCH	 256u /* VPSs in one system call */
#define ROOM_MAX (1u << 20)

struct meter meter_none(void)
{
	return (struct meter){ .fd = -1 };
}

void meter_close(struct meter *meter)
{
	if (meter->fd >= 0)
		close(meter->fd);
	meter->fd = -1;
}

int meter_open(struct meter *meter, struct err *err)
{
	struct meter opened = meter_none();
	const char *boot = boot_id(err);

	if (!boot)
		return -1;
	str_format(opened.boot, sizeof(opened.boot), "%.*s", (int)strcspn(boot, "\n"), boot);
	opened.fd = guard_map_open("meter", err);
	if (opened.fd < 0)
		return -1;
	*meter = opened;
	return 0;
}

/* The kernel tells a value for each CPU that there could be. */
static int cpus(unsigned *count, struct err *err)
{
	int found = libbpf_num_possible_cpus();

	if (found <= 0)
		return fail(err, -found, "cannot count the CPUs");
	*count = (unsigned)found;
	return 0;
}

int meter_begin(unsigned id, struct err *err)
{
	own_fd map = guard_map_open("meter", err);
	struct timespec now;
	unsigned count = 0;

	if (map < 0 || cpus(&count, err) < 0)
		return -1;
	own_cells cells = xcalloc(count, sizeof(*cells));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	for (unsigned i = 0; i < count; i++)
		cells[i].generation =
		    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (bpf_map_update_elem(map, &id, cells, BPF_NOEXIST) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot begin to count");
	return 0;
}

static void add_flow(const struct guard_flow *flow, uint64_t *bytes, uint64_t *packets)
{
	*bytes += flow->bytes;
	*packets += flow->packets;
}

static void way_sum(const struct guard_cell *cell, struct meter_total *total)
{
	uint64_t ignored = 0;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned spare = 0; spare < 2; spare++) {
			const struct guard_flow *in = &cell->flow[GUARD_TO_VPS][v6][spare];
			const struct guard_flow *out = &cell->flow[GUARD_FROM_VPS][v6][spare];

			add_flow(in, &total->bytes_in, &total->packets_in);
			add_flow(out, &total->bytes_out, &total->packets_out);
			if (spare) {
				add_flow(in, &total->free_bytes_in, &total->free_packets_in);
				add_flow(out, &total->free_bytes_out, &total->free_packets_out);
			}
			if (v6) {
				add_flow(in, &total->v6_bytes_in, &total->v6_packets_in);
				add_flow(out, &total->v6_bytes_out, &total->v6_packets_out);
			}
			if (v6 && spare) {
				add_flow(in, &total->v6_free_bytes_in, &ignored);
				add_flow(out, &total->v6_free_bytes_out, &ignored);
			}
		}
	}
}

void meter_sum(const struct guard_cell *cells, unsigned count, struct meter_total *total)
{
	*total = (struct meter_total){ .generation = cells[0].generation };
	for (unsigned i = 0; i < count; i++) {
		way_sum(&cells[i], total);
		for (unsigned reason = 0; reason < GUARD_REASONS; reason++)
			total->dropped[reason] += cells[i].dropped[reason];
	}
}

int meter_read(const struct meter *meter, unsigned id, struct meter_total *total,
	       struct err *err)
{
	unsigned count = 0;

	if (cpus(&count, err) < 0)
		return -1;
	own_cells cells = xcalloc(count, sizeof(*cells));
	if (bpf_map_lookup_elem(meter->fd, &id, cells) < 0)
		return fail(err, errno, "cannot read the meter of id %u", id);
	meter_sum(cells, count, total);
	return 0;
}

/* A chain of the hash table is told whole or not at all: more room, if need be. */
int meter_each(const struct meter *meter,
	       void (*each)(unsigned id, const struct meter_total *total, void *arg), void *arg,
	       struct err *err)
{
	unsigned room = BATCH, count, per = 0;
	uint32_t position[16] = { 0 }; /* the kernel's own note */
	bool first = true, more = true;

	if (cpus(&per, err) < 0)
		return -1;
	while (more) {
		own_ids ids = xcalloc(room, sizeof(*ids));
		own_cells cells = xcalloc((size_t)room * per, sizeof(*cells));
		struct meter_total total;

		count = room;
		if (bpf_map_lookup_batch(meter->fd, first ? NULL : position, position, ids,
					 cells, &count, NULL) < 0) {
			if (errno == ENOSPC && room < ROOM_MAX) {
				room *= 2;
				continue;
			}
			if (errno != ENOENT)
				return fail(err, errno, "cannot read the meter");
			more = false;
		}
		first = false;
		for (unsigned i = 0; i < count; i++) {
			meter_sum(cells + (size_t)i * per, per, &total);
			each(ids[i], &total, arg);
		}
	}
	return 0;
}

bool meter_has(unsigned id)
{
	own_meter meter = meter_none();
	struct meter_total total;
	struct err ignored;

	return meter_open(&meter, &ignored) == 0 &&
	       meter_read(&meter, id, &total, &ignored) == 0;
}

int meter_forget(unsigned id, struct err *err)
{
	own_fd map = guard_map_open("meter", err);

	if (map < 0)
		return err->code == ENOENT ? 0 : -1;
	if (bpf_map_delete_elem(map, &id) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot forget the meter of id %u", id);
	return 0;
}

/* The next is asked for before this one may go. */
int meter_ids(int (*each)(unsigned id, void *arg, struct err *err), void *arg, struct err *err)
{
	own_fd map = guard_map_open("meter", err);
	unsigned id, next;
	bool there;

	if (map < 0)
		return err->code == ENOENT ? 0 : -1;
	there = bpf_map_get_next_key(map, NULL, &next) == 0;
	while (there) {
		int code;

		id = next;
		there = bpf_map_get_next_key(map, &id, &next) == 0;
		code = errno;
		if (each(id, arg, err) < 0)
			return -1;
		errno = code;
	}
	return errno == ENOENT ? 0 : fail(err, errno, "cannot look through the meter");
}

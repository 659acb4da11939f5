/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guard.h"

struct err;

/*
 * The meter: what each VPS has sent and received, counted by the guard (guard.h) in a map of
 * the kernel's that is no process's and no interface's: pinned, keyed by the VPS's id.  It
 * goes on through restarts of the VPS, and crashes and upgrades of nodectl.  A node that boots
 * begins anew, and so does the id of a VPS that was destroyed: a count may be compared with an
 * earlier one when both have the same boot and the same generation, and is then never less.
 *
 * "in" is to the VPS and "out" from it.  Bytes are those of whole frames, as its interface
 * counts them.  What the guard drops is counted by its reason and nowhere else.
 */
struct meter_total {
	uint64_t generation; /* of this id; another one is another VPS, or a map made anew */
	uint64_t bytes_in, bytes_out, packets_in, packets_out;

	/* of that, to and from the free networks of node.conf */
	uint64_t free_bytes_in, free_bytes_out, free_packets_in, free_packets_out;

	/* of that, IPv6 */
	uint64_t v6_bytes_in, v6_bytes_out, v6_packets_in, v6_packets_out;

	/* and IPv6 to and from the free networks */
	uint64_t v6_free_bytes_in, v6_free_bytes_out;

	/* packets that went nowhere */
	uint64_t dropped[GUARD_REASONS];
};

#define METER_BOOT 37

/* The map, open, and since which boot it counts. */
struct meter {
	int fd;
	char boot[METER_BOOT]; /* as in /proc/sys/kernel/random/boot_id */
};

/* Nothing open. */
struct meter meter_none(void);

/* No VPS has had a network since the node booted: ENOENT in err->code. */
int meter_open(struct meter *meter, struct err *err);
void meter_close(struct meter *meter);

#define own_meter __attribute__((cleanup(meter_close))) struct meter

/* What VPS @id has used; one that has none since the boot is ENOENT in err->code. */
int meter_read(const struct meter *meter, unsigned id, struct meter_total *total,
	       struct err *err);

/* The same for all that the map has, some hundred in one system call, in no order; each id at
 * least once, and maybe twice while others come and go. */
int meter_each(const struct meter *meter,
	       void (*each)(unsigned id, const struct meter_total *total, void *arg), void *arg,
	       struct err *err);

/* Forget @id: whoever has it next has a generation of its own.  One that is not there is fine.
 * For destroy. */
int meter_forget(unsigned id, struct err *err);

/* Is VPS @id counted? */
bool meter_has(unsigned id);

/* Call @each for each id that is counted; for repair. */
int meter_ids(int (*each)(unsigned id, void *arg, struct err *err), void *arg, struct err *err);

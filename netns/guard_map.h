/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <linux/types.h>

#include "guard.h"

/*
 * What the guard's programs and nodectl both know: the values of the maps.  A map outlives the
 * nodectl that made it, so one whose value changes gets another name.
 */

/* Addresses and prefixes of one family that are a VPS's own. */
#define GUARD_OWN 72

/* Both in network order; an address is its own if (address & mask) == network. */
struct guard_own4 {
	__u32 network, mask;
};

struct guard_own6 {
	__u64 network[2], mask[2];
};

/* Map "ports": by the index of the node's end of a link. */
struct guard_port {
	__u32 id;	/* of the VPS */
	__u32 node;	/* whose free networks count: guard_node() */
	__u64 interval; /* ns for one packet, each way; 0: any rate */
	__u64 burst;	/* ns that it may be ahead */
	__u16 count4, count6;
	__u8 mac[6];
	__u8 smtp; /* it may send mail */
	__u8 zero[5];
	struct guard_own4 own4[GUARD_OWN];
	struct guard_own6 own6[GUARD_OWN];

	/* The programs' own: until when each bucket is spoken for, in ns since the boot. */
	__u64 busy_out, busy_in, busy_group;
};

#define GUARD_SETTINGS __builtin_offsetof(struct guard_port, busy_out)

/* Broadcasts and multicasts from a VPS: so many a second, and so many at once. */
#define GUARD_GROUP_RATE  50
#define GUARD_GROUP_BURST 100

struct guard_flow {
	__u64 bytes, packets;
};

enum { GUARD_TO_VPS, GUARD_FROM_VPS };

/* Map "meter": by VPS id, for each CPU. */
struct guard_cell {
	__u64 generation;
	struct guard_flow flow[2][2][2]; /* [direction][is IPv6][is free] */
	__u64 dropped[GUARD_REASONS];
};

/* Key of map "free": 32 bits of the node, then the address, IPv4 as ::ffff:a.b.c.d. */
struct guard_free {
	__u32 prefix; /* counts those 32 */
	__u32 node;
	__u8 address[16];
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <linux/types.h>

/*
 * What the programs of neighbours.bpf.c and nodectl both know.  A map outlives the nodectl that
 * made it, so one whose value changes gets another name.
 */
#define NEIGHBOURS_MOST 32768u

/* So many queues of its interfaces a VPS may have, for which nobody is charged either. */
#define NEIGHBOURS_QUEUES 512

/*
 * Map "accounts": by the number of the user namespace that nodectl made for a VPS, as of
 * /proc/PID/ns/user.  Each start of a VPS has another one, so that nothing of an earlier life
 * and nobody else's namespace is counted here.
 */
struct neighbours_cell {
	__u32 id, bound; /* whose it is, and how many entries it may have */
	__s64 held;	 /* entries that its network namespaces have */
	__s64 queues;	 /* and queues */
	__u64 busy[2];	 /* until when each bucket is spoken for, in ns since the boot */
	__u64 refused;	 /* messages */
};

/* Map "spaces": by the id of a VPS, which cell is its. */

/* Map "ran": at 0, whether the kernel has called what refuses. */

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

/*
 * What the program of sockets.bpf.c and nodectl both know.  The kernel makes one of these for
 * each group that the program is attached to, and frees it with the group.  The map outlives
 * the nodectl that made it, so one whose value changes gets another name.
 */

/* So many packet sockets of a VPS may have rings. */
#define SOCKETS_RINGS 64u
/* What those may have together. */
#define SOCKETS_BYTES (32u << 20)

struct sockets_ring {
	__u64 sock;	/* where it lies in the kernel */
	__u64 number;	/* of its inode, which no later one has; 0: nobody's */
	__u64 bytes[2]; /* at most, that it has asked for: to receive into, to send from */
};

enum sockets_bucket { SOCKETS_JOINS, SOCKETS_KIB };
#define SOCKETS_BUCKETS 2

struct sockets_state {
	struct bpf_spin_lock lock;
	__u32 none;
	__u64 busy[SOCKETS_BUCKETS]; /* until when each is spoken for, in ns since the boot */
	__u64 refused;		     /* how often */
	struct sockets_ring rings[SOCKETS_RINGS];
};

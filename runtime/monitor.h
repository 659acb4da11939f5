/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * What nodectl and its monitor (a program of its own, which links nothing of
 * nodectl) have in common.  The monitor is executed as
 *	nodectl-monitor NAME NODECTL CONFIG
 * with these descriptors and no others.
 */
enum {
	MONITOR_RUN = 3,     /* the run directory */
	MONITOR_PIDFD = 4,   /* guest init */
	MONITOR_CONSOLE = 5, /* master of the guest's console */
	/* as struct cgroup_watch of cgroups.h has them; those that the host has not are closed
	 */
	MONITOR_MEMORY = 6,
	MONITOR_OOM = 7,
	MONITOR_TASKS = 8,
	MONITOR_TASKS_NOW = 9,
	MONITOR_TASKS_MAX = 10,
	MONITOR_FDS = 11,
};

/*
 * When guest init has ended and no command has said that it will clean up (an
 * intent in the run directory), the monitor executes
 *	NODECTL --config CONFIG @ended NAME reboot|poweroff|crash|unknown
 */
#define MONITOR_ENDED "@ended"

/*
 * When a count of those has grown, a child of the monitor executes
 *	NODECTL --config CONFIG @event NAME
 */
#define MONITOR_EVENT "@event"

/* For telling of limits that were met, as the next monitor of the VPS goes on with them. */
struct tokens {
	uint64_t spent;
	int64_t earned; /* when the last one was, in milliseconds of CLOCK_MONOTONIC */
};

/*
 * "console.ring" in the run directory: this header, then RING_SIZE bytes.  @total counts all
 * that was ever printed; the byte number n lies at n % RING_SIZE.  Only the monitor writes,
 * but for the tokens, which are renewed before it starts.
 */
#define RING_SIZE   65536u
#define RING_HEADER 64u

struct ring {
	uint64_t total;
	uint64_t dropped; /* bytes that a flood printed faster than anybody may read */
	struct tokens tokens;
};

/*
 * "console" in the run directory, a SOCK_SEQPACKET.  The client first says from which byte on
 * it wants to see the ring, then sends keys and window sizes; the monitor answers with the
 * number of the first byte, then with bytes.
 */
enum { CONSOLE_ATTACH = 'a', CONSOLE_KEYS = 'k', CONSOLE_WINDOW = 'w' };

struct console_attach {
	uint8_t type;
	uint8_t pad[7];
	uint64_t from; /* UINT64_MAX: all that the ring holds */
};

struct console_window {
	uint8_t type;
	uint8_t pad;
	uint16_t rows, columns;
};

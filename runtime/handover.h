/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;
struct place;
struct vps;

/* fork(2) for what becomes a monitor: into the group of the monitors, where the end of the
 * session that we are called from does not reach it; where that cannot be, a plain fork. */
pid_t monitor_fork(void);

/* Open the monitor's program, before anything depends on it being there. */
int handover_open(struct err *err);

/* Become the monitor of a running VPS: execve in this process.  Returns only on failure. */
int handover(int monitor, const struct vps *vps, const struct place *place, int pidfd,
	     int console, struct err *err);

/* Our own path, by which the monitor, or a keeper of lxcfs, finds the nodectl of its day: after
 * an upgrade the new one. */
int self_path(char *path, size_t size, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;
struct place;
struct vps;

/* Open the monitor's program, before anything depends on it being there. */
int handover_open(struct err *err);

/* Become the monitor of a running VPS: execve in this process.  Returns only on failure. */
int handover(int monitor, const struct vps *vps, const struct place *place, int pidfd,
	     int console, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;

/*
 * Attach the device policy (devices.bpf.c) to an open cgroup2 directory, unless
 * it has one.  It lives exactly as long as that group; nothing is pinned.
 */
int devices_attach(int dir, struct err *err);

/* Is it attached? */
int devices_attached(int dir, bool *attached, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;

/*
 * Attach to an open cgroup2 directory what bounds the socket options of those in it
 * (sockets.bpf.c), unless it is attached.  It ends with the group; the program is one for all,
 * loaded once a boot.  Where the kernel cannot, nothing is attached: sockets_try() tells.
 */
int sockets_attach(int dir, struct err *err);

/* Is it attached, or can it not be? */
bool sockets_attached(int dir);

/* Can it be, on this kernel? */
bool sockets_try(void);

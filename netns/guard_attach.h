/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guard_load.h"

struct err;

/*
 * Where the guard's programs are attached to an interface: tcx where the kernel has that (6.6),
 * by a link that is pinned, so that neither traffic control nor the end of a process takes it
 * away; else filters of a clsact queue.  It is the first either way.
 */

/* Which program is the first there; 0: none. */
int guard_first(uint32_t index, enum guard_way way, unsigned *number, struct err *err);

/* Attach @program before all others.  @pin is a path, or NULL for a trial: then what it is
 * attached by goes with the interface, or with this process. */
int guard_attach(uint32_t index, enum guard_way way, int program, const char *pin,
		 struct err *err);

/* Let go of what is pinned there; absent is fine.  -1: the pin is still there. */
int guard_detach(const char *pin);

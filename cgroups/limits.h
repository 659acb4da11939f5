/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "hierarchy.h"
#include "knobs.h"

struct err;

/*
 * Bring the outer groups of VPS @id, which exist, to @limits.  Nobody is inside yet, so what
 * fails is removed.
 */
int limits_write(const struct hierarchies *hierarchies, unsigned id,
		 const struct limits *limits, struct err *err);

/* What belongs to "guest", once that is there. */
int limits_write_guest(const struct hierarchies *hierarchies, unsigned id,
		       const struct limits *limits, struct err *err);

/*
 * Who writes the knobs.  libcgroup costs a process 0.9 ms to get to know the hierarchies and
 * reads the mount table again for each value, where a plain file takes 0.005.  A start
 * writes directly; a change of a VPS that runs, which nobody waits for, goes through it.
 */
enum limits_by { LIMITS_DIRECT, LIMITS_LIBCGROUP };

/* The same for a VPS that runs: all, or everything is as before. */
int limits_change(const struct hierarchies *hierarchies, unsigned id,
		  const struct limits *limits, enum limits_by by, struct err *err);

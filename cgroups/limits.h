/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cgroups.h"
#include "hierarchy.h"

struct knob;

/*
 * Who writes the knobs.  libcgroup costs a process 0.9 ms to get to know the
 * hierarchies and reads the mount table again for each value: six knobs are
 * 1.1 ms, where plain files take 0.04.  A start writes them directly; a change of
 * a live VPS, which nobody waits for, goes through the library.
 */
enum knobs_by { KNOBS_DIRECT, KNOBS_LIBCGROUP };

/* Bring the outer groups of @id, which exist, to @limits, and read back each knob. */
int knobs_apply(const struct hierarchies *hierarchies, unsigned id, const struct limits *limits,
		enum knobs_by by, struct err *err);

/* Text as a knob shows it, without the end of line. */
enum { KNOB_TEXT = 64 };
int knob_read(int dir, const char *name, char *text, size_t size, struct err *err);

/* A knob that the host does not have: fine if nobody asked for it, or the operator knows. */
bool knob_is_needless(const struct knob *knob, const struct limits *limits);

/* Is any swap space in use by this host now? */
bool host_has_swap(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "hierarchy.h"
#include "knobs.h"

struct err;

/*
 * The parent of all our groups, as far as it does not depend on them: on v1 the CPUs and memory
 * nodes that they are given from.  What does is in sum.h.
 */
enum { PARENT_KNOBS = 2 };

/* Its knobs of @controller, wherever that is bound; returns how many, or -1 when what the root
 * has cannot be read. */
int parent_plan(const struct hierarchies *hierarchies, enum controller controller,
		struct knob knobs[PARENT_KNOBS], struct err *err);

/* Set them, where there is a parent; before anything is written in a child. */
int parent_prepare(const struct hierarchies *hierarchies, struct err *err);

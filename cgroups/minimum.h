/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct err;

/*
 * memory.min on cgroup2, which is divided among children: what a VPS is promised its parent has
 * to have been promised as well.
 *
 * Give the outer group of VPS @id a memory.min of @bytes, and its parent what that is more or
 * less, under the parent's lock: raised from above and lowered from below, so that at no moment
 * more is promised than the parent has.  *@old becomes what it was; after a failure it is that
 * again.  Without memory.min here: ENOENT in err->code.
 */
int minimum_set(const char *mount, unsigned id, uint64_t bytes, uint64_t *old, struct err *err);

/* The same where @parent is that parent, open, and @name the outer group in it. */
int minimum_move(int parent, const char *name, uint64_t bytes, uint64_t *old, struct err *err);

/* The lock: until the descriptor is closed nobody moves any.  The caller's to close. */
int minimum_lock(int parent, struct err *err);

/* What the parent should have: the sum over its children. */
uint64_t minimum_sum(int parent);

/* Give it that, whatever it has or remembers. */
int minimum_mend(int parent, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct start;

/*
 * One reversible change to the host.  undo finds what to remove by the id of
 * the VPS alone, so that it also works after a crash and when apply never ran.
 */
enum step_undo { FAST, SLOW };

struct step {
	const char *name;
	int (*apply)(struct start *start, struct err *err);
	int (*undo)(struct start *start, struct err *err);
	enum step_undo speed; /* SLOW: it waits for the kernel, and who stops a VPS need not */
};

/* Apply in order; on a failure undo that one and the ones before it, last first. */
int steps_apply(const struct step *steps, size_t count, struct start *start, struct err *err);

/* As below, but leaving out what is slow: half of an undo, of which the whole must follow. */
int steps_undo_fast(const struct step *steps, size_t count, struct start *start,
		    struct err *err);

/* Undo all, last first, going on after a failure; the first failure is reported.  The first
 * step is the record that there is something to undo, and it stays if any other failed. */
int steps_undo(const struct step *steps, size_t count, struct start *start, struct err *err);

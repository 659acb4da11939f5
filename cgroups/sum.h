/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

#include "hierarchy.h"

struct err;

/*
 * What VPSs are promised against each other their parent needs against the rest of the node:
 * the kernel divides the parent's memory.min among its children, and its weight is all the CPU
 * time they have to share when the node's own services want some.  Both follow from a sum
 * over all VPSs, which is moved by what one of them gets more or less, under the parent's
 * lock, at a cost that does not depend on how many there are.
 */
enum sum {
	SUM_MINIMUM, /* memory.min, on cgroup2 */
	SUM_WEIGHT,  /* cpu.weight, or cpu.shares on v1 */
	SUM_COUNT,
};

/* Where @sum is on this host, and by which name; NULL: nowhere. */
const char *sum_mount(const struct hierarchies *hierarchies, enum sum sum);
const char *sum_knob(const struct hierarchies *hierarchies, enum sum sum);

/*
 * Set the knob of @sum in the outer group of VPS @id to @value, and that of the parent to what
 * follows: raised from above and lowered from below, so that at no moment more is promised than
 * the parent has.  *@old becomes what the VPS's was; after a failure all is that again.
 * Without such a knob here: ENOENT in err->code.
 */
int sum_set(const struct hierarchies *hierarchies, enum sum sum, unsigned id, uint64_t value,
	    uint64_t *old, struct err *err);

/* The VPS goes: take back what it has added.  One that is not there has added nothing. */
int sum_leave(const struct hierarchies *hierarchies, enum sum sum, unsigned id,
	      struct err *err);

/* What the parent's knob should hold, from what each VPS has added, and what it holds, of the
 * same moment. */
int sum_compare(const struct hierarchies *hierarchies, enum sum sum, uint64_t *want,
		uint64_t *got, struct err *err);

/* Make it hold that, whatever it holds or remembers. */
int sum_mend(const struct hierarchies *hierarchies, enum sum sum, struct err *err);

/* The weight of the parent of VPSs whose weights add up to @weights, where @most are all CPUs.
 */
uint64_t weight_of_parent(uint64_t weights, uint64_t most, uint64_t node);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

#include "node.h"

/* Sums.  One that overflows is ERR_VALUE, and then @sum is as before. */
int claim_add(struct claim *sum, const struct claim *claim, struct err *err);
void claim_subtract(struct claim *sum, const struct claim *claim);

bool claim_is_equal(const struct claim *a, const struct claim *b);

/* Of each resource the larger claim of the two. */
struct claim claim_larger(const struct claim *a, const struct claim *b);

/* What does not fit, for the event log. */
struct refusals {
	unsigned count;
	char text[3 * RESOURCE_COUNT][256];
};

/*
 * May a VPS have @want where it had @old, beside the @others?  Only what grows is asked for.
 * ERR_LEDGER with the arithmetic; @forced instead, unless it is NULL, becomes all that does not
 * fit, and the result is 0.
 */
int claim_admit(const struct capacity *capacity, const struct claim *others,
		const struct claim *old, const struct claim *want, struct refusals *forced,
		struct err *err);

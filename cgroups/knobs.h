/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups.h"
#include "hierarchy.h"

/* One cgroup file and the text that expresses a limit in it. */
struct knob {
	unsigned limit; /* enum limit, or 0 when no limit of the operator depends on it */
	enum controller controller;
	const char *name;
	char value[48];
};

enum { KNOB_MAX = 16 };

/*
 * The knobs of @controller that express @limits, in the order to write them.
 * @version is that of the hierarchy, 1 or 2.  Returns how many (<= KNOB_MAX).
 */
unsigned knobs_plan(const struct limits *limits, enum controller controller, unsigned version,
		    struct knob *knobs);

/*
 * v1 keeps memory <= memory+swap at every moment.  Where the new memory is
 * above the @memsw in force, memory+swap has to go first: neither may ever pass
 * through "unlimited" on its way.
 */
void knobs_order(struct knob *knobs, unsigned count, uint64_t memsw);

/* Is @got, as read, what writing @want leaves behind? */
bool knob_matches(const char *want, const char *got);

/* cgroup_weight() where a whole CPU has the weight @of_cpu. */
unsigned weight_of(const struct limits *limits, unsigned of_cpu);

/* cpu.weight (1..10000) as cpu.shares, systemd's way: 100 is 1024. */
unsigned shares_of_weight(unsigned weight);

/* Where reclaim starts for a memory limit; see knobs.c. */
uint64_t high_of_memory(uint64_t memory);

/* What the kernel makes of a number of bytes: whole pages, at least one. */
uint64_t page_round(uint64_t bytes);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* Lists of CPUs as the kernel writes them, "0-3,8".  false: no such list, or a CPU that a
 * cpu_set_t has no room for. */
bool cpus_parse_list(const char *text, cpu_set_t *cpus);

/* The shortest such list, in ascending order; false when it does not fit. */
bool cpus_print_list(const cpu_set_t *cpus, char *text, size_t size);

/*
 * The CPUs that a VPS may run on: @want of those @available, by its id alone, so that nobody
 * needs to be asked and it gets the same at each start.  @nodes are the CPUs of each NUMA node,
 * or NULL; what fits into one stays in one.
 */
void cpus_choose(unsigned id, unsigned want, const cpu_set_t *available, const cpu_set_t *nodes,
		 unsigned node_count, cpu_set_t *chosen);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>
#include <stdio.h>

struct limits;
struct oom_kill;

/* The line that tells of @killed processes, of which @kill is the last; NULL: not known which.
 * Pure. */
void event_oom_print(const struct oom_kill *kill, uint64_t killed, uint64_t in_all,
		     const struct limits *limits, FILE *out);

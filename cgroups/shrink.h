/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct err;

/*
 * Before memory.max (v2) is lowered to @max: push out what can go until the group of @dir uses
 * no more than that, for about five seconds.  memory.high has its new value already.  What
 * cannot be reclaimed is ERR_VALUE with what is used: cgroup2 would meet it with the OOM
 * killer, and a customer's database is worth the refusal.
 */
int memory_shrink(int dir, uint64_t max, struct err *err);

/*
 * v1 itself refuses a limit below what cannot be reclaimed, with EBUSY: write @value into @knob
 * of @dir until it is taken, for as long; then ERR_VALUE.
 */
int memory_shrink_v1(int dir, const char *knob, const char *value, struct err *err);

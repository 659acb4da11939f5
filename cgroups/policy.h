/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;

/* What holds for every VPS whatever its limits are: how many groups it may make, and which
 * devices it may open.  @outer is its open cgroup2 directory. */
int policy_apply(int outer, struct err *err);

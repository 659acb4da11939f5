/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;
struct node;
struct vps;

/* Write the plans that come with nodectl, where they are missing. */
int plans_make(const struct node *node, void (*say)(const char *what, void *arg), void *arg,
	       struct err *err);

/* Has @vps what its plan gives now?  ERR_LOCKED when the plan was changed since it was read.
 * With the lock ".naming" held it stays so. */
int plan_is_current(const struct node *node, const struct vps *vps, struct err *err);

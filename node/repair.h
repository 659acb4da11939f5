/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;
struct node;

/*
 * Part of node_repair(): bring the kernel's limits of VPSs that run, and what the group of all
 * of them carries, to what the definitions say.  @found is called for each that differs; with
 * @dry nothing is mended.
 */
int repair_limits(const struct node *node, bool dry, void (*found)(const char *what, void *arg),
		  void *arg, struct err *err);

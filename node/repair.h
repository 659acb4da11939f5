/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "vps.h"

struct err;
struct node;

/*
 * Everything that nodectl makes carries a VPS's id or name.  So repair goes
 * through each place where such things can be, asks who owns each, and removes
 * what nobody does.
 *
 * Others work meanwhile.  What is named is looked at under the lock of whoever may change it:
 * a VPS's own; where there is no VPS, ".naming", without which none comes into being or goes.
 * A lock that somebody has is passed by, as he is at it.
 */
struct repair {
	const struct node *node;
	bool dry;
	void (*found)(const char *what, void *arg);
	void *arg;
	unsigned failed;	   /* what could not be mended */
	unsigned patience;	   /* ms left for who may just be dying */
	bool told[VPS_ID_MAX + 1]; /* of that id: another node has it */
};

void __attribute__((format(printf, 2, 3)))
repair_found(const struct repair *repair, const char *fmt, ...);

/* It is named and counted, and the rest is gone on with.  Returns 0. */
int repair_failed(struct repair *repair, const struct err *err);

/* The lock of the VPS @name, which is there and which nobody works on; else -1, and why. */
int repair_lock(const struct repair *repair, const char *name, struct err *err);

/* What repair_lock() or repair_naming() did not get: in the hands of another, or gone, is none
 * of our business; anything else is a failure.  Returns 0, as repair_failed() does. */
int repair_passed_over(struct repair *repair, const struct err *err);

/* That of all names: none comes into being or goes meanwhile. */
int repair_naming(const struct repair *repair, struct err *err);

/* Processes, control groups, interfaces and forwards. */
void repair_kernel(struct repair *repair);

/* VPSs that a `plan set` which was cut off has not reached. */
void repair_plans(struct repair *repair);

/* The kernel's limits of VPSs that run, and what the group of all of them carries, against the
 * definitions. */
void repair_limits(struct repair *repair);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;
struct network_seen;
struct node;

/*
 * Drift: what is otherwise than it should be.  A definition is compared with its plan, with the
 * disk, and with the kernel's state of a VPS that runs.
 */

/* What brings it back. */
enum remedy {
	REMEDY_MEND,  /* diff_mend(), at once */
	REMEDY_START, /* the next start of the VPS */
	REMEDY_PLAN,  /* the operator: the plan says something else than the definition */
};

/* What to do about it, for people; empty for what diff_mend() does. */
const char *remedy_name(enum remedy remedy);

struct difference {
	const char *vps;   /* or "node", for what is about all of them */
	const char *what;  /* "memory.max", "forward 22001:22", "plan small: memory" */
	const char *where; /* group or interface; or empty */
	const char *wants;
	const char *has; /* NULL: nothing */
	enum remedy remedy;
};

/*
 * Call @each for what is otherwise with VPS @name; nothing when all is equal.  No lock is
 * taken, but a difference is looked at again when a command that was at work on the VPS is
 * done; ERR_LOCKED when it is not in five seconds.  @seen: what was read for all, which a
 * difference is no longer believed by; or NULL.
 */
int diff_vps(const struct node *node, const char *name, const struct network_seen *seen,
	     void (*each)(const struct difference *difference, void *arg), void *arg,
	     struct err *err);

/* Bring what can be at once, under the VPS's lock, to the definition. */
int diff_mend(const struct node *node, const char *name, struct err *err);

/* The same for what belongs to no VPS alone. */
int diff_node(const struct node *node,
	      void (*each)(const struct difference *difference, void *arg), void *arg,
	      struct err *err);
int diff_mend_node(const struct node *node, struct err *err);

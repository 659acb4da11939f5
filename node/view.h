/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "err.h"
#include "lxcfs.h"
#include "node.h"

/*
 * The view of a VPS that is being started: asked for early, as lxcfs takes its time, and taken
 * as late as may be.  A VPS never fails to start for want of it.
 */
struct view_start {
	bool asked;
	struct view_question question;
	struct lxcfs lxcfs;
	struct view_files files;
	struct err err; /* why there is none; kind 0 when the node wants none */
};
#define own_view __attribute__((cleanup(view_end))) struct view_start

struct view_start view_none(void);
void view_begin(const struct node *node, struct view_start *view);

/* Note in the run directory, and for people in the event log, what it came to; from here
 * held->place.view points into @view. */
void view_settle(const struct node *node, struct held *held, struct view_start *view);
void view_end(struct view_start *view);

/*
 * Has a VPS that runs lost its view, or could it have one by now?  Then give it one, under its
 * lock.
 */
bool view_is_lost(const struct node *node, const struct vps *vps, const struct status *status);
int view_mend(const struct node *node, struct held *held, struct err *err);

/* Is ".view" in the run directory what a keeper that was killed has left? */
bool view_is_left(const struct node *node);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "err.h"
#include "lxcfs.h"
#include "node.h"

/* Ask for the view of a VPS that is about to start; a VPS never fails to start for want of it.
 */
void view_begin(const struct node *node, struct view_offer *offer);

/* What it came to, when that is no view although the node wants one, into the event log. */
void view_log(const struct node *node, const struct held *held);

struct view_offer view_none(void);
void view_end(struct view_offer *offer);
#define own_view __attribute__((cleanup(view_end))) struct view_offer

/*
 * Has a VPS that runs lost its view, or could it have one by now?  Then give it one, under its
 * lock.
 */
bool view_is_lost(const struct node *node, const struct vps *vps, const struct status *status);
int view_mend(const struct node *node, struct held *held, struct err *err);

/* Is ".view" in the run directory what a keeper that was killed has left? */
bool view_is_left(const struct node *node);

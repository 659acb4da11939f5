/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "repair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "runtime.h"

/* The first knob that differs, in words, and how many do. */
struct drift {
	unsigned count;
	char first[320];
};

static int knob_look(const struct cgroup_knob *knob, void *arg, struct err *err)
{
	struct drift *drift = arg;

	(void)err;
	if (!knob->equal && drift->count++ == 0)
		snprintf(drift->first, sizeof(drift->first),
			 "'%.60s' is '%.100s', not '%.100s'", knob->name,
			 knob->got ? knob->got : "missing", knob->want);
	return 0;
}

static int guard_look(const struct link_knob *knob, void *arg, struct err *err)
{
	const struct cgroup_knob same = {
		.name = knob->name, .want = knob->want, .got = knob->got, .equal = knob->equal
	};

	return knob_look(&same, arg, err);
}

static int forward_look(const struct nat_entry *entry, bool missing, void *arg, struct err *err)
{
	char what[8 + PUBLISH_TEXT] = "forward ", address[ADDRESS_TEXT];
	const struct cgroup_knob knob = { .name = what,
					  .want = missing ? address : "none",
					  .got = missing ? "none" : address };

	publish_print(&entry->publish, what + strlen(what), PUBLISH_TEXT);
	address_print(&entry->to, false, address, sizeof(address));
	return knob_look(&knob, arg, err);
}

static void tell(const struct repair *repair, const char *who, const struct drift *drift)
{
	char more[32] = "";

	if (drift->count > 1)
		snprintf(more, sizeof(more), ", and %u more", drift->count - 1);
	repair_found(repair, "%s: %s%s", who, drift->first, more);
}

/* What cannot be compared or mended is told, and does not keep the others from it. */
static int give_up(struct repair *repair, const char *who, struct err *err)
{
	(void)fail_in(err, "%s", who);
	return repair_failed(repair, err);
}

/* Under the VPS's lock; it may have stopped by now. */
static int mend(const struct repair *repair, const char *name, struct err *err)
{
	own_held held = held_none();
	struct status status;

	if (vps_hold(repair->node, name, "repair", &held, err) < 0 ||
	    held_status(&held, &status, err) < 0)
		return -1;
	if (!status.init)
		return 0;
	struct vps running = vps_as_running(&held.vps, held.place.was);
	if (runtime_limit(&running, &held.place, err) < 0 ||
	    bridge_ensure(held.place.bridge, false, err) < 0 ||
	    runtime_guard(&running, &held.place, err) < 0)
		return -1;
	if (wall_mend(running.id, held.place.bridge, &running.link, err) < 0 ||
	    nat_mend(running.id, held.place.bridge, &running.link, err) < 0)
		return -1;
	return link_routes_mend(running.id, held.place.bridge, &running.link, err);
}

struct limits_repair {
	struct repair *repair;
	struct network_seen *seen;
};

/* What differs of one that runs.  @seen: NULL, what the kernel has is read anew. */
static int compare(const struct repair *repair, const struct vps *vps, int dir,
		   const struct network_seen *seen, struct drift *drift, struct err *err)
{
	const struct bridge *bridge = &repair->node->bridge;
	const struct place place = { .dir = dir, .run = -1, .image = -1 };
	own_vps started = { 0 };
	own_seen now = NULL;
	struct limits limits;
	struct err ignored;
	bool known = vps_started_load(repair->node, vps->name, &started, &ignored) == 0;
	struct vps running = vps_as_running(vps, known ? &started.link : NULL);

	if (!seen && network_see(bridge, &now, err) < 0)
		return -1;
	seen = seen ? seen : now;
	if (runtime_limits(vps, &place, &limits, err) < 0 ||
	    cgroup_diff(vps->id, &limits, knob_look, drift, err) < 0 ||
	    runtime_guard_diff(&running, bridge, guard_look, drift, err) < 0 ||
	    link_routes_diff(vps->id, seen, &running.link, guard_look, drift, err) < 0 ||
	    wall_diff(vps->id, seen, &running.link, guard_look, drift, err) < 0)
		return -1;
	return nat_diff(vps->id, seen, &running.link, forward_look, drift, err);
}

/* The same as it is now, if there is anything: what was seen is older than others' changes. */
static int compare_again(const struct repair *repair, const struct vps *vps, int dir,
			 struct drift *drift, struct err *err)
{
	if (!drift->count)
		return 0;
	*drift = (struct drift){ 0 };
	return compare(repair, vps, dir, NULL, drift, err);
}

/* A change that was cut off, or somebody's own hand: the definition counts. */
static int vps_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	const struct limits_repair *all = arg;
	struct repair *repair = all->repair;
	struct drift drift = { 0 };
	struct status status;

	if (broken)
		return 0;
	own_fd dir = dir_open(repair->node->vps, vps->name, err);
	if (dir < 0 || lock_is_held(dir, "lock"))
		return 0;
	vps_status(repair->node, vps, &status);
	if (!status.init)
		return 0;
	if (compare(repair, vps, dir, all->seen, &drift, err) < 0 ||
	    compare_again(repair, vps, dir, &drift, err) < 0)
		/* it has been stopped, or is being started anew */
		return err->code == ENOENT || err->code == ENODEV
			   ? 0
			   : give_up(repair, vps->name, err);
	/* what a command has begun meanwhile is under way, not cut off */
	if (!drift.count || lock_is_held(dir, "lock"))
		return 0;
	tell(repair, vps->name, &drift);
	if (!repair->dry && mend(repair, vps->name, err) < 0)
		return give_up(repair, vps->name, err);
	return 0;
}

void repair_limits(struct repair *repair)
{
	struct drift drift = { 0 };
	own_seen seen = NULL;
	struct err err;

	/* where nothing can be seen, those that run tell why */
	(void)network_see(&repair->node->bridge, &seen, &err);
	if (vps_each(repair->node, vps_one, &(struct limits_repair){ repair, seen }, &err) < 0)
		(void)repair_failed(repair, &err);
	if (cgroup_diff_node(knob_look, &drift, &err) < 0) {
		(void)repair_failed(repair, &err);
		return;
	}
	if (!drift.count)
		return;
	tell(repair, "the group of all VPSs", &drift);
	if (!repair->dry && cgroup_mend_node(&err) < 0)
		(void)repair_failed(repair, &err);
}

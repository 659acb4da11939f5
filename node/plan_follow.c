/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VPSs follow a plan that has changed.  The plan is written first, then each VPS changes,
 * wholly or not at all.  A file ".PLAN.plan" among the VPSs is there from before the first to
 * after the last of that, and locked by whoever is at it: there and not locked, he was cut off,
 * and repair goes on where he ended.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "plan.h"
#include "repair.h"
#include "str.h"

#define SUFFIX	".plan"
#define WAIT_MS 10000u

static void mark_name(const char *plan, char *name, size_t size)
{
	str_format(name, size, ".%s" SUFFIX, plan);
}

static int mark_take(const struct node *node, const char *plan, unsigned wait_ms,
		     struct err *err)
{
	struct stat stat = { 0 };
	char name[80];

	mark_name(plan, name, sizeof(name));
	/* who had it may have removed it while we waited */
	while (stat.st_nlink == 0) {
		own_fd mark = lock_take(node->vps, name, "'nodectl plan set'\n", wait_ms, err);

		if (mark < 0)
			return -1;
		if (fstat(mark, &stat) < 0)
			return fail(err, errno, "cannot look at '%s'", name);
		if (stat.st_nlink)
			return take_fd(&mark);
	}
	return -1;
}

int plan_follow_begin(const struct node *node, const char *plan, struct err *err)
{
	own_fd mark = mark_take(node, plan, WAIT_MS, err);

	return mark < 0 || dir_sync(node->vps, ".", err) < 0 ? -1 : take_fd(&mark);
}

void plan_follow_end(const struct node *node, const char *plan)
{
	char name[80];

	mark_name(plan, name, sizeof(name));
	(void)unlinkat(node->vps, name, 0);
}

int plan_follow(const struct node *node, const struct vps *plan, struct held *held,
		enum admission admission, bool dry, struct vps *after, struct err *err)
{
	const struct wanted wanted = { .plan = true, .admission = admission };

	*after = held->vps;
	after->ssh_keys = held->vps.ssh_keys ? xstrdup(held->vps.ssh_keys) : NULL;
	/* it may have got another one meanwhile */
	if (strcmp(after->plan, plan->plan) != 0)
		return 0;
	plan_adopt(plan, after);
	if (vps_changes(&held->vps, after, NULL, NULL) == 0)
		return 0;
	if (dry && (vps_check(node, after, err) < 0 ||
		    node_disk_check(node, held, after, admission, err) < 0))
		return -1;
	return !dry && node_change(node, held, after, &wanted, err) < 0 ? -1 : 1;
}

/* ---- repair */

struct following {
	struct repair *repair;
	const struct vps *plan;
	bool again; /* one that is to follow could not now */
};

static int follow_one(const struct vps *vps, const struct err *broken, void *arg,
		      struct err *err)
{
	struct following *following = arg;
	const struct node *node = following->repair->node;
	own_held held = held_none();
	own_vps after = { 0 };

	/* one that is not valid follows nothing; one that could not be read is tried again */
	if (broken ? broken->kind == ERR_VALUE : strcmp(vps->plan, following->plan->plan) != 0)
		return 0;
	/* it was admitted before the first of them changed */
	if (vps_hold(node, vps->name, "repair", &held, err) == 0 &&
	    plan_follow(node, following->plan, &held, ADMIT_FORCED, false, &after, err) >= 0)
		return 0;
	if (err->kind == ERR_NO_VPS)
		return 0;
	/* one that refuses what the plan says does so next time, as `plan set` has said */
	following->again |= broken || err->kind == ERR_LOCKED || err->kind == ERR_SYSTEM ||
			    err->kind == ERR_NO_SPACE;
	return repair_failed(following->repair, err);
}

static int mark_one(int dir, const char *entry, void *arg, struct err *err)
{
	struct repair *repair = arg;
	size_t len = strlen(entry), tail = strlen(SUFFIX);
	own_vps plan = { 0 };
	char name[80];

	if (entry[0] != '.' || len <= tail + 1 || len >= sizeof(name) ||
	    strcmp(entry + len - tail, SUFFIX) != 0 || lock_is_held(dir, entry))
		return 0;
	str_format(name, sizeof(name), "%.*s", (int)(len - tail - 1), entry + 1);
	repair_found(repair, "plan %s: a change of it was cut off", name);
	if (repair->dry)
		return 0;

	own_fd mark = mark_take(repair->node, name, 0, err);
	if (mark < 0)
		return err->kind == ERR_LOCKED ? 0 : repair_failed(repair, err);
	vps_init(&plan);
	if (plan_load(repair->node, name, &plan, err) == 0) {
		struct following following = { repair, &plan, false };

		if (vps_each(repair->node, follow_one, &following, err) < 0)
			return repair_failed(repair, err);
		if (following.again)
			return 0;
	} else if (err->kind == ERR_SYSTEM && err->code != ENOENT) {
		return repair_failed(repair, err);
	}
	plan_follow_end(repair->node, name);
	return 0;
}

void repair_plans(struct repair *repair)
{
	struct err err;

	if (dir_each(repair->node->vps, mark_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
}

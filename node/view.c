/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "io.h"
#include "own.h"
#include "runtime.h"
#include "str.h"

/*
 * lxcfs runs while a VPS does.  `nodectl @view`, the keeper, is its parent: one for a node, in
 * the group of the monitors.  It starts lxcfs anew when that ends, hangs or grows, and gives
 * the new one's files to all VPSs; it ends when no VPS has run for a while.  A keeper that is
 * killed takes nothing along: lxcfs serves on, and the next start or repair gets a new pair.
 */
#define ENSURE_MS 2000u /* for lxcfs to answer, when a VPS is about to start */
#define ANSWER_MS 1000u
#define TICK_MS	  1000u
#define IDLE	  2u /* ticks without a VPS, and it ends; starts in a row share one */
#define DEATHS	  5u /* of lxcfs ... */
#define SPAN_S	  60 /* ... within so many seconds, and VPSs are better off without */

static const char name[] = ".view";

/* ---- finding a keeper, or having one */

static int keeper_dir(const struct node *node)
{
	struct err ignored;

	return dir_open(node->runs, name, &ignored);
}

/* Its lock is on the directory itself, so that nothing stays when it ends. */
static bool keeper_lives(int dir)
{
	own_fd probe = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return probe >= 0 && flock(probe, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Its lxcfs.  One that is about to start it is waited for; none is started. */
static int keeper_ensure(const struct node *node, struct lxcfs *lxcfs, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	unsigned long long end = now_ms() + ENSURE_MS;

	do {
		own_fd dir = keeper_dir(node);

		if (keeper_lives(dir)) {
			if (lxcfs_read(dir, lxcfs) == 0)
				return 0;
			nanosleep(&pause, NULL);
			continue;
		}
		if (!lxcfs_is_installed())
			return fail_as(err, ERR_SYSTEM, "lxcfs is not installed");
		/* another command may be faster */
		if (lxcfs_keeper_start(node->config, err) < 0 &&
		    strncmp(err->msg, "locked", 6) != 0)
			return -1;
	} while (now_ms() < end);
	return fail_as(err, ERR_SYSTEM, "lxcfs does not answer");
}

/* ---- for a VPS that starts */

struct view_offer view_none(void)
{
	struct view_offer offer = { .question = { .channel = -1 } };

	for (size_t i = 0; i < VIEW_FILES; i++)
		offer.files.tree[i] = -1;
	return offer;
}

/* Whoever took it did so in another process: here it may still be open. */
void view_end(struct view_offer *offer)
{
	struct err ignored;

	if (offer->question.channel >= 0)
		(void)view_take(&offer->question, 0, &offer->files, &ignored);
	view_close(&offer->files);
}

void view_begin(const struct node *node, struct view_offer *offer)
{
	struct err err = { .msg = "node.conf" };

	if (node->view == NODE_VIEW_NONE || keeper_ensure(node, &offer->lxcfs, &err) < 0 ||
	    view_ask(&offer->lxcfs, &offer->question, &err) < 0)
		str_format(offer->reason, sizeof(offer->reason), "%.*s", 150, err.msg);
}

void view_log(const struct node *node, const struct held *held)
{
	struct view_state state;
	struct err ignored;
	own_fd dir = -1;

	view_state_read(held->place.run, &state);
	if (state.has || node->view == NODE_VIEW_NONE)
		return;
	vps_log(node, held->vps.name, "its /proc tells of the node: %s", state.reason);
	/* it gets one as soon as it can be had */
	dir = keeper_dir(node);
	if (dir >= 0)
		(void)file_replace_volatile(dir, "wanted", "", 0, 0600, &ignored);
}

/* ---- for VPSs that run */

bool view_is_lost(const struct node *node, const struct vps *vps, const struct status *status)
{
	struct view_state state;
	struct lxcfs lxcfs;
	struct err ignored;
	own_fd run = -1, dir = -1;

	if (node->view == NODE_VIEW_NONE || !status->init)
		return false;
	run = dir_open(node->runs, vps->name, &ignored);
	view_state_read(run, &state);
	dir = keeper_dir(node);
	if (keeper_lives(dir) && lxcfs_read(dir, &lxcfs) == 0)
		return !view_is_by(&state, &lxcfs);
	return lxcfs_is_installed();
}

int view_mend(const struct node *node, struct held *held, struct err *err)
{
	struct status status;
	struct view_state state;
	struct lxcfs lxcfs;

	if (held_status(held, &status, err) < 0)
		return -1;
	if (!status.init || keeper_ensure(node, &lxcfs, err) < 0)
		return status.init ? -1 : 0;
	view_state_read(held->place.run, &state);
	/* the keeper may have been faster */
	if (view_is_by(&state, &lxcfs))
		return 0;
	if (view_attach(held->place.run, status.init, &lxcfs, NULL, err) < 0)
		return fail_in(err, "view");
	vps_log(node, held->vps.name, "lxcfs is new: it has its view again");
	return 0;
}

void node_view_mend(const struct node *node, const struct vps *vps)
{
	own_held held = held_none();
	struct view_state state;
	struct err ignored;
	own_fd run = dir_open(node->runs, vps->name, &ignored), dir = -1;

	view_state_read(run, &state);
	if (!state.has || view_is_alive(&state))
		return;
	/* a keeper is about to do it */
	dir = keeper_dir(node);
	if (!keeper_lives(dir) && vps_hold(node, vps->name, "view", &held, &ignored) == 0)
		(void)view_mend(node, &held, &ignored);
}

bool view_is_left(const struct node *node)
{
	own_fd dir = keeper_dir(node);

	return dir >= 0 && !keeper_lives(dir);
}

/* ---- the keeper */

struct keeper {
	const struct node *node;
	int dir;
	struct lxcfs_kept kept;
	const struct lxcfs *give; /* what VPSs are to have; NULL: nothing, for ... */
	char reason[100];
	bool left; /* some could not be given it yet */
};

static bool is_starting(int run)
{
	struct err ignored;

	return name_look(run, "intent", &ignored) != 0;
}

/* What cannot be looked at runs: it must not lose its view for that. */
static bool is_up(int run)
{
	struct err ignored;

	return name_look(run, "run", &ignored) != 0;
}

/* One run directory.  A VPS that somebody else holds is for later: he may be just about to
 * start it with the files of the last lxcfs. */
static int give_one(int runs, const char *vps, void *arg, struct err *err)
{
	struct keeper *keeper = arg;
	own_held held = held_none();
	struct view_state state;
	struct status status;
	struct err failed;

	if (vps[0] == '.')
		return 0;
	own_fd run = dir_open(runs, vps, err);
	view_state_read(run, &state);
	if (run < 0 || (keeper->give ? view_is_by(&state, keeper->give) : !state.has))
		return 0;
	if (!is_up(run) && !is_starting(run))
		return 0;

	own_fd entry = vps_dir(keeper->node, vps, err);
	if (entry < 0)
		return 0;
	if (is_starting(run) || lock_is_held(entry, "lock") ||
	    vps_hold(keeper->node, vps, "view", &held, err) < 0 ||
	    held_status(&held, &status, err) < 0) {
		keeper->left = true;
		return 0;
	}
	if (!status.init)
		return 0;
	if (view_attach(held.place.run, status.init, keeper->give, keeper->reason, &failed) <
	    0) {
		keeper->left = true;
		return 0;
	}
	vps_log(keeper->node, vps, "%s%s", keeper->reason,
		keeper->give ? "; it has its view by a new one"
			     : "; its /proc tells of the node");
	return 0;
}

/* To all that do not have it; what is left is tried again at the next tick. */
static void give(struct keeper *keeper)
{
	struct err ignored;

	keeper->left = false;
	(void)dir_each(keeper->node->runs, give_one, keeper, &ignored);
}

static int use_one(int runs, const char *vps, void *arg, struct err *err)
{
	if (vps[0] == '.')
		return 0;
	own_fd run = dir_open(runs, vps, err);
	if (run < 0)
		return err->code == ENOENT || err->code == ENOTDIR ? 0 : -1;
	(void)arg;
	return is_up(run) || is_starting(run) ? -1 : 0;
}

/* Stops at the first that runs. */
static bool is_used(const struct keeper *keeper)
{
	struct err ignored;

	return dir_each(keeper->node->runs, use_one, NULL, &ignored) < 0;
}

static const char *health_print(enum lxcfs_health health)
{
	switch (health) {
	case LXCFS_WELL:
		return "lxcfs is well";
	case LXCFS_ENDED:
		return "lxcfs ended";
	case LXCFS_SILENT:
		return "lxcfs did not answer";
	case LXCFS_FAT:
		return "lxcfs had grown too big";
	}
	return "lxcfs";
}

/* A new one for one that is of no use.  @deaths are the times of the last ones. */
static int renew(struct keeper *keeper, enum lxcfs_health health, time_t deaths[DEATHS],
		 struct err *err)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* what a tenant can bring about as often as he likes is none: all would lose by it */
	if (health != LXCFS_FAT) {
		memmove(deaths + 1, deaths, (DEATHS - 1) * sizeof(*deaths));
		deaths[0] = now.tv_sec;
	}
	str_format(keeper->reason, sizeof(keeper->reason), "%s", health_print(health));
	lxcfs_end(keeper->dir, &keeper->kept);
	if (deaths[DEATHS - 1] && now.tv_sec - deaths[DEATHS - 1] < SPAN_S)
		return fail_as(err, ERR_SYSTEM, "lxcfs ended %u times within %u seconds",
			       DEATHS, SPAN_S);
	return lxcfs_start(keeper->dir, &keeper->kept, err);
}

/* Nobody has run for a while.  Who starts now either finds no lxcfs any more, or has its files
 * and his intent is there. */
static bool may_leave(struct keeper *keeper)
{
	char text[sizeof(struct lxcfs) * 8];
	struct err ignored;

	if (file_read(keeper->dir, "server", text, sizeof(text), &ignored) < 0 ||
	    unlinkat(keeper->dir, "server", 0) < 0)
		return true;
	if (!is_used(keeper))
		return true;
	return file_replace_volatile(keeper->dir, "server", text, strlen(text), 0600,
				     &ignored) < 0;
}

static void keep(struct keeper *keeper, struct err *err)
{
	time_t deaths[DEATHS] = { 0 };
	unsigned idle = 0;

	for (;;) {
		enum lxcfs_health health = lxcfs_watch(&keeper->kept, TICK_MS);

		if (health != LXCFS_WELL) {
			if (renew(keeper, health, deaths, err) < 0)
				break;
			keeper->left = true;
		} else {
			idle = is_used(keeper) ? 0 : idle + 1;
			if (idle >= IDLE && may_leave(keeper))
				return;
		}
		if (keeper->left || faccessat(keeper->dir, "wanted", F_OK, 0) == 0) {
			(void)unlinkat(keeper->dir, "wanted", 0);
			give(keeper);
		}
	}
	/* better the node's figures than none at all */
	keeper->give = NULL;
	str_format(keeper->reason, sizeof(keeper->reason), "%.*s",
		   (int)sizeof(keeper->reason) - 1, err->msg);
	for (int i = 0; i < 10; i++) {
		give(keeper);
		if (!keeper->left)
			return;
		sleep(1);
	}
}

/* The directory, locked, and still the one of that name. */
static int keeper_lock(const struct node *node, struct err *err)
{
	for (;;) {
		struct stat ours, now;

		own_fd dir = dir_make(node->runs, name, 0700, err);
		if (dir < 0)
			return -1;
		if (flock(dir, LOCK_EX | LOCK_NB) < 0)
			return fail_as(err, ERR_LOCKED, "locked by another keeper of lxcfs");
		if (fstat(dir, &ours) == 0 && fstatat(node->runs, name, &now, 0) == 0 &&
		    ours.st_ino == now.st_ino)
			return take_fd(&dir);
	}
}

/* Who waits for us is told, and after that there is nobody to tell. */
static void ready_say(void)
{
	own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)!write(STDOUT_FILENO, "ready\n", 6);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
}

int node_view_keep(const char *config, struct err *err)
{
	own_node node;
	struct keeper keeper = { .node = &node };
	struct err failed = { 0 };

	if (node_open(&node, config, err) < 0)
		return -1;
	own_fd dir = keeper_lock(&node, err);
	if (dir < 0)
		return -1;
	keeper.dir = dir;
	if (lxcfs_start(dir, &keeper.kept, err) < 0) {
		(void)unlinkat(node.runs, name, AT_REMOVEDIR);
		return -1;
	}
	keeper.give = &keeper.kept.lxcfs;
	ready_say();
	/* VPSs of a keeper that was killed; and those that were started without */
	str_format(keeper.reason, sizeof(keeper.reason), "lxcfs was started");
	keeper.left = true;
	keep(&keeper, &failed);

	lxcfs_end(dir, &keeper.kept);
	(void)tree_remove(node.runs, name, err);
	cgroup_monitors_leave();
	return 0;
}

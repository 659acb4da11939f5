/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * The view of a VPS: the files of /proc and /sys in which it finds its own limits and use and
 * not the node's.  lxcfs(1) makes them, one process for all VPSs of a node.  Nothing is seen of
 * it on the node: its file system is mounted in the namespace of one more process, the holder,
 * as those single files and nothing else.
 */

#define VIEW_FILES 7

/* One lxcfs and its holder, known by pid and start time. */
struct lxcfs {
	pid_t server, holder;
	uint64_t server_start, holder_start;
	uint64_t device; /* of its file system, as stat(2) tells it */
};

/* Is it on this node? */
bool lxcfs_is_installed(void);

/* The one that @dir says and that lives, or -1. */
int lxcfs_read(int dir, struct lxcfs *lxcfs);

/* ---- for the one process of a node that keeps it: node/view.c */

struct lxcfs_kept {
	struct lxcfs lxcfs;
	int pidfd, beats;
	unsigned long long heard; /* now_ms() of the last sign of life */
};

enum lxcfs_health { LXCFS_WELL, LXCFS_ENDED, LXCFS_SILENT, LXCFS_FAT };

/* Start one, and say so in @dir when it answers.  On failure nothing is left. */
int lxcfs_start(int dir, struct lxcfs_kept *kept, struct err *err);

/* Watch it for @wait_ms; returns earlier when something is wrong. */
enum lxcfs_health lxcfs_watch(struct lxcfs_kept *kept, unsigned wait_ms);

/* End it; VPSs that still have its files find them dead.  @dir says no more of it. */
void lxcfs_end(int dir, struct lxcfs_kept *kept);

/*
 * Have a keeper: `nodectl --config CONFIG @view` in the group of the monitors, where no session
 * takes it along.  Returns when its lxcfs answers; ERR_LOCKED: there is one already.
 */
int lxcfs_keeper_start(const char *config, struct err *err);

/* ---- for a VPS */

/* What a VPS was given last, as noted in its run directory. */
struct view_state {
	bool is_known; /* it was started by a nodectl that gives views */
	bool has;
	struct lxcfs by;
	char reason[160]; /* why it has none */
};

void view_state_read(int run, struct view_state *state);

/* @lxcfs NULL: none, for @reason. */
int view_state_write(int run, const struct lxcfs *lxcfs, const char *reason, struct err *err);

/* Does that lxcfs live? */
bool view_is_alive(const struct view_state *state);

/* Is it that one? */
bool view_is_by(const struct view_state *state, const struct lxcfs *lxcfs);

/* The files of one view, as mounts that are nowhere yet; -1 where there is none. */
struct view_files {
	int tree[VIEW_FILES];
};

/* A question to an lxcfs that may hang; it is asked in another process. */
struct view_question {
	pid_t pid;
	int channel;
};

/* Ask for the files of a view; what is begun must be ended by view_take(). */
int view_ask(const struct lxcfs *lxcfs, struct view_question *question, struct err *err);

/* The files, or an error when none have come within @wait_ms. */
int view_take(struct view_question *question, unsigned wait_ms, struct view_files *files,
	      struct err *err);

void view_close(struct view_files *files);

/*
 * The view of a VPS that is being started: asked for early, as lxcfs takes its time, and taken
 * as late as may be, perhaps in another process than the one that asked.
 */
struct view_offer {
	struct view_question question; /* channel -1: nothing was asked, or it was taken */
	struct lxcfs lxcfs;	       /* whom */
	struct view_files files;
	char reason[160]; /* why there are none */
};

/* Take what was asked for, once, and note in @run what it came to.  Without an answer a VPS
 * starts with the node's files: nothing fails. */
void view_accept(struct view_offer *offer, int run);

/*
 * Give a VPS that runs the files of @lxcfs (NULL: none at all) in place of what @run says that
 * it has.  What the tenant has put over them stays.  Bounded, even when lxcfs hangs.
 */
int view_attach(int run, pid_t init, const struct lxcfs *lxcfs, const char *reason,
		struct err *err);

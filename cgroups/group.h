/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "hierarchy.h"

struct err;

/*
 * Names.  Everything of ours lies below one parent, "nodectl", at the root of
 * each hierarchy; where that is is known in group.c alone.
 */

/* For what comes in from outside, below the outer group. */
#define COMMANDS_GROUP "commands"

/* "nodectl-vps.service/17", as libcgroup wants it. */
void group_name(unsigned id, char name[GROUP_NAME]);

/* "<mount>/nodectl-vps.service/17" */
void group_path(const char *mount, unsigned id, char path[GROUP_PATH]);

/* "<mount>/nodectl-vps.service" */
void group_parent_path(const char *mount, char path[GROUP_PATH]);

/* 17 for "/nodectl-vps.service/17" and whatever is below it, 0 for any other path. */
unsigned group_id(const char *path);

/* 17 for "17": the name of a group of ours; 0 for other names. */
unsigned group_id_of_name(const char *name);

/* The outer group below @mount, open; ENOENT in err->code when there is none. */
int group_open(const char *mount, unsigned id, struct err *err);

/* The parent of all our groups below @mount, open; ENOENT as above. */
int group_open_parent(const char *mount, struct err *err);

/* Is it that the group is not there, or is removed at this moment (ENODEV, kernfs)? */
bool group_is_gone(const struct err *err);

/* Make that parent.  It may be gone again at any moment: whoever removes the last group
 * in it tries to remove it too. */
int group_make_parent(const char *mount, struct err *err);

/* Remove it if nothing is left in it. */
void group_remove_parent(const char *mount);

/* Remove the group @name and all below it; absent is fine.  No process may be inside. */
int group_remove(int dir, const char *name, struct err *err);

/* Hand an open cgroup2 group to a tenant (cgroups(7), delegation). */
int group_delegate(int dir, uid_t owner, struct err *err);

/* As group_open() in the cgroup2 hierarchy of this host, for what is done with cgroup2 alone.
 */
int group_open_unified(unsigned id, struct err *err);

/* Does a cgroup2 directory have @want behind @key ("populated", "frozen") in cgroup.events? */
bool group_event(int dir, const char *key, bool want);

/* Wait until it has: 0, or -1 with errno, ETIMEDOUT after @wait_ms. */
int group_event_wait(int dir, const char *key, bool want, unsigned wait_ms);

/* Call @each for every child group of @dir; stops at the first -1 and returns it. */
int group_children(int dir, int (*each)(int dir, const char *name, void *arg, struct err *err),
		   void *arg, struct err *err);

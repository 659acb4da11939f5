/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "path.h"

struct err;

/* One entry of an archive, checked: the path is entry_path()'s, the ids are 0..65535. */
struct entry {
	char path[ENTRY_PATH_MAX];
	mode_t mode; /* permission bits only */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
};

struct dir_time {
	char *path;
	struct timespec mtime;
};

/*
 * The tree being unpacked.  It began empty and nobody else writes to it, so whatever is there
 * was made by this archive.  Every function reaches its entry from @root, never through a
 * symbolic link, a mount or "..", and refuses (ERR_BAD_IMAGE) what is there already; only a
 * directory may be named again.
 */
struct tree {
	int root; /* not owned */
	struct dir_time *times;
	size_t count;
	size_t room;
};

/* Create, owned by the caller until entry_finish() has set owner, mode and time. */
int tree_add_file(struct tree *tree, const struct entry *entry, struct err *err);
int tree_add_dir(struct tree *tree, const struct entry *entry, struct err *err);

int tree_add_symlink(struct tree *tree, const struct entry *entry, const char *target,
		     struct err *err);
int tree_add_fifo(struct tree *tree, const struct entry *entry, struct err *err);

/* A further name for @target (an entry_path()), which must be a regular file. */
int tree_add_hardlink(struct tree *tree, const struct entry *entry, const char *target,
		      struct err *err);

/* Owner first: chown(2) takes away setuid bits and file capabilities. */
int entry_own(int fd, const struct entry *entry, struct err *err);

/* Times last: writing changes them.  Those of directories wait for tree_finish(). */
int entry_date(int fd, const struct entry *entry, struct err *err);

/* Give the directories their times, now that nothing more is put into them. */
int tree_finish(struct tree *tree, struct err *err);

void tree_free(struct tree *tree);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
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
	unsigned entries;
	uint64_t unseen; /* what has been written since its file system was looked at */
	struct dir_time *times;
	size_t count;
	size_t room;
};

/* More than any system has. */
#define TREE_ENTRIES 2000000u

/* One more, also of the directories that an archive only implies: ERR_BAD_IMAGE beyond those.
 */
int tree_count(struct tree *tree, struct err *err);

/*
 * So many bytes will be written, or an entry made: ERR_NO_SPACE when that would be of the last
 * of the file system, which is for VPSs and what is noted of them.  An archive says of itself
 * what it likes.
 */
int tree_room(struct tree *tree, uint64_t bytes, struct err *err);

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

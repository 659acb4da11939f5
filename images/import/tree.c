/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "str.h"

#define ROOM_LEFT   (32u << 20)
#define INODES_LEFT 1024

/* It is looked at after so much; and what an entry counts for that, beside its data. */
#define LOOK_BYTES  (4u << 20)
#define ENTRY_BYTES (16u << 10)

static int open_beneath(int root, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* An errno that the archive brought about, or one of ours. */
static int fail_at(struct err *err, const char *path)
{
	int code = errno;
	char shown[256];

	switch (code) {
	case EEXIST:
		return entry_refuse(err, path, "is there twice");
	case ELOOP:
	case EXDEV:
		return entry_refuse(err, path, "lies behind a symbolic link");
	case ENOTDIR:
		return entry_refuse(err, path, "lies below something that is no directory");
	case EMLINK:
		return entry_refuse(err, path, "has too many links");
	case ENAMETOOLONG:
		return entry_refuse(err, path, "is too long");
	}
	str_escape(path, shown, sizeof(shown));
	return fail(err, code, "cannot create '%s'", shown);
}

int tree_count(struct tree *tree, struct err *err)
{
	if (++tree->entries > TREE_ENTRIES)
		return fail_as(err, ERR_BAD_IMAGE,
			       "the archive has more than 2 million entries");
	return tree_room(tree, ENTRY_BYTES, err);
}

/* A file system without a number of inodes has 0 of them. */
int tree_room(struct tree *tree, uint64_t bytes, struct err *err)
{
	struct statfs room;

	tree->unseen += bytes;
	if (tree->unseen < LOOK_BYTES)
		return 0;
	tree->unseen = 0;
	if (fstatfs(tree->root, &room) < 0 ||
	    (room.f_bavail > ROOM_LEFT / (uint64_t)room.f_bsize &&
	     (!room.f_files || room.f_ffree > INODES_LEFT)))
		return 0;
	return fail_as(err, ERR_NO_SPACE,
		       "the storage is full but for what nodectl leaves to VPSs");
}

/* Directories that the archive leaves out are root's and 0755, as tar makes them. */
static int make_parents(struct tree *tree, const char *path, struct err *err)
{
	char part[ENTRY_PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);

		memcpy(part, path, len);
		part[len] = 0;
		own_fd there = open_beneath(tree->root, part, O_PATH | O_DIRECTORY);
		if (there >= 0)
			continue;
		if (errno != ENOENT)
			return fail_at(err, path);

		char *leaf = strrchr(part, '/');
		if (leaf)
			*leaf++ = 0;
		own_fd above = open_beneath(tree->root, leaf ? part : "", O_PATH | O_DIRECTORY);
		if (above < 0 || mkdirat(above, leaf ? leaf : part, 0755) < 0)
			return fail_at(err, path);
		if (tree_count(tree, err) < 0)
			return -1;
	}
	return 0;
}

/* The directory that @path lies in, O_PATH, and in @leaf its last component. */
static int parent_open(struct tree *tree, const char *path, const char **leaf, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char above[ENTRY_PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd;

	memcpy(above, path, len);
	above[len] = 0;
	*leaf = slash ? slash + 1 : path;

	fd = open_beneath(tree->root, above, O_PATH | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT) {
		if (make_parents(tree, path, err) < 0)
			return -1;
		fd = open_beneath(tree->root, above, O_PATH | O_DIRECTORY);
	}
	return fd < 0 ? fail_at(err, path) : fd;
}

static void remember_time(struct tree *tree, const struct entry *entry)
{
	tree->times = xgrow(tree->times, tree->count, &tree->room, sizeof(*tree->times));
	tree->times[tree->count].path = xstrdup(entry->path);
	tree->times[tree->count].mtime = entry->mtime;
	tree->count++;
}

int tree_add_dir(struct tree *tree, const struct entry *entry, struct err *err)
{
	if (*entry->path) {
		const char *leaf;
		own_fd parent = parent_open(tree, entry->path, &leaf, err);

		if (parent < 0)
			return -1;
		if (mkdirat(parent, leaf, 0700) < 0 && errno != EEXIST)
			return fail_at(err, entry->path);
	}

	own_fd fd = open_beneath(tree->root, entry->path, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			errno = EEXIST;
		return fail_at(err, entry->path);
	}
	remember_time(tree, entry);
	return take_fd(&fd);
}

int tree_add_file(struct tree *tree, const struct entry *entry, struct err *err)
{
	const char *leaf;
	own_fd parent = parent_open(tree, entry->path, &leaf, err);
	if (parent < 0)
		return -1;

	int fd =
	    openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? fail_at(err, entry->path) : fd;
}

/* For what cannot be opened: @leaf was just created here and is not a directory. */
static int own_and_date(int parent, const char *leaf, const struct entry *entry,
			struct err *err)
{
	const struct timespec times[2] = { entry->mtime, entry->mtime };

	if (fchownat(parent, leaf, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(parent, leaf, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_at(err, entry->path);
	return 0;
}

int tree_add_symlink(struct tree *tree, const struct entry *entry, const char *target,
		     struct err *err)
{
	const char *leaf;
	size_t len = target ? strlen(target) : 0;

	if (len == 0 || len >= ENTRY_PATH_MAX)
		return entry_refuse(err, entry->path, "is a symbolic link to nowhere");

	own_fd parent = parent_open(tree, entry->path, &leaf, err);
	if (parent < 0)
		return -1;
	if (symlinkat(target, parent, leaf) < 0)
		return fail_at(err, entry->path);
	return own_and_date(parent, leaf, entry, err);
}

int tree_add_fifo(struct tree *tree, const struct entry *entry, struct err *err)
{
	const char *leaf;
	own_fd parent = parent_open(tree, entry->path, &leaf, err);

	if (parent < 0)
		return -1;
	if (mknodat(parent, leaf, S_IFIFO | 0600, 0) < 0)
		return fail_at(err, entry->path);
	if (own_and_date(parent, leaf, entry, err) < 0)
		return -1;
	return fchmodat(parent, leaf, entry->mode, 0) < 0 ? fail_at(err, entry->path) : 0;
}

int tree_add_hardlink(struct tree *tree, const struct entry *entry, const char *target,
		      struct err *err)
{
	const char *leaf, *slash = strrchr(target, '/');
	const char *old = slash ? slash + 1 : target;
	char above[ENTRY_PATH_MAX];
	struct stat stat;

	str_format(above, sizeof(above), "%.*s", slash ? (int)(slash - target) : 0, target);
	own_fd from = open_beneath(tree->root, above, O_PATH | O_DIRECTORY);
	if (!*target || from < 0 || fstatat(from, old, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(stat.st_mode))
		return entry_refuse(err, entry->path,
				    "is a link to no file that the archive has");

	own_fd parent = parent_open(tree, entry->path, &leaf, err);
	if (parent < 0)
		return -1;
	return linkat(from, old, parent, leaf, 0) < 0 ? fail_at(err, entry->path) : 0;
}

int entry_own(int fd, const struct entry *entry, struct err *err)
{
	if (fchown(fd, entry->uid, entry->gid) < 0 || fchmod(fd, entry->mode) < 0)
		return fail_at(err, entry->path);
	return 0;
}

int entry_date(int fd, const struct entry *entry, struct err *err)
{
	const struct timespec times[2] = { entry->mtime, entry->mtime };

	return futimens(fd, times) < 0 ? fail_at(err, entry->path) : 0;
}

int tree_finish(struct tree *tree, struct err *err)
{
	for (size_t i = 0; i < tree->count; i++) {
		const struct dir_time *time = &tree->times[i];
		const struct timespec times[2] = { time->mtime, time->mtime };
		own_fd fd = open_beneath(tree->root, time->path, O_RDONLY | O_DIRECTORY);

		if (fd < 0 || futimens(fd, times) < 0)
			return fail_at(err, time->path);
	}
	return 0;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < tree->count; i++)
		free(tree->times[i].path);
	free(tree->times);
	*tree = (struct tree){ .root = -1 };
}

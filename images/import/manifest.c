/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "err.h"
#include "images.h"
#include "own.h"
#include "path.h"
#include "str.h"
#include "xattr.h"

enum {
	LIST_MAX = 65536,
	BUFFER = 1 << 17,
};

/* The first name of a file that has several. */
struct first {
	ino_t inode;
	char path[];
};

struct walk {
	struct sha256_ctx sha;
	struct manifest *manifest;
	const struct progress *progress;
	void *firsts; /* tsearch(3) tree of struct first */
	char *buffer;
	char path[ENTRY_PATH_MAX];
};

__attribute__((format(printf, 2, 3))) static void say(struct walk *walk, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sha256_update(&walk->sha, (size_t)len, (const uint8_t *)text);
}

static void say_name(struct walk *walk, const char *name)
{
	char text[4 * ENTRY_PATH_MAX];
	size_t used = 0;

	for (; *name && used + 4 < sizeof(text); name++) {
		unsigned char c = (unsigned char)*name;

		if (c > ' ' && c <= '~' && c != '\\')
			text[used++] = (char)c;
		else
			used += (size_t)sprintf(text + used, "\\x%02x", c);
	}
	sha256_update(&walk->sha, used, (const uint8_t *)text);
}

static void say_hex(struct walk *walk, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		say(walk, "%02x", bytes[i]);
}

static int by_inode(const void *a, const void *b)
{
	ino_t one = ((const struct first *)a)->inode, two = ((const struct first *)b)->inode;

	return (one > two) - (one < two);
}

/* The first name of this file if it was met before; else remember this one. */
static const char *first_name(struct walk *walk, const struct stat *stat)
{
	struct first *mine = xmalloc(sizeof(*mine) + strlen(walk->path) + 1);
	struct first **found;

	mine->inode = stat->st_ino;
	strcpy(mine->path, walk->path);
	/* without memory it would be another file, and the image another one */
	found = or_exit(tsearch(mine, &walk->firsts, by_inode));
	if (*found == mine)
		return NULL;
	free(mine);
	return (*found)->path;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int xattr_add(struct walk *walk, int fd, const char *name, struct err *err)
{
	unsigned char *value = (unsigned char *)walk->buffer;
	ssize_t len = fgetxattr(fd, name, value, BUFFER);

	if (len < 0)
		return fail(err, errno, "cannot read %s of '%s'", name, walk->path);
	say(walk, "x ");
	say_name(walk, name);
	say(walk, " ");
	say_hex(walk, value, (size_t)len);
	say(walk, "\n");
	return 0;
}

/* Only what an image may carry: the host's security module may add its own. */
static int xattrs_add(struct walk *walk, int fd, struct err *err)
{
	own_str list = xmalloc(LIST_MAX + 1);
	own_str index = NULL;
	size_t count = 0;
	char **names;
	ssize_t len = flistxattr(fd, list, LIST_MAX);

	if (len < 0 && errno != ENOTSUP)
		return fail(err, errno, "cannot list the attributes of '%s'", walk->path);
	if (len <= 0)
		return 0;

	list[len] = 0;
	index = xcalloc((size_t)len, sizeof(*names));
	names = (char **)(void *)index;
	for (char *name = list; name < list + len; name += strlen(name) + 1) {
		if (xattr_is_allowed(name))
			names[count++] = name;
	}
	qsort(names, count, sizeof(*names), by_text);
	for (size_t i = 0; i < count; i++) {
		if (xattr_add(walk, fd, names[i], err) < 0)
			return -1;
	}
	return 0;
}

static int content_digest(struct walk *walk, int fd, uint8_t digest[SHA256_DIGEST_SIZE],
			  struct err *err)
{
	struct sha256_ctx sha;
	ssize_t got;

	sha256_init(&sha);
	while ((got = read(fd, walk->buffer, BUFFER)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(err, errno, "cannot read '%s'", walk->path);
		sha256_update(&sha, (size_t)got, (const uint8_t *)walk->buffer);
		walk->manifest->size += (uint64_t)got;
		if (walk->progress)
			walk->progress->report("digest", walk->manifest->size, 0,
					       walk->progress->arg);
	}
	sha256_digest(&sha, SHA256_DIGEST_SIZE, digest);
	return 0;
}

static int file_add(struct walk *walk, int dir, const char *name, const struct stat *stat,
		    struct err *err)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	const char *first = stat->st_nlink > 1 ? first_name(walk, stat) : NULL;

	if (first) {
		say(walk, "h ");
		say_name(walk, walk->path);
		say(walk, " ");
		say_name(walk, first);
		say(walk, "\n");
		return 0;
	}

	own_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", walk->path);
	if (content_digest(walk, fd, digest, err) < 0)
		return -1;
	say(walk, "f %o %u %u %llu ", stat->st_mode & 07777, stat->st_uid, stat->st_gid,
	    (unsigned long long)stat->st_size);
	say_hex(walk, digest, sizeof(digest));
	say(walk, " ");
	say_name(walk, walk->path);
	say(walk, "\n");
	return xattrs_add(walk, fd, err);
}

static int symlink_add(struct walk *walk, int dir, const char *name, const struct stat *stat,
		       struct err *err)
{
	char target[ENTRY_PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target) - 1);

	if (len < 0)
		return fail(err, errno, "cannot read '%s'", walk->path);
	target[len] = 0;
	say(walk, "l %u %u ", stat->st_uid, stat->st_gid);
	say_name(walk, walk->path);
	say(walk, " ");
	say_name(walk, target);
	say(walk, "\n");
	return 0;
}

static int dir_add(struct walk *walk, int fd, struct err *err);

static int name_add(struct walk *walk, int dir, const char *name, struct err *err)
{
	struct stat stat;

	walk->manifest->files++;
	if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(err, errno, "cannot look at '%s'", walk->path);
	if (S_ISREG(stat.st_mode))
		return file_add(walk, dir, name, &stat, err);
	if (S_ISLNK(stat.st_mode))
		return symlink_add(walk, dir, name, &stat, err);
	if (S_ISDIR(stat.st_mode)) {
		own_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return fail(err, errno, "cannot open '%s'", walk->path);
		return dir_add(walk, fd, err);
	}
	if (!S_ISFIFO(stat.st_mode))
		return fail_as(err, ERR_BAD_IMAGE, "'%s' is of an unknown type", walk->path);
	say(walk, "p %o %u %u ", stat.st_mode & 07777, stat.st_uid, stat.st_gid);
	say_name(walk, walk->path);
	say(walk, "\n");
	return 0;
}

/* Add one name to the path for as long as @name is looked at. */
static int child_add(struct walk *walk, int dir, const char *name, struct err *err)
{
	size_t len = strlen(walk->path);
	int result;

	if (len + strlen(name) + 2 > sizeof(walk->path))
		return fail(err, ENAMETOOLONG, "cannot look at '%s'", name);
	sprintf(walk->path + len, "%s%s", len ? "/" : "", name);
	result = name_add(walk, dir, name, err);
	walk->path[len] = 0;
	return result;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int dir_add(struct walk *walk, int fd, struct err *err)
{
	struct dirent **names;
	struct stat stat;
	int count, result = 0;

	if (fstat(fd, &stat) < 0)
		return fail(err, errno, "cannot look at '%s'", walk->path);
	say(walk, "d %o %u %u ", stat.st_mode & 07777, stat.st_uid, stat.st_gid);
	say_name(walk, *walk->path ? walk->path : ".");
	say(walk, "\n");
	if (xattrs_add(walk, fd, err) < 0)
		return -1;

	count = scandirat(fd, ".", &names, NULL, by_bytes);
	if (count < 0)
		return fail(err, errno, "cannot list '%s'", walk->path);
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (result == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			result = child_add(walk, fd, name, err);
		free(names[i]);
	}
	free(names);
	return result;
}

int manifest_read(int root, struct manifest *manifest, const struct progress *progress,
		  struct err *err)
{
	struct manifest found = { .files = 0 };
	struct walk walk = { .manifest = &found, .progress = progress };
	uint8_t digest[SHA256_DIGEST_SIZE];
	own_str buffer = walk.buffer = xmalloc(BUFFER);
	int result;

	(void)buffer;
	sha256_init(&walk.sha);
	say(&walk, "nodectl-manifest 1\n");
	result = dir_add(&walk, root, err);
	tdestroy(walk.firsts, free);
	if (result < 0)
		return -1;

	sha256_digest(&walk.sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		sprintf(found.digest + 2 * i, "%02x", digest[i]);
	*manifest = found;
	return 0;
}

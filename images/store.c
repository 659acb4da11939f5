/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "own.h"
#include "str.h"

enum {
	LOCK_WAIT_MS = 30000,
	INFO_MAX = 4096,
};

int store_lock(int store, struct err *err)
{
	return lock_take(store, "lock", "another image command", LOCK_WAIT_MS, err);
}

bool digest_is_valid(const char *digest)
{
	return strlen(digest) == 64 && strspn(digest, "0123456789abcdef") == 64;
}

static int random_name(char name[17], struct err *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return fail(err, errno, "cannot get a random name");
	str_format(name, 17, "%016" PRIx64, number);
	return 0;
}

/*
 * A sweep may come between mkdir and flock: it then holds the directory, or it is gone when we
 * get hold of it.
 */
static int staging_lock(struct staging *staging, int parent, struct err *err)
{
	struct stat stat;

	own_fd dir = dir_open(parent, staging->name, err);
	if (dir < 0)
		return err->code == ENOENT ? 0 : -1;
	if (flock(dir, LOCK_SH) < 0 || fstat(dir, &stat) < 0)
		return fail(err, errno, "cannot lock 'staging/%s'", staging->name);
	if (stat.st_nlink == 0)
		return 0;
	staging->dir = take_fd(&dir);
	return 0;
}

static int staging_try(struct staging *staging, int parent, struct err *err)
{
	if (random_name(staging->name, err) < 0)
		return -1;
	if (mkdirat(parent, staging->name, 0700) < 0)
		return fail(err, errno, "cannot create 'staging/%s'", staging->name);
	if (staging_lock(staging, parent, err) == 0)
		return 0;
	(void)unlinkat(parent, staging->name, AT_REMOVEDIR);
	return -1;
}

int staging_make(struct staging *staging, int store, struct err *err)
{
	own_fd parent = dir_make(store, "staging", 0700, err);
	own_fd trees = parent < 0 ? -1 : dir_make(store, "sha256", 0700, err);
	own_fd names = trees < 0 ? -1 : dir_make(store, "names", 0700, err);

	*staging = (struct staging){ .store = store, .dir = -1 };
	if (names < 0)
		return -1;
	while (staging->dir < 0) {
		if (staging_try(staging, parent, err) < 0)
			return -1;
	}
	return 0;
}

int staging_take(struct staging *staging, int store, const char *from, struct err *err)
{
	char to[40];

	*staging = (struct staging){ .store = store, .dir = -1 };
	if (random_name(staging->name, err) < 0)
		return -1;
	own_fd dir = dir_open(store, from, err);
	if (dir < 0)
		return -1;
	str_format(to, sizeof(to), "staging/%s", staging->name);
	/* locked before a sweep can see it there */
	if (flock(dir, LOCK_SH) < 0 || renameat(store, from, store, to) < 0)
		return fail(err, errno == ENOENT ? EIO : errno, "cannot rename '%s'", from);
	staging->dir = take_fd(&dir);
	return 0;
}

int staging_remove(struct staging *staging, struct err *err)
{
	int result = 0;

	if (staging->dir < 0)
		return 0;
	if (*staging->name) {
		own_fd parent = dir_open(staging->store, "staging", err);

		result = parent < 0 ? -1 : tree_remove(parent, staging->name, err);
	}
	close(staging->dir);
	staging->dir = -1;
	return result;
}

void staging_free(struct staging *staging)
{
	struct err ignored;

	/* what cannot be removed now is removed by the next sweep */
	(void)staging_remove(staging, &ignored);
}

static int info_write(int dir, const struct image *image, struct err *err)
{
	own_str text =
	    xasprintf("digest = %s\nsource = %s\nsize = %" PRIu64 "\nfiles = %" PRIu64
		      "\ncreated = %" PRId64 "\n",
		      image->digest, image->source, image->size, image->files, image->created);

	return file_replace(dir, "info", text, strlen(text), 0600, err);
}

/* The value of one line, NUL-ended in place; the whole text is cut up. */
static const char *info_value(char *text, const char *key)
{
	size_t len = strlen(key);

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && strncmp(line + len, " = ", 3) == 0)
			return line + len + 3;
	}
	return "";
}

int info_read(int store, const char *digest, struct image *image, struct err *err)
{
	char path[128], text[INFO_MAX];
	const char *source;

	str_format(path, sizeof(path), "sha256/%s/info", digest);
	if (file_read(store, path, text, sizeof(text), err) < 0)
		return err->code == ENOENT
			   ? fail_as(err, ERR_NO_IMAGE, "no image '%.12s'", digest)
			   : -1;
	str_format(image->digest, sizeof(image->digest), "%s", digest);
	image->size = strtoull(info_value(text, "size"), NULL, 10);
	image->files = strtoull(info_value(text, "files"), NULL, 10);
	image->created = strtoll(info_value(text, "created"), NULL, 10);
	source = info_value(text, "source");
	snprintf(image->source, sizeof(image->source), "%.*s", (int)strcspn(source, "\n"),
		 source);
	return 0;
}

int name_read(int store, const char *name, char digest[65], struct err *err)
{
	static const char to[] = "../sha256/";
	char path[160], target[160];
	ssize_t len;

	str_format(path, sizeof(path), "names/%s", name);
	len = readlinkat(store, path, target, sizeof(target) - 1);
	if (len < 0 && errno != ENOENT && errno != EINVAL)
		return fail(err, errno, "cannot read the image name '%s'", name);
	target[len > 0 ? len : 0] = 0;
	if (len < 0 || strncmp(target, to, strlen(to)) != 0 ||
	    !digest_is_valid(target + strlen(to)))
		return fail_as(err, ERR_NO_IMAGE, "no image named '%s'", name);
	memcpy(digest, target + strlen(to), 65);
	return 0;
}

struct name_search {
	int store;
	const char *digest, *but;
	char *name;
};

static int name_match(int dir, const char *name, void *arg, struct err *err)
{
	const struct name_search *search = arg;
	char digest[65];

	(void)dir;
	if (!image_name_is_valid(name) || (search->but && strcmp(name, search->but) == 0))
		return 0;
	/* one that cannot be read may be that of a tree which is about to be removed */
	if (name_read(search->store, name, digest, err) < 0)
		return err->kind == ERR_NO_IMAGE ? 0 : -1;
	if (strcmp(digest, search->digest) == 0)
		str_format(search->name, 128, "%s", name);
	return 0;
}

int digest_name(int store, const char *digest, const char *but, char *name, struct err *err)
{
	struct name_search search = {
		.store = store, .digest = digest, .but = but, .name = name
	};
	own_fd names = dir_open(store, "names", err);

	*name = 0;
	return names < 0 ? -1 : dir_each(names, name_match, &search, err);
}

int tree_look(int store, const char *digest, struct err *err)
{
	char path[96];

	str_format(path, sizeof(path), "sha256/%s", digest);
	return name_look(store, path, err);
}

void name_forget(int store, const char *name)
{
	char path[160];

	str_format(path, sizeof(path), "names/.%s", name);
	(void)unlinkat(store, path, 0);
}

/*
 * A link is made whole under another name and then takes the place of the old one.  The first
 * half is on the disk before the tree is in the store, the second comes behind that: whatever
 * is cut off, the sweep can tell what is missing.
 */
static int name_begin(int store, const char *name, const char *digest, struct err *err)
{
	char target[96], temporary[160];
	own_fd names = dir_open(store, "names", err);

	if (names < 0)
		return -1;
	name_forget(store, name);
	str_format(target, sizeof(target), "../sha256/%s", digest);
	str_format(temporary, sizeof(temporary), ".%s", name);
	if (symlinkat(target, names, temporary) < 0 || fsync(names) < 0)
		return fail(err, errno, "cannot set the image name '%s'", name);
	return 0;
}

int name_end(int store, const char *name, struct err *err)
{
	char temporary[160];
	own_fd names = dir_open(store, "names", err);

	if (names < 0)
		return -1;
	str_format(temporary, sizeof(temporary), ".%s", name);
	if (renameat(names, temporary, names, name) < 0 || fsync(names) < 0)
		return fail(err, errno, "cannot set the image name '%s'", name);
	return 0;
}

/* The tree and its info are on the disk before its name in sha256/ is. */
static int tree_move(struct staging *staging, const struct image *image, struct err *err)
{
	char from[64], to[96];

	str_format(from, sizeof(from), "staging/%s", staging->name);
	str_format(to, sizeof(to), "sha256/%s", image->digest);
	if (renameat2(staging->store, from, staging->store, to, RENAME_NOREPLACE) < 0)
		return fail(err, errno, "cannot keep the image");
	*staging->name = 0;
	if (dir_sync(staging->store, "sha256", err) < 0)
		return -1;
	return dir_sync(staging->store, "staging", err);
}

int staging_keep(struct staging *staging, struct image *image, struct err *err)
{
	struct image old = *image;

	image->created = time(NULL);
	if (info_write(staging->dir, image, err) < 0)
		return -1;
	if (syncfs(staging->dir) < 0)
		return fail(err, errno, "cannot sync the image");

	own_fd lock = store_lock(staging->store, err);
	if (lock < 0)
		return -1;
	bool known = info_read(staging->store, image->digest, &old, err) == 0;
	if (!known && err->kind != ERR_NO_IMAGE)
		return -1;
	if (name_begin(staging->store, image->name, image->digest, err) < 0 ||
	    (!known && tree_move(staging, image, err) < 0)) {
		/* unless its tree is in the store: then the sweep ends what is begun here */
		if (*staging->name)
			name_forget(staging->store, image->name);
		return -1;
	}
	if (known)
		*image = old;
	return name_end(staging->store, image->name, err);
}

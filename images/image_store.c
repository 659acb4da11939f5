/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "own.h"
#include "store.h"
#include "str.h"

enum {
	PREFIX_MIN = 12,
};

bool image_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 127 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-:") != len)
		return false;

	/* both halves begin with a letter or digit, so that none is a hidden or upper name */
	const char *tag = strchr(name, ':');
	if (strchr("._-:", *name) || (tag && (!tag[1] || strchr("._-:", tag[1]))))
		return false;
	return !tag || !strchr(tag + 1, ':');
}

struct prefix_search {
	const char *prefix;
	char digest[65];
	unsigned count;
};

static int prefix_match(int dir, const char *name, void *arg, struct err *err)
{
	struct prefix_search *search = arg;

	(void)dir;
	(void)err;
	if (!digest_is_valid(name) ||
	    strncmp(name, search->prefix, strlen(search->prefix)) != 0)
		return 0;
	memcpy(search->digest, name, sizeof(search->digest));
	search->count++;
	return 0;
}

static int digest_find(int store, const char *prefix, char digest[65], struct err *err)
{
	struct prefix_search search = { .prefix = prefix };
	size_t len = strlen(prefix);

	if (len < PREFIX_MIN || len > 64 || strspn(prefix, "0123456789abcdef") != len)
		return fail_as(err, ERR_NO_IMAGE, "no image named '%s'", prefix);

	own_fd trees = dir_open(store, "sha256", err);
	if (trees < 0)
		return err->code == ENOENT
			   ? fail_as(err, ERR_NO_IMAGE, "no image named '%s'", prefix)
			   : -1;
	if (dir_each(trees, prefix_match, &search, err) < 0)
		return -1;
	if (search.count != 1)
		return fail_as(err, ERR_NO_IMAGE, "%s image begins with '%s'",
			       search.count ? "more than one" : "no", prefix);
	memcpy(digest, search.digest, sizeof(search.digest));
	return 0;
}

static int named_find(int store, const char *name, struct image *image, struct err *err)
{
	struct image found = { .size = 0 };
	char digest[65];

	if (name_read(store, name, digest, err) < 0 ||
	    info_read(store, digest, &found, err) < 0)
		return -1;
	str_format(found.name, sizeof(found.name), "%s", name);
	*image = found;
	return 0;
}

/* A tree that has lost its name goes by the first digits of its digest. */
static int tree_find(int store, const char *digest, struct image *image, struct err *err)
{
	struct image found = { .size = 0 };

	if (info_read(store, digest, &found, err) < 0 ||
	    digest_name(store, digest, NULL, found.name, err) < 0)
		return -1;
	if (!*found.name)
		str_format(found.name, sizeof(found.name), "%.*s", PREFIX_MIN, digest);
	*image = found;
	return 0;
}

int image_find(int store, const char *name, struct image *image, struct err *err)
{
	char digest[65];

	if (!image_name_is_valid(name)) {
		char shown[200];

		str_escape(name, shown, sizeof(shown));
		return fail_as(err, ERR_NO_IMAGE, "no image named '%s'", shown);
	}
	if (named_find(store, name, image, err) == 0)
		return 0;
	if (err->kind != ERR_NO_IMAGE || digest_find(store, name, digest, err) < 0)
		return -1;
	return tree_find(store, digest, image, err);
}

int image_open(int store, const char *digest, struct err *err)
{
	char path[128];
	int fd;

	if (!digest_is_valid(digest))
		return fail_as(err, ERR_NO_IMAGE, "no image with that digest");
	str_format(path, sizeof(path), "sha256/%s/root", digest);
	fd = openat(store, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT
			   ? fail_as(err, ERR_NO_IMAGE, "no image '%.12s'", digest)
			   : fail(err, errno, "cannot open the image '%.12s'", digest);
	return fd;
}

struct walk {
	int store;
	int (*each)(const struct image *image, void *arg, struct err *err);
	void *arg;
	char (*digests)[65]; /* of the names met */
	size_t count;
};

static int name_visit(int dir, const char *name, void *arg, struct err *err)
{
	struct walk *walk = arg;
	struct image image;

	(void)dir;
	if (!image_name_is_valid(name))
		return 0;
	/* removed meanwhile */
	if (named_find(walk->store, name, &image, err) < 0)
		return err->kind == ERR_NO_IMAGE ? 0 : -1;
	walk->digests = xrealloc(walk->digests, (walk->count + 1) * sizeof(*walk->digests));
	memcpy(walk->digests[walk->count++], image.digest, sizeof(image.digest));
	return walk->each(&image, walk->arg, err);
}

static int by_digest(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int tree_visit(int dir, const char *name, void *arg, struct err *err)
{
	struct walk *walk = arg;
	struct image image = { .size = 0 };

	(void)dir;
	if (!digest_is_valid(name) ||
	    (walk->count &&
	     bsearch(name, walk->digests, walk->count, sizeof(*walk->digests), by_digest)))
		return 0;
	if (info_read(walk->store, name, &image, err) < 0)
		return err->kind == ERR_NO_IMAGE ? 0 : -1;
	str_format(image.name, sizeof(image.name), "%.*s", PREFIX_MIN, name);
	return walk->each(&image, walk->arg, err);
}

static int walk_dir(struct walk *walk, const char *name,
		    int (*visit)(int, const char *, void *, struct err *), struct err *err)
{
	own_fd dir = dir_open(walk->store, name, err);

	/* a store that never had an image */
	if (dir < 0)
		return err->code == ENOENT ? 0 : -1;
	return dir_each(dir, visit, walk, err);
}

int image_each(int store, int (*each)(const struct image *image, void *arg, struct err *err),
	       void *arg, struct err *err)
{
	struct walk walk = { .store = store, .each = each, .arg = arg };
	int result = walk_dir(&walk, "names", name_visit, err);

	if (walk.count)
		qsort(walk.digests, walk.count, sizeof(*walk.digests), by_digest);
	if (result == 0)
		result = walk_dir(&walk, "sha256", tree_visit, err);
	free(walk.digests);
	return result;
}

static int name_drop(int store, const char *name, struct err *err)
{
	own_fd names = dir_open(store, "names", err);

	if (names < 0)
		return -1;
	if (unlinkat(names, name, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot remove the image name '%s'", name);
	/* nor does one that was cut off get it later */
	name_forget(store, name);
	return fsync(names) < 0 ? fail(err, errno, "cannot sync the image names") : 0;
}

/* Out of sha256/ at once; what then takes long may be killed, and the sweep ends it.  It needs
 * no new directory: on a storage that is full this is how there is room again. */
static int tree_unkeep(int store, const char *digest, struct staging *staging, struct err *err)
{
	char from[96];
	struct err lacking;

	/* a storage that was copied may lack it */
	own_fd parent = dir_make(store, "staging", 0700, &lacking);
	str_format(from, sizeof(from), "sha256/%s", digest);
	if (staging_take(staging, store, from, err) < 0) {
		if (err->code == ENOENT)
			return 0;
		if (parent < 0)
			*err = lacking;
		return fail_in(err, "cannot remove the image '%.12s'", digest);
	}
	return dir_sync(store, "sha256", err);
}

static int image_drop(int store, const char *name, const char *wanted, struct staging *staging,
		      struct err *err)
{
	char digest[65], other[128];
	bool named;
	own_fd lock = store_lock(store, err);

	if (lock < 0)
		return -1;
	named = image_name_is_valid(name) && name_read(store, name, digest, err) == 0;
	if (!named && digest_find(store, name, digest, err) < 0)
		return -1;
	if (strcmp(digest, wanted) != 0)
		return fail_as(err, ERR_LOCKED, "image '%s' is just being replaced", name);
	if (digest_name(store, digest, named ? name : NULL, other, err) < 0)
		return -1;
	if (*other && !named)
		return fail_as(err, ERR_VALUE, "the image '%s' still has the name '%s'", name,
			       other);
	/* the tree first: a name without one is seen to be left, a tree without one may be
	 * meant */
	bool unkept = *other || tree_unkeep(store, digest, staging, err) == 0;
	if (!unkept && (err->kind != ERR_NO_SPACE || !named || staging->dir >= 0))
		return -1;
	if (named && name_drop(store, name, err) < 0)
		return -1;
	/* on a storage that is full its name has made room for the directory that it takes */
	return unkept ? 0 : tree_unkeep(store, digest, staging, err);
}

int image_remove(int store, const char *name, const char *digest, int *guard, struct err *err)
{
	struct staging staging = { .store = store, .dir = -1 };
	int result = image_drop(store, name, digest, &staging, err);

	if (guard)
		close(take_fd(guard));
	if (result < 0) {
		staging_free(&staging);
		return -1;
	}
	if (staging_remove(&staging, err) < 0)
		return fail_in(err,
			       "image '%s' is removed, but not all of its files ('nodectl "
			       "repair' removes them)",
			       name);
	return 0;
}

struct sweep {
	int store;
	bool dry;
	int count;
	struct failures failures;
	void (*found)(const char *what, void *arg);
	void *arg;
};

/* Nobody's, and nobody else's while @fd is open. */
static bool is_abandoned(int fd)
{
	return fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int staging_visit(int dir, const char *name, void *arg, struct err *err)
{
	struct sweep *sweep = arg;
	char what[64];
	own_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !is_abandoned(fd))
		return 0;

	/* an importer may outlive the one who started it, by a moment */
	own_fd root = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!is_abandoned(root) && errno != ENOTDIR)
		return 0;

	if (sweep->found) {
		str_format(what, sizeof(what), "unfinished image '%.40s'", name);
		sweep->found(what, sweep->arg);
	}
	sweep->count++;
	/* one that cannot be removed must not keep the others */
	if (!sweep->dry)
		failures_note(&sweep->failures, tree_remove(dir, name, err), err);
	return 0;
}

/*
 * A link that was to become a name does so if its tree is there, for that came between; and
 * a name without a tree was about to be removed.  Whoever is at it has the store's lock.
 */
static int link_visit(int dir, const char *name, void *arg, struct err *err)
{
	struct sweep *sweep = arg;
	bool begun = name[0] == '.';
	char digest[65], what[192];
	struct stat stat;
	int there = 0;

	/* what somebody has put there is his */
	if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(stat.st_mode))
		return 0;
	if (name_read(sweep->store, name, digest, err) == 0)
		there = tree_look(sweep->store, digest, err);
	else if (err->kind != ERR_NO_IMAGE)
		there = -1;
	else if (!begun)
		return 0;
	failures_note(&sweep->failures, there, err);
	if (there < 0 || (there && !begun))
		return 0;
	if (sweep->found) {
		str_format(what, sizeof(what), "%s '%.100s'%s",
			   begun ? "unfinished image name" : "image name", name + begun,
			   begun ? "" : ": its image is gone");
		sweep->found(what, sweep->arg);
	}
	sweep->count++;
	if (sweep->dry)
		return 0;
	if (there)
		failures_note(&sweep->failures, name_end(sweep->store, name + 1, err), err);
	else if (unlinkat(dir, name, 0) < 0)
		failures_note(&sweep->failures, fail(err, errno, "cannot remove '%s'", name),
			      err);
	return 0;
}

static int names_sweep(int store, struct sweep *sweep, struct err *err)
{
	own_fd names = dir_open(store, "names", err);
	own_fd trees = names < 0 ? -1 : dir_open(store, "sha256", err);

	if (trees < 0)
		return err->code == ENOENT ? 0 : -1;
	own_fd lock = store_lock(store, err);
	return lock < 0 ? -1 : dir_each(names, link_visit, sweep, err);
}

int image_sweep(int store, bool dry, void (*found)(const char *what, void *arg), void *arg,
		struct err *err)
{
	struct sweep sweep = { .store = store, .dry = dry, .found = found, .arg = arg };
	own_fd dir = dir_open(store, "staging", err);

	if (dir < 0)
		return err->code == ENOENT ? 0 : -1;
	if (dir_each(dir, staging_visit, &sweep, err) < 0)
		return -1;
	/* a name that comes or goes is told of */
	if (found && names_sweep(store, &sweep, err) < 0)
		return -1;
	return failures_tell(&sweep.failures, err) < 0 ? -1 : sweep.count;
}

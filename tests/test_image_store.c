/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../images/store.h"
#include "../images/tar.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "libexec.h"
#include "own.h"
#include "str.h"

static char store_path[64];
static int store = -1;

static void store_make(void)
{
	char importer[4096];
	struct err err;

	strcpy(store_path, "/tmp/nodectl-test-XXXXXX");
	cr_assert_not_null(mkdtemp(store_path));
	store = dir_open(AT_FDCWD, store_path, &err);
	if (geteuid() != 0)
		cr_skip_test("only root may give files away");
	if (libexec_path("nodectl-import", importer, sizeof(importer), &err) < 0)
		cr_skip_test("%s", err.msg);
}

static int name_count(int dir, const char *name, void *arg, struct err *err)
{
	(void)dir;
	(void)name;
	(void)err;
	++*(int *)arg;
	return 0;
}

static int names_in(const char *name)
{
	struct err err;
	own_fd dir = dir_open(store, name, &err);
	int count = 0;

	cr_assert_eq(dir_each(dir, name_count, &count, &err), 0);
	return count;
}

static void store_remove(void)
{
	struct err err;

	(void)tree_remove(AT_FDCWD, store_path, &err);
}

TestSuite(image_store, .init = store_make, .fini = store_remove);

/* A system whose /etc/motd is @motd; none without it. */
static int import(const char *name, const char *motd, struct image *image, struct err *err)
{
	own_fd fd = memfd_create("tar", MFD_CLOEXEC);
	own_file out = fdopen(dup(fd), "w");

	if (motd) {
		tar_file(out, "sbin/init", 0755, "x", 1);
		tar_file(out, "etc/motd", 0644, motd, strlen(motd));
	}
	tar_end(out);
	fflush(out);
	lseek(fd, 0, SEEK_SET);
	return image_import(store, name, fd, 0, "test", NULL, image, err);
}

Test(image_name, says_what_may_be_a_name)
{
	static const char *const good[] = { "mini", "debian-12", "debian-12:2026.1",
					    "a",    "1.0",	 "0123456789ab" };
	static const char *const bad[] = { "",	"..",  ".a", "a/b",    "A",	"-a",
					   ":", "a:",  ":a", "a:b:c",  "a:.b",	"a b",
					   "_", "a\n", "é",  "a:../b", "a:-tag" };
	char longest[129];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_assert(image_name_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_not(image_name_is_valid(bad[i]), "%s", bad[i]);
	memset(longest, 'a', 128);
	longest[128] = 0;
	cr_assert_not(image_name_is_valid(longest));
	cr_assert(image_name_is_valid(longest + 1));
}

Test(image_store, an_import_is_found_by_name_and_by_digest)
{
	struct image image, found;
	char prefix[13];
	struct err err;

	cr_assert_eq(import("web:1", "hello", &image, &err), 0, "%s", err.msg);
	cr_assert_eq(image.size, 6);
	cr_assert_eq(image_find(store, "web:1", &found, &err), 0, "%s", err.msg);
	cr_assert_str_eq(found.digest, image.digest);
	cr_assert_str_eq(found.source, "test");
	cr_assert_eq(found.size, 6);

	str_format(prefix, sizeof(prefix), "%.12s", image.digest);
	cr_assert_eq(image_find(store, prefix, &found, &err), 0, "%s", err.msg);
	cr_assert_str_eq(found.name, "web:1");
	prefix[11] = 0;
	cr_assert_eq(image_find(store, prefix, &found, &err), -1);
	cr_assert_eq(err.kind, ERR_NO_IMAGE);

	own_fd root = image_open(store, image.digest, &err);
	cr_assert_geq(root, 0, "%s", err.msg);
	cr_assert_eq(faccessat(root, "etc/motd", F_OK, 0), 0);
	cr_assert_eq(names_in("staging"), 0);
}

Test(image_store, names_that_are_paths_find_nothing)
{
	static const char *const names[] = { "../../etc", "/etc", "", ".", "nothing" };
	struct image image;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert_eq(image_find(store, names[i], &image, &err), -1);
		cr_assert_eq(err.kind, ERR_NO_IMAGE, "%s: %s", names[i], err.msg);
	}
	cr_assert_eq(image_open(store, "../../../etc", &err), -1);
	cr_assert_eq(err.kind, ERR_NO_IMAGE);
}

Test(image_store, the_same_tree_is_kept_once)
{
	struct image one, two;
	struct err err;

	cr_assert_eq(import("one", "same", &one, &err), 0, "%s", err.msg);
	cr_assert_eq(import("two", "same", &two, &err), 0, "%s", err.msg);
	cr_assert_str_eq(one.digest, two.digest);
	cr_assert_eq(names_in("sha256"), 1);
	cr_assert_eq(names_in("staging"), 0);

	cr_assert_eq(image_remove(store, "one", one.digest, NULL, &err), 0, "%s", err.msg);
	cr_assert_eq(names_in("sha256"), 1);
	cr_assert_eq(image_remove(store, "two", one.digest, NULL, &err), 0, "%s", err.msg);
	cr_assert_eq(names_in("sha256"), 0);
	cr_assert_eq(names_in("staging"), 0);
	cr_assert_eq(image_remove(store, "two", one.digest, NULL, &err), -1);
	cr_assert_eq(err.kind, ERR_NO_IMAGE);
}

/* Who has looked whether a VPS uses it has looked at the former. */
Test(image_store, a_name_that_has_moved_is_not_removed)
{
	struct image old, new;
	struct err err;
	int guard = dup(store);

	cr_assert_eq(import("web", "old", &old, &err), 0, "%s", err.msg);
	cr_assert_eq(import("web", "new", &new, &err), 0, "%s", err.msg);
	cr_assert_eq(image_remove(store, "web", old.digest, &guard, &err), -1);
	cr_expect_eq(err.kind, ERR_LOCKED, "%s", err.msg);
	cr_expect_eq(guard, -1);
	cr_expect_eq(image_find(store, "web", &new, &err), 0, "%s", err.msg);
}

static int image_note(const struct image *image, void *arg, struct err *err)
{
	(void)err;
	strcat(arg, image->name);
	strcat(arg, " ");
	return 0;
}

Test(image_store, a_name_moves_and_the_old_tree_goes_by_its_digest)
{
	struct image old, new;
	char listed[400] = "", wanted[64];
	struct err err;

	cr_assert_eq(import("web", "old", &old, &err), 0, "%s", err.msg);
	cr_assert_eq(import("web", "new", &new, &err), 0, "%s", err.msg);
	cr_assert_str_neq(old.digest, new.digest);
	str_format(wanted, sizeof(wanted), "web %.12s ", old.digest);
	cr_assert_eq(image_each(store, image_note, listed, &err), 0, "%s", err.msg);
	cr_assert_str_eq(listed, wanted);

	wanted[16] = 0;
	cr_assert_eq(image_remove(store, wanted + 4, old.digest, NULL, &err), 0, "%s", err.msg);
	cr_assert_eq(names_in("sha256"), 1);
	str_format(wanted, sizeof(wanted), "%.12s", new.digest);
	cr_assert_eq(image_remove(store, wanted, new.digest, NULL, &err), -1);
	cr_assert_eq(err.kind, ERR_VALUE, "%s", err.msg);
}

Test(image_store, what_is_refused_leaves_nothing)
{
	struct image image;
	struct err err;

	cr_assert_eq(import("empty", NULL, &image, &err), -1);
	cr_assert_eq(err.kind, ERR_NOT_SYSTEM, "%s", err.msg);
	cr_assert_eq(names_in("staging"), 0);
	cr_assert_eq(names_in("sha256"), 0);
	cr_assert_eq(names_in("names"), 0);
}

static void found_count(const char *what, void *arg)
{
	(void)what;
	++*(int *)arg;
}

Test(image_store, a_sweep_takes_only_what_nobody_holds)
{
	struct staging alive, dead;
	int found = 0;
	struct err err;

	cr_assert_eq(staging_make(&alive, store, &err), 0);
	cr_assert_eq(staging_make(&dead, store, &err), 0);
	cr_assert_eq(mkdirat(dead.dir, "root", 0755), 0);
	own_fd root = dir_open(dead.dir, "root", &err);
	cr_assert_eq(flock(root, LOCK_SH), 0);
	close(dead.dir);

	/* its importer is still there */
	cr_assert_eq(image_sweep(store, true, found_count, &found, &err), 0, "%s", err.msg);
	close(take_fd(&root));
	cr_assert_eq(image_sweep(store, true, found_count, &found, &err), 1);
	cr_assert_eq(names_in("staging"), 2);
	cr_assert_eq(image_sweep(store, false, found_count, &found, &err), 1);
	cr_assert_eq(found, 2);
	cr_assert_eq(names_in("staging"), 1);
	staging_free(&alive);
	cr_assert_eq(names_in("staging"), 0);
}

/* Killed between the tree and its name, an import is finished; before the tree, it never was.
 */
Test(image_store, a_sweep_finishes_a_name_whose_tree_is_there)
{
	struct image image, old;
	int found = 0;
	struct err err;

	cr_assert_eq(import("web", "old", &old, &err), 0, "%s", err.msg);
	cr_assert_eq(import("web", "new", &image, &err), 0, "%s", err.msg);
	own_fd names = dir_open(store, "names", &err);
	own_str kept = xasprintf("../sha256/%s", old.digest);
	own_str never = xasprintf("../sha256/%.63sf", old.digest);
	cr_assert_eq(symlinkat(kept, names, ".web"), 0);
	cr_assert_eq(symlinkat(never, names, ".mail"), 0);

	cr_expect_eq(image_sweep(store, true, found_count, &found, &err), 2, "%s", err.msg);
	cr_expect_eq(names_in("names"), 3);
	cr_expect_eq(image_sweep(store, false, found_count, &found, &err), 2, "%s", err.msg);
	cr_expect_eq(names_in("names"), 1);
	cr_expect_eq(image_find(store, "web", &image, &err), 0, "%s", err.msg);
	cr_expect_str_eq(image.digest, old.digest);
	cr_expect_eq(image_sweep(store, false, found_count, &found, &err), 0);
}

/* Killed between the tree and its name, a removal is finished. */
Test(image_store, a_sweep_removes_a_name_without_a_tree)
{
	struct image image;
	int found = 0;
	struct err err;

	cr_assert_eq(import("web", "some", &image, &err), 0, "%s", err.msg);
	own_fd trees = dir_open(store, "sha256", &err);
	cr_assert_eq(tree_remove(trees, image.digest, &err), 0, "%s", err.msg);
	cr_expect_eq(image_sweep(store, true, found_count, &found, &err), 1, "%s", err.msg);
	cr_expect_eq(image_sweep(store, false, found_count, &found, &err), 1, "%s", err.msg);
	cr_expect_eq(names_in("names"), 0);
	cr_expect_eq(found, 2);
}

/* It may be a second name of the same tree. */
Test(image_store, a_name_that_cannot_be_read_keeps_every_tree)
{
	struct image image;
	char name[128];
	struct err err;

	cr_assert_eq(import("web", "some", &image, &err), 0, "%s", err.msg);
	cr_assert_eq(fchmod(store, 0755), 0);
	cr_assert_eq(fchmodat(store, "names", 0744, 0), 0);
	/* who may list it, and look at nothing in it */
	cr_assert_eq(seteuid(65534), 0);
	int result = digest_name(store, image.digest, "other", name, &err);
	cr_assert_eq(seteuid(0), 0);
	cr_expect_eq(result, -1);
	cr_expect_eq(err.code, EACCES, "%s", err.msg);
}

/* What somebody has put there names no tree, and keeps none. */
Test(image_store, what_is_no_link_is_no_name)
{
	struct image image;
	int found = 0;
	struct err err;

	cr_assert_eq(import("web", "some", &image, &err), 0, "%s", err.msg);
	own_fd mail = openat(store, "names/mail", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	own_fd old = openat(store, "names/.old", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(mail >= 0 && old >= 0);
	cr_expect_eq(image_sweep(store, false, found_count, &found, &err), 0, "%s", err.msg);
	cr_expect_eq(names_in("names"), 3);
	cr_expect_eq(image_remove(store, "web", image.digest, NULL, &err), 0, "%s", err.msg);
	cr_expect_eq(names_in("sha256"), 0);
}

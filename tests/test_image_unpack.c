/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../images/import/manifest.h"
#include "../images/import/tree.h"
#include "../images/import/unpack.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* "outer" holds the root to unpack into and a canary that nothing may change. */
static char outer_path[64];
static int outer = -1, root = -1;

static void outer_make(void)
{
	struct err err;

	strcpy(outer_path, "/tmp/nodectl-test-XXXXXX");
	cr_assert_not_null(mkdtemp(outer_path));
	outer = dir_open(AT_FDCWD, outer_path, &err);
	root = dir_make(outer, "root", 0755, &err);
	cr_assert_eq(file_replace_volatile(outer, "canary", "alive", 5, 0600, &err), 0);
	if (geteuid() != 0)
		cr_skip_test("only root may give files away");
}

static int name_count(int dir, const char *name, void *arg, struct err *err)
{
	(void)dir;
	(void)name;
	(void)err;
	++*(int *)arg;
	return 0;
}

static void outer_remove(void)
{
	struct err err;

	(void)tree_remove(AT_FDCWD, outer_path, &err);
}

/* Whatever was unpacked, nothing but "root" and the canary may be there. */
static void outer_check(void)
{
	char text[16];
	struct err err;
	int names = 0;

	cr_assert_eq(file_read(outer, "canary", text, sizeof(text), &err), 5);
	cr_assert_str_eq(text, "alive");
	cr_assert_eq(dir_each(outer, name_count, &names, &err), 0);
	cr_assert_eq(names, 2);
}

/* A test with that behind it: what fails in the end of a suite fails no test. */
#define UNPACK_TEST(name)                                                                      \
	static void name(void);                                                                \
	Test(image_unpack, name)                                                               \
	{                                                                                      \
		name();                                                                        \
		outer_check();                                                                 \
	}                                                                                      \
	static void name(void)

TestSuite(image_unpack, .init = outer_make, .fini = outer_remove);

static struct archive *tar_new(int fd, int filter)
{
	struct archive *tar = archive_write_new();

	archive_write_set_format_pax(tar);
	archive_write_add_filter(tar, filter);
	cr_assert_eq(archive_write_open_fd(tar, fd), ARCHIVE_OK);
	return tar;
}

struct item {
	const char *path;
	mode_t type;
	mode_t mode;
	const char *data; /* content, or where a link leads */
	const char *hardlink;
	la_int64_t uid;
	const char *xattr;
	const char *value;
};

static void tar_add(struct archive *tar, const struct item *item)
{
	struct archive_entry *entry = archive_entry_new();
	size_t len = item->type == AE_IFREG && item->data ? strlen(item->data) : 0;

	archive_entry_set_pathname(entry, item->path);
	archive_entry_set_filetype(entry, item->type);
	archive_entry_set_perm(entry, item->mode);
	archive_entry_set_uid(entry, item->uid);
	archive_entry_set_mtime(entry, 1000000000, 0);
	archive_entry_set_size(entry, (la_int64_t)len);
	if (item->hardlink)
		archive_entry_set_hardlink(entry, item->hardlink);
	if (item->type == AE_IFLNK)
		archive_entry_set_symlink(entry, item->data);
	if (item->type == AE_IFCHR || item->type == AE_IFBLK)
		archive_entry_set_rdev(entry, 0x103);
	if (item->xattr)
		archive_entry_xattr_add_entry(entry, item->xattr, item->value,
					      strlen(item->value));
	cr_assert_geq(archive_write_header(tar, entry), ARCHIVE_WARN, "%s: %s", item->path,
		      archive_error_string(tar));
	if (len)
		cr_assert_eq(archive_write_data(tar, item->data, len), (la_ssize_t)len);
	archive_entry_free(entry);
}

static const struct item init_item = { "sbin/init", AE_IFREG, 0755, "#!/bin/sh\n",
				       NULL,	    0,	      NULL, NULL };

static int tar_make(const struct item *items, size_t count, int filter)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);
	struct archive *tar = tar_new(fd, filter);

	tar_add(tar, &init_item);
	for (size_t i = 0; i < count; i++)
		tar_add(tar, &items[i]);
	archive_write_free(tar);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int items_unpack(const struct item *items, size_t count, struct err *err)
{
	own_fd fd = tar_make(items, count, ARCHIVE_FILTER_NONE);

	return archive_unpack(fd, root, NULL, err);
}

static void must_refuse(const struct item *items, size_t count, const char *why)
{
	struct err err;

	cr_assert_eq(items_unpack(items, count, &err), -1, "'%s' was accepted", items[0].path);
	cr_assert_eq(err.kind, ERR_BAD_IMAGE, "%s", err.msg);
	cr_assert_not_null(strstr(err.msg, why), "%s", err.msg);
}

UNPACK_TEST(names_that_lead_out_or_need_repair_are_refused)
{
	static const struct {
		const char *path;
		const char *why;
	} names[] = {
		{ "../canary", "'..'" },
		{ "a/../../canary", "'..'" },
		{ "a/..", "'..'" },
		{ "./../canary", "'..'" },
		{ "/etc/canary", "absolute" },
		{ ".//etc", "empty component" },
		{ "a//b", "empty component" },
		{ "a/./b", "'.' component" },
		{ "etc/.wh.passwd", "whiteout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct item item = { .path = names[i].path, .type = AE_IFREG, .data = "x" };
		struct err err;

		must_refuse(&item, 1, names[i].why);
		(void)tree_remove(outer, "root", &err);
		close(root);
		root = dir_make(outer, "root", 0755, &err);
	}
}

UNPACK_TEST(a_path_through_a_symbolic_link_is_refused)
{
	static const struct item items[] = {
		{ .path = "out", .type = AE_IFLNK, .data = ".." },
		{ .path = "out/canary", .type = AE_IFREG, .data = "dead" },
	};

	must_refuse(items, 2, "symbolic link");
}

UNPACK_TEST(a_link_may_not_become_a_directory)
{
	static const struct item items[] = {
		{ .path = "out", .type = AE_IFLNK, .data = "/tmp" },
		{ .path = "out/", .type = AE_IFDIR, .mode = 0777 },
	};

	must_refuse(items, 2, "twice");
}

UNPACK_TEST(a_hard_link_leads_only_to_a_file_of_the_archive)
{
	static const struct item outside[] = {
		{ .path = "x", .type = AE_IFREG, .hardlink = "../canary" },
	};
	static const struct item absolute[] = {
		{ .path = "x", .type = AE_IFREG, .hardlink = "/etc/shadow" },
	};
	static const struct item link[] = {
		{ .path = "l", .type = AE_IFLNK, .data = "/etc/shadow" },
		{ .path = "x", .type = AE_IFREG, .hardlink = "l" },
	};
	static const struct item later[] = {
		{ .path = "x", .type = AE_IFREG, .hardlink = "later" },
	};
	static const struct item dir[] = {
		{ .path = "x", .type = AE_IFREG, .hardlink = "sbin" },
	};
	struct {
		const struct item *items;
		size_t count;
		const char *why;
	} cases[] = {
		{ outside, 1, "'..'" },	 { absolute, 1, "absolute" }, { link, 2, "no file" },
		{ later, 1, "no file" }, { dir, 1, "no file" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err;

		must_refuse(cases[i].items, cases[i].count, cases[i].why);
		(void)tree_remove(outer, "root", &err);
		close(root);
		root = dir_make(outer, "root", 0755, &err);
	}
}

UNPACK_TEST(device_nodes_are_refused)
{
	static const struct item item = { .path = "dev/null", .type = AE_IFCHR, .mode = 0666 };

	must_refuse(&item, 1, "device node");
}

UNPACK_TEST(owners_beyond_the_id_range_are_refused)
{
	static const struct item item = { .path = "x", .type = AE_IFREG, .uid = 65536 };

	must_refuse(&item, 1, "0..65535");
}

UNPACK_TEST(attributes_that_give_orders_are_refused)
{
	static const char *const names[] = { "trusted.overlay.redirect", "user.overlay.opaque",
					     "security.selinux", "security.ima",
					     "security.capability" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct item item = {
			.path = "x", .type = AE_IFREG, .xattr = names[i], .value = "/../.."
		};
		struct err err;

		must_refuse(&item, 1, i == 4 ? "capabilities" : names[i]);
		(void)tree_remove(outer, "root", &err);
		close(root);
		root = dir_make(outer, "root", 0755, &err);
	}
}

UNPACK_TEST(a_file_named_twice_is_refused_and_a_directory_is_not)
{
	static const struct item twice[] = {
		{ .path = "d", .type = AE_IFDIR, .mode = 0700 },
		{ .path = "d", .type = AE_IFDIR, .mode = 0750 },
		{ .path = "d/f", .type = AE_IFREG, .data = "1" },
		{ .path = "d/f", .type = AE_IFREG, .data = "2" },
	};
	struct stat stat;

	must_refuse(twice, 4, "twice");
	cr_assert_eq(fstatat(root, "d", &stat, 0), 0);
	cr_assert_eq(stat.st_mode & 07777, 0750);
}

UNPACK_TEST(paths_too_deep_are_refused)
{
	char path[700] = "";
	struct item item = { .path = path, .type = AE_IFREG };

	for (unsigned i = 0; i < 300; i++)
		strcat(path, i ? "/d" : "d");
	must_refuse(&item, 1, "deep");
}

UNPACK_TEST(what_is_allowed_arrives_as_it_was)
{
	static const struct item items[] = {
		{ .path = ".", .type = AE_IFDIR, .mode = 0711 },
		{ .path = "./bin/su", .type = AE_IFREG, .mode = 04755, .data = "x" },
		{ .path = "bin/su2", .type = AE_IFREG, .hardlink = "./bin/su" },
		{ .path = "pipe", .type = AE_IFIFO, .mode = 0622, .uid = 65535 },
		{ .path = "F\xc5\x91 o\xcc\x88",
		  .type = AE_IFREG,
		  .mode = 0444,
		  .uid = 7,
		  .xattr = "user.note",
		  .value = "hello" },
		{ .path = "abs", .type = AE_IFLNK, .data = "/etc/passwd", .uid = 9 },
	};
	struct stat su, stat;
	struct err err;
	char value[16];

	cr_assert_eq(items_unpack(items, ARRAY_SIZE(items), &err), 0, "%s", err.msg);
	cr_assert_eq(fstat(root, &stat), 0);
	cr_assert_eq(stat.st_mode & 07777, 0711);
	cr_assert_eq(stat.st_mtime, 1000000000);
	cr_assert_eq(fstatat(root, "bin/su", &su, 0), 0);
	cr_assert_eq(su.st_mode & 07777, 04755);
	cr_assert_eq(su.st_mtime, 1000000000);
	cr_assert_eq(fstatat(root, "bin/su2", &stat, 0), 0);
	cr_assert_eq(stat.st_ino, su.st_ino);
	cr_assert_eq(fstatat(root, "pipe", &stat, 0), 0);
	cr_assert(S_ISFIFO(stat.st_mode));
	cr_assert_eq(stat.st_mode & 07777, 0622);
	cr_assert_eq(stat.st_uid, 65535);
	cr_assert_eq(fstatat(root, "abs", &stat, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(stat.st_uid, 9);

	own_fd fd = openat(root, "F\xc5\x91 o\xcc\x88", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fgetxattr(fd, "user.note", value, sizeof(value)), 5);
}

UNPACK_TEST(holes_stay_holes_and_data_stays_in_place)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);
	struct archive *tar = tar_new(fd, ARCHIVE_FILTER_NONE);
	struct archive_entry *entry = archive_entry_new();
	static char zeros[1 << 20];
	struct stat stat;
	struct err err;
	char text[5] = "";

	archive_entry_set_pathname(entry, "sparse");
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, 16 << 20);
	archive_entry_sparse_add_entry(entry, 8 << 20, 4096);
	cr_assert_eq(archive_write_header(tar, entry), ARCHIVE_OK);
	for (unsigned i = 0; i < 16; i++) {
		memcpy(zeros, i == 8 ? "data" : "\0\0\0\0", 4);
		archive_write_data(tar, zeros, sizeof(zeros));
	}
	archive_entry_free(entry);
	archive_write_free(tar);
	lseek(fd, 0, SEEK_SET);

	cr_assert_eq(archive_unpack(fd, root, NULL, &err), 0, "%s", err.msg);
	own_fd file = openat(root, "sparse", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fstat(file, &stat), 0);
	cr_assert_eq(stat.st_size, 16 << 20);
	cr_assert_lt(stat.st_blocks, 100);
	cr_assert_eq(pread(file, text, 4, 8 << 20), 4);
	cr_assert_str_eq(text, "data");
	close(fd);
}

/* The archive's first @len bytes. */
static int cut_unpack(int fd, off_t len, struct err *err)
{
	own_fd part = memfd_create("part", MFD_CLOEXEC);
	own_str data = xmalloc((size_t)len + 1);
	struct err ignored;

	cr_assert_eq(pread(fd, data, (size_t)len, 0), len);
	cr_assert_eq(write_all(part, data, (size_t)len), 0);
	lseek(part, 0, SEEK_SET);
	(void)tree_remove(outer, "root", &ignored);
	close(root);
	root = dir_make(outer, "root", 0755, &ignored);
	return archive_unpack(part, root, NULL, err);
}

/* Of a plain archive: behind the first block of zeros, what follows says nothing. */
static off_t marker_end(int fd)
{
	char block[512], zeros[512] = { 0 };
	off_t at = 0;

	while (pread(fd, block, sizeof(block), at) == sizeof(block) &&
	       memcmp(block, zeros, sizeof(block)) != 0)
		at += (off_t)sizeof(block);
	return at + (off_t)sizeof(block);
}

UNPACK_TEST(an_archive_cut_off_anywhere_is_refused)
{
	static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP,
				       ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD };
	static const struct item items[] = {
		{ .path = "a", .type = AE_IFREG, .data = "one" },
		{ .path = "\xc3\xb6", .type = AE_IFREG, .data = "two", .uid = 5 },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		own_fd fd = tar_make(items, 2, filters[i]);
		off_t end = lseek(fd, 0, SEEK_END);

		cr_assert_eq(cut_unpack(fd, end, &err), 0, "%s", err.msg);
		if (filters[i] == ARCHIVE_FILTER_NONE)
			end = marker_end(fd);
		for (off_t len = 0; len < end; len += filters[i] ? 1 : 64) {
			cr_assert_eq(cut_unpack(fd, len, &err), -1, "filter %d, %ld of %ld",
				     filters[i], (long)len, (long)end);
			cr_assert_eq(err.kind, ERR_BAD_IMAGE, "%s", err.msg);
		}
	}
}

UNPACK_TEST(data_after_the_end_is_refused_and_padding_is_not)
{
	own_fd fd = tar_make(NULL, 0, ARCHIVE_FILTER_NONE);
	off_t end = lseek(fd, 0, SEEK_END);
	struct err err;

	cr_assert_eq(ftruncate(fd, end + 100000), 0);
	cr_assert_eq(cut_unpack(fd, end + 100000, &err), 0, "%s", err.msg);
	cr_assert_eq(pwrite(fd, "x", 1, end + 5000), 1);
	cr_assert_eq(cut_unpack(fd, end + 100000, &err), -1);
	cr_assert_eq(err.kind, ERR_BAD_IMAGE);
}

UNPACK_TEST(a_bomb_is_refused)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);
	struct archive *tar = tar_new(fd, ARCHIVE_FILTER_GZIP);
	struct archive_entry *entry = archive_entry_new();
	static const char zeros[1 << 20];
	struct err err;

	archive_entry_set_pathname(entry, "bomb");
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, 64 << 20);
	cr_assert_eq(archive_write_header(tar, entry), ARCHIVE_OK);
	for (unsigned i = 0; i < 64; i++)
		archive_write_data(tar, zeros, sizeof(zeros));
	archive_entry_free(entry);
	archive_write_free(tar);
	lseek(fd, 0, SEEK_SET);

	cr_assert_eq(archive_unpack(fd, root, NULL, &err), -1);
	cr_assert_eq(err.kind, ERR_BAD_IMAGE);
	cr_assert_not_null(strstr(err.msg, "200 times"), "%s", err.msg);
	close(fd);
}

UNPACK_TEST(an_archive_compressed_twice_is_refused)
{
	own_fd once = tar_make(NULL, 0, ARCHIVE_FILTER_GZIP);
	int fd = memfd_create("twice", MFD_CLOEXEC);
	struct archive *raw = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	char data[65536];
	ssize_t len = read(once, data, sizeof(data));
	struct err err;

	archive_write_set_format_raw(raw);
	archive_write_add_filter_gzip(raw);
	archive_write_open_fd(raw, fd);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(raw, entry);
	archive_write_data(raw, data, (size_t)len);
	archive_entry_free(entry);
	archive_write_free(raw);
	lseek(fd, 0, SEEK_SET);

	cr_assert_eq(archive_unpack(fd, root, NULL, &err), -1);
	cr_assert_eq(err.kind, ERR_BAD_IMAGE);
	cr_assert_not_null(strstr(err.msg, "more than once"), "%s", err.msg);
	close(fd);
}

UNPACK_TEST(a_tree_without_init_is_no_system)
{
	static const struct item items[] = {
		{ .path = "etc/hostname", .type = AE_IFREG, .data = "x" },
	};
	struct err err;

	cr_assert_eq(system_check(root, &err), -1);
	cr_assert_eq(err.kind, ERR_NOT_SYSTEM);
	cr_assert_eq(items_unpack(items, 1, &err), 0);
	cr_assert_eq(system_check(root, &err), 0, "%s", err.msg);
}

UNPACK_TEST(init_is_looked_for_inside_the_root)
{
	struct err err;

	/* outside there is a /bin/sh, inside there is none */
	cr_assert_eq(mkdirat(root, "sbin", 0755), 0);
	cr_assert_eq(symlinkat("/bin/sh", root, "sbin/init"), 0);
	cr_assert_eq(system_check(root, &err), -1);
	cr_assert_eq(err.kind, ERR_NOT_SYSTEM);
}

UNPACK_TEST(a_mount_point_that_is_a_link_is_refused)
{
	static const struct item item = { .path = "proc", .type = AE_IFLNK, .data = "/tmp" };
	struct err err;

	cr_assert_eq(items_unpack(&item, 1, &err), 0, "%s", err.msg);
	cr_assert_eq(system_check(root, &err), -1);
	cr_assert_eq(err.kind, ERR_NOT_SYSTEM);
}

UNPACK_TEST(the_digest_is_of_the_tree_and_not_of_the_archive)
{
	static const struct item one[] = {
		{ .path = "b",
		  .type = AE_IFREG,
		  .mode = 0644,
		  .data = "x",
		  .xattr = "user.a",
		  .value = "1" },
		{ .path = "a", .type = AE_IFREG, .hardlink = "b" },
		{ .path = "c", .type = AE_IFDIR, .mode = 0700 },
	};
	static const struct item other[] = {
		{ .path = "./c/", .type = AE_IFDIR, .mode = 0700 },
		{ .path = "./a",
		  .type = AE_IFREG,
		  .mode = 0644,
		  .data = "x",
		  .xattr = "user.a",
		  .value = "1" },
		{ .path = "./b", .type = AE_IFREG, .hardlink = "./a" },
	};
	struct manifest first, second, third;
	struct err err;

	cr_assert_eq(items_unpack(one, 3, &err), 0, "%s", err.msg);
	cr_assert_eq(manifest_read(root, &first, NULL, &err), 0, "%s", err.msg);
	own_fd fresh = dir_make(root, "c", 0700, &err);
	own_fd again = dir_make(fresh, "again", 0755, &err);
	own_fd tar = tar_make(other, 3, ARCHIVE_FILTER_ZSTD);
	cr_assert_eq(archive_unpack(tar, again, NULL, &err), 0, "%s", err.msg);
	cr_assert_eq(manifest_read(again, &second, NULL, &err), 0, "%s", err.msg);
	cr_assert_str_eq(first.digest, second.digest);
	cr_assert_eq(first.size, 11);
	cr_assert_eq(first.files, 5);

	cr_assert_eq(fchmodat(again, "a", 0640, 0), 0);
	cr_assert_eq(manifest_read(again, &third, NULL, &err), 0, "%s", err.msg);
	cr_assert_str_neq(first.digest, third.digest);
}

/* 512 bytes of an archive may stand for a hundred directories. */
UNPACK_TEST(directories_that_are_only_implied_are_counted)
{
	struct err err;
	own_fd top = dir_make(outer, "root", 0755, &err);
	struct tree tree = { .root = top, .entries = TREE_ENTRIES - 1 };
	const struct entry entry = { .path = "one/two/three", .mode = 0755 };

	cr_assert_geq(top, 0, "%s", err.msg);
	cr_expect_eq(tree_add_dir(&tree, &entry, &err), -1);
	cr_expect_eq(err.kind, ERR_BAD_IMAGE, "%s", err.msg);
	tree_free(&tree);
}

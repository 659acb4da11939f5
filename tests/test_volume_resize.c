/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../images/e2fs.h"
#include "../images/super.h"
#include "../images/volume.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define MIB (1ull << 20)

static char scratch[] = "/var/tmp/test-resize.XXXXXX";
static int dir = -1, templates = -1;
static struct err err;

static void scratch_make(void)
{
	cr_assert(mkdtemp(scratch));
	dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	templates = dir_make(dir, "templates", 0700, &err);
	cr_assert(dir >= 0 && templates >= 0, "%s", err.msg);
}

static void scratch_remove(void)
{
	cr_expect_eq(tree_remove(AT_FDCWD, scratch, &err), 0, "%s", err.msg);
}

TestSuite(resize, .init = scratch_make, .fini = scratch_remove);

static void need_root(void)
{
	if (geteuid() != 0 || access("/dev/loop-control", R_OK) < 0)
		cr_skip_test("needs root and loop devices");
}

static void create(uint64_t size)
{
	struct volume volume = { .size = size };

	cr_assert_eq(volume_create(dir, templates, &volume, &err), 0, "%s", err.msg);
}

static int resize(uint64_t size)
{
	return volume_resize(dir, &(struct volume){ .size = size }, 5000, &err);
}

static int check(uint64_t size, unsigned inodes)
{
	return volume_check(dir, &(struct volume){ size, inodes }, &err);
}

static struct super super_of(void)
{
	own_fd fd = openat(dir, VOLUME_FILE, O_RDONLY | O_CLOEXEC);
	struct super super;

	cr_assert_eq(super_read(fd, &super, &err), 0, "%s", err.msg);
	return super;
}

static uint64_t file_size(void)
{
	struct stat stat;

	cr_assert_eq(fstatat(dir, VOLUME_FILE, &stat, 0), 0);
	return (uint64_t)stat.st_size;
}

/* Mounted, asked, and unmounted again. */
static uint64_t mounted_blocks(void)
{
	own_fd mount = volume_mount(dir, "web1", 5000, &err);
	struct statvfs fs;

	cr_assert_geq(mount, 0, "%s", err.msg);
	cr_assert_eq(fstatvfs(mount, &fs), 0);
	return fs.f_blocks;
}

static void put_file(const char *name, size_t size)
{
	own_fd mount = volume_mount(dir, "web1", 5000, &err);
	cr_assert_geq(mount, 0, "%s", err.msg);
	own_fd fd = openat(mount, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static char block[65536];

	memset(block, 'x', sizeof(block));
	for (size_t done = 0; done < size; done += sizeof(block))
		cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
	cr_assert_eq(fsync(fd), 0);
}

static void file_is_whole(const char *name, size_t size)
{
	own_fd mount = volume_mount(dir, "web1", 5000, &err);
	cr_assert_geq(mount, 0, "%s", err.msg);
	own_fd fd = openat(mount, name, O_RDONLY | O_CLOEXEC);
	static char block[65536];
	size_t done = 0;
	ssize_t len;

	while ((len = read(fd, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < len; i++)
			cr_assert_eq(block[i], 'x');
		done += (size_t)len;
	}
	cr_assert_eq(done, size);
}

static void is_sound(void)
{
	own_str path = xasprintf("%s/" VOLUME_FILE, scratch);
	const char *const argv[] = { "/sbin/e2fsck", "-f", "-n", path, NULL };

	cr_assert_eq(volume_wait(dir, 5000, &err), 0, "%s", err.msg);
	cr_assert_eq(e2fs_run(argv, "check", NULL, 0, &err), 0, "%s", err.msg);
}

Test(resize, growing_one_at_rest_keeps_its_files)
{
	need_root();
	create(32 * MIB);
	put_file("up/kept", MIB);
	uint64_t before = mounted_blocks();
	cr_assert_eq(resize(300 * MIB), 0, "%s", err.msg);
	cr_expect_eq(file_size(), 300 * MIB);
	cr_expect_eq(super_of().blocks, 300 * MIB / 4096);
	cr_expect_gt(mounted_blocks(), before + 200 * MIB / 4096);
	file_is_whole("up/kept", MIB);
	is_sound();
}

/* What a root without CAP_SYS_RESOURCE does is done here by all. */
Test(resize, shrinking_keeps_files_and_gives_space_back)
{
	need_root();
	create(300 * MIB);
	put_file("up/kept", 20 * MIB);
	cr_assert_eq(resize(64 * MIB), 0, "%s", err.msg);
	cr_expect_eq(file_size(), 64 * MIB);
	cr_expect_eq(super_of().blocks, 64 * MIB / 4096);
	file_is_whole("up/kept", 20 * MIB);
	is_sound();
}

Test(resize, below_what_is_used_is_refused_with_the_numbers)
{
	struct stat before, after;

	need_root();
	create(300 * MIB);
	put_file("up/kept", 100 * MIB);
	cr_assert_eq(volume_wait(dir, 5000, &err), 0);
	cr_assert_eq(fstatat(dir, VOLUME_FILE, &before, 0), 0);
	cr_assert_eq(check(64 * MIB, 0), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect(strstr(err.msg, "disk: 64M is less than what is in use; the least is 1"),
		  "%s", err.msg);
	cr_assert_eq(resize(64 * MIB), -1);
	cr_expect_eq(err.kind, ERR_VALUE);

	cr_assert_eq(fstatat(dir, VOLUME_FILE, &after, 0), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_expect_eq(before.st_size, after.st_size);
	file_is_whole("up/kept", 100 * MIB);
}

/* A refusal names the least, and that is had then. */
Test(resize, the_least_that_is_named_is_had)
{
	uint64_t least;

	need_root();
	create(300 * MIB);
	put_file("up/kept", 30 * MIB);
	cr_assert_eq(volume_wait(dir, 5000, &err), 0);
	cr_assert_eq(resize(20 * MIB), -1);
	const char *text = strstr(err.msg, "the least is ");
	cr_assert(text, "%s", err.msg);
	cr_assert_eq(size_parse(text + strlen("the least is "), &least, &err), 0, "%s", text);
	cr_assert_eq(resize(least), 0, "%s", err.msg);
	file_is_whole("up/kept", 30 * MIB);
}

Test(resize, one_that_is_mounted_does_not_shrink)
{
	need_root();
	create(64 * MIB);
	own_fd mount = volume_mount(dir, "web1", 0, &err);
	cr_assert_eq(check(32 * MIB, 0), -1);
	cr_expect_eq(err.kind, ERR_RUNNING);
	cr_assert_eq(volume_grow(dir, &(struct volume){ .size = 32 * MIB }, &err), -1);
	cr_expect_eq(err.kind, ERR_RUNNING);
	cr_assert_eq(resize(128 * MIB), -1);
	cr_expect_eq(err.kind, ERR_LOCKED);
	cr_expect_eq(file_size(), 64 * MIB);
}

Test(resize, one_that_is_mounted_grows_at_once_or_is_refused_whole)
{
	struct volume wanted = { .size = 400 * MIB };
	struct statvfs before, after;

	need_root();
	create(64 * MIB);
	own_fd mount = volume_mount(dir, "web1", 0, &err);
	cr_assert_eq(fstatvfs(mount, &before), 0);
	if (volume_grows_live()) {
		cr_assert_eq(volume_grow(dir, &wanted, &err), 0, "%s", err.msg);
		cr_assert_eq(fstatvfs(mount, &after), 0);
		cr_expect_gt(after.f_blocks, before.f_blocks + 300 * MIB / 4096);
		cr_expect_eq(file_size(), 400 * MIB);
		cr_expect_eq(volume_is_settled(dir, &wanted, &err), 1);
	} else {
		cr_assert_eq(volume_grow(dir, &wanted, &err), -1);
		cr_expect_eq(err.kind, ERR_KERNEL, "%s", err.msg);
		cr_expect_eq(file_size(), 64 * MIB);
		cr_expect_eq(volume_is_settled(dir, &wanted, &err), 0);
	}
}

Test(resize, what_was_cut_off_after_the_file_grew_is_finished)
{
	struct volume wanted = { .size = 200 * MIB };

	need_root();
	create(64 * MIB);
	own_fd fd = openat(dir, VOLUME_FILE, O_RDWR | O_CLOEXEC);
	cr_assert_eq(ftruncate(fd, 200 * MIB), 0);
	close(take_fd(&fd));
	cr_assert_eq(volume_is_settled(dir, &wanted, &err), 0);
	cr_assert_eq(volume_settle(dir, &wanted, 5000, &err), 0, "%s", err.msg);
	cr_assert_eq(volume_is_settled(dir, &wanted, &err), 1, "%s", err.msg);
	is_sound();
}

Test(resize, what_was_cut_off_before_the_new_one_took_its_place_is_removed)
{
	struct volume wanted = { .size = 64 * MIB };

	need_root();
	create(64 * MIB);
	own_fd left = openat(dir, ".volume.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(left, 0);
	cr_assert_eq(volume_is_settled(dir, &wanted, &err), 0);
	cr_assert_eq(volume_settle(dir, &wanted, 0, &err), 0, "%s", err.msg);
	cr_assert_eq(volume_is_settled(dir, &wanted, &err), 1);
}

/* Killed after so many microseconds, over and over, until it got through. */
Test(resize, killed_anywhere_leaves_a_sound_one_that_can_be_finished, .timeout = 120)
{
	struct volume sizes[] = { { .size = 300 * MIB }, { .size = 64 * MIB } };
	unsigned finished = 0;
	struct err ignored;

	need_root();
	create(64 * MIB);
	put_file("up/kept", 4 * MIB);
	for (unsigned i = 0; i < 24; i++) {
		const struct volume *wanted = &sizes[i % 2];
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(volume_resize(dir, wanted, 5000, &err) < 0);
		usleep(1000 + i * 4000);
		kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		finished += WIFEXITED(status);
		cr_assert_eq(volume_settle(dir, wanted, 10000, &err), 0, "%s", err.msg);
		cr_assert_eq(volume_wait(dir, 5000, &ignored), 0);
		cr_assert_eq(volume_is_settled(dir, wanted, &err), 1);
		cr_assert_eq(file_size(), wanted->size);
	}
	cr_assert_lt(finished, 24, "none was killed in time");
	file_is_whole("up/kept", 4 * MIB);
	is_sound();
}

Test(resize, inodes_are_what_the_disk_brings)
{
	create(1024 * MIB);
	cr_expect_eq(check(1024 * MIB, 65536), 0, "%s", err.msg);
	cr_expect_eq(check(2048 * MIB, 131072), 0, "%s", err.msg);
	cr_expect_eq(check(2048 * MIB, 0), 0, "%s", err.msg);
	cr_expect_eq(check(1024 * MIB, 100000), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg,
			 "inodes: 100000 cannot be had: with 1G of disk it has 65536, "
			 "and 8192 more come with each 128M; --disk 1664M has so many");
	cr_expect_eq(check(1024 * MIB, 50000), -1);
	cr_expect_str_eq(err.msg, "inodes: 50000 cannot be had: with 1G of disk it has 65536, "
				  "and none can be taken away");
}

Test(resize, inodes_that_were_asked_for_are_kept_within_the_rounding)
{
	struct volume volume = { .size = 256 * MIB, .inodes = 1001 };

	cr_assert_eq(volume_create(dir, templates, &volume, &err), 0, "%s", err.msg);
	cr_expect_eq(check(256 * MIB, 1001), 0, "%s", err.msg);
	cr_expect_eq(check(256 * MIB, super_of().inodes), 0, "%s", err.msg);
	cr_expect_eq(check(256 * MIB, super_of().inodes + 1), -1);
}

Test(resize, a_size_that_no_file_system_has_is_refused)
{
	create(32 * MIB);
	cr_expect_eq(check(15 * MIB, 0), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_eq(check(1ull << 62, 0), -1);
	cr_expect_neq(err.kind, 0);
}

Test(resize, reason_is_neither_banner_nor_usage)
{
	char said[] = "resize2fs 1.47.0 (5-Feb-2023)\nresize2fs: New size smaller than "
		      "minimum (8281)\n\n";
	char plain[] = "mkfs.ext4: No space left on device\nmore";
	char none[] = "";

	cr_expect_str_eq(e2fs_reason(said), "resize2fs: New size smaller than minimum (8281)");
	cr_expect_str_eq(e2fs_reason(plain), "mkfs.ext4: No space left on device");
	cr_expect_str_eq(e2fs_reason(none), "");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../images/volume.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

static char scratch[] = "/var/tmp/test-volume.XXXXXX";
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

TestSuite(volume, .init = scratch_make, .fini = scratch_remove);

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

static unsigned entries;

static int entry_count(int in, const char *name, void *arg, struct err *unused)
{
	(void)in, (void)name, (void)arg, (void)unused;
	entries++;
	return 0;
}

static unsigned entries_in(int directory)
{
	entries = 0;
	cr_assert_eq(dir_each(directory, entry_count, NULL, &err), 0, "%s", err.msg);
	return entries;
}

Test(volume, smaller_than_16_mib_is_refused_by_value)
{
	struct volume volume = { .size = (16 << 20) - 1 };

	cr_assert_eq(volume_create(dir, templates, &volume, &err), -1);
	cr_assert_eq(err.kind, ERR_VALUE);
	cr_assert_str_eq(err.msg, "a volume has at least 16M");
	cr_assert_eq(entries_in(templates), 0);
}

Test(volume, templates_are_shared_by_equal_volumes_only)
{
	char one[80], two[80], three[80];

	volume_template_name(&(struct volume){ .size = 1 << 30 }, one, sizeof(one));
	volume_template_name(&(struct volume){ .size = 1 << 30, .inodes = 9 }, two,
			     sizeof(two));
	volume_template_name(&(struct volume){ .size = 1 << 29, .inodes = 9 }, three,
			     sizeof(three));
	cr_assert_str_neq(one, two);
	cr_assert_str_neq(two, three);
}

Test(volume, journal_grows_with_the_size_within_limits)
{
	cr_assert_eq(volume_journal_mib(16ull << 20), 4);
	cr_assert_eq(volume_journal_mib(1ull << 30), 16);
	cr_assert_eq(volume_journal_mib(1ull << 40), 32);
}

Test(volume, of_10_gib_takes_less_than_a_mib_of_the_node)
{
	uint64_t bytes;

	create(10ull << 30);
	cr_assert_eq(volume_usage(dir, &bytes, &err), 0);
	cr_assert_lt(bytes, 1 << 20);
}

Test(volume, is_never_replaced_by_a_second_create)
{
	struct volume volume = { .size = 16 << 20 };
	struct stat before, after;

	create(16 << 20);
	cr_assert_eq(fstatat(dir, VOLUME_FILE, &before, 0), 0);
	cr_assert_eq(volume_create(dir, templates, &volume, &err), -1);
	cr_assert_eq(err.code, EEXIST);
	cr_assert_eq(fstatat(dir, VOLUME_FILE, &after, 0), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
}

Test(volume, has_the_inodes_asked_for)
{
	struct volume volume = { .size = 64 << 20, .inodes = 4096 };
	uint32_t inodes;

	cr_assert_eq(volume_create(dir, templates, &volume, &err), 0, "%s", err.msg);
	own_fd fd = openat(dir, VOLUME_FILE, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(pread(fd, &inodes, sizeof(inodes), 1024), sizeof(inodes));
	cr_assert_eq(inodes, 4096);
}

/* A directory that holds 64 KiB and is gone with its descriptor. */
static int small_dir(void)
{
	own_fd context = fsopen("tmpfs", FSOPEN_CLOEXEC);

	cr_assert_eq(fsconfig(context, FSCONFIG_SET_STRING, "size", "64k", 0), 0);
	cr_assert_eq(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	return fsmount(context, FSMOUNT_CLOEXEC, 0);
}

Test(volume, leaves_nothing_where_there_is_no_space)
{
	struct volume volume = { .size = 64 << 20 };

	need_root();
	own_fd small = small_dir();
	cr_assert_eq(volume_create(small, templates, &volume, &err), -1);
	cr_assert_eq(err.kind, ERR_NO_SPACE, "%s", err.msg);
	cr_assert_eq(entries_in(small), 0);

	cr_assert_eq(volume_create(dir, small, &volume, &err), -1);
	cr_assert_eq(err.kind, ERR_NO_SPACE, "%s", err.msg);
	cr_assert_eq(entries_in(small), 0);
}

Test(volume, tells_what_mkfs_did_not_like)
{
	struct volume volume = { .size = 64 << 20, .inodes = 4000000000 };

	cr_assert_eq(volume_create(dir, templates, &volume, &err), -1);
	cr_assert(strstr(err.msg, "inodes"), "%s", err.msg);
	cr_assert_eq(entries_in(templates), 0);
}

Test(volume, holds_the_two_directories_of_an_overlay)
{
	struct stat up, work;

	need_root();
	create(16 << 20);
	own_fd mount = volume_mount(dir, "web1", 0, &err);
	cr_assert_geq(mount, 0, "%s", err.msg);
	cr_assert_eq(fstatat(mount, "up", &up, 0), 0);
	cr_assert_eq(fstatat(mount, "work", &work, 0), 0);
	cr_assert_eq(up.st_mode, S_IFDIR | 0755);
	cr_assert_eq(work.st_mode, S_IFDIR | 0700);
	cr_assert_eq(up.st_uid + up.st_gid + work.st_uid + work.st_gid, 0);
}

Test(volume, is_mounted_once_and_free_again_with_the_last_descriptor)
{
	need_root();
	create(16 << 20);
	int mount = volume_mount(dir, "web1", 0, &err);
	cr_assert_geq(mount, 0, "%s", err.msg);

	cr_assert_eq(volume_mount(dir, "web1", 30, &err), -1);
	cr_assert_eq(err.kind, ERR_LOCKED);
	cr_assert_eq(volume_wait(dir, 0, &err), -1);
	cr_assert_eq(err.kind, ERR_LOCKED);

	close(mount);
	cr_assert_eq(volume_wait(dir, 5000, &err), 0, "%s", err.msg);
	own_fd again = volume_mount(dir, "web1", 0, &err);
	cr_assert_geq(again, 0, "%s", err.msg);
}

Test(volume, keeps_what_was_written)
{
	char text[8];

	need_root();
	create(16 << 20);
	for (int i = 0; i < 2; i++) {
		own_fd mount = volume_mount(dir, "web1", 5000, &err);

		cr_assert_geq(mount, 0, "%s", err.msg);
		if (i == 0)
			cr_assert_eq(file_replace(mount, "kept", "yes", 3, 0600, &err), 0);
		else
			cr_assert_eq(file_read(mount, "kept", text, sizeof(text), &err), 3);
	}
}

Test(volume, shows_the_name_and_not_the_device_as_source)
{
	need_root();
	create(16 << 20);
	own_fd volume = volume_mount(dir, "web1", 0, &err);
	cr_assert_geq(volume, 0, "%s", err.msg);

	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);

	own_str target = xasprintf("%s/templates", scratch);
	cr_assert_eq(move_mount(volume, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), 0);

	own_str mounts = file_slurp(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &err);
	cr_assert(mounts && strstr(mounts, " - ext4 web1 "));
	cr_assert_eq(umount2(target, MNT_DETACH), 0);
}

/* One of many at once: its own directory, no template there yet. */
static void neighbour(int number)
{
	char name[16];
	struct volume volume = { .size = 32 << 20 };

	str_format(name, sizeof(name), "vps%d", number);
	own_fd own = dir_make(dir, name, 0700, &err);
	if (own < 0 || volume_create(own, templates, &volume, &err) < 0)
		_exit(1);
	for (int i = 0; i < 3; i++) {
		own_fd mount = volume_mount(own, name, 5000, &err);

		own_fd more = mount < 0 ? -1 : dir_make(mount, "more", 0700, &err);

		if (more < 0)
			_exit(2);
	}
	_exit(volume_wait(own, 5000, &err) < 0 ? 3 : 0);
}

Test(volume, thirty_at_once_are_created_and_mounted)
{
	need_root();
	for (int i = 0; i < 30; i++) {
		if (fork() == 0)
			neighbour(i);
	}
	for (int i = 0; i < 30; i++) {
		int status;

		cr_assert_gt(wait(&status), 0);
		cr_expect_eq(status, 0, "status %d", WEXITSTATUS(status));
	}
	cr_assert_eq(entries_in(templates), 1);
}

Test(volume, figures_of_a_fresh_one_are_those_of_its_file_system)
{
	struct volume volume = { .size = 64 << 20, .inodes = 4096 };
	struct volume_figures figures;

	cr_assert_eq(volume_create(dir, templates, &volume, &err), 0, "%s", err.msg);
	cr_assert_eq(volume_figures(dir, &figures, &err), 0, "%s", err.msg);
	cr_expect_not(figures.mounted);
	cr_expect_eq(figures.inodes, 4096);
	cr_expect_gt(figures.inodes_used, 10);
	cr_expect_lt(figures.inodes_used, 40);
	cr_expect_gt(figures.size, 50 << 20);
	cr_expect_lt(figures.used, 1 << 20);
	cr_expect_lt(figures.node, 1 << 20);
}

static void fill(int mount, const char *name, size_t size)
{
	own_fd fd = openat(mount, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static const char block[65536];

	for (size_t done = 0; done < size; done += sizeof(block))
		cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
}

Test(volume, figures_of_a_mounted_one_are_of_this_moment)
{
	struct volume_figures before, after, closed;

	need_root();
	create(64 << 20);
	int mount = volume_mount(dir, "web1", 0, &err);
	cr_assert_geq(mount, 0, "%s", err.msg);
	cr_assert_eq(volume_figures(dir, &before, &err), 0, "%s", err.msg);
	fill(mount, "up/new", 8 << 20);
	cr_assert_eq(volume_figures(dir, &after, &err), 0, "%s", err.msg);
	cr_expect(after.mounted);
	cr_expect_eq(after.inodes_used, before.inodes_used + 1);
	cr_expect_geq(after.used, before.used + (8 << 20));
	cr_expect_lt(after.used, before.used + (9 << 20));

	close(mount);
	cr_assert_eq(volume_wait(dir, 5000, &err), 0, "%s", err.msg);
	cr_assert_eq(volume_figures(dir, &closed, &err), 0, "%s", err.msg);
	cr_expect_not(closed.mounted);
	cr_expect_eq(closed.inodes_used, after.inodes_used);
	cr_expect_eq(closed.used, after.used);
	cr_expect_eq(closed.size, after.size);
	cr_expect_geq(closed.node, 8 << 20);
}

static void expect_statvfs(int mount, uint64_t size, const char *when)
{
	struct volume_figures figures;
	struct statvfs fs;

	cr_assert_eq(fstatvfs(mount, &fs), 0);
	cr_assert_eq(volume_figures(dir, &figures, &err), 0, "%s", err.msg);
	cr_expect_eq(fs.f_frsize, 4096);
	cr_expect_leq(figures.size, size, "%s", when);
	cr_expect_eq(figures.size, fs.f_blocks * 4096, "%s", when);
	cr_expect_eq(figures.used, (fs.f_blocks - fs.f_bfree) * 4096, "%s", when);
	cr_expect_eq(figures.available, fs.f_bavail * 4096, "%s", when);
	cr_expect_eq(figures.inodes, fs.f_files, "%s", when);
	cr_expect_eq(figures.inodes_used, fs.f_files - fs.f_ffree, "%s", when);
}

Test(volume, figures_of_a_mounted_one_are_what_df_says)
{
	struct volume larger = { .size = 10ull << 30 };

	need_root();
	create(300 << 20);
	own_fd mount = volume_mount(dir, "web1", 0, &err);
	cr_assert_geq(mount, 0, "%s", err.msg);
	expect_statvfs(mount, 300 << 20, "fresh");
	fill(mount, "up/new", 8 << 20);
	expect_statvfs(mount, 300 << 20, "written, and in memory alone");
	own_fd root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(syncfs(root), 0);
	expect_statvfs(mount, 300 << 20, "on the disk");
	volume_spares(mount, true);
	expect_statvfs(mount, 300 << 20, "more kept for ext4");
	if (volume_grows_live()) {
		cr_assert_eq(volume_grow(dir, &larger, &err), 0, "%s", err.msg);
		expect_statvfs(mount, larger.size, "grown");
	}
	cr_assert_eq(unlinkat(mount, "up/new", 0), 0);
	expect_statvfs(mount, larger.size, "removed");
}

Test(volume, is_found_by_its_device_without_a_hint)
{
	struct volume_figures figures;
	own_fd device = -1;

	need_root();
	create(16 << 20);
	own_fd mount = volume_mount(dir, "web1", 0, &err);
	own_fd file = openat(dir, VOLUME_FILE, O_RDWR | O_CLOEXEC);

	cr_assert_eq(fremovexattr(file, "trusted.nodectl.loop"), 0);
	own_fd nodes = volume_loop_find(file, "x", &device, &err);
	cr_assert_geq(nodes, 0, "%s", err.msg);
	cr_assert_eq(fsetxattr(file, "trusted.nodectl.loop", "123456", 6, 0), 0);
	cr_assert_eq(volume_figures(dir, &figures, &err), 0, "%s", err.msg);
	cr_assert(figures.mounted);
}

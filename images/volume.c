/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define SPARES 8

static int copy_range(int to, int from, off_t at, off_t end, struct err *err)
{
	char buf[65536];

	while (at < end) {
		size_t want = end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
		ssize_t got = pread(from, buf, want, at);

		if (got <= 0)
			return fail(err, got < 0 ? errno : EIO,
				    "cannot read what is to be copied");
		ssize_t put = pwrite(to, buf, (size_t)got, at);

		/* what is cut short says why when it is asked for the rest */
		if (put <= 0)
			return fail(err, put < 0 ? errno : ENOSPC, "cannot write the volume");
		at += put;
	}
	return 0;
}

/* Shared blocks where the file system can, else what is not a hole: a third of a MiB. */
int volume_copy(int to, int from, struct err *err)
{
	off_t at = 0, end;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			return fail(err, errno, "cannot read what is to be copied");
		if (copy_range(to, from, at, end, err) < 0)
			return -1;
		at = end;
	}
	return errno == ENXIO ? 0 : fail(err, errno, "cannot read what is to be copied");
}

int volume_create(int dir, int templates, const struct volume *volume, struct err *err)
{
	if (volume->size < VOLUME_SIZE_MIN)
		return fail_as(err, ERR_VALUE, "a volume has at least 16M");

	/* before any work; linkat refuses as well */
	if (faccessat(dir, VOLUME_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(err, EEXIST, "cannot create '%s'", VOLUME_FILE);

	own_fd template = volume_template_open(templates, volume, err);
	if (template <0)
		return -1;

	own_fd fd = volume_file_new(dir, volume->size, err);
	if (fd < 0 || volume_copy(fd, template, err) < 0)
		return -1;
	return volume_file_keep(fd, dir, VOLUME_FILE, err);
}

/*
 * The kernel lets go of a loop device a little after the last mount is gone, in a worker
 * of its own, and tells nobody: look often at first, then seldom.
 */
static int lock_wait(int fd, int operation, unsigned wait_ms, struct err *err)
{
	unsigned long long end = now_ms() + wait_ms;
	struct timespec pause = { .tv_nsec = 500000 };

	while (flock(fd, operation | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, errno, "cannot lock '%s'", VOLUME_FILE);
		if (now_ms() >= end)
			return fail_as(err, ERR_LOCKED, "the volume is still mounted");
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 20000000)
			pause.tv_nsec += pause.tv_nsec / 2;
	}
	return 0;
}

/*
 * The source is looked up from the working directory; a path with a directory in it would
 * show in the guest's mount table.
 */
static int context_create(int context, int nodes, struct err *err)
{
	own_fd here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (here < 0 || fchdir(nodes) < 0)
		return fail(err, errno, "cannot change directory");

	int result = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	int code = errno;

	if (fchdir(here) < 0)
		return fail(err, errno, "cannot change directory");
	return result < 0 ? fail(err, code, "cannot mount the volume") : 0;
}

/*
 * discard: what the guest deletes is given back to the node.  noinit_itable: else a kernel
 * thread writes the whole inode table and the file is no longer sparse.
 */
static const struct option {
	enum fsconfig_command type;
	const char *key, *value;
} options[] = {
	{ FSCONFIG_SET_FLAG, "discard", NULL },
	{ FSCONFIG_SET_FLAG, "noinit_itable", NULL },
	{ FSCONFIG_SET_STRING, "errors", "remount-ro" },
};

int volume_ext4_mount(int nodes, const char *name, struct err *err)
{
	own_fd context = fsopen("ext4", FSOPEN_CLOEXEC);

	if (context < 0)
		return fail(err, errno, "cannot mount ext4");
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", name, 0) < 0)
		return fail(err, errno, "cannot mount '%s'", name);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];

		if (fsconfig(context, option->type, option->key, option->value, 0) < 0)
			return fail(err, errno, "cannot mount with '%s'", option->key);
	}
	if (context_create(context, nodes, err) < 0)
		return -1;

	/* the guest sees it through an overlay, whose own flags decide on setuid there */
	int mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount < 0)
		return fail(err, errno, "cannot mount the volume");
	return mount;
}

int volume_lock(int file, unsigned wait_ms, struct err *err)
{
	return lock_wait(file, LOCK_EX, wait_ms, err);
}

int volume_mount(int dir, const char *name, unsigned wait_ms, struct err *err)
{
	own_fd device = -1;

	assert(name[0] && !strchr(name, '/'));
	own_fd file = openat(dir, VOLUME_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0)
		return fail(err, errno, "cannot open '%s'", VOLUME_FILE);
	if (volume_lock(file, wait_ms, err) < 0)
		return -1;

	/* from here the device holds the lock: it shares our open file, not only the inode */
	own_fd nodes = volume_loop(file, name, &device, err);
	return nodes < 0 ? -1 : volume_ext4_mount(nodes, name, err);
}

int volume_wait(int dir, unsigned wait_ms, struct err *err)
{
	own_fd file = openat(dir, VOLUME_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (file < 0)
		return errno == ENOENT ? 0 : fail(err, errno, "cannot open '%s'", VOLUME_FILE);
	return lock_wait(file, LOCK_SH, wait_ms, err);
}

void volume_spares_make(int root)
{
	struct err ignored;
	const char last[] = { 's', 'p', 'a', 'r', 'e', '/', '0' + SPARES - 1, 0 };
	char name[] = "0";

	if (faccessat(root, last, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	own_fd dir = dir_make(root, "spare", 0700, &ignored);
	for (; dir >= 0 && name[0] < '0' + SPARES; name[0]++) {
		own_fd spare =
		    openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		(void)spare;
	}
}

static void spares_drop(int root)
{
	struct err ignored;
	own_fd dir = dir_open(root, "spare", &ignored);
	char name[] = "0";

	for (; dir >= 0 && name[0] < '0' + SPARES; name[0]++)
		(void)unlinkat(dir, name, 0);
}

int volume_knob(dev_t device, const char *knob, char path[VOLUME_KNOB_PATH], struct err *err)
{
	char link[64], target[256];

	str_format(link, sizeof(link), "/sys/dev/block/%u:%u", major(device), minor(device));
	ssize_t len = readlink(link, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = 0;
	const char *name = strrchr(target, '/');
	if (!name)
		return fail(err, len < 0 ? errno : EINVAL, "cannot read '%s'", link);
	str_format(path, VOLUME_KNOB_PATH, "/sys/fs/ext4/%.64s/%.40s", name + 1, knob);
	return 0;
}

/* ext4 keeps blocks for its own use, as many as one says, as long as it is mounted. */
static void reserve_scale(int root, unsigned multiply, unsigned divide)
{
	char path[VOLUME_KNOB_PATH], text[32];
	struct stat stat;
	struct err ignored;

	if (fstat(root, &stat) < 0 ||
	    volume_knob(stat.st_dev, "reserved_clusters", path, &ignored) < 0 ||
	    file_read(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return;
	str_format(text, sizeof(text), "%llu", strtoull(text, NULL, 10) * multiply / divide);
	(void)file_write(AT_FDCWD, path, text, &ignored);
}

void volume_spares(int root, bool keep)
{
	if (keep) {
		volume_spares_make(root);
		reserve_scale(root, 2, 1);
	} else {
		reserve_scale(root, 1, 2);
		spares_drop(root);
	}
}

int volume_usage(int dir, uint64_t *bytes, struct err *err)
{
	struct stat stat;

	if (fstatat(dir, VOLUME_FILE, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(err, errno, "cannot look at '%s'", VOLUME_FILE);
	*bytes = (uint64_t)stat.st_blocks * 512;
	return 0;
}

unsigned volume_facts(struct image_fact *facts, unsigned max)
{
	own_fd control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	own_fd ext4 = fsopen("ext4", FSOPEN_CLOEXEC);
	const struct image_fact rows[] = {
		{ "loop devices", control >= 0,
		  "a VPS has no disk of its own and cannot start" },
		{ "ext4", ext4 >= 0, "a VPS has no disk of its own and cannot start" },
		{ "mkfs.ext4", access("/sbin/mkfs.ext4", X_OK) == 0,
		  "no volume can be made; install e2fsprogs" },
		{ "disk-live", volume_grows_live(),
		  "the disk of a VPS grows only at its next start (CAP_SYS_RESOURCE)" },
	};
	unsigned count = 0;

	for (; count < ARRAY_SIZE(rows) && count < max; count++)
		facts[count] = rows[count];
	return count;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* A partition on LVM on a loop device on ... has an end. */
#define LAYERS_MAX 16

/* "dev" files hold "254:0". */
static int device_read(int dir, const char *path, dev_t *device, struct err *err)
{
	unsigned major, minor;
	char text[32];

	if (file_read(dir, path, text, sizeof(text), err) < 0)
		return -1;
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return fail(err, EINVAL, "cannot read '%s'", path);
	*device = makedev(major, minor);
	return 0;
}

/* How many there are, and the last of them. */
struct slaves {
	unsigned count;
	dev_t last;
};

static int slave_seen(int dir, const char *name, void *arg, struct err *err)
{
	struct slaves *slaves = arg;
	char path[300];

	slaves->count++;
	str_format(path, sizeof(path), "%s/dev", name);
	return device_read(dir, path, &slaves->last, err);
}

/*
 * 1 and the disk below, or 0.  A logical volume on one disk hands each request on as its
 * sender's, and only the disk below it has weights.  dm-crypt writes in its own name, so that
 * nothing below it knows who wrote; with several disks below there is not the one; both take
 * limits themselves.
 */
static int mapping_below(int sys, const char *base, dev_t *below, struct err *err)
{
	struct slaves slaves = { 0 };
	char path[96], uuid[160];

	str_format(path, sizeof(path), "%s/dm/uuid", base);
	if (file_read(sys, path, uuid, sizeof(uuid), err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (strncmp(uuid, "CRYPT-", 6) == 0)
		return 0;

	str_format(path, sizeof(path), "%s/slaves", base);
	own_fd dir = dir_open(sys, path, err);
	if (dir < 0 || dir_each(dir, slave_seen, &slaves, err) < 0)
		return -1;
	if (slaves.count != 1)
		return 0;
	*below = slaves.last;
	return 1;
}

int volume_device_below(int sys, dev_t device, struct below *below, struct err *err)
{
	char base[48], path[96];

	str_format(base, sizeof(base), "dev/block/%u:%u", major(device), minor(device));
	below->device = device;
	below->file[0] = 0;

	str_format(path, sizeof(path), "%s/partition", base);
	if (faccessat(sys, path, F_OK, 0) == 0) {
		str_format(path, sizeof(path), "%s/../dev", base);
		return device_read(sys, path, &below->device, err) < 0 ? -1 : 1;
	}

	str_format(path, sizeof(path), "%s/loop/backing_file", base);
	if (file_read(sys, path, below->file, sizeof(below->file), err) >= 0) {
		below->file[strcspn(below->file, "\n")] = 0;
		return 1;
	}
	below->file[0] = 0;
	if (err->code != ENOENT)
		return -1;
	return mapping_below(sys, base, &below->device, err);
}

/* The type of file system that @dir is on, as the mount table has it. */
static void type_find(int dir, char type[32])
{
	own_file mounts = fopen("/proc/self/mountinfo", "re");
	unsigned long long found;
	own_str line = NULL;
	size_t size = 0;
	struct statx stat = { 0 };

	str_format(type, 32, "a file system");
	if (!mounts || statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &stat) < 0 ||
	    !(stat.stx_mask & STATX_MNT_ID))
		return;
	while (getline(&line, &size, mounts) > 0) {
		const char *tail = strstr(line, " - ");

		if (tail && sscanf(line, "%llu", &found) == 1 && found == stat.stx_mnt_id)
			(void)sscanf(tail, " - %31s", type);
	}
}

static int no_device(int dir, const char *why, struct err *err)
{
	char type[32];

	type_find(dir, type);
	return fail_as(err, ERR_KERNEL, "the storage is on %s, which has %s", type, why);
}

/*
 * What is not on a block device, or on several as btrfs may be, has a made-up number.  btrfs
 * keeps the true ones in /sys.
 */
static int anonymous_device(int dir, dev_t *device, struct err *err)
{
	own_fd real = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct btrfs_ioctl_fs_info_args info = { 0 };
	struct slaves disks = { 0 };
	struct statfs fs;
	char path[80];
	const uint8_t *id = info.fsid;

	if (real < 0 || fstatfs(real, &fs) < 0)
		return fail(err, errno, "cannot look at the storage");
	if ((uint32_t)fs.f_type != BTRFS_SUPER_MAGIC)
		return no_device(dir, "no disk of its own", err);
	if (ioctl(real, BTRFS_IOC_FS_INFO, &info) < 0)
		return fail(err, errno, "cannot ask btrfs for its disks");

	str_format(path, sizeof(path),
		   "/sys/fs/btrfs/%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		   "%02x%02x%02x%02x%02x%02x/devices",
		   id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10],
		   id[11], id[12], id[13], id[14], id[15]);
	own_fd devices = dir_open(AT_FDCWD, path, err);
	if (devices < 0 || dir_each(devices, slave_seen, &disks, err) < 0)
		return -1;
	if (disks.count != 1)
		return no_device(dir, "more than one disk", err);
	*device = disks.last;
	return 0;
}

/* The device of a file system, as far as that is one. */
static int file_device(int file, dev_t *device, struct err *err)
{
	struct stat stat;

	if (fstat(file, &stat) < 0)
		return fail(err, errno, "cannot look at the storage");
	*device = stat.st_dev;
	return major(stat.st_dev) ? 0 : anonymous_device(file, device, err);
}

/* The file of a loop device may be on yet another one. */
static int backing_device(const char *path, dev_t *device, struct err *err)
{
	own_str copy = xstrdup(path);
	char *slash = strrchr(copy, '/');

	if (!slash)
		return fail(err, EINVAL, "cannot find '%s' of a loop device", path);
	slash[slash == copy] = 0;
	own_fd dir = dir_open(AT_FDCWD, copy, err);
	return dir < 0 ? -1 : file_device(dir, device, err);
}

int volume_device(int dir, dev_t *device, struct err *err)
{
	own_fd sys = dir_open(AT_FDCWD, "/sys", err);
	struct below below;
	dev_t at;

	if (sys < 0 || file_device(dir, &at, err) < 0)
		return -1;

	for (unsigned i = 0; i < LAYERS_MAX; i++) {
		int more = volume_device_below(sys, at, &below, err);

		if (more < 0)
			return fail_in(err, "disk of the storage");
		at = below.device;
		if (more == 0) {
			*device = at;
			return 0;
		}
		if (below.file[0] && backing_device(below.file, &at, err) < 0)
			return fail_in(err, "disk of the storage");
	}
	return fail_as(err, ERR_KERNEL, "the storage has more than %d devices below each other",
		       LAYERS_MAX);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define LOOP_CONTROL "/dev/loop-control"

/* Each try that fails is another process that took the same free device first. */
#define LOOP_TRIES 1000

/* The number of the device, on the file itself.  Nothing rests on it: it says where to look
 * first, for the kernel does not tell a file's device, only a device's file. */
#define LOOP_HINT "trusted.nodectl.loop"

/*
 * A file system of one node.  The name under which a device is mounted is what /proc/mounts
 * of the guest shows, so it is made up for it; and a host without udev or devtmpfs
 * has no node for the ninth device at all.
 */
static int node_dir(struct err *err)
{
	own_fd context = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(err, errno, "cannot make a tmpfs");

	int dir = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (dir < 0)
		return fail(err, errno, "cannot mount a tmpfs");
	return dir;
}

static int device_open(int dir, const char *name, unsigned index, struct err *err)
{
	char path[64], text[32];
	unsigned major, minor;

	str_format(path, sizeof(path), "/sys/block/loop%u/dev", index);
	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -1;
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return fail(err, EINVAL, "cannot read '%s'", path);

	(void)unlinkat(dir, name, 0);
	if (mknodat(dir, name, S_IFBLK | 0600, makedev(major, minor)) < 0)
		return fail(err, errno, "cannot make a node for loop device %u", index);

	int device = openat(dir, name, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return fail(err, errno, "cannot open loop device %u", index);
	return device;
}

/*
 * One call sets all (Linux 5.8), so that the device never exists half configured.
 */
static int device_configure(int device, int file)
{
	struct loop_config config = {
		.fd = (unsigned)file,
		.block_size = 4096,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};

	return ioctl(device, LOOP_CONFIGURE, &config);
}

static void hint_write(int file, int index)
{
	char text[16];

	str_format(text, sizeof(text), "%d", index);
	(void)fsetxattr(file, LOOP_HINT, text, strlen(text), 0);
}

static bool hint_read(int file, unsigned *index)
{
	char text[16];
	ssize_t len = fgetxattr(file, LOOP_HINT, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = 0;
	return len > 0 && sscanf(text, "%u", index) == 1;
}

int volume_loop(int file, const char *name, int *device, struct err *err)
{
	own_fd dir = node_dir(err);
	if (dir < 0)
		return -1;

	own_fd control = open(LOOP_CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0)
		return fail(err, errno, "cannot open '%s'", LOOP_CONTROL);

	for (unsigned i = 0; i < LOOP_TRIES; i++) {
		int index = ioctl(control, LOOP_CTL_GET_FREE);
		if (index < 0)
			return fail(err, errno, "cannot get a loop device");

		own_fd found = device_open(dir, name, (unsigned)index, err);
		if (found < 0)
			return -1;
		if (device_configure(found, file) == 0) {
			hint_write(file, index);
			*device = take_fd(&found);
			return take_fd(&dir);
		}
		if (errno != EBUSY)
			return fail(err, errno, "cannot attach loop device %u", index);
	}
	return fail(err, EBUSY, "cannot get a loop device");
}

/* Opens the node @name of that device, if it is @file's.  While we have it open it stays so. */
static int device_of(int dir, const char *name, unsigned index, const struct stat *file)
{
	struct loop_info64 info;
	struct err ignored;

	own_fd device = device_open(dir, name, index, &ignored);
	if (device < 0 || ioctl(device, LOOP_GET_STATUS64, &info) < 0 ||
	    info.lo_device != file->st_dev || info.lo_inode != file->st_ino)
		return -1;
	return take_fd(&device);
}

/* A look at the devices one after the other, for a file whose hint was lost. */
struct search {
	char path[PATH_MAX]; /* of the file */
	unsigned index;
	bool found;
};

static int search_one(int dir, const char *name, void *arg, struct err *err)
{
	struct search *search = arg;
	char path[300], backing[PATH_MAX];
	unsigned index;

	if (search->found || sscanf(name, "loop%u", &index) != 1)
		return 0;
	str_format(path, sizeof(path), "%s/loop/backing_file", name);
	if (file_read(dir, path, backing, sizeof(backing), err) < 0)
		return 0;
	backing[strcspn(backing, "\n")] = 0;
	search->found = strcmp(backing, search->path) == 0;
	if (search->found)
		search->index = index;
	return 0;
}

/* A device holds the lock as long as it is attached. */
static bool is_locked(int file)
{
	if (flock(file, LOCK_SH | LOCK_NB) < 0)
		return true;
	(void)flock(file, LOCK_UN);
	return false;
}

static bool search_all(int file, unsigned *index)
{
	struct search search = { .path = "" };
	struct err ignored;
	char link[64];

	str_format(link, sizeof(link), "/proc/self/fd/%d", file);
	own_fd block = dir_open(AT_FDCWD, "/sys/block", &ignored);
	if (block < 0 || readlink(link, search.path, sizeof(search.path) - 1) < 0)
		return false;
	(void)dir_each(block, search_one, &search, &ignored);
	*index = search.index;
	return search.found;
}

int volume_loop_find(int file, const char *name, int *device, struct err *err)
{
	struct stat stat;
	unsigned index;

	if (fstat(file, &stat) < 0)
		return fail(err, errno, "cannot look at the volume");
	if (!is_locked(file))
		return fail(err, ENODEV, "the volume is not mounted");
	own_fd dir = node_dir(err);
	if (dir < 0)
		return -1;

	own_fd found = hint_read(file, &index) ? device_of(dir, name, index, &stat) : -1;
	if (found < 0 && search_all(file, &index))
		found = device_of(dir, name, index, &stat);
	if (found < 0)
		return fail(err, ENODEV, "the volume is not mounted");
	*device = take_fd(&found);
	return take_fd(&dir);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define LOOP_CONTROL "/dev/loop-control"

/* Each try that fails is another process that took the same free device first. */
#define LOOP_TRIES 1000

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

static int device_open(int dir, const char *name, int index, struct err *err)
{
	char path[64], text[32];
	unsigned major, minor;

	str_format(path, sizeof(path), "/sys/block/loop%d/dev", index);
	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -1;
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return fail(err, EINVAL, "cannot read '%s'", path);

	(void)unlinkat(dir, name, 0);
	if (mknodat(dir, name, S_IFBLK | 0600, makedev(major, minor)) < 0)
		return fail(err, errno, "cannot make a node for loop device %d", index);

	int device = openat(dir, name, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return fail(err, errno, "cannot open loop device %d", index);
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

		own_fd found = device_open(dir, name, index, err);
		if (found < 0)
			return -1;
		if (device_configure(found, file) == 0) {
			*device = take_fd(&found);
			return take_fd(&dir);
		}
		if (errno != EBUSY)
			return fail(err, errno, "cannot attach loop device %d", index);
	}
	return fail(err, EBUSY, "cannot get a loop device");
}

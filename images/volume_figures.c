/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "super.h"

/* The kernel's own figures, through a mount of ours that is gone when we return. */
static int mounted_figures(int nodes, struct volume_figures *figures, struct err *err)
{
	own_fd mount = volume_ext4_mount(nodes, "figures", false, err);
	struct statvfs fs;

	if (mount < 0 && err->code == EBUSY)
		mount = volume_ext4_mount(nodes, "figures", true, err);
	if (mount < 0)
		return -1;
	if (fstatvfs(mount, &fs) < 0)
		return fail(err, errno, "cannot ask the volume");
	figures->size = (uint64_t)fs.f_blocks * fs.f_frsize;
	figures->used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	figures->available = (uint64_t)fs.f_bavail * fs.f_frsize;
	figures->inodes = fs.f_files;
	figures->inodes_used = fs.f_files - fs.f_ffree;
	figures->mounted = true;
	return 0;
}

static int file_figures(int file, struct volume_figures *figures, struct err *err)
{
	struct super super;

	if (super_read(file, &super, err) < 0)
		return -1;
	figures->size = (super.blocks - super.overhead) * 4096;
	figures->used = (super.blocks - super.overhead - super.free) * 4096;
	figures->available = super.free * 4096;
	figures->inodes = super.inodes;
	figures->inodes_used = super.inodes - super.inodes_free;
	return 0;
}

int volume_figures(int dir, struct volume_figures *figures, struct err *err)
{
	struct volume_figures got = { 0 };
	struct stat stat;
	own_fd device = -1;

	own_fd file = openat(dir, VOLUME_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0 || fstat(file, &stat) < 0)
		return fail(err, errno, "cannot look at '%s'", VOLUME_FILE);
	got.node = (uint64_t)stat.st_blocks * 512;

	own_fd nodes = volume_loop_find(file, "figures", &device, err);
	if (nodes < 0 && err->code != ENODEV)
		return -1;
	if ((nodes < 0 ? file_figures(file, &got, err) : mounted_figures(nodes, &got, err)) < 0)
		return -1;
	*figures = got;
	return 0;
}

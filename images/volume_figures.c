/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "super.h"

/* What ext4 counts beside its tables: 0 of one that has just been unmounted. */
static uint64_t counter_read(int device, const char *name)
{
	char path[VOLUME_KNOB_PATH], text[32];
	struct stat stat;
	struct err ignored;

	if (fstat(device, &stat) < 0 || volume_knob(stat.st_rdev, name, path, &ignored) < 0 ||
	    file_read(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return 0;
	return strtoull(text, NULL, 10);
}

static uint64_t less(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

/* As statfs(2) does it in ext4. */
static void figures_set(const struct super *super, uint64_t kept,
			struct volume_figures *figures)
{
	uint64_t blocks = less(super->blocks, super->overhead);

	figures->size = blocks * BLOCK;
	figures->used = less(blocks, super->free) * BLOCK;
	figures->available = less(super->free, super->kept + kept) * BLOCK;
	figures->inodes = super->inodes;
	figures->inodes_used = less(super->inodes, super->inodes_free);
}

/*
 * Not by statfs(2): that wants a mount of our own, and to make one of a file system that is
 * mounted the kernel waits, and cannot be interrupted, until nobody writes it out.  With few
 * writes a second a tenant's sync(2) takes minutes, one after the other if he likes, and
 * whoever asks may do so for all VPSs.
 */
static int mounted_figures(int device, struct volume_figures *figures, struct err *err)
{
	struct super super;

	if (super_read(device, &super, err) < 0 || super_free_read(device, &super, err) < 0)
		return -1;
	/* what is written and has no place on the disk yet */
	super.free = less(super.free, counter_read(device, "delayed_allocation_blocks"));
	figures_set(&super, counter_read(device, "reserved_clusters"), figures);
	figures->mounted = true;
	return 0;
}

static int file_figures(int file, struct volume_figures *figures, struct err *err)
{
	struct super super;

	if (super_read(file, &super, err) < 0)
		return -1;
	figures_set(&super, 0, figures);
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
	int result =
	    nodes < 0 ? file_figures(file, &got, err) : mounted_figures(device, &got, err);
	if (result == 0)
		*figures = got;
	return result;
}

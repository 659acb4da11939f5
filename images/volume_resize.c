/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "e2fs.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "super.h"

/* As the kernel's fs/ext4/ext4.h has it, which is not among the headers for programs. */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, __u64)

#define MIB	  (1ull << 20)
#define RESIZE2FS "/sbin/resize2fs"

/* A volume being rebuilt; nobody ever mounts it under this name. */
#define VOLUME_NEW ".volume.new"

/* What mke2fs may add to the inodes asked for, in each group: it fills the last block. */
#define INODES_ROUNDING 16

bool volume_grows_live(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective & CAP_TO_MASK(CAP_SYS_RESOURCE);
}

static int inodes_check(const struct super *super, const struct volume *wanted, struct err *err)
{
	uint64_t blocks = super_blocks(super, wanted->size);
	uint64_t have = super_inodes(super, blocks);
	uint64_t groups = have / super->group_inodes;
	char size[24], more[24], group[24];

	if (!wanted->inodes ||
	    (wanted->inodes <= have && have - wanted->inodes < INODES_ROUNDING * groups))
		return 0;
	size_print(wanted->size, size, sizeof(size));
	size_print((uint64_t)super->group_blocks * BLOCK, group, sizeof(group));
	if (wanted->inodes < have)
		return fail_as(err, ERR_VALUE,
			       "inodes: %u cannot be had: with %s of disk it has %" PRIu64
			       ", and none can be taken away",
			       wanted->inodes, size, have);
	size_print(super_blocks_for(super, wanted->inodes) * BLOCK, more, sizeof(more));
	return fail_as(err, ERR_VALUE,
		       "inodes: %u cannot be had: with %s of disk it has %" PRIu64
		       ", and %u more come with each %s; --disk %s has so many",
		       wanted->inodes, size, have, super->group_inodes, group, more);
}

/* The new groups' tables are written at once; what the VPS fills them with comes later, and the
 * ledger knows of it. */
static int space_check(int file, uint64_t bytes, const char *what, struct err *err)
{
	char need[24], left[24];
	struct statvfs fs;

	if (fstatvfs(file, &fs) < 0)
		return fail(err, errno, "cannot ask for the space of the storage");
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= bytes)
		return 0;
	size_human(bytes, need, sizeof(need));
	size_human((uint64_t)fs.f_bavail * fs.f_frsize, left, sizeof(left));
	return fail_as(err, ERR_NO_SPACE, "disk: %s needs %s of the storage, which has %s left",
		       what, need, left);
}

static uint64_t tables_of(uint64_t bytes)
{
	return bytes / 512 + 4 * MIB;
}

/* Whole MiB that have so many blocks, for whoever asks for them next. */
static uint64_t size_for(const struct super *super, uint64_t blocks)
{
	uint64_t size = (blocks * BLOCK + MIB - 1) / MIB * MIB;

	while (super_blocks(super, size) < blocks)
		size += MIB;
	return size;
}

/* Files that lie scattered need more than their own size. */
static int minimum_check(const char *path, const struct super *super, uint64_t size,
			 struct err *err)
{
	const char *const argv[] = { RESIZE2FS, "-P", path, NULL };
	char said[256], want[24], least[24];

	if (e2fs_run(argv, "find out how small it can be", said, sizeof(said), err) < 0)
		return -1;
	const char *colon = strrchr(said, ':');
	uint64_t minimum = colon ? strtoull(colon + 1, NULL, 10) : 0;
	if (super_blocks(super, size) >= minimum)
		return 0;
	size_print(size, want, sizeof(want));
	size_print(size_for(super, minimum), least, sizeof(least));
	return fail_as(err, ERR_VALUE, "disk: %s is less than what is in use; the least is %s",
		       want, least);
}

/* The superblock of one that was not unmounted is behind; e2fsck on the copy comes first. */
static int shrink_check(int file, const struct super *super, const struct volume *wanted,
			bool mounted, struct err *err)
{
	char path[64];

	if (mounted)
		return fail_as(err, ERR_RUNNING,
			       "disk: it shrinks only while the VPS is stopped; stop it first");
	if (super->dirty)
		return 0;
	e2fs_path(file, path, sizeof(path));
	return minimum_check(path, super, wanted->size, err);
}

static int wanted_check(int file, const struct super *super, const struct volume *wanted,
			bool mounted, struct err *err)
{
	uint64_t blocks = super_blocks(super, wanted->size);

	if (wanted->size < VOLUME_SIZE_MIN)
		return fail_as(err, ERR_VALUE, "disk: a volume has at least 16M");
	if (super_inodes(super, blocks) > UINT32_MAX)
		return fail_as(err, ERR_VALUE, "disk: ext4 has no more than 2^32 inodes");
	if (super_fills(super, wanted->size))
		return 0;
	if (blocks < super->blocks)
		return shrink_check(file, super, wanted, mounted, err);
	return space_check(file, tables_of((blocks - super->blocks) * BLOCK), "growing", err);
}

/* The superblock that counts: a mounted one's lies in the device's cache. */
static int state_read(int file, struct super *super, int *nodes, int *device, struct err *err)
{
	*nodes = volume_loop_find(file, "vda", device, err);
	if (*nodes < 0 && err->code != ENODEV)
		return -1;
	return super_read(*nodes < 0 ? file : *device, super, err);
}

static int file_open(int dir, int access, struct err *err)
{
	int file = openat(dir, VOLUME_FILE, access | O_NOFOLLOW | O_CLOEXEC);

	return file < 0 ? fail(err, errno, "cannot open '%s'", VOLUME_FILE) : file;
}

/* What could not be had when it is stopped either is refused for that. */
static int used_check(int dir, const struct volume *wanted, struct err *err)
{
	struct volume_figures figures;
	char want[24], used[24];

	if (volume_figures(dir, &figures, err) < 0 || figures.used <= wanted->size)
		return 0;
	size_print(wanted->size, want, sizeof(want));
	size_human(figures.used, used, sizeof(used));
	return fail_as(err, ERR_VALUE, "disk: %s is less than the %s that are in use", want,
		       used);
}

int volume_check(int dir, const struct volume *wanted, struct err *err)
{
	own_fd nodes = -1, device = -1;
	struct super super;

	own_fd file = file_open(dir, O_RDWR, err);
	if (file < 0 || state_read(file, &super, &nodes, &device, err) < 0)
		return -1;
	if (nodes >= 0 && used_check(dir, wanted, err) < 0)
		return -1;
	if (wanted_check(file, &super, wanted, nodes >= 0, err) < 0)
		return -1;
	return inodes_check(&super, wanted, err);
}

static int file_stretch(int file, uint64_t size, struct err *err)
{
	if (ftruncate(file, (off_t)size) < 0)
		return fail(err, errno, "cannot make the volume larger");
	return 0;
}

/* Group by group in ext4's journal: cut off anywhere it is a file system of some size between,
 * and the rest can be done later. */
static int mounted_grow(int mount, uint64_t blocks, struct err *err)
{
	own_fd root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__u64 count = blocks;

	if (root < 0 || ioctl(root, EXT4_IOC_RESIZE_FS, &count) < 0)
		return fail(err, errno, "cannot make the file system larger");
	return 0;
}

static int device_grow(int file, int nodes, int device, const struct volume *wanted,
		       struct err *err)
{
	struct super super;

	if (super_read(device, &super, err) < 0 || file_stretch(file, wanted->size, err) < 0)
		return -1;
	if (ioctl(device, LOOP_SET_CAPACITY) < 0)
		return fail(err, errno, "cannot make the loop device larger");
	own_fd mount = volume_ext4_mount(nodes, "vda", err);
	return mount < 0 ? -1 : mounted_grow(mount, super_blocks(&super, wanted->size), err);
}

/* The file as it was, unless the file system has come to need more of it. */
static void device_restore(int file, int device, off_t size, const struct super *before)
{
	struct super now;
	struct err ignored;

	if (super_read(device, &now, &ignored) == 0 && now.blocks == before->blocks &&
	    ftruncate(file, size) == 0)
		(void)ioctl(device, LOOP_SET_CAPACITY);
}

int volume_grow(int dir, const struct volume *wanted, struct err *err)
{
	own_fd nodes = -1, device = -1;
	struct super super;
	struct stat stat;

	own_fd file = file_open(dir, O_RDWR, err);
	if (file < 0 || state_read(file, &super, &nodes, &device, err) < 0 ||
	    wanted_check(file, &super, wanted, true, err) < 0)
		return -1;
	if (nodes < 0)
		return fail(err, ENODEV, "the volume is not mounted");
	if (super_fills(&super, wanted->size))
		return 0;
	if (!volume_grows_live())
		return fail_as(err, ERR_KERNEL,
			       "disk: the kernel makes a file system in use larger only for a "
			       "root that has CAP_SYS_RESOURCE");
	if (fstat(file, &stat) < 0)
		return fail(err, errno, "cannot look at the volume");
	if (device_grow(file, nodes, device, wanted, err) == 0)
		return 0;
	device_restore(file, device, stat.st_size, &super);
	return -1;
}

/* Nobody has it mounted: we do, for as long as it takes. */
static int rest_grow(int file, const struct volume *wanted, struct err *err)
{
	own_fd device = -1;

	own_fd nodes = volume_loop(file, "vda", &device, err);
	return nodes < 0 ? -1 : device_grow(file, nodes, device, wanted, err);
}

static int copy_resize(int copy, const struct super *super, const struct volume *wanted,
		       struct err *err)
{
	uint64_t blocks = super_blocks(super, wanted->size);
	char path[64], count[24];
	const char *const argv[] = { RESIZE2FS, path, count, NULL };

	e2fs_path(copy, path, sizeof(path));
	str_format(count, sizeof(count), "%" PRIu64, blocks);
	if (e2fs_mend(path, err) < 0)
		return -1;
	if (blocks < super->blocks && minimum_check(path, super, wanted->size, err) < 0)
		return -1;
	if (blocks > super->blocks && file_stretch(copy, wanted->size, err) < 0)
		return -1;
	if (e2fs_run(argv, "resize the file system", NULL, 0, err) < 0 ||
	    e2fs_check(path, err) < 0)
		return -1;
	if (ftruncate(copy, (off_t)wanted->size) < 0)
		return fail(err, errno, "cannot set the size of the volume");
	return 0;
}

/*
 * resize2fs moves blocks without a journal: cut off in the middle, the file system would be
 * lost.  So it works on a copy, which takes the volume's place in one step.
 */
static int volume_rebuild(int dir, int file, const struct super *super,
			  const struct volume *wanted, struct err *err)
{
	struct stat stat;

	if (fstat(file, &stat) < 0)
		return fail(err, errno, "cannot look at the volume");
	own_fd copy = volume_file_new(dir, (uint64_t)stat.st_size, err);
	if (copy < 0)
		return -1;
	if (ioctl(copy, FICLONE, file) < 0 &&
	    (space_check(file, (uint64_t)stat.st_blocks * 512 + tables_of(wanted->size),
			 "a copy to be resized", err) < 0 ||
	     volume_copy(copy, file, err) < 0))
		return -1;
	if (copy_resize(copy, super, wanted, err) < 0 ||
	    volume_file_keep(copy, dir, VOLUME_NEW, err) < 0)
		return -1;
	if (renameat(dir, VOLUME_NEW, dir, VOLUME_FILE) < 0)
		return fail(err, errno, "cannot replace '%s'", VOLUME_FILE);
	own_fd parent = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fsync(parent) < 0)
		return fail(err, errno, "cannot sync the directory of the volume");
	return 0;
}

/* The bytes beyond the file system are nothing; those that it has are all. */
static int file_trim(int file, const struct super *super, uint64_t size, struct err *err)
{
	struct stat stat;

	if (fstat(file, &stat) < 0)
		return fail(err, errno, "cannot look at the volume");
	if ((uint64_t)stat.st_size == size || size < super->blocks * BLOCK)
		return 0;
	if (ftruncate(file, (off_t)size) < 0)
		return fail(err, errno, "cannot set the size of the volume");
	return 0;
}

static int rest_resize(int dir, int file, const struct volume *wanted, struct err *err)
{
	struct super super;

	if (super_read(file, &super, err) < 0)
		return -1;
	if (super_fills(&super, wanted->size))
		return file_trim(file, &super, wanted->size, err);
	if (wanted_check(file, &super, wanted, false, err) < 0)
		return -1;
	if (super_blocks(&super, wanted->size) > super.blocks && volume_grows_live())
		return rest_grow(file, wanted, err);
	return volume_rebuild(dir, file, &super, wanted, err);
}

static int leftover_remove(int dir, struct err *err)
{
	if (unlinkat(dir, VOLUME_NEW, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot remove '%s'", VOLUME_NEW);
	return 0;
}

int volume_resize(int dir, const struct volume *wanted, unsigned wait_ms, struct err *err)
{
	own_fd file = file_open(dir, O_RDWR, err);

	if (file < 0 || volume_lock(file, wait_ms, err) < 0)
		return -1;
	if (leftover_remove(dir, err) < 0 || rest_resize(dir, file, wanted, err) < 0)
		return -1;
	/* a mount of ours lets go of it a little later */
	close(take_fd(&file));
	return volume_wait(dir, wait_ms, err);
}

int volume_settle(int dir, const struct volume *wanted, unsigned wait_ms, struct err *err)
{
	struct super super;
	own_fd file = file_open(dir, O_RDONLY, err);

	if (file < 0 || super_read(file, &super, err) < 0 || leftover_remove(dir, err) < 0)
		return -1;
	return super_fills(&super, wanted->size) ? 0 : volume_resize(dir, wanted, wait_ms, err);
}

int volume_is_settled(int dir, const struct volume *wanted, struct err *err)
{
	own_fd nodes = -1, device = -1;
	struct super super;

	if (faccessat(dir, VOLUME_NEW, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	own_fd file = file_open(dir, O_RDONLY, err);
	if (file < 0 || state_read(file, &super, &nodes, &device, err) < 0)
		return -1;
	return super_fills(&super, wanted->size) ||
	       (nodes >= 0 && super.blocks > super_blocks(&super, wanted->size));
}

int volume_size(int dir, uint64_t *bytes, struct err *err)
{
	own_fd nodes = -1, device = -1;
	struct super super;
	own_fd file = file_open(dir, O_RDONLY, err);

	if (file < 0 || state_read(file, &super, &nodes, &device, err) < 0)
		return -1;
	*bytes = super.blocks * BLOCK;
	return 0;
}

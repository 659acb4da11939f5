/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2fs.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* Raised when what mkfs is told changes, so that old templates are not used any more. */
#define TEMPLATE_VERSION 2

#define MKFS "/sbin/mkfs.ext4"

/*
 * Written out, because a distribution's mke2fs.conf may add what an older kernel, to
 * which the volume is moved one day, cannot mount.
 */
#define FEATURES                                                                               \
	"none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,"      \
	"large_file,huge_file,dir_nlink,extra_isize,metadata_csum,resize_inode"

void volume_template_name(const struct volume *volume, char *name, size_t size)
{
	str_format(name, size, "ext4-%d-%" PRIu64 "-%u", TEMPLATE_VERSION, volume->size,
		   volume->inodes);
}

unsigned volume_journal_mib(uint64_t size)
{
	uint64_t mib = size >> 26;

	return mib < 4 ? 4 : mib > 32 ? 32 : (unsigned)mib;
}

int volume_file_new(int dir, uint64_t size, struct err *err)
{
	own_fd fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(err, errno, "cannot create a volume");
	if (ftruncate(fd, (off_t)size) < 0)
		return fail(err, errno, "cannot create a volume of %" PRIu64 " bytes", size);
	return take_fd(&fd);
}

int volume_file_keep(int fd, int dir, const char *name, struct err *err)
{
	if (fdatasync(fd) < 0)
		return fail(err, errno, "cannot write '%s'", name);
	if (linkat(fd, "", dir, name, AT_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot create '%s'", name);

	/* @dir may be O_PATH, which fsync refuses */
	own_fd parent = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fsync(parent) < 0) {
		fail(err, errno, "cannot sync the directory of '%s'", name);
		(void)unlinkat(dir, name, 0);
		return -1;
	}
	return 0;
}

/*
 * The size, in blocks, up to which it can grow while mounted.  That room is written to at once:
 * mkfs's own choice of 1024 times the size would cost each volume 4 MiB.
 */
static uint64_t grow_blocks(uint64_t size)
{
	uint64_t most = size < 1ull << 34 ? 1ull << 38 : size * 16;

	return most >> 12 < UINT32_MAX ? most >> 12 : UINT32_MAX;
}

static int mkfs_run(int fd, const char *skeleton, const struct volume *volume, struct err *err)
{
	char image[64], extended[128], journal[32], inodes[32];
	const char *const argv[] = { MKFS,
				     "-q",
				     "-F",
				     "-b4096",
				     "-I256",
				     "-m0",
				     "-O",
				     FEATURES,
				     "-E",
				     extended,
				     "-J",
				     journal,
				     "-d",
				     skeleton,
				     volume->inodes ? "-N" : "-i",
				     volume->inodes ? inodes : "16384",
				     image,
				     NULL };

	e2fs_path(fd, image, sizeof(image));
	str_format(extended, sizeof(extended),
		   "lazy_itable_init=1,lazy_journal_init=1,nodiscard,resize=%" PRIu64,
		   grow_blocks(volume->size));
	str_format(journal, sizeof(journal), "size=%u", volume_journal_mib(volume->size));
	str_format(inodes, sizeof(inodes), "%u", volume->inodes);
	if (e2fs_run(argv, "make a file system", NULL, 0, err) < 0)
		return -1;
	return e2fs_check(image, err);
}

/* "up" is the root directory of a guest before its first change; "work" is overlay's own;
 * "spare" has what volume_spares() gives up. */
static int skeleton_make(int dir, struct err *err)
{
	own_fd up = dir_make(dir, "up", 0755, err);
	if (up < 0)
		return -1;

	own_fd work = dir_make(dir, "work", 0700, err);
	own_fd spare = work < 0 ? -1 : dir_make(dir, "spare", 0700, err);
	if (spare < 0)
		return -1;
	volume_spares_make(dir);
	return 0;
}

static int template_fill(int fd, int templates, const struct volume *volume, struct err *err)
{
	char name[32], path[64];

	str_format(name, sizeof(name), ".skeleton.%d", getpid());
	own_fd dir = dir_make(templates, name, 0700, err);
	if (dir < 0)
		return -1;

	e2fs_path(dir, path, sizeof(path));
	int result = skeleton_make(dir, err);
	if (result == 0)
		result = mkfs_run(fd, path, volume, err);

	struct err ignored;
	(void)tree_remove(templates, name, &ignored);
	return result;
}

int volume_template_open(int templates, const struct volume *volume, struct err *err)
{
	char name[80];

	volume_template_name(volume, name, sizeof(name));
	int found = openat(templates, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (found >= 0)
		return found;
	if (errno != ENOENT)
		return fail(err, errno, "cannot open template '%s'", name);

	own_fd fd = volume_file_new(templates, volume->size, err);
	if (fd < 0 || template_fill(fd, templates, volume, err) < 0)
		return -1;

	/* whoever was faster made the same one */
	if (volume_file_keep(fd, templates, name, err) < 0 && err->code != EEXIST)
		return -1;
	return take_fd(&fd);
}

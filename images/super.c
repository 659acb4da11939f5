/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "super.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "err.h"

#define MAGIC	       0xef53
#define BLOCK	       4096u
#define LOG_BLOCK      2   /* 1024 << 2 */
#define INCOMPAT_DIRTY 0x4 /* the journal has to be replayed */

/* mke2fs and resize2fs want so many blocks beside a last group's own tables. */
#define LAST_GROUP 50

static uint32_t word(const uint8_t *bytes, unsigned at)
{
	uint32_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return le32toh(value);
}

static unsigned half(const uint8_t *bytes, unsigned at)
{
	uint16_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return le16toh(value);
}

/* Offsets of Documentation/filesystems/ext4/super.rst. */
int super_parse(const uint8_t *bytes, struct super *super, struct err *err)
{
	struct super got = {
		.blocks = (uint64_t)word(bytes, 0x150) << 32 | word(bytes, 0x4),
		.free = (uint64_t)word(bytes, 0x158) << 32 | word(bytes, 0xc),
		.overhead = word(bytes, 0x248),
		.group_blocks = word(bytes, 0x20),
		.group_inodes = word(bytes, 0x28),
		.reserved_gdt = half(bytes, 0xce),
		.inode_size = half(bytes, 0x58),
		.inodes = word(bytes, 0x0),
		.inodes_free = word(bytes, 0x10),
		.dirty = word(bytes, 0x60) & INCOMPAT_DIRTY,
	};

	if (half(bytes, 0x38) != MAGIC || word(bytes, 0x18) != LOG_BLOCK || !got.group_blocks ||
	    !got.group_inodes || !got.inode_size)
		return fail_as(err, ERR_SYSTEM, "it has no ext4 file system of nodectl's");
	*super = got;
	return 0;
}

int super_read(int fd, struct super *super, struct err *err)
{
	uint8_t bytes[SUPER_SIZE];
	ssize_t len = pread(fd, bytes, sizeof(bytes), SUPER_AT);

	if (len < 0)
		return fail(err, errno, "cannot read the superblock");
	if (len != sizeof(bytes))
		return fail_as(err, ERR_SYSTEM, "it has no ext4 file system");
	return super_parse(bytes, super, err);
}

static uint64_t groups_of(const struct super *super, uint64_t blocks)
{
	return (blocks + super->group_blocks - 1) / super->group_blocks;
}

/* The most that a group can need for itself: copies, two bitmaps, its inodes. */
static uint64_t group_overhead(const struct super *super, uint64_t blocks)
{
	uint64_t descriptors = (groups_of(super, blocks) * 64 + BLOCK - 1) / BLOCK;
	uint64_t table = (uint64_t)super->group_inodes * super->inode_size;

	return 1 + descriptors + super->reserved_gdt + 2 + (table + BLOCK - 1) / BLOCK;
}

uint64_t super_blocks(const struct super *super, uint64_t size)
{
	uint64_t blocks = size / BLOCK, rest = blocks % super->group_blocks;

	if (blocks > super->group_blocks && rest &&
	    rest < group_overhead(super, blocks) + LAST_GROUP)
		blocks -= rest;
	return blocks;
}

/* mke2fs looks closer at the last group and may have kept one that we would leave out. */
bool super_fills(const struct super *super, uint64_t size)
{
	return super->blocks == size / BLOCK || super->blocks == super_blocks(super, size);
}

uint64_t super_inodes(const struct super *super, uint64_t blocks)
{
	return groups_of(super, blocks) * super->group_inodes;
}

uint64_t super_blocks_for(const struct super *super, uint64_t inodes)
{
	uint64_t groups = (inodes + super->group_inodes - 1) / super->group_inodes;

	return groups * super->group_blocks;
}

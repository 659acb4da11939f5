/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "super.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "err.h"

#define MAGIC	       0xef53
#define LOG_BLOCK      2    /* 1024 << 2 */
#define INCOMPAT_DIRTY 0x4  /* the journal has to be replayed */
#define INCOMPAT_META  0x10 /* descriptors lie in the groups that they are of */
#define INCOMPAT_64BIT 0x80

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

/* No more than so many lie there once it has grown beyond the room that was kept for them. */
static unsigned descriptors_together(const uint8_t *bytes)
{
	return word(bytes, 0x60) & INCOMPAT_META ? word(bytes, 0x104) : UINT32_MAX;
}

/* Offsets of Documentation/filesystems/ext4/super.rst. */
int super_parse(const uint8_t *bytes, struct super *super, struct err *err)
{
	struct super got = {
		.blocks = (uint64_t)word(bytes, 0x150) << 32 | word(bytes, 0x4),
		.free = (uint64_t)word(bytes, 0x158) << 32 | word(bytes, 0xc),
		.overhead = word(bytes, 0x248),
		.kept = (uint64_t)word(bytes, 0x154) << 32 | word(bytes, 0x8),
		.group_blocks = word(bytes, 0x20),
		.group_inodes = word(bytes, 0x28),
		.reserved_gdt = half(bytes, 0xce),
		.inode_size = half(bytes, 0x58),
		.inodes = word(bytes, 0x0),
		.inodes_free = word(bytes, 0x10),
		.descriptor_size = word(bytes, 0x60) & INCOMPAT_64BIT ? half(bytes, 0xfe) : 32,
		.descriptors_together = descriptors_together(bytes),
		.dirty = word(bytes, 0x60) & INCOMPAT_DIRTY,
	};

	if (half(bytes, 0x38) != MAGIC || word(bytes, 0x18) != LOG_BLOCK || !got.group_blocks ||
	    !got.group_inodes || !got.inode_size || got.descriptor_size < 32 ||
	    got.descriptor_size > BLOCK)
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

/*
 * Where the block of descriptors lies that begins with that of group @first.  Only groups 0, 1
 * and the powers of 3, 5 and 7 have a superblock: of those, none but 0 can be @first.
 */
static uint64_t descriptors_at(const struct super *super, uint64_t first)
{
	uint64_t block = first / (BLOCK / super->descriptor_size);

	if (block < super->descriptors_together)
		return 1 + block;
	return first * super->group_blocks + (first == 0);
}

static int descriptors_read(int device, const struct super *super, uint64_t first,
			    uint8_t *bytes, struct err *err)
{
	off_t at = (off_t)(descriptors_at(super, first) * BLOCK);
	ssize_t len = pread(device, bytes, BLOCK, at);

	if (len != (ssize_t)BLOCK)
		return fail(err, len < 0 ? errno : EIO,
			    "cannot read the descriptors of its groups");
	return 0;
}

/*
 * ext4 keeps each of these blocks in the device's cache for as long as it is mounted, and
 * counts in them.  The upper halves that there are for both figures are 0, for no group has
 * more than 32768 of either.
 */
int super_free_read(int device, struct super *super, struct err *err)
{
	uint64_t groups = groups_of(super, super->blocks), blocks = 0, inodes = 0;
	unsigned size = super->descriptor_size, count = BLOCK / size;
	uint8_t bytes[BLOCK];

	for (uint64_t group = 0; group < groups; group++) {
		const uint8_t *descriptor = bytes + group % count * size;

		if (group % count == 0 &&
		    descriptors_read(device, super, group, bytes, err) < 0)
			return -1;
		blocks += half(descriptor, 0xc);
		inodes += half(descriptor, 0xe);
	}
	super->free = blocks;
	super->inodes_free = (unsigned)inodes;
	return 0;
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

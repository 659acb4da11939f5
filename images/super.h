/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define SUPER_AT   1024
#define SUPER_SIZE 1024

/* The bytes of a block. */
#define BLOCK 4096u

/* What the superblock of an ext4 says, as far as sizes go. */
struct super {
	uint64_t blocks, free; /* in blocks */
	uint64_t overhead;     /* blocks of its own tables; 0: not noted */
	uint64_t kept;	       /* blocks that only root gets */
	unsigned group_blocks; /* blocks of a group ... */
	unsigned group_inodes; /* ... and its inodes */
	unsigned reserved_gdt; /* blocks kept for growing, in each group that has a copy */
	unsigned inode_size;   /* bytes */
	unsigned inodes, inodes_free;
	unsigned descriptor_size;      /* bytes that a group is described in ... */
	unsigned descriptors_together; /* ... and the blocks of them behind the superblock */
	bool dirty; /* it was mounted and not unmounted: the journal has more */
};

/* From SUPER_SIZE bytes; what is no ext4 of ours is ERR_SYSTEM. */
int super_parse(const uint8_t *bytes, struct super *super, struct err *err);

/* The same from a volume's file, or from its device while it is mounted. */
int super_read(int fd, struct super *super, struct err *err);

/*
 * Of a mounted one: set what is free to what it is now, which the superblock learns late.  Read
 * from its device, this takes no lock of the file system and waits for no disk.
 */
int super_free_read(int device, struct super *super, struct err *err);

/*
 * The blocks that the file system gets in @size bytes.  ext4 leaves a last group out that is
 * too small for its own tables.
 */
uint64_t super_blocks(const struct super *super, uint64_t size);

/* Does it fill @size bytes, as far as ext4 can? */
bool super_fills(const struct super *super, uint64_t size);

/* The inodes it has with @blocks: each group brings its own. */
uint64_t super_inodes(const struct super *super, uint64_t blocks);

/* The fewest blocks with which it has that many inodes. */
uint64_t super_blocks_for(const struct super *super, uint64_t inodes);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../images/super.h"
#include "err.h"
#include "own.h"

static uint8_t bytes[SUPER_SIZE];
static struct super super;
static struct err err;

static void put(unsigned at, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		bytes[at + i] = (uint8_t)(value >> 8 * i);
}

/* 1 GiB as mke2fs makes it for nodectl. */
static void one_gib(void)
{
	put(0x0, 65536, 4);
	put(0x4, 262144, 4);
	put(0xc, 249000, 4);
	put(0x10, 65525, 4);
	put(0x18, 2, 4);
	put(0x20, 32768, 4);
	put(0x28, 8192, 4);
	put(0x38, 0xef53, 2);
	put(0x58, 256, 2);
	put(0xce, 127, 2);
	cr_assert_eq(super_parse(bytes, &super, &err), 0, "%s", err.msg);
}

TestSuite(super, .init = one_gib);

Test(super, is_read_field_by_field)
{
	put(0x60, 0x4, 4);
	put(0x150, 1, 4);
	cr_assert_eq(super_parse(bytes, &super, &err), 0);
	cr_expect_eq(super.blocks, 0x100040000ull);
	cr_expect_eq(super.free, 249000);
	cr_expect_eq(super.inodes, 65536);
	cr_expect_eq(super.inodes_free, 65525);
	cr_expect_eq(super.group_inodes, 8192);
	cr_expect(super.dirty);
}

Test(super, of_something_else_is_refused)
{
	put(0x38, 0x1234, 2);
	cr_expect_eq(super_parse(bytes, &super, &err), -1);
	put(0x38, 0xef53, 2);
	put(0x20, 0, 4);
	cr_expect_eq(super_parse(bytes, &super, &err), -1);
	put(0x20, 32768, 4);
	put(0x18, 0, 4);
	cr_expect_eq(super_parse(bytes, &super, &err), -1, "blocks of 1 KiB are not ours");
}

Test(super, last_group_too_small_for_its_tables_is_left_out)
{
	cr_expect_eq(super_blocks(&super, 1ull << 30), 262144);
	cr_expect_eq(super_blocks(&super, (1ull << 30) + (1 << 20)), 262144);
	cr_expect_eq(super_blocks(&super, (1ull << 30) + (64 << 20)), 262144 + 16384);
}

Test(super, first_group_is_there_however_small)
{
	cr_expect_eq(super_blocks(&super, 1 << 20), 256);
}

Test(super, fills_a_size_with_or_without_a_small_last_group)
{
	uint64_t size = (1ull << 30) + (1 << 20);

	cr_expect(super_fills(&super, 1ull << 30));
	cr_expect(super_fills(&super, (1ull << 30) + 4095), "a part of a block is nothing");
	cr_expect(super_fills(&super, size));
	cr_expect_not(super_fills(&super, 2ull << 30));
	cr_expect_not(super_fills(&super, 1ull << 29));
	super.blocks = size / 4096;
	cr_expect(super_fills(&super, size));
}

Test(super, inodes_come_with_groups)
{
	cr_expect_eq(super_inodes(&super, 262144), 65536);
	cr_expect_eq(super_inodes(&super, 262145), 65536 + 8192);
	cr_expect_eq(super_blocks_for(&super, 65537), 9 * 32768);
	cr_expect_eq(super_blocks_for(&super, 65536), 8 * 32768);
}

/* A group's descriptor, in the block of them that lies at @block. */
static void describe(int fd, uint64_t block, unsigned nth, unsigned blocks, unsigned inodes)
{
	const uint8_t counts[] = { (uint8_t)blocks, (uint8_t)(blocks >> 8), (uint8_t)inodes,
				   (uint8_t)(inodes >> 8) };

	cr_assert_eq(pwrite(fd, counts, sizeof(counts),
			    (off_t)(block * BLOCK + nth * super.descriptor_size + 0xc)),
		     (ssize_t)sizeof(counts));
}

static int device_make(uint64_t blocks)
{
	int fd = memfd_create("device", MFD_CLOEXEC);

	super.blocks = blocks;
	cr_assert(fd >= 0 && ftruncate(fd, (off_t)(blocks * BLOCK)) == 0);
	return fd;
}

Test(super, what_is_free_is_added_up_over_the_groups)
{
	own_fd device = device_make(64 * 32768 + 5);

	cr_assert_eq(super.descriptor_size, 32);
	super.descriptor_size = 64;
	describe(device, 1, 0, 32768, 8000);
	describe(device, 1, 63, 1, 190);
	describe(device, 2, 0, 3, 1);
	describe(device, 2, 1, 1000, 1000);
	cr_assert_eq(super_free_read(device, &super, &err), 0, "%s", err.msg);
	cr_expect_eq(super.free, 32768 + 1 + 3);
	cr_expect_eq(super.inodes_free, 8191, "no group is after the last");
}

Test(super, also_where_groups_have_their_descriptors_themselves)
{
	put(0x60, 0x10 | 0x80, 4);
	put(0xfe, 64, 2);
	put(0x104, 1, 4);
	cr_assert_eq(super_parse(bytes, &super, &err), 0, "%s", err.msg);
	own_fd device = device_make(65 * 32768);
	describe(device, 1, 0, 7, 70);
	describe(device, 2, 0, 100, 100);
	describe(device, 64 * 32768, 0, 5, 50);
	cr_assert_eq(super_free_read(device, &super, &err), 0, "%s", err.msg);
	cr_expect_eq(super.free, 12);
	cr_expect_eq(super.inodes_free, 120);

	/* the first block of all is a superblock's */
	super.descriptors_together = 0;
	cr_assert_eq(super_free_read(device, &super, &err), 0, "%s", err.msg);
	cr_expect_eq(super.free, 12);
}

Test(super, descriptors_that_end_early_are_an_error)
{
	own_fd device = device_make(65 * 32768);

	cr_assert_eq(ftruncate(device, 2 * BLOCK), 0);
	cr_expect_eq(super_free_read(device, &super, &err), 0, "%s", err.msg);
	super.descriptor_size = 64;
	cr_expect_eq(super_free_read(device, &super, &err), -1);
}

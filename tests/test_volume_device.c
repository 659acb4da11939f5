/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../images/volume.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

static struct below below;
static struct err err;

/* dev/block/MAJOR:MINOR points to the device's directory, as in /sys. */
static void device(const char *path, const char *number)
{
	own_str full = xasprintf("%s/devices/%s", scratch_path, path);
	own_str link = xasprintf("dev/block/%s", number);
	own_str target = xasprintf("../../devices/%s", path);
	own_str file = xasprintf("devices/%s/dev", path);
	own_str line = xasprintf("%s\n", number);

	cr_assert_eq(dir_make_path(full, 0755, &err), 0, "%s", err.msg);
	cr_assert_eq(symlinkat(target, scratch, link), 0);
	scratch_put(scratch, file, line);
}

static void attribute(const char *path, const char *text)
{
	own_str file = xasprintf("devices/%s", path);
	own_str dir = xasprintf("%s/devices/%s", scratch_path, path);

	*strrchr(dir, '/') = 0;
	cr_assert_eq(dir_make_path(dir, 0755, &err), 0, "%s", err.msg);
	scratch_put(scratch, file, text);
}

static void slave(const char *of, const char *path)
{
	own_str dir = xasprintf("%s/devices/%s/slaves", scratch_path, of);
	own_str name = xasprintf("devices/%s/slaves/%s", of, strrchr(path, '/') + 1);
	own_str target = xasprintf("%s/devices/%s", scratch_path, path);

	cr_assert_eq(dir_make_path(dir, 0755, &err), 0, "%s", err.msg);
	cr_assert_eq(symlinkat(target, scratch, name), 0);
}

static void tree_make(void)
{
	scratch_make();
	own_str links = xasprintf("%s/dev/block", scratch_path);

	cr_assert_eq(dir_make_path(links, 0755, &err), 0, "%s", err.msg);
	device("pci/block/sda", "8:0");
	device("pci/block/sda/sda2", "8:2");
	attribute("pci/block/sda/sda2/partition", "2\n");
	device("pci/block/sdb", "8:16");
	device("virtual/block/loop3", "7:3");
	device("virtual/block/loop4", "7:4");
	attribute("virtual/block/loop3/loop/backing_file", "/srv/a disk.img\n");
	device("virtual/block/dm-0", "253:0");
	attribute("virtual/block/dm-0/dm/uuid", "LVM-xyz\n");
	slave("virtual/block/dm-0", "pci/block/sda/sda2");
	device("virtual/block/dm-1", "253:1");
	attribute("virtual/block/dm-1/dm/uuid", "CRYPT-LUKS2-xyz\n");
	slave("virtual/block/dm-1", "pci/block/sdb");
	device("virtual/block/dm-2", "253:2");
	attribute("virtual/block/dm-2/dm/uuid", "LVM-striped\n");
	slave("virtual/block/dm-2", "pci/block/sda/sda2");
	slave("virtual/block/dm-2", "pci/block/sdb");
	device("virtual/block/md0", "9:0");
	attribute("virtual/block/md0/md/level", "raid1\n");
	slave("virtual/block/md0", "pci/block/sdb");
}

TestSuite(volume_device, .init = tree_make, .fini = scratch_remove);

static int step(unsigned major, unsigned minor)
{
	return volume_device_below(scratch, makedev(major, minor), &below, &err);
}

Test(volume_device, of_a_partition_is_its_disk)
{
	cr_assert_eq(step(8, 2), 1, "%s", err.msg);
	cr_assert_eq(below.device, makedev(8, 0));
	cr_assert_str_empty(below.file);
}

Test(volume_device, of_a_disk_is_itself)
{
	cr_assert_eq(step(8, 0), 0, "%s", err.msg);
	cr_assert_eq(below.device, makedev(8, 0));
	cr_assert_eq(step(7, 4), 0, "%s", err.msg);
}

Test(volume_device, of_a_loop_device_is_that_of_its_file)
{
	cr_assert_eq(step(7, 3), 1, "%s", err.msg);
	cr_assert_str_eq(below.file, "/srv/a disk.img");
}

Test(volume_device, of_a_logical_volume_on_one_disk_is_below)
{
	cr_assert_eq(step(253, 0), 1, "%s", err.msg);
	cr_assert_eq(below.device, makedev(8, 2));
}

Test(volume_device, of_what_writes_in_its_own_name_is_itself)
{
	cr_assert_eq(step(253, 1), 0, "%s", err.msg);
	cr_assert_eq(below.device, makedev(253, 1));
}

Test(volume_device, of_several_disks_is_the_one_above_them)
{
	cr_assert_eq(step(253, 2), 0, "%s", err.msg);
	cr_assert_eq(below.device, makedev(253, 2));
}

/* A mirror that has lost its other half gets it back one day. */
Test(volume_device, of_md_is_itself_however_many_disks_it_has)
{
	cr_assert_eq(step(9, 0), 0, "%s", err.msg);
	cr_assert_eq(below.device, makedev(9, 0));
}

Test(volume_device, of_a_file_system_in_memory_is_refused_by_name)
{
	dev_t found = 1;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	own_fd shm = open("/dev/shm", O_PATH | O_CLOEXEC);
	cr_assert_geq(shm, 0);
	cr_assert_eq(volume_device(shm, &found, &err), -1);
	cr_assert_eq(err.kind, ERR_KERNEL);
	cr_assert_str_eq(err.msg, "the storage is on tmpfs, which has no disk of its own");
	cr_assert_eq(found, 1);
}

Test(volume_device, of_this_machine_is_no_partition)
{
	own_fd dir = open("/var/tmp", O_PATH | O_CLOEXEC);
	char path[64];
	dev_t found;

	if (volume_device(dir, &found, &err) < 0) {
		cr_assert_eq(err.kind, ERR_KERNEL, "%s", err.msg);
		return;
	}
	str_format(path, sizeof(path), "/sys/dev/block/%u:%u", major(found), minor(found));
	cr_assert_eq(access(path, F_OK), 0, "%s", path);
	str_format(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(found),
		   minor(found));
	cr_assert_neq(access(path, F_OK), 0, "%s", path);
}

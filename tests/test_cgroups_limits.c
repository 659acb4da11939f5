/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../cgroups/basis.h"
#include "../cgroups/disk.h"
#include "../cgroups/limits.h"
#include "../cgroups/sum.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

/* A cgroup2 of plain files, with VPSs 17 and 18. */
static struct hierarchies hierarchies;
static int parent = -1;
static struct err err;

static const struct {
	const char *name, *text;
} files[] = {
	{ "memory.min", "0\n" },
	{ "memory.high", "max\n" },
	{ "memory.max", "max\n" },
	{ "memory.swap.max", "0\n" },
	{ "memory.current", "50000000\n" },
	{ "memory.oom.group", "0\n" },
	{ "cpu.max", "max 100000\n" },
	{ "cpu.weight", "100\n" },
	{ "cpuset.cpus", "\n" },
	{ "pids.max", "max\n" },
	{ "io.max", "" },
	{ "guest/memory.min", "0\n" },
};

static void vps_make(const char *name)
{
	cr_assert_eq(mkdirat(parent, name, 0700), 0);
	own_fd dir = openat(parent, name, O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(dir, "guest", 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		scratch_put(dir, files[i].name, files[i].text);
}

static void setup(void)
{
	scratch_make();
	hierarchies = (struct hierarchies){ 0 };
	strcpy(hierarchies.unified, scratch_path);
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
		hierarchies.on_v2[i] = true;
	cr_assert_eq(mkdirat(scratch, "nodectl-vps.service", 0700), 0);
	parent = openat(scratch, "nodectl-vps.service", O_DIRECTORY | O_CLOEXEC);
	scratch_put(parent, "memory.min", "0\n");
	scratch_put(parent, "cpu.weight", "100\n");
	scratch_put(parent, "cpuset.cpus.effective", "0-7\n");
	vps_make("17");
	vps_make("18");
}

static void teardown(void)
{
	close(parent);
	scratch_remove();
}

TestSuite(limits, .init = setup, .fini = teardown);
TestSuite(sums, .init = setup, .fini = teardown);

static const char *first_line(const char *path)
{
	static char text[4096];
	own_fd fd = openat(parent, path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	cr_assert_geq(len, 0, "%s", path);
	text[len] = 0;
	text[strcspn(text, "\n")] = 0;
	return text;
}

static void holds(const char *path, const char *want)
{
	cr_expect_str_eq(first_line(path), want, "%s", path);
}

static int change(const struct limits *limits)
{
	return limits_change(&hierarchies, 17, limits, LIMITS_DIRECT, &err);
}

static const struct limits usual = {
	.memory = 512 << 20,
	.memory_guaranteed = 128 << 20,
	.cpus = 150,
	.cpus_guaranteed = 50,
	.tasks = 200,
};

Test(limits, every_knob_gets_its_value)
{
	cr_assert_eq(change(&usual), 0, "%s", err.msg);
	holds("17/memory.max", "536870912");
	holds("17/memory.high", "528482304");
	holds("17/memory.min", "134217728");
	holds("17/guest/memory.min", "134217728");
	holds("memory.min", "134217728");
	holds("17/cpu.max", "150000 100000");
	holds("17/pids.max", "200");
	holds("18/memory.max", "max");
}

Test(limits, a_cap_leaves_as_many_cpus_as_it_needs)
{
	cr_assert_eq(change(&usual), 0, "%s", err.msg);
	cr_assert_eq(strlen(first_line("17/cpuset.cpus")), 3, "%s",
		     first_line("17/cpuset.cpus"));

	struct limits none = usual;
	none.cpus = 0;
	cr_assert_eq(change(&none), 0, "%s", err.msg);
	holds("17/cpuset.cpus", "0-7");
}

Test(limits, after_a_refusal_everything_is_as_before)
{
	struct limits more = usual;

	cr_assert_eq(change(&usual), 0, "%s", err.msg);
	char cpus[64];
	strcpy(cpus, first_line("17/cpuset.cpus"));
	more.memory = 1 << 30;
	more.memory_guaranteed = 256 << 20;
	more.cpus = 700;
	more.weight = 9;
	more.tasks = 999;
	/* what nobody can write to is the last to be written when memory is raised */
	cr_assert_eq(unlinkat(parent, "17/memory.swap.max", 0), 0);
	cr_assert_eq(mkdirat(parent, "17/memory.swap.max", 0700), 0);

	cr_assert_eq(change(&more), -1);
	cr_expect(strstr(err.msg, "memory.swap.max"), "%s", err.msg);
	holds("17/memory.max", "536870912");
	holds("17/memory.high", "528482304");
	holds("17/memory.min", "134217728");
	holds("17/guest/memory.min", "134217728");
	holds("memory.min", "134217728");
	holds("17/cpu.max", "150000 100000");
	holds("17/cpuset.cpus", cpus);
	holds("17/pids.max", "200");
}

Test(limits, memory_below_what_is_used_is_refused_with_the_figures)
{
	struct limits less = usual;

	cr_assert_eq(change(&usual), 0, "%s", err.msg);
	scratch_put(parent, "17/memory.current", "188743680\n");
	less.memory = 100 << 20;
	less.memory_guaranteed = 0;
	less.tasks = 50;
	cr_assert_eq(change(&less), -1);
	cr_assert_eq(err.kind, ERR_VALUE);
	cr_expect(strstr(err.msg, "memory: 100M is less than the 180M that it uses now"), "%s",
		  err.msg);
	holds("17/memory.max", "536870912");
	holds("17/memory.high", "528482304");
	holds("17/memory.min", "134217728");
	holds("memory.min", "134217728");
	holds("17/pids.max", "200");
}

/* What is not known is not taken for nothing: the kernel would kill for what is too much. */
Test(limits, memory_is_not_lowered_where_what_is_used_cannot_be_read)
{
	struct limits less = usual;

	cr_assert_eq(change(&usual), 0, "%s", err.msg);
	cr_assert_eq(unlinkat(parent, "17/memory.current", 0), 0);
	less.memory = 100 << 20;
	less.memory_guaranteed = 0;
	cr_expect_eq(change(&less), -1);
	holds("17/memory.max", "536870912");
	holds("17/memory.min", "134217728");
}

Test(limits, a_limit_without_its_knob_is_refused_by_name)
{
	cr_assert_eq(unlinkat(parent, "17/pids.max", 0), 0);
	cr_assert_eq(change(&usual), -1);
	cr_assert_eq(err.kind, ERR_KERNEL);
	cr_expect(strstr(err.msg, "the limit of tasks: no 'pids.max'"), "%s", err.msg);
}

Test(limits, or_accepted)
{
	struct limits accepted = usual;

	cr_assert_eq(unlinkat(parent, "17/pids.max", 0), 0);
	accepted.accepted = LIMIT_TASKS;
	cr_assert_eq(change(&accepted), 0, "%s", err.msg);
}

Test(limits, what_nobody_asked_for_may_be_missing)
{
	const struct limits none = { 0 };

	cr_assert_eq(unlinkat(parent, "17/pids.max", 0), 0);
	cr_assert_eq(unlinkat(parent, "17/cpuset.cpus", 0), 0);
	cr_assert_eq(change(&none), 0, "%s", err.msg);
}

Test(limits, speed_of_an_unknown_disk_is_refused_by_name)
{
	struct limits io = usual;

	io.io_read.bytes = 1 << 20;
	cr_assert_eq(change(&io), -1);
	cr_assert_eq(err.kind, ERR_KERNEL);
	cr_expect(strstr(err.msg, "limit of io-read"), "%s", err.msg);
	holds("17/pids.max", "max");
}

Test(limits, of_disks_bfq_or_io_cost_have_weights)
{
	dev_t disk = makedev(254, 0);

	cr_assert_eq(disk_weighing("none mq-deadline [bfq]", "", disk), DISK_BFQ);
	cr_assert_eq(disk_weighing("[none] mq-deadline bfq", "", disk), 0);
	cr_assert_eq(disk_weighing("[none]", "8:0 enable=1\n254:0 enable=1 ctrl=auto\n", disk),
		     DISK_IOCOST);
	cr_assert_eq(disk_weighing("[none]", "8:0 enable=1\n254:0 enable=0 ctrl=auto\n", disk),
		     0);
	cr_assert_eq(disk_lacks(0), LIMIT_IO_READ | LIMIT_IO_WRITE | LIMIT_IO_WEIGHT);
	cr_assert_eq(disk_lacks(DISK_KNOWN), LIMIT_IO_WEIGHT);
	cr_assert_eq(disk_lacks(DISK_KNOWN | DISK_BFQ), 0);
}

/* ---- the sums */

static int minimum(unsigned id, uint64_t bytes)
{
	uint64_t old;

	return sum_set(&hierarchies, SUM_MINIMUM, id, bytes, &old, &err);
}

static int weight(unsigned id, uint64_t value)
{
	uint64_t old;

	return sum_set(&hierarchies, SUM_WEIGHT, id, value, &old, &err);
}

static int leave(enum sum sum, unsigned id)
{
	return sum_leave(&hierarchies, sum, id, &err);
}

/* Attributes of a group are the node's root's. */
static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root may set attributes");
}

Test(sums, the_parent_is_guaranteed_what_all_are)
{
	cr_assert_eq(minimum(17, 40960), 0, "%s", err.msg);
	cr_assert_eq(minimum(18, 8192), 0, "%s", err.msg);
	holds("memory.min", "49152");
	cr_assert_eq(minimum(17, 4096), 0, "%s", err.msg);
	holds("memory.min", "12288");
	holds("17/memory.min", "4096");
	cr_assert_eq(leave(SUM_MINIMUM, 17), 0, "%s", err.msg);
	cr_assert_eq(leave(SUM_MINIMUM, 17), 0, "%s", err.msg);
	cr_assert_eq(leave(SUM_MINIMUM, 18), 0, "%s", err.msg);
	holds("memory.min", "0");
}

Test(sums, a_parent_that_was_reset_has_it_again_after_the_next_change)
{
	cr_assert_eq(minimum(17, 40960), 0, "%s", err.msg);
	scratch_put(parent, "memory.min", "0\n");
	cr_assert_eq(minimum(18, 8192), 0, "%s", err.msg);
	holds("memory.min", "49152");
}

Test(sums, what_nobody_wrote_down_is_added_up)
{
	cr_assert_eq(minimum(17, 40960), 0, "%s", err.msg);
	(void)fremovexattr(parent, "trusted.nodectl.minimum");
	cr_assert_eq(minimum(18, 8192), 0, "%s", err.msg);
	holds("memory.min", "49152");
}

Test(sums, a_refusal_leaves_all_as_it_was)
{
	cr_assert_eq(minimum(17, 40960), 0, "%s", err.msg);
	cr_assert_eq(unlinkat(parent, "18/memory.min", 0), 0);
	/* can be read, and says 65536, and nobody can write it */
	cr_assert_eq(symlinkat("/proc/sys/kernel/ngroups_max", parent, "18/memory.min"), 0);
	(void)fremovexattr(parent, "trusted.nodectl.minimum");
	cr_assert_eq(minimum(18, 81920), -1);
	cr_expect(strstr(err.msg, "memory.min"), "%s", err.msg);
	holds("memory.min", "106496");
	cr_assert_eq(minimum(17, 8192), 0, "%s", err.msg);
	holds("memory.min", "73728");
}

Test(sums, mending_adds_up_what_there_is)
{
	uint64_t want, got;

	cr_assert_eq(minimum(17, 40960), 0, "%s", err.msg);
	scratch_put(parent, "18/memory.min", "4096\n");
	cr_assert_eq(sum_compare(&hierarchies, SUM_MINIMUM, &want, &got, &err), 0);
	cr_assert_eq(want, 45056);
	cr_assert_eq(got, 40960);
	cr_assert_eq(sum_mend(&hierarchies, SUM_MINIMUM, &err), 0, "%s", err.msg);
	holds("memory.min", "45056");
	cr_assert_eq(minimum(17, 0), 0, "%s", err.msg);
	holds("memory.min", "4096");
}

Test(sums, where_there_is_none_it_says_so)
{
	cr_assert_eq(unlinkat(parent, "17/memory.min", 0), 0);
	cr_assert_eq(minimum(17, 4096), -1);
	cr_assert_eq(err.code, ENOENT);
	cr_assert_eq(leave(SUM_MINIMUM, 99), 0);
}

Test(sums, the_parent_weighs_what_keeps_guarantees_against_the_node)
{
	/* half of the CPUs are guaranteed: as much as all of the node's own */
	cr_assert_eq(weight_of_parent(5000, 10000, 300), 300);
	cr_assert_eq(weight_of_parent(7500, 10000, 300), 900);
	cr_assert_eq(weight_of_parent(0, 10000, 300), 100);
	cr_assert_eq(weight_of_parent(9999, 10000, 300), 10000);
	cr_assert_eq(weight_of_parent(10000, 10000, 300), 10000);
	cr_assert_eq(weight_of_parent(20000, 10000, 300), 10000);
	cr_assert_eq(weight_of_parent(51200, 102400, 16384), 16384);
	cr_assert_eq(weight_of_parent(0, 102400, 16384), 1024);
}

Test(sums, only_what_was_set_weighs)
{
	need_root();
	/* 18 is new: it has the kernel's 100, and has added nothing */
	cr_assert_eq(weight(17, 5000), 0, "%s", err.msg);
	holds("17/cpu.weight", "5000");
	holds("cpu.weight", "300");
	cr_assert_eq(weight(18, 2500), 0, "%s", err.msg);
	holds("cpu.weight", "900");
	cr_assert_eq(leave(SUM_WEIGHT, 17), 0, "%s", err.msg);
	cr_assert_eq(leave(SUM_WEIGHT, 17), 0, "%s", err.msg);
	holds("cpu.weight", "100");
	cr_assert_eq(weight(18, 7500), 0, "%s", err.msg);
	holds("cpu.weight", "900");
	scratch_put(parent, "cpu.weight", "1\n");
	cr_assert_eq(sum_mend(&hierarchies, SUM_WEIGHT, &err), 0, "%s", err.msg);
	holds("cpu.weight", "900");
}

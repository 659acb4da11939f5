/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "../cgroups/knobs.h"
#include "test_scratch.h"

static struct basis basis_of(const struct limits *limits)
{
	return (struct basis){
		.limits = limits,
		.weight_of_cpu = 5000,
		.disk = limits->device ? DISK_KNOWN | DISK_BFQ | DISK_IOCOST : 0,
		.all_cpus = "0-3",
		.cpus = "0-1",
		.mems = "0",
	};
}

/* The value that a plan has for a knob, "" when it has no such knob. */
static const char *planned(const struct limits *limits, enum controller controller,
			   unsigned version, const char *name)
{
	static struct knob knobs[KNOB_MAX];
	struct basis basis = basis_of(limits);
	unsigned count = knobs_plan(&basis, controller, version, knobs);

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(knobs[i].name, name) == 0)
			return knobs[i].value;
	}
	return "";
}

Test(knobs, zero_means_no_limit_but_no_swap_at_all)
{
	struct limits limits = { 0 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.max"), "max");
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.high"), "max");
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.swap.max"), "0");
	cr_assert_str_eq(planned(&limits, CONTROLLER_CPU, 2, "cpu.max"), "max 100000");
	cr_assert_str_eq(planned(&limits, CONTROLLER_PIDS, 2, "pids.max"), "max");
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 1, "memory.limit_in_bytes"), "-1");
	cr_assert_str_eq(planned(&limits, CONTROLLER_CPU, 1, "cpu.cfs_quota_us"), "-1");
}

Test(knobs, reclaim_starts_a_64th_below_the_limit)
{
	struct limits limits = { .memory = 1 << 30 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.max"), "1073741824");
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.high"), "1056964608");
}

Test(knobs, bytes_become_whole_pages_and_never_none)
{
	cr_assert_eq(page_round(1), 4096);
	cr_assert_eq(page_round(10000), 8192);
}

Test(knobs, v1_limits_memory_and_swap_as_one_sum)
{
	struct limits limits = { .memory = 64 << 20, .swap = 32 << 20 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 1, "memory.memsw.limit_in_bytes"),
			 "100663296");
}

Test(knobs, one_and_a_half_cpus_are_150_ms_of_every_100)
{
	struct limits limits = { .cpus = 150 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_CPU, 2, "cpu.max"), "150000 100000");
	cr_assert_str_eq(planned(&limits, CONTROLLER_CPU, 1, "cpu.cfs_quota_us"), "150000");
}

Test(knobs, a_guarantee_is_worth_its_part_of_all_weight)
{
	struct limits limits = { .cpus_guaranteed = 50 };

	cr_assert_eq(weight_of(&limits, 5000), 2500);
	limits.cpus_guaranteed = 200;
	cr_assert_eq(weight_of(&limits, 5000), 10000);
	limits.cpus_guaranteed = 1;
	cr_assert_eq(weight_of(&limits, 10000 / 256), 1);
}

Test(knobs, no_part_of_a_guarantee_is_rounded_away)
{
	const struct limits limits = { .cpus_guaranteed = 5 };

	cr_assert_eq(weight_of(&limits, 10000 / 64), 8, "5 %% of 156 are 7.8");
}

Test(knobs, without_a_guarantee_a_thousandth_of_a_cpu_is_left)
{
	struct limits limits = { 0 };

	cr_assert_eq(weight_of(&limits, 5000), 5);
	cr_assert_eq(weight_of(&limits, 10000 / 64), 1);
}

Test(knobs, a_weight_that_was_given_is_taken_as_it_is)
{
	struct limits limits = { .cpus_guaranteed = 100, .weight = 77 };

	cr_assert_eq(weight_of(&limits, 5000), 77);
}

Test(knobs, the_weight_of_systemds_default_is_the_default_number_of_shares)
{
	cr_assert_eq(shares_of_weight(100), 1024);
	cr_assert_eq(shares_of_weight(1), 10);
	cr_assert_eq(shares_of_weight(10000), 102400);
}

/* Which of the two is written first when @memsw is in force. */
static const char *first_of(uint64_t memory, uint64_t memsw)
{
	static struct knob knobs[KNOB_MAX];
	struct limits limits = { .memory = memory };
	struct basis basis = basis_of(&limits);
	unsigned count = knobs_plan(&basis, CONTROLLER_MEMORY, 1, knobs);

	knobs_order(knobs, count, memsw);
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(knobs[i].name, "memory.soft_limit_in_bytes") != 0)
			return knobs[i].name;
	}
	return "";
}

Test(knobs, v1_raises_the_sum_first_and_lowers_it_last)
{
	cr_assert_str_eq(first_of(2 << 20, 1 << 20), "memory.memsw.limit_in_bytes");
	cr_assert_str_eq(first_of(1 << 20, 2 << 20), "memory.limit_in_bytes");
	cr_assert_str_eq(first_of(0, 2 << 20), "memory.memsw.limit_in_bytes");
	cr_assert_str_eq(first_of(1 << 20, UINT64_MAX), "memory.limit_in_bytes");
}

/* Memory of one VPS as the kernel has it, of either version. */
struct memory {
	uint64_t min, high, max,
	    swap; /* max is memory.limit_in_bytes, swap memory + swap on v1 */
};

static uint64_t *figure_of(struct memory *memory, const char *name)
{
	if (strcmp(name, "memory.min") == 0 || strcmp(name, "memory.soft_limit_in_bytes") == 0)
		return &memory->min;
	if (strcmp(name, "memory.high") == 0)
		return &memory->high;
	if (strcmp(name, "memory.max") == 0 || strcmp(name, "memory.limit_in_bytes") == 0)
		return &memory->max;
	if (strcmp(name, "memory.swap.max") == 0 ||
	    strcmp(name, "memory.memsw.limit_in_bytes") == 0)
		return &memory->swap;
	return NULL;
}

static unsigned memory_plan(const struct limits *limits, unsigned version, struct knob *knobs)
{
	struct basis basis = basis_of(limits);

	return knobs_plan(&basis, CONTROLLER_MEMORY, version, knobs);
}

static struct memory memory_of(const struct limits *limits, unsigned version)
{
	static struct knob knobs[KNOB_MAX];
	unsigned count = memory_plan(limits, version, knobs);
	struct memory memory = { .high = UINT64_MAX };

	for (unsigned i = 0; i < count; i++) {
		uint64_t *figure = figure_of(&memory, knobs[i].name);

		if (figure)
			*figure = knob_bytes(knobs[i].value);
	}
	return memory;
}

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static void is_sound(const struct memory *now, const struct memory *before,
		     const struct memory *after, unsigned version)
{
	cr_assert_leq(now->max, larger(before->max, after->max));
	cr_assert_leq(now->swap, larger(before->swap, after->swap));
	if (version == 1) {
		cr_assert_leq(now->max, now->swap);
		return;
	}
	cr_assert_leq(now->min, now->high);
	cr_assert_leq(now->high, now->max);
}

/* No step of it breaks what each end keeps. */
static void change_is_sound(const struct limits *from, const struct limits *to,
			    unsigned version)
{
	static struct knob knobs[KNOB_MAX];
	unsigned count = memory_plan(to, version, knobs);
	struct memory before = memory_of(from, version), after = memory_of(to, version);
	struct memory now = before;

	knobs_order(knobs, count, version == 2 ? before.max : before.swap);
	for (unsigned i = 0; i < count; i++) {
		uint64_t *figure = figure_of(&now, knobs[i].name);

		if (figure)
			*figure = knob_bytes(knobs[i].value);
		is_sound(&now, &before, &after, version);
	}
}

static struct limits random_limits(uint64_t *seed)
{
	uint64_t memory = random_next(seed) % 5 ? (random_next(seed) % 1000 + 1) << 20 : 0;
	/* what memory.high leaves */
	uint64_t most = ((memory ? memory - memory / 64 : UINT64_C(1) << 30) >> 20) + 1;

	return (struct limits){
		.memory = memory,
		.memory_guaranteed = random_next(seed) % 3 ? random_next(seed) % most << 20 : 0,
		.swap = random_next(seed) % 2 ? (random_next(seed) % 1000) << 20 : 0,
	};
}

Test(knobs, no_moment_of_a_change_breaks_an_order_or_lifts_a_limit)
{
	uint64_t seed = 4;

	for (int i = 0; i < 20000; i++) {
		struct limits from = random_limits(&seed), to = random_limits(&seed);

		change_is_sound(&from, &to, 1);
		change_is_sound(&from, &to, 2);
	}
}

Test(knobs, what_is_guaranteed_is_kept_on_both_groups)
{
	struct limits limits = { .memory = 1 << 30, .memory_guaranteed = 256 << 20 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.min"), "268435456");
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "guest/memory.min"),
			 "268435456");
}

Test(knobs, the_guest_can_always_make_room_within_its_own_limit)
{
	struct limits limits = { .memory = 64 << 20, .memory_guaranteed = 64 << 20 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "memory.min"), "67108864");
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "guest/memory.min"),
			 "50331648");
	limits.memory = 0;
	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 2, "guest/memory.min"),
			 "67108864");
}

Test(knobs, v1_reclaims_first_what_nobody_was_guaranteed)
{
	struct limits limits = { .memory = 1 << 30 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_MEMORY, 1, "memory.soft_limit_in_bytes"),
			 "0");
}

static struct limits io_example(void)
{
	return (struct limits){
		.device = makedev(254, 16),
		.io_read = { .bytes = 50 << 20 },
		.io_write = { .bytes = 20 << 20, .ops = 500 },
	};
}

Test(knobs, speed_of_a_disk_is_one_line_for_it)
{
	struct limits limits = io_example();

	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 2, "io.max"),
			 "254:16 rbps=52428800 wbps=20971520 riops=max wiops=500");
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 1, "blkio.throttle.read_bps_device"),
			 "254:16 52428800");
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 1, "blkio.throttle.write_iops_device"),
			 "254:16 500");
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 1, "blkio.throttle.read_iops_device"),
			 "254:16 0");
}

Test(knobs, without_a_disk_there_is_nothing_to_say_about_its_speed)
{
	struct limits limits = io_example();

	limits.device = 0;
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 2, "io.max"), "");
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 2, "io.weight"), "");
}

Test(knobs, the_weight_of_a_disk_is_scaled_for_bfq)
{
	struct limits limits = io_example();

	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 2, "io.weight"), "100");
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 2, "io.bfq.weight"), "100");
	limits.io_weight = 10000;
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 2, "io.weight"), "10000");
	cr_assert_str_eq(planned(&limits, CONTROLLER_IO, 1, "blkio.bfq.weight"), "1000");
	cr_assert_eq(bfq_of_weight(1), 1);
}

Test(knobs, no_huge_page_is_used_or_reserved)
{
	struct limits limits = { 0 };

	cr_assert_str_eq(planned(&limits, CONTROLLER_HUGETLB, 2, "hugetlb.2MB.max"), "0");
	cr_assert_str_eq(planned(&limits, CONTROLLER_HUGETLB, 2, "hugetlb.1GB.rsvd.max"), "0");
	cr_assert_str_eq(planned(&limits, CONTROLLER_HUGETLB, 1, "hugetlb.2MB.limit_in_bytes"),
			 "0");
}

Test(knobs, there_is_room_for_all_of_a_controller)
{
	struct limits limits = io_example();
	static struct knob knobs[KNOB_MAX * 2];
	struct basis basis = basis_of(&limits);

	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		cr_assert_leq(knobs_plan(&basis, i, 1, knobs), KNOB_MAX);
		cr_assert_leq(knobs_plan(&basis, i, 2, knobs), KNOB_MAX);
	}
}

static bool matches(enum knob_kind kind, const char *want, const char *file)
{
	struct knob knob = { .kind = kind };
	char got[KNOB_TEXT];

	strcpy(knob.value, want);
	knob_text(&knob, file, got, sizeof(got));
	return knob_matches(&knob, got);
}

Test(knobs, what_v1_shows_for_no_limit_is_accepted)
{
	cr_assert(matches(KNOB_BYTES, "-1", "9223372036854771712\n"));
	cr_assert(matches(KNOB_BYTES, "-1", "-1\n"));
	cr_assert_not(matches(KNOB_BYTES, "-1", "4096\n"));
	cr_assert_not(matches(KNOB_BYTES, "4096", "8192\n"));
	cr_assert_not(matches(KNOB_PLAIN, "-1", "9223372036854771712\n"));
}

Test(knobs, a_default_is_the_first_line)
{
	cr_assert(matches(KNOB_DEFAULT, "300", "default 300\n254:0 100\n"));
	cr_assert_not(matches(KNOB_DEFAULT, "100", "default 300\n254:0 100\n"));
}

Test(knobs, of_many_disks_only_ours_counts)
{
	const char *file = "8:0 rbps=1 wbps=max riops=max wiops=max\n"
			   "254:0 rbps=max wbps=2 riops=max wiops=max\n";

	cr_assert(matches(KNOB_DEVICE, "254:0 rbps=max wbps=2 riops=max wiops=max", file));
	cr_assert_not(matches(KNOB_DEVICE, "254:0 rbps=1 wbps=2 riops=max wiops=max", file));
	cr_assert_not(matches(KNOB_DEVICE, "54:0 rbps=1 wbps=max riops=max wiops=max", file));
}

Test(knobs, a_disk_without_a_line_has_no_limit)
{
	cr_assert(matches(KNOB_DEVICE, "254:0 rbps=max wbps=max riops=max wiops=max", ""));
	cr_assert(matches(KNOB_DEVICE, "254:0 0", "8:0 5\n"));
	cr_assert_not(matches(KNOB_DEVICE, "254:0 5", "8:0 5\n"));
}

Test(knobs, where_all_cpus_may_be_used_nothing_needs_to_be_said)
{
	cr_assert(matches(KNOB_CPUS, "0-3", "\n"));
	cr_assert(matches(KNOB_CPUS, "0-3", "0-3\n"));
	cr_assert_not(matches(KNOB_CPUS, "0-3", "0-1\n"));
	cr_assert_not(matches(KNOB_PLAIN, "0-1", "\n"));
}

Test(knobs, no_text_at_all_is_a_value_too)
{
	cr_assert(matches(KNOB_PLAIN, "", "\n"));
	cr_assert_not(matches(KNOB_PLAIN, "", "0-1\n"));
}

Test(knobs, swap_is_asked_for_even_when_none_is)
{
	struct limits limits = { 0 };

	cr_assert_eq(cgroup_asked(&limits), LIMIT_SWAP);
	limits.tasks = 1;
	limits.io_read.ops = 1;
	limits.cpus_guaranteed = 1;
	cr_assert_eq(cgroup_asked(&limits),
		     LIMIT_SWAP | LIMIT_TASKS | LIMIT_IO_READ | LIMIT_CPU_GUARANTEE);
}

Test(knobs, a_limit_is_found_by_its_name)
{
	cr_assert_str_eq(limit_name(LIMIT_CPU), "cpus");
	for (unsigned bit = LIMIT_MEMORY; bit <= LIMIT_IO_WEIGHT; bit <<= 1)
		cr_assert_eq(limit_by_name(limit_name(bit)), bit);
	cr_assert_eq(limit_by_name("disk"), 0);
	cr_assert_eq(limit_by_name(""), 0);
}

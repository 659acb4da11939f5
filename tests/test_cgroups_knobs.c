/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "../cgroups/knobs.h"

/* The value that a plan has for a knob, "" when it has no such knob. */
static const char *planned(const struct limits *limits, enum controller controller,
			   unsigned version, const char *name)
{
	static struct knob knobs[KNOB_MAX];
	unsigned count = knobs_plan(limits, controller, version, knobs);

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
	unsigned count = knobs_plan(&limits, CONTROLLER_MEMORY, 1, knobs);

	knobs_order(knobs, count, memsw);
	return knobs[0].name;
}

Test(knobs, v1_raises_the_sum_first_and_lowers_it_last)
{
	cr_assert_str_eq(first_of(2 << 20, 1 << 20), "memory.memsw.limit_in_bytes");
	cr_assert_str_eq(first_of(1 << 20, 2 << 20), "memory.limit_in_bytes");
	cr_assert_str_eq(first_of(0, 2 << 20), "memory.memsw.limit_in_bytes");
	cr_assert_str_eq(first_of(1 << 20, UINT64_MAX), "memory.limit_in_bytes");
}

Test(knobs, what_v1_shows_for_no_limit_is_accepted)
{
	cr_assert(knob_matches("-1", "9223372036854771712"));
	cr_assert(knob_matches("-1", "-1"));
	cr_assert_not(knob_matches("-1", "4096"));
	cr_assert_not(knob_matches("4096", "8192"));
}

Test(knobs, swap_is_asked_for_even_when_none_is)
{
	struct limits limits = { 0 };

	cr_assert_eq(cgroup_asked(&limits), LIMIT_SWAP);
	limits.tasks = 1;
	cr_assert_eq(cgroup_asked(&limits), LIMIT_SWAP | LIMIT_TASKS);
}

Test(knobs, a_limit_is_found_by_its_name)
{
	cr_assert_str_eq(limit_name(LIMIT_CPU), "cpus");
	for (unsigned bit = LIMIT_MEMORY; bit <= LIMIT_TASKS; bit <<= 1)
		cr_assert_eq(limit_by_name(limit_name(bit)), bit);
	cr_assert_eq(limit_by_name("disk"), 0);
	cr_assert_eq(limit_by_name(""), 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/again.h"

#include <criterion/criterion.h>

#include "test_scratch.h"

#define NOW 1800000000

TestSuite(again, .init = scratch_make, .fini = scratch_remove);

/* Note that it has ended, and what to wait then. */
static int pause_at(enum again why, time_t now)
{
	return again_pause(why, again_note(scratch, why, now));
}

Test(again, crashes_are_given_up_after_five_within_a_minute)
{
	static const int pauses[] = { 0, 1, 2, 4, 8, -1, -1 };

	for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++)
		cr_expect_eq(pause_at(AGAIN_CRASHED, NOW + 2 * (time_t)i), pauses[i], "%zu", i);
}

Test(again, a_crash_counts_for_a_minute)
{
	cr_expect_eq(pause_at(AGAIN_CRASHED, NOW), 0);
	cr_expect_eq(pause_at(AGAIN_CRASHED, NOW + 60), 1);
	cr_expect_eq(pause_at(AGAIN_CRASHED, NOW + 121), 0);
}

Test(again, three_reboots_are_no_reason_to_wait)
{
	for (int day = 0; day < 3; day++) {
		for (int i = 0; i < 3; i++)
			cr_expect_eq(pause_at(AGAIN_REBOOTED, NOW + day * 86400 + i), 0);
	}
}

Test(again, reboots_are_paused_and_never_given_up)
{
	static const int pauses[] = { 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60 };
	time_t now = NOW;

	for (int i = 0; i < 10000; i++) {
		int want = pauses[i < 12 ? i : 11];
		int pause = pause_at(AGAIN_REBOOTED, now);

		cr_assert_eq(pause, want, "%d after the reboot number %d", pause, i);
		now += pause;
	}
}

Test(again, who_reboots_as_often_as_he_can_is_counted)
{
	unsigned count = 0;
	time_t now = NOW;

	/* until the first of them are older than what counts */
	for (int i = 1; now <= NOW + AGAIN_REBOOT_MINUTES * 60; i++) {
		count = again_note(scratch, AGAIN_REBOOTED, now);
		cr_assert_eq(count, i);
		now += again_pause(AGAIN_REBOOTED, count);
	}
	cr_expect_geq(count, 15);
}

Test(again, crashes_and_reboots_are_no_matter_of_each_other)
{
	for (int i = 0; i < 5; i++)
		(void)pause_at(AGAIN_CRASHED, NOW);
	cr_expect_eq(pause_at(AGAIN_REBOOTED, NOW), 0);
	cr_expect_eq(pause_at(AGAIN_CRASHED, NOW), -1);
}

Test(again, both_are_forgotten)
{
	for (int i = 0; i < 6; i++) {
		(void)pause_at(AGAIN_CRASHED, NOW);
		(void)pause_at(AGAIN_REBOOTED, NOW);
	}
	again_forget(scratch);
	cr_expect_eq(scratch_count(scratch), 0);
	cr_expect_eq(pause_at(AGAIN_CRASHED, NOW), 0);
	cr_expect_eq(pause_at(AGAIN_REBOOTED, NOW), 0);
}

Test(again, a_clock_that_is_set_back_makes_nobody_wait)
{
	for (int i = 0; i < 12; i++)
		(void)pause_at(AGAIN_REBOOTED, NOW);
	cr_expect_eq(pause_at(AGAIN_REBOOTED, NOW - 86400), 0);
}

Test(again, what_cannot_be_read_counts_for_nothing)
{
	scratch_put(scratch, "reboots", "nonsense 1799999999 1799999998 1799999997 ");
	cr_expect_eq(pause_at(AGAIN_REBOOTED, NOW), 0);
	/* as it was written before: missing ones are 0 */
	scratch_put(scratch, "crashes", "1799999999 0 0 0 0 ");
	cr_expect_eq(pause_at(AGAIN_CRASHED, NOW), 1);
}

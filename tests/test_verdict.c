/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <math.h>

#include "../node/lab.h"
#include "own.h"

static enum verdict cap(double one, double rest, double held)
{
	const struct cpu_seen seen = { .one = one, .rest = rest, .held = held };

	return cpu_cap_judge(0.5, &seen).verdict;
}

static enum verdict weight(double one, double other, double rest)
{
	const struct cpu_seen seen = { .one = one, .other = other, .rest = rest };

	return cpu_weight_judge(3, &seen).verdict;
}

static enum verdict guarantee(double one, double rest)
{
	const struct cpu_seen seen = { .one = one, .other = 1.5, .rest = rest };

	return cpu_guarantee_judge(0.5, &seen).verdict;
}

Test(verdict, a_cap_is_kept_within_three_percent)
{
	cr_expect_eq(cap(0.5, 0, 1), VERDICT_PASS);
	cr_expect_eq(cap(0.514, 0, 1), VERDICT_PASS);
	cr_expect_eq(cap(0.486, 0, 1), VERDICT_PASS);
	cr_expect_eq(cap(0.517, 0, 1), VERDICT_FAIL);
	cr_expect_eq(cap(0.483, 0, 1), VERDICT_FAIL);
}

Test(verdict, more_than_the_cap_is_a_failure_on_a_busy_node_too)
{
	cr_expect_eq(cap(0.6, 1.4, 0), VERDICT_FAIL);
}

Test(verdict, less_than_the_cap_is_blamed_on_others_only_when_the_cap_did_not_stop_it)
{
	cr_expect_eq(cap(0.3, 1.7, 0.2), VERDICT_UNSUPPORTED);
	cr_expect_eq(cap(0.25, 1.7, 1), VERDICT_FAIL);
}

Test(verdict, periods_that_were_not_held_may_have_been_lost_whole)
{
	/* one in twelve was not: 8 % may be missing, and not 15 */
	cr_expect_eq(cap(0.46, 1.5, 11.0 / 12), VERDICT_UNSUPPORTED);
	cr_expect_eq(cap(0.425, 1.5, 11.0 / 12), VERDICT_FAIL);
}

static struct proof speed(double measured)
{
	const struct proof proof = proof_of("io-read", 1000, measured, "bytes/s");

	return speed_judge(&proof, 0.1, "disk");
}

Test(verdict, a_speed_is_not_exceeded)
{
	cr_expect_eq(speed(1000).verdict, VERDICT_PASS);
	cr_expect_eq(speed(1090).verdict, VERDICT_PASS);
	cr_expect_eq(speed(850).verdict, VERDICT_PASS);
	cr_expect_eq(speed(1110).verdict, VERDICT_FAIL);
}

Test(verdict, what_is_far_too_slow_proves_nothing)
{
	const struct proof slow = speed(700);

	cr_expect_eq(slow.verdict, VERDICT_UNSUPPORTED);
	cr_expect_str_eq(slow.reason, "this disk is too slow, or too busy, to show the limit");
	cr_expect_eq(slow.measured, 700);
}

Test(verdict, less_than_the_cap_with_nobody_else_there_is_a_failure)
{
	cr_expect_eq(cap(0.3, 0.05, 0), VERDICT_FAIL);
}

Test(verdict, weights_are_kept_within_five_percent)
{
	cr_expect_eq(weight(0.5, 1.5, 0), VERDICT_PASS);
	cr_expect_eq(weight(0.49, 1.51, 0), VERDICT_PASS);
	cr_expect_eq(weight(0.55, 1.45, 0), VERDICT_FAIL);
	cr_expect_eq(weight(0.44, 1.56, 0), VERDICT_FAIL);
}

Test(verdict, what_others_took_excuses_as_much_and_not_more)
{
	/* fair would be 0.45 and 1.35 */
	cr_expect_eq(weight(0.5, 1.3, 0.2), VERDICT_UNSUPPORTED);
	cr_expect_eq(weight(0.9, 0.9, 0.2), VERDICT_FAIL);
}

Test(verdict, nothing_for_either_is_no_proof)
{
	cr_expect_neq(weight(0, 0, 0), VERDICT_PASS);
	cr_expect_eq(weight(0, 2, 0), VERDICT_FAIL);
}

Test(verdict, of_a_guarantee_97_percent_must_be_had)
{
	cr_expect_eq(guarantee(0.49, 0), VERDICT_PASS);
	cr_expect_eq(guarantee(1.2, 0), VERDICT_PASS);
	cr_expect_eq(guarantee(0.48, 0), VERDICT_FAIL);
	cr_expect_eq(guarantee(0.1, 0.1), VERDICT_FAIL);
	cr_expect_eq(guarantee(0.4, 0.3), VERDICT_UNSUPPORTED);
}

Test(verdict, a_reason_has_the_figures)
{
	const struct cpu_seen seen = { .one = 0.25, .other = 1.7, .rest = 0.04 };
	struct proof proof = cpu_guarantee_judge(0.5, &seen);

	cr_assert_str_eq(proof.reason,
			 "50.0 % of it, beside one that took 1.70 cores and 0.04 taken by "
			 "others");
	cr_assert_str_eq(proof.unit, "cores");
	cr_assert_float_eq(proof.promised, 0.5, 1e-9);
	cr_assert_float_eq(proof.measured, 0.25, 1e-9);
	cr_assert_str_eq(cpu_cap_judge(0.25, &seen).reason, "");
}

static struct proof attempt(enum verdict verdict, double measured)
{
	struct proof proof = proof_of("cpu-cap", 1, measured, "cores");

	proof.verdict = verdict;
	return proof;
}

Test(verdict, one_attempt_that_passes_is_enough)
{
	const struct proof proofs[] = { attempt(VERDICT_FAIL, 1),
					attempt(VERDICT_UNSUPPORTED, 2),
					attempt(VERDICT_PASS, 3) };

	cr_assert_eq(proof_best(proofs, ARRAY_SIZE(proofs)).measured, 3);
}

Test(verdict, only_what_fails_each_time_is_a_failure)
{
	const struct proof proofs[] = { attempt(VERDICT_FAIL, 1),
					attempt(VERDICT_UNSUPPORTED, 2),
					attempt(VERDICT_FAIL, 3) };

	cr_expect_eq(proof_best(proofs, 3).verdict, VERDICT_UNSUPPORTED);
	cr_expect_eq(proof_best(proofs, 1).verdict, VERDICT_FAIL);
}

Test(verdict, each_has_a_word)
{
	cr_expect_str_eq(verdict_name(VERDICT_PASS), "PASS");
	cr_expect_str_eq(verdict_name(VERDICT_FAIL), "FAIL");
	cr_expect_str_eq(verdict_name(VERDICT_UNSUPPORTED), "UNSUPPORTED");
}

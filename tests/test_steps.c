/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../runtime/steps.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include "own.h"

/* What the fake steps did: a letter each, in upper case when it was applied. */
static char trace[32];
static struct err err;

static int did(const char *what)
{
	strcat(trace, what);
	return 0;
}

static int a_apply(struct start *start, struct err *failure)
{
	(void)start;
	(void)failure;
	return did("A");
}

static int b_apply(struct start *start, struct err *failure)
{
	(void)start;
	(void)failure;
	return did("B");
}

static int c_apply(struct start *start, struct err *failure)
{
	(void)start;
	(void)failure;
	return did("C");
}

static int c_fails(struct start *start, struct err *failure)
{
	(void)start;
	did("C");
	return fail(failure, ENOSPC, "cannot make c");
}

static int a_undo(struct start *start, struct err *failure)
{
	(void)start;
	(void)failure;
	return did("a");
}

static int b_undo(struct start *start, struct err *failure)
{
	(void)start;
	(void)failure;
	return did("b");
}

static int c_undo(struct start *start, struct err *failure)
{
	(void)start;
	(void)failure;
	return did("c");
}

static int a_stays(struct start *start, struct err *failure)
{
	(void)start;
	did("a");
	return fail(failure, EBUSY, "a is in use");
}

static int b_stays(struct start *start, struct err *failure)
{
	(void)start;
	did("b");
	return fail_as(failure, ERR_NOT_STOPPED, "b lives");
}

static const struct step good[] = {
	{ "first", a_apply, a_undo, FAST },
	{ "second", b_apply, b_undo, SLOW },
	{ "third", c_apply, c_undo, FAST },
};

Test(steps, are_applied_in_order)
{
	cr_expect_eq(steps_apply(good, ARRAY_SIZE(good), NULL, &err), 0);
	cr_expect_str_eq(trace, "ABC");
}

Test(steps, are_undone_in_reverse)
{
	cr_expect_eq(steps_undo(good, ARRAY_SIZE(good), NULL, &err), 0);
	cr_expect_str_eq(trace, "cba");
}

Test(steps, that_are_slow_are_left_out_of_a_fast_undo)
{
	cr_expect_eq(steps_undo_fast(good, ARRAY_SIZE(good), NULL, &err), 0);
	cr_expect_str_eq(trace, "ca");
}

Test(steps, none_is_no_failure)
{
	cr_expect_eq(steps_apply(good, 0, NULL, &err), 0);
	cr_expect_eq(steps_undo(good, 0, NULL, &err), 0);
	cr_expect_str_eq(trace, "");
}

Test(steps, failure_undoes_in_reverse_and_names_the_step)
{
	static const struct step steps[] = {
		{ "first", a_apply, a_undo, FAST },
		{ "second", b_apply, b_undo, SLOW },
		{ "third", c_fails, c_undo, FAST },
		{ "fourth", a_apply, a_undo, FAST },
	};

	cr_expect_eq(steps_apply(steps, ARRAY_SIZE(steps), NULL, &err), -1);
	cr_expect_str_eq(trace, "ABCcba", "the failed one is half done and undone too");
	cr_expect_str_eq(err.msg, "third: cannot make c: No space left on device");
	cr_expect_eq(err.kind, ERR_NO_SPACE);
	cr_expect_eq(err.code, ENOSPC);
}

Test(steps, why_it_failed_matters_more_than_what_the_undo_says)
{
	static const struct step steps[] = {
		{ "first", a_apply, a_stays, FAST },
		{ "second", b_apply, b_stays, FAST },
		{ "third", c_fails, c_undo, FAST },
	};

	cr_expect_eq(steps_apply(steps, ARRAY_SIZE(steps), NULL, &err), -1);
	cr_expect_str_eq(trace, "ABCcb");
	cr_expect_str_eq(err.msg, "third: cannot make c: No space left on device");
}

/* The first one is the record by which the next command finds what is left. */
Test(steps, undo_goes_on_after_a_failure_reports_the_first_and_keeps_the_record)
{
	static const struct step steps[] = {
		{ "first", c_apply, c_undo, FAST },
		{ "second", a_apply, a_undo, FAST },
		{ "third", b_apply, b_stays, FAST },
		{ "fourth", a_apply, a_stays, FAST },
	};

	cr_expect_eq(steps_undo(steps, ARRAY_SIZE(steps), NULL, &err), -1);
	cr_expect_str_eq(trace, "aba");
	cr_expect_str_eq(err.msg, "undo of fourth: a is in use: Device or resource busy");
}

Test(steps, that_leave_nothing_need_no_undo)
{
	static const struct step steps[] = {
		{ "first", a_apply, a_undo, FAST },
		{ "second", b_apply, NULL, FAST },
		{ "third", c_fails, NULL, FAST },
	};

	cr_expect_eq(steps_apply(steps, ARRAY_SIZE(steps), NULL, &err), -1);
	cr_expect_str_eq(trace, "ABCa");
}

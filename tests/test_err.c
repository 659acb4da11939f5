/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include "own.h"

/* A failure with a guard behind it, and a text longer than any message. */
static struct {
	struct err err;
	char guard[8];
} guarded;
static char endless[1000];

static void guard_make(void)
{
	memset(&guarded, 'g', sizeof(guarded));
	memset(endless, 'x', sizeof(endless) - 1);
}

static void cut_and_ended(void)
{
	cr_expect_eq(strlen(guarded.err.msg), sizeof(guarded.err.msg) - 1);
	cr_expect_arr_eq(guarded.guard, "gggggggg", 8);
}

TestSuite(err, .init = guard_make);

Test(err, an_errno_is_said_after_the_text)
{
	struct err err;

	cr_assert_eq(fail(&err, ENOENT, "cannot open '%s'", "x"), -1);
	cr_expect_str_eq(err.msg, "cannot open 'x': No such file or directory");
	cr_expect_eq(err.code, ENOENT);
	cr_expect_eq(err.kind, ERR_SYSTEM);
}

Test(err, without_errno_nothing_is_added)
{
	struct err err;

	cr_assert_eq(fail(&err, 0, "it is %d", 7), -1);
	cr_expect_str_eq(err.msg, "it is 7");
	cr_expect_eq(err.code, 0);
	cr_expect_eq(err.kind, ERR_SYSTEM);
}

Test(err, a_full_disk_and_a_full_quota_have_a_kind_of_their_own)
{
	struct err err;

	fail(&err, ENOSPC, "x");
	cr_expect_eq(err.kind, ERR_NO_SPACE);
	fail(&err, EDQUOT, "x");
	cr_expect_eq(err.kind, ERR_NO_SPACE);
}

Test(err, a_failure_with_a_kind_has_no_errno)
{
	struct err err = { .code = EIO };

	cr_assert_eq(fail_as(&err, ERR_LOCKED, "locked by %s", "me"), -1);
	cr_expect_str_eq(err.msg, "locked by me");
	cr_expect_eq(err.kind, ERR_LOCKED);
	cr_expect_eq(err.code, 0);
}

Test(err, the_place_is_put_in_front_and_the_rest_stays)
{
	struct err err;

	fail(&err, ENOSPC, "cannot write");
	cr_assert_eq(fail_in(&err, "%s", "web1"), -1);
	cr_assert_eq(fail_in(&err, "create"), -1);
	cr_expect_str_eq(err.msg, "create: web1: cannot write: No space left on device");
	cr_expect_eq(err.kind, ERR_NO_SPACE);
	cr_expect_eq(err.code, ENOSPC);
}

Test(err, the_place_may_quote_the_failure_itself)
{
	struct err err;

	fail_as(&err, ERR_VALUE, "bad");
	fail_in(&err, "'%.2s'", "abc");
	cr_expect_str_eq(err.msg, "'ab': bad");
}

Test(err, a_text_too_long_is_cut)
{
	fail(&guarded.err, EIO, "%s", endless);
	cut_and_ended();
}

Test(err, a_text_too_long_of_a_kind_is_cut)
{
	fail_as(&guarded.err, ERR_VALUE, "%s", endless);
	cut_and_ended();
}

Test(err, a_cause_that_no_longer_fits_is_cut)
{
	fail(&guarded.err, 0, "%.500s", endless);
	fail_in(&guarded.err, "place");
	cut_and_ended();
	cr_expect_eq(strncmp(guarded.err.msg, "place: xxx", 10), 0);
}

Test(err, a_place_too_long_keeps_the_kind)
{
	fail_as(&guarded.err, ERR_ADDRESS, "taken");
	fail_in(&guarded.err, "%s", endless);
	cut_and_ended();
	cr_expect_eq(guarded.err.kind, ERR_ADDRESS);
}

Test(err, an_errno_that_just_does_not_fit_is_left_out)
{
	fail(&guarded.err, EIO, "%.503s", endless);
	cut_and_ended();
	cr_expect_eq(guarded.err.msg[502], 'x');
}

static const int kinds[] = {
	ERR_SYSTEM,    ERR_KERNEL,  ERR_LOCKED,	     ERR_NO_VPS,    ERR_USAGE,
	ERR_VALUE,     ERR_RUNNING, ERR_NOT_RUNNING, ERR_LEDGER,    ERR_EXISTS,
	ERR_NO_SPACE,  ERR_ADDRESS, ERR_NOT_STOPPED, ERR_HOOK,	    ERR_NO_IMAGE,
	ERR_BAD_IMAGE, ERR_WAITED,  ERR_NOT_SYSTEM,  ERR_NOT_FOUND, ERR_CANNOT_RUN,
	ERR_DISABLED,
};

Test(err, every_kind_has_a_name_of_its_own)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cr_expect_str_neq(err_name(kinds[i]), "error", "%d has none", kinds[i]);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(err_name(kinds[i]), err_name(kinds[j]));
	}
}

Test(err, every_name_belongs_to_a_kind_that_can_be_an_exit_status)
{
	unsigned named = 0;

	for (int kind = -1000; kind < 1000; kind++) {
		bool has_name = strcmp(err_name(kind), "error") != 0;

		named += has_name;
		cr_expect(!has_name || (kind > 2 && kind < 256), "%d", kind);
	}
	cr_expect_eq(named, ARRAY_SIZE(kinds));
}

Test(err, what_passes_is_want_of_something_and_not_what_the_kernel_is)
{
	cr_expect(is_passing(ENOMEM));
	cr_expect(is_passing(EMFILE));
	cr_expect(!is_passing(EPERM));
	cr_expect(!is_passing(EINVAL));
	cr_expect(!is_passing(EOPNOTSUPP));
	cr_expect(!is_passing(0));
}

Test(err, what_goes_on_after_failures_tells_the_first)
{
	struct failures failures = { 0 };
	struct err err;

	cr_expect_eq(failures_tell(&failures, &err), 0);
	failures_note(&failures, 0, &err);
	cr_expect_eq(failures_tell(&failures, &err), 0, "what went well is no failure");
	failures_note(&failures, fail(&err, EIO, "the first"), &err);
	failures_note(&failures, fail(&err, ENOENT, "the second"), &err);
	failures_note(&failures, 1, &err);
	cr_expect_eq(failures.count, 2);
	fail(&err, 0, "another");
	cr_assert_eq(failures_tell(&failures, &err), -1);
	cr_expect_eq(err.code, EIO);
	cr_expect_str_eq(err.msg, "the first: Input/output error");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../runtime/inside.h"
#include "err.h"

/* Our end of the channel, and that of the process inside. */
static int ours, inside;
static struct err err;
static bool executed;

static void pair_make(void)
{
	const char go = 0;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	ours = ends[0];
	inside = ends[1];
	cr_assert_eq(send(ours, &go, sizeof(go), 0), 1);
}

TestSuite(inside, .init = pair_make);

static void begin(void)
{
	char go;

	cr_assert_eq(recv(inside, &go, sizeof(go), 0), 1);
}

Test(inside, executed_when_the_channel_closes_after_it_was_begun)
{
	begin();
	close(inside);
	cr_expect_eq(inside_answer(ours, 0, &executed, &err), 0);
	cr_expect(executed);
}

Test(inside, killed_before_it_was_begun_has_done_nothing)
{
	executed = true;
	close(inside);
	cr_expect_eq(inside_answer(ours, 0, &executed, &err), -1);
	cr_expect_eq(err.kind, ERR_NOT_RUNNING);
	cr_expect_not(executed);
}

Test(inside, silent_is_not_waited_for_longer)
{
	cr_expect_eq(inside_answer(ours, 20, &executed, &err), -1);
	cr_expect_eq(err.code, ETIMEDOUT);
}

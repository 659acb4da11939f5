/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../runtime/start.h"
#include "err.h"

/* Both sides of a start. */
static struct channel host, guest;
static struct err err;

static void pair_make(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	host.fd = ends[0];
	guest.fd = ends[1];
}

TestSuite(channel, .init = pair_make);

Test(channel, lets_the_other_side_go_on)
{
	cr_expect_eq(channel_go(&host, -1, &err), 0);
	cr_expect_eq(channel_wait(&guest, NULL, &err), 0);
}

Test(channel, carries_a_descriptor)
{
	int ends[2], got = -1;
	char byte;

	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(channel_go(&guest, ends[1], &err), 0);
	cr_expect_eq(channel_wait(&host, &got, &err), 0);
	cr_assert_geq(got, 0);
	cr_expect_neq(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);
	cr_expect_eq(write(got, "!", 1), 1);
	cr_expect_eq(read(ends[0], &byte, 1), 1);
}

Test(channel, leaves_the_descriptor_alone_when_none_comes)
{
	int got = -1;

	cr_expect_eq(channel_go(&guest, -1, &err), 0);
	cr_expect_eq(channel_wait(&host, &got, &err), 0);
	cr_expect_eq(got, -1);
}

Test(channel, carries_the_failure_of_the_other_side)
{
	struct err failure = { 0 };

	fail(&failure, ENOSPC, "cannot write");
	cr_assert_eq(send(guest.fd, &failure, sizeof(failure), 0), sizeof(failure));
	cr_expect_eq(channel_wait(&host, NULL, &err), -1);
	cr_expect_str_eq(err.msg, "cannot write: No space left on device");
	cr_expect_eq(err.kind, ERR_NO_SPACE);
	cr_expect_eq(err.code, ENOSPC);
}

Test(channel, tells_that_the_other_side_ended)
{
	close(guest.fd);
	cr_expect_eq(channel_wait(&host, NULL, &err), -1);
	cr_expect_eq(err.code, EPIPE);
	cr_expect_str_eq(err.msg, "the other side of the start ended: Broken pipe");
}

Test(channel, keeps_the_reason_of_one_that_ended)
{
	struct err failure = { 0 };

	fail_as(&failure, ERR_KERNEL, "no such feature");
	cr_assert_eq(send(guest.fd, &failure, sizeof(failure), 0), sizeof(failure));
	close(guest.fd);
	cr_expect_eq(channel_go(&host, -1, &err), 0, "%s", err.msg);
	cr_expect_eq(channel_wait(&host, NULL, &err), -1);
	cr_expect_str_eq(err.msg, "no such feature");
}

Test(channel, refuses_half_a_message)
{
	cr_assert_eq(send(guest.fd, "x", 1, 0), 1);
	cr_expect_eq(channel_wait(&host, NULL, &err), -1);
	cr_expect_eq(err.code, EBADMSG);
}

Test(channel, ends_a_message_that_has_no_end)
{
	struct err failure = { .kind = ERR_SYSTEM };

	memset(failure.msg, 'x', sizeof(failure.msg));
	cr_assert_eq(send(guest.fd, &failure, sizeof(failure), 0), sizeof(failure));
	cr_expect_eq(channel_wait(&host, NULL, &err), -1);
	cr_expect_eq(strnlen(err.msg, sizeof(err.msg)), sizeof(err.msg) - 1);
}

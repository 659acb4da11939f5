/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lxcfs.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../node/view.h"
#include "../runtime/record.h"
#include "../runtime/view.h"
#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "test_scratch.h"

static struct err err;

TestSuite(lxcfs, .init = scratch_make, .fini = scratch_remove);

static struct lxcfs ours(void)
{
	return (struct lxcfs){ .server = getpid(),
			       .server_start = process_start(getpid()),
			       .holder = getppid(),
			       .holder_start = process_start(getppid()),
			       .device = 62 };
}

static void noted(const struct lxcfs *lxcfs)
{
	char text[400];

	lxcfs_print(lxcfs, text, sizeof(text));
	scratch_put(scratch, "server", text);
}

Test(lxcfs, a_record_is_read_as_it_was_written)
{
	struct lxcfs wrote = ours(), got;
	char text[400];

	wrote.device = UINT64_MAX;
	lxcfs_print(&wrote, text, sizeof(text));
	cr_assert_eq(lxcfs_parse(text, &got), 0, "%s", text);
	cr_expect_eq(got.server, wrote.server);
	cr_expect_eq(got.server_start, wrote.server_start);
	cr_expect_eq(got.holder, wrote.holder);
	cr_expect_eq(got.holder_start, wrote.holder_start);
	cr_expect_eq(got.device, UINT64_MAX);
}

Test(lxcfs, half_a_record_is_none)
{
	struct lxcfs wrote = ours(), got;
	char text[400];

	lxcfs_print(&wrote, text, sizeof(text));
	for (size_t len = 0; len < strlen(text) - 1; len++) {
		char part[400];

		memcpy(part, text, len);
		part[len] = 0;
		cr_expect_eq(lxcfs_parse(part, &got), -1, "%s", part);
	}
}

Test(lxcfs, one_that_lives_is_found_by_its_record)
{
	struct lxcfs lxcfs = ours(), got;

	cr_expect_eq(lxcfs_read(-1, &got), -1);
	cr_expect_eq(lxcfs_read(scratch, &got), -1, "there is no record");
	noted(&lxcfs);
	cr_assert_eq(lxcfs_read(scratch, &got), 0);
	cr_expect_eq(got.server, lxcfs.server);
}

Test(lxcfs, another_process_with_its_number_is_not_it)
{
	struct lxcfs server = ours(), holder = ours(), got;

	server.server_start++;
	noted(&server);
	cr_expect_eq(lxcfs_read(scratch, &got), -1);
	holder.holder_start++;
	noted(&holder);
	cr_expect_eq(lxcfs_read(scratch, &got), -1);
}

Test(lxcfs, a_vps_remembers_whose_files_it_has)
{
	struct lxcfs lxcfs = ours(), other = ours();
	struct view_state state;

	other.holder_start++;
	cr_assert_eq(view_state_write(scratch, &lxcfs, NULL, &err), 0, "%s", err.msg);
	view_state_read(scratch, &state);
	cr_expect(state.is_known && state.has);
	cr_expect(view_is_alive(&state));
	cr_expect(view_is_by(&state, &lxcfs));
	cr_expect_not(view_is_by(&state, &other), "a new one has a new holder");
}

Test(lxcfs, files_of_one_that_ended_are_dead)
{
	struct lxcfs lxcfs = ours();
	struct view_state state;

	lxcfs.server_start++;
	cr_assert_eq(view_state_write(scratch, &lxcfs, NULL, &err), 0, "%s", err.msg);
	view_state_read(scratch, &state);
	cr_expect(state.has);
	cr_expect_not(view_is_alive(&state));
}

Test(lxcfs, a_vps_remembers_why_it_has_none)
{
	struct lxcfs lxcfs = ours();
	struct view_state state;
	char big[400];

	cr_assert_eq(view_state_write(scratch, NULL, "lxcfs is not installed", &err), 0);
	view_state_read(scratch, &state);
	cr_expect(state.is_known);
	cr_expect_not(state.has);
	cr_expect_not(view_is_alive(&state));
	cr_expect_not(view_is_by(&state, &lxcfs));
	cr_expect_str_eq(state.reason, "lxcfs is not installed");

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	cr_assert_eq(view_state_write(scratch, NULL, big, &err), 0);
	view_state_read(scratch, &state);
	cr_expect_eq(strlen(state.reason), 150);
}

Test(lxcfs, a_vps_of_an_older_nodectl_remembers_nothing)
{
	struct view_state state;

	view_state_read(scratch, &state);
	cr_expect_not(state.is_known || state.has);
	view_state_read(-1, &state);
	cr_expect_not(state.is_known || state.has);
}

/* Whoever asks an lxcfs that hangs goes on, and the one that hangs for him is no more. */
Test(lxcfs, who_does_not_answer_is_not_waited_for)
{
	struct view_question question;
	struct view_files files;
	int pair[2];
	unsigned long long began = now_ms();

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	question.channel = pair[0];
	question.pid = fork();
	if (question.pid == 0)
		for (;;)
			pause();
	pid_t pid = question.pid;

	cr_expect_eq(view_take(&question, 50, &files, &err), -1);
	cr_expect_str_eq(err.msg, "lxcfs does not answer");
	cr_expect_lt(now_ms() - began, 5000);
	/* and buried, unless the machine was too busy for it to end meanwhile */
	int status = SIGKILL;
	pid_t left = waitpid(pid, &status, 0);
	cr_expect(left < 0 || left == pid);
	cr_expect(status == SIGKILL, "it was killed");
	for (size_t i = 0; i < VIEW_FILES; i++)
		cr_expect_eq(files.tree[i], -1);
	close(pair[1]);
}

Test(lxcfs, who_ends_without_an_answer_is_an_error)
{
	struct view_question question;
	struct view_files files;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	question.channel = pair[0];
	question.pid = fork();
	if (question.pid == 0)
		_exit(0);
	close(pair[1]);
	cr_expect_eq(view_take(&question, 5000, &files, &err), -1);
	cr_expect_str_eq(err.msg, "the process that asks lxcfs was killed");
}

Test(lxcfs, a_start_without_an_answer_has_the_files_of_the_node)
{
	struct view_offer offer = view_none();
	struct view_state state;
	int pair[2];

	/* nobody was asked */
	strcpy(offer.reason, "lxcfs is not installed");
	view_accept(&offer, scratch);
	view_state_read(scratch, &state);
	cr_expect_not(state.has);
	cr_expect_str_eq(state.reason, "lxcfs is not installed");

	/* who was asked ended */
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	offer.question.channel = pair[0];
	offer.question.pid = fork();
	if (offer.question.pid == 0)
		_exit(0);
	close(pair[1]);
	view_accept(&offer, scratch);
	view_state_read(scratch, &state);
	cr_expect_not(state.has);
	cr_expect_str_eq(state.reason, "the process that asks lxcfs was killed");
	view_end(&offer);
}

Test(lxcfs, what_was_asked_for_and_not_taken_is_let_go)
{
	struct view_offer offer = view_none();
	unsigned long long began = now_ms();
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	offer.question.channel = pair[0];
	offer.question.pid = fork();
	if (offer.question.pid == 0)
		for (;;)
			pause();
	view_end(&offer);
	cr_expect_lt(now_ms() - began, 5000);
	/* one that takes longer to end is left to end */
	cr_expect_leq(waitpid(-1, NULL, WNOHANG), 0);
	close(pair[1]);
}

Test(lxcfs, one_that_has_ended_is_not_asked)
{
	struct lxcfs lxcfs = ours();
	struct view_question question;

	lxcfs.holder_start++;
	cr_expect_eq(view_ask(&lxcfs, &question, &err), -1);
	cr_expect_str_eq(err.msg, "lxcfs has ended");
	cr_expect_eq(view_attach(scratch, getpid(), &lxcfs, NULL, &err), -1);
	cr_expect_eq(scratch_count(scratch), 0, "nothing is noted");
}

/* The files are found by the same names below lxcfs and below a VPS. */
Test(lxcfs, the_files_of_a_view_are_of_proc_and_sys)
{
	for (size_t i = 0; i < VIEW_FILES; i++) {
		cr_expect(strncmp(view_files[i].dir, "proc", 4) == 0 ||
			  strncmp(view_files[i].dir, "sys/", 4) == 0);
		cr_expect_null(strchr(view_files[i].name, '/'));
	}
	cr_expect_str_eq(view_files[view_probe].name, "uptime");
}

Test(lxcfs, node_conf_may_do_without)
{
	static const char rest[] = "subnet = 10.77.0.1/16\n";
	struct node node;
	char text[100];

	cr_assert_eq(node_parse(&node, rest, &err), 0, "%s", err.msg);
	cr_expect_eq(node.view, NODE_VIEW_AUTO);
	snprintf(text, sizeof(text), "%sview = none\n", rest);
	cr_assert_eq(node_parse(&node, text, &err), 0, "%s", err.msg);
	cr_expect_eq(node.view, NODE_VIEW_NONE);
	snprintf(text, sizeof(text), "%sview = auto\n", rest);
	cr_assert_eq(node_parse(&node, text, &err), 0, "%s", err.msg);
	cr_expect_eq(node.view, NODE_VIEW_AUTO);
	snprintf(text, sizeof(text), "%sview = lxc\n", rest);
	cr_expect_eq(node_parse(&node, text, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

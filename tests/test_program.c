/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

static struct err err;

TestSuite(program, .init = scratch_make, .fini = scratch_remove);

/* Run a line of sh; what it prints goes into the file "out". */
static int sh(const char *line, int in)
{
	const char *const argv[] = { "sh", "-c", line, NULL };
	own_fd out = openat(scratch, "out", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const struct program program = {
		.argv = argv, .in = in, .out = out, .err = out, .dir = scratch
	};

	return program_run(&program, &err);
}

Test(program, that_ends_well_is_no_failure)
{
	cr_expect_eq(sh("exit 0", -1), 0, "%s", err.msg);
}

Test(program, that_fails_is_named_with_its_exit_status)
{
	cr_expect_eq(sh("exit 3", -1), -1);
	cr_expect_str_eq(err.msg, "'sh' failed with exit status 3");
	cr_expect_eq(err.kind, ERR_SYSTEM);
	cr_expect_eq(err.code, 0);
}

Test(program, that_was_killed_is_named_with_the_signal)
{
	cr_expect_eq(sh("kill -KILL $$", -1), -1);
	cr_expect_str_eq(err.msg, "'sh' was ended by signal 9");
}

Test(program, that_is_missing_is_told_by_errno)
{
	const char *const argv[] = { "no-such-program", NULL };
	const struct program program = { argv, -1, -1, -1, -1, false };

	cr_expect_eq(program_run(&program, &err), -1);
	cr_expect_eq(err.code, ENOENT);
	cr_expect_str_eq(err.msg, "cannot run 'no-such-program': No such file or directory");
}

Test(program, that_may_not_be_executed_is_told_by_errno)
{
	const char *const argv[] = { "/dev/null", NULL };
	const struct program program = { argv, -1, -1, -1, -1, false };

	cr_expect_eq(program_run(&program, &err), -1);
	cr_expect_eq(err.code, EACCES);
}

Test(program, that_could_not_start_leaves_no_child)
{
	const char *const argv[] = { "no-such-program", NULL };
	const struct program program = { argv, -1, -1, -1, -1, false };

	cr_expect_eq(program_start(&program, &err), -1);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD);
}

Test(program, gets_its_arguments_as_they_are)
{
	const char *const argv[] = { "printf", "%s|", "$HOME", "a b", "*", "", NULL };
	own_fd out = openat(scratch, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	const struct program program = { argv, -1, out, -1, -1, false };

	cr_expect_eq(program_run(&program, &err), 0, "%s", err.msg);
	cr_expect(scratch_holds(scratch, "out", "$HOME|a b|*||"));
}

Test(program, reads_nothing_unless_it_is_given_something)
{
	cr_expect_eq(sh("cat; echo end", -1), 0);
	cr_expect(scratch_holds(scratch, "out", "end\n"));
}

Test(program, reads_the_descriptor_that_it_is_given)
{
	scratch_put(scratch, "in", "hello");
	own_fd in = openat(scratch, "in", O_RDONLY | O_CLOEXEC);

	cr_expect_eq(sh("cat", in), 0);
	cr_expect(scratch_holds(scratch, "out", "hello"));
}

Test(program, runs_in_the_directory_that_it_is_given)
{
	scratch_put(scratch, "here", "");
	cr_expect_eq(sh("test -e here", -1), 0, "%s", err.msg);
}

Test(program, prints_both_to_where_it_was_told)
{
	cr_expect_eq(sh("echo one; echo two >&2", -1), 0);
	cr_expect(scratch_holds(scratch, "out", "one\ntwo\n"));
}

Test(program, starts_with_no_signal_blocked)
{
	/* not by sh, which unblocks them itself */
	const char *const argv[] = { "grep", "-q", "^SigBlk:[[:space:]]*0*$",
				     "/proc/self/status", NULL };
	const struct program program = { argv, -1, -1, -1, -1, false };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	cr_expect_eq(program_run(&program, &err), 0, "%s", err.msg);
}

Test(program, is_ended_by_a_broken_pipe_as_usual)
{
	signal(SIGPIPE, SIG_IGN);
	cr_expect_eq(sh("kill -PIPE $$", -1), -1);
	cr_expect_str_eq(err.msg, "'sh' was ended by signal 13");
}

Test(program, inherits_no_descriptor_that_is_ours_alone)
{
	own_fd ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
	own_str line = xasprintf("test ! -e /proc/$$/fd/%d", ours);

	cr_assert_geq(ours, 3);
	cr_expect_eq(sh(line, -1), 0, "%s", err.msg);
}

/* What ends with us works on what is ours alone; what it holds must not outlive us. */
Test(program, that_is_bound_ends_with_who_started_it)
{
	const char *const argv[] = { "sleep", "60", NULL };
	const struct program program = { argv, -1, -1, -1, -1, true };
	int pair[2];
	pid_t parent, child = -1;
	char end;

	cr_assert_eq(pipe(pair), 0);
	parent = fork();
	if (parent == 0) {
		child = program_start(&program, &err);
		(void)write_all(pair[1], &child, sizeof(child));
		pause();
	}
	cr_assert_eq(read_all(pair[0], &child, sizeof(child)), 0);
	cr_assert_gt(child, 0);
	/* the pipe was closed in neither: it ends when both are gone */
	close(pair[1]);
	kill(parent, SIGKILL);
	cr_assert_eq(waitpid(parent, NULL, 0), parent);
	cr_assert_eq(read(pair[0], &end, 1), 0);
}

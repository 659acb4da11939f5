/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "program.h"
#include "runtime.h"
#include "str.h"
#include "test_scratch.h"

static struct err err;

TestSuite(stop, .init = scratch_make, .fini = scratch_remove);

static void is(const char *text, int expected)
{
	int signal = -1;

	cr_expect_eq(signal_parse(text, &signal, &err), 0, "%s", text);
	cr_expect_eq(signal, expected, "%s", text);
}

Test(stop, a_signal_has_its_full_name)
{
	is("SIGTERM", SIGTERM);
	is("SIGPWR", SIGPWR);
	is("SIGKILL", SIGKILL);
	is("SIGRTMIN+0", SIGRTMIN);
	is("SIGRTMIN+3", SIGRTMIN + 3);
	is("SIGRTMIN+30", SIGRTMIN + 30);
}

Test(stop, what_is_no_signal_is_refused)
{
	static const char *const garbage[] = {
		"",	      "TERM",	     "15",	   "sigterm",	  "SIGRTMIN",
		"SIGRTMIN+",  "SIGRTMIN+31", "SIGRTMIN-1", "SIGRTMIN+-1", "SIGTERM ",
		"SIGRTMIN+3x"
	};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int signal = -1;

		memset(&err, 0, sizeof(err));
		cr_expect_eq(signal_parse(garbage[i], &signal, &err), -1, "%s", garbage[i]);
		cr_expect_eq(signal, -1);
		cr_expect_eq(err.kind, ERR_VALUE);
	}
}

/* A process whose program is called @name; with @removed its file is gone, as after an upgrade.
 */
static const struct init_kind *kind_of(const char *name, bool removed)
{
	own_str path = xasprintf("%s/%s", scratch_path, name);
	const char *const copy[] = { "cp", "/bin/sleep", path, NULL };
	const char *const sleep[] = { path, "60", NULL };
	const struct program make = { copy, -1, -1, -1, -1, false },
			     run = { sleep, -1, -1, -1, -1, false };
	const struct init_kind *kind;
	pid_t pid;

	cr_assert_eq(program_run(&make, &err), 0, "%s", err.msg);
	pid = program_start(&run, &err);
	cr_assert_gt(pid, 0, "%s", err.msg);
	if (removed)
		cr_assert_eq(unlink(path), 0);
	kind = init_kind_of(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return kind;
}

Test(stop, each_kind_of_init_is_asked_in_its_own_way)
{
	cr_expect_str_eq(kind_of("systemd", false)->signal, "SIGRTMIN+3");
	cr_expect_str_eq(kind_of("busybox", false)->signal, "SIGUSR2");
	cr_expect_str_eq(kind_of("runit", false)->signal, "SIGCONT");
	cr_expect_null(kind_of("init", false)->signal);
	cr_expect_str_eq(kind_of("init", false)->command[0], "telinit");
	cr_expect_str_eq(kind_of("openrc-init", false)->command[0], "openrc-shutdown");
}

Test(stop, an_unknown_init_gets_the_power_failure)
{
	cr_expect_null(kind_of("my-init", false)->program);
	cr_expect_str_eq(kind_of("my-init", false)->signal, "SIGPWR");
	cr_expect_str_eq(kind_of("systemd-not", false)->signal, "SIGPWR");
}

Test(stop, a_process_that_is_gone_has_an_unknown_init)
{
	cr_expect_str_eq(init_kind_of(0)->signal, "SIGPWR");
}

Test(stop, an_init_whose_program_was_upgraded_is_still_known)
{
	cr_expect_str_eq(kind_of("systemd", true)->signal, "SIGRTMIN+3");
}

Test(stop, every_signal_of_the_table_is_one)
{
	static const char *const names[] = { "systemd", "busybox", "runit", "other" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int signal;

		cr_expect_eq(signal_parse(kind_of(names[i], false)->signal, &signal, &err), 0);
	}
}

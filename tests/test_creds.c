/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../runtime/creds.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "err.h"

/* All of an environment, one after the other. */
static void is(char **env, const char *expected)
{
	char all[400] = "";

	for (char **one = env; *one; one++) {
		strcat(all, *one);
		strcat(all, "|");
		free(*one);
	}
	free(env);
	cr_expect_str_eq(all, expected);
}

#define PATHS "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|"

Test(creds, init_is_told_that_it_is_in_a_container_and_which)
{
	is(environment_make("11-22", NULL, NULL),
	   PATHS "container=nodectl|container_uuid=11-22|");
}

Test(creds, a_command_has_a_home_and_a_user)
{
	is(environment_make(NULL, NULL, NULL), PATHS "container=nodectl|HOME=/root|USER=root|");
}

Test(creds, a_command_with_a_terminal_knows_its_type)
{
	is(environment_make(NULL, "xterm", NULL),
	   PATHS "container=nodectl|HOME=/root|USER=root|TERM=xterm|");
}

Test(creds, what_was_asked_for_comes_last)
{
	const char *const more[] = { "A=1", "HOME=/tmp", "B=", NULL };

	is(environment_make(NULL, "vt100", more),
	   PATHS "container=nodectl|HOME=/root|USER=root|TERM=vt100|A=1|HOME=/tmp|B=|");
}

Test(creds, nothing_of_our_own_environment_is_passed)
{
	setenv("LD_PRELOAD", "/evil.so", 1);
	setenv("SSH_AUTH_SOCK", "/tmp/agent", 1);
	is(environment_make(NULL, NULL, NULL), PATHS "container=nodectl|HOME=/root|USER=root|");
}

Test(creds, a_process_inside_gets_its_own_resource_limits)
{
	struct rlimit limit = { 77, 77 };
	struct err err;

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(rlimits_apply(&err), 0, "%s", err.msg);
	cr_assert_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	cr_expect_eq(limit.rlim_cur, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_leq(limit.rlim_cur, 1024);
	cr_assert_eq(getrlimit(RLIMIT_RTPRIO, &limit), 0);
	cr_expect_eq(limit.rlim_max, 0);
}

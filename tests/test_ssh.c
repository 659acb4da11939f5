/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../nodectl/ssh.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "own.h"

#define OURS                                                                                   \
	" -o KNOWN -o StrictHostKeyChecking=accept-new -o HostKeyAlias=nodectl"                \
	" -o LogLevel=ERROR -o ForwardAgent=no -o ForwardX11=no root@v"

/* @words, parted by single blanks, become this command line. */
static void becomes(const char *words, const char *expected)
{
	char text[256], line[512] = "";
	char *rest[16], *at = text;
	size_t count = 0;

	snprintf(text, sizeof(text), "%s", words);
	while (*words && at)
		rest[count++] = strsep(&at, " ");

	const char **argv = ssh_argv(rest, count, "KNOWN", "root@v");
	for (size_t i = 0; argv[i]; i++) {
		strcat(line, i ? " " : "");
		strcat(line, argv[i]);
	}
	cr_expect_str_eq(line, expected, "'%s': %s", words, line);
	free(argv);
}

/* ssh takes the first value of an option that it finds. */
Test(ssh, ours_come_after_what_was_given_and_before_any_file)
{
	becomes("", "ssh" OURS);
	becomes("-A", "ssh -A" OURS);
	becomes("-o ForwardAgent=yes", "ssh -o ForwardAgent=yes" OURS);
}

Test(ssh, options_stand_before_the_target_and_a_command_after_it)
{
	becomes("id -un", "ssh" OURS " id -un");
	becomes("-i key -v id -un", "ssh -i key -v" OURS " id -un");
	becomes("-- -i key id", "ssh -i key" OURS " id");
	becomes("-tt -oBatchMode=yes id", "ssh -tt -oBatchMode=yes" OURS " id");
	becomes("-B eth0 id", "ssh -B eth0" OURS " id");
}

Test(ssh, flags_may_stand_together_with_one_that_has_a_value)
{
	becomes("-NL 80:x:80 id", "ssh -NL 80:x:80" OURS " id");
	becomes("-NL80:x:80 id", "ssh -NL80:x:80" OURS " id");
	becomes("-i", "ssh -i" OURS);
}

Test(ssh, two_dashes_end_the_options)
{
	becomes("-v -- -x", "ssh -v" OURS " -- -x");
	becomes("-- -v -- -x", "ssh -v" OURS " -- -x");
	becomes("-i -- -x", "ssh -i -- -x" OURS);
}

Test(ssh, the_path_of_the_known_hosts_is_taken_as_it_is)
{
	own_str plain = ssh_known_hosts("/var/lib/known");
	own_str odd = ssh_known_hosts("/a b/%h/\"q\"\\");

	cr_expect_str_eq(plain, "UserKnownHostsFile=\"/var/lib/known\"");
	cr_expect_str_eq(odd, "UserKnownHostsFile=\"/a b/%%h/\\\"q\\\"\\\\\"");
}

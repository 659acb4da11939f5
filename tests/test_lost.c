/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../runtime/lost.h"

#include <criterion/criterion.h>

Test(lost, init_is_process_one_just_below_the_node)
{
	cr_expect(status_is_init("Name:\tinit\nPid:\t812\nNSpid:\t812\t1\nNSpgid:\t812\t1\n"));
	cr_expect(status_is_init("Name:\tinit\nNSpid:\t812\t1\n"));
}

Test(lost, another_process_is_not_init)
{
	cr_expect_not(status_is_init("Name:\tsh\nNSpid:\t812\t17\nNSpgid:\t812\t1\n"));
	cr_expect_not(status_is_init("Name:\tsh\nNSpid:\t1\nNSpgid:\t1\n"));
	cr_expect_not(status_is_init("Name:\tsh\n"));
	cr_expect_not(status_is_init(""));
}

/* A tenant may well have containers in his VPS. */
Test(lost, process_one_of_a_namespace_inside_is_not_init)
{
	cr_expect_not(status_is_init("Name:\tinit\nNSpid:\t812\t40\t1\n"));
	cr_expect_not(status_is_init("Name:\tinit\nNSpid:\t812\t1\t1\n"));
}

/* The name of a process is what it says: it cannot hold a line end, which /proc escapes. */
Test(lost, a_name_says_nothing)
{
	cr_expect_not(status_is_init("Name:\tNSpid:\t1\t1\nNSpid:\t812\t17\n"));
}

#define LINE(text) text, sizeof(text)

Test(lost, a_monitor_is_known_by_name_and_node)
{
	cr_expect(cmdline_is_monitor(LINE("nodectl-monitor\0web1\0/usr/bin/nodectl\0/etc/n"),
				     "web1", "/etc/n"));
	cr_expect_not(cmdline_is_monitor(
	    LINE("nodectl-monitor\0web2\0/usr/bin/nodectl\0/etc/n"), "web1", "/etc/n"));
	cr_expect_not(cmdline_is_monitor(
	    LINE("nodectl-monitor\0web1\0/usr/bin/nodectl\0/etc/other"), "web1", "/etc/n"));
	cr_expect_not(
	    cmdline_is_monitor(LINE("sh\0web1\0/usr/bin/nodectl\0/etc/n"), "web1", "/etc/n"));
}

Test(lost, half_a_command_line_is_no_monitor)
{
	static const char line[] = "nodectl-monitor\0web1\0/usr/bin/nodectl\0/etc/n";

	for (size_t len = 0; len < sizeof(line); len++)
		cr_expect_not(cmdline_is_monitor(line, len, "web1", "/etc/n"), "%zu", len);
	cr_expect_not(cmdline_is_monitor(LINE("nodectl-monitor\0web1\0/x\0/etc/n\0more"),
					 "web1", "/etc/n"));
}

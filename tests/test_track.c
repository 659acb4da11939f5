/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "../netns/track.h"
#include "err.h"

static struct err err;

static struct address address_of(const char *text)
{
	struct address address = { 0 };

	cr_assert_eq(address_parse(text, &address, &err), 0, "%s: %s", text, err.msg);
	return address;
}

static void add(struct connections *all, const char *from, const char *to)
{
	struct address begun = address_of(from), come = address_of(to);

	connections_add(all, &begun, &come);
}

Test(track, connections_are_whose_who_began_them_and_of_whom_they_came_to)
{
	struct link link = { .ipv4 = address_of("10.77.0.9/16"),
			     .ipv6 = address_of("fd00::9/64"),
			     .routed = { address_of("203.0.113.16/28") },
			     .routed_count = 1 };
	struct link_connections found;
	own_connections all = { 0 };

	add(&all, "10.77.0.9", "192.0.2.1");
	add(&all, "10.77.0.8", "192.0.2.1");
	add(&all, "192.0.2.1", "10.77.0.9");
	add(&all, "192.0.2.1", "203.0.113.17");
	add(&all, "203.0.113.31", "192.0.2.1");
	add(&all, "203.0.113.32", "192.0.2.1");
	add(&all, "fd00::9", "2001:db8::1");
	add(&all, "10.77.0.9", "203.0.113.17");
	connections_sort(&all);
	link_connections(&all, &link, &found);
	cr_expect_eq(found.begun, 4);
	cr_expect_eq(found.come, 2, "one with itself is counted once");
}

Test(track, an_address_within_a_prefix_of_it_is_counted_once)
{
	struct link link = { .ipv4 = address_of("203.0.113.17"),
			     .routed = { address_of("203.0.113.16/28") },
			     .routed_count = 1 };
	struct link_connections found;
	own_connections all = { 0 };

	add(&all, "203.0.113.17", "192.0.2.1");
	connections_sort(&all);
	link_connections(&all, &link, &found);
	cr_expect_eq(found.begun, 1);
	cr_expect_eq(found.come, 0);
}

Test(track, of_no_connections_none_is_anybodys)
{
	struct link link = { .ipv4 = address_of("203.0.113.17") };
	struct link_connections found;
	own_connections all = { 0 };

	connections_sort(&all);
	link_connections(&all, &link, &found);
	cr_expect_eq(found.begun + found.come, 0);
}

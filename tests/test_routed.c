/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "../netns/route.h"
#include "../node/kinds.h"
#include "err.h"
#include "netns.h"

static struct err err;

static struct address address_of(const char *text)
{
	struct address address = { 0 };

	cr_assert_eq(address_parse(text, &address, &err), 0, "%s: %s", text, err.msg);
	return address;
}

static struct bridge bridge_of(const char *ipv4, const char *ipv6)
{
	struct bridge bridge = { .name = "nodectl0", .ipv4 = address_of(ipv4) };

	if (ipv6)
		bridge.ipv6 = address_of(ipv6);
	return bridge;
}

/* All routes to it, as text. */
static const char *routes_of(const struct bridge *bridge, const struct link *link)
{
	static char text[1024];
	struct route route;

	text[0] = 0;
	for (unsigned n = 0; link_route(bridge, link, n, &route); n++) {
		char to[ADDRESS_TEXT], via[ADDRESS_TEXT], from[ADDRESS_TEXT], line[256];

		address_print(&route.to, true, to, sizeof(to));
		address_print(&route.via, false, via, sizeof(via));
		address_print(&route.source, false, from, sizeof(from));
		snprintf(line, sizeof(line), "%s%s%s%s%s\n", to, *via ? " via " : "", via,
			 *from ? " from " : "", from);
		strcat(text, line);
		cr_expect_eq(route.protocol, RTNL_NODECTL);
		cr_expect_eq(route.onlink, route.via.family != 0);
	}
	return text;
}

static struct link link_with_all(enum link_mode mode)
{
	return (struct link){ .mode = mode,
			      .ipv4 = address_of("10.77.0.9/16"),
			      .ipv6 = address_of("fd00::9/64"),
			      .further = { address_of("203.0.113.9") },
			      .further_count = 1,
			      .routed = { address_of("203.0.113.16/28") },
			      .routed_count = 1 };
}

Test(routed, a_bridge_leads_to_its_own_addresses_without_routes)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00::1/64");
	struct link link = link_with_all(LINK_BRIDGE);

	cr_expect_str_eq(routes_of(&bridge, &link),
			 "203.0.113.9/32\n203.0.113.16/28 via 10.77.0.9\n");
}

Test(routed, each_address_of_a_routed_one_has_a_route_and_the_node_comes_from_the_gateway)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00::1/64");
	struct link link = link_with_all(LINK_ROUTED);

	cr_expect_str_eq(routes_of(&bridge, &link),
			 "10.77.0.9/32 from 10.77.0.1\n"
			 "fd00::9/128 from fd00::1\n"
			 "203.0.113.9/32 from 10.77.0.1\n"
			 "203.0.113.16/28 via 10.77.0.9 from 10.77.0.1\n");
}

Test(routed, most_addresses_and_prefixes_fit_a_look)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00::1/64");
	struct link link = { .mode = LINK_ROUTED,
			     .ipv4 = address_of("10.77.0.9/16"),
			     .ipv6 = address_of("fd00::9/64"),
			     .further_count = LINK_ADDRESSES_MAX,
			     .routed_count = LINK_ADDRESSES_MAX };
	struct route route;
	unsigned n = 0;

	for (unsigned i = 0; i < LINK_ADDRESSES_MAX; i++)
		link.further[i] = link.routed[i] = link.ipv4;
	while (link_route(&bridge, &link, n, &route))
		n++;
	cr_expect_eq(n, 64);
}

Test(routed, gateway_is_the_same_on_every_node)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00::1/64");
	struct link link = { .mode = LINK_ROUTED };
	char text[ADDRESS_TEXT];

	address_print(link_gateway(&bridge, &link, AF_INET), false, text, sizeof(text));
	cr_expect_str_eq(text, "169.254.0.1");
	address_print(link_gateway(&bridge, &link, AF_INET6), false, text, sizeof(text));
	cr_expect_str_eq(text, "fe80::1");
	link.mode = LINK_BRIDGE;
	address_print(link_gateway(&bridge, &link, AF_INET), false, text, sizeof(text));
	cr_expect_str_eq(text, "10.77.0.1");
}

Test(routed, there_is_no_way_out_by_a_family_that_the_node_has_not)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);
	struct link link = { .mode = LINK_ROUTED };

	cr_expect_null(link_gateway(&bridge, &link, AF_INET6));
	link.mode = LINK_BRIDGE;
	cr_expect_null(link_gateway(&bridge, &link, AF_INET6));
}

Test(routed, without_a_network_addresses_are_kept_and_not_there)
{
	struct link link = link_with_all(LINK_NONE);

	link.publish_count = 1;
	cr_expect_not(link_is_wanted(&link));
	link_settle(&link);
	cr_expect_null(link_address(&link, 0));
	cr_expect_eq(link.publish_count, 0);
	cr_expect_eq(link.mode, LINK_NONE);
}

Test(routed, with_a_network_all_is_there)
{
	struct link link = link_with_all(LINK_ROUTED), same = link;

	link_settle(&link);
	cr_expect_eq(memcmp(&link, &same, sizeof(link)), 0);
	cr_expect(link_is_wanted(&link));
	link_address_clear(&link, AF_INET);
	link_address_clear(&link, AF_INET6);
	cr_expect_not(link_is_wanted(&link), "without an address there is none");
}

Test(routed, a_route_is_needed_where_the_mode_puts_it)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00::1/64");
	struct link link = link_with_all(LINK_ROUTED);
	struct link_route own = { .id = 9, .to = address_of("10.77.0.9") };
	struct link_route pool = { .id = 0, .to = address_of("203.0.113.9") };
	struct link_route strays[] = {
		{ .id = 8, .to = own.to },
		{ .id = 9, .to = address_of("10.77.0.8") },
		{ .id = 9, .to = own.to, .via = address_of("10.77.0.8") },
	};

	cr_expect(link_needs_route(9, &bridge, &link, &own));
	cr_expect_not(link_needs_route(9, &bridge, &link, &pool), "it is not on the bridge");
	for (size_t i = 0; i < 3; i++)
		cr_expect_not(link_needs_route(9, &bridge, &link, &strays[i]), "%zu", i);
	link.mode = LINK_BRIDGE;
	cr_expect_not(link_needs_route(9, &bridge, &link, &own));
	cr_expect(link_needs_route(9, &bridge, &link, &pool));
	link.mode = LINK_NONE;
	cr_expect_not(link_needs_route(9, &bridge, &link, &pool));
}

Test(routed, modes_are_words)
{
	enum link_mode mode = LINK_ROUTED;

	for (unsigned i = 0; i <= LINK_NONE; i++) {
		cr_expect_eq(kind_link_mode.parse(link_mode_name(i), &mode, sizeof(mode), &err),
			     0);
		cr_expect_eq(mode, i);
	}
	cr_expect_eq(kind_link_mode.parse("bridged", &mode, sizeof(mode), &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg, "'bridged' is not 'bridge', 'routed' or 'none'");
}

Test(routed, routes_to_it_are_told_as_people_write_them)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);
	struct link link = { .ipv4 = address_of("203.0.113.9"),
			     .routed = { address_of("203.0.113.16/28") },
			     .routed_count = 1 };
	char text[LINK_ROUTE_TEXT];

	cr_assert(link_route_print(9, &bridge, &link, 0, text));
	cr_expect_str_eq(text, "203.0.113.9/32 dev nodectl0");
	cr_assert(link_route_print(9, &bridge, &link, 1, text));
	cr_expect_str_eq(text, "203.0.113.16/28 via 203.0.113.9 dev nodectl0");
	cr_expect_not(link_route_print(9, &bridge, &link, 2, text));
	link.mode = LINK_ROUTED;
	cr_assert(link_route_print(9, &bridge, &link, 0, text));
	cr_expect_str_eq(text, "203.0.113.9/32 dev nv9");
	link.mode = LINK_NONE;
	cr_expect_not(link_route_print(9, &bridge, &link, 0, text));
}

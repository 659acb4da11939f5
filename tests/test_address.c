/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "netns.h"

static struct err err;

static struct address parsed(const char *text)
{
	struct address address = { 0 };

	cr_assert_eq(address_parse(text, &address, &err), 0, "%s: %s", text, err.msg);
	return address;
}

static void refused(const char *text)
{
	struct address address = { .family = 99 };

	cr_expect_eq(address_parse(text, &address, &err), -1, "'%s' was taken", text);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_eq(address.family, 99, "'%s' left something behind", text);
}

static bool usable(const char *network, const char *address)
{
	struct address net = parsed(network), host = parsed(address);

	return address_is_usable(&net, &host);
}

static void printed(const char *text, bool with_prefix, const char *expected)
{
	struct address address = parsed(text);
	char out[ADDRESS_TEXT];

	address_print(&address, with_prefix, out, sizeof(out));
	cr_expect_str_eq(out, expected);
}

Test(address, without_a_prefix_is_a_host)
{
	cr_expect_eq(parsed("10.77.0.2").prefix, 32);
	cr_expect_eq(parsed("fd00::2").prefix, 128);
}

Test(address, bytes_are_in_network_order)
{
	struct address address = parsed("10.77.0.2/16");

	cr_expect_eq(address.family, AF_INET);
	cr_expect_eq(address.prefix, 16);
	cr_expect_arr_eq(address.bytes, ((uint8_t[16]){ 10, 77, 0, 2 }), 16);
}

Test(address, what_is_no_address_is_refused)
{
	const char *texts[] = { "",
				"10.77.0",
				"10.77.0.256",
				"010.77.0.1",
				" 10.77.0.1",
				"10.77.0.1 ",
				"10.77.0.1/",
				"10.77.0.1/33",
				"10.77.0.1/-1",
				"10.77.0.1/ 8",
				"10.77.0.1/8/8",
				"/8",
				"fd00::g",
				"fd00::1/129",
				"fe80::1%eth0",
				"0x0a4d0001",
				"localhost",
				"aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i]);
}

Test(address, is_printed_as_it_is_parsed)
{
	printed("10.77.0.1/16", true, "10.77.0.1/16");
	printed("10.77.0.1/16", false, "10.77.0.1");
	printed("FD00:0:0::1/64", true, "fd00::1/64");
	printed("10.77.0.1", true, "10.77.0.1/32");
}

Test(address, nothing_is_printed_as_nothing)
{
	struct address none = { 0 };
	char out[ADDRESS_TEXT] = "x";

	address_print(&none, true, out, sizeof(out));
	cr_expect_str_empty(out);
}

Test(address, is_equal_only_with_the_same_prefix)
{
	struct address a = parsed("10.77.0.1/16"), b = parsed("10.77.0.1/24");
	struct address none = { 0 }, other_none = { .prefix = 7 };

	cr_expect(address_is_equal(&a, &a));
	cr_expect_not(address_is_equal(&a, &b));
	cr_expect_not(address_is_equal(&a, &none));
	cr_expect(address_is_equal(&none, &other_none));
}

Test(address, ends_of_an_ipv4_network_are_not_usable)
{
	cr_expect(usable("10.77.0.1/16", "10.77.0.2"));
	cr_expect(usable("10.77.0.1/16", "10.77.255.254"));
	cr_expect(usable("10.77.0.1/16", "10.77.1.0"));
	cr_expect_not(usable("10.77.0.1/16", "10.77.0.0"));
	cr_expect_not(usable("10.77.0.1/16", "10.77.255.255"));
	cr_expect_not(usable("10.77.0.1/16", "10.78.0.2"));
	cr_expect(usable("10.77.0.128/25", "10.77.0.129"));
	cr_expect_not(usable("10.77.0.128/25", "10.77.0.127"));
	cr_expect_not(usable("10.77.0.1/16", "fd00::2"));
}

Test(address, both_ends_of_a_point_to_point_network_are_usable)
{
	cr_expect(usable("10.77.0.0/31", "10.77.0.0"));
	cr_expect(usable("10.77.0.0/31", "10.77.0.1"));
	cr_expect(usable("10.77.0.7/32", "10.77.0.7"));
	cr_expect_not(usable("10.77.0.7/32", "10.77.0.8"));
}

Test(address, ipv6_has_no_broadcast_but_a_router_anycast)
{
	cr_expect(usable("fd00::1/64", "fd00::ffff:ffff:ffff:ffff"));
	cr_expect_not(usable("fd00::1/64", "fd00::"));
	cr_expect_not(usable("fd00::1/64", "fd01::2"));
	cr_expect(usable("fd00::/127", "fd00::"));
}

Test(address, nothing_is_usable_in_no_network)
{
	struct address none = { 0 }, host = parsed("10.0.0.1");

	cr_expect_not(address_is_usable(&none, &host));
	cr_expect_not(address_is_usable(&none, &none));
}

Test(address, the_nth_is_counted_from_the_network)
{
	struct address network = parsed("10.77.0.1/16"), nth;
	char out[ADDRESS_TEXT];

	cr_assert(address_nth(&network, 258, &nth));
	address_print(&nth, true, out, sizeof(out));
	cr_expect_str_eq(out, "10.77.1.2/16");
	cr_expect(address_nth(&network, 65535, &nth));
	cr_expect_not(address_nth(&network, 65536, &nth));
}

Test(address, the_nth_of_ipv6_may_be_any_64_bit_number)
{
	struct address network = parsed("fd00::1/64"), nth;
	char out[ADDRESS_TEXT];

	cr_assert(address_nth(&network, UINT64_MAX, &nth));
	address_print(&nth, false, out, sizeof(out));
	cr_expect_str_eq(out, "fd00::ffff:ffff:ffff:ffff");
}

Test(address, the_nth_of_a_host_is_itself_alone)
{
	struct address network = parsed("10.77.0.9"), nth;

	cr_expect(address_nth(&network, 0, &nth));
	cr_expect_not(address_nth(&network, 1, &nth));
}

Test(address, way_out_is_that_of_the_first_address_that_has_one)
{
	struct bridge bridge = { .ipv4 = parsed("10.77.0.1/16"), .ipv6 = parsed("fd00::1/64") };
	struct link link = { .ipv4 = parsed("10.77.0.9/16"),
			     .ipv6 = parsed("fd00::9/64"),
			     .further = { parsed("198.51.100.9"), parsed("203.0.113.9") },
			     .further_count = 2 };
	const struct way *way = NULL;

	cr_expect_eq(link_gateway(&bridge, &link, AF_INET), &bridge.ipv4);
	bridge.ways[0] = (struct way){ parsed("203.0.113.0/24"), parsed("203.0.113.1") };
	bridge.ways[1] = (struct way){ parsed("198.51.100.0/24"), parsed("198.51.100.1") };
	cr_expect_eq(link_way(&bridge, &link, AF_INET, &way), &link.further[0]);
	cr_expect_eq(way, &bridge.ways[1]);
	cr_expect_eq(link_gateway(&bridge, &link, AF_INET), &bridge.ways[1].gateway);
	cr_expect_eq(link_gateway(&bridge, &link, AF_INET6), &bridge.ipv6, "of its family");
	link.mode = LINK_ROUTED;
	cr_expect_null(link_way(&bridge, &link, AF_INET, NULL), "the node leads it");
	cr_expect_neq(link_gateway(&bridge, &link, AF_INET), &bridge.ways[1].gateway);
}

Test(address, only_with_a_way_of_its_own_it_goes_by_the_uplink)
{
	struct bridge bridge = { .ipv4 = parsed("10.77.0.1/16"), .uplink = "eth1" };
	struct link link = { .ipv4 = parsed("203.0.113.9") };

	cr_expect_not(link_has_uplink(&bridge, &link));
	bridge.ways[0] = (struct way){ parsed("203.0.113.0/24"), parsed("203.0.113.1") };
	cr_expect(link_has_uplink(&bridge, &link));
	bridge.uplink[0] = 0;
	cr_expect_not(link_has_uplink(&bridge, &link));
}

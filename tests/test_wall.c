/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../netns/wall.h"
#include "err.h"
#include "own.h"

static struct err err;

static struct ports ports_of(const char *text)
{
	struct ports ports;

	cr_assert_eq(ports_parse(text, &ports, &err), 0, "%s: %s", text, err.msg);
	return ports;
}

static struct address address_of(const char *text)
{
	struct address address;

	cr_assert_eq(address_parse(text, &address, &err), 0, "%s", err.msg);
	return address;
}

static void prints(const char *text, const char *as)
{
	struct ports ports = ports_of(text);
	char printed[PORTS_TEXT];

	ports_print(&ports, printed, sizeof(printed));
	cr_expect_str_eq(printed, as);
}

Test(ports, are_printed_sorted_merged_and_as_short_as_can_be)
{
	prints("all", "all");
	prints("none", "none");
	prints("tcp/22,80,443", "tcp/22,80,443");
	prints("udp/53, tcp/80 ,22", "tcp/22,80,udp/53");
	prints("tcp/80-90,85-100,101", "tcp/80-101");
	prints("tcp/22,tcp/22", "tcp/22");
	prints("icmp", "icmp");
	prints("udp,icmp,tcp/1-65535", "icmp,tcp,udp");
	prints("tcp/65535,65534", "tcp/65534-65535");
}

Test(ports, all_of_a_protocol_is_the_same_however_it_is_said)
{
	struct ports one = ports_of("tcp"), other = ports_of("tcp/1-65535");

	cr_expect_arr_eq(&one.list, &other.list, sizeof(one.list[0]));
}

static void refused(const char *text)
{
	struct ports ports = { .count = 7 };

	cr_expect_eq(ports_parse(text, &ports, &err), -1, "%s", text);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_eq(ports.count, 7);
}

Test(ports, what_is_none_is_refused_and_nothing_is_changed)
{
	static const char *const wrong[] = { "",	  "22",		"tcp/",	    "tcp/0",
					     "tcp/65536", "tcp/90-80",	"icmp/8",   "icmp,80",
					     "tcpx/22",	  "sctp/22",	"tcp/22 x", "tcp/22-",
					     "tcp/-22",	  "tcp/22,all", "ALL",	    "," };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		refused(wrong[i]);
}

Test(ports, at_most_so_many)
{
	char text[1024] = "tcp/1";

	for (unsigned i = 1; i < PORT_RANGES_MAX; i++)
		sprintf(text + strlen(text), ",%u", 1 + 2 * i);
	cr_expect_eq(ports_of(text).count, PORT_RANGES_MAX);
	strcat(text, ",udp");
	refused(text);
}

static struct link link_of(const char *allowed)
{
	return (struct link){ .ipv4 = address_of("10.77.0.9/16"),
			      .ipv6 = address_of("fd00::9/64"),
			      .allow_in = ports_of(allowed) };
}

Test(wall, a_vps_that_is_open_is_bound_and_no_more)
{
	struct link link = link_of("all");
	own_nft_entries wall = { 0 };

	wall_fill(&wall, 9, &link, 4096, false);
	cr_expect_eq(wall.count, 3);
	for (size_t i = 0; i < wall.count; i++)
		cr_expect_eq(wall.list[i].e.connections, 4096);
}

static bool has(const struct nft_entries *wall, const char *text)
{
	char one[PORTS_TEXT + ADDRESS_TEXT];

	for (size_t i = 0; i < wall->count; i++) {
		wall_print(&wall->list[i], one, sizeof(one));
		if (strcmp(one, text) == 0)
			return true;
	}
	return false;
}

static struct link member_of(uint32_t network)
{
	return (struct link){ .mode = LINK_ROUTED,
			      .ipv4 = address_of("10.77.0.9/16"),
			      .ipv6 = address_of("fd00::9/64"),
			      .network = { "blue", network } };
}

Test(wall, who_is_on_a_network_is_found_by_address_and_by_both)
{
	struct link link = member_of(7);
	own_nft_entries wall = { 0 };

	wall_fill(&wall, 9, &link, 4096, false);
	cr_assert_eq(wall.count, 3 + 4);
	cr_expect_str_eq(wall_set_name(wall.list[3].set), "network4");
	cr_expect_eq(wall.list[3].e.key_size, 4);
	cr_expect_arr_eq(wall.list[3].e.key, "\x0a\x4d\0\x09", 4);
	cr_expect_eq(wall.list[3].e.data_size, 4);
	cr_expect_eq(*(uint32_t *)(void *)wall.list[3].e.data, 7);
	cr_expect_str_eq(wall.list[3].e.comment, "nodectl 9");
	cr_expect_str_eq(wall_set_name(wall.list[6].set), "member6");
	cr_expect_eq(wall.list[6].e.key_size, 20);
	cr_expect_eq(wall.list[6].e.data_size, 0);
	cr_expect_eq(*(uint32_t *)(void *)(wall.list[6].e.key + 16), 7);
	cr_expect(has(&wall, "network 7 of 10.77.0.9"));
	cr_expect(has(&wall, "network 7 of fd00::9"));
}

Test(wall, on_the_bridge_and_without_a_network_nobody_is_on_one)
{
	struct link link = member_of(7), none = member_of(0);
	own_nft_entries wall = { 0 };

	link.mode = LINK_BRIDGE;
	wall_fill(&wall, 9, &link, 4096, false);
	wall_fill(&wall, 9, &none, 4096, false);
	cr_expect_eq(wall.count, 2 * 3, "they are bound, and no more");
}

Test(wall, another_network_of_an_address_is_another_element)
{
	struct link before = member_of(7), after = member_of(8);
	own_nft_entries had = { 0 }, has = { 0 }, out = { 0 };

	wall_fill(&had, 9, &before, 4096, false);
	wall_fill(&has, 9, &after, 4096, false);
	wall_only(&had, &has, &out);
	cr_expect_eq(out.count, 4);
}

Test(wall, each_address_is_closed_but_for_each_range)
{
	struct link link = link_of("tcp/22,80-90,icmp");
	own_nft_entries wall = { 0 };

	link.routed[link.routed_count++] = address_of("203.0.113.16/28");
	wall_fill(&wall, 9, &link, 4096, false);
	cr_expect_eq(wall.count, 16);
	cr_expect(has(&wall, "allow-in all else of 10.77.0.9"));
	cr_expect(has(&wall, "allow-in all else of fd00::9"));
	cr_expect(has(&wall, "allow-in all else of 203.0.113.16/28"));
	cr_expect(has(&wall, "allow-in tcp/22 of 10.77.0.9"));
	cr_expect(has(&wall, "allow-in tcp/80-90 of fd00::9"));
	cr_expect(has(&wall, "allow-in icmp of fd00::9"));
	cr_expect(has(&wall, "allow-in icmp of 203.0.113.16/28"));
}

Test(wall, an_address_inside_a_prefix_says_nothing_new)
{
	struct link link = link_of("none");
	own_nft_entries wall = { 0 };

	link.further[link.further_count++] = address_of("203.0.113.17/32");
	link.routed[link.routed_count++] = address_of("203.0.113.16/28");
	wall_fill(&wall, 9, &link, 4096, false);
	cr_expect_eq(wall.count, 7);
	cr_expect(has(&wall, "allow-in all else of 203.0.113.16/28"));
	cr_expect(!has(&wall, "allow-in all else of 203.0.113.17"));
	cr_expect(!has(&wall, "connections to 203.0.113.17"));
}

/* The set of the element that is printed so; its key, as long as it is. */
static const char *set_of(const struct nft_entries *wall, const char *text)
{
	char one[PORTS_TEXT + ADDRESS_TEXT];

	for (size_t i = 0; i < wall->count; i++) {
		wall_print(&wall->list[i], one, sizeof(one));
		if (strcmp(one, text) == 0)
			return wall_set_name(wall->list[i].set);
	}
	return "none";
}

Test(wall, what_is_no_range_is_in_hashes)
{
	struct link link = link_of("tcp/22,80-90,icmp");
	own_nft_entries wall = { 0 };

	link.routed[link.routed_count++] = address_of("203.0.113.16/28");
	wall_fill(&wall, 9, &link, 4096, false);
	cr_expect_str_eq(set_of(&wall, "allow-in all else of 10.77.0.9"), "closed4");
	cr_expect_str_eq(set_of(&wall, "allow-in tcp/22 of 10.77.0.9"), "port4");
	cr_expect_str_eq(set_of(&wall, "allow-in icmp of 10.77.0.9"), "protocol4");
	cr_expect_str_eq(set_of(&wall, "allow-in tcp/80-90 of 10.77.0.9"), "open4");
	cr_expect_str_eq(set_of(&wall, "allow-in all else of fd00::9"), "closed6");
	cr_expect_str_eq(set_of(&wall, "allow-in tcp/22 of fd00::9"), "port6");
	cr_expect_str_eq(set_of(&wall, "allow-in icmp of fd00::9"), "protocol6");
	cr_expect_str_eq(set_of(&wall, "allow-in all else of 203.0.113.16/28"), "shut4");
	cr_expect_str_eq(set_of(&wall, "allow-in tcp/22 of 203.0.113.16/28"), "open4");
}

Test(wall, a_port_of_an_address_is_laid_out_as_nft_does)
{
	static const uint8_t key[] = { 10, 77, 0, 9, 6, 0, 0, 0, 0, 22, 0, 0 };
	struct link link = { .ipv4 = address_of("10.77.0.9/16"),
			     .allow_in = ports_of("tcp/22") };
	own_nft_entries wall = { 0 };

	wall_fill(&wall, 9, &link, 4096, false);
	cr_assert_eq(wall.count, 4);
	cr_expect_str_eq(wall_set_name(wall.list[1].set), "port4");
	cr_assert_eq(wall.list[1].e.key_size, sizeof(key));
	cr_expect_eq(wall.list[1].e.end_size, 0);
	cr_expect_arr_eq(wall.list[1].e.key, key, sizeof(key));
	cr_expect_str_eq(wall.list[1].e.comment, "nodectl 9");
}

/* As nft 1.0.6 sends 10.77.0.9 . tcp . 80-90 */
Test(wall, an_element_is_laid_out_as_nft_does)
{
	static const uint8_t key[] = { 10, 77, 0, 9, 6, 0, 0, 0, 0, 80, 0, 0 };
	static const uint8_t end[] = { 10, 77, 0, 9, 6, 0, 0, 0, 0, 90, 0, 0 };
	struct link link = { .ipv4 = address_of("10.77.0.9/16"),
			     .allow_in = ports_of("tcp/80-90") };
	own_nft_entries wall = { 0 };

	wall_fill(&wall, 9, &link, 4096, false);
	cr_assert_eq(wall.count, 4);
	cr_expect_str_eq(wall_set_name(wall.list[1].set), "open4");
	cr_assert_eq(wall.list[1].e.key_size, sizeof(key));
	cr_assert_eq(wall.list[1].e.end_size, sizeof(end));
	cr_expect_arr_eq(wall.list[1].e.key, key, sizeof(key));
	cr_expect_arr_eq(wall.list[1].e.end, end, sizeof(end));
	cr_expect_str_eq(wall.list[1].e.comment, "nodectl 9");
}

Test(wall, a_change_is_what_differs)
{
	struct link before = link_of("tcp/22,80"), after = link_of("tcp/22,443");
	own_nft_entries a = { 0 }, b = { 0 }, out = { 0 }, in = { 0 };

	wall_fill(&a, 9, &before, 4096, false);
	wall_fill(&b, 9, &after, 4096, false);
	wall_only(&a, &b, &out);
	wall_only(&b, &a, &in);
	cr_expect_eq(out.count, 2);
	cr_expect(has(&out, "allow-in tcp/80 of 10.77.0.9"));
	cr_expect_eq(in.count, 2);
	cr_expect(has(&in, "allow-in tcp/443 of fd00::9"));
}

Test(wall, what_it_begins_is_counted_by_its_mac_address)
{
	static const uint8_t mac[] = { 2, 'n', 'd', 0, 1, 2 };
	struct link link = { .ipv4 = address_of("10.77.0.9/16"), .connections = 100 };
	own_nft_entries wall = { 0 };

	wall_fill(&wall, 258, &link, 4096, false);
	cr_assert_eq(wall.count, 2);
	cr_expect_str_eq(wall_set_name(wall.list[0].set), "conns");
	cr_expect_arr_eq(wall.list[0].e.key, mac, sizeof(mac));
	cr_expect_eq(wall.list[0].e.connections, 100);
	cr_expect(has(&wall, "connections from it"));
	cr_expect(has(&wall, "connections to 10.77.0.9"));
}

/* The kernel copies a set of ranges for each change: a VPS without prefixes is in none. */
Test(wall, addresses_are_bound_in_hashes_and_prefixes_in_ranges)
{
	struct link link = { .ipv4 = address_of("10.77.0.9/16"), .connections = 100 };
	own_nft_entries wall = { 0 };

	link.ipv6 = address_of("fd00::9/64");
	link.routed[link.routed_count++] = address_of("198.51.100.16/28");
	wall_fill(&wall, 9, &link, 4096, false);
	cr_assert_eq(wall.count, 4);
	cr_expect_str_eq(wall_set_name(wall.list[1].set), "conns4");
	cr_expect_eq(wall.list[1].e.end_size, 0);
	cr_expect_str_eq(wall_set_name(wall.list[2].set), "conns6");
	cr_expect_str_eq(wall_set_name(wall.list[3].set), "nets4");
	cr_expect(has(&wall, "connections to 10.77.0.9"));
	cr_expect(has(&wall, "connections to 198.51.100.16/28"));
}

Test(wall, another_bound_is_another_element)
{
	struct link before = link_of("all"), after = link_of("all");
	own_nft_entries a = { 0 }, b = { 0 }, out = { 0 };

	after.connections = 100;
	wall_fill(&a, 9, &before, 4096, false);
	wall_fill(&b, 9, &after, 4096, false);
	wall_only(&a, &b, &out);
	cr_expect_eq(out.count, 3);
}

Test(wall, a_vps_without_addresses_has_nothing)
{
	struct link link = { .allow_in = ports_of("none") };
	own_nft_entries wall = { 0 };

	wall_fill(&wall, 9, &link, 4096, false);
	cr_expect_eq(wall.count, 0);
}

Test(wall, with_an_uplink_what_may_come_in_is_said_to_both_tables)
{
	struct link link = link_of("tcp/22");
	own_nft_entries wall = { 0 };
	unsigned wire = 0, closed = 0, open = 0, here = 0;

	wall_fill(&wall, 9, &link, 4096, true);
	for (size_t i = 0; i < wall.count; i++) {
		const char *name = wall_set_name(wall.list[i].set);

		wire += wall_set_is_of_bridge(wall.list[i].set);
		closed += strncmp(name, "closed", 6) == 0 || strncmp(name, "shut", 4) == 0;
		open += strncmp(name, "port", 4) == 0 || strncmp(name, "open", 4) == 0;
		here += strncmp(name, "here", 4) == 0;
	}
	cr_expect_eq(closed, 4);
	cr_expect_eq(open, 4);
	cr_expect_eq(here, 2);
	cr_expect_eq(wire, 6);
	cr_expect(has(&wall, "uplink between VPSs and 10.77.0.9"));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "../netns/bridge.h"
#include "../netns/guard_port.h"
#include "../netns/meter_map.h"
#include "err.h"
#include "guard.h"
#include "meter.h"
#include "own.h"

static const struct bridge bridge = { .name = "nodectl0" }, other = { .name = "nodectl1" };

static struct address address(const char *text)
{
	struct address parsed;
	struct err err;

	cr_assert_eq(address_parse(text, &parsed, &err), 0, "%s", err.msg);
	return parsed;
}

Test(guard, a_vps_owns_its_addresses_alone_and_not_their_networks)
{
	struct link link = { .ipv4 = address("10.77.0.9/16"), .ipv6 = address("fd00::9/64") };
	struct guard_port port;

	guard_port_fill(&port, 7, &bridge, &link);
	cr_expect_eq(port.id, 7);
	cr_expect_eq(port.count4, 1);
	cr_expect_eq(port.own4[0].network, inet_addr("10.77.0.9"));
	cr_expect_eq(port.own4[0].mask, 0xffffffff);
	cr_expect_eq(port.count6, 2);
	cr_expect_arr_eq((uint8_t *)port.own6[1].network, link.ipv6.bytes, 16);
	cr_expect_eq(port.own6[1].mask[1], UINT64_MAX);
}

Test(guard, a_vps_owns_the_link_local_address_of_its_mac)
{
	struct guard_port port;
	struct address local = address("fe80::6e:64ff:fe00:7");

	guard_port_fill(&port, 7, &bridge, &(struct link){ 0 });
	cr_expect_eq(port.count4, 0);
	cr_expect_eq(port.count6, 1);
	cr_expect_arr_eq((uint8_t *)port.own6[0].network, local.bytes, 16);
	cr_expect_arr_eq(port.mac, link_mac(7, false).bytes, 6);
}

Test(guard, a_vps_owns_further_addresses_and_the_prefixes_that_lead_to_it)
{
	struct link link = { .ipv4 = address("10.77.0.9/16"),
			     .further = { address("192.0.2.5/24"), address("2001:db8::5/64") },
			     .further_count = 2,
			     .routed = { address("198.51.100.16/28"),
					 address("2001:db8:7::/49") },
			     .routed_count = 2 };
	struct guard_port port;

	guard_port_fill(&port, 7, &bridge, &link);
	cr_expect_eq(port.count4, 3);
	cr_expect_eq(port.own4[1].network, inet_addr("192.0.2.5"));
	cr_expect_eq(port.own4[1].mask, 0xffffffff);
	cr_expect_eq(port.own4[2].network, inet_addr("198.51.100.16"));
	cr_expect_eq(port.own4[2].mask, inet_addr("255.255.255.240"));
	cr_expect_eq(port.count6, 3);
	cr_expect_arr_eq((uint8_t *)port.own6[2].mask,
			 "\xff\xff\xff\xff\xff\xff\x80\0\0\0\0\0\0\0\0", 16);
}

Test(guard, all_that_a_link_may_have_has_room)
{
	struct link link = { .ipv6 = address("fd00::9/64"),
			     .further_count = LINK_ADDRESSES_MAX,
			     .routed_count = LINK_ADDRESSES_MAX };
	struct guard_port port;

	for (unsigned i = 0; i < LINK_ADDRESSES_MAX; i++)
		link.further[i] = link.routed[i] = address("2001:db8::5");
	guard_port_fill(&port, 7, &bridge, &link);
	cr_expect_eq(port.count6, 2 + 2 * LINK_ADDRESSES_MAX);
}

Test(guard, mail_is_closed_and_no_rate_held_unless_asked_for)
{
	struct guard_port port;

	guard_port_fill(&port, 7, &bridge, &(struct link){ 0 });
	cr_expect_eq(port.smtp, 0);
	cr_expect_eq(port.interval, 0);
	cr_expect_eq(guard_port_rate(&port), 0);
}

Test(guard, a_packet_rate_is_a_time_for_each_packet_and_a_burst)
{
	static const struct {
		unsigned rate;
		uint64_t interval, burst;
	} rows[] = {
		{ 10, 100000000, 6400000000 },
		{ 1000, 1000000, 100000000 },
		{ 20000, 50000, 100000000 },
		{ 100000000, 10, 100000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard_port port;

		guard_port_fill(&port, 7, &bridge,
				&(struct link){ .packet_rate = rows[i].rate });
		cr_expect_eq(port.interval, rows[i].interval);
		/* a tenth of a second, or 64 packets */
		cr_expect_eq(port.burst, rows[i].burst);
		cr_expect_eq(guard_port_rate(&port), rows[i].rate);
	}
}

Test(guard, settings_are_compared_without_the_buckets)
{
	struct guard_port a, b;

	guard_port_fill(&a, 7, &bridge, &(struct link){ .smtp = true });
	b = a;
	b.busy_in = b.busy_out = b.busy_group = 99;
	cr_expect(guard_port_is_equal(&a, &b));
	b.own6[3].mask[1] = 1;
	cr_expect(!guard_port_is_equal(&a, &b));
}

Test(guard, free_networks_are_those_of_one_node)
{
	struct address network = address("192.0.2.77/24"), six = address("2001:db8::1/32");
	struct guard_free one, two;

	guard_free_fill(&one, &bridge, &network);
	guard_free_fill(&two, &other, &network);
	cr_expect_eq(one.prefix, 32 + 96 + 24);
	cr_expect_arr_eq(one.address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x00", 16);
	cr_expect_neq(one.node, two.node);
	guard_free_fill(&one, &bridge, &six);
	cr_expect_eq(one.prefix, 32 + 32);
	cr_expect_arr_eq(one.address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0", 16);
}

Test(guard, each_reason_has_a_name_of_its_own)
{
	for (unsigned i = 0; i < GUARD_REASONS; i++) {
		cr_expect(*guard_reason_name(i) && *guard_reason_text(i));
		for (unsigned j = 0; j < i; j++)
			cr_expect_str_neq(guard_reason_name(i), guard_reason_name(j));
	}
}

Test(meter, the_total_is_that_of_all_cpus_families_and_ways)
{
	struct guard_cell cells[2] = { { .generation = 42 }, { .generation = 42 } };
	struct meter_total total;

	cells[0].flow[GUARD_TO_VPS][0][0] = (struct guard_flow){ 1000, 10 };
	cells[1].flow[GUARD_TO_VPS][0][1] = (struct guard_flow){ 200, 2 };
	cells[1].flow[GUARD_TO_VPS][1][0] = (struct guard_flow){ 30, 3 };
	cells[0].flow[GUARD_FROM_VPS][1][1] = (struct guard_flow){ 4, 1 };
	cells[0].dropped[GUARD_ARP] = 5;
	cells[1].dropped[GUARD_ARP] = 6;
	meter_sum(cells, 2, &total);
	cr_expect_eq(total.generation, 42);
	cr_expect_eq(total.bytes_in, 1230);
	cr_expect_eq(total.packets_in, 15);
	cr_expect_eq(total.free_bytes_in, 200);
	cr_expect_eq(total.v6_bytes_in, 30);
	cr_expect_eq(total.v6_free_bytes_in, 0);
	cr_expect_eq(total.bytes_out, 4);
	cr_expect_eq(total.free_packets_out, 1);
	cr_expect_eq(total.v6_free_bytes_out, 4);
	cr_expect_eq(total.dropped[GUARD_ARP], 11);
	cr_expect_eq(total.dropped[GUARD_MAC], 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "err.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define SUBNET "subnet = 10.77.0.1/16\n"

static struct err err;

static void parsed(struct node *node, const char *text)
{
	cr_assert_eq(node_parse(node, text, &err), 0, "%s", err.msg);
}

static void refused(const char *text, const char *message)
{
	struct node node;

	memset(&err, 0, sizeof(err));
	cr_expect_eq(node_parse(&node, text, &err), -1, "%s", text);
	cr_expect_str_eq(err.msg, message);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(node, a_subnet_is_all_that_must_be_said)
{
	own_node node;

	parsed(&node, SUBNET);
	cr_expect_str_eq(node.storage, "/var/lib/nodectl");
	cr_expect_str_eq(node.run, "/run/nodectl");
	cr_expect_str_eq(node.bridge.name, "nodectl0");
	cr_expect_eq(node.bridge.mtu, 0);
	cr_expect_eq(node.bridge.ipv6.family, 0);
	cr_expect_eq(node.range.first, 1);
	cr_expect_eq(node.range.last, VPS_ID_MAX);
	cr_expect_eq(node.ssh_port, 22000);
	cr_expect_str_eq(node.plan, "small");
	cr_expect_str_eq(node.image, "debian-12");
	cr_expect_eq(node.promise.reserve_memory, 512u << 20);
	cr_expect_eq(node.promise.reserve_disk, 2ull << 30);
	cr_expect_eq(node.promise.ratio_cpus, 1600);
	cr_expect_eq(node.promise.ratio_memory, 400);
	cr_expect_eq(node.promise.traffic, 0);
}

Test(node, no_descriptor_of_one_that_was_only_parsed_is_open)
{
	struct node node;

	parsed(&node, SUBNET);
	cr_expect_eq(node.dir, -1);
	cr_expect_eq(node.vps, -1);
	cr_expect_eq(node.images, -1);
	cr_expect_eq(node.ids, -1);
	cr_expect_eq(node.addresses, -1);
	cr_expect_eq(node.trash, -1);
	cr_expect_eq(node.templates, -1);
	cr_expect_eq(node.runs, -1);
}

Test(node, every_key_lands_in_its_member)
{
	own_node node;

	parsed(&node, SUBNET "storage = /srv/vps\nrun = /run/other\nbridge = br7\nmtu = 1400\n"
			     "subnet6 = fd00::1/64\nids = 100-199\nssh-port = 0\n"
			     "nameserver = 192.0.2.1\nnameserver = 192.0.2.2\nplan = nano\n"
			     "image = mini\nreserve-memory = 1G\nreserve-disk = 5G\n"
			     "reserve-cpus = 0.5\nreserve-tasks = 99\nratio-cpus = 8\n"
			     "ratio-memory = 1.5\nratio-disk = 2\nratio-tasks = 3\n"
			     "ratio-traffic = 0\ntraffic = 20T\n");
	cr_expect_str_eq(node.storage, "/srv/vps");
	cr_expect_str_eq(node.run, "/run/other");
	cr_expect_str_eq(node.bridge.name, "br7");
	cr_expect_eq(node.bridge.mtu, 1400);
	cr_expect_eq(node.bridge.ipv6.prefix, 64);
	cr_expect_eq(node.range.first, 100);
	cr_expect_eq(node.range.last, 199);
	cr_expect_eq(node.ssh_port, 0);
	cr_expect_eq(node.nameserver[1].bytes[3], 2);
	cr_expect_str_eq(node.plan, "nano");
	cr_expect_str_eq(node.image, "mini");
	cr_expect_eq(node.promise.reserve_memory, 1u << 30);
	cr_expect_eq(node.promise.reserve_disk, 5ull << 30);
	cr_expect_eq(node.promise.reserve_cpus, 50);
	cr_expect_eq(node.promise.reserve_tasks, 99);
	cr_expect_eq(node.promise.ratio_cpus, 800);
	cr_expect_eq(node.promise.ratio_memory, 150);
	cr_expect_eq(node.promise.ratio_disk, 200);
	cr_expect_eq(node.promise.ratio_tasks, 300);
	cr_expect_eq(node.promise.ratio_traffic, 0);
	cr_expect_eq(node.promise.traffic, 20ull << 40);
}

Test(node, an_unknown_key_is_named_with_its_line)
{
	refused(SUBNET "# x\ncolour = red\n", "line 3: unknown key 'colour'");
}

Test(node, a_bad_value_is_named_with_line_and_key)
{
	refused("subnet = ten\n", "line 1: subnet: 'ten' is not an address");
	refused(SUBNET "storage = srv\n", "line 2: storage: 'srv' is not an absolute path");
	refused(SUBNET "ratio-cpus = much\n",
		"line 2: ratio-cpus: 'much' is not a ratio (like 4 or 1.5)");
	refused(SUBNET "plan = A\n",
		"line 2: plan: 'A' is not a name (a-z, 0-9, '-' inside, at most 63, not all "
		"digits)");
}

Test(node, a_subnet_must_have_room_and_be_ipv4)
{
	static const char message[] =
	    "subnet: an IPv4 gateway with its prefix is needed, like 10.77.0.1/16";
	own_node node;

	refused("", message);
	refused("subnet = none\n", message);
	refused("subnet = 10.77.0.1\n", message);
	refused("subnet = 10.77.0.1/30\n", message);
	refused("subnet = fd00::1/64\n", message);
	parsed(&node, "subnet = 10.77.0.1/29\n");
}

Test(node, the_second_subnet_must_be_ipv6_or_none)
{
	own_node node;

	refused(SUBNET "subnet6 = 10.78.0.1/16\n", "subnet6: not an IPv6 address");
	parsed(&node, SUBNET "subnet6 = none\n");
}

Test(node, ids_are_a_range_within_what_there_is)
{
	own_node node;

	parsed(&node, SUBNET "ids = 5-5\n");
	cr_expect_eq(node.range.first, 5);
	cr_expect_eq(node.range.last, 5);
	parsed(&node, SUBNET "ids = 1-28663\n");
}

Test(node, what_is_no_range_of_ids_is_refused)
{
	static const char *const garbage[] = {
		"",
		"5",
		"0-5",
		"6-5",
		"1-28664",
		"a-b",
		"1-5x",
		"1-5-9",
		"-5",
		"1-",
		"1--5",
		"1-4294967297",
		"1 - 5x",
		"4294967297-4294967299",
		"-4294967295-5",
		"1.5-3",
	};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		own_str text = xasprintf(SUBNET "ids = %s\n", garbage[i]);
		own_str message =
		    xasprintf("line 2: ids: '%s' is not a range within 1-28663", garbage[i]);

		refused(text, message);
	}
}

Test(node, the_port_of_the_last_vps_is_a_port)
{
	own_node node;

	parsed(&node, SUBNET "ssh-port = 36872\n");
	refused(SUBNET "ssh-port = 36873\n",
		"line 2: ssh-port: '36873' is not a number from 0 to 36872");
}

Test(node, the_bridge_has_a_name_that_an_interface_can_have)
{
	static const char *const garbage[] = { "", "a/b", "a b", "0123456789012345" };
	own_node node;

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		own_str text = xasprintf(SUBNET "bridge = %s\n", garbage[i]);
		own_str message =
		    xasprintf("line 2: bridge: '%s' is not an interface name", garbage[i]);

		refused(text, message);
	}
	parsed(&node, SUBNET "bridge = 012345678901234\n");
}

Test(node, a_key_that_is_no_list_must_not_come_twice)
{
	struct node node;

	cr_assert_eq(node_parse(&node, "subnet = 10.1.0.1/16\nids = 1-5\nids = 6-9\n", &err),
		     -1);
	cr_assert_eq(err.kind, ERR_VALUE);
	cr_assert_not_null(strstr(err.msg, "line 3: 'ids' is given twice"));
}

Test(node, what_is_open_of_the_node_is_named_port_by_port)
{
	struct node node;

	parsed(&node, SUBNET "host-open = udp/53, tcp/53\n");
	cr_expect(node.bridge.open.some);
	cr_expect_eq(node.bridge.open.count, 2);
	parsed(&node, SUBNET);
	cr_expect_eq(node.bridge.open.count, 0);
	parsed(&node, SUBNET "host-open = none\n");
	cr_expect_eq(node.bridge.open.count, 0);
	refused(SUBNET "host-open = all\n",
		"line 2: host-open: name the ports, like udp/53,tcp/53");
}

Test(node, free_networks_are_a_list_on_one_line_or_more)
{
	own_node node;

	parsed(&node, SUBNET "free = 10.0.0.0/8, 2001:db8::/32\nfree = 192.0.2.1\n");
	cr_expect_eq(node.bridge.free[0].prefix, 8);
	cr_expect_eq(node.bridge.free[1].family, AF_INET6);
	cr_expect_eq(node.bridge.free[1].prefix, 32);
	cr_expect_eq(node.bridge.free[2].prefix, 32);
	cr_expect_eq(node.bridge.free[3].family, 0);
}

Test(node, no_network_is_free_unless_it_says_so)
{
	own_node node;

	parsed(&node, SUBNET "free = none\n");
	cr_expect_eq(node.bridge.free[0].family, 0);
}

Test(node, what_is_no_network_is_not_free)
{
	own_node node = node_none();
	struct err refusal;

	cr_expect_eq(node_parse(&node, SUBNET "free = 10.0.0.0/8, there\n", &refusal), -1);
	cr_expect(strstr(refusal.msg, "free"), "%s", refusal.msg);
}

Test(node, pool_may_have_a_gateway_of_its_own)
{
	struct node node;

	parsed(&node, SUBNET "pool routed = 198.51.100.0/24\n"
			     "pool street = 203.0.113.0/24 , gateway 203.0.113.1\n");
	cr_expect_eq(node.pools[0].gateway.family, 0);
	cr_expect_arr_eq(node.pools[1].gateway.bytes, ((uint8_t[]){ 203, 0, 113, 1 }), 4);
	cr_expect(address_is_equal(&node.bridge.ways[0].network, &node.pools[1].network));
	cr_expect(address_is_equal(&node.bridge.ways[0].gateway, &node.pools[1].gateway));
	cr_expect_eq(node.bridge.ways[1].network.family, 0, "the other has none");
}

Test(node, gateway_of_a_pool_is_a_host_of_it)
{
	refused(SUBNET "pool a = 203.0.113.0/24, gateway 203.0.114.1\n",
		"line 2: pool a: gateway 203.0.114.1 is not a host of its network "
		"203.0.113.0/24");
	refused(SUBNET "pool a = 203.0.113.0/24, gateway 203.0.113.255\n",
		"line 2: pool a: gateway 203.0.113.255 is not a host of its network "
		"203.0.113.0/24");
	refused(SUBNET "pool a = 203.0.113.0/24, gateway fd00::1\n",
		"line 2: pool a: gateway fd00::1 is not a host of its network 203.0.113.0/24");
	refused(SUBNET "pool a = 203.0.113.0/24, gateway 203.0.113.1/24\n",
		"line 2: pool a: gateway '203.0.113.1/24' is not an address");
	refused(SUBNET "pool a = 203.0.113.0/24, 203.0.113.1\n",
		"line 2: pool a: '203.0.113.1' is not 'gateway ADDRESS', all that may stand "
		"behind the network");
	refused(SUBNET "pool a = , gateway 203.0.113.1\n",
		"line 2: pool a: '' is not an address");
}

Test(node, uplink_is_an_interface_or_none)
{
	struct node node;

	parsed(&node, SUBNET);
	cr_expect_str_eq(node.bridge.uplink, "");
	parsed(&node, SUBNET "uplink = eth1.100\n");
	cr_expect_str_eq(node.bridge.uplink, "eth1.100");
	parsed(&node, SUBNET "uplink = none\n");
	cr_expect_str_eq(node.bridge.uplink, "");
	refused(SUBNET "uplink = eth1; drop\n",
		"line 2: uplink: 'eth1; drop' is not an interface name");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../netns/nat.h"
#include "../netns/netlink.h"
#include "../netns/nft.h"
#include "../netns/nft_msg.h"
#include "../netns/nft_table.h"
#include "err.h"
#include "own.h"

static struct netlink_batch batch;
static char text[RULESET_MAX];
static struct err err;

static struct address address_of(const char *string)
{
	struct address address;

	cr_assert_eq(address_parse(string, &address, &err), 0, "%s", err.msg);
	return address;
}

static struct nat_entry entry_of(const char *publish, const char *to)
{
	struct nat_entry entry = { .to = address_of(to) };

	cr_assert_eq(publish_parse(publish, &entry.publish, &err), 0, "%s", err.msg);
	return entry;
}

static struct bridge bridge_of(const char *ipv4, const char *ipv6)
{
	struct bridge bridge = { .name = "nodectl0", .ipv4 = address_of(ipv4) };

	if (ipv6)
		bridge.ipv6 = address_of(ipv6);
	return bridge;
}

/* The last rule of a chain: what nothing before it has decided about. */
static void last_rule_is(const char *chain, const char *rule)
{
	const char *last = NULL;

	for (char *at = text; (at = strstr(at, chain)); at++)
		last = at;
	cr_assert_not_null(last);
	cr_expect_eq(strncmp(last + strlen(chain), rule, strlen(rule)), 0);
}

/* As nft 1.0.6 sends it for: add element inet nodectl tcp4 { 22002 : 10.77.0.9 . 22 } */
Test(nft, element_is_laid_out_as_nft_does)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		1, 0, 0, 0,
		0x0c, 0, 1, 0, 'n', 'o', 'd', 'e', 'c', 't', 'l', 0,
		0x09, 0, 2, 0, 't', 'c', 'p', '4', 0, 0, 0, 0,
		0x24, 0, 3, 0x80,
		0x20, 0, 1, 0x80,
		0x0c, 0, 1, 0x80, 0x06, 0, 1, 0, 0x55, 0xf2, 0, 0,
		0x10, 0, 2, 0x80, 0x0c, 0, 1, 0, 10, 77, 0, 9, 0, 22, 0, 0,
	};
	/* clang-format on */
	struct nat_entry entry = entry_of("22002:22", "10.77.0.9");
	struct nft_element e = { 0 };
	struct nlmsghdr *nlh;

	netlink_start(&batch);
	memset(batch.buf, 0xa5, sizeof(batch.buf));
	nlh = netlink_next(&batch, "test", 0);
	nat_element(&entry, &e);
	nft_put_elements_add(nlh, "nodectl", "tcp4", &e, 1);
	cr_expect_eq(nlh->nlmsg_type, 0x0a0c);
	cr_assert_eq(nlh->nlmsg_len, MNL_NLMSG_HDRLEN + sizeof(expected));
	cr_expect_arr_eq(mnl_nlmsg_get_payload(nlh), expected, sizeof(expected));
}

Test(nft, changes_are_bracketed_without_answers)
{
	struct nlmsghdr *nlh;

	netlink_start(&batch);
	nlh = netlink_next(&batch, "test", 0);
	nft_put_begin(nlh);
	cr_expect_eq(nlh->nlmsg_type, 0x10);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST);
	cr_expect_arr_eq(mnl_nlmsg_get_payload(nlh), ((uint8_t[]){ 0, 0, 0, 10 }), 4);
}

static void entry_seen(const struct nft_element *e, void *arg)
{
	nat_entry_read(e, arg);
}

static const char *set_name(unsigned set)
{
	return set ? "second" : "first";
}

static void element_counted(const struct nft_element *e, void *arg)
{
	(void)e;
	(*(unsigned *)arg)++;
}

/* How many elements the next message has, and the set that it names. */
static unsigned elements_in(const struct nlmsghdr *nlh, char *set)
{
	const struct nlattr *attr;
	unsigned count = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_SET)
			strcpy(set, mnl_attr_get_str(attr));
	}
	nft_elements_read(nlh, element_counted, &count);
	return count;
}

Test(nft, entries_go_by_set_and_some_at_a_time)
{
	static const struct {
		const char *set;
		unsigned count;
	} expected[] = { { "first", NFT_CHUNK }, { "first", 1 }, { "second", 2 } };
	const struct nft_sets sets = { set_name, NULL, 2, "list", "change", "add", "remove" };
	own_nft_entries entries = { 0 };
	static char room[32768] __attribute__((aligned(8)));
	const struct nlmsghdr *nlh;
	char set[8];

	for (unsigned i = 0; i < NFT_CHUNK + 3; i++) {
		struct nft_entry *entry = nft_entry_add(&entries, i > NFT_CHUNK, 9);

		entry->e.key_size = 4;
		entry->e.key[0] = (uint8_t)i;
	}
	netlink_start_in(&batch, room, sizeof(room), sizeof(room) / 4);
	nft_put_entries(&batch, "nodectl", &sets, &entries, true);
	cr_assert_eq(batch.count, ARRAY_SIZE(expected));
	nlh = (const struct nlmsghdr *)batch.data;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		cr_expect_eq(elements_in(nlh, set), expected[i].count);
		cr_expect_str_eq(set, expected[i].set);
		cr_expect_str_eq(batch.about[i].what, "add");
		nlh = (const void *)((const char *)nlh + MNL_ALIGN(nlh->nlmsg_len));
	}
}

Test(nft, entries_of_one_owner_stand_together)
{
	static const unsigned owners[] = { 0, 7, 9, 9, 9, 12 };
	own_nft_entries entries = { 0 };

	cr_expect_eq(nft_entries_of(&entries, 9).count, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(owners); i++)
		nft_entry_add(&entries, i, owners[i]);
	cr_expect_eq(nft_entries_of(&entries, 9).count, 3);
	cr_expect_eq(nft_entries_of(&entries, 9).list[0].set, 2);
	cr_expect_eq(nft_entries_of(&entries, 12).count, 1);
	cr_expect_eq(nft_entries_of(&entries, 8).count, 0);
	cr_expect_eq(nft_element_owner(&entries.list[1].e), 7);
}

static void survives(const char *publish, const char *to)
{
	struct nat_entry entry = entry_of(publish, to), read = { 0 };
	struct nft_element e = { 0 };
	struct nlmsghdr *nlh;

	netlink_start(&batch);
	nlh = netlink_next(&batch, "test", 0);
	nat_element(&entry, &e);
	snprintf(e.comment, sizeof(e.comment), "nodectl 28663");
	nft_put_elements_add(nlh, "nodectl", "map", &e, 1);

	read.to.family = entry.to.family;
	read.publish.at.family = entry.publish.at.family;
	nft_elements_read(nlh, entry_seen, &read);
	cr_expect_eq(read.publish.host, entry.publish.host);
	cr_expect_eq(read.publish.guest, entry.publish.guest);
	cr_expect(address_is_equal(&read.publish.at, &entry.publish.at));
	cr_expect(address_is_equal(&read.to, &entry.to));
}

Test(nft, element_is_read_as_it_was_put)
{
	survives("22002:22", "10.77.0.9");
	survives("5353:53/udp", "fd00::9");
	survives("203.0.113.5:80:8080", "10.77.0.9");
	survives("[2001:db8::5]:80:8080/udp", "fd00::9");
}

Test(nat, each_port_is_forwarded_for_each_family)
{
	struct link link = { .ipv4 = address_of("10.77.0.9/16"),
			     .ipv6 = address_of("fd00::9/64"),
			     .publish = { { 22009, 22, IPPROTO_TCP }, { 53, 53, IPPROTO_UDP } },
			     .publish_count = 2 };
	struct nat_entries entries = { 0 };

	nat_entries_add(&entries, 9, &link);
	cr_assert_eq(entries.count, 4);
	cr_expect_eq(entries.list[1].publish.host, 22009);
	cr_expect_eq(entries.list[1].to.family, AF_INET6);

	link.ipv6.family = 0;
	entries.count = 0;
	nat_entries_add(&entries, 9, &link);
	cr_assert_eq(entries.count, 2);
	cr_expect_eq(entries.list[1].publish.protocol, IPPROTO_UDP);
	nat_entries_free(&entries);
}

static struct link link_with(const char *publish)
{
	struct link link = { .ipv4 = address_of("10.77.0.9/16"),
			     .ipv6 = address_of("fd00::9/64"),
			     .publish_count = 1 };

	cr_assert_eq(publish_parse(publish, &link.publish[0], &err), 0, "%s", err.msg);
	return link;
}

Test(nat, a_range_leads_to_a_range)
{
	struct link link = link_with("8000-8002:80");
	struct nat_entries entries = { 0 };

	nat_entries_add(&entries, 9, &link);
	cr_assert_eq(entries.count, 6);
	cr_expect_eq(entries.list[2].publish.host, 8002);
	cr_expect_eq(entries.list[2].publish.guest, 82);
	nat_entries_free(&entries);
}

Test(nat, an_address_of_the_node_leads_to_the_one_of_its_family)
{
	struct link link = link_with("[2001:db8::5]:80:80");
	struct nat_entries entries = { 0 };

	nat_entries_add(&entries, 9, &link);
	cr_assert_eq(entries.count, 1);
	cr_expect_eq(entries.list[0].to.family, AF_INET6);
	nat_entries_free(&entries);
}

Test(nat, only_what_differs_is_changed)
{
	struct link before = link_with("8000-8002:80"), after = link_with("8001-8003:81");
	struct nat_entries had = { 0 }, has = { 0 }, in = { 0 }, out = { 0 };

	before.ipv6.family = 0;
	after.ipv6.family = 0;
	nat_entries_add(&had, 9, &before);
	nat_entries_add(&has, 9, &after);
	nat_entries_only(&had, &has, &out);
	nat_entries_only(&has, &had, &in);
	cr_assert_eq(out.count, 1);
	cr_expect_eq(out.list[0].publish.host, 8000);
	cr_assert_eq(in.count, 1);
	cr_expect_eq(in.list[0].publish.host, 8003);
	nat_entries_free(&had);
	nat_entries_free(&has);
	nat_entries_free(&in);
	nat_entries_free(&out);
}

Test(nat, nothing_to_forward_needs_no_kernel)
{
	struct link link = { .ipv4 = address_of("10.77.0.9/16") };
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	cr_expect_eq(nat_add(9, &bridge, &link, &err), 0);
	cr_expect_eq(nat_change(9, &bridge, &link, &(struct link){ 0 }, &err), 0);
}

Test(ruleset, masquerades_the_network_and_not_the_gateway)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00:0:0:1::1/64");

	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_not_null(strstr(text, "ip saddr 10.77.0.0/16 oifname != \"nodectl0\" "
					"meta oifgroup != 0x6e64c856 masquerade\n"));
	cr_expect_not_null(strstr(text, "ip6 saddr fd00:0:0:1::/64 oifname != \"nodectl0\" "
					"meta oifgroup != 0x6e64c856 masquerade\n"));
}

Test(ruleset, who_comes_to_a_routed_one_by_a_forward_is_the_gateway)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00:0:0:1::1/64");

	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_not_null(strstr(text, "ip saddr 10.77.0.0/16 meta oifgroup 0x6e64c856 "
					"ct status dnat snat ip to 10.77.0.1\n"));
	cr_expect_not_null(strstr(text, "ip6 saddr fd00:0:0:1::/64 meta oifgroup 0x6e64c856 "
					"ct status dnat snat ip6 to fd00:0:0:1::1\n"));
}

Test(ruleset, from_vps_to_vps_passes_what_is_between_members_and_nothing_else)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	ruleset_print(&bridge, text, sizeof(text));
	last_rule_is("add rule inet nodectl between ", "drop\n");
	cr_expect_not_null(strstr(text, "between meta mark 0 drop\n"));
	/* another node's are its own affair: one end at least is ours */
	cr_expect_not_null(strstr(text, "forward meta iifgroup 0x6e64c856 meta oifgroup and "
					"0xffff0000 == 0x6e640000 ct status ! dnat goto"));
	cr_expect_not_null(strstr(text, "forward meta iifgroup and 0xffff0000 == 0x6e640000 "
					"meta oifgroup 0x6e64c856 ct status ! dnat goto"));
}

Test(ruleset, the_node_is_closed_to_bridge_and_routed_ones)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_not_null(strstr(text, "input iifname != \"nodectl0\" "
					"meta iifgroup != 0x6e64c856 accept\n"));
}

Test(ruleset, a_global_ipv6_network_is_not_masqueraded)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "2001:db8::1/64");

	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_null(strstr(text, "2001:db8"));
}

Test(ruleset, drops_what_is_not_named_on_the_way_into_the_node)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	ruleset_print(&bridge, text, sizeof(text));
	last_rule_is("add rule inet nodectl input ", "drop\n");
}

Test(ruleset, opens_of_the_node_what_is_named)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);
	char *rule;

	cr_assert_eq(ports_parse("icmp,udp/53,tcp/8000-8010", &bridge.open, &err), 0);
	ruleset_print(&bridge, text, sizeof(text));
	cr_assert_not_null(
	    strstr(text, "add rule inet nodectl input tcp dport 8000-8010 accept\n"));
	rule = strstr(text, "add rule inet nodectl input udp dport 53-53 accept\n");
	cr_assert_not_null(rule);
	cr_expect_lt(rule, strstr(text, "add rule inet nodectl input drop\n"));
}

Test(ruleset, each_bridge_has_a_table_of_its_own)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);
	char table[BRIDGE_TABLE];

	bridge_table(&bridge, table);
	cr_expect_str_eq(table, "nodectl");
	strcpy(bridge.name, "lab-br.1");
	bridge_table(&bridge, table);
	cr_expect_str_eq(table, "nodectl-lab-br.1");
	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_null(strstr(text, "inet nodectl "), "%s", text);
	cr_expect_null(strchr(text, '$'));
}

Test(ruleset, never_empties_or_removes_a_map)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_null(strstr(text, "delete"));
	cr_expect_null(strstr(text, "flush map"));
	cr_expect_null(strstr(text, "flush table"));
}

Test(ruleset, fingerprint_is_in_the_text_and_follows_the_settings)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);
	char element[64];
	uint32_t one = ruleset_print(&bridge, text, sizeof(text));

	snprintf(element, sizeof(element), "add element inet nodectl loaded { 0x%08x }\n", one);
	cr_expect_not_null(strstr(text, element));
	cr_expect_eq(ruleset_print(&bridge, text, sizeof(text)), one);

	bridge.ipv4.bytes[1] = 78;
	cr_expect_neq(ruleset_print(&bridge, text, sizeof(text)), one);
}

Test(ruleset, the_longest_names_fit)
{
	struct bridge bridge = {
		.name = "abcdefghijklmno",
		.ipv4 = address_of("255.255.255.254/32"),
		.ipv6 = address_of("fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128"),
	};

	bridge.open.count = PORT_RANGES_MAX;
	for (unsigned i = 0; i < PORT_RANGES_MAX; i++)
		bridge.open.list[i] = (struct port_range){ IPPROTO_TCP, 65534, 65535 };
	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_lt(strlen(text), RULESET_MAX - 512);
	cr_expect_eq(text[strlen(text) - 1], '\n');
}

Test(ruleset, who_comes_by_a_forward_to_one_with_another_way_is_the_node)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	bridge.ways[0] =
	    (struct way){ address_of("203.0.113.0/24"), address_of("203.0.113.1") };
	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_not_null(strstr(text, "ip daddr 203.0.113.0/24 oifname \"nodectl0\" "
					"ct status dnat masquerade\n"));
	cr_expect_null(strstr(text, "ip saddr 203.0.113.0/24"), "it is never masqueraded");
	cr_expect_not_null(strstr(text, "forward iifname \"nodectl0\" oifname \"nodectl0\" "
					"ether daddr != 02:6e:64:00:00:00 "
					"ether daddr & ff:ff:ff:00:00:00 != "
					"06:6e:64:00:00:00 accept\n"));
}

Test(ruleset, without_an_uplink_there_is_no_table_for_what_is_switched)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", NULL);

	ruleset_print(&bridge, text, sizeof(text));
	cr_expect_null(strstr(text, "bridge nodectl"));
}

Test(ruleset, by_the_uplink_only_what_has_a_way_there_passes)
{
	struct bridge bridge = bridge_of("10.77.0.1/16", "fd00:0:0:1::1/62");
	uint32_t without = ruleset_print(&bridge, text, sizeof(text));

	strcpy(bridge.uplink, "eth1");
	bridge.ways[0] =
	    (struct way){ address_of("203.0.113.0/24"), address_of("203.0.113.1") };
	cr_expect_neq(ruleset_print(&bridge, text, sizeof(text)), without);
	cr_expect_not_null(strstr(text, "bridge nodectl input iifname \"eth1\" drop\n"));
	cr_expect_not_null(strstr(text, "bridge nodectl output oifname \"eth1\" drop\n"));
	cr_expect_not_null(strstr(text, "bridge nodectl input iifname \"nv*\" ether daddr "),
			   "other bridges have other MAC addresses");
	cr_expect_not_null(strstr(text,
				  "leaving ip saddr != { 255.255.255.255, 203.0.113.0/24 } "
				  "drop\n"));
	cr_expect_not_null(strstr(text, "arriving ip daddr != { 255.255.255.255, "
					"203.0.113.0/24 } drop\n"));
	cr_expect_not_null(strstr(text, "leaving ip6 saddr != { ::1, ::, fe80::/10 } drop\n"),
			   "no way is of IPv6");
	cr_expect_not_null(strstr(text, "@th,64,60 0xfd0000000000000 drop\n"),
			   "in whole half-bytes");
	cr_expect_not_null(strstr(text, "add element bridge nodectl loaded { "));
}

Test(nft, of_what_is_said_to_the_bridge_the_family_is_told)
{
	char room[1024] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	nft_put_element_dump(nlh, "nodectl", "shut4");
	cr_expect_eq(nfg->nfgen_family, 1, "NFPROTO_INET");
	nft_of_bridge(nlh);
	cr_expect_eq(nfg->nfgen_family, 7, "NFPROTO_BRIDGE");
}

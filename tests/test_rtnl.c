/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../netns/bridge.h"
#include "../netns/link.h"
#include "../netns/netlink.h"
#include "../netns/rtnl_msg.h"
#include "err.h"

static struct netlink_batch batch;
static struct err err;

static struct nlmsghdr *fresh(void)
{
	netlink_start(&batch);
	/* what was there before must not show through */
	memset(batch.buf, 0xa5, sizeof(batch.buf));
	return netlink_next(&batch, "test", 0);
}

/* All bytes behind the 16 of struct nlmsghdr. */
static void payload_is(const struct nlmsghdr *nlh, const uint8_t *expected, size_t size)
{
	cr_assert_eq(nlh->nlmsg_len, MNL_NLMSG_HDRLEN + size, "%u bytes", nlh->nlmsg_len);
	cr_expect_arr_eq(mnl_nlmsg_get_payload(nlh), expected, size);
}

#define PAYLOAD_IS(nlh, ...)                                                                   \
	payload_is(nlh, (const uint8_t[]){ __VA_ARGS__ },                                      \
		   sizeof((const uint8_t[]){ __VA_ARGS__ }))

#define WORD(byte) byte, 0, 0, 0
#define ZEROES	   0, 0, 0, 0

static struct address address_of(const char *text)
{
	struct address address;

	cr_assert_eq(address_parse(text, &address, &err), 0, "%s", err.msg);
	return address;
}

/* The attribute at the end of @path (0-ended types), or NULL. */
static const struct nlattr *find(const struct nlmsghdr *nlh, size_t header,
				 const uint16_t *path)
{
	const struct nlattr *attr, *found = NULL;

	mnl_attr_for_each(attr, nlh, header)
	{
		if (mnl_attr_get_type(attr) == *path)
			found = attr;
	}
	while (found && *++path) {
		const struct nlattr *nest = found;

		found = NULL;
		mnl_attr_for_each_nested(attr, nest)
		{
			if (mnl_attr_get_type(attr) == *path)
				found = attr;
		}
	}
	return found;
}

#define FIND(nlh, ...) find(nlh, sizeof(struct ifinfomsg), (const uint16_t[]){ __VA_ARGS__, 0 })

Test(rtnl, link_up_changes_that_flag_alone)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_link_up(nlh, "nv7");
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWLINK);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	PAYLOAD_IS(nlh, ZEROES, ZEROES, WORD(IFF_UP), WORD(IFF_UP), 8, 0, IFLA_IFNAME, 0, 'n',
		   'v', '7', 0);
}

Test(rtnl, index_up_names_no_name)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_index_up(nlh, 1);
	PAYLOAD_IS(nlh, ZEROES, WORD(1), WORD(IFF_UP), WORD(IFF_UP));
}

Test(rtnl, link_delete_is_by_name)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_link_delete(nlh, "nv7");
	cr_expect_eq(nlh->nlmsg_type, RTM_DELLINK);
	PAYLOAD_IS(nlh, ZEROES, ZEROES, ZEROES, ZEROES, 8, 0, IFLA_IFNAME, 0, 'n', 'v', '7', 0);
}

Test(rtnl, link_mtu_is_a_change)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_link_mtu(nlh, "br0", 1400);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	PAYLOAD_IS(nlh, ZEROES, ZEROES, ZEROES, ZEROES, 8, 0, IFLA_IFNAME, 0, 'b', 'r', '0', 0,
		   8, 0, IFLA_MTU, 0, 0x78, 0x05, 0, 0);
}

Test(rtnl, bridge_has_a_mac_address_of_its_own)
{
	struct mac mac = link_mac(0, false);
	struct nlmsghdr *nlh = fresh();

	rtnl_put_bridge(nlh, "br0", &mac);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	cr_assert_not_null(FIND(nlh, IFLA_ADDRESS));
	cr_expect_arr_eq(mnl_attr_get_payload(FIND(nlh, IFLA_ADDRESS)), "\x02nd\0\0\0", 6);
	cr_expect_str_eq(mnl_attr_get_str(FIND(nlh, IFLA_LINKINFO, IFLA_INFO_KIND)), "bridge");
	cr_expect_eq(
	    mnl_attr_get_u8(FIND(nlh, IFLA_LINKINFO, IFLA_INFO_DATA, IFLA_BR_MCAST_SNOOPING)),
	    0);
	cr_expect_null(FIND(nlh, IFLA_MTU));
}

Test(rtnl, veth_is_born_down_on_the_bridge_with_its_peer_inside)
{
	struct veth veth = { .near = "nv7",
			     .near_mac = link_mac(7, true),
			     .far_mac = link_mac(7, false),
			     .master = 3,
			     .mtu = 1400,
			     .netns = 9 };
	struct nlmsghdr *nlh = fresh();
	const struct nlattr *peer;

	rtnl_put_veth(nlh, &veth);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	cr_expect_eq(((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_flags, 0);
	cr_expect_str_eq(mnl_attr_get_str(FIND(nlh, IFLA_IFNAME)), "nv7");
	cr_expect_eq(mnl_attr_get_u32(FIND(nlh, IFLA_MASTER)), 3);
	cr_expect_eq(mnl_attr_get_u32(FIND(nlh, IFLA_MTU)), 1400);

	/* the far end: a header of its own, then the attributes of a link */
	peer = FIND(nlh, IFLA_LINKINFO, IFLA_INFO_DATA, 1);
	cr_assert_not_null(peer);
	/* clang-format off */
	const uint8_t expected[] = {
		ZEROES, ZEROES, ZEROES, ZEROES,
		9, 0, IFLA_IFNAME, 0, 'e', 't', 'h', '0', 0, 0, 0, 0,
		10, 0, IFLA_ADDRESS, 0, 0x02, 'n', 'd', 0, 0, 7, 0, 0,
		8, 0, IFLA_MTU, 0, 0x78, 0x05, 0, 0,
		8, 0, IFLA_NUM_TX_QUEUES, 0, WORD(1),
		8, 0, IFLA_NUM_RX_QUEUES, 0, WORD(1),
		8, 0, IFLA_NET_NS_FD, 0, WORD(9),
	};
	/* clang-format on */
	cr_assert_eq(mnl_attr_get_payload_len(peer), sizeof(expected));
	cr_expect_arr_eq(mnl_attr_get_payload(peer), expected, sizeof(expected));
}

Test(rtnl, port_is_isolated_locked_and_learns_nothing)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_port(nlh, "nv7", "nodectl 7");
	cr_expect_str_eq(mnl_attr_get_str(FIND(nlh, IFLA_IFALIAS)), "nodectl 7");
	cr_expect_str_eq(mnl_attr_get_str(FIND(nlh, IFLA_LINKINFO, IFLA_INFO_SLAVE_KIND)),
			 "bridge");
#define PORT_FLAG(flag)                                                                        \
	mnl_attr_get_u8(FIND(nlh, IFLA_LINKINFO, IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_##flag))
	cr_expect_eq(PORT_FLAG(ISOLATED), 1);
	cr_expect_eq(PORT_FLAG(LOCKED), 1);
	cr_expect_eq(PORT_FLAG(GUARD), 1);
	cr_expect_eq(PORT_FLAG(PROTECT), 1);
	cr_expect_eq(PORT_FLAG(LEARNING), 0);
	cr_expect_eq(PORT_FLAG(UNICAST_FLOOD), 0);
}

Test(rtnl, fdb_entry_is_static_and_of_the_bridge)
{
	struct mac mac = link_mac(0x010203, false);
	struct nlmsghdr *nlh = fresh();

	rtnl_put_fdb(nlh, 5, &mac);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWNEIGH);
	PAYLOAD_IS(nlh, AF_BRIDGE, 0, 0, 0, WORD(5), 0x40, 0, 0x44, 0, 10, 0, 2, 0, 0x02, 'n',
		   'd', 1, 2, 3, 0, 0);
}

Test(rtnl, ipv4_address_is_local_and_its_own_peer)
{
	struct address address = address_of("10.77.0.7/16");
	struct nlmsghdr *nlh = fresh();

	rtnl_put_address(nlh, 5, &address);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWADDR);
	PAYLOAD_IS(nlh, AF_INET, 16, 0, 0, WORD(5), 8, 0, IFA_LOCAL, 0, 10, 77, 0, 7, 8, 0,
		   IFA_ADDRESS, 0, 10, 77, 0, 7);
}

Test(rtnl, ipv6_address_is_usable_at_once)
{
	struct address address = address_of("fd00::7/64");
	struct nlmsghdr *nlh = fresh();

	rtnl_put_address(nlh, 5, &address);
	cr_expect_eq(((struct ifaddrmsg *)mnl_nlmsg_get_payload(nlh))->ifa_flags, IFA_F_NODAD);
}

Test(rtnl, default_route_has_no_destination)
{
	struct route route = { .to = { .family = AF_INET },
			       .via = address_of("10.77.0.1/16"),
			       .index = 5 };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route(nlh, &route);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWROUTE);
	PAYLOAD_IS(nlh, AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE,
		   RTN_UNICAST, ZEROES, 8, 0, RTA_GATEWAY, 0, 10, 77, 0, 1, 8, 0, RTA_OIF, 0,
		   WORD(5));
}

Test(rtnl, gateway_outside_of_the_prefix_is_on_link)
{
	struct route route = { .to = { .family = AF_INET },
			       .via = address_of("10.77.0.1"),
			       .index = 5,
			       .onlink = true };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route(nlh, &route);
	cr_expect_eq(((struct rtmsg *)mnl_nlmsg_get_payload(nlh))->rtm_flags, RTNH_F_ONLINK);
}

Test(rtnl, route_without_a_gateway_is_of_the_link)
{
	struct route route = { .to = address_of("203.0.113.9"), .index = 5 };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route(nlh, &route);
	PAYLOAD_IS(nlh, AF_INET, 32, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK,
		   RTN_UNICAST, ZEROES, 8, 0, RTA_DST, 0, 203, 0, 113, 9, 8, 0, RTA_OIF, 0,
		   WORD(5));
}

Test(rtnl, veth_of_a_routed_one_is_on_no_bridge)
{
	struct veth veth = { .near = "nv7", .mtu = 1400, .netns = 9 };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_veth(nlh, &veth);
	cr_expect_null(FIND(nlh, IFLA_MASTER));
}

Test(rtnl, alias_is_a_change)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_link_alias(nlh, "nv7", "it");
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	PAYLOAD_IS(nlh, ZEROES, ZEROES, ZEROES, ZEROES, 8, 0, IFLA_IFNAME, 0, 'n', 'v', '7', 0,
		   7, 0, IFLA_IFALIAS, 0, 'i', 't', 0, 0);
}

Test(rtnl, route_to_a_vps_is_ours_and_comes_from_the_gateway)
{
	struct route route = { .to = address_of("203.0.113.9"),
			       .index = 5,
			       .protocol = RTNL_NODECTL,
			       .source = address_of("10.77.0.1/16") };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route(nlh, &route);
	cr_expect_eq(nlh->nlmsg_flags,
		     NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	PAYLOAD_IS(nlh, AF_INET, 32, 0, 0, RT_TABLE_MAIN, 110, RT_SCOPE_LINK, RTN_UNICAST,
		   ZEROES, 8, 0, RTA_DST, 0, 203, 0, 113, 9, 8, 0, RTA_OIF, 0, WORD(5), 8, 0,
		   RTA_PREFSRC, 0, 10, 77, 0, 1);
}

Test(rtnl, route_to_a_vps_goes_whoever_has_made_it)
{
	struct route route = { .to = address_of("203.0.113.9"),
			       .index = 5,
			       .protocol = RTNL_NODECTL,
			       .source = address_of("10.77.0.1/16") };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route_delete(nlh, &route);
	cr_expect_eq(nlh->nlmsg_type, RTM_DELROUTE);
	PAYLOAD_IS(nlh, AF_INET, 32, 0, 0, RT_TABLE_MAIN, RTPROT_UNSPEC, RT_SCOPE_LINK,
		   RTN_UNICAST, ZEROES, 8, 0, RTA_DST, 0, 203, 0, 113, 9, 8, 0, RTA_OIF, 0,
		   WORD(5));
}

Test(rtnl, gateway_of_the_routed_ones_is_no_address)
{
	struct address gateway = address_of("169.254.0.1");
	struct nlmsghdr *nlh = fresh();

	rtnl_put_anywhere(nlh, 5, &gateway);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWROUTE);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND);
	PAYLOAD_IS(nlh, AF_INET, 32, 0, 0, RT_TABLE_LOCAL, 110, RT_SCOPE_HOST, RTN_LOCAL,
		   ZEROES, 8, 0, RTA_DST, 0, 169, 254, 0, 1, 8, 0, RTA_OIF, 0, WORD(5));
}

Test(rtnl, routes_are_asked_for_by_interface_and_by_protocol)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route_dump(nlh, AF_INET, 5, 0);
	cr_expect_eq(nlh->nlmsg_flags & NLM_F_DUMP, NLM_F_DUMP);
	PAYLOAD_IS(nlh, AF_INET, 0, 0, 0, RT_TABLE_MAIN, 0, 0, 0, ZEROES, 8, 0, RTA_OIF, 0,
		   WORD(5));
	nlh = fresh();
	rtnl_put_route_dump(nlh, AF_INET6, 0, RTNL_NODECTL);
	PAYLOAD_IS(nlh, AF_INET6, 0, 0, 0, RT_TABLE_MAIN, 110, 0, 0, ZEROES);
}

Test(rtnl, route_is_read_as_it_was_put)
{
	struct route read, route = { .to = address_of("2001:db8:8::/48"),
				     .via = address_of("fd00::8"),
				     .index = 5,
				     .onlink = true,
				     .protocol = RTNL_NODECTL };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route(nlh, &route);
	rtnl_route_parse(nlh, &read);
	cr_expect(address_is_equal(&read.to, &route.to));
	cr_expect_arr_eq(read.via.bytes, route.via.bytes, 16);
	cr_expect_eq(read.index, 5);
	cr_expect_eq(read.protocol, RTNL_NODECTL);
}

Test(rtnl, neighbour_is_never_asked_for)
{
	struct address address = address_of("10.77.0.7/16");
	struct mac mac = link_mac(7, false);
	struct nlmsghdr *nlh = fresh();

	rtnl_put_neighbour(nlh, 5, &address, &mac);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWNEIGH);
	PAYLOAD_IS(nlh, AF_INET, 0, 0, 0, WORD(5), NUD_PERMANENT, 0, 0, 0, 8, 0, NDA_DST, 0, 10,
		   77, 0, 7, 10, 0, NDA_LLADDR, 0, 0x02, 'n', 'd', 0, 0, 7, 0, 0);
	nlh = fresh();
	rtnl_put_neighbour_delete(nlh, 5, &address);
	cr_expect_eq(nlh->nlmsg_type, RTM_DELNEIGH);
	PAYLOAD_IS(nlh, AF_INET, 0, 0, 0, WORD(5), 0, 0, 0, 0, 8, 0, NDA_DST, 0, 10, 77, 0, 7);
}

Test(rtnl, link_dump_is_filtered_by_the_kernel)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_link_dump(nlh, "veth", 3);
	cr_expect_eq(nlh->nlmsg_flags & NLM_F_DUMP, NLM_F_DUMP);
	cr_expect_eq(mnl_attr_get_u32(FIND(nlh, IFLA_MASTER)), 3);
	cr_expect_str_eq(mnl_attr_get_str(FIND(nlh, IFLA_LINKINFO, IFLA_INFO_KIND)), "veth");
}

Test(rtnl, address_is_read_as_it_was_put)
{
	struct address address = address_of("fd00::7/64"), read;
	struct nlmsghdr *nlh = fresh();
	uint32_t index;

	rtnl_put_address(nlh, 5, &address);
	rtnl_address_read(nlh, &index, &read);
	cr_expect_eq(index, 5);
	cr_expect(address_is_equal(&address, &read));
}

Test(rtnl, usage_is_seen_from_the_vps)
{
	struct rtnl_link_stats64 stats = {
		.rx_packets = 1, .tx_packets = 2, .rx_bytes = 3, .tx_bytes = 4
	};
	struct nlmsghdr *nlh = fresh();
	struct rtnl_link link;

	rtnl_put_link_get(nlh, "nv7");
	mnl_attr_put(nlh, IFLA_STATS64, sizeof(stats), &stats);
	rtnl_link_read(nlh, &link);
	cr_expect_str_eq(link.name, "nv7");
	cr_expect_eq(link.usage.rx_packets, 2);
	cr_expect_eq(link.usage.tx_packets, 1);
	cr_expect_eq(link.usage.rx_bytes, 4);
	cr_expect_eq(link.usage.tx_bytes, 3);
}

/* What rtnl_put_port() asks for, as the kernel answers it, but for one flag. */
static struct rtnl_link port_with(uint16_t flag, uint8_t value)
{
	struct nlmsghdr *nlh = fresh();
	struct nlattr *info, *data;
	struct rtnl_link link;

	rtnl_put_link_get(nlh, "nv7");
	mnl_attr_put_u32(nlh, IFLA_MASTER, 3);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_ISOLATED, 1);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_LEARNING, 0);
	if (flag)
		mnl_attr_put_u8(nlh, flag, value);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	rtnl_link_read(nlh, &link);
	return link;
}

static const char *wrong_flag(const struct rtnl_link *link)
{
	for (unsigned i = 0; i < RTNL_PORT_FLAGS; i++) {
		if (link->wrong == 1u << i)
			return rtnl_port_flag_name(i);
	}
	return link->wrong ? "several" : "none";
}

Test(rtnl, a_port_as_it_was_set_is_right)
{
	struct rtnl_link link = port_with(0, 0);

	cr_expect_str_eq(wrong_flag(&link), "none");
	cr_expect_eq(link.master, 3);
}

Test(rtnl, a_flag_of_a_port_that_is_otherwise_is_named)
{
	struct rtnl_link link = port_with(IFLA_BRPORT_LOCKED, 0);

	cr_expect_str_eq(wrong_flag(&link), "locked");
	link = port_with(IFLA_BRPORT_UNICAST_FLOOD, 1);
	cr_expect_str_eq(wrong_flag(&link), "flood");
}

Test(rtnl, counters_of_an_older_kernel_are_fewer)
{
	uint64_t stats[4] = { 1, 2, 3, 4 };
	struct nlmsghdr *nlh = fresh();
	struct rtnl_link link;

	rtnl_put_link_get(nlh, "nv7");
	mnl_attr_put(nlh, IFLA_STATS64, sizeof(stats), stats);
	rtnl_link_read(nlh, &link);
	cr_expect_eq(link.usage.rx_bytes, 4);
}

Test(rtnl, messages_of_a_batch_follow_each_other)
{
	struct nlmsghdr *first = fresh(), *second;

	rtnl_put_link_up(first, "nv12345");
	second = netlink_next(&batch, "test", 0);
	cr_expect_eq((char *)second - (char *)first, (long)MNL_ALIGN(first->nlmsg_len));
	cr_expect_eq(second->nlmsg_len, MNL_NLMSG_HDRLEN);
}

Test(link, mac_addresses_are_local_unicast_and_differ)
{
	struct mac bridge = link_mac(0, false), far = link_mac(1, false),
		   near = link_mac(1, true);

	cr_expect_eq(far.bytes[0] & 3, 2);
	cr_expect_eq(near.bytes[0] & 3, 2);
	cr_expect_arr_neq(near.bytes, far.bytes, 6);
	cr_expect_arr_neq(bridge.bytes, far.bytes, 6);
}

Test(link, interfaces_of_ours_are_recognised_strictly)
{
	const char *others[] = { "nv",	  "ni",	   "nv0",  "ni0",  "nv07",    "ni07",
				 "nv7a",  "ni7a",  "nv-7", "nv 7", "xv7",     "NV7",
				 "nv7.1", "ni7.1", "eth0", "nu7",  "nodectl0" };
	unsigned id = 0;

	cr_expect(link_id("nv28663", &id));
	cr_expect_eq(id, 28663);
	cr_expect(link_id("ni7", &id));
	cr_expect_eq(id, 7);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_not(link_id(others[i], &id), "%s", others[i]);
}

Test(rtnl, rule_leads_what_comes_from_one_address_by_a_table)
{
	struct address source = address_of("10.77.0.9/16");
	struct nlmsghdr *nlh = fresh();

	rtnl_put_rule(nlh, &source, 110);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWRULE);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	PAYLOAD_IS(nlh, AF_INET, 0, 32, 0, 110, 0, 0, FR_ACT_TO_TBL, ZEROES, 8, 0, FRA_SRC, 0,
		   10, 77, 0, 9, 8, 0, FRA_PRIORITY, 0, WORD(110));
	nlh = fresh();
	rtnl_put_rule_delete(nlh, &source, 110);
	cr_expect_eq(nlh->nlmsg_type, RTM_DELRULE);
}

Test(rtnl, route_may_be_of_another_table)
{
	struct route route = { .to = { .family = AF_INET },
			       .via = address_of("10.77.0.1"),
			       .index = 5,
			       .table = 111 };
	struct nlmsghdr *nlh = fresh();

	rtnl_put_route(nlh, &route);
	cr_expect_eq(((struct rtmsg *)mnl_nlmsg_get_payload(nlh))->rtm_table, 111);
}

Test(rtnl, uplink_is_the_opposite_of_a_port_of_a_vps)
{
	struct nlmsghdr *nlh = fresh();
	struct rtnl_link link;

	rtnl_put_uplink(nlh, "eth1", "it");
	cr_expect_eq(PORT_FLAG(ISOLATED), 0);
	cr_expect_eq(PORT_FLAG(LOCKED), 0);
	cr_expect_eq(PORT_FLAG(LEARNING), 1);
	cr_expect_eq(PORT_FLAG(UNICAST_FLOOD), 1);
	rtnl_link_read(nlh, &link);
	cr_expect_eq(link.wrong & RTNL_UPLINK_WRONG, RTNL_UPLINK_WRONG);
	cr_expect_str_eq(link.alias, "it");
	nlh = fresh();
	rtnl_put_port(nlh, "nv7", "it");
	rtnl_link_read(nlh, &link);
	cr_expect_eq(link.wrong, 0);
}

/* ---- who answers is not the kernel but the other end of a pair of sockets */

static void answer(int fd, uint16_t type, uint16_t flags)
{
	struct {
		struct nlmsghdr head;
		int32_t code;
	} message = { .head = { .nlmsg_len = sizeof(message),
				.nlmsg_type = type,
				.nlmsg_flags = flags } };

	cr_assert_eq(write(fd, &message, sizeof(message)), sizeof(message));
}

static void links_count(const struct nlmsghdr *nlh, void *arg)
{
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWLINK);
	++*(int *)arg;
}

/* A dump of links, of which the kernel's answers are there already. */
static int links_dump(int fd, int *count)
{
	*count = 0;
	netlink_start(&batch);
	struct nlmsghdr *nlh = netlink_next(&batch, "list links", 0);
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP;
	return netlink_run(fd, &batch, links_count, count, &err);
}

static void requests_are(int fd, int expected)
{
	struct nlmsghdr nlh;
	int count = 0;

	while (recv(fd, &nlh, sizeof(nlh), MSG_DONTWAIT) > 0)
		count++;
	cr_expect_eq(count, expected, "%d requests", count);
}

Test(netlink, dump_torn_by_a_change_is_asked_for_again_and_seen_once)
{
	int pair[2], count;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	answer(pair[1], RTM_NEWLINK, NLM_F_MULTI);
	answer(pair[1], RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR);
	answer(pair[1], NLMSG_DONE, NLM_F_MULTI);
	/* the kernel may say so of nothing but the end */
	answer(pair[1], RTM_NEWLINK, NLM_F_MULTI);
	answer(pair[1], NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR);
	for (int i = 0; i < 3; i++)
		answer(pair[1], RTM_NEWLINK, NLM_F_MULTI);
	answer(pair[1], NLMSG_DONE, NLM_F_MULTI);

	cr_assert_eq(links_dump(pair[0], &count), 0, "%s", err.msg);
	cr_expect_eq(count, 3, "%d links", count);
	requests_are(pair[1], 3);
}

Test(netlink, dump_that_is_never_whole_is_refused)
{
	int pair[2], count;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (int i = 0; i < 20; i++) {
		answer(pair[1], RTM_NEWLINK, NLM_F_MULTI);
		answer(pair[1], NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR);
	}
	cr_assert_eq(links_dump(pair[0], &count), -1);
	cr_expect_eq(err.code, EAGAIN);
	cr_expect_str_eq(err.msg, "cannot list links: it changes while it is read: Resource "
				  "temporarily unavailable");
	cr_expect_eq(count, 0);
}

Test(netlink, more_answers_than_fit_at_first_are_seen)
{
	int pair[2], count, size = 1 << 20;
	static char long_one[30000];
	struct nlmsghdr *head = (void *)long_one;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert_eq(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	head->nlmsg_len = sizeof(long_one);
	head->nlmsg_type = RTM_NEWLINK;
	for (int i = 0; i < 10; i++)
		cr_assert_eq(write(pair[1], long_one, sizeof(long_one)), sizeof(long_one));
	answer(pair[1], NLMSG_DONE, NLM_F_MULTI);
	cr_assert_eq(links_dump(pair[0], &count), 0, "%s", err.msg);
	cr_expect_eq(count, 10);
}

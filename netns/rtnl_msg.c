/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rtnl_msg.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"

/* Request number and, behind it, the fixed header of its family. */
static void *put_header(struct nlmsghdr *nlh, uint16_t type, uint16_t flags, size_t size)
{
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return mnl_nlmsg_put_extra_header(nlh, size);
}

static struct ifinfomsg *put_link(struct nlmsghdr *nlh, uint16_t type, uint16_t flags,
				  const char *name)
{
	struct ifinfomsg *info = put_header(nlh, type, flags, sizeof(*info));

	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return info;
}

static void put_mac(struct nlmsghdr *nlh, uint16_t type, const struct mac *mac)
{
	mnl_attr_put(nlh, type, sizeof(mac->bytes), mac->bytes);
}

static void put_bytes(struct nlmsghdr *nlh, uint16_t type, const struct address *address)
{
	mnl_attr_put(nlh, type, address_size(address), address->bytes);
}

/*
 * The MAC address is given, for a bridge otherwise takes the lowest of its
 * ports', and guests' neighbour entries would break as VPSs come and go.  No
 * querier is at hand, so snooping could only lose multicast (and with it IPv6
 * neighbour discovery).
 */
void rtnl_put_bridge(struct nlmsghdr *nlh, const char *name, const struct mac *mac)
{
	struct nlattr *info, *data;

	put_link(nlh, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
	put_mac(nlh, IFLA_ADDRESS, mac);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u8(nlh, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

/*
 * One queue each: a veth otherwise gets as many as there may be CPUs, some 100
 * kB a pair on a large node, and uses one of them.
 */
static void put_veth_end(struct nlmsghdr *nlh, const struct mac *mac, uint32_t mtu)
{
	put_mac(nlh, IFLA_ADDRESS, mac);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
}

void rtnl_put_veth(struct nlmsghdr *nlh, const struct veth *veth)
{
	struct nlattr *info, *data, *peer;

	put_link(nlh, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, veth->near);
	put_veth_end(nlh, &veth->near_mac, veth->mtu);
	if (veth->master)
		mnl_attr_put_u32(nlh, IFLA_MASTER, veth->master);

	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	put_veth_end(nlh, &veth->far_mac, veth->mtu);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)veth->netns);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

/* Down; one queue, for it is one VPS's. */
void rtnl_put_ifb(struct nlmsghdr *nlh, const char *name, const char *alias, uint32_t mtu)
{
	struct nlattr *info;

	put_link(nlh, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
	mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "ifb");
	mnl_attr_nest_end(nlh, info);
}

/*
 * What the bridge lets this port do: talk to the bridge only (isolated), never
 * lead the spanning tree, and send from no other MAC address than that of its
 * static entry (locked; kernels before 5.18 do not know it and skip it).
 * Nothing is learnt and no frame for an unknown address goes out here;
 * broadcast and multicast do, for ARP and neighbour discovery.
 */
static const struct {
	uint16_t flag;
	uint8_t value;
	const char *name;
} port_flags[] = {
	{ IFLA_BRPORT_ISOLATED, 1, "isolated" }, { IFLA_BRPORT_LOCKED, 1, "locked" },
	{ IFLA_BRPORT_LEARNING, 0, "learning" }, { IFLA_BRPORT_UNICAST_FLOOD, 0, "flood" },
	{ IFLA_BRPORT_GUARD, 1, "guard" },	 { IFLA_BRPORT_PROTECT, 1, "root_block" },
};
_Static_assert(sizeof(port_flags) / sizeof(port_flags[0]) == RTNL_PORT_FLAGS, "as promised");

const char *rtnl_port_flag_name(unsigned i)
{
	return port_flags[i].name;
}

bool rtnl_port_flag_wanted(unsigned i)
{
	return port_flags[i].value;
}

static void put_port(struct nlmsghdr *nlh, const char *name, const char *alias, bool opposite)
{
	struct nlattr *info, *data;

	put_link(nlh, RTM_NEWLINK, 0, name);
	mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
	for (size_t i = 0; i < sizeof(port_flags) / sizeof(port_flags[0]); i++)
		mnl_attr_put_u8(nlh, port_flags[i].flag, port_flags[i].value != opposite);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

void rtnl_put_port(struct nlmsghdr *nlh, const char *name, const char *alias)
{
	put_port(nlh, name, alias, false);
}

void rtnl_put_uplink(struct nlmsghdr *nlh, const char *name, const char *alias)
{
	put_port(nlh, name, alias, true);
}

void rtnl_put_link_group(struct nlmsghdr *nlh, const char *name, uint32_t group)
{
	put_link(nlh, RTM_NEWLINK, 0, name);
	mnl_attr_put_u32(nlh, IFLA_GROUP, group);
}

void rtnl_put_link_alias(struct nlmsghdr *nlh, const char *name, const char *alias)
{
	put_link(nlh, RTM_NEWLINK, 0, name);
	mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
}

void rtnl_put_link_mtu(struct nlmsghdr *nlh, const char *name, uint32_t mtu)
{
	put_link(nlh, RTM_NEWLINK, 0, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
}

static void link_is_up(struct ifinfomsg *info)
{
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
}

void rtnl_put_link_up(struct nlmsghdr *nlh, const char *name)
{
	link_is_up(put_link(nlh, RTM_NEWLINK, 0, name));
}

void rtnl_put_link_down(struct nlmsghdr *nlh, const char *name)
{
	put_link(nlh, RTM_NEWLINK, 0, name)->ifi_change = IFF_UP;
}

void rtnl_put_link_master(struct nlmsghdr *nlh, const char *name, uint32_t master)
{
	put_link(nlh, RTM_NEWLINK, 0, name);
	mnl_attr_put_u32(nlh, IFLA_MASTER, master);
}

void rtnl_put_index_up(struct nlmsghdr *nlh, uint32_t index)
{
	struct ifinfomsg *info = put_link(nlh, RTM_NEWLINK, 0, NULL);

	info->ifi_index = (int)index;
	link_is_up(info);
}

void rtnl_put_link_get(struct nlmsghdr *nlh, const char *name)
{
	put_link(nlh, RTM_GETLINK, 0, name);
}

void rtnl_put_index_get(struct nlmsghdr *nlh, uint32_t index)
{
	put_link(nlh, RTM_GETLINK, 0, NULL)->ifi_index = (int)index;
}

void rtnl_put_link_delete(struct nlmsghdr *nlh, const char *name)
{
	put_link(nlh, RTM_DELLINK, 0, name);
}

void rtnl_put_link_dump(struct nlmsghdr *nlh, const char *kind, uint32_t master)
{
	struct nlattr *info;

	put_link(nlh, RTM_GETLINK, NLM_F_DUMP, NULL);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (master)
		mnl_attr_put_u32(nlh, IFLA_MASTER, master);
	if (kind) {
		info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
		mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
		mnl_attr_nest_end(nlh, info);
	}
}

void rtnl_put_fdb(struct nlmsghdr *nlh, uint32_t index, const struct mac *mac)
{
	struct ndmsg *ndm =
	    put_header(nlh, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*ndm));

	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = (int)index;
	ndm->ndm_state = NUD_NOARP;
	/* an uplink that learns could else be told that it is there */
	ndm->ndm_flags = NTF_MASTER | NTF_STICKY;
	put_mac(nlh, NDA_LLADDR, mac);
}

void rtnl_put_fdb_get(struct nlmsghdr *nlh, uint32_t index, const struct mac *mac)
{
	struct ndmsg *ndm = put_header(nlh, RTM_GETNEIGH, 0, sizeof(*ndm));

	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = (int)index;
	ndm->ndm_flags = NTF_MASTER;
	put_mac(nlh, NDA_LLADDR, mac);
}

static struct ndmsg *put_neighbour(struct nlmsghdr *nlh, uint16_t type, uint16_t flags,
				   uint32_t index, const struct address *address)
{
	struct ndmsg *ndm = put_header(nlh, type, flags, sizeof(*ndm));

	ndm->ndm_family = (uint8_t)address->family;
	ndm->ndm_ifindex = (int)index;
	put_bytes(nlh, NDA_DST, address);
	return ndm;
}

void rtnl_put_neighbour(struct nlmsghdr *nlh, uint32_t index, const struct address *address,
			const struct mac *mac)
{
	put_neighbour(nlh, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, address)
	    ->ndm_state = NUD_PERMANENT;
	put_mac(nlh, NDA_LLADDR, mac);
}

void rtnl_put_neighbour_delete(struct nlmsghdr *nlh, uint32_t index,
			       const struct address *address)
{
	put_neighbour(nlh, RTM_DELNEIGH, 0, index, address);
}

static struct ifaddrmsg *put_ifaddr(struct nlmsghdr *nlh, uint16_t type, uint16_t flags,
				    uint32_t index, const struct address *address)
{
	struct ifaddrmsg *ifa = put_header(nlh, type, flags, sizeof(*ifa));

	ifa->ifa_family = (uint8_t)address->family;
	ifa->ifa_prefixlen = (uint8_t)address->prefix;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = index;
	put_bytes(nlh, IFA_LOCAL, address);
	put_bytes(nlh, IFA_ADDRESS, address);
	return ifa;
}

/* Usable at once: nobody else can have it, so IPv6 need not ask around for a second first. */
void rtnl_put_address(struct nlmsghdr *nlh, uint32_t index, const struct address *address)
{
	put_ifaddr(nlh, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address)->ifa_flags =
	    address->family == AF_INET6 ? IFA_F_NODAD : 0;
}

void rtnl_put_address_delete(struct nlmsghdr *nlh, uint32_t index,
			     const struct address *address)
{
	(void)put_ifaddr(nlh, RTM_DELADDR, 0, index, address);
}

void rtnl_put_address_dump(struct nlmsghdr *nlh, uint32_t index)
{
	struct ifaddrmsg *ifa = put_header(nlh, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));

	ifa->ifa_index = index;
}

static void put_route(struct nlmsghdr *nlh, uint16_t type, uint16_t flags,
		      const struct route *route)
{
	struct rtmsg *rtm = put_header(nlh, type, flags, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)route->to.family;
	rtm->rtm_dst_len = (uint8_t)route->to.prefix;
	rtm->rtm_table = route->table ? route->table : RT_TABLE_MAIN;
	/* one that is to go is known by where it leads: an older nodectl's were static */
	if (type == RTM_NEWROUTE || !route->protocol)
		rtm->rtm_protocol = route->protocol ? route->protocol : RTPROT_STATIC;
	rtm->rtm_scope = route->via.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_flags = route->onlink ? RTNH_F_ONLINK : 0;
	if (route->to.prefix)
		put_bytes(nlh, RTA_DST, &route->to);
	if (route->via.family)
		put_bytes(nlh, RTA_GATEWAY, &route->via);
	mnl_attr_put_u32(nlh, RTA_OIF, route->index);
	if (type == RTM_NEWROUTE && route->source.family)
		put_bytes(nlh, RTA_PREFSRC, &route->source);
}

void rtnl_put_route(struct nlmsghdr *nlh, const struct route *route)
{
	put_route(nlh, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

void rtnl_put_route_delete(struct nlmsghdr *nlh, const struct route *route)
{
	put_route(nlh, RTM_DELROUTE, 0, route);
}

/* In front of the main table, which is the rule 32766. */
#define RULE_PRIORITY 110

static void put_rule(struct nlmsghdr *nlh, uint16_t type, uint16_t flags,
		     const struct address *source, uint8_t table)
{
	struct fib_rule_hdr *rule = put_header(nlh, type, flags, sizeof(*rule));

	rule->family = (uint8_t)source->family;
	rule->src_len = (uint8_t)(address_size(source) * 8);
	rule->table = table;
	rule->action = FR_ACT_TO_TBL;
	put_bytes(nlh, FRA_SRC, source);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, RULE_PRIORITY);
}

void rtnl_put_rule(struct nlmsghdr *nlh, const struct address *source, uint8_t table)
{
	put_rule(nlh, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, source, table);
}

void rtnl_put_rule_delete(struct nlmsghdr *nlh, const struct address *source, uint8_t table)
{
	put_rule(nlh, RTM_DELRULE, 0, source, table);
}

void rtnl_put_anywhere(struct nlmsghdr *nlh, uint32_t index, const struct address *address)
{
	struct rtmsg *rtm =
	    put_header(nlh, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)address->family;
	rtm->rtm_dst_len = (uint8_t)address->prefix;
	rtm->rtm_table = RT_TABLE_LOCAL;
	rtm->rtm_protocol = RTNL_NODECTL;
	rtm->rtm_scope = RT_SCOPE_HOST;
	rtm->rtm_type = RTN_LOCAL;
	put_bytes(nlh, RTA_DST, address);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
}

void rtnl_put_route_dump(struct nlmsghdr *nlh, int family, uint32_t index, uint8_t protocol)
{
	struct rtmsg *rtm = put_header(nlh, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)family;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = protocol;
	if (index)
		mnl_attr_put_u32(nlh, RTA_OIF, index);
}

/* Bytes that have a place in struct address. */
static void bytes_read(const struct nlattr *attr, struct address *address)
{
	if (mnl_attr_get_payload_len(attr) <= sizeof(address->bytes))
		memcpy(address->bytes, mnl_attr_get_payload(attr),
		       mnl_attr_get_payload_len(attr));
}

void rtnl_route_parse(const struct nlmsghdr *nlh, struct route *route)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	*route =
	    (struct route){ .to = { .family = rtm->rtm_family, .prefix = rtm->rtm_dst_len },
			    .protocol = rtm->rtm_protocol };
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			route->index = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_DST)
			bytes_read(attr, &route->to);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY) {
			route->via.family = rtm->rtm_family;
			bytes_read(attr, &route->via);
		}
	}
}

void rtnl_put_neighbour_dump(struct nlmsghdr *nlh, uint32_t index)
{
	put_header(nlh, RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg));
	mnl_attr_put_u32(nlh, NDA_IFINDEX, index);
}

void rtnl_neighbour_parse(const struct nlmsghdr *nlh, struct neighbour *neighbour)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	*neighbour = (struct neighbour){ .address.family = ndm->ndm_family,
					 .index = (uint32_t)ndm->ndm_ifindex,
					 .permanent = ndm->ndm_state & NUD_PERMANENT };
	neighbour->address.prefix = address_size(&neighbour->address) * 8;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			bytes_read(attr, &neighbour->address);
		else if (mnl_attr_get_type(attr) == NDA_LLADDR &&
			 mnl_attr_get_payload_len(attr) == sizeof(neighbour->mac))
			memcpy(&neighbour->mac, mnl_attr_get_payload(attr),
			       sizeof(neighbour->mac));
	}
}

void rtnl_put_route_get(struct nlmsghdr *nlh, const struct address *to)
{
	struct rtmsg *rtm = put_header(nlh, RTM_GETROUTE, 0, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)to->family;
	rtm->rtm_dst_len = (uint8_t)to->prefix;
	put_bytes(nlh, RTA_DST, to);
}

/* A name from the kernel, which ends its strings; cut rather than trusted. */
static void name_read(const struct nlattr *attr, char *name, size_t size)
{
	size_t len = mnl_attr_get_payload_len(attr);

	if (len >= size)
		len = size - 1;
	memcpy(name, mnl_attr_get_payload(attr), len);
	name[len] = '\0';
}

/* One that this kernel does not know is not told, and not wrong. */
static void port_flag_read(const struct nlattr *attr, struct rtnl_link *link)
{
	for (unsigned i = 0; i < RTNL_PORT_FLAGS; i++) {
		if (mnl_attr_get_type(attr) == port_flags[i].flag &&
		    mnl_attr_get_u8(attr) != port_flags[i].value)
			link->wrong |= 1u << i;
	}
	if (mnl_attr_get_type(attr) == IFLA_BRPORT_ISOLATED)
		link->isolated = mnl_attr_get_u8(attr);
}

static void info_read(const struct nlattr *info, struct rtnl_link *link)
{
	const struct nlattr *attr, *flag;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			name_read(attr, link->kind, sizeof(link->kind));
		if (mnl_attr_get_type(attr) != IFLA_INFO_SLAVE_DATA)
			continue;
		mnl_attr_for_each_nested(flag, attr) port_flag_read(flag, link);
	}
}

/* What the near end receives the VPS has sent. */
static void usage_read(const struct nlattr *attr, struct link_usage *usage)
{
	struct rtnl_link_stats64 stats = { 0 };
	size_t len = mnl_attr_get_payload_len(attr);

	/* a newer kernel knows more counters, an older one fewer */
	memcpy(&stats, mnl_attr_get_payload(attr), len < sizeof(stats) ? len : sizeof(stats));
	usage->rx_bytes = stats.tx_bytes;
	usage->rx_packets = stats.tx_packets;
	usage->tx_bytes = stats.rx_bytes;
	usage->tx_packets = stats.rx_packets;
}

void rtnl_link_read(const struct nlmsghdr *nlh, struct rtnl_link *link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	memset(link, 0, sizeof(*link));
	link->index = (uint32_t)info->ifi_index;
	link->flags = info->ifi_flags;

	mnl_attr_for_each(attr, nlh, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name_read(attr, link->name, sizeof(link->name));
		else if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
			name_read(attr, link->alias, sizeof(link->alias));
		else if (mnl_attr_get_type(attr) == IFLA_ADDRESS &&
			 mnl_attr_get_payload_len(attr) == sizeof(link->mac.bytes))
			memcpy(link->mac.bytes, mnl_attr_get_payload(attr),
			       sizeof(link->mac.bytes));
		else if (mnl_attr_get_type(attr) == IFLA_MTU)
			link->mtu = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_MASTER)
			link->master = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINK)
			link->peer = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_GROUP)
			link->group = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			info_read(attr, link);
		else if (mnl_attr_get_type(attr) == IFLA_STATS64)
			usage_read(attr, &link->usage);
	}
}

void rtnl_address_read(const struct nlmsghdr *nlh, uint32_t *index, struct address *address)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	memset(address, 0, sizeof(*address));
	*index = ifa->ifa_index;
	address->prefix = ifa->ifa_prefixlen;

	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		bool local = mnl_attr_get_type(attr) == IFA_LOCAL;

		/* IPv6 has IFA_LOCAL only on point-to-point links */
		if (!local && (mnl_attr_get_type(attr) != IFA_ADDRESS || address->family))
			continue;
		if (mnl_attr_get_payload_len(attr) > sizeof(address->bytes))
			continue;
		address->family = ifa->ifa_family;
		memcpy(address->bytes, mnl_attr_get_payload(attr),
		       mnl_attr_get_payload_len(attr));
	}
}

uint32_t rtnl_route_read(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			return mnl_attr_get_u32(attr);
	}
	return 0;
}

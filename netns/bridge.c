/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bridge.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "guard_load.h"
#include "link.h"
#include "neighbours.h"
#include "netlink.h"
#include "nft.h"
#include "own.h"
#include "str.h"
#include "sysctl.h"
#include "uplink.h"

static void link_seen(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWLINK)
		rtnl_link_read(nlh, arg);
}

int link_find(int fd, const char *name, struct rtnl_link *found, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	rtnl_put_link_get(netlink_next(&batch, "find the interface", 0), name);
	return netlink_run(fd, &batch, link_seen, found, err);
}

/*
 * "nd" in the middle; locally administered, 02 for what is addressed and 06
 * for the near ends, whose own address nobody ever uses unless they are routed.
 */
struct mac link_mac(unsigned id, bool near)
{
	return (struct mac){ { near ? 0x06 : 0x02, 0x6e, 0x64, (uint8_t)(id >> 16),
			       (uint8_t)(id >> 8), (uint8_t)id } };
}

void mac_print(struct mac mac, char text[MAC_TEXT])
{
	const uint8_t *b = mac.bytes;

	str_format(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
		   b[4], b[5]);
}

static void route_seen(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWROUTE)
		*(uint32_t *)arg = rtnl_route_read(nlh);
}

/* Addresses that nobody has, so that only the default route leads there. */
static const struct address nowhere[] = {
	{ .family = AF_INET, .prefix = 32, .bytes = { 240, 0, 0, 1 } },
	{ .family = AF_INET6, .prefix = 128, .bytes = { 0x3f, 0xff, 0xff, 0xff, [15] = 1 } },
};

/* The MTU of the way out; 1500 for a node that has none. */
static uint32_t default_mtu(int fd)
{
	struct rtnl_link link = { .mtu = 1500 };
	struct netlink_batch batch;
	struct err ignored;
	uint32_t index = 0;

	for (size_t i = 0; i < ARRAY_SIZE(nowhere) && !index; i++) {
		netlink_start(&batch);
		rtnl_put_route_get(netlink_next(&batch, "find the default route", 0),
				   &nowhere[i]);
		(void)netlink_run(fd, &batch, route_seen, &index, &ignored);
	}
	if (!index)
		return link.mtu;

	netlink_start(&batch);
	rtnl_put_index_get(netlink_next(&batch, "find its interface", 0), index);
	(void)netlink_run(fd, &batch, link_seen, &link, &ignored);
	return link.mtu;
}

bool bridge_has_its_mac(const struct bridge *bridge)
{
	struct mac mac = link_mac(0, false);
	struct rtnl_link found = { 0 };
	struct err absent;
	own_fd fd = netlink_open(NETLINK_ROUTE, &absent);

	return fd >= 0 && link_find(fd, bridge->name, &found, &absent) == 0 &&
	       memcmp(&found.mac, &mac, sizeof(mac)) == 0;
}

/*
 * The MTU is set afterwards, for only then does the kernel take it as wanted
 * and not follow that of the ports.
 */
static int bridge_create(int fd, const struct bridge *bridge, struct rtnl_link *found,
			 struct err *err)
{
	struct mac mac = link_mac(0, false);
	struct netlink_batch batch;

	netlink_start(&batch);
	/* another nodectl may have been faster */
	rtnl_put_bridge(netlink_next(&batch, "make the bridge", EEXIST), bridge->name, &mac);
	rtnl_put_link_mtu(netlink_next(&batch, "set the MTU", 0), bridge->name,
			  bridge->mtu ? bridge->mtu : default_mtu(fd));
	rtnl_put_link_group(netlink_next(&batch, "set its group", 0), bridge->name,
			    bridge_group(bridge));
	rtnl_put_link_get(netlink_next(&batch, "find the bridge", 0), bridge->name);
	return netlink_run(fd, &batch, link_seen, found, err);
}

/* The tenants' side of the node listens to none of them. */
static const struct sysctl tenant_sysctls[] = {
	{ "ipv4", "rp_filter", "1" },		{ "ipv4", "accept_redirects", "0" },
	{ "ipv4", "send_redirects", "0" },	{ "ipv4", "accept_source_route", "0" },
	{ "ipv6", "accept_ra", "0" },		{ "ipv6", "accept_redirects", "0" },
	{ "ipv6", "accept_source_route", "0" },
};

/* Nor does the bridge tell of the node's other sides.  An interface that is routed has no
 * address of its own, and answers as the gateway. */
static const struct sysctl bridge_sysctls[] = {
	{ "ipv4", "arp_ignore", "1" },
	{ "ipv4", "arp_announce", "2" },
};

int interface_harden(const char *name, struct err *err)
{
	return sysctls_set(tenant_sysctls, ARRAY_SIZE(tenant_sysctls), name, err);
}

bool interface_is_hard(const char *name)
{
	return sysctls_are_set(tenant_sysctls, ARRAY_SIZE(tenant_sysctls), name);
}

/* Which of the bridge's addresses are there? */
struct addresses {
	const struct bridge *bridge;
	uint32_t index;
	bool ipv4, ipv6;
};

static void address_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct addresses *there = arg;
	struct address address;
	uint32_t index;

	if (nlh->nlmsg_type != RTM_NEWADDR)
		return;
	rtnl_address_read(nlh, &index, &address);
	if (index != there->index)
		return;
	there->ipv4 |= address_is_equal(&address, &there->bridge->ipv4);
	there->ipv6 |= address_is_equal(&address, &there->bridge->ipv6);
}

/* Bring an existing bridge to what it should be; mostly there is nothing to do. */
static int bridge_adjust(int fd, const struct bridge *bridge, const struct rtnl_link *found,
			 struct err *err)
{
	static const struct link routed = { .mode = LINK_ROUTED };
	struct addresses there = { .bridge = bridge,
				   .index = found->index,
				   .ipv4 = !bridge->ipv4.family,
				   .ipv6 = !bridge->ipv6.family };
	struct netlink_batch batch;

	netlink_start(&batch);
	rtnl_put_address_dump(netlink_next(&batch, "list the bridge's addresses", 0),
			      found->index);
	if (netlink_run(fd, &batch, address_seen, &there, err) < 0)
		return -1;

	netlink_start(&batch);
	if (bridge->mtu && found->mtu != bridge->mtu)
		rtnl_put_link_mtu(netlink_next(&batch, "set the MTU", 0), bridge->name,
				  bridge->mtu);
	if (found->group != bridge_group(bridge))
		rtnl_put_link_group(netlink_next(&batch, "set its group", 0), bridge->name,
				    bridge_group(bridge));
	if (!there.ipv4)
		rtnl_put_address(netlink_next(&batch, "set the IPv4 gateway address", EEXIST),
				 found->index, &bridge->ipv4);
	if (!there.ipv6)
		rtnl_put_address(netlink_next(&batch, "set the IPv6 gateway address", EEXIST),
				 found->index, &bridge->ipv6);
	if (!(found->flags & IFF_UP))
		rtnl_put_link_up(netlink_next(&batch, "set the bridge up", 0), bridge->name);
	/* that of IPv6 has each of the interfaces that it is the gateway of */
	rtnl_put_anywhere(
	    netlink_next(&batch, "answer as the gateway of who is routed", EEXIST),
	    found->index, link_gateway(bridge, &routed, AF_INET));
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/*
 * Beside an uplink or the gateway of a pool the rules tell what is for the node from what is
 * switched by that address: with another the former would be let past all walls, or not at all.
 */
static bool is_known_by_mac(const struct bridge *bridge)
{
	return bridge->uplink[0] || bridge->ways[0].network.family;
}

/* An operator's bridge may have any otherwise.  Whoever set it may have had a reason: it is
 * left alone. */
static int mac_refuse(const struct bridge *bridge, const struct rtnl_link *found,
		      struct err *err)
{
	char is[MAC_TEXT], wanted[MAC_TEXT];

	mac_print(found->mac, is);
	mac_print(link_mac(0, false), wanted);
	if (!is_known_by_mac(bridge) || strcmp(is, wanted) == 0)
		return 0;
	return fail_as(
	    err, ERR_VALUE,
	    "it has the MAC address %s, by which the rules do not know the node beside "
	    "an uplink or the gateway of a pool: 'ip link set %s address %s'",
	    is, bridge->name, wanted);
}

static int bridge_make(const struct bridge *bridge, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link found = { 0 };

	if (fd < 0)
		return -1;
	if (link_find(fd, bridge->name, &found, err) < 0 &&
	    (err->code != ENODEV || bridge_create(fd, bridge, &found, err) < 0))
		return -1;
	if (strcmp(found.kind, "bridge") != 0)
		return fail_as(err, ERR_SYSTEM, "there is such an interface, but no bridge");
	if (mac_refuse(bridge, &found, err) < 0)
		return -1;

	if (sysctls_set(bridge_sysctls, ARRAY_SIZE(bridge_sysctls), bridge->name, err) < 0 ||
	    interface_harden(bridge->name, err) < 0)
		return -1;
	return bridge_adjust(fd, bridge, &found, err);
}

/* The rules come first, so that nothing passes without them, and forwarding comes last. */
int bridge_ensure(const struct bridge *bridge, bool uplinked, struct err *err)
{
	struct err absent;

	if (ruleset_ensure(bridge, err) < 0 || guard_ensure(err) < 0 ||
	    neighbours_ensure(err) < 0 || guard_free_ensure(bridge, err) < 0)
		return -1;
	if (bridge_make(bridge, err) < 0)
		return fail_in(err, "bridge '%s'", bridge->name);
	/* it names the uplink, which is enough to go by */
	if (uplink_ensure(bridge, uplinked ? err : &absent) < 0 && uplinked)
		return -1;
	return sysctl_forward(bridge->ipv6.family != 0, err);
}

static int sysctls_compare(const struct link_comparison *comparison,
			   const struct sysctl *sysctls, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct sysctl *sysctl = &sysctls[i];
		char got[2] = { sysctl_get(sysctl->family, comparison->device, sysctl->name) };
		/* one that this kernel does not have is none to differ */
		bool equal = !*got || *got == *sysctl->value;
		char name[40];

		str_format(name, sizeof(name), "%s %s", sysctl->family, sysctl->name);
		if (link_compare(comparison, name, equal, sysctl->value, got, err) < 0)
			return -1;
	}
	return 0;
}

static int mac_compare(const struct link_comparison *comparison, const struct bridge *bridge,
		       const struct rtnl_link *found, struct err *err)
{
	char is[MAC_TEXT], wanted[MAC_TEXT];

	mac_print(found->mac, is);
	mac_print(link_mac(0, false), wanted);
	return link_compare(comparison, "MAC address",
			    !is_known_by_mac(bridge) || strcmp(is, wanted) == 0, wanted, is,
			    err);
}

int bridge_diff(const struct bridge *bridge,
		int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		void *arg, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	char table[BRIDGE_TABLE], device[8 + BRIDGE_TABLE];
	const struct link_comparison rules = { each, arg, device };
	const struct link_comparison port = { each, arg, bridge->name };
	struct rtnl_link found = { 0 };
	int loaded;

	if (fd < 0)
		return -1;
	if (link_find(fd, bridge->name, &found, err) < 0)
		return err->code == ENODEV ? 0 : -1;
	loaded = ruleset_is_loaded(bridge, err);
	if (loaded < 0)
		return -1;
	bridge_table(bridge, table);
	str_format(device, sizeof(device), "inet %s", table);
	if (link_compare(&rules, "ruleset", loaded, "as node.conf has it", "none, or another",
			 err) < 0 ||
	    mac_compare(&port, bridge, &found, err) < 0 ||
	    uplink_compare(bridge, &port, err) < 0 ||
	    sysctls_compare(&port, bridge_sysctls, ARRAY_SIZE(bridge_sysctls), err) < 0)
		return -1;
	return sysctls_compare(&port, tenant_sysctls, ARRAY_SIZE(tenant_sysctls), err);
}

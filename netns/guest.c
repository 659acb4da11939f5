/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "address.h"
#include "bridge.h"
#include "err.h"
#include "netlink.h"
#include "own.h"

/* The first interface of every network namespace. */
#define LOOPBACK_INDEX 1

/* Where it is routed nobody else is on its link. */
static struct address seen(const struct link *link, const struct address *address)
{
	struct address inside = *address;

	if (link->mode == LINK_ROUTED)
		inside.prefix = address_size(address) * 8;
	return inside;
}

static const int families[] = { AF_INET, AF_INET6 };

/*
 * The VPS need not ask for the node either, see neighbours_put() of the node: its own
 * neighbours are in the same table.  Where it is routed that is the near end.
 */
static void put_node(struct netlink_batch *batch, unsigned id, uint32_t index,
		     const struct bridge *bridge, const struct link *link, int family)
{
	bool routed = link->mode == LINK_ROUTED;
	const struct address *own = family == AF_INET6 ? &link->ipv6 : &link->ipv4;
	const struct address *node = family == AF_INET6 ? &bridge->ipv6 : &bridge->ipv4;
	struct mac mac = link_mac(routed ? id : 0, routed);

	if (routed)
		node = link_gateway(bridge, link, family);
	if (own->family && node && node->family && (routed || bridge_has_its_mac(bridge)))
		rtnl_put_neighbour(netlink_next(batch, "tell it where the node is", 0), index,
				   node, &mac);
}

/* By a gateway that the VPS reaches directly even where its prefix (a lone public address,
 * say) does not contain it. */
static void put_default_route(struct netlink_batch *batch, uint32_t index,
			      const struct bridge *bridge, const struct link *link, int family)
{
	const struct address *gateway = link_gateway(bridge, link, family);
	const struct address *source = link_way(bridge, link, family, NULL);
	struct address own = seen(link, family == AF_INET6 ? &link->ipv6 : &link->ipv4);

	if (!own.family || !gateway)
		return;
	struct route route = { .to = { .family = family },
			       .via = *gateway,
			       .index = index,
			       .onlink = !address_is_in(&own, gateway) };

	/* the gateway takes nothing else */
	if (source)
		route.source = *source;
	rtnl_put_route(netlink_next(batch, "set the default route", 0), &route);
}

/* The table of what comes from an address with another way than the default: RTNL_NODECTL
 * itself for the node's, and one behind it for each other. */
static uint8_t table_of(const struct bridge *bridge, const struct way *way)
{
	return (uint8_t)(RTNL_NODECTL + (way ? 1 + (way - bridge->ways) : 0));
}

/*
 * With a way that is not through the node, the node itself is still beside it, and addresses
 * that have another one keep that: where packets to them come from their answers must go.
 */
static void put_ways(struct netlink_batch *batch, uint32_t index, const struct bridge *bridge,
		     const struct link *link, int family)
{
	const struct address *own = family == AF_INET6 ? &bridge->ipv6 : &bridge->ipv4;
	struct route node = { .to = *own, .index = index };
	const struct address *address;
	const struct way *way;
	bool beside = false;

	if (!link_way(bridge, link, family, &way))
		return;
	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		const struct way *other = bridge_way(bridge, address);
		struct route route = { .to = { .family = family },
				       .via = other ? other->gateway : *own,
				       .index = index,
				       .onlink = true,
				       .source = *address,
				       .table = table_of(bridge, other) };

		if (address->family != family || other == way)
			continue;
		beside |= address_is_in(address, own);
		rtnl_put_route(netlink_next(batch, "set another way out", 0), &route);
		rtnl_put_rule(netlink_next(batch, "say who takes it", EEXIST), address,
			      route.table);
	}
	node.to.prefix = address_size(own) * 8;
	if (!beside && own->family)
		rtnl_put_route(netlink_next(batch, "set the route to the node", 0), &node);
}

static int ways_remove(int fd, const struct bridge *bridge, const struct link *link,
		       struct err *err)
{
	const struct address *address;
	struct netlink_batch batch;
	const struct way *way;

	netlink_start(&batch);
	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		const struct way *other = bridge_way(bridge, address);

		if (link_way(bridge, link, address->family, &way) && other != way)
			rtnl_put_rule_delete(
			    netlink_next(&batch, "forget who takes another way", ENOENT),
			    address, table_of(bridge, other));
	}
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static int routes_put(int fd, unsigned id, uint32_t index, const struct bridge *bridge,
		      const struct link *link, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		put_node(&batch, id, index, bridge, link, families[i]);
		put_default_route(&batch, index, bridge, link, families[i]);
		put_ways(&batch, index, bridge, link, families[i]);
	}
	return netlink_run(fd, &batch, NULL, NULL, err);
}

int guest_configure(unsigned id, const struct bridge *bridge, const struct link *link,
		    int netns, struct err *err)
{
	own_fd fd = netlink_open_in(netns, NETLINK_ROUTE, err);
	struct netlink_batch batch;
	struct rtnl_link eth0 = { 0 };
	const struct address *address;
	bool none = !link_is_wanted(link);

	if (fd < 0 || (!none && link_find(fd, "eth0", &eth0, err) < 0))
		return -1;

	netlink_start(&batch);
	rtnl_put_index_up(netlink_next(&batch, "set lo up", 0), LOOPBACK_INDEX);
	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		struct address inside = seen(link, address);

		rtnl_put_address(netlink_next(&batch, "set an address", 0), eth0.index,
				 &inside);
	}
	if (!none)
		rtnl_put_index_up(netlink_next(&batch, "set eth0 up", 0), eth0.index);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return -1;
	return routes_put(fd, id, eth0.index, bridge, link, err);
}

static bool is_set_alike(const struct link *link, const struct address *wanted)
{
	const struct address *address;

	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		if (address_is_equal(address, wanted))
			return true;
	}
	return false;
}

/* Is there, by either, another way than through the node? */
static bool has_ways(const struct bridge *bridge, const struct link *before,
		     const struct link *after)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (link_way(bridge, before, families[i], NULL) ||
		    link_way(bridge, after, families[i], NULL))
			return true;
	}
	return false;
}

/*
 * With the first address of a network the kernel takes away all others of that network, so that
 * what stays is added again.
 */
static int addresses_change(int fd, unsigned id, const struct bridge *bridge, uint32_t index,
			    const struct link *before, const struct link *after,
			    struct err *err)
{
	const struct address *address;
	struct netlink_batch batch;
	bool less = false, ways = has_ways(bridge, before, after);

	if (ways && ways_remove(fd, bridge, before, err) < 0)
		return -1;
	netlink_start(&batch);
	for (unsigned n = 0; (address = link_address(before, n)); n++) {
		struct address inside = seen(after, address);

		if (is_set_alike(after, address))
			continue;
		less = true;
		rtnl_put_address_delete(
		    netlink_next(&batch, "remove an address", EADDRNOTAVAIL), index, &inside);
	}
	for (unsigned n = 0; (address = link_address(after, n)); n++) {
		struct address inside = seen(after, address);

		if (less || !is_set_alike(before, address))
			rtnl_put_address(netlink_next(&batch, "set an address", EEXIST), index,
					 &inside);
	}
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return -1;
	return less || ways ? routes_put(fd, id, index, bridge, after, err) : 0;
}

/*
 * What the tenant has done to his network is his affair, and the next start makes it whole: an
 * interface that is down or gone, no IPv6, the gateway's address as his own, a flood at our
 * socket.  Whatever is refused there must not keep the operator from giving and taking
 * addresses; what counts is at the node's end.
 */
int guest_change(unsigned id, const struct bridge *bridge, uint32_t index,
		 const struct link *before, const struct link *after, int netns,
		 struct err *err)
{
	own_fd fd = netlink_open_in(netns, NETLINK_ROUTE, err);

	if (fd < 0)
		return -1;
	if (addresses_change(fd, id, bridge, index, before, after, err) < 0 &&
	    is_passing(err->code))
		return -1;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include <errno.h>
#include <linux/netlink.h>

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

/* By a gateway that the VPS reaches directly even where its prefix (a lone public address,
 * say) does not contain it. */
static void put_default_route(struct netlink_batch *batch, uint32_t index,
			      const struct bridge *bridge, const struct link *link, int family)
{
	const struct address *gateway = link_gateway(bridge, link, family);
	struct address own = seen(link, family == AF_INET6 ? &link->ipv6 : &link->ipv4);

	if (!own.family || !gateway)
		return;
	struct route route = { .to = { .family = family },
			       .via = *gateway,
			       .index = index,
			       .onlink = !address_is_in(&own, gateway) };
	rtnl_put_route(netlink_next(batch, "set the default route", 0), &route);
}

static int routes_put(int fd, unsigned id, uint32_t index, const struct bridge *bridge,
		      const struct link *link, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		put_default_route(&batch, index, bridge, link, families[i]);
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

/*
 * With the first address of a network the kernel takes away all others of that network, so that
 * what stays is added again.
 */
int guest_change(unsigned id, const struct bridge *bridge, uint32_t index,
		 const struct link *before, const struct link *after, int netns,
		 struct err *err)
{
	own_fd fd = netlink_open_in(netns, NETLINK_ROUTE, err);
	const struct address *address;
	struct netlink_batch batch;
	bool less = false;

	if (fd < 0)
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
	if (netlink_run(fd, &batch, NULL, NULL, err) == 0 &&
	    (!less || routes_put(fd, id, index, bridge, after, err) == 0))
		return 0;
	/* what the tenant has done to his interface is his affair: the next start makes it
	 * whole */
	return err->code == ENODEV || err->code == ENETDOWN || err->code == ENETUNREACH ? 0
											: -1;
}

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

/*
 * By the bridge's own address, which the VPS reaches directly even where its
 * prefix (a lone public address, say) does not contain it.
 */
static void put_default_route(struct netlink_batch *batch, uint32_t index,
			      const struct address *own, const struct address *gateway)
{
	struct route route = { .to = { .family = gateway->family },
			       .via = *gateway,
			       .index = index,
			       .onlink = !address_is_in(own, gateway) };

	if (own->family && gateway->family)
		rtnl_put_route(netlink_next(batch, "set the default route", 0), &route);
}

int guest_configure(const struct bridge *bridge, const struct link *link, int netns,
		    struct err *err)
{
	own_fd fd = netlink_open_in(netns, NETLINK_ROUTE, err);
	struct netlink_batch batch;
	struct rtnl_link eth0 = { 0 };
	bool none = !link->ipv4.family && !link->ipv6.family;

	if (fd < 0 || (!none && link_find(fd, "eth0", &eth0, err) < 0))
		return -1;

	netlink_start(&batch);
	rtnl_put_index_up(netlink_next(&batch, "set lo up", 0), LOOPBACK_INDEX);
	for (unsigned n = 0; link_address(link, n); n++)
		rtnl_put_address(netlink_next(&batch, "set an address", 0), eth0.index,
				 link_address(link, n));
	if (!none)
		rtnl_put_index_up(netlink_next(&batch, "set eth0 up", 0), eth0.index);
	put_default_route(&batch, eth0.index, &link->ipv4, &bridge->ipv4);
	put_default_route(&batch, eth0.index, &link->ipv6, &bridge->ipv6);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static bool has_address(const struct link *link, const struct address *wanted)
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
int guest_change(const struct bridge *bridge, uint32_t index, const struct link *before,
		 const struct link *after, int netns, struct err *err)
{
	own_fd fd = netlink_open_in(netns, NETLINK_ROUTE, err);
	const struct address *address;
	struct netlink_batch batch;
	bool less = false;

	if (fd < 0)
		return -1;
	netlink_start(&batch);
	for (unsigned n = 0; (address = link_address(before, n)); n++) {
		if (has_address(after, address))
			continue;
		less = true;
		rtnl_put_address_delete(
		    netlink_next(&batch, "remove an address", EADDRNOTAVAIL), index, address);
	}
	for (unsigned n = 0; (address = link_address(after, n)); n++) {
		if (less || !has_address(before, address))
			rtnl_put_address(netlink_next(&batch, "set an address", EEXIST), index,
					 address);
	}
	if (less && batch.count) {
		put_default_route(&batch, index, &after->ipv4, &bridge->ipv4);
		put_default_route(&batch, index, &after->ipv6, &bridge->ipv6);
	}
	if (netlink_run(fd, &batch, NULL, NULL, err) == 0)
		return 0;
	/* what the tenant has done to his interface is his affair: the next start makes it
	 * whole */
	return err->code == ENODEV || err->code == ENETDOWN || err->code == ENETUNREACH ? 0
											: -1;
}

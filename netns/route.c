/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "bridge.h"
#include "err.h"
#include "guest.h"
#include "link.h"
#include "netlink.h"
#include "own.h"

static const struct address *gateway_of(const struct bridge *bridge, int family)
{
	return family == AF_INET6 ? &bridge->ipv6 : &bridge->ipv4;
}

bool link_route(const struct bridge *bridge, const struct link *link, unsigned n,
		struct route *route)
{
	struct address prefix;

	for (unsigned i = 0; link_allowed(link, i, &prefix); i++) {
		bool whole = prefix.prefix == address_size(&prefix) * 8;
		bool own = link_address(link, i) != NULL;

		/* the bridge's own network has its route */
		if ((own && address_is_in(gateway_of(bridge, prefix.family), &prefix)) || n--)
			continue;
		*route = (struct route){ .to = prefix };
		if (!own || !whole) {
			route->via = prefix.family == AF_INET6 ? link->ipv6 : link->ipv4;
			route->onlink = true;
		}
		return true;
	}
	return false;
}

static bool has_route(const struct bridge *bridge, const struct link *link,
		      const struct route *wanted)
{
	struct route route;

	for (unsigned n = 0; link_route(bridge, link, n, &route); n++) {
		if (address_is_equal(&route.to, &wanted->to) &&
		    memcmp(route.via.bytes, wanted->via.bytes, sizeof(route.via.bytes)) == 0)
			return true;
	}
	return false;
}

/* What the node remembers of whoever had the address before is replaced. */
static void put_neighbour(struct netlink_batch *batch, uint32_t index, unsigned id,
			  const struct address *address)
{
	struct mac mac = link_mac(id, false);

	rtnl_put_neighbour(netlink_next(batch, "tell the node where it is", 0), index, address,
			   &mac);
}

void link_put_routes(struct netlink_batch *batch, uint32_t index, unsigned id,
		     const struct bridge *bridge, const struct link *before,
		     const struct link *after)
{
	const struct address *address;
	struct route route;

	for (unsigned n = 0; link_route(bridge, before, n, &route); n++) {
		route.index = index;
		if (!has_route(bridge, after, &route))
			rtnl_put_route_delete(netlink_next(batch, "remove a route", ESRCH),
					      &route);
	}
	for (unsigned n = 0; link_route(bridge, after, n, &route); n++) {
		route.index = index;
		rtnl_put_route(netlink_next(batch, "set the route to the VPS", 0), &route);
	}
	/* the first of each family is what id and MAC address suggest, mostly */
	for (unsigned n = 0; after->further_count && (address = link_address(after, n)); n++)
		put_neighbour(batch, index, id, address);
}

int link_routes_remove(const struct bridge *bridge, const struct link *link, struct err *err)
{
	static const struct link none;
	struct rtnl_link master = { 0 };
	struct netlink_batch batch;
	struct route route;
	struct err absent;

	if (!link_route(bridge, link, 0, &route))
		return 0;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0)
		return -1;
	if (link_find(fd, bridge->name, &master, &absent) < 0)
		return 0;
	netlink_start(&batch);
	link_put_routes(&batch, master.index, 0, bridge, link, &none);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

int link_change(unsigned id, const struct bridge *bridge, const struct link *before,
		const struct link *after, int netns, struct err *err)
{
	static const struct link none;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link master = { 0 }, near = { 0 };
	struct netlink_batch batch;
	char name[IFNAMSIZ];

	near_name(id, name);
	if (fd < 0 || link_find(fd, bridge->name, &master, err) < 0 ||
	    link_find(fd, name, &near, err) < 0)
		return -1;
	netlink_start(&batch);
	link_put_routes(&batch, master.index, id, bridge, before ? before : &none, after);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return -1;
	return guest_change(bridge, near.peer, before ? before : &none, after, netns, err);
}

/* The route that the kernel has to just that prefix. */
struct found {
	const struct route *wanted;
	bool there;
};

static void route_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct found *found = arg;
	struct route got;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return;
	rtnl_route_parse(nlh, &got);
	found->there |=
	    got.index == found->wanted->index &&
	    address_is_equal(&got.to, &found->wanted->to) &&
	    memcmp(got.via.bytes, found->wanted->via.bytes, sizeof(got.via.bytes)) == 0;
}

static int route_compare(int fd, const struct bridge *bridge, const struct route *route,
			 int (*each)(const struct link_knob *knob, void *arg, struct err *err),
			 void *arg, struct err *err)
{
	struct found found = { .wanted = route };
	struct netlink_batch batch;
	char prefix[ADDRESS_TEXT], name[ADDRESS_TEXT + 8] = "route ";

	netlink_start(&batch);
	rtnl_put_route_dump(netlink_next(&batch, "list the routes", 0), route->to.family,
			    route->index);
	if (netlink_run(fd, &batch, route_seen, &found, err) < 0)
		return -1;
	address_print(&route->to, true, prefix, sizeof(prefix));
	strcat(name, prefix);
	const struct link_knob knob = { .device = bridge->name,
					.name = name,
					.want = "there",
					.got = found.there ? "there" : "none",
					.equal = found.there };
	return each(&knob, arg, err);
}

int link_routes_diff(const struct bridge *bridge, const struct link *link,
		     int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	struct rtnl_link master = { 0 };
	struct route route;

	if (!link_route(bridge, link, 0, &route))
		return 0;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0 || link_find(fd, bridge->name, &master, err) < 0)
		return -1;
	for (unsigned n = 0; link_route(bridge, link, n, &route); n++) {
		route.index = master.index;
		if (route_compare(fd, bridge, &route, each, arg, err) < 0)
			return -1;
	}
	return 0;
}

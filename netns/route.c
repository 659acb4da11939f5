/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "bridge.h"
#include "err.h"
#include "guest.h"
#include "link.h"
#include "netlink.h"
#include "own.h"
#include "routed.h"
#include "seen.h"
#include "str.h"

static const struct address *gateway_of(const struct bridge *bridge, int family)
{
	return family == AF_INET6 ? &bridge->ipv6 : &bridge->ipv4;
}

/* Leads the bridge's own network there? */
static bool is_on_bridge(const struct bridge *bridge, const struct link *link, unsigned i,
			 const struct address *prefix)
{
	return link->mode != LINK_ROUTED && link_address(link, i) &&
	       address_is_in(gateway_of(bridge, prefix->family), prefix);
}

bool link_route(const struct bridge *bridge, const struct link *link, unsigned n,
		struct route *route)
{
	struct address prefix;

	for (unsigned i = 0; link_allowed(link, i, &prefix); i++) {
		bool whole = prefix.prefix == address_size(&prefix) * 8;
		bool own = link_address(link, i) != NULL;

		if (is_on_bridge(bridge, link, i, &prefix) || n--)
			continue;
		*route = (struct route){ .to = prefix, .protocol = RTNL_NODECTL };
		/* its interface has no address that the node could come from */
		if (link->mode == LINK_ROUTED)
			route->source = *gateway_of(bridge, prefix.family);
		if (!own || !whole) {
			route->via = prefix.family == AF_INET6 ? link->ipv6 : link->ipv4;
			route->onlink = true;
		}
		return true;
	}
	return false;
}

static bool is_same_way(const struct route *a, const struct route *b)
{
	return address_is_equal(&a->to, &b->to) &&
	       memcmp(a->via.bytes, b->via.bytes, sizeof(a->via.bytes)) == 0;
}

static bool has_route(const struct bridge *bridge, const struct link *link,
		      const struct route *wanted)
{
	struct route route;

	for (unsigned n = 0; link && link_route(bridge, link, n, &route); n++) {
		if (is_same_way(&route, wanted))
			return true;
	}
	return false;
}

static int routes_remove(int fd, uint32_t index, const struct bridge *bridge,
			 const struct link *before, const struct link *after, struct err *err)
{
	struct netlink_batch batch;
	struct route route;

	netlink_start(&batch);
	for (unsigned n = 0; before && link_route(bridge, before, n, &route); n++) {
		route.index = index;
		if (!has_route(bridge, after, &route))
			rtnl_put_route_delete(netlink_next(&batch, "remove a route", ESRCH),
					      &route);
	}
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static int routes_put(int fd, uint32_t index, const struct bridge *bridge,
		      const struct link *link, struct err *err)
{
	struct netlink_batch batch;
	struct route route;

	netlink_start(&batch);
	for (unsigned n = 0; link_route(bridge, link, n, &route); n++) {
		route.index = index;
		rtnl_put_route(netlink_next(&batch, "set the route to the VPS", 0), &route);
	}
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/*
 * Nobody is ever asked where a VPS is.  The kernel has one table of neighbours for all network
 * namespaces, and a tenant fills it by looking for addresses that nobody has: then no other is
 * found any more, but for those that are known for ever, which are not counted.  A kernel
 * without IPv6 has none of that family (EINVAL).
 */
static int neighbours_put(int fd, uint32_t index, unsigned id, const struct link *link,
			  struct err *err)
{
	struct mac mac = link_mac(id, false);
	const struct address *address;
	struct netlink_batch batch;

	netlink_start(&batch);
	for (unsigned n = 0; (address = link_address(link, n)); n++)
		rtnl_put_neighbour(netlink_next(&batch, "tell the node where it is", EINVAL),
				   index, address, &mac);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/* Whoever has the address next may be somebody else's machine. */
static int neighbours_remove(int fd, uint32_t index, const struct link *before,
			     const struct link *after, struct err *err)
{
	const struct address *address;
	struct netlink_batch batch;

	netlink_start(&batch);
	for (unsigned n = 0; before && (address = link_address(before, n)); n++) {
		if (!link_has(after, address))
			rtnl_put_neighbour_delete(
			    netlink_next(&batch, "forget where it is", ENOENT), index, address);
	}
	return netlink_run(fd, &batch, NULL, NULL, err);
}

int link_routes_change(int fd, uint32_t index, unsigned id, const struct bridge *bridge,
		       const struct link *before, const struct link *after, struct err *err)
{
	if (routes_remove(fd, index, bridge, before, after, err) < 0 ||
	    neighbours_remove(fd, index, before, after, err) < 0 ||
	    routes_put(fd, index, bridge, after, err) < 0)
		return -1;
	return neighbours_put(fd, index, id, after, err);
}

/* The interface that they lead to. */
static int way_find(int fd, unsigned id, const struct bridge *bridge, const struct link *link,
		    struct rtnl_link *way, struct err *err)
{
	char name[IFNAMSIZ];

	near_name(id, name);
	return link_find(fd, link->mode == LINK_ROUTED ? name : bridge->name, way, err);
}

int link_routes_remove(const struct bridge *bridge, const struct link *link, struct err *err)
{
	struct link bridged = *link;
	struct rtnl_link master = { 0 };
	struct failures failures = { 0 };
	struct err absent;

	bridged.mode = LINK_BRIDGE;
	if (!link_address(&bridged, 0))
		return 0;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0)
		return -1;
	if (link_find(fd, bridge->name, &master, &absent) < 0)
		return 0;
	failures_note(&failures, neighbours_remove(fd, master.index, &bridged, NULL, err), err);
	failures_note(&failures, routes_remove(fd, master.index, bridge, &bridged, NULL, err),
		      err);
	return failures_tell(&failures, err);
}

int link_routes_mend(unsigned id, const struct bridge *bridge, const struct link *link,
		     struct err *err)
{
	struct rtnl_link way = { 0 };

	if (!link_is_wanted(link))
		return 0;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0 || way_find(fd, id, bridge, link, &way, err) < 0 ||
	    (link->mode == LINK_ROUTED && routed_address(fd, way.index, bridge, err) < 0))
		return -1;
	return link_routes_change(fd, way.index, id, bridge, NULL, link, err);
}

int link_change(unsigned id, const struct bridge *bridge, const struct link *before,
		const struct link *after, int netns, struct err *err)
{
	static const struct link none;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link way = { 0 }, near = { 0 };
	char name[IFNAMSIZ];

	near_name(id, name);
	if (fd < 0)
		return -1;
	bool gone = link_find(fd, name, &near, err) < 0;
	if (gone && err->code != ENODEV)
		return -1;
	if (gone && after->mode == LINK_ROUTED)
		return 0;
	if (way_find(fd, id, bridge, after, &way, err) < 0 ||
	    link_routes_change(fd, way.index, id, bridge, before, after, err) < 0)
		return -1;
	if (gone)
		return 0;
	return guest_change(id, bridge, near.peer, before ? before : &none, after, netns, err);
}

void routes_free(struct routes *routes)
{
	free(routes->list);
	*routes = (struct routes){ 0 };
}

static void route_collect(const struct nlmsghdr *nlh, void *arg)
{
	struct routes *routes = arg;
	struct route route;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return;
	rtnl_route_parse(nlh, &route);
	/* a kernel before 4.20 or so filters nothing */
	if (route.protocol != RTNL_NODECTL || !route.to.family)
		return;
	routes->list =
	    xgrow(routes->list, routes->count, &routes->room, sizeof(routes->list[0]));
	routes->list[routes->count++] = route;
}

int routes_see(struct routes *routes, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		netlink_start(&batch);
		rtnl_put_route_dump(netlink_next(&batch, "list the routes", EOPNOTSUPP),
				    families[i], 0, RTNL_NODECTL);
		if (netlink_run(fd, &batch, route_collect, routes, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_seen(const struct routes *routes, const struct route *wanted)
{
	for (size_t i = 0; i < routes->count; i++) {
		const struct route *route = &routes->list[i];

		if (route->index == wanted->index && is_same_way(route, wanted))
			return true;
	}
	return false;
}

int link_routes_diff(unsigned id, const struct network_seen *seen, const struct link *link,
		     int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	struct rtnl_link way = { 0 };
	struct route route;

	if (!link_is_wanted(link) || !link_route(seen->bridge, link, 0, &route))
		return 0;
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0 || way_find(fd, id, seen->bridge, link, &way, err) < 0)
		return -1;
	struct link_comparison comparison = { each, arg, way.name };
	for (unsigned n = 0; link_route(seen->bridge, link, n, &route); n++) {
		char prefix[ADDRESS_TEXT], name[ADDRESS_TEXT + 8] = "route ";

		address_print(&route.to, true, prefix, sizeof(prefix));
		strcat(name, prefix);
		route.index = way.index;
		if (link_compare(&comparison, name, is_seen(&seen->routes, &route), "there",
				 "none", err) < 0)
			return -1;
	}
	return 0;
}

bool link_route_print(unsigned id, const struct bridge *bridge, const struct link *link,
		      unsigned n, char text[LINK_ROUTE_TEXT])
{
	char to[ADDRESS_TEXT], via[ADDRESS_TEXT], name[IFNAMSIZ];
	struct route route;

	if (!link_is_wanted(link) || !link_route(bridge, link, n, &route))
		return false;
	near_name(id, name);
	address_print(&route.to, true, to, sizeof(to));
	address_print(&route.via, false, via, sizeof(via));
	str_format(text, LINK_ROUTE_TEXT, "%s%s%s dev %s", to, *via ? " via " : "", via,
		   link->mode == LINK_ROUTED ? name : bridge->name);
	return true;
}

/* Whose interface it leads to, 0 for the bridge; false: to somebody else's. */
static bool route_way(const struct route *route, uint32_t bridge, unsigned *id)
{
	char name[IFNAMSIZ];

	*id = 0;
	return route->index == bridge || (if_indextoname(route->index, name) &&
					  strncmp(name, "nv", 2) == 0 && link_id(name, id));
}

int link_routes_each(const struct bridge *bridge,
		     int (*each)(const struct link_route *route, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	__attribute__((cleanup(routes_free))) struct routes routes = { 0 };
	uint32_t index = if_nametoindex(bridge->name);

	if (routes_see(&routes, err) < 0)
		return -1;
	for (size_t i = 0; i < routes.count; i++) {
		struct link_route route = { .to = routes.list[i].to,
					    .via = routes.list[i].via };

		if (route_way(&routes.list[i], index, &route.id) && each(&route, arg, err) < 0)
			return -1;
	}
	return 0;
}

bool link_needs_route(unsigned id, const struct bridge *bridge, const struct link *link,
		      const struct link_route *route)
{
	const struct route wanted = { .to = route->to, .via = route->via };

	return link_is_wanted(link) && route->id == (link->mode == LINK_ROUTED ? id : 0) &&
	       has_route(bridge, link, &wanted);
}

struct search {
	struct route wanted;
	bool found;
};

static void route_match(const struct nlmsghdr *nlh, void *arg)
{
	struct search *search = arg;
	struct route got;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return;
	rtnl_route_parse(nlh, &got);
	search->found |=
	    got.index == search->wanted.index && is_same_way(&got, &search->wanted);
}

static struct route route_of(const struct bridge *bridge, const struct link_route *route)
{
	char name[IFNAMSIZ];

	near_name(route->id, name);
	return (struct route){ .to = route->to,
			       .via = route->via,
			       .index = if_nametoindex(route->id ? name : bridge->name),
			       .onlink = route->via.family != 0,
			       .protocol = RTNL_NODECTL };
}

bool link_route_exists(const struct bridge *bridge, const struct link_route *route)
{
	struct search search = { .wanted = route_of(bridge, route) };
	struct netlink_batch batch;
	struct err ignored;
	own_fd fd = netlink_open(NETLINK_ROUTE, &ignored);

	if (fd < 0 || !search.wanted.index)
		return false;
	netlink_start(&batch);
	rtnl_put_route_dump(netlink_next(&batch, "list the routes", 0), route->to.family,
			    search.wanted.index, RTNL_NODECTL);
	return netlink_run(fd, &batch, route_match, &search, &ignored) == 0 && search.found;
}

int link_route_remove(const struct bridge *bridge, const struct link_route *route,
		      struct err *err)
{
	struct route gone = route_of(bridge, route);
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0 || !gone.index)
		return fd < 0 ? -1 : 0;
	netlink_start(&batch);
	rtnl_put_route_delete(netlink_next(&batch, "remove a route", ESRCH), &gone);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

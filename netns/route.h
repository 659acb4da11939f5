/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netlink.h"
#include "rtnl_msg.h"

/* The routes to VPSs that nodectls have made, whoever's. */
struct routes {
	struct route *list;
	size_t count, room;
};

int routes_see(struct routes *routes, struct err *err);
void routes_free(struct routes *routes);

/*
 * The @n-th route that the node needs to reach @link, false behind the last: its addresses
 * outside of the bridge's networks, or all where it is routed, are on link; what is routed to
 * it is behind its first address of that family.  The index is the caller's.
 */
bool link_route(const struct bridge *bridge, const struct link *link, unsigned n,
		struct route *route);

/*
 * From the routes of @before, NULL for none, to those of @after, and the neighbours that go
 * with them.  @index is that of the bridge or, of a routed one, the near end, which is up.
 */
int link_routes_change(int fd, uint32_t index, unsigned id, const struct bridge *bridge,
		       const struct link *before, const struct link *after, struct err *err);

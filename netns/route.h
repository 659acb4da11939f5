/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netlink.h"
#include "rtnl_msg.h"

/*
 * The @n-th route that the node needs to reach @link, false behind the last: its addresses
 * outside of the bridge's networks are on link, what is routed to it is behind its first
 * address of that family.  The index is the caller's.
 */
bool link_route(const struct bridge *bridge, const struct link *link, unsigned n,
		struct route *route);

/* Messages that lead from the routes of @before to those of @after; @index is the bridge's. */
void link_put_routes(struct netlink_batch *batch, uint32_t index, unsigned id,
		     const struct bridge *bridge, const struct link *before,
		     const struct link *after);

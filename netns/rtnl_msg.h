/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netns.h"

struct nlmsghdr;

/*
 * Builders of rtnetlink messages: pure functions of their arguments.  Each
 * takes the header that netlink_next() gave it and asks for an answer.
 */

/* A veth pair: the near end on the bridge or, with master 0, on none; the far end called eth0
 * inside @netns. */
struct veth {
	const char *near;
	struct mac near_mac, far_mac;
	uint32_t master; /* index of the bridge */
	uint32_t mtu;
	int netns;
};

/* The protocol of the routes that the node has to its VPSs: ours alone, see ip-route(8). */
#define RTNL_NODECTL 110

/* To one address, to a network, or by default (prefix 0). */
struct route {
	struct address to;
	struct address via; /* family 0: on link */
	uint32_t index;
	bool onlink;	  /* @via is reached without a route to it */
	uint8_t protocol; /* 0: static */
	struct address
	    source;    /* of what the node itself sends there; family 0: any of its own */
	uint8_t table; /* 0: the main one */
};

/* Where an address is, as the kernel remembers it. */
struct neighbour {
	struct address address; /* prefix: all of it */
	struct mac mac;		/* zeroes: not known */
	uint32_t index;
	bool permanent;
};

void rtnl_put_bridge(struct nlmsghdr *nlh, const char *name, const struct mac *mac);
void rtnl_put_veth(struct nlmsghdr *nlh, const struct veth *veth);
void rtnl_put_ifb(struct nlmsghdr *nlh, const char *name, const char *alias, uint32_t mtu);
void rtnl_put_port(struct nlmsghdr *nlh, const char *name, const char *alias);
/* The opposite of a VPS's port. */
void rtnl_put_uplink(struct nlmsghdr *nlh, const char *name, const char *alias);
void rtnl_put_link_group(struct nlmsghdr *nlh, const char *name, uint32_t group);
void rtnl_put_link_alias(struct nlmsghdr *nlh, const char *name, const char *alias);
void rtnl_put_link_mtu(struct nlmsghdr *nlh, const char *name, uint32_t mtu);
void rtnl_put_link_up(struct nlmsghdr *nlh, const char *name);
void rtnl_put_link_down(struct nlmsghdr *nlh, const char *name);
void rtnl_put_link_master(struct nlmsghdr *nlh, const char *name, uint32_t master);
void rtnl_put_link_get(struct nlmsghdr *nlh, const char *name);
void rtnl_put_link_delete(struct nlmsghdr *nlh, const char *name);

/* All links of @kind (NULL: any) that are ports of @master (0: any). */
void rtnl_put_link_dump(struct nlmsghdr *nlh, const char *kind, uint32_t master);

/* By index, where it is known: saves the kernel a look-up and us a name. */
void rtnl_put_index_get(struct nlmsghdr *nlh, uint32_t index);
void rtnl_put_index_up(struct nlmsghdr *nlh, uint32_t index);

/* The bridge sends frames for @mac to this port and learns nothing. */
void rtnl_put_fdb(struct nlmsghdr *nlh, uint32_t index, const struct mac *mac);

/* Is there such an entry? */
void rtnl_put_fdb_get(struct nlmsghdr *nlh, uint32_t index, const struct mac *mac);

void rtnl_put_address(struct nlmsghdr *nlh, uint32_t index, const struct address *address);
void rtnl_put_address_dump(struct nlmsghdr *nlh, uint32_t index);
void rtnl_put_address_delete(struct nlmsghdr *nlh, uint32_t index,
			     const struct address *address);
void rtnl_put_route(struct nlmsghdr *nlh, const struct route *route);
void rtnl_put_route_delete(struct nlmsghdr *nlh, const struct route *route);

/* What comes from @source is led by @table. */
void rtnl_put_rule(struct nlmsghdr *nlh, const struct address *source, uint8_t table);
void rtnl_put_rule_delete(struct nlmsghdr *nlh, const struct address *source, uint8_t table);

/* To the interface @index (0: any), of @protocol (0: any). */
void rtnl_put_route_dump(struct nlmsghdr *nlh, int family, uint32_t index, uint8_t protocol);
void rtnl_route_parse(const struct nlmsghdr *nlh, struct route *route);

/*
 * The node answers to @address wherever it is asked for it, without having it: no interface
 * has it, and so it is never where something comes from.  With the interface @index it goes.
 */
void rtnl_put_anywhere(struct nlmsghdr *nlh, uint32_t index, const struct address *address);

/* @address is at @mac for ever: nobody is asked, and it has no part in how many neighbours the
 * kernel remembers. */
void rtnl_put_neighbour(struct nlmsghdr *nlh, uint32_t index, const struct address *address,
			const struct mac *mac);
void rtnl_put_neighbour_delete(struct nlmsghdr *nlh, uint32_t index,
			       const struct address *address);

/* Of the interface @index, of either family.  Not every kernel looks at the index. */
void rtnl_put_neighbour_dump(struct nlmsghdr *nlh, uint32_t index);
void rtnl_neighbour_parse(const struct nlmsghdr *nlh, struct neighbour *neighbour);

/* Which way would a packet to @to take? */
void rtnl_put_route_get(struct nlmsghdr *nlh, const struct address *to);

/* What we want to know of a link. */
struct rtnl_link {
	uint32_t index, flags, mtu, master, group;
	uint32_t peer; /* index of the other end, in its network namespace */
	char name[16], kind[16];
	struct mac mac;
	bool isolated;	/* its bridge port flag */
	unsigned wrong; /* a bit for each flag that is not as rtnl_put_port() sets it */
	char alias[32];
	struct link_usage usage; /* as its peer sees it */
};

/* The flags of rtnl_put_port(), as bridge(8) calls them. */
#define RTNL_PORT_FLAGS 6u

/* The bits in rtnl_link.wrong of what all kernels of ours tell of an uplink: isolated, learning
 * and flood. */
#define RTNL_UPLINK_WRONG 0xdu
const char *rtnl_port_flag_name(unsigned i);
bool rtnl_port_flag_wanted(unsigned i);

void rtnl_link_read(const struct nlmsghdr *nlh, struct rtnl_link *link);
void rtnl_address_read(const struct nlmsghdr *nlh, uint32_t *index, struct address *address);
uint32_t rtnl_route_read(const struct nlmsghdr *nlh); /* index of the interface, or 0 */

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "bridge.h"
#include "err.h"
#include "guard.h"
#include "guard_load.h"
#include "guest.h"
#include "netlink.h"
#include "nft.h"
#include "own.h"
#include "route.h"
#include "routed.h"
#include "str.h"
#include "sysctl.h"

/* What a MAC address has room for; the node gives out fewer. */
#define LINK_ID_MAX 0xffffff

void near_name(unsigned id, char *name)
{
	str_format(name, IFNAMSIZ, "nv%u", id);
}

void wait_name(unsigned id, char *name)
{
	str_format(name, IFNAMSIZ, "ni%u", id);
}

bool link_id(const char *name, unsigned *id)
{
	unsigned long number;
	struct err ignored;

	/* one spelling for each number: "nv07" is not ours */
	if ((strncmp(name, "nv", 2) != 0 && strncmp(name, "ni", 2) != 0) || name[2] == '0')
		return false;
	if (number_parse(name + 2, 1, LINK_ID_MAX, &number, &ignored) < 0)
		return false;
	*id = (unsigned)number;
	return true;
}

static void link_seen(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWLINK)
		rtnl_link_read(nlh, arg);
}

static int near_remove(int fd, const char *name, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	rtnl_put_link_delete(netlink_next(&batch, "remove it", ENODEV), name);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/*
 * Born on the bridge and down, so that the next message can make a well-behaved
 * port of it before a single frame passes.  One that is routed is in the bridge's group, by
 * which the rules know it.
 */
static int pair_create(int fd, unsigned id, const struct bridge *bridge,
		       const struct veth *veth, struct rtnl_link *near, struct err *err)
{
	struct netlink_batch batch;
	char alias[32];

	str_format(alias, sizeof(alias), "nodectl %u", id);
	netlink_start(&batch);
	rtnl_put_veth(netlink_next(&batch, "make the pair", 0), veth);
	if (veth->master) {
		rtnl_put_port(netlink_next(&batch, "set the flags of the port", 0), veth->near,
			      alias);
	} else {
		rtnl_put_link_alias(netlink_next(&batch, "say whose it is", 0), veth->near,
				    alias);
		rtnl_put_link_group(netlink_next(&batch, "set its group", 0), veth->near,
				    bridge_group(bridge));
	}
	rtnl_put_link_get(netlink_next(&batch, "find it", 0), veth->near);
	return netlink_run(fd, &batch, link_seen, near, err);
}

/* A bridge has 1024 ports. */
static int bridge_is_full(const struct bridge *bridge, struct err *err)
{
	return fail_as(err, ERR_LEDGER,
		       "bridge '%s' has no port left: '--net-mode routed' needs none",
		       bridge->name);
}

/* The frames that the bridge takes from the port, and the routes that lead to the bridge. */
static int port_settle(int fd, unsigned id, const struct bridge *bridge,
		       const struct link *link, const struct veth *veth, uint32_t index,
		       struct err *err)
{
	struct netlink_batch batch;

	/* a bridge port needs no addresses, and IPv6 would give it one */
	if (sysctl_set("ipv6", veth->near, "disable_ipv6", "1", err) < 0)
		return -1;
	netlink_start(&batch);
	rtnl_put_fdb(netlink_next(&batch, "set the MAC address of the port", 0), index,
		     &veth->far_mac);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return -1;
	return link_routes_change(fd, veth->master, id, bridge, NULL, link, err);
}

/* The node's half of it. */
static int near_create(unsigned id, const struct bridge *bridge, const struct link *link,
		       int netns, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link master = { 0 }, near = { 0 };
	char name[IFNAMSIZ];

	if (fd < 0)
		return -1;
	if (link_find(fd, bridge->name, &master, err) < 0)
		return fail_in(err, "bridge '%s'", bridge->name);

	near_name(id, name);
	struct veth veth = { .near = name,
			     .near_mac = link_mac(id, true),
			     .far_mac = link_mac(id, false),
			     .master = link->mode == LINK_ROUTED ? 0 : master.index,
			     .mtu = bridge->mtu ? bridge->mtu : master.mtu,
			     .netns = netns };

	if (pair_create(fd, id, bridge, &veth, &near, err) < 0) {
		if (err->code == EXFULL)
			return bridge_is_full(bridge, err);
		guard_remove(id);
		if (err->code != EEXIST || near_remove(fd, name, err) < 0 ||
		    pair_create(fd, id, bridge, &veth, &near, err) < 0)
			return -1;
	}
	if ((veth.master ? port_settle(fd, id, bridge, link, &veth, near.index, err)
			 : routed_harden(name, bridge, err)) < 0 ||
	    link_guard(id, bridge, link, err) < 0)
		return -1;
	return link->rate_in || link->rate_out ? link_shape(id, link, err) : 0;
}

int link_create(unsigned id, const struct bridge *bridge, const struct link *link, int netns,
		struct err *err)
{
	if (link_is_wanted(link) && near_create(id, bridge, link, netns, err) < 0)
		return err->kind == ERR_LEDGER ? -1 : fail_in(err, "link 'nv%u'", id);
	if (guest_configure(id, bridge, link, netns, err) < 0)
		return fail_in(err, "inside the VPS");
	return 0;
}

int link_up(unsigned id, const struct bridge *bridge, const struct link *link, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	char name[IFNAMSIZ];

	if (fd < 0)
		return -1;
	near_name(id, name);
	netlink_start(&batch);
	rtnl_put_link_up(netlink_next(&batch, "set it up", 0), name);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0 ||
	    /* the kernel has no routes to what is down */
	    (link->mode == LINK_ROUTED && link_routes_mend(id, bridge, link, err) < 0))
		return fail_in(err, "link '%s'", name);
	return 0;
}

int link_remove(unsigned id, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	char near[IFNAMSIZ], wait[IFNAMSIZ];

	if (fd < 0)
		return -1;
	near_name(id, near);
	wait_name(id, wait);
	/* the guard goes by itself with the link, but waits: it is let go of first, with the
	 * link down, so that nothing passes meanwhile */
	netlink_start(&batch);
	rtnl_put_link_down(netlink_next(&batch, "set it down", ENODEV), near);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return fail_in(err, "link '%s'", near);
	guard_remove(id);
	netlink_start(&batch);
	rtnl_put_link_delete(netlink_next(&batch, "remove it", ENODEV), near);
	rtnl_put_link_delete(netlink_next(&batch, "remove where it waits", ENODEV), wait);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return fail_in(err, "link '%s'", near);
	return 0;
}

bool link_exists(unsigned id)
{
	char name[IFNAMSIZ];

	near_name(id, name);
	return if_nametoindex(name) != 0 || errno != ENODEV;
}

int link_compare(const struct link_comparison *comparison, const char *name, bool equal,
		 const char *want, const char *got, struct err *err)
{
	const struct link_knob knob = {
		.device = comparison->device,
		.name = name,
		.want = want,
		.got = equal ? want : got,
		.equal = equal,
	};

	return comparison->each(&knob, comparison->arg, err);
}

bool link_is_left(unsigned id)
{
	char name[IFNAMSIZ];

	wait_name(id, name);
	return link_exists(id) || if_nametoindex(name) != 0 || guard_index_find(id) != 0;
}

int link_usage(unsigned id, struct link_usage *usage, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link near = { 0 };
	char name[IFNAMSIZ];

	if (fd < 0)
		return -1;
	near_name(id, name);
	if (link_find(fd, name, &near, err) < 0)
		return fail_in(err, "link '%s'", name);
	*usage = near.usage;
	usage->life = near.index;
	return 0;
}

/* All ids, collected before anyone is called: the links may well be removed. */
struct ids {
	unsigned *ids;
	size_t count, room;
};

static void ids_free(struct ids *all)
{
	free(all->ids);
}

static void id_add(unsigned id, void *arg)
{
	struct ids *all = arg;

	all->ids = xgrow(all->ids, all->count, &all->room, sizeof(all->ids[0]));
	all->ids[all->count++] = id;
}

static void id_collected(const struct nlmsghdr *nlh, void *arg)
{
	struct rtnl_link link;
	unsigned id;

	rtnl_link_read(nlh, &link);
	if ((strcmp(link.kind, "veth") == 0 || strcmp(link.kind, "ifb") == 0) &&
	    link_id(link.name, &id))
		id_add(id, arg);
}

static int id_compare(const void *a, const void *b)
{
	const unsigned *one = a, *two = b;

	return *one < *two ? -1 : *one > *two;
}

int link_each(int (*each)(unsigned id, void *arg, struct err *err), void *arg, struct err *err)
{
	__attribute__((cleanup(ids_free))) struct ids all = { 0 };
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0)
		return -1;
	netlink_start(&batch);
	rtnl_put_link_dump(netlink_next(&batch, "list the links", 0), "veth", 0);
	if (netlink_run(fd, &batch, id_collected, &all, err) < 0)
		return -1;
	netlink_start(&batch);
	rtnl_put_link_dump(netlink_next(&batch, "list the links", EOPNOTSUPP), "ifb", 0);
	if (netlink_run(fd, &batch, id_collected, &all, err) < 0)
		return -1;
	guard_index_each(id_add, &all);
	if (all.count)
		qsort(all.ids, all.count, sizeof(all.ids[0]), id_compare);

	for (size_t i = 0; i < all.count; i++) {
		if (i && all.ids[i] == all.ids[i - 1])
			continue;
		if (each(all.ids[i], arg, err) < 0)
			return -1;
	}
	return 0;
}

struct usages {
	void (*each)(unsigned id, const struct link_usage *usage, void *arg);
	void *arg;
};

static void usage_collected(const struct nlmsghdr *nlh, void *arg)
{
	const struct usages *usages = arg;
	struct rtnl_link link;
	unsigned id;

	rtnl_link_read(nlh, &link);
	if (strncmp(link.name, "nv", 2) == 0 && link_id(link.name, &id)) {
		link.usage.life = link.index;
		usages->each(id, &link.usage, usages->arg);
	}
}

int link_usage_each(void (*each)(unsigned id, const struct link_usage *usage, void *arg),
		    void *arg, struct err *err)
{
	struct usages usages = { each, arg };
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0)
		return -1;
	netlink_start(&batch);
	rtnl_put_link_dump(netlink_next(&batch, "list the links", 0), "veth", 0);
	return netlink_run(fd, &batch, usage_collected, &usages, err);
}

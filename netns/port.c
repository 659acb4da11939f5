/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "bridge.h"
#include "err.h"
#include "link.h"
#include "netlink.h"
#include "nft.h"
#include "own.h"
#include "routed.h"
#include "str.h"

/* What the kernel has of a near end. */
struct port {
	struct rtnl_link master, near;
	bool fdb; /* the entry with the VPS's MAC address, without which no frame comes through
		   */
};

static void entry_seen(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWNEIGH)
		*(bool *)arg = true;
}

static int port_read(int fd, unsigned id, const struct bridge *bridge, struct port *port,
		     struct err *err)
{
	struct mac far = link_mac(id, false);
	struct netlink_batch batch;
	char name[IFNAMSIZ];

	*port = (struct port){ 0 };
	near_name(id, name);
	if (link_find(fd, bridge->name, &port->master, err) < 0)
		return fail_in(err, "bridge '%s'", bridge->name);
	if (link_find(fd, name, &port->near, err) < 0)
		return -1;
	/* one that is on no bridge has no entries */
	if (!port->near.master)
		return 0;
	netlink_start(&batch);
	rtnl_put_fdb_get(netlink_next(&batch, "find its MAC address", ENOENT), port->near.index,
			 &far);
	return netlink_run(fd, &batch, entry_seen, &port->fdb, err);
}

static int flags_compare(const struct link_comparison *comparison, const struct rtnl_link *near,
			 struct err *err)
{
	for (unsigned i = 0; i < RTNL_PORT_FLAGS; i++) {
		bool on = rtnl_port_flag_wanted(i), wrong = near->wrong & 1u << i;

		/* a port that is none has no flags */
		if (near->master &&
		    link_compare(comparison, rtnl_port_flag_name(i), !wrong, on ? "on" : "off",
				 on == wrong ? "off" : "on", err) < 0)
			return -1;
	}
	return 0;
}

/* One that is on no bridge is known by its group, and listens to nobody by its sysctls. */
static int routed_compare(const struct link_comparison *comparison, const struct port *port,
			  const struct bridge *bridge, struct err *err)
{
	const struct rtnl_link *near = &port->near;
	char want[16], got[16], other[32];

	str_format(want, sizeof(want), "0x%x", bridge_group(bridge));
	str_format(got, sizeof(got), "0x%x", near->group);
	str_format(other, sizeof(other), "interface %u", near->master);
	if (link_compare(comparison, "bridge", !near->master, "none", other, err) < 0 ||
	    link_compare(comparison, "group", near->group == bridge_group(bridge), want, got,
			 err) < 0)
		return -1;
	return link_compare(comparison, "sysctls", routed_is_hard(comparison->device, bridge),
			    "closed", "open", err);
}

static int port_compare(const struct link_comparison *comparison, const struct port *port,
			const struct bridge *bridge, struct err *err)
{
	bool on = port->near.master == port->master.index;
	char other[32];

	snprintf(other, sizeof(other), port->near.master ? "interface %u" : "none",
		 port->near.master);
	if (link_compare(comparison, "bridge", on, bridge->name, other, err) < 0 ||
	    flags_compare(comparison, &port->near, err) < 0)
		return -1;
	return link_compare(comparison, "MAC address of the port", port->fdb || !on, "there",
			    port->fdb ? "there" : "none", err);
}

int link_port_diff(unsigned id, const struct bridge *bridge, const struct link *link,
		   int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		   void *arg, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	char name[IFNAMSIZ];
	struct link_comparison comparison = { each, arg, name };
	struct port port;

	near_name(id, name);
	if (fd < 0 || port_read(fd, id, bridge, &port, err) < 0)
		return -1;
	bool up = port.near.flags & IFF_UP;

	if (link_compare(&comparison, "link", up, "up", up ? "up" : "down", err) < 0)
		return -1;
	return link->mode == LINK_ROUTED ? routed_compare(&comparison, &port, bridge, err)
					 : port_compare(&comparison, &port, bridge, err);
}

/* Off whatever bridge it was put on, and all that one does not have. */
static int routed_mend(int fd, unsigned id, const struct bridge *bridge,
		       const struct link *link, const struct port *port, struct err *err)
{
	struct netlink_batch batch;
	char name[IFNAMSIZ];

	near_name(id, name);
	netlink_start(&batch);
	if (port->near.master) {
		rtnl_put_link_down(netlink_next(&batch, "set it down", 0), name);
		rtnl_put_link_master(netlink_next(&batch, "take it off the bridge", 0), name,
				     0);
	}
	if (port->near.group != bridge_group(bridge))
		rtnl_put_link_group(netlink_next(&batch, "set its group", 0), name,
				    bridge_group(bridge));
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0 ||
	    routed_harden(name, bridge, err) < 0)
		return fail_in(err, "link '%s'", name);
	return link_up(id, bridge, link, err);
}

/* In the order of link_create(): what frames may pass is said before any can. */
int link_port_mend(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct mac far = link_mac(id, false);
	struct netlink_batch batch;
	char name[IFNAMSIZ], alias[32];
	struct port port;

	near_name(id, name);
	if (fd < 0 || port_read(fd, id, bridge, &port, err) < 0)
		return -1;
	if (link->mode == LINK_ROUTED)
		return routed_mend(fd, id, bridge, link, &port, err);
	str_format(alias, sizeof(alias), "nodectl %u", id);
	netlink_start(&batch);
	if (port.near.master != port.master.index) {
		/* one that is up and comes onto the bridge has flags that let all through */
		rtnl_put_link_down(netlink_next(&batch, "set it down", 0), name);
		rtnl_put_link_master(netlink_next(&batch, "put it on the bridge", 0), name,
				     port.master.index);
	}
	rtnl_put_port(netlink_next(&batch, "set the flags of the port", 0), name, alias);
	rtnl_put_fdb(netlink_next(&batch, "set the MAC address of the port", 0),
		     port.near.index, &far);
	rtnl_put_link_up(netlink_next(&batch, "set it up", 0), name);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return fail_in(err, "link '%s'", name);
	return 0;
}

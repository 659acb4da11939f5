/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "err.h"
#include "io.h"
#include "link.h"
#include "netlink.h"
#include "own.h"
#include "str.h"
#include "sysctl.h"

/* By which a port is known to be an uplink of a nodectl's, and not the operator's own. */
#define ALIAS "nodectl uplink"

/* How long a cable may take to find what is at its other end. */
#define CARRIER_MS 5000u

/* The first address that the node has on an interface. */
struct search {
	uint32_t index;
	struct address address;
};

static void address_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct search *search = arg;
	struct address address;
	uint32_t index;

	if (nlh->nlmsg_type != RTM_NEWADDR || search->address.family)
		return;
	rtnl_address_read(nlh, &index, &address);
	/* every interface that is up has one of the link */
	if (index == search->index &&
	    !(address.family == AF_INET6 && address.bytes[0] == 0xfe &&
	      (address.bytes[1] & 0xc0) == 0x80))
		search->address = address;
}

/* Nobody is to be cut off: what the node is reached by stays as it is. */
static int address_refuse(int fd, const struct rtnl_link *port, struct err *err)
{
	struct search search = { .index = port->index };
	struct netlink_batch batch;
	char text[ADDRESS_TEXT];

	netlink_start(&batch);
	rtnl_put_address_dump(netlink_next(&batch, "list its addresses", 0), port->index);
	if (netlink_run(fd, &batch, address_seen, &search, err) < 0)
		return -1;
	if (!search.address.family)
		return 0;
	address_print(&search.address, true, text, sizeof(text));
	return fail_as(err, ERR_VALUE,
		       "the node has its address %s there: take a port of its own, or a VLAN "
		       "('ip link add link %s name %.8s.100 type vlan id 100'), or remove the "
		       "address",
		       text, port->name, port->name);
}

static bool is_right(const struct rtnl_link *port, uint32_t bridge)
{
	return port->master == bridge && strcmp(port->alias, ALIAS) == 0 &&
	       (port->wrong & RTNL_UPLINK_WRONG) == RTNL_UPLINK_WRONG && port->flags & IFF_UP;
}

static int port_find(int fd, const struct bridge *bridge, struct rtnl_link *port,
		     struct err *err)
{
	unsigned id;

	if (strcmp(bridge->uplink, bridge->name) == 0 || strcmp(bridge->uplink, "lo") == 0 ||
	    link_id(bridge->uplink, &id))
		return fail_as(err, ERR_VALUE, "it is no port to the outside");
	if (link_find(fd, bridge->uplink, port, err) == 0)
		return 0;
	return err->code != ENODEV
		   ? -1
		   : fail_as(err, ERR_SYSTEM,
			     "there is no such interface: plug it in, or change 'uplink' in "
			     "node.conf");
}

static int port_take(int fd, uint32_t master, const struct rtnl_link *port, struct err *err)
{
	struct netlink_batch batch;

	if (port->master && port->master != master)
		return fail_as(
		    err, ERR_VALUE,
		    "it is a port of another bridge or bond: 'ip link set %s nomaster' "
		    "makes it free",
		    port->name);
	if (!port->master && address_refuse(fd, port, err) < 0)
		return -1;
	/* the node has no part in it */
	if (sysctl_set("ipv6", port->name, "disable_ipv6", "1", err) < 0)
		return -1;
	netlink_start(&batch);
	if (!port->master)
		rtnl_put_link_master(netlink_next(&batch, "put it on the bridge", 0),
				     port->name, master);
	rtnl_put_uplink(netlink_next(&batch, "set the flags of the port", 0), port->name,
			ALIAS);
	rtnl_put_link_up(netlink_next(&batch, "set it up", 0), port->name);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/*
 * A cable that was just set up needs a second or three until something comes through, and what
 * is asked before that is asked of nobody.  One that is not plugged in is no error: it may be
 * later.
 */
static void carrier_await(int fd, const char *name)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	unsigned long long end = now_ms() + CARRIER_MS;
	struct rtnl_link port;
	struct err gone;

	while (link_find(fd, name, &port, &gone) == 0 && !(port.flags & IFF_RUNNING) &&
	       now_ms() < end)
		nanosleep(&pause, NULL);
}

static int ensure(const struct bridge *bridge, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link master = { 0 }, port = { 0 };

	if (fd < 0 || port_find(fd, bridge, &port, err) < 0 ||
	    link_find(fd, bridge->name, &master, err) < 0)
		return -1;
	if (is_right(&port, master.index))
		return 0;
	if (port_take(fd, master.index, &port, err) < 0)
		return -1;
	if (!(port.flags & IFF_UP))
		carrier_await(fd, port.name);
	return 0;
}

int uplink_ensure(const struct bridge *bridge, struct err *err)
{
	if (!bridge->uplink[0] || ensure(bridge, err) == 0)
		return 0;
	return fail_in(err, "uplink '%s'", bridge->uplink);
}

/* A bridge has one uplink, so the first that is no more is the last. */
struct former {
	const char *uplink;
	char name[16];
};

static void port_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct former *former = arg;
	struct rtnl_link port;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return;
	rtnl_link_read(nlh, &port);
	if (strcmp(port.alias, ALIAS) == 0 && strcmp(port.name, former->uplink) != 0)
		str_format(former->name, sizeof(former->name), "%s", port.name);
}

static int former_find(int fd, const struct bridge *bridge, struct former *former,
		       struct err *err)
{
	struct rtnl_link master = { 0 };
	struct netlink_batch batch;

	*former = (struct former){ .uplink = bridge->uplink };
	if (link_find(fd, bridge->name, &master, err) < 0)
		return err->code == ENODEV ? 0 : -1;
	netlink_start(&batch);
	rtnl_put_link_dump(netlink_next(&batch, "list the ports", 0), NULL, master.index);
	return netlink_run(fd, &batch, port_seen, former, err);
}

int uplink_leave(const struct bridge *bridge, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	struct former former;

	if (fd < 0 || former_find(fd, bridge, &former, err) < 0)
		return -1;
	if (!former.name[0])
		return 0;
	netlink_start(&batch);
	rtnl_put_link_master(netlink_next(&batch, "take it off the bridge", ENODEV),
			     former.name, 0);
	rtnl_put_link_alias(netlink_next(&batch, "let it be whose it was", ENODEV), former.name,
			    "");
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0 ||
	    sysctl_set("ipv6", former.name, "disable_ipv6", "0", err) < 0)
		return fail_in(err, "uplink '%s'", former.name);
	return 0;
}

int uplink_compare(const struct bridge *bridge, const struct link_comparison *comparison,
		   struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct rtnl_link master = { 0 }, port = { 0 };
	struct link_comparison here = *comparison;
	struct former former;
	struct err absent;
	char want[40];

	if (fd < 0 || former_find(fd, bridge, &former, err) < 0)
		return -1;
	here.device = former.name;
	if (former.name[0] && link_compare(&here, "uplink", false, "none of this node's",
					   "a port of its bridge", err) < 0)
		return -1;
	if (!bridge->uplink[0] || link_find(fd, bridge->name, &master, err) < 0)
		return bridge->uplink[0] ? -1 : 0;
	str_format(want, sizeof(want), "a port of %s", bridge->name);
	here.device = bridge->uplink;
	if (link_find(fd, bridge->uplink, &port, &absent) < 0)
		return link_compare(&here, "uplink", false, want, "no such interface", err);
	return link_compare(&here, "uplink", is_right(&port, master.index), want,
			    port.master == master.index ? "a port with other flags, or down"
							: "no port of it",
			    err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bridge.h"
#include "err.h"
#include "netlink.h"
#include "own.h"
#include "rtnl_msg.h"
#include "str.h"

/* Neighbours of an interface that are known for ever, and at the address of a VPS. */
struct entries {
	uint32_t index;
	struct link_neighbour *list;
	size_t count, room;
};

static void entries_free(struct entries *entries)
{
	free(entries->list);
}

/* The id of link_mac(). */
static unsigned mac_id(const struct mac *mac)
{
	unsigned id =
	    (unsigned)mac->bytes[3] << 16 | (unsigned)mac->bytes[4] << 8 | mac->bytes[5];
	struct mac whole = link_mac(id, false);

	return memcmp(mac, &whole, sizeof(whole)) == 0 ? id : 0;
}

static void entry_collect(const struct nlmsghdr *nlh, void *arg)
{
	struct entries *entries = arg;
	struct neighbour got;
	unsigned id;

	if (nlh->nlmsg_type != RTM_NEWNEIGH)
		return;
	rtnl_neighbour_parse(nlh, &got);
	id = got.permanent && got.index == entries->index ? mac_id(&got.mac) : 0;
	if (!id)
		return;
	entries->list =
	    xgrow(entries->list, entries->count, &entries->room, sizeof(entries->list[0]));
	entries->list[entries->count++] = (struct link_neighbour){ id, got.address };
}

static int entries_see(const struct bridge *bridge, struct entries *entries, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0)
		return -1;
	entries->index = if_nametoindex(bridge->name);
	if (!entries->index)
		return 0;
	netlink_start(&batch);
	rtnl_put_neighbour_dump(netlink_next(&batch, "list the neighbours", 0), entries->index);
	return netlink_run(fd, &batch, entry_collect, entries, err);
}

int link_neighbours_each(const struct bridge *bridge,
			 int (*each)(const struct link_neighbour *neighbour, void *arg,
				     struct err *err),
			 void *arg, struct err *err)
{
	__attribute__((cleanup(entries_free))) struct entries entries = { 0 };

	if (entries_see(bridge, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		if (each(&entries.list[i], arg, err) < 0)
			return -1;
	}
	return 0;
}

bool link_needs_neighbour(const struct link *link, const struct link_neighbour *neighbour)
{
	return link->mode == LINK_BRIDGE && link_has(link, &neighbour->address);
}

bool link_neighbour_exists(const struct bridge *bridge, const struct link_neighbour *neighbour)
{
	__attribute__((cleanup(entries_free))) struct entries entries = { 0 };
	struct err ignored;

	if (entries_see(bridge, &entries, &ignored) < 0)
		return false;
	for (size_t i = 0; i < entries.count; i++) {
		if (entries.list[i].id == neighbour->id &&
		    address_is_equal(&entries.list[i].address, &neighbour->address))
			return true;
	}
	return false;
}

int link_neighbour_remove(const struct bridge *bridge, const struct link_neighbour *neighbour,
			  struct err *err)
{
	uint32_t index = if_nametoindex(bridge->name);
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0 || !index)
		return fd < 0 ? -1 : 0;
	netlink_start(&batch);
	rtnl_put_neighbour_delete(netlink_next(&batch, "forget where it is", ENOENT), index,
				  &neighbour->address);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

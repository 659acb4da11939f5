/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "track.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "err.h"
#include "netlink.h"
#include "own.h"
#include "str.h"
#include "track_msg.h"

void connections_free(struct connections *all)
{
	free(all->begun);
	free(all->come);
}

void connections_add(struct connections *all, const struct address *from,
		     const struct address *to)
{
	if (all->count == all->room) {
		all->room = all->room ? all->room * 2 : 1024;
		all->begun = xrealloc(all->begun, all->room * sizeof(all->begun[0]));
		all->come = xrealloc(all->come, all->room * sizeof(all->come[0]));
	}
	all->begun[all->count] = (struct connection){ *from, *to };
	all->come[all->count++] = (struct connection){ *to, *from };
}

static int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, address_size(a));
}

static int own_compare(const void *a, const void *b)
{
	const struct connection *one = a, *two = b;

	return address_compare(&one->own, &two->own);
}

void connections_sort(struct connections *all)
{
	if (!all->count)
		return;
	qsort(all->begun, all->count, sizeof(all->begun[0]), own_compare);
	qsort(all->come, all->count, sizeof(all->come[0]), own_compare);
}

static void connection_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct address from, to;

	if (track_read(nlh, &from, &to))
		connections_add(arg, &from, &to);
}

int connections_read(struct connections *all, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	own_fd fd = netlink_open(NETLINK_NETFILTER, err);

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct netlink_batch batch;

		netlink_start(&batch);
		batch.streams = true;
		track_put_dump(netlink_next(&batch, "list the connections", 0), families[i]);
		if (netlink_run(fd, &batch, connection_seen, all, err) < 0)
			return -1;
	}
	connections_sort(all);
	return 0;
}

/* The first that is not in front of the network. */
static size_t first_of(const struct connection *list, size_t count,
		       const struct address *network)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address_compare(&list[middle].own, network) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_of(const struct link *link, const struct address *address)
{
	struct address prefix;

	for (unsigned n = 0; link_allowed(link, n, &prefix); n++) {
		if (address_is_in(&prefix, address))
			return true;
	}
	return false;
}

void link_connections(const struct connections *all, const struct link *link,
		      struct link_connections *found)
{
	struct address prefix, network;

	*found = (struct link_connections){ 0 };
	for (unsigned n = 0; link_allowed(link, n, &prefix); n++) {
		if (link_repeats(link, n, &prefix))
			continue;
		address_network(&prefix, &network);
		for (size_t i = first_of(all->begun, all->count, &network);
		     i < all->count && address_is_in(&prefix, &all->begun[i].own); i++)
			found->begun++;
		/* one with itself was begun */
		for (size_t i = first_of(all->come, all->count, &network);
		     i < all->count && address_is_in(&prefix, &all->come[i].own); i++)
			found->come += !is_of(link, &all->come[i].other);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "err.h"
#include "netlink.h"
#include "nft_msg.h"
#include "own.h"
#include "str.h"

/* What `nft list` shows beside an element, and by which repair knows its owner. */
#define COMMENT "nodectl %u"

/*
 * Elements are changed by messages of our own and not by libnftables: that
 * takes 1.5 ms to come up and reads every set of the node first, this takes
 * 50 us.  And the kernel then says which port it was that somebody else has.
 */

static const struct {
	const char *name;
	int family;
	uint8_t protocol;
} maps[] = {
	{ "tcp4", AF_INET, IPPROTO_TCP },
	{ "udp4", AF_INET, IPPROTO_UDP },
	{ "tcp6", AF_INET6, IPPROTO_TCP },
	{ "udp6", AF_INET6, IPPROTO_UDP },
};

/* The node's table, and the way to it. */
struct nat {
	char table[BRIDGE_TABLE];
	int fd;
};

static struct nat nat_none(void)
{
	return (struct nat){ .fd = -1 };
}

static int nat_open(struct nat *nat, const struct bridge *bridge, struct err *err)
{
	bridge_table(bridge, nat->table);
	nat->fd = netlink_open(NETLINK_NETFILTER, err);
	return nat->fd < 0 ? -1 : 0;
}

static void nat_close(struct nat *nat)
{
	own_close(&nat->fd);
}

#define own_nat __attribute__((cleanup(nat_close))) struct nat

static const char *map_of(const struct nat_entry *entry)
{
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		if (maps[i].family == entry->to.family &&
		    maps[i].protocol == entry->publish.protocol)
			name = maps[i].name;
	}
	assert(name);
	return name;
}

/* Key: the port.  Data: address . port, each filled up to whole 32-bit registers. */
void nat_element(const struct nat_entry *entry, struct nft_element *e)
{
	unsigned size = address_size(&entry->to);
	uint16_t host = htons(entry->publish.host), guest = htons(entry->publish.guest);

	memset(e, 0, sizeof(*e));
	e->key_size = sizeof(host);
	memcpy(e->key, &host, sizeof(host));
	e->data_size = size + 4;
	memcpy(e->data, entry->to.bytes, size);
	memcpy(e->data + size, &guest, sizeof(guest));
}

void nat_entry_read(const struct nft_element *e, struct nat_entry *entry)
{
	unsigned size = address_size(&entry->to);
	uint16_t host, guest;

	memcpy(&host, e->key, sizeof(host));
	memcpy(&guest, e->data + size, sizeof(guest));
	entry->publish.host = ntohs(host);
	entry->publish.guest = ntohs(guest);
	entry->to.prefix = size * 8;
	memcpy(entry->to.bytes, e->data, size);
	if (sscanf(e->comment, COMMENT, &entry->id) != 1)
		entry->id = 0;
}

unsigned nat_entries(const struct link *link, struct nat_entry entries[NAT_ENTRIES_MAX])
{
	const struct address *to[] = { &link->ipv4, &link->ipv6 };
	unsigned count = 0;

	for (unsigned i = 0; i < link->publish_count * ARRAY_SIZE(to); i++) {
		const struct address *address = to[i % ARRAY_SIZE(to)];

		if (!address->family)
			continue;
		entries[count].publish = link->publish[i / ARRAY_SIZE(to)];
		entries[count].to = *address;
		count++;
	}
	return count;
}

static void entry_seen(const struct nft_element *e, void *arg)
{
	nat_entry_read(e, arg);
}

static void answer_seen(const struct nlmsghdr *nlh, void *arg)
{
	nft_elements_read(nlh, entry_seen, arg);
}

/* Where does the kernel send what comes for that port?  false: nowhere. */
static bool entry_find(const struct nat *nat, const struct nat_entry *wanted,
		       struct nat_entry *found)
{
	struct nft_element e;
	struct netlink_batch batch;
	struct err ignored;

	nat_element(wanted, &e);
	e.data_size = 0;
	*found = *wanted;
	netlink_start(&batch);
	nft_put_element_get(netlink_next(&batch, "find a forward", 0), nat->table,
			    map_of(wanted), &e);
	return netlink_run(nat->fd, &batch, answer_seen, found, &ignored) == 0;
}

static int conflict(const struct nat *nat, const struct nat_entry *entry, struct err *err)
{
	const char *protocol = entry->publish.protocol == IPPROTO_UDP ? "udp" : "tcp";
	struct nat_entry holder;
	char address[ADDRESS_TEXT];

	if (!entry_find(nat, entry, &holder))
		return fail_as(err, ERR_ADDRESS, "host port %u/%s is forwarded twice",
			       entry->publish.host, protocol);
	address_print(&holder.to, false, address, sizeof(address));
	return fail_as(err, ERR_ADDRESS, "host port %u/%s is already forwarded to %s",
		       entry->publish.host, protocol, address);
}

int nat_add(unsigned id, const struct bridge *bridge, const struct link *link, struct err *err)
{
	struct nat_entry entries[NAT_ENTRIES_MAX];
	unsigned count = nat_entries(link, entries);
	struct netlink_batch batch;
	struct nft_element e;

	if (count == 0)
		return 0;

	own_nat nat = nat_none();
	if (nat_open(&nat, bridge, err) < 0)
		return -1;

	netlink_start(&batch);
	nft_put_begin(netlink_next(&batch, "forward ports", 0));
	for (unsigned i = 0; i < count; i++) {
		nat_element(&entries[i], &e);
		str_format(e.comment, sizeof(e.comment), COMMENT, id);
		nft_put_element_add(netlink_next(&batch, "forward a port", 0), nat.table,
				    map_of(&entries[i]), &e);
	}
	nft_put_end(netlink_next(&batch, "forward ports", 0));
	if (netlink_run(nat.fd, &batch, NULL, NULL, err) == 0)
		return 0;

	/* the message before the entries is "begin" */
	if ((err->code == EEXIST || err->code == EBUSY) && batch.failed >= 1)
		return conflict(&nat, &entries[batch.failed - 1], err);
	if (err->code == ENOENT)
		return fail_in(err, "the nft table 'inet %s' is missing", nat.table);
	return -1;
}

/*
 * Only what leads to this very place: a start that failed because another VPS
 * has the port is undone by this too, and must leave the other's alone.
 */
static int entries_remove_once(const struct nat *nat, const struct nat_entry *entries,
			       unsigned count, struct err *err)
{
	struct netlink_batch batch;
	struct nat_entry found;
	struct nft_element e;

	netlink_start(&batch);
	nft_put_begin(netlink_next(&batch, "remove forwards", 0));
	for (unsigned i = 0; i < count; i++) {
		if (!entry_find(nat, &entries[i], &found) ||
		    memcmp(found.to.bytes, entries[i].to.bytes, sizeof(found.to.bytes)) != 0)
			continue;
		nat_element(&found, &e);
		e.data_size = 0;
		nft_put_element_delete(netlink_next(&batch, "remove a forward", 0), nat->table,
				       map_of(&entries[i]), &e);
	}
	if (batch.count == 1)
		return 0;
	nft_put_end(netlink_next(&batch, "remove forwards", 0));
	return netlink_run(nat->fd, &batch, NULL, NULL, err);
}

/* Someone else may remove the same between our look and our removal: look again. */
static int entries_remove(const struct nat *nat, const struct nat_entry *entries,
			  unsigned count, struct err *err)
{
	int result = -1;

	for (int tries = 0; tries < 3 && result < 0; tries++) {
		result = entries_remove_once(nat, entries, count, err);
		if (result < 0 && err->code != ENOENT)
			break;
	}
	return result;
}

int nat_remove(unsigned id, const struct bridge *bridge, const struct link *link,
	       struct err *err)
{
	struct nat_entry entries[NAT_ENTRIES_MAX];
	unsigned count = nat_entries(link, entries);

	/* the addresses are the VPS's own and say enough */
	(void)id;
	if (count == 0)
		return 0;

	own_nat nat = nat_none();
	if (nat_open(&nat, bridge, err) < 0)
		return -1;
	return entries_remove(&nat, entries, count, err);
}

/*
 * Whoever closes a netfilter socket waits until the kernel has freed what was
 * removed, an RCU grace period later.  Removing a link takes longer than that,
 * so it is done while the socket is open.
 */
int network_remove(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err)
{
	struct nat_entry entries[NAT_ENTRIES_MAX];
	unsigned count = nat_entries(link, entries);
	own_nat nat = nat_none();
	struct err first;
	int failed = 0;

	if (count) {
		failed = nat_open(&nat, bridge, &first);
		failed = failed ? -1 : entries_remove(&nat, entries, count, &first);
	}
	if (link_remove(id, err) < 0)
		return -1;
	if (failed)
		*err = first;
	return failed;
}

bool nat_entry_exists(const struct bridge *bridge, const struct nat_entry *entry)
{
	own_nat nat = nat_none();
	struct nat_entry found;
	struct err ignored;

	return nat_open(&nat, bridge, &ignored) == 0 && entry_find(&nat, entry, &found) &&
	       memcmp(found.to.bytes, entry->to.bytes, sizeof(found.to.bytes)) == 0;
}

int nat_entry_remove(const struct bridge *bridge, const struct nat_entry *entry,
		     struct err *err)
{
	own_nat nat = nat_none();

	if (nat_open(&nat, bridge, err) < 0)
		return -1;
	return entries_remove(&nat, entry, 1, err);
}

/* The elements of all maps, collected before anyone is called: they may well be removed. */
struct collection {
	struct nat_entry *entries, now;
	size_t count, room;
};

static void collection_free(struct collection *all)
{
	free(all->entries);
}

static void element_collected(const struct nft_element *e, void *arg)
{
	struct collection *all = arg;

	if (all->count == all->room) {
		all->room = all->room ? all->room * 2 : 64;
		all->entries = xrealloc(all->entries, all->room * sizeof(all->entries[0]));
	}
	nat_entry_read(e, &all->now);
	all->entries[all->count++] = all->now;
}

static void answer_collected(const struct nlmsghdr *nlh, void *arg)
{
	nft_elements_read(nlh, element_collected, arg);
}

static int map_collect(const struct nat *nat, size_t map, struct collection *all,
		       struct err *err)
{
	struct netlink_batch batch;

	all->now = (struct nat_entry){ .publish.protocol = maps[map].protocol,
				       .to.family = maps[map].family };
	netlink_start(&batch);
	nft_put_element_dump(netlink_next(&batch, "list forwards", ENOENT), nat->table,
			     maps[map].name);
	return netlink_run(nat->fd, &batch, answer_collected, all, err);
}

int nat_each(const struct bridge *bridge,
	     int (*each)(const struct nat_entry *entry, void *arg, struct err *err), void *arg,
	     struct err *err)
{
	__attribute__((cleanup(collection_free))) struct collection all = { 0 };
	own_nat nat = nat_none();

	if (nat_open(&nat, bridge, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		if (map_collect(&nat, i, &all, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < all.count; i++) {
		if (each(&all.entries[i], arg, err) < 0)
			return -1;
	}
	return 0;
}

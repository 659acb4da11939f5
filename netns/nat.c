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
#include "nft_table.h"
#include "own.h"
#include "seen.h"
#include "str.h"
#include "wall.h"

/*
 * Elements are changed by messages of our own and not by libnftables: that
 * takes 1.5 ms to come up and reads every set of the node first, this takes
 * 50 us.  And the kernel then says which port it was that somebody else has.
 */

static const struct map {
	const char *name;
	int family; /* of the VPS's address, and of the node's */
	uint8_t protocol;
	bool at; /* of one address of the node */
} maps[] = {
	{ "tcp4", AF_INET, IPPROTO_TCP, false },   { "udp4", AF_INET, IPPROTO_UDP, false },
	{ "tcp6", AF_INET6, IPPROTO_TCP, false },  { "udp6", AF_INET6, IPPROTO_UDP, false },
	{ "tcp4at", AF_INET, IPPROTO_TCP, true },  { "udp4at", AF_INET, IPPROTO_UDP, true },
	{ "tcp6at", AF_INET6, IPPROTO_TCP, true }, { "udp6at", AF_INET6, IPPROTO_UDP, true },
};

static size_t map_index(const struct nat_entry *entry)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(maps) && (maps[i].family != entry->to.family ||
					maps[i].protocol != entry->publish.protocol ||
					maps[i].at != (entry->publish.at.family != 0)))
		i++;
	assert(i < ARRAY_SIZE(maps));
	return i;
}

/* Key: the port, behind the address of the node if it is of one.  Data: address . port.  Each
 * part is filled up to whole 32-bit registers, but a key of one part. */
void nat_element(const struct nat_entry *entry, struct nft_element *e)
{
	unsigned size = address_size(&entry->to);
	unsigned at = entry->publish.at.family ? size : 0;
	uint16_t host = htons(entry->publish.host), guest = htons(entry->publish.guest);

	e->key_size = at ? at + 4 : sizeof(host);
	memcpy(e->key, entry->publish.at.bytes, at);
	memcpy(e->key + at, &host, sizeof(host));
	e->data_size = size + 4;
	memcpy(e->data, entry->to.bytes, size);
	memcpy(e->data + size, &guest, sizeof(guest));
}

void nat_entry_read(const struct nft_element *e, struct nat_entry *entry)
{
	unsigned size = address_size(&entry->to);
	unsigned at = entry->publish.at.family ? size : 0;
	uint16_t host, guest;

	memcpy(entry->publish.at.bytes, e->key, at);
	entry->publish.at.prefix = at * 8;
	memcpy(&host, e->key + at, sizeof(host));
	memcpy(&guest, e->data + size, sizeof(guest));
	entry->publish.host = ntohs(host);
	entry->publish.guest = ntohs(guest);
	entry->to.prefix = size * 8;
	memcpy(entry->to.bytes, e->data, size);
	entry->id = nft_element_owner(e);
}

void nat_entries_free(struct nat_entries *entries)
{
	free(entries->list);
}

static void entry_add(struct nat_entries *entries, const struct nat_entry *entry)
{
	entries->list =
	    xgrow(entries->list, entries->count, &entries->room, sizeof(entries->list[0]));
	entries->list[entries->count++] = *entry;
}

static void publish_add(struct nat_entries *entries, unsigned id, const struct publish *publish,
			const struct address *to)
{
	struct nat_entry entry = { .id = id, .publish = *publish, .to = *to };

	entry.publish.more = 0;
	entry.to.prefix = address_size(to) * 8;
	for (unsigned i = 0; i <= publish->more; i++) {
		entry.publish.host = (uint16_t)(publish->host + i);
		entry.publish.guest = (uint16_t)(publish->guest + i);
		entry_add(entries, &entry);
	}
}

void nat_entries_add(struct nat_entries *entries, unsigned id, const struct link *link)
{
	const struct address *to[] = { &link->ipv4, &link->ipv6 };

	for (unsigned i = 0; i < link->publish_count * ARRAY_SIZE(to); i++) {
		const struct publish *publish = &link->publish[i / ARRAY_SIZE(to)];
		const struct address *address = to[i % ARRAY_SIZE(to)];

		if (address->family &&
		    (!publish->at.family || publish->at.family == address->family))
			publish_add(entries, id, publish, address);
	}
}

/* By what the kernel has as key. */
static int key_compare(const struct nat_entry *a, const struct nat_entry *b)
{
	size_t one = map_index(a), two = map_index(b);
	int at = memcmp(a->publish.at.bytes, b->publish.at.bytes, sizeof(a->publish.at.bytes));

	if (one != two)
		return one < two ? -1 : 1;
	return at ? at : (int)a->publish.host - b->publish.host;
}

static int entry_compare(const void *a, const void *b)
{
	return key_compare(a, b);
}

static bool leads_to_same_vps(const struct nat_entry *a, const struct nat_entry *b)
{
	return memcmp(a->to.bytes, b->to.bytes, sizeof(a->to.bytes)) == 0;
}

static bool leads_to_same(const struct nat_entry *a, const struct nat_entry *b)
{
	return a->publish.guest == b->publish.guest && leads_to_same_vps(a, b);
}

static void entries_sort(struct nat_entries *entries)
{
	if (entries->count)
		qsort(entries->list, entries->count, sizeof(entries->list[0]), entry_compare);
}

/* Both are sorted. */
void nat_entries_only(const struct nat_entries *a, const struct nat_entries *b,
		      struct nat_entries *only)
{
	size_t at = 0;

	for (size_t i = 0; i < a->count; i++) {
		const struct nat_entry *entry = &a->list[i];

		while (at < b->count && key_compare(&b->list[at], entry) < 0)
			at++;
		if (at == b->count || key_compare(&b->list[at], entry) != 0 ||
		    !leads_to_same(&b->list[at], entry))
			entry_add(only, entry);
	}
}

static const char *map_name(unsigned map)
{
	return maps[map].name;
}

static const struct nft_sets sets = { map_name,		 NULL,
				      ARRAY_SIZE(maps),	 "list forwards",
				      "change forwards", "forward a port",
				      "remove a forward" };

static void entry_of(const struct nft_entry *element, struct nat_entry *entry)
{
	const struct map *map = &maps[element->set];

	*entry = (struct nat_entry){ .publish.protocol = map->protocol,
				     .publish.at.family = map->at ? map->family : 0,
				     .to.family = map->family };
	nat_entry_read(&element->e, entry);
}

/* Where does the kernel send what comes for that port?  1; 0: nowhere; -1. */
static int entry_find(const struct nft_table *table, const struct nat_entry *wanted,
		      struct nat_entry *found, struct err *err)
{
	struct nft_entry element = { .set = (unsigned)map_index(wanted) }, there;

	nat_element(wanted, &element.e);
	int result = nft_table_find(table, &sets, &element, &there, err);
	if (result > 0)
		entry_of(&there, found);
	return result;
}

/* Which of these was it that somebody else has? */
static int conflict(const struct nft_table *table, const struct nat_entries *in,
		    struct err *err)
{
	struct nat_entry holder;
	char address[ADDRESS_TEXT];
	struct err ignored;

	for (size_t i = 0; i < in->count; i++) {
		const struct nat_entry *entry = &in->list[i];
		const char *protocol = entry->publish.protocol == IPPROTO_UDP ? "udp" : "tcp";

		if (entry_find(table, entry, &holder, &ignored) <= 0 ||
		    leads_to_same(&holder, entry))
			continue;
		address_print(&holder.to, false, address, sizeof(address));
		return fail_as(err, ERR_ADDRESS,
			       "host port %u/%s is already forwarded to %s, of the VPS with "
			       "id %u",
			       entry->publish.host, protocol, address, holder.id);
	}
	return fail_as(err, ERR_ADDRESS, "a host port is forwarded twice");
}

static void elements_add(struct nft_entries *elements, const struct nat_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct nat_entry *entry = &entries->list[i];

		nat_element(entry,
			    &nft_entry_add(elements, (unsigned)map_index(entry), entry->id)->e);
	}
}

/* What some take away and others bring is one transaction; both are sorted. */
static int entries_replace(const struct nft_table *table, const struct nat_entries *out,
			   const struct nat_entries *in, struct err *err)
{
	own_nft_entries gone = { 0 }, come = { 0 };

	elements_add(&gone, out);
	elements_add(&come, in);
	return nft_table_replace(table, &sets, &gone, &come, err);
}

/*
 * Of what is to go only what leads to this very VPS: a start that failed because another has
 * the port is undone by this too, and must leave the other's alone.  To which port of its own
 * is not asked: of a VPS that is known by its leases alone it is not known.
 */
static int entries_change_once(const struct nft_table *table, const struct nat_entries *out,
			       const struct nat_entries *in, struct err *err)
{
	own_entries there = { 0 };
	struct nat_entry found;

	for (size_t i = 0; i < out->count; i++) {
		int result = entry_find(table, &out->list[i], &found, err);

		if (result < 0)
			return -1;
		if (result && leads_to_same_vps(&found, &out->list[i]))
			entry_add(&there, &found);
	}
	return entries_replace(table, &there, in, err);
}

/* Someone else may remove the same between our look and our removal: look again. */
static int entries_change(const struct nft_table *table, const struct nat_entries *out,
			  const struct nat_entries *in, struct err *err)
{
	int result = -1;

	for (int tries = 0; tries < 3 && result < 0; tries++) {
		result = entries_change_once(table, out, in, err);
		if (result < 0 && (err->code != ENOENT || !out->count))
			break;
	}
	if (result == 0)
		return 0;
	if (err->code == EEXIST || err->code == EBUSY)
		return conflict(table, in, err);
	if (err->code == ENOENT && in->count)
		return fail_in(err, "the nft table 'inet %s' is missing", table->name);
	return -1;
}

int nat_change(unsigned id, const struct bridge *bridge, const struct link *before,
	       const struct link *after, struct err *err)
{
	own_entries had = { 0 }, has = { 0 }, out = { 0 }, in = { 0 };

	nat_entries_add(&had, id, before);
	nat_entries_add(&has, id, after);
	entries_sort(&had);
	entries_sort(&has);
	nat_entries_only(&had, &has, &out);
	nat_entries_only(&has, &had, &in);
	if (out.count + in.count == 0)
		return 0;

	own_table table = nft_table_none();
	if (nft_table_open(&table, bridge, err) < 0)
		return -1;
	return entries_change(&table, &out, &in, err);
}

static const struct link no_link;

int nat_add(unsigned id, const struct bridge *bridge, const struct link *link, struct err *err)
{
	return nat_change(id, bridge, &no_link, link, err);
}

static int elements_remove(const struct nft_table *table, unsigned id, const struct link *link,
			   struct err *err)
{
	own_entries entries = { 0 };
	const struct nat_entries none = { 0 };
	struct err second;

	nat_entries_add(&entries, id, link);
	entries_sort(&entries);
	if (entries_change(table, &entries, &none, err) < 0) {
		(void)wall_remove(table, id, link, &second);
		return -1;
	}
	return wall_remove(table, id, link, err);
}

static bool has_elements(const struct link *link)
{
	return link->publish_count || link_address(link, 0);
}

int network_forget(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err)
{
	own_table table = nft_table_none();

	if (has_elements(link) && (nft_table_open(&table, bridge, err) < 0 ||
				   elements_remove(&table, id, link, err) < 0))
		return -1;
	return link_routes_remove(bridge, link, err);
}

/*
 * Whoever closes a netfilter socket waits until the kernel has freed what was
 * removed, an RCU grace period later.  Removing a link takes longer than that,
 * so it is done while the socket is open.
 */
int network_remove(unsigned id, const struct bridge *bridge, const struct link *link,
		   struct err *err)
{
	link_neighbours_forget(id);
	own_table table = nft_table_none();
	struct failures failures = { 0 };

	if (has_elements(link) && (nft_table_open(&table, bridge, err) < 0 ||
				   elements_remove(&table, id, link, err) < 0))
		failures_note(&failures, -1, err);
	failures_note(&failures, link_routes_remove(bridge, link, err), err);
	failures_note(&failures, link_remove(id, err), err);
	return failures_tell(&failures, err);
}

bool nat_entry_exists(const struct bridge *bridge, const struct nat_entry *entry)
{
	own_table table = nft_table_none();
	struct nat_entry found;
	struct err ignored;

	return nft_table_open(&table, bridge, &ignored) == 0 &&
	       entry_find(&table, entry, &found, &ignored) > 0 && leads_to_same(&found, entry);
}

int nat_entry_remove(const struct bridge *bridge, const struct nat_entry *entry,
		     struct err *err)
{
	struct nat_entry one = *entry;
	const struct nat_entries out = { &one, 1, 1 }, none = { 0 };
	own_table table = nft_table_none();

	if (nft_table_open(&table, bridge, err) < 0)
		return -1;
	return entries_change(&table, &out, &none, err);
}

int nat_see(const struct nft_table *table, struct nft_entries *all, struct err *err)
{
	return nft_table_read(table, &sets, all, err);
}

int nat_each(const struct bridge *bridge,
	     int (*each)(const struct nat_entry *entry, void *arg, struct err *err), void *arg,
	     struct err *err)
{
	own_nft_entries all = { 0 };
	own_table table = nft_table_none();

	/* all are read before anyone is called: they may well be removed */
	if (nft_table_open(&table, bridge, err) < 0 || nat_see(&table, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++) {
		struct nat_entry entry;

		entry_of(&all.list[i], &entry);
		if (each(&entry, arg, err) < 0)
			return -1;
	}
	return 0;
}

/* What is lacking in @all, the kernel's, of @link, and what it has too much for @id. */
static void compare(const struct nft_entries *all, unsigned id, const struct link *link,
		    struct nat_entries *lacks, struct nat_entries *spare)
{
	const struct nft_entries there = nft_entries_of(all, id);
	own_entries ours = { 0 }, wanted = { 0 };

	for (size_t i = 0; i < there.count; i++) {
		struct nat_entry entry;

		entry_of(&there.list[i], &entry);
		entry_add(&ours, &entry);
	}
	nat_entries_add(&wanted, id, link);
	entries_sort(&ours);
	entries_sort(&wanted);
	nat_entries_only(&wanted, &ours, lacks);
	nat_entries_only(&ours, &wanted, spare);
}

int nat_diff(unsigned id, const struct network_seen *seen, const struct link *link,
	     int (*each)(const struct nat_entry *entry, bool missing, void *arg,
			 struct err *err),
	     void *arg, struct err *err)
{
	own_entries lacks = { 0 }, spare = { 0 };

	compare(&seen->forwards, id, link, &lacks, &spare);
	for (size_t i = 0; i < lacks.count; i++) {
		if (each(&lacks.list[i], true, arg, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < spare.count; i++) {
		if (each(&spare.list[i], false, arg, err) < 0)
			return -1;
	}
	return 0;
}

int nat_mend(unsigned id, const struct bridge *bridge, const struct link *link, struct err *err)
{
	own_entries lacks = { 0 }, spare = { 0 };
	own_nft_entries all = { 0 };
	own_table table = nft_table_none();

	if (nft_table_open(&table, bridge, err) < 0 || nat_see(&table, &all, err) < 0)
		return -1;
	compare(&all, id, link, &lacks, &spare);
	return entries_change(&table, &spare, &lacks, err);
}

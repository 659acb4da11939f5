/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "bridge.h"
#include "err.h"
#include "io.h"
#include "link.h"
#include "netlink.h"
#include "nft.h"
#include "nft_table.h"
#include "own.h"
#include "seen.h"
#include "str.h"

/* However small the node's table is. */
#define CONNECTIONS_LEAST 1024

/*
 * In "conns" is how many connections a VPS may have.  In "closed" are the addresses of VPSs
 * that are not open to all; in "port" and "protocol" what may come in to them nevertheless.
 * These are hashes.  Prefixes, and ranges of ports, are in "nets", "shut" and "open", ranges of
 * concatenations: the kernel finds one in all of them at once, but copies them all for a change
 * of one.
 *
 * "network" says on which network an address is, and "member" that it is on that: what one
 * finds of the source is looked for with the destination.
 *
 * Of the table for what is switched, "here" are the addresses of all VPSs of this node: one
 * does not come to another by whoever is outside.
 */
enum {
	CLOSED4,
	CLOSED6,
	PORT4,
	PORT6,
	PROTOCOL4,
	PROTOCOL6,
	SHUT4,
	SHUT6,
	OPEN4,
	OPEN6,
	CONNS,
	CONNS4,
	CONNS6,
	NETS4,
	NETS6,
	NETWORK4,
	NETWORK6,
	MEMBER4,
	MEMBER6,
	/* from here on for what comes by the uplink, in the table of the family bridge */
	WIRE_SHUT4,
	WIRE_SHUT6,
	WIRE_OPEN4,
	WIRE_OPEN6,
	WIRE_HERE4,
	WIRE_HERE6
};

/* What an element stands for. */
enum kind { KIND_SHUT, KIND_OPEN, KIND_BOUND, KIND_MEMBER, KIND_HERE };

static const struct {
	const char *name;
	int family;	/* 0: a MAC address */
	enum kind kind; /* of what is open, ports are behind the protocol, if not all are */
} sets[] = {
	[CLOSED4] = { "closed4", AF_INET, KIND_SHUT },
	[CLOSED6] = { "closed6", AF_INET6, KIND_SHUT },
	[PORT4] = { "port4", AF_INET, KIND_OPEN },
	[PORT6] = { "port6", AF_INET6, KIND_OPEN },
	[PROTOCOL4] = { "protocol4", AF_INET, KIND_OPEN },
	[PROTOCOL6] = { "protocol6", AF_INET6, KIND_OPEN },
	[SHUT4] = { "shut4", AF_INET, KIND_SHUT },
	[SHUT6] = { "shut6", AF_INET6, KIND_SHUT },
	[OPEN4] = { "open4", AF_INET, KIND_OPEN },
	[OPEN6] = { "open6", AF_INET6, KIND_OPEN },
	[CONNS] = { "conns", 0, KIND_BOUND },
	[CONNS4] = { "conns4", AF_INET, KIND_BOUND },
	[CONNS6] = { "conns6", AF_INET6, KIND_BOUND },
	[NETS4] = { "nets4", AF_INET, KIND_BOUND },
	[NETS6] = { "nets6", AF_INET6, KIND_BOUND },
	[NETWORK4] = { "network4", AF_INET, KIND_MEMBER },
	[NETWORK6] = { "network6", AF_INET6, KIND_MEMBER },
	[MEMBER4] = { "member4", AF_INET, KIND_MEMBER },
	[MEMBER6] = { "member6", AF_INET6, KIND_MEMBER },
	[WIRE_SHUT4] = { "shut4", AF_INET, KIND_SHUT },
	[WIRE_SHUT6] = { "shut6", AF_INET6, KIND_SHUT },
	[WIRE_OPEN4] = { "open4", AF_INET, KIND_OPEN },
	[WIRE_OPEN6] = { "open6", AF_INET6, KIND_OPEN },
	[WIRE_HERE4] = { "here4", AF_INET, KIND_HERE },
	[WIRE_HERE6] = { "here6", AF_INET6, KIND_HERE },
};

const char *wall_set_name(unsigned set)
{
	return sets[set].name;
}

bool wall_set_is_of_bridge(unsigned set)
{
	return set >= WIRE_SHUT4;
}

static void port_put(uint8_t *key, uint16_t port)
{
	uint16_t order = htons(port);

	memcpy(key, &order, sizeof(order));
}

/* From the first to the last address, protocol and port; each part fills whole registers. */
static struct nft_element *range_add(struct nft_entries *wall, unsigned id,
				     const struct address *prefix,
				     const struct port_range *range, uint8_t last_protocol,
				     unsigned set)
{
	struct nft_element *e = &nft_entry_add(wall, set, id)->e;
	unsigned size = address_size(prefix);
	struct address network;

	address_network(prefix, &network);
	memcpy(e->key, network.bytes, size);
	memcpy(e->end, network.bytes, size);
	for (unsigned n = prefix->prefix; n < size * 8; n++)
		e->end[n / 8] |= (uint8_t)(0x80 >> n % 8);
	e->key[size] = range->protocol;
	e->end[size] = last_protocol;
	e->key_size = e->end_size = size + 4;
	if (sets[set].kind == KIND_OPEN) {
		port_put(e->key + size + 4, range->first);
		port_put(e->end + size + 4, range->last);
		e->key_size = e->end_size = size + 8;
	}
	return e;
}

static bool is_single(const struct address *prefix)
{
	return prefix->prefix == address_size(prefix) * 8;
}

static struct nft_element *address_add(struct nft_entries *wall, unsigned id,
				       const struct address *address, unsigned set)
{
	struct nft_element *e = &nft_entry_add(wall, set, id)->e;

	e->key_size = address_size(address);
	memcpy(e->key, address->bytes, e->key_size);
	return e;
}

/* Of a prefix: with every protocol. */
static const struct port_range every = { 0 };

/* How many connections may come to it. */
static void bound_add(struct nft_entries *wall, unsigned id, const struct address *prefix,
		      unsigned bound)
{
	bool v6 = prefix->family == AF_INET6;

	(is_single(prefix) ? address_add(wall, id, prefix, v6 ? CONNS6 : CONNS4)
			   : range_add(wall, id, prefix, &every, UINT8_MAX, v6 ? NETS6 : NETS4))
	    ->connections = bound;
}

static void shut_add(struct nft_entries *wall, unsigned id, const struct address *prefix)
{
	bool v6 = prefix->family == AF_INET6;

	if (is_single(prefix))
		(void)address_add(wall, id, prefix, v6 ? CLOSED6 : CLOSED4);
	else
		(void)range_add(wall, id, prefix, &every, UINT8_MAX, v6 ? SHUT6 : SHUT4);
}

static void open_add(struct nft_entries *wall, unsigned id, const struct address *prefix,
		     const struct port_range *range)
{
	bool v6 = prefix->family == AF_INET6, one = range->first == range->last;
	unsigned size = address_size(prefix);
	struct nft_element *e;

	if (!is_single(prefix) || (!one && (range->first || range->last != UINT16_MAX))) {
		(void)range_add(wall, id, prefix, range, range->protocol, v6 ? OPEN6 : OPEN4);
		return;
	}
	if (one)
		e = address_add(wall, id, prefix, v6 ? PORT6 : PORT4);
	else
		e = address_add(wall, id, prefix, v6 ? PROTOCOL6 : PROTOCOL4);
	e->key[size] = range->protocol;
	if (one)
		port_put(e->key + size + 4, range->first);
	e->key_size = size + (one ? 8 : 4);
}

static void wire_shut_add(struct nft_entries *wall, unsigned id, const struct address *prefix)
{
	bool v6 = prefix->family == AF_INET6;

	(void)range_add(wall, id, prefix, &every, UINT8_MAX, v6 ? WIRE_SHUT6 : WIRE_SHUT4);
}

static void wire_open_add(struct nft_entries *wall, unsigned id, const struct address *prefix,
			  const struct port_range *range)
{
	bool v6 = prefix->family == AF_INET6;

	(void)range_add(wall, id, prefix, range, range->protocol, v6 ? WIRE_OPEN6 : WIRE_OPEN4);
}

/* What may come in to it, by one of the two tables. */
static void allowed_add(struct nft_entries *wall, unsigned id, const struct ports *allowed,
			const struct address *prefix, bool wire)
{
	if (allowed->some)
		(wire ? wire_shut_add : shut_add)(wall, id, prefix);
	for (unsigned i = 0; i < allowed->count; i++) {
		struct port_range range = allowed->list[i];

		if (prefix->family == AF_INET6 && range.protocol == IPPROTO_ICMP)
			range.protocol = IPPROTO_ICMPV6;
		(wire ? wire_open_add : open_add)(wall, id, prefix, &range);
	}
}

static void prefix_add(struct nft_entries *wall, unsigned id, const struct link *link,
		       const struct address *prefix, unsigned bound, bool uplink)
{
	bool v6 = prefix->family == AF_INET6;

	bound_add(wall, id, prefix, bound);
	allowed_add(wall, id, &link->allow_in, prefix, false);
	if (!uplink)
		return;
	(void)range_add(wall, id, prefix, &every, UINT8_MAX, v6 ? WIRE_HERE6 : WIRE_HERE4);
	allowed_add(wall, id, &link->allow_in, prefix, true);
}

static void mac_add(struct nft_entries *wall, unsigned id, unsigned bound)
{
	struct nft_element *e = &nft_entry_add(wall, CONNS, id)->e;
	struct mac mac = link_mac(id, false);

	memcpy(e->key, mac.bytes, sizeof(mac.bytes));
	e->key_size = sizeof(mac.bytes);
	e->connections = bound;
}

static int element_compare(const void *a, const void *b)
{
	const struct nft_entry *one = a, *two = b;
	int key = memcmp(one->e.key, two->e.key, sizeof(one->e.key));
	int end = memcmp(one->e.end, two->e.end, sizeof(one->e.end));

	if (one->set != two->set)
		return one->set < two->set ? -1 : 1;
	if (key || end)
		return key ? key : end;
	if (one->e.connections != two->e.connections)
		return one->e.connections < two->e.connections ? -1 : 1;
	return memcmp(one->e.data, two->e.data, sizeof(one->e.data));
}

static void wall_sort(struct nft_entries *wall)
{
	if (wall->count)
		qsort(wall->list, wall->count, sizeof(wall->list[0]), element_compare);
}

/* An address that is on a network, and the network that has it. */
static void member_add(struct nft_entries *wall, unsigned id, const struct address *address,
		       uint32_t network)
{
	bool v6 = address->family == AF_INET6;
	unsigned size = address_size(address);
	struct nft_element *e = &nft_entry_add(wall, v6 ? NETWORK6 : NETWORK4, id)->e;

	memcpy(e->key, address->bytes, size);
	memcpy(e->data, &network, sizeof(network));
	e->key_size = size;
	e->data_size = sizeof(network);

	e = &nft_entry_add(wall, v6 ? MEMBER6 : MEMBER4, id)->e;
	memcpy(e->key, address->bytes, size);
	memcpy(e->key + size, &network, sizeof(network));
	e->key_size = size + sizeof(network);
}

static void members_add(struct nft_entries *wall, unsigned id, const struct link *link)
{
	const struct address *address;

	/* on the bridge a VPS looks for others where it sees none */
	if (!link->network.number || link->mode != LINK_ROUTED)
		return;
	for (unsigned n = 0; (address = link_address(link, n)); n++)
		member_add(wall, id, address, link->network.number);
}

void wall_fill(struct nft_entries *wall, unsigned id, const struct link *link, unsigned usual,
	       bool uplink)
{
	unsigned bound = link->connections ? link->connections : usual;
	struct address prefix;

	for (unsigned n = 0; link_allowed(link, n, &prefix); n++) {
		if (!n)
			mac_add(wall, id, bound);
		if (!link_repeats(link, n, &prefix))
			prefix_add(wall, id, link, &prefix, bound, uplink);
	}
	members_add(wall, id, link);
	wall_sort(wall);
}

void wall_only(const struct nft_entries *a, const struct nft_entries *b,
	       struct nft_entries *only)
{
	size_t at = 0;

	for (size_t i = 0; i < a->count; i++) {
		while (at < b->count && element_compare(&b->list[at], &a->list[i]) < 0)
			at++;
		if (at == b->count || element_compare(&b->list[at], &a->list[i]) != 0)
			nft_entry_copy(only, &a->list[i]);
	}
}

/* The address, or the prefix, between the two ends of a range. */
static unsigned prefix_print(const struct nft_entry *element, char *text, size_t size)
{
	const struct nft_element *e = &element->e;
	struct address address = { .family = sets[element->set].family };
	unsigned bytes = address_size(&address), n = e->end_size ? 0 : bytes * 8;

	while (n < bytes * 8 && !((e->key[n / 8] ^ e->end[n / 8]) & 0x80 >> n % 8))
		n++;
	address.prefix = n;
	memcpy(address.bytes, e->key, bytes);
	address_print(&address, n != bytes * 8, text, size);
	return bytes;
}

static void ports_of_print(const struct nft_element *e, unsigned bytes, char *text, size_t size)
{
	struct ports ports = { .some = true, .count = 1 };
	uint16_t first = 0, last = UINT16_MAX;

	if (e->key_size > bytes + 4) {
		memcpy(&first, e->key + bytes + 4, sizeof(first));
		memcpy(&last, (e->end_size ? e->end : e->key) + bytes + 4, sizeof(last));
	}
	ports.list[0] = (struct port_range){ e->key[bytes], ntohs(first), ntohs(last) };
	if (ports.list[0].protocol == IPPROTO_ICMPV6)
		ports.list[0].protocol = IPPROTO_ICMP;
	ports_print(&ports, text, size);
}

static void member_print(const struct nft_entry *element, char *text, size_t size)
{
	const struct nft_element *e = &element->e;
	struct address address = { .family = sets[element->set].family };
	unsigned bytes = address_size(&address);
	char of[ADDRESS_TEXT];
	uint32_t number;

	memcpy(address.bytes, e->key, bytes);
	address_print(&address, false, of, sizeof(of));
	memcpy(&number, e->data_size ? e->data : e->key + bytes, sizeof(number));
	snprintf(text, size, "network %u of %s", number, of);
}

void wall_print(const struct nft_entry *element, char *text, size_t size)
{
	char of[ADDRESS_TEXT] = "it", ports[PORTS_TEXT];
	enum kind kind = sets[element->set].kind;
	unsigned bytes = 0;

	if (sets[element->set].family)
		bytes = prefix_print(element, of, sizeof(of));
	switch (kind) {
	case KIND_SHUT:
		snprintf(text, size, "allow-in all else of %s", of);
		return;
	case KIND_OPEN:
		ports_of_print(&element->e, bytes, ports, sizeof(ports));
		snprintf(text, size, "allow-in %s of %s", ports, of);
		return;
	case KIND_BOUND:
		snprintf(text, size, bytes ? "connections to %s" : "connections from %s", of);
		return;
	case KIND_MEMBER:
		member_print(element, text, size);
		return;
	case KIND_HERE:
		snprintf(text, size, "uplink between VPSs and %s", of);
	}
}

/* What the kernel does with it. */
static void value_print(const struct nft_entry *element, char *text, size_t size)
{
	switch (sets[element->set].kind) {
	case KIND_SHUT:
	case KIND_HERE:
		snprintf(text, size, "closed");
		return;
	case KIND_OPEN:
		snprintf(text, size, "open");
		return;
	case KIND_BOUND:
		snprintf(text, size, "%u", element->e.connections);
		return;
	case KIND_MEMBER:
		snprintf(text, size, "%s", sets[element->set].name);
	}
}

/* For the same key, whatever it says of it? */
static bool is_same_key(const struct nft_entry *a, const struct nft_entry *b)
{
	return a->set == b->set && memcmp(a->e.key, b->e.key, sizeof(a->e.key)) == 0 &&
	       memcmp(a->e.end, b->e.end, sizeof(a->e.end)) == 0;
}

static const struct nft_sets all_sets = {
	wall_set_name,
	wall_set_is_of_bridge,
	ARRAY_SIZE(sets),
	"list what may come in",
	"change what may come in",
	"say what may come in",
	"forget what may come in",
};

/*
 * Those that are there, as they are there: a bound may be another by now.  With @ours only the
 * same VPS's; an address has one owner, so that what is there of another's was left.  A set
 * that is not there has none.
 */
static int find(const struct nft_table *table, const struct nft_entries *wanted, bool ours,
		struct nft_entries *there, struct err *err)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const struct nft_entry *one = &wanted->list[i];
		struct nft_entry found;

		int result = nft_table_find(table, &all_sets, one, &found, err);
		if (result < 0)
			return -1;
		if (result && is_same_key(&found, one) && (!ours || found.owner == one->owner))
			nft_entry_copy(there, &found);
	}
	return 0;
}

/* Those of @a whose key none of @b has. */
static void keys_without(const struct nft_entries *a, const struct nft_entries *b,
			 struct nft_entries *only)
{
	for (size_t i = 0; i < a->count; i++) {
		size_t at = 0;

		while (at < b->count && !is_same_key(&a->list[i], &b->list[at]))
			at++;
		if (at == b->count)
			nft_entry_copy(only, &a->list[i]);
	}
}

/*
 * Someone else may remove the same between our look and our removal: look again.  What is to be
 * there is removed first when it is already: the kernel would leave it as it is.
 */
static int change(const struct nft_table *table, const struct nft_entries *out,
		  const struct nft_entries *in, struct err *err)
{
	own_nft_entries gone = { 0 };
	int result = -1;

	keys_without(out, in, &gone);
	for (int tries = 0; tries < 3 && result < 0; tries++) {
		own_nft_entries there = { 0 };

		if (find(table, &gone, true, &there, err) < 0 ||
		    find(table, in, false, &there, err) < 0)
			return -1;
		wall_sort(&there);
		result = nft_table_replace(table, &all_sets, &there, in, err);
		if (result < 0 && (err->code != ENOENT || !there.count))
			break;
	}
	if (result < 0 && (err->code == EEXIST || err->code == EBUSY))
		return fail_as(err, ERR_ADDRESS,
			       "an address of it is still walled for another VPS: 'nodectl "
			       "repair' finds it");
	return result;
}

unsigned connections_usual(void)
{
	unsigned long most;
	char text[24];
	struct err ignored;

	if (file_read(AT_FDCWD, "/proc/sys/net/netfilter/nf_conntrack_max", text, sizeof(text),
		      &ignored) < 0)
		return CONNECTIONS_MOST;
	text[strcspn(text, "\n")] = 0;
	if (number_parse(text, 1, UINT32_MAX, &most, &ignored) < 0)
		return CONNECTIONS_MOST;
	most = most / 8 < CONNECTIONS_LEAST ? CONNECTIONS_LEAST : most / 8;
	return most < CONNECTIONS_MOST ? (unsigned)most : CONNECTIONS_MOST;
}

int wall_remove(const struct nft_table *table, unsigned id, const struct link *link,
		struct err *err)
{
	own_nft_entries had = { 0 };
	const struct nft_entries none = { 0 };
	struct link routed = *link;

	/* it may have another mode by now than it was started with */
	routed.mode = LINK_ROUTED;
	wall_fill(&had, id, &routed, connections_usual(), table->uplink);
	return change(table, &had, &none, err);
}

/* Without bounds, in a kernel that cannot count; what it can is loaded. */
static int change_most(const struct nft_table *table, const struct bridge *bridge,
		       const struct nft_entries *out, const struct nft_entries *in,
		       struct err *err)
{
	own_nft_entries most = { 0 };
	struct err ignored;

	if (change(table, out, in, err) == 0)
		return 0;
	if ((err->code != ENOENT && err->code != EOPNOTSUPP) ||
	    ruleset_is_loaded(bridge, &ignored) <= 0)
		return -1;
	for (size_t i = 0; i < in->count; i++) {
		if (sets[in->list[i].set].kind != KIND_BOUND)
			nft_entry_copy(&most, &in->list[i]);
	}
	return most.count == in->count ? -1 : change(table, out, &most, err);
}

int wall_change(unsigned id, const struct bridge *bridge, const struct link *before,
		const struct link *after, struct err *err)
{
	own_nft_entries had = { 0 }, has = { 0 }, out = { 0 }, in = { 0 };
	own_table table = nft_table_none();
	unsigned usual = connections_usual();

	if (before)
		wall_fill(&had, id, before, usual, bridge->uplink[0]);
	if (after)
		wall_fill(&has, id, after, usual, bridge->uplink[0]);
	wall_only(&had, &has, &out);
	wall_only(&has, &had, &in);
	if (out.count + in.count == 0)
		return 0;
	if (nft_table_open(&table, bridge, err) < 0)
		return -1;
	return change_most(&table, bridge, &out, &in, err);
}

int wall_see(const struct nft_table *table, struct nft_entries *all, struct err *err)
{
	return nft_table_read(table, &all_sets, all, err);
}

/* What is lacking in @all, the kernel's, of @link, NULL: of nothing; and what it has too much
 * for @id. */
static void compare(const struct nft_entries *all, unsigned id, const struct link *link,
		    bool uplink, struct nft_entries *lacks, struct nft_entries *spare)
{
	const struct nft_entries there = nft_entries_of(all, id);
	own_nft_entries ours = { 0 }, wanted = { 0 };

	for (size_t i = 0; i < there.count; i++)
		nft_entry_copy(&ours, &there.list[i]);
	wall_sort(&ours);
	if (link)
		wall_fill(&wanted, id, link, connections_usual(), uplink);
	wall_only(&wanted, &ours, lacks);
	wall_only(&ours, &wanted, spare);
}

int wall_diff(unsigned id, const struct network_seen *seen, const struct link *link,
	      int (*each)(const struct link_knob *knob, void *arg, struct err *err), void *arg,
	      struct err *err)
{
	own_nft_entries lacks = { 0 }, spare = { 0 };
	char table[BRIDGE_TABLE], where[8 + BRIDGE_TABLE], text[PORTS_TEXT + ADDRESS_TEXT + 16],
	    value[16];
	const struct link_comparison comparison = { each, arg, where };

	bridge_table(seen->bridge, table);
	compare(&seen->walls, id, link, seen->bridge->uplink[0], &lacks, &spare);
	for (size_t i = 0; i < lacks.count + spare.count; i++) {
		bool missing = i < lacks.count;
		const struct nft_entry *element =
		    missing ? &lacks.list[i] : &spare.list[i - lacks.count];

		str_format(where, sizeof(where), "%s %s",
			   wall_set_is_of_bridge(element->set) ? "bridge" : "inet", table);
		wall_print(element, text, sizeof(text));
		value_print(element, value, sizeof(value));
		if (link_compare(&comparison, text, false, missing ? value : "none",
				 missing ? "none" : value, err) < 0)
			return -1;
	}
	return 0;
}

int wall_mend(unsigned id, const struct bridge *bridge, const struct link *link,
	      struct err *err)
{
	own_nft_entries all = { 0 }, lacks = { 0 }, spare = { 0 };
	own_table table = nft_table_none();

	if (nft_table_open(&table, bridge, err) < 0 || wall_see(&table, &all, err) < 0)
		return -1;
	compare(&all, id, link, table.uplink, &lacks, &spare);
	return change_most(&table, bridge, &spare, &lacks, err);
}

bool wall_is_left(unsigned id, const struct bridge *bridge)
{
	own_nft_entries all = { 0 };
	own_table table = nft_table_none();
	struct err ignored;

	return nft_table_open(&table, bridge, &ignored) == 0 &&
	       wall_see(&table, &all, &ignored) == 0 && nft_entries_of(&all, id).count;
}

int wall_each(const struct bridge *bridge, int (*each)(unsigned id, void *arg, struct err *err),
	      void *arg, struct err *err)
{
	own_nft_entries all = { 0 };
	own_table table = nft_table_none();
	unsigned last = 0;

	if (nft_table_open(&table, bridge, err) < 0 || wall_see(&table, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++) {
		unsigned id = all.list[i].owner;

		if (id != last && each(id, arg, err) < 0)
			return -1;
		last = id;
	}
	return 0;
}

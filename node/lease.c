/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"

#define KEY_SIZE 80

int lease_owner(int dir, const char *key, char *owner, size_t size, struct err *err)
{
	owner[0] = 0;
	if (file_read(dir, key, owner, size, err) < 0) {
		owner[0] = 0;
		return err->code == ENOENT ? 0 : fail_in(err, "lease");
	}
	owner[strcspn(owner, "\n")] = 0;
	return 0;
}

/* A file with its content, under a name that is no lease's. */
static int ticket_write(int dir, const char *key, const char *owner, char *ticket, size_t size,
			struct err *err)
{
	char content[80];
	int code;

	str_format(ticket, size, ".%s.%d", key, getpid());
	str_format(content, sizeof(content), "%s\n", owner);
	(void)unlinkat(dir, ticket, 0);
	own_fd fd = openat(dir, ticket, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && write_all(fd, content, strlen(content)) == 0 && fdatasync(fd) == 0)
		return 0;
	code = errno;
	(void)unlinkat(dir, ticket, 0);
	return fail(err, code, "cannot write lease '%s'", key);
}

/* The content is there before the name is: a lease never is empty. */
static int ticket_link(int dir, const char *ticket, const char *key, const char *owner,
		       bool *taken, struct err *err)
{
	char holder[80];
	int linked = linkat(dir, ticket, dir, key, 0);

	if (linked < 0 && errno != EEXIST)
		return fail(err, errno, "cannot take lease '%s'", key);
	*taken = linked == 0;
	if (*taken)
		return 0;
	if (lease_owner(dir, key, holder, sizeof(holder), err) < 0)
		return -1;
	*taken = strcmp(holder, owner) == 0;
	return 0;
}

int lease_take(int dir, const char *key, const char *owner, bool *taken, struct err *err)
{
	char ticket[128];
	int result;

	if (ticket_write(dir, key, owner, ticket, sizeof(ticket), err) < 0)
		return -1;
	result = ticket_link(dir, ticket, key, owner, taken, err);
	(void)unlinkat(dir, ticket, 0);
	return result;
}

int lease_free(int dir, const char *key, const char *owner, struct err *err)
{
	char holder[80];

	if (lease_owner(dir, key, holder, sizeof(holder), err) < 0)
		return -1;
	if (strcmp(holder, owner) == 0 && unlinkat(dir, key, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot free lease '%s'", key);
	return 0;
}

/* The last id given; a hint only, so it need not be durable: leases decide. */
static unsigned cursor_read(const struct node *node)
{
	char text[16];
	struct err ignored;
	unsigned long last;

	if (file_read(node->ids, ".last", text, sizeof(text), &ignored) < 0 ||
	    number_parse(text, node->range.first, node->range.last, &last, &ignored) < 0)
		return node->range.last;
	return (unsigned)last;
}

int lease_id(const struct node *node, struct vps *vps, struct err *err)
{
	unsigned count = node->range.last - node->range.first + 1;
	unsigned id = cursor_read(node);
	char key[16];

	for (unsigned i = 0; i < count; i++) {
		bool taken;

		id = id >= node->range.last ? node->range.first : id + 1;
		str_format(key, sizeof(key), "%u", id);
		/* most of the time the first look finds a free one; a full node is looked
		 * through */
		if (faccessat(node->ids, key, F_OK, 0) == 0)
			continue;
		if (lease_take(node->ids, key, vps->name, &taken, err) < 0)
			return -1;
		if (!taken)
			continue;
		vps->id = id;
		return file_replace_volatile(node->ids, ".last", key, strlen(key), 0600, err);
	}
	return fail_as(err, ERR_LEDGER, "all %u ids of this node are taken", count);
}

static int network_of(const struct node *node, int family, const struct address **network,
		      const char **what, struct err *err)
{
	*network = family == AF_INET ? &node->bridge.ipv4 : &node->bridge.ipv6;
	*what = family == AF_INET ? "subnet" : "subnet6";
	if (!(*network)->family)
		return fail_as(err, ERR_VALUE, "this node has no %s (node.conf)", *what);
	return 0;
}

static void route_key(const struct address *prefix, char *key, size_t size)
{
	char text[ADDRESS_TEXT];

	address_print(prefix, false, text, sizeof(text));
	str_format(key, size, "net-%s-%u", text, prefix->prefix);
}

static bool route_key_parse(const char *key, struct address *prefix)
{
	const char *len = strrchr(key, '-');
	struct err ignored;
	char text[ADDRESS_TEXT];

	if (strncmp(key, "net-", 4) != 0 || len < key + 5)
		return false;
	snprintf(text, sizeof(text), "%.*s/%s", (int)(len - key - 4), key + 4, len + 1);
	return address_parse(text, prefix, &ignored) == 0;
}

int lease_owner_of(const struct node *node, const struct address *to, char *owner, size_t size,
		   struct err *err)
{
	char key[KEY_SIZE];

	address_print(to, false, key, sizeof(key));
	owner[0] = 0;
	if (to->prefix == (to->family == AF_INET6 ? 128 : 32) &&
	    lease_owner(node->addresses, key, owner, size, err) < 0)
		return -1;
	if (owner[0])
		return 0;
	route_key(to, key, sizeof(key));
	return lease_owner(node->addresses, key, owner, size, err);
}

/* The pool that it is of, with room for all of it; NULL: none. */
static const struct pool *pool_of(const struct node *node, const struct address *address)
{
	for (unsigned i = 0; i < node->pools_count; i++) {
		if (network_is_in(&node->pools[i].network, address))
			return &node->pools[i];
	}
	return NULL;
}

/*
 * Is @address, of a pool, in a prefix that is routed to somebody else?  At most as many looks
 * as an address has bits.
 */
static int is_routed(const struct node *node, const struct pool *pool, const char *name,
		     const struct address *address, char *owner, size_t size, struct err *err)
{
	struct address part = *address, prefix;
	char key[KEY_SIZE];

	for (part.prefix = pool->network.prefix; part.prefix <= address->prefix;
	     part.prefix++) {
		address_network(&part, &prefix);
		route_key(&prefix, key, sizeof(key));
		if (lease_owner(node->addresses, key, owner, size, err) < 0)
			return -1;
		if (*owner && strcmp(owner, name) != 0)
			return 1;
	}
	return 0;
}

static bool is_gateway(const struct pool *pool, const struct address *address)
{
	return pool->gateway.family == address->family &&
	       memcmp(pool->gateway.bytes, address->bytes, sizeof(address->bytes)) == 0;
}

/* Take an address of a pool.  What is routed is looked at last: whoever takes a prefix looks at
 * addresses last, so that one of two sees the other. */
static int pool_address_take(const struct node *node, const struct vps *vps,
			     const struct pool *pool, const struct address *address,
			     bool *taken, struct err *err)
{
	struct address whole = *address;
	char key[KEY_SIZE], owner[80];
	struct err ignored;

	whole.prefix = whole.family == AF_INET6 ? 128 : 32;
	*taken = false;
	int routed = is_routed(node, pool, vps->name, &whole, owner, sizeof(owner), err);
	if (routed)
		return routed < 0 ? -1 : 0;
	address_print(&whole, false, key, sizeof(key));
	if (lease_take(node->addresses, key, vps->name, taken, err) < 0)
		return -1;
	if (!*taken)
		return 0;
	routed = is_routed(node, pool, vps->name, &whole, owner, sizeof(owner), err);
	if (routed == 0)
		return 0;
	*taken = false;
	if (routed > 0)
		return lease_free(node->addresses, key, vps->name, err);
	(void)lease_free(node->addresses, key, vps->name, &ignored);
	return -1;
}

/* The first free address of @network from its @n-th on; @pool is NULL for a subnet. */
static int address_find(const struct node *node, const struct vps *vps,
			const struct address *network, const struct pool *pool, uint64_t n,
			struct address *address, struct err *err)
{
	unsigned bits = (network->family == AF_INET6 ? 128 : 32) - network->prefix;
	uint64_t most = bits < 16 ? (UINT64_C(1) << bits) + 1 : 70000;
	char key[KEY_SIZE];

	for (uint64_t tries = 0; tries < most; tries++, n++) {
		struct address candidate;
		bool taken;

		if (!address_nth(network, n, &candidate) ||
		    !address_is_usable(network, &candidate)) {
			/* past the end: go on from the first host */
			n = 0;
			continue;
		}
		if (pool
			? is_gateway(pool, &candidate)
			: memcmp(candidate.bytes, network->bytes, sizeof(candidate.bytes)) == 0)
			continue;
		address_print(&candidate, false, key, sizeof(key));
		if (faccessat(node->addresses, key, F_OK, 0) == 0)
			continue;
		if ((pool ? pool_address_take(node, vps, pool, &candidate, &taken, err)
			  : lease_take(node->addresses, key, vps->name, &taken, err)) < 0)
			return -1;
		if (!taken)
			continue;
		*address = candidate;
		address->prefix = network->prefix;
		if (pool)
			address->prefix = network->family == AF_INET6 ? 128 : 32;
		return 0;
	}
	return fail_as(err, ERR_LEDGER, "no address is free in the node's %s%s",
		       pool ? "pool " : (network->family == AF_INET6 ? "subnet6" : "subnet"),
		       pool ? pool->name : "");
}

/* From the one that the id stands for. */
static int address_auto(const struct node *node, const struct vps *vps, int family,
			struct address *address, struct err *err)
{
	const struct address *network;
	const char *what;

	if (network_of(node, family, &network, &what, err) < 0)
		return -1;
	return address_find(node, vps, network, NULL, (uint64_t)vps->id + 1, address, err);
}

static int too_many(struct err *err)
{
	return fail_as(err, ERR_VALUE, "more than %d addresses", LINK_ADDRESSES_MAX + 1);
}

static int address_more(const struct node *node, struct vps *vps,
			const struct wanted_address *wanted, struct err *err)
{
	struct address address;

	/* before it is leased, for what is not in the definition is never given back */
	if (!link_has_room(&vps->link, wanted->family))
		return too_many(err);
	if (!wanted->pool[0]) {
		if (address_auto(node, vps, wanted->family, &address, err) < 0)
			return -1;
	} else {
		const struct pool *pool = NULL;

		for (unsigned i = 0; i < node->pools_count; i++) {
			if (strcmp(node->pools[i].name, wanted->pool) == 0)
				pool = &node->pools[i];
		}
		if (!pool)
			return fail_as(err, ERR_VALUE, "this node has no pool '%s' (node.conf)",
				       wanted->pool);
		if (pool->network.family != wanted->family)
			return fail_as(err, ERR_VALUE, "pool '%s' is of the other family",
				       pool->name);
		if (address_find(node, vps, &pool->network, pool, 1, &address, err) < 0)
			return -1;
	}
	(void)link_address_add(&vps->link, &address);
	return 0;
}

static int address_of_pool_take(const struct node *node, const struct vps *vps,
				const struct pool *pool, struct address *address,
				struct err *err)
{
	char key[KEY_SIZE], owner[80];
	bool taken;

	address->prefix = address->family == AF_INET6 ? 128 : 32;
	address_print(address, false, key, sizeof(key));
	if (is_gateway(pool, address))
		return fail_as(err, ERR_ADDRESS, "address %s is the gateway of pool '%s'", key,
			       pool->name);
	if (pool_address_take(node, vps, pool, address, &taken, err) < 0)
		return -1;
	if (taken)
		return 0;
	if (lease_owner(node->addresses, key, owner, sizeof(owner), err) < 0 ||
	    (!*owner &&
	     is_routed(node, pool, vps->name, address, owner, sizeof(owner), err) < 0))
		return -1;
	return fail_as(err, ERR_ADDRESS, "address %s belongs to '%s'", key, owner);
}

static int address_take(const struct node *node, const struct vps *vps, struct address *address,
			struct err *err)
{
	struct address whole = *address;
	const struct address *network;
	const struct pool *pool;
	const char *what;
	char key[KEY_SIZE], owner[80];
	bool taken;

	whole.prefix = whole.family == AF_INET6 ? 128 : 32;
	pool = pool_of(node, &whole);
	if (pool)
		return address_of_pool_take(node, vps, pool, address, err);
	if (network_of(node, address->family, &network, &what, err) < 0)
		return -1;
	address_print(address, false, key, sizeof(key));
	if (memcmp(address->bytes, network->bytes, sizeof(address->bytes)) == 0)
		return fail_as(err, ERR_ADDRESS, "address %s is the node's own", key);
	if (!address_is_usable(network, address)) {
		char net[ADDRESS_TEXT];

		address_print(network, true, net, sizeof(net));
		return fail_as(err, ERR_VALUE,
			       "address %s is not a host of the node's %s %s, nor of a pool",
			       key, what, net);
	}
	address->prefix = network->prefix;
	if (lease_take(node->addresses, key, vps->name, &taken, err) < 0)
		return -1;
	if (taken)
		return 0;
	if (lease_owner(node->addresses, key, owner, sizeof(owner), err) < 0)
		return -1;
	return fail_as(err, ERR_ADDRESS, "address %s belongs to '%s'", key, owner);
}

/* What is leased inside of a prefix to others. */
struct inside_look {
	const struct address *prefix;
	const char *name;
	char key[KEY_SIZE], owner[80];
};

static int inside_one(int dir, const char *key, void *arg, struct err *err)
{
	struct inside_look *look = arg;
	struct address address;
	struct err ignored;
	char owner[80];

	if (key[0] == '.' || strncmp(key, "tcp-", 4) == 0 || strncmp(key, "udp-", 4) == 0 ||
	    (!route_key_parse(key, &address) && address_parse(key, &address, &ignored) < 0) ||
	    !network_is_in(look->prefix, &address))
		return 0;
	if (lease_owner(dir, key, owner, sizeof(owner), err) < 0)
		return -1;
	if (!*owner || strcmp(owner, look->name) == 0)
		return 0;
	str_format(look->key, sizeof(look->key), "%s", key);
	str_format(look->owner, sizeof(look->owner), "%s", owner);
	return 0;
}

static int route_take(const struct node *node, const struct vps *vps,
		      const struct address *prefix, struct err *err)
{
	const struct pool *pool = pool_of(node, prefix);
	struct inside_look look = { .prefix = prefix, .name = vps->name };
	char key[KEY_SIZE], text[ADDRESS_TEXT], owner[80];
	bool taken;

	address_print(prefix, true, text, sizeof(text));
	if (!pool)
		return fail_as(err, ERR_VALUE, "prefix %s is not of a pool of this node", text);
	if (address_is_in(prefix, &pool->gateway))
		return fail_as(err, ERR_ADDRESS,
			       "of prefix %s, one is the gateway of pool '%s'", text,
			       pool->name);
	route_key(prefix, key, sizeof(key));
	if (lease_take(node->addresses, key, vps->name, &taken, err) < 0)
		return -1;
	if (!taken) {
		if (lease_owner(node->addresses, key, owner, sizeof(owner), err) < 0)
			return -1;
		return fail_as(err, ERR_ADDRESS, "prefix %s is routed to '%s'", text, owner);
	}
	int routed = is_routed(node, pool, vps->name, prefix, owner, sizeof(owner), err);
	if (routed < 0)
		return -1;
	if (routed)
		return fail_as(err, ERR_ADDRESS,
			       "prefix %s is part of one that is routed to "
			       "'%s'",
			       text, owner);
	if (dir_each(node->addresses, inside_one, &look, err) < 0)
		return -1;
	if (look.owner[0])
		return fail_as(err, ERR_ADDRESS, "of prefix %s, %s belongs to '%s'", text,
			       look.key, look.owner);
	return 0;
}

int lease_gateways_check(const struct node *node, const char *name, struct err *err)
{
	for (unsigned i = 0; i < node->pools_count; i++) {
		const struct pool *pool = &node->pools[i];
		char key[KEY_SIZE], owner[80];

		if (!pool->gateway.family)
			continue;
		address_print(&pool->gateway, false, key, sizeof(key));
		int has = lease_owner(node->addresses, key, owner, sizeof(owner), err);
		if (has == 0)
			has = *owner ? 1
				     : is_routed(node, pool, "", &pool->gateway, owner,
						 sizeof(owner), err);
		if (has < 0 && !name)
			return -1;
		if (has > 0 && (!name || strcmp(owner, name) == 0))
			return fail_as(
			    err, ERR_ADDRESS,
			    "pool %s: its gateway %s belongs to '%s', which must give "
			    "it up first",
			    pool->name, key, owner);
	}
	return 0;
}

void publish_key(const struct publish *publish, char *key, size_t size)
{
	const char *protocol = publish->protocol == IPPROTO_UDP ? "udp" : "tcp";
	char at[ADDRESS_TEXT];

	address_print(&publish->at, false, at, sizeof(at));
	str_format(key, size, "%s-%s%s%u", protocol, at, *at ? "-" : "", publish->host);
}

bool publish_key_parse(const char *key, struct publish *publish)
{
	const char *port = strrchr(key, '-'), *at = key + 4;
	struct publish parsed = { .protocol = IPPROTO_TCP, .guest = 1 };
	struct err ignored;
	unsigned long number;
	char text[ADDRESS_TEXT];

	if (strncmp(key, "udp-", 4) == 0)
		parsed.protocol = IPPROTO_UDP;
	else if (strncmp(key, "tcp-", 4) != 0)
		return false;
	if (number_parse(port + 1, 1, UINT16_MAX, &number, &ignored) < 0)
		return false;
	if (port > at) {
		snprintf(text, sizeof(text), "%.*s", (int)(port - at), at);
		if (address_parse(text, &parsed.at, &ignored) < 0)
			return false;
	}
	parsed.host = (uint16_t)number;
	*publish = parsed;
	return true;
}

bool lease_is_of(const struct vps *vps, const char *key)
{
	const struct link *link = &vps->link;
	struct address address;
	struct publish port;
	struct err ignored;
	char text[KEY_SIZE];

	str_format(text, sizeof(text), "%u", vps->id);
	if (strcmp(text, key) == 0)
		return true;
	for (unsigned i = 0; i < link->routed_count; i++) {
		route_key(&link->routed[i], text, sizeof(text));
		if (strcmp(text, key) == 0)
			return true;
	}
	if (publish_key_parse(key, &port)) {
		for (unsigned i = 0; i < link->publish_count; i++) {
			if (publish_meets(&link->publish[i], &port))
				return true;
		}
		return false;
	}
	return address_parse(key, &address, &ignored) == 0 && link_has(link, &address);
}

/* What is done with every lease that a VPS stands for. */
struct lease_work {
	const struct node *node;
	const struct vps *vps;
	int (*each)(int dir, const char *key, void *arg, struct err *err);
	void *arg;
};

/* The @n-th of all its addresses, to be changed. */
static struct address *link_address_of(struct link *link, unsigned n)
{
	const struct address *address = link_address(link, n);

	if (!address || address == &link->ipv4 || address == &link->ipv6)
		return !address ? NULL : address == &link->ipv4 ? &link->ipv4 : &link->ipv6;
	return &link->further[address - link->further];
}

static int ports_each(const struct lease_work *work, struct err *err)
{
	char key[KEY_SIZE];

	for (unsigned i = 0; i < work->vps->link.publish_count; i++) {
		struct publish port = work->vps->link.publish[i];

		for (unsigned n = port.more + 1u; n--; port.host++) {
			publish_key(&port, key, sizeof(key));
			if (work->each(work->node->addresses, key, work->arg, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int leases_each(const struct lease_work *work, struct err *err)
{
	const struct link *link = &work->vps->link;
	const struct address *address;
	char key[KEY_SIZE];

	str_format(key, sizeof(key), "%u", work->vps->id);
	if (work->vps->id && work->each(work->node->ids, key, work->arg, err) < 0)
		return -1;
	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		address_print(address, false, key, sizeof(key));
		if (work->each(work->node->addresses, key, work->arg, err) < 0)
			return -1;
	}
	for (unsigned i = 0; i < link->routed_count; i++) {
		route_key(&link->routed[i], key, sizeof(key));
		if (work->each(work->node->addresses, key, work->arg, err) < 0)
			return -1;
	}
	return ports_each(work, err);
}

/* Who takes ports for whom: one file for all of them. */
struct taking {
	const char *owner, *ticket;
};

static int port_take(int dir, const char *key, void *arg, struct err *err)
{
	const struct taking *taking = arg;
	struct publish port;
	char owner[80];
	bool taken;

	if (ticket_link(dir, taking->ticket, key, taking->owner, &taken, err) < 0)
		return -1;
	if (taken)
		return 0;
	if (lease_owner(dir, key, owner, sizeof(owner), err) < 0)
		return -1;
	(void)publish_key_parse(key, &port);
	return fail_as(err, ERR_ADDRESS, "host port %u/%.3s is published by '%s'", port.host,
		       key, owner);
}

/* A range may be long: its leases are links to one file, which is synced once. */
static int ports_take(const struct node *node, const struct vps *vps, struct err *err)
{
	char ticket[128];
	const struct taking taking = { vps->name, ticket };
	const struct lease_work work = { node, vps, port_take, (void *)(uintptr_t)&taking };
	int result;

	if (!vps->link.publish_count)
		return 0;
	if (ticket_write(node->addresses, "ports", vps->name, ticket, sizeof(ticket), err) < 0)
		return -1;
	result = ports_each(&work, err);
	(void)unlinkat(node->addresses, ticket, 0);
	return result;
}

/* What @before has is its already; NULL: nothing is. */
static int addresses_take(const struct node *node, const struct vps *before, struct vps *vps,
			  struct err *err)
{
	struct link *link = &vps->link;
	struct address *address;
	char key[KEY_SIZE];

	for (unsigned n = 0; (address = link_address_of(link, n)); n++) {
		if (!link_has(before ? &before->link : NULL, address) &&
		    address_take(node, vps, address, err) < 0)
			return -1;
	}
	for (unsigned i = 0; i < link->routed_count; i++) {
		route_key(&link->routed[i], key, sizeof(key));
		if ((!before || !lease_is_of(before, key)) &&
		    route_take(node, vps, &link->routed[i], err) < 0)
			return -1;
	}
	return 0;
}

/* It comes before those that were named. */
static int first_auto(const struct node *node, struct vps *vps, int family,
		      struct address *first, struct err *err)
{
	struct address named = *first;

	if (!link_has_room(&vps->link, family))
		return too_many(err);
	if (address_auto(node, vps, family, first, err) < 0)
		return -1;
	if (named.family)
		(void)link_address_add(&vps->link, &named);
	return 0;
}

static int network_take(const struct node *node, const struct vps *before, struct vps *vps,
			const struct wanted *wanted, struct err *err)
{
	struct link *link = &vps->link;

	if (node_network_number(node, &link->network, err) < 0 ||
	    addresses_take(node, before, vps, err) < 0)
		return -1;
	if (wanted->auto4 && first_auto(node, vps, AF_INET, &link->ipv4, err) < 0)
		return -1;
	if (wanted->auto6 && first_auto(node, vps, AF_INET6, &link->ipv6, err) < 0)
		return -1;
	for (unsigned i = 0; i < wanted->more_count; i++) {
		if (address_more(node, vps, &wanted->more[i], err) < 0)
			return -1;
	}
	for (unsigned i = 0; i < link->routed_count; i++) {
		bool v6 = link->routed[i].family == AF_INET6;

		if (!(v6 ? link->ipv6 : link->ipv4).family)
			return fail_as(err, ERR_VALUE,
				       "route: a prefix needs an %s address that it is routed "
				       "to",
				       v6 ? "IPv6" : "IPv4");
	}
	return ports_take(node, vps, err);
}

int lease_network(const struct node *node, struct vps *vps, const struct wanted *wanted,
		  struct err *err)
{
	if (network_take(node, NULL, vps, wanted, err) < 0)
		return -1;

	/* one sync for all: an acknowledged create keeps what it was given */
	if (fsync(node->addresses) < 0 || fsync(node->ids) < 0)
		return fail(err, errno, "cannot sync the leases");
	return 0;
}

/* What the owner has, and is not @kept's (or NULL); what cannot be freed keeps nothing else. */
struct freeing {
	const struct vps *kept;
	const char *owner;
	struct failures failures;
};

static int unkept_free(int dir, const char *key, void *arg, struct err *err)
{
	struct freeing *freeing = arg;

	if (!freeing->kept || !lease_is_of(freeing->kept, key))
		failures_note(&freeing->failures, lease_free(dir, key, freeing->owner, err),
			      err);
	return 0;
}

static int unkept_free_all(const struct node *node, const struct vps *had,
			   const struct vps *kept, struct err *err)
{
	struct freeing freeing = { .kept = kept, .owner = had->name };
	const struct lease_work work = { node, had, unkept_free, &freeing };

	return leases_each(&work, err) < 0 ? -1 : failures_tell(&freeing.failures, err);
}

int lease_free_all(const struct node *node, const struct vps *vps, struct err *err)
{
	return unkept_free_all(node, vps, NULL, err);
}

int lease_shed(const struct node *node, const struct vps *had, const struct vps *has,
	       struct err *err)
{
	return unkept_free_all(node, had, has, err);
}

int lease_change(const struct node *node, const struct vps *before, struct vps *after,
		 const struct wanted *wanted, struct err *err)
{
	struct err again;
	int result = network_take(node, before, after, wanted, err);

	if (result == 0 && fsync(node->addresses) < 0)
		result = fail(err, errno, "cannot sync the leases");
	if (result < 0)
		(void)lease_shed(node, after, before, &again);
	return result;
}

struct restoring {
	const char *owner;
	bool dry;
	unsigned *missing;
};

static int one_restore(int dir, const char *key, void *arg, struct err *err)
{
	const struct restoring *restoring = arg;
	bool taken = false;
	char owner[80];

	if (lease_owner(dir, key, owner, sizeof(owner), err) < 0)
		return fail_in(err, "%s", restoring->owner);
	if (strcmp(owner, restoring->owner) == 0)
		return 0;
	(*restoring->missing)++;
	if (owner[0])
		return fail_as(err, ERR_ADDRESS, "'%s' has %s, which is leased to '%s'",
			       restoring->owner, key, owner);
	return restoring->dry ? 0 : lease_take(dir, key, restoring->owner, &taken, err);
}

int lease_restore(const struct node *node, const struct vps *vps, bool dry, unsigned *missing,
		  struct err *err)
{
	struct restoring restoring = { vps->name, dry, missing };
	const struct lease_work work = { node, vps, one_restore, &restoring };

	return leases_each(&work, err);
}

/* One VPS whose leases are looked for. */
struct left {
	struct vps *vps;
	bool ids; /* of ids, or of addresses and ports */
};

/* Into a range that it is next to, if there is one. */
static void left_port(struct link *link, const struct publish *port)
{
	for (unsigned i = 0; i < link->publish_count; i++) {
		struct publish *range = &link->publish[i], wider = *range;

		wider.more = (uint16_t)(wider.more + 2);
		wider.host--;
		if (!publish_meets(&wider, port))
			continue;
		range->host = port->host < range->host ? port->host : range->host;
		range->more++;
		return;
	}
	if (link->publish_count < PUBLISH_MAX)
		link->publish[link->publish_count++] = *port;
}

static int left_one(int dir, const char *key, void *arg, struct err *err)
{
	const struct left *left = arg;
	struct link *link = &left->vps->link;
	struct address address;
	struct publish port;
	unsigned long number;
	char owner[80];

	if (key[0] == '.')
		return 0;
	if (lease_owner(dir, key, owner, sizeof(owner), err) < 0)
		return -1;
	if (strcmp(owner, left->vps->name) != 0)
		return 0;
	if (left->ids) {
		if (number_parse(key, 1, VPS_ID_MAX, &number, err) == 0)
			left->vps->id = (unsigned)number;
	} else if (publish_key_parse(key, &port)) {
		left_port(link, &port);
	} else if (route_key_parse(key, &address)) {
		if (link->routed_count < LINK_ADDRESSES_MAX)
			link->routed[link->routed_count++] = address;
	} else if (address_parse(key, &address, err) == 0) {
		link_address_add(link, &address);
	}
	return 0;
}

int lease_left(const struct node *node, struct vps *vps, struct err *err)
{
	struct left ids = { vps, true }, addresses = { vps, false };

	if (dir_each(node->ids, left_one, &ids, err) < 0)
		return -1;
	return dir_each(node->addresses, left_one, &addresses, err);
}

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

void lease_owner(int dir, const char *key, char *owner, size_t size)
{
	struct err ignored;

	if (file_read(dir, key, owner, size, &ignored) < 0)
		owner[0] = 0;
	owner[strcspn(owner, "\n")] = 0;
}

int lease_take(int dir, const char *key, const char *owner, bool *taken, struct err *err)
{
	char temporary[128], content[80], holder[80];
	int linked, code;

	/* the content is there before the name is: a lease never is empty */
	str_format(temporary, sizeof(temporary), ".%s.%d", key, getpid());
	str_format(content, sizeof(content), "%s\n", owner);
	(void)unlinkat(dir, temporary, 0);
	own_fd fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, content, strlen(content)) < 0 || fdatasync(fd) < 0) {
		code = errno;
		(void)unlinkat(dir, temporary, 0);
		return fail(err, code, "cannot write lease '%s'", key);
	}
	linked = linkat(dir, temporary, dir, key, 0);
	code = errno;
	(void)unlinkat(dir, temporary, 0);
	if (linked < 0 && code != EEXIST)
		return fail(err, code, "cannot take lease '%s'", key);

	lease_owner(dir, key, holder, sizeof(holder));
	*taken = linked == 0 || strcmp(holder, owner) == 0;
	return 0;
}

int lease_free(int dir, const char *key, const char *owner, struct err *err)
{
	char holder[80];

	lease_owner(dir, key, holder, sizeof(holder));
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
	    number_parse(text, node->first_id, node->last_id, &last, &ignored) < 0)
		return node->last_id;
	return (unsigned)last;
}

int lease_id(const struct node *node, struct vps *vps, struct err *err)
{
	unsigned count = node->last_id - node->first_id + 1;
	unsigned id = cursor_read(node);
	char key[16];

	for (unsigned i = 0; i < count; i++) {
		bool taken;

		id = id >= node->last_id ? node->first_id : id + 1;
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

/* The first free address from the one that the id stands for. */
static int address_auto(const struct node *node, struct vps *vps, int family,
			struct address *address, struct err *err)
{
	const struct address *network;
	const char *what;
	char key[KEY_SIZE];

	if (network_of(node, family, &network, &what, err) < 0)
		return -1;
	for (uint64_t tries = 0, n = (uint64_t)vps->id + 1; tries < 70000; tries++, n++) {
		struct address candidate;
		bool taken;

		if (!address_nth(network, n, &candidate) ||
		    !address_is_usable(network, &candidate)) {
			/* past the end: go on from the first host */
			if (n < 2)
				break;
			n = 0;
			continue;
		}
		if (memcmp(candidate.bytes, network->bytes, sizeof(candidate.bytes)) == 0)
			continue;
		address_print(&candidate, false, key, sizeof(key));
		if (faccessat(node->addresses, key, F_OK, 0) == 0)
			continue;
		if (lease_take(node->addresses, key, vps->name, &taken, err) < 0)
			return -1;
		if (!taken)
			continue;
		*address = candidate;
		address->prefix = network->prefix;
		return 0;
	}
	return fail_as(err, ERR_LEDGER, "no address is free in the node's %s", what);
}

static int address_take(const struct node *node, const struct vps *vps, struct address *address,
			struct err *err)
{
	const struct address *network;
	const char *what;
	char key[KEY_SIZE], owner[80];
	bool taken;

	if (network_of(node, address->family, &network, &what, err) < 0)
		return -1;
	address_print(address, false, key, sizeof(key));
	if (memcmp(address->bytes, network->bytes, sizeof(address->bytes)) == 0)
		return fail_as(err, ERR_ADDRESS, "address %s is the node's own", key);
	if (!address_is_usable(network, address)) {
		char net[ADDRESS_TEXT];

		address_print(network, true, net, sizeof(net));
		return fail_as(err, ERR_VALUE, "address %s is not a host of the node's %s %s",
			       key, what, net);
	}
	address->prefix = network->prefix;
	if (lease_take(node->addresses, key, vps->name, &taken, err) < 0)
		return -1;
	if (taken)
		return 0;
	lease_owner(node->addresses, key, owner, sizeof(owner));
	return fail_as(err, ERR_ADDRESS, "address %s belongs to '%s'", key, owner);
}

void publish_key(const struct publish *publish, char *key, size_t size)
{
	str_format(key, size, "%s-%u", publish->protocol == IPPROTO_UDP ? "udp" : "tcp",
		   publish->host);
}

static int ports_take(const struct node *node, const struct vps *vps, struct err *err)
{
	for (unsigned i = 0; i < vps->link.publish_count; i++) {
		const struct publish *publish = &vps->link.publish[i];
		char key[KEY_SIZE], owner[80];
		bool taken;

		publish_key(publish, key, sizeof(key));
		if (lease_take(node->addresses, key, vps->name, &taken, err) < 0)
			return -1;
		if (taken)
			continue;
		lease_owner(node->addresses, key, owner, sizeof(owner));
		return fail_as(err, ERR_ADDRESS, "host port %u/%.3s is published by '%s'",
			       publish->host, key, owner);
	}
	return 0;
}

int lease_network(const struct node *node, struct vps *vps, bool auto4, bool auto6,
		  struct err *err)
{
	struct link *link = &vps->link;

	if (auto4 && address_auto(node, vps, AF_INET, &link->ipv4, err) < 0)
		return -1;
	if (!auto4 && link->ipv4.family && address_take(node, vps, &link->ipv4, err) < 0)
		return -1;
	if (auto6 && address_auto(node, vps, AF_INET6, &link->ipv6, err) < 0)
		return -1;
	if (!auto6 && link->ipv6.family && address_take(node, vps, &link->ipv6, err) < 0)
		return -1;
	if (ports_take(node, vps, err) < 0)
		return -1;

	/* one sync for all: an acknowledged create keeps what it was given */
	if (fsync(node->addresses) < 0 || fsync(node->ids) < 0)
		return fail(err, errno, "cannot sync the leases");
	return 0;
}

/* Every lease that @vps stands for: directory and name, one after the other. */
static bool lease_nth(const struct node *node, const struct vps *vps, unsigned n, int *dir,
		      char *key)
{
	const struct link *link = &vps->link;

	*dir = node->addresses;
	key[0] = 0;
	if (n == 0) {
		*dir = node->ids;
		if (vps->id)
			str_format(key, KEY_SIZE, "%u", vps->id);
	} else if (n == 1 && link->ipv4.family) {
		address_print(&link->ipv4, false, key, KEY_SIZE);
	} else if (n == 2 && link->ipv6.family) {
		address_print(&link->ipv6, false, key, KEY_SIZE);
	} else if (n >= 3) {
		if (n - 3 >= link->publish_count)
			return false;
		publish_key(&link->publish[n - 3], key, KEY_SIZE);
	}
	return true;
}

int lease_free_all(const struct node *node, const struct vps *vps, struct err *err)
{
	char key[KEY_SIZE];
	int dir;

	for (unsigned n = 0; lease_nth(node, vps, n, &dir, key); n++) {
		if (key[0] && lease_free(dir, key, vps->name, err) < 0)
			return -1;
	}
	return 0;
}

int lease_restore(const struct node *node, const struct vps *vps, bool dry, unsigned *missing,
		  struct err *err)
{
	char key[KEY_SIZE], owner[80];
	int dir;

	for (unsigned n = 0; lease_nth(node, vps, n, &dir, key); n++) {
		bool taken = false;

		if (!key[0])
			continue;
		lease_owner(dir, key, owner, sizeof(owner));
		if (strcmp(owner, vps->name) == 0)
			continue;
		(*missing)++;
		if (owner[0])
			return fail_as(err, ERR_ADDRESS, "'%s' has %s, which is leased to '%s'",
				       vps->name, key, owner);
		if (!dry && lease_take(dir, key, vps->name, &taken, err) < 0)
			return -1;
	}
	return 0;
}

/* One VPS whose leases are looked for. */
struct left {
	struct vps *vps;
	bool ids; /* of ids, or of addresses and ports */
};

static int left_one(int dir, const char *key, void *arg, struct err *err)
{
	const struct left *left = arg;
	struct link *link = &left->vps->link;
	struct address address;
	unsigned long number;
	char owner[80];

	if (key[0] == '.')
		return 0;
	lease_owner(dir, key, owner, sizeof(owner));
	if (strcmp(owner, left->vps->name) != 0)
		return 0;
	if (left->ids) {
		if (number_parse(key, 1, VPS_ID_MAX, &number, err) == 0)
			left->vps->id = (unsigned)number;
	} else if (strncmp(key, "tcp-", 4) == 0 || strncmp(key, "udp-", 4) == 0) {
		if (link->publish_count < PUBLISH_MAX &&
		    number_parse(key + 4, 1, UINT16_MAX, &number, err) == 0)
			link->publish[link->publish_count++] = (struct publish){
				.host = (uint16_t)number,
				.guest = 1,
				.protocol = key[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP,
			};
	} else if (address_parse(key, &address, err) == 0) {
		*(address.family == AF_INET ? &link->ipv4 : &link->ipv6) = address;
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

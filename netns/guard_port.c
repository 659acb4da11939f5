/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard_port.h"

#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "bridge.h"
#include "netns.h"

#define SECOND 1000000000ull

/* Ahead of its packet rate a VPS may be by so much, and by some packets at the least: what was
 * held up on its way comes all at once. */
#define BURST_NS      (SECOND / 10)
#define BURST_PACKETS 64

_Static_assert(GUARD_OWN >= 3 + 2 * LINK_ADDRESSES_MAX, "room for all that a link may have");

/* FNV-1a of the name. */
uint32_t guard_node(const struct bridge *bridge)
{
	uint32_t hash = 2166136261U;

	for (const char *c = bridge->name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	return hash;
}

static void mask_fill(uint8_t *mask, unsigned prefix)
{
	memset(mask, 0xff, prefix / 8);
	if (prefix % 8)
		mask[prefix / 8] = (uint8_t)(0xff << (8 - prefix % 8));
}

static void own_add(struct guard_port *port, const struct address *prefix)
{
	struct address network;
	uint8_t mask[16] = { 0 };

	address_network(prefix, &network);
	mask_fill(mask, prefix->prefix);
	if (prefix->family == AF_INET && port->count4 < GUARD_OWN) {
		struct guard_own4 *own = &port->own4[port->count4++];

		memcpy(&own->network, network.bytes, sizeof(own->network));
		memcpy(&own->mask, mask, sizeof(own->mask));
	} else if (prefix->family == AF_INET6 && port->count6 < GUARD_OWN) {
		struct guard_own6 *own = &port->own6[port->count6++];

		memcpy(own->network, network.bytes, sizeof(own->network));
		memcpy(own->mask, mask, sizeof(own->mask));
	}
}

/* What the kernel makes of a MAC address (RFC 4291, appendix A). */
static struct address link_local(const struct mac *mac)
{
	struct address address = { .family = AF_INET6,
				   .prefix = 128,
				   .bytes = { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe } };

	memcpy(address.bytes + 8, mac->bytes, 3);
	memcpy(address.bytes + 13, mac->bytes + 3, 3);
	address.bytes[8] ^= 2;
	return address;
}

void guard_port_fill(struct guard_port *port, unsigned id, const struct bridge *bridge,
		     const struct link *link)
{
	struct mac mac = link_mac(id, false);
	struct address local = link_local(&mac);
	struct address own;

	memset(port, 0, sizeof(*port));
	port->id = id;
	port->node = guard_node(bridge);
	memcpy(port->mac, mac.bytes, sizeof(port->mac));
	port->smtp = link->smtp;
	if (link->packet_rate) {
		port->interval = SECOND / link->packet_rate;
		port->interval += !port->interval;
		port->burst = port->interval * BURST_PACKETS;
		port->burst = port->burst < BURST_NS ? BURST_NS : port->burst;
	}
	own_add(port, &local);
	for (unsigned i = 0; link_allowed(link, i, &own); i++)
		own_add(port, &own);
}

unsigned guard_port_rate(const struct guard_port *port)
{
	return port->interval ? (unsigned)((SECOND + port->interval / 2) / port->interval) : 0;
}

bool guard_port_is_equal(const struct guard_port *a, const struct guard_port *b)
{
	return memcmp(a, b, GUARD_SETTINGS) == 0;
}

void guard_free_fill(struct guard_free *key, const struct bridge *bridge,
		     const struct address *network)
{
	struct address base;
	unsigned mapped = network->family == AF_INET ? 96 : 0;

	address_network(network, &base);
	*key = (struct guard_free){ .prefix = 32 + mapped + network->prefix,
				    .node = guard_node(bridge) };
	if (mapped) {
		key->address[10] = key->address[11] = 0xff;
		memcpy(key->address + 12, base.bytes, 4);
	} else {
		memcpy(key->address, base.bytes, 16);
	}
}

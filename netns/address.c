/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "str.h"

unsigned address_size(const struct address *address)
{
	return address->family == AF_INET6 ? 16 : 4;
}

/* Bit @n of an address, counted from its front. */
static uint8_t bit(unsigned n)
{
	return (uint8_t)(0x80 >> n % 8);
}

/* Are all bits of the host part equal to @ones? */
static bool host_part_is(const struct address *address, unsigned prefix, bool ones)
{
	for (unsigned n = prefix; n < address_size(address) * 8; n++) {
		if (!(address->bytes[n / 8] & bit(n)) == ones)
			return false;
	}
	return true;
}

bool address_is_in(const struct address *network, const struct address *address)
{
	if (!network->family || network->family != address->family)
		return false;

	for (unsigned n = 0; n < network->prefix; n++) {
		if ((network->bytes[n / 8] ^ address->bytes[n / 8]) & bit(n))
			return false;
	}
	return true;
}

bool network_is_in(const struct address *network, const struct address *inner)
{
	return inner->prefix >= network->prefix && address_is_in(network, inner);
}

void address_network(const struct address *address, struct address *network)
{
	*network = *address;
	for (unsigned n = address->prefix; n < address_size(address) * 8; n++)
		network->bytes[n / 8] &= (uint8_t)~bit(n);
}

int address_parse(const char *text, struct address *address, struct err *err)
{
	struct address parsed = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	unsigned bits = address_size(&parsed) * 8;
	const char *slash = strchr(text, '/');
	unsigned long prefix = bits;
	char host[INET6_ADDRSTRLEN];
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(host))
		return fail_as(err, ERR_VALUE, "'%.80s' is not an address", text);
	memcpy(host, text, len);
	host[len] = '\0';

	if (inet_pton(parsed.family, host, parsed.bytes) != 1)
		return fail_as(err, ERR_VALUE, "'%.80s' is not an address", text);
	if (slash && number_parse(slash + 1, 0, bits, &prefix, err) < 0)
		return fail_in(err, "prefix of '%.80s'", text);

	parsed.prefix = (unsigned)prefix;
	*address = parsed;
	return 0;
}

void address_print(const struct address *address, bool with_prefix, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->family)
		inet_ntop(address->family, address->bytes, host, sizeof(host));

	if (address->family && with_prefix)
		str_format(text, size, "%s/%u", host, address->prefix);
	else
		str_format(text, size, "%s", host);
}

bool address_is_equal(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return false;
	return !a->family ||
	       (a->prefix == b->prefix && !memcmp(a->bytes, b->bytes, address_size(a)));
}

bool address_is_usable(const struct address *network, const struct address *address)
{
	unsigned bits = address_size(network) * 8;

	if (!address_is_in(network, address))
		return false;

	/* a point-to-point network has neither (RFC 3021, RFC 6164) */
	if (network->prefix + 1 >= bits)
		return true;
	if (host_part_is(address, network->prefix, false))
		return false;
	return network->family == AF_INET6 || !host_part_is(address, network->prefix, true);
}

bool address_nth(const struct address *network, uint64_t n, struct address *address)
{
	unsigned host_bits = address_size(network) * 8 - network->prefix;
	struct address nth;

	if (!network->family || (host_bits < 64 && n >> host_bits))
		return false;

	/* the host part is zero, so nothing is carried */
	address_network(network, &nth);
	for (unsigned i = address_size(network); n; n >>= 8)
		nth.bytes[--i] |= (uint8_t)n;
	*address = nth;
	return true;
}

const struct address *link_address(const struct link *link, unsigned n)
{
	if (link->ipv4.family && n-- == 0)
		return &link->ipv4;
	if (link->ipv6.family && n-- == 0)
		return &link->ipv6;
	return n < link->further_count ? &link->further[n] : NULL;
}

bool link_has(const struct link *link, const struct address *address)
{
	const struct address *own;

	for (unsigned n = 0; link && (own = link_address(link, n)); n++) {
		if (own->family == address->family &&
		    memcmp(own->bytes, address->bytes, sizeof(own->bytes)) == 0)
			return true;
	}
	return false;
}

bool link_has_room(const struct link *link, int family)
{
	return !(family == AF_INET6 ? &link->ipv6 : &link->ipv4)->family ||
	       link->further_count < LINK_ADDRESSES_MAX;
}

bool link_address_add(struct link *link, const struct address *address)
{
	struct address *first = address->family == AF_INET6 ? &link->ipv6 : &link->ipv4;

	if (!first->family)
		*first = *address;
	else if (link->further_count < LINK_ADDRESSES_MAX)
		link->further[link->further_count++] = *address;
	else
		return false;
	return true;
}

static bool is_same_host(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, address_size(a)) == 0;
}

static void further_take(struct link *link, unsigned n, struct address *taken)
{
	*taken = link->further[n];
	link->further_count--;
	memmove(&link->further[n], &link->further[n + 1],
		(link->further_count - n) * sizeof(link->further[0]));
}

bool link_address_remove(struct link *link, const struct address *address)
{
	struct address *first = address->family == AF_INET6 ? &link->ipv6 : &link->ipv4, gone;
	bool is_first = first->family && is_same_host(first, address);

	for (unsigned i = 0; i < link->further_count; i++) {
		if (is_first ? link->further[i].family == address->family
			     : is_same_host(&link->further[i], address)) {
			further_take(link, i, is_first ? first : &gone);
			return true;
		}
	}
	if (is_first)
		*first = (struct address){ 0 };
	return is_first;
}

void link_address_clear(struct link *link, int family)
{
	struct address *first = family == AF_INET6 ? &link->ipv6 : &link->ipv4;

	while (first->family)
		(void)link_address_remove(link, first);
}

bool link_allowed(const struct link *link, unsigned n, struct address *prefix)
{
	const struct address *own = link_address(link, n);
	unsigned addresses =
	    link->further_count + (link->ipv4.family != 0) + (link->ipv6.family != 0);

	if (own) {
		*prefix = *own;
		prefix->prefix = address_size(own) * 8;
		return true;
	}
	if (n - addresses >= link->routed_count)
		return false;
	*prefix = link->routed[n - addresses];
	return true;
}

bool link_repeats(const struct link *link, unsigned n, const struct address *prefix)
{
	struct address other;

	for (unsigned i = 0; link_allowed(link, i, &other); i++) {
		if (i != n && network_is_in(&other, prefix) &&
		    (i < n || !network_is_in(prefix, &other)))
			return true;
	}
	return false;
}

const char *link_mode_name(enum link_mode mode)
{
	switch (mode) {
	case LINK_BRIDGE:
		return "bridge";
	case LINK_ROUTED:
		return "routed";
	case LINK_NONE:
		return "none";
	}
	return "";
}

void link_settle(struct link *link)
{
	if (link->mode == LINK_NONE)
		*link = (struct link){ .mode = LINK_NONE };
}

bool link_is_wanted(const struct link *link)
{
	return link->mode != LINK_NONE && (link->ipv4.family || link->ipv6.family);
}

static const struct address gateways[] = {
	{ .family = AF_INET, .prefix = 32, .bytes = { 169, 254, 0, 1 } },
	{ .family = AF_INET6, .prefix = 64, .bytes = { 0xfe, 0x80, [15] = 1 } },
};

const struct way *bridge_way(const struct bridge *bridge, const struct address *address)
{
	for (unsigned i = 0; i < BRIDGE_WAYS_MAX && bridge->ways[i].network.family; i++) {
		if (address_is_in(&bridge->ways[i].network, address))
			return &bridge->ways[i];
	}
	return NULL;
}

const struct address *link_way(const struct bridge *bridge, const struct link *link, int family,
			       const struct way **way)
{
	const struct address *address;

	for (unsigned n = 0; link->mode == LINK_BRIDGE && (address = link_address(link, n));
	     n++) {
		const struct way *found = bridge_way(bridge, address);

		if (!found || address->family != family)
			continue;
		if (way)
			*way = found;
		return address;
	}
	return NULL;
}

bool link_has_uplink(const struct bridge *bridge, const struct link *link)
{
	return bridge->uplink[0] && (link_way(bridge, link, AF_INET, NULL) ||
				     link_way(bridge, link, AF_INET6, NULL));
}

const struct address *link_gateway(const struct bridge *bridge, const struct link *link,
				   int family)
{
	const struct address *own = family == AF_INET6 ? &bridge->ipv6 : &bridge->ipv4;
	const struct way *way;

	if (link_way(bridge, link, family, &way))
		return &way->gateway;
	if (!own->family)
		return NULL;
	return link->mode == LINK_ROUTED ? &gateways[family == AF_INET6] : own;
}

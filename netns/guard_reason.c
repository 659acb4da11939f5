/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>

#include "guard.h"
#include "own.h"

static const struct {
	const char *name, *text;
} rows[] = {
	[GUARD_MALFORMED] = { "malformed", "no valid packet" },
	[GUARD_MAC] = { "mac", "foreign MAC address" },
	[GUARD_CONTROL] = { "control", "bridge control (STP, LLDP, pause)" },
	[GUARD_VLAN] = { "vlan", "VLAN tag" },
	[GUARD_ETHERTYPE] = { "ethertype", "neither IP nor ARP" },
	[GUARD_ARP] = { "arp", "ARP as another" },
	[GUARD_IPV4] = { "ipv4", "foreign IPv4 address" },
	[GUARD_IPV6] = { "ipv6", "foreign IPv6 address" },
	[GUARD_OPTIONS] = { "options", "source route or too many headers" },
	[GUARD_FRAGMENT] = { "fragment", "fragment that hides what it is" },
	[GUARD_NEIGHBOUR] = { "neighbour", "neighbour discovery as another" },
	[GUARD_ROUTER] = { "router", "router advertisement or redirect" },
	[GUARD_DHCP] = { "dhcp", "DHCP server" },
	[GUARD_QUERY] = { "query", "multicast query" },
	[GUARD_SMTP] = { "smtp", "mail (tcp/25) is closed" },
	[GUARD_BROADCAST] = { "broadcast", "too many broadcasts" },
	[GUARD_PACKET_RATE] = { "packet-rate", "above its packet rate" },
	[GUARD_FOREIGN] = { "foreign", "for another address" },
};

_Static_assert(ARRAY_SIZE(rows) == GUARD_REASONS, "each reason has a name");

const char *guard_reason_name(enum guard_reason reason)
{
	assert((unsigned)reason < GUARD_REASONS);
	return rows[reason].name;
}

const char *guard_reason_text(enum guard_reason reason)
{
	assert((unsigned)reason < GUARD_REASONS);
	return rows[reason].text;
}

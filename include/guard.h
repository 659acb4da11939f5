/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netns.h"

struct err;

/*
 * The guard: two BPF programs (netns/guard.bpf.c) at the node's end of a VPS's link, one for
 * what the VPS sends and one for what it receives.  It drops what the VPS may not send, counts
 * what passes (meter.h), and holds the packet rate.  It is there before the link goes up, and
 * stays whatever becomes of nft rulesets, of traffic control, and of every nodectl.
 */

/* Why a packet was dropped: the order is that of the counters in the kernel. */
enum guard_reason {
	GUARD_MALFORMED, /* no such packet: too short, or with lengths that contradict */
	GUARD_MAC,	 /* another source than its own MAC address */
	GUARD_CONTROL,	 /* to bridges (STP, LLDP, pause, ...): 01:80:c2:00:00:0x */
	GUARD_VLAN,	 /* with a VLAN tag */
	GUARD_ETHERTYPE, /* neither IPv4, IPv6 nor ARP */
	GUARD_ARP,	 /* as somebody else */
	GUARD_IPV4,	 /* from an address that is not its own */
	GUARD_IPV6,	 /* likewise */
	GUARD_OPTIONS,	 /* IPv4 with a source route, IPv6 with more headers than anybody has */
	GUARD_FRAGMENT,	 /* the first one does not say what it is */
	GUARD_NEIGHBOUR, /* neighbour discovery as somebody else */
	GUARD_ROUTER,	 /* router advertisements, redirects, and other words of routers */
	GUARD_DHCP,	 /* answers of a DHCP or DHCPv6 server */
	GUARD_QUERY,	 /* IGMP and MLD queries, which are a router's */
	GUARD_SMTP,	 /* mail (tcp/25), which is closed */
	GUARD_BROADCAST, /* more broadcasts and multicasts than it may send */
	GUARD_PACKET_RATE, /* more packets than its rate, in or out */
	GUARD_FOREIGN,	   /* on its way to the VPS, and for somebody else */
};
#define GUARD_REASONS 18

/* "mac", "arp", ... for JSON, and what it says in words. */
const char *guard_reason_name(enum guard_reason reason);
const char *guard_reason_text(enum guard_reason reason);

/*
 * Bring the guard of VPS @id to @link's, from whatever it is: addresses and prefixes that are
 * its own, SMTP, packet rate.  It is loaded and attached where it is not.  What is there is
 * replaced at once: no packet meets half of it.  A kernel that cannot do that is ERR_KERNEL:
 * no guard, no link.
 */
int link_guard(unsigned id, const struct bridge *bridge, const struct link *link,
	       struct err *err);

/*
 * Compare the kernel with @link: are both programs there, ours, and first, and do they hold
 * what @link says?  Like link_diff(); what differs link_guard() mends.
 */
int link_guard_diff(unsigned id, const struct bridge *bridge, const struct link *link,
		    int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		    void *arg, struct err *err);

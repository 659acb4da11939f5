/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "err.h"
#include "netlink.h"
#include "nft_msg.h"
#include "own.h"
#include "str.h"

/*
 * Maps and chains are added if missing and only chains are emptied, so that
 * forwards of running VPSs survive.  The whole is one transaction: no packet
 * ever meets half of it.
 *
 * A hook that finds an established connection's NAT does nothing but look up
 * one hash, and new connections cost one more: whatever the number of VPSs.
 * No connection to 127.0.0.1 is forwarded, for that would need route_localnet.
 */
static const char frame[] =
    "add table inet nodectl\n"
    "add map inet nodectl tcp4 { type inet_service : ipv4_addr . inet_service; }\n"
    "add map inet nodectl udp4 { type inet_service : ipv4_addr . inet_service; }\n"
    "add map inet nodectl tcp6 { type inet_service : ipv6_addr . inet_service; }\n"
    "add map inet nodectl udp6 { type inet_service : ipv6_addr . inet_service; }\n"
    "add set inet nodectl loaded { type mark; }\n"
    "add chain inet nodectl forwards\n"
    "add chain inet nodectl prerouting { type nat hook prerouting priority -100; }\n"
    "add chain inet nodectl output { type nat hook output priority -100; }\n"
    "add chain inet nodectl postrouting { type nat hook postrouting priority 100; }\n"
    "add chain inet nodectl input { type filter hook input priority 0; }\n"
    "add chain inet nodectl forward { type filter hook forward priority 0; }\n"
    "flush chain inet nodectl forwards\n"
    "flush chain inet nodectl prerouting\n"
    "flush chain inet nodectl output\n"
    "flush chain inet nodectl postrouting\n"
    "flush chain inet nodectl input\n"
    "flush chain inet nodectl forward\n"
    "flush set inet nodectl loaded\n"
    "add rule inet nodectl forwards ip daddr != 127.0.0.0/8 dnat ip to tcp dport map @tcp4\n"
    "add rule inet nodectl forwards ip daddr != 127.0.0.0/8 dnat ip to udp dport map @udp4\n"
    "add rule inet nodectl forwards ip6 daddr != ::1 dnat ip6 to tcp dport map @tcp6\n"
    "add rule inet nodectl forwards ip6 daddr != ::1 dnat ip6 to udp dport map @udp6\n"
    "add rule inet nodectl prerouting fib daddr type local jump forwards\n"
    "add rule inet nodectl output fib daddr type local jump forwards\n";

/*
 * A VPS reaches of the node itself: its own forwards, answers, echo and
 * neighbour discovery.  Another VPS it reaches by a forward only, although the
 * bridge would route what it refuses to switch.
 */
static const char guard[] =
    "add rule inet nodectl input iifname != \"%1$s\" accept\n"
    "add rule inet nodectl input ct state established,related accept\n"
    "add rule inet nodectl input icmp type echo-request accept\n"
    "add rule inet nodectl input icmpv6 type { echo-request, nd-neighbor-solicit, "
    "nd-neighbor-advert } accept\n"
    "add rule inet nodectl input drop\n"
    "add rule inet nodectl forward iifname \"%1$s\" oifname \"%1$s\" ct status ! dnat drop\n";

/*
 * To the world as the node.  And to a VPS of the same subnet through a forward,
 * as the gateway: its answer must come back through the node.
 */
static const char masquerade[] =
    "add rule inet nodectl postrouting %2$s saddr %3$s oifname != \"%1$s\" masquerade\n"
    "add rule inet nodectl postrouting %2$s saddr %3$s oifname \"%1$s\" ct status dnat "
    "masquerade\n";

/* FNV-1a: not against malice, but against an older nodectl's or other settings' table. */
static uint32_t fingerprint(const char *text)
{
	uint32_t hash = 2166136261U;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	return hash;
}

static void print_masquerade(FILE *out, const struct bridge *bridge,
			     const struct address *gateway)
{
	struct address network;
	char text[ADDRESS_TEXT];

	/* an IPv6 network that is no private one (fc00::/7) needs no disguise */
	if (!gateway->family ||
	    (gateway->family == AF_INET6 && (gateway->bytes[0] & 0xfe) != 0xfc))
		return;

	address_network(gateway, &network);
	address_print(&network, true, text, sizeof(text));
	fprintf(out, masquerade, bridge->name, gateway->family == AF_INET6 ? "ip6" : "ip",
		text);
}

uint32_t ruleset_print(const struct bridge *bridge, char *text, size_t size)
{
	own_file out = fmemopen(text, size, "w");
	uint32_t loaded;

	assert(out);
	fputs(frame, out);
	print_masquerade(out, bridge, &bridge->ipv4);
	print_masquerade(out, bridge, &bridge->ipv6);
	fprintf(out, guard, bridge->name);
	fflush(out);

	loaded = fingerprint(text);
	fprintf(out, "add element inet nodectl loaded { 0x%08x }\n", loaded);
	return loaded;
}

static int ruleset_is_loaded(uint32_t loaded, struct err *err)
{
	struct nft_element mark = { .key_size = sizeof(loaded) };
	struct netlink_batch batch;
	own_fd fd = netlink_open(NETLINK_NETFILTER, err);

	if (fd < 0)
		return -1;
	memcpy(mark.key, &loaded, sizeof(loaded));
	netlink_start(&batch);
	nft_put_element_get(netlink_next(&batch, "look for the nft table", 0), "loaded", &mark);
	if (netlink_run(fd, &batch, NULL, NULL, err) == 0)
		return true;
	return err->code == ENOENT ? false : -1;
}

int ruleset_ensure(const struct bridge *bridge, struct err *err)
{
	char text[RULESET_MAX];
	uint32_t loaded = ruleset_print(bridge, text, sizeof(text));
	int there = ruleset_is_loaded(loaded, err);

	if (there < 0 || there > 0)
		return there < 0 ? -1 : 0;
	return nft_run(text, err);
}

int ruleset_remove(struct err *err)
{
	struct netlink_batch batch;
	own_fd fd = netlink_open(NETLINK_NETFILTER, err);

	if (fd < 0)
		return -1;
	netlink_start(&batch);
	nft_put_begin(netlink_next(&batch, "remove the nft table", 0));
	nft_put_table_delete(netlink_next(&batch, "remove the nft table", ENOENT));
	nft_put_end(netlink_next(&batch, "remove the nft table", 0));
	return netlink_run(fd, &batch, NULL, NULL, err);
}

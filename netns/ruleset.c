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
#include "bridge.h"
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
    "add table inet $t\n"
    "add map inet $t tcp4 { type inet_service : ipv4_addr . inet_service; }\n"
    "add map inet $t udp4 { type inet_service : ipv4_addr . inet_service; }\n"
    "add map inet $t tcp6 { type inet_service : ipv6_addr . inet_service; }\n"
    "add map inet $t udp6 { type inet_service : ipv6_addr . inet_service; }\n"
    "add map inet $t tcp4at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }\n"
    "add map inet $t udp4at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }\n"
    "add map inet $t tcp6at { type ipv6_addr . inet_service : ipv6_addr . inet_service; }\n"
    "add map inet $t udp6at { type ipv6_addr . inet_service : ipv6_addr . inet_service; }\n"
    "add set inet $t loaded { type mark; }\n"
    "add chain inet $t forwards\n"
    "add chain inet $t prerouting { type nat hook prerouting priority -100; }\n"
    "add chain inet $t output { type nat hook output priority -100; }\n"
    "add chain inet $t postrouting { type nat hook postrouting priority 100; }\n"
    "add chain inet $t input { type filter hook input priority 0; }\n"
    "add chain inet $t forward { type filter hook forward priority 0; }\n"
    "flush chain inet $t forwards\n"
    "flush chain inet $t prerouting\n"
    "flush chain inet $t output\n"
    "flush chain inet $t postrouting\n"
    "flush chain inet $t input\n"
    "flush chain inet $t forward\n"
    "flush set inet $t loaded\n"
    "add rule inet $t forwards dnat ip to ip daddr . tcp dport map @tcp4at\n"
    "add rule inet $t forwards dnat ip to ip daddr . udp dport map @udp4at\n"
    "add rule inet $t forwards dnat ip6 to ip6 daddr . tcp dport map @tcp6at\n"
    "add rule inet $t forwards dnat ip6 to ip6 daddr . udp dport map @udp6at\n"
    "add rule inet $t forwards ip daddr != 127.0.0.0/8 dnat ip to tcp dport map @tcp4\n"
    "add rule inet $t forwards ip daddr != 127.0.0.0/8 dnat ip to udp dport map @udp4\n"
    "add rule inet $t forwards ip6 daddr != ::1 dnat ip6 to tcp dport map @tcp6\n"
    "add rule inet $t forwards ip6 daddr != ::1 dnat ip6 to udp dport map @udp6\n"
    "add rule inet $t prerouting fib daddr type local jump forwards\n"
    "add rule inet $t output fib daddr type local jump forwards\n";

/*
 * A VPS reaches of the node itself: its own forwards, answers, echo and
 * neighbour discovery.  Another VPS, of whichever node on this machine, it reaches
 * by a forward only, although the kernel would route what the bridge refuses to
 * switch.
 * Where br_netfilter shows us what the bridge switches: that is not through the node, and not
 * between VPSs, which the bridge keeps apart.  It routes what is to its own MAC address, and to
 * those of its ports, which a VPS might send to as well: 06:6e:64 begins those of links
 * (link_mac()), and what is to that of the uplink the rules of the bridge let no further.
 */
static const char switched[] =
    "add rule inet $t forward iifname \"$b\" oifname \"$b\" ether daddr != $m "
    "ether daddr & ff:ff:ff:00:00:00 != 06:6e:64:00:00:00 accept\n";

/*
 */
static const char guard[] =
    "add rule inet $t input iifname != \"$b\" meta iifgroup != $o accept\n"
    "add rule inet $t input ct state established,related accept\n"
    "add rule inet $t input icmp type echo-request accept\n"
    "add rule inet $t input icmpv6 type { echo-request, nd-neighbor-solicit, "
    "nd-neighbor-advert } accept\n"
    "add rule inet $t input drop\n"
    "add rule inet $t forward meta iifgroup and 0xffff0000 == $a "
    "meta oifgroup and 0xffff0000 == $a ct status ! dnat drop\n";

/*
 * To the world as the node.  And to a VPS of the same subnet through a forward,
 * as the gateway: its answer must come back through the node.  The interface of one that is
 * routed, which is in the bridge's group, has no address that could be taken for that.
 */
static const char masquerade[] =
    "add rule inet $t postrouting $f saddr $n oifname != \"$b\" meta oifgroup != $o "
    "masquerade\n"
    "add rule inet $t postrouting $f saddr $n oifname \"$b\" ct status dnat "
    "masquerade\n"
    "add rule inet $t postrouting $f saddr $n meta oifgroup $o ct status dnat "
    "snat $f to $w\n";

/*
 * One whose way out is not the node would answer whoever came by a forward past the node: it
 * is the node that comes to it.
 */
static const char beside[] =
    "add rule inet $t postrouting $f daddr $n oifname \"$b\" ct status dnat masquerade\n";

void bridge_table(const struct bridge *bridge, char table[BRIDGE_TABLE])
{
	bool usual = strcmp(bridge->name, BRIDGE_DEFAULT) == 0;

	str_format(table, BRIDGE_TABLE, usual ? "nodectl" : "nodectl-%s", bridge->name);
}

/* What stands for "$t" and its like in the texts above. */
struct words {
	const char *table, *bridge, *family, *network, *gateway, *groups, *own, *mac;
};

static const char *word_of(const struct words *words, char letter)
{
	switch (letter) {
	case 't':
		return words->table;
	case 'b':
		return words->bridge;
	case 'f':
		return words->family;
	case 'a':
		return words->groups;
	case 'o':
		return words->own;
	case 'w':
		return words->gateway;
	case 'm':
		return words->mac;
	case 'n':
		return words->network;
	}
	assert(!"a letter of the texts");
	return "";
}

static void rules_print(FILE *out, const char *text, const struct words *words)
{
	for (; *text; text++) {
		if (*text == '$')
			fputs(word_of(words, *++text), out);
		else
			fputc(*text, out);
	}
}

/* FNV-1a: not against malice, but against an older nodectl's or other settings' table. */
static uint32_t fingerprint(const char *text)
{
	uint32_t hash = 2166136261U;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	return hash;
}

static void masquerade_print(FILE *out, const struct words *words,
			     const struct address *gateway)
{
	struct words here = *words;
	struct address network;
	char text[ADDRESS_TEXT], way[ADDRESS_TEXT];

	/* an IPv6 network that is no private one (fc00::/7) needs no disguise */
	if (!gateway->family ||
	    (gateway->family == AF_INET6 && (gateway->bytes[0] & 0xfe) != 0xfc))
		return;

	address_network(gateway, &network);
	address_print(&network, true, text, sizeof(text));
	here.family = gateway->family == AF_INET6 ? "ip6" : "ip";
	here.network = text;
	address_print(gateway, false, way, sizeof(way));
	here.gateway = way;
	rules_print(out, masquerade, &here);
}

static void ways_print(FILE *out, const struct words *words, const struct bridge *bridge)
{
	for (unsigned i = 0; i < BRIDGE_WAYS_MAX && bridge->ways[i].network.family; i++) {
		const struct address *network = &bridge->ways[i].network;
		struct words here = *words;
		char text[ADDRESS_TEXT];

		address_print(network, true, text, sizeof(text));
		here.family = network->family == AF_INET6 ? "ip6" : "ip";
		here.network = text;
		rules_print(out, beside, &here);
	}
}

uint32_t bridge_group(const struct bridge *bridge)
{
	return NODE_GROUPS | (fingerprint(bridge->name) & 0xffff);
}

uint32_t ruleset_print(const struct bridge *bridge, char *text, size_t size)
{
	own_file out = xfmemopen(text, size);
	char table[BRIDGE_TABLE];
	char groups[16], own[16];
	char mac[MAC_TEXT];
	const struct words words = {
		.table = table, .bridge = bridge->name, .groups = groups, .own = own, .mac = mac
	};
	uint32_t loaded;

	bridge_table(bridge, table);
	str_format(groups, sizeof(groups), "0x%08x", NODE_GROUPS);
	str_format(own, sizeof(own), "0x%08x", bridge_group(bridge));
	rules_print(out, frame, &words);
	masquerade_print(out, &words, &bridge->ipv4);
	masquerade_print(out, &words, &bridge->ipv6);
	ways_print(out, &words, bridge);
	mac_print(link_mac(0, false), mac);
	if (bridge->ways[0].network.family)
		rules_print(out, switched, &words);
	rules_print(out, guard, &words);
	fflush(out);

	loaded = fingerprint(text);
	fprintf(out, "add element inet %s loaded { 0x%08x }\n", table, loaded);
	return loaded;
}

static int ruleset_is_loaded(const struct bridge *bridge, uint32_t loaded, struct err *err)
{
	struct nft_element mark = { .key_size = sizeof(loaded) };
	char table[BRIDGE_TABLE];
	struct netlink_batch batch;
	own_fd fd = netlink_open(NETLINK_NETFILTER, err);

	if (fd < 0)
		return -1;
	bridge_table(bridge, table);
	memcpy(mark.key, &loaded, sizeof(loaded));
	netlink_start(&batch);
	nft_put_element_get(netlink_next(&batch, "look for the nft table", 0), table, "loaded",
			    &mark);
	if (netlink_run(fd, &batch, NULL, NULL, err) == 0)
		return true;
	return err->code == ENOENT ? false : -1;
}

int ruleset_ensure(const struct bridge *bridge, struct err *err)
{
	char text[RULESET_MAX];
	uint32_t loaded = ruleset_print(bridge, text, sizeof(text));
	int there = ruleset_is_loaded(bridge, loaded, err);

	if (there < 0 || there > 0)
		return there < 0 ? -1 : 0;
	return nft_run(text, err);
}

int ruleset_remove(const struct bridge *bridge, struct err *err)
{
	char table[BRIDGE_TABLE];
	struct netlink_batch batch;
	own_fd fd = netlink_open(NETLINK_NETFILTER, err);

	if (fd < 0)
		return -1;
	bridge_table(bridge, table);
	netlink_start(&batch);
	nft_put_begin(netlink_next(&batch, "remove the nft table", 0));
	nft_put_table_delete(netlink_next(&batch, "remove the nft table", ENOENT), table);
	nft_put_end(netlink_next(&batch, "remove the nft table", 0));
	return netlink_run(fd, &batch, NULL, NULL, err);
}

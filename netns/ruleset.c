/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
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
#include "uplink.h"

/* Interfaces of a nodectl; the lower half says of which. */
#define NODE_GROUPS 0x6e640000u

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
    "add set inet $t shut4 { type ipv4_addr . inet_proto; flags interval; }\n"
    "add set inet $t shut6 { type ipv6_addr . inet_proto; flags interval; }\n"
    "add set inet $t open4 { type ipv4_addr . inet_proto . inet_service; flags interval; }\n"
    "add set inet $t open6 { type ipv6_addr . inet_proto . inet_service; flags interval; }\n"
    "add set inet $t closed4 { type ipv4_addr; }\n"
    "add set inet $t closed6 { type ipv6_addr; }\n"
    "add set inet $t port4 { type ipv4_addr . inet_proto . inet_service; }\n"
    "add set inet $t port6 { type ipv6_addr . inet_proto . inet_service; }\n"
    "add set inet $t protocol4 { type ipv4_addr . inet_proto; }\n"
    "add set inet $t protocol6 { type ipv6_addr . inet_proto; }\n"
    "add map inet $t network4 { type ipv4_addr : mark; }\n"
    "add map inet $t network6 { type ipv6_addr : mark; }\n"
    "add set inet $t member4 { type ipv4_addr . mark; }\n"
    "add set inet $t member6 { type ipv6_addr . mark; }\n"
    "add set inet $t loaded { type mark; }\n"
    "add chain inet $t forwards\n"
    "add chain inet $t prerouting { type nat hook prerouting priority -100; }\n"
    "add chain inet $t output { type nat hook output priority -100; }\n"
    "add chain inet $t postrouting { type nat hook postrouting priority 100; }\n"
    "add chain inet $t input { type filter hook input priority 0; }\n"
    "add chain inet $t forward { type filter hook forward priority 0; }\n"
    "add chain inet $t between\n"
    "add chain inet $t shut\n"
    "add chain inet $t arriving { type filter hook postrouting priority 0; }\n"
    "flush chain inet $t forwards\n"
    "flush chain inet $t prerouting\n"
    "flush chain inet $t output\n"
    "flush chain inet $t postrouting\n"
    "flush chain inet $t input\n"
    "flush chain inet $t forward\n"
    "flush chain inet $t between\n"
    "flush chain inet $t shut\n"
    "flush chain inet $t arriving\n"
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
 * Where br_netfilter shows us what the bridge switches: that is not through the node, and not
 * between VPSs, which the bridge keeps apart.  It routes what is to its own MAC address, and to
 * those of its ports, which a VPS might send to as well: 06:6e:64 begins those of links
 * (link_mac()), and what is to that of the uplink the rules of the bridge let no further.
 */
static const char switched[] =
    "add rule inet $t forward iifname \"$b\" oifname \"$b\" ether daddr != $m "
    "ether daddr & ff:ff:ff:00:00:00 != 06:6e:64:00:00:00 accept\n";

/*
 * A VPS reaches of the node itself, at whichever of its addresses: forwards, answers, echo,
 * neighbour discovery, and what the operator opens.  Not through the node what is beside it
 * only, like the description that clouds have of a machine at 169.254.169.254, or at the IPv6
 * addresses that AWS and GCP give it.  Another VPS, of
 * whichever node on this machine, it reaches by a forward or on a network of both only,
 * although the kernel would route what the bridge refuses to switch.
 */
static const char guard[] =
    "add rule inet $t input iifname != \"$b\" meta iifgroup != $o accept\n"
    "add rule inet $t input ct state established,related accept\n"
    "add rule inet $t input icmp type echo-request accept\n"
    "add rule inet $t input icmpv6 type { echo-request, nd-neighbor-solicit, "
    "nd-neighbor-advert } accept\n"
    "add rule inet $t forward meta iifgroup $o ip daddr 169.254.0.0/16 drop\n"
    "add rule inet $t forward meta iifgroup $o ip6 daddr { fd00:ec2::254, fd20:ce::254 } drop\n"
    "add rule inet $t forward meta iifgroup $o meta oifgroup and 0xffff0000 == $a "
    "ct status ! dnat goto between\n"
    "add rule inet $t forward meta iifgroup and 0xffff0000 == $a meta oifgroup $o "
    "ct status ! dnat goto between\n";

/*
 * From VPS to VPS: only what is from a member of a network to another.  The mark is the number
 * of the network while we look, and nobody else's business.  Whatever the number of networks
 * and members it is two looks.
 */
static const char between[] =
    "add rule inet $t between meta mark set 0\n"
    "add rule inet $t between meta mark set ip saddr map @network4\n"
    "add rule inet $t between meta mark set ip6 saddr map @network6\n"
    "add rule inet $t between meta mark 0 drop\n"
    "add rule inet $t between ip daddr . meta mark @member4 meta mark set 0 accept\n"
    "add rule inet $t between ip6 daddr . meta mark @member6 meta mark set 0 accept\n"
    "add rule inet $t between drop\n";

/*
 * What may come in to VPSs that are not open to all: looked at where forwarded packets and the
 * node's own have their last address, whatever interface leads there.  ICMP has no ports: the
 * two bytes in their place are its checksum, and it is named without them, or with all.  Errors
 * that belong to a connection are "related".
 */
static const char wall[] =
    "add rule inet $t shut icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
    "add rule inet $t shut ip daddr . meta l4proto @protocol4 accept\n"
    "add rule inet $t shut ip6 daddr . meta l4proto @protocol6 accept\n"
    "add rule inet $t shut ip daddr . meta l4proto . th dport @port4 accept\n"
    "add rule inet $t shut ip6 daddr . meta l4proto . th dport @port6 accept\n"
    "add rule inet $t shut ip daddr . meta l4proto . th dport @open4 accept\n"
    "add rule inet $t shut ip6 daddr . meta l4proto . th dport @open6 accept\n"
    "add rule inet $t shut drop\n"
    "add rule inet $t arriving ct state established,related accept\n"
    "add rule inet $t arriving ip daddr @closed4 goto shut\n"
    "add rule inet $t arriving ip6 daddr @closed6 goto shut\n"
    "add rule inet $t arriving ip daddr . meta l4proto @shut4 goto shut\n"
    "add rule inet $t arriving ip6 daddr . meta l4proto @shut6 goto shut\n";

/*
 * How many connections each VPS may have in the node's table of them, which all share: those
 * that it begins by its MAC address, which is its own whatever addresses it has, and those that
 * come to it by address.  What is dropped here was in no table yet.  Addresses are in hashes,
 * and prefixes only in sets of ranges, all of which the kernel copies for a change of one.
 *
 * Each element has a count of its own; that of the set is for nft alone, which wants it.  It
 * must never be used: Linux 6.18 forgets one user of connection tracking for each element that
 * has its count from the set, and turns tracking off when it believes that there is none left.
 */
static const char bound[] =
    "add table inet $t\n"
    "add set inet $t conns { type ether_addr; ct count over 65536; }\n"
    "add set inet $t conns4 { type ipv4_addr; ct count over 65536; }\n"
    "add set inet $t conns6 { type ipv6_addr; ct count over 65536; }\n"
    "add set inet $t nets4 { type ipv4_addr . inet_proto; flags interval; ct count over "
    "65536; }\n"
    "add set inet $t nets6 { type ipv6_addr . inet_proto; flags interval; ct count over "
    "65536; }\n"
    "add chain inet $t beginning { type filter hook prerouting priority -150; }\n"
    "add chain inet $t received { type filter hook postrouting priority 0; }\n"
    "flush chain inet $t beginning\n"
    "flush chain inet $t received\n"
    "add rule inet $t beginning ct state new ether saddr @conns drop\n"
    "add rule inet $t received ct state new ip daddr @conns4 drop\n"
    "add rule inet $t received ct state new ip6 daddr @conns6 drop\n"
    "add rule inet $t received ct state new ip daddr . meta l4proto @nets4 drop\n"
    "add rule inet $t received ct state new ip6 daddr . meta l4proto @nets6 drop\n";

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

/*
 * What goes by the uplink is switched and not routed, so that the rules above never see it. The
 * node has no part in it: what comes from there is not for it, and nothing of its own leaves
 * there.  Only what is of the ways (@p, @q) passes, so that neither the subnets nor their
 * gateways are seen on both sides.  Who is connected to a network is told nothing by strangers:
 * neither addresses nor routers.
 *
 * All that comes is looked at in the hook prerouting, in front of br_netfilter.  These hooks
 * see the frames of all bridges: what is not of VPSs or the uplink is none of our business.
 *
 * Connection tracking is not for bridges in many kernels.  What a VPS may be sent that is not
 * open to all is found without: TCP begins with a packet that no other looks like; of all else
 * we remember with whom the VPS has spoken.  A VPS that speaks with too many within a time is
 * not remembered, so that it cannot take the room of others.
 */
static const char uplink_frame[] =
    "add table bridge $t\n"
    "add set bridge $t shut4 { type ipv4_addr . inet_proto; flags interval; }\n"
    "add set bridge $t shut6 { type ipv6_addr . inet_proto; flags interval; }\n"
    "add set bridge $t open4 { type ipv4_addr . inet_proto . inet_service; flags interval; }\n"
    "add set bridge $t open6 { type ipv6_addr . inet_proto . inet_service; flags interval; }\n"
    "add set bridge $t here4 { type ipv4_addr . inet_proto; flags interval; }\n"
    "add set bridge $t here6 { type ipv6_addr . inet_proto; flags interval; }\n"
    "add set bridge $t talk4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service . "
    "inet_service; flags dynamic,timeout; timeout 2m; size 262144; }\n"
    "add set bridge $t talk6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service . "
    "inet_service; flags dynamic,timeout; timeout 2m; size 262144; }\n"
    "add set bridge $t tell4 { type ipv4_addr . ipv4_addr . inet_proto; flags dynamic,timeout; "
    "timeout 2m; size 262144; }\n"
    "add set bridge $t tell6 { type ipv6_addr . ipv6_addr . inet_proto; flags dynamic,timeout; "
    "timeout 2m; size 262144; }\n"
    "add set bridge $t pace { type ether_addr; flags dynamic,timeout; timeout 1m; size 65536; "
    "}\n"
    "add set bridge $t loaded { type mark; }\n"
    "add chain bridge $t arriving { type filter hook prerouting priority -300; }\n"
    "add chain bridge $t leaving { type filter hook forward priority -300; }\n"
    "add chain bridge $t input { type filter hook input priority -300; }\n"
    "add chain bridge $t output { type filter hook output priority -300; }\n"
    "add chain bridge $t shut\n"
    "add chain bridge $t near\n"
    "add chain bridge $t note\n"
    "add chain bridge $t talk\n"
    "add chain bridge $t tell\n"
    "flush chain bridge $t arriving\n"
    "flush chain bridge $t leaving\n"
    "flush chain bridge $t input\n"
    "flush chain bridge $t output\n"
    "flush chain bridge $t shut\n"
    "flush chain bridge $t near\n"
    "flush chain bridge $t note\n"
    "flush chain bridge $t talk\n"
    "flush chain bridge $t tell\n"
    "flush set bridge $t loaded\n"
    "add rule bridge $t input iifname \"$u\" drop\n"
    "add rule bridge $t input iifname \"nv*\" ether daddr & 01:00:00:00:00:00 == "
    "00:00:00:00:00:00 ether daddr != $m drop\n"
    "add rule bridge $t output oifname \"$u\" drop\n";

static const char uplink_arriving[] =
    "add rule bridge $t arriving iifname != \"$u\" accept\n"
    "add rule bridge $t arriving ether type != { ip, ip6, arp } drop\n"
    "add rule bridge $t arriving arp daddr ip != { $p } drop\n"
    "add rule bridge $t arriving arp saddr ip $n drop\n"
    "add rule bridge $t arriving ip daddr != { $p } drop\n"
    "add rule bridge $t arriving ip saddr { $n, 169.254.0.0/16 } drop\n"
    "add rule bridge $t arriving ip6 daddr != { $q, fe80::/10, ff02::/16 } drop\n"
    "add rule bridge $t arriving ip6 saddr $s drop\n"
    /* of the link itself only what finds neighbours */
    "add rule bridge $t arriving ip6 daddr { fe80::/10, ff02::/16 } meta l4proto != icmpv6 "
    "drop\n"
    "add rule bridge $t arriving ip6 daddr { fe80::/10, ff02::/16 } icmpv6 type != { "
    "nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } drop\n"
    /* and of VPSs only to those that run, with their walls */
    "add rule bridge $t arriving ip daddr . meta l4proto != @here4 drop\n"
    "add rule bridge $t arriving ip6 daddr != { fe80::/10, ff02::/16 } "
    "ip6 daddr . meta l4proto != @here6 drop\n"
    "add rule bridge $t arriving ip saddr . meta l4proto @here4 drop\n"
    "add rule bridge $t arriving ip6 saddr . meta l4proto @here6 drop\n"
    "add rule bridge $t arriving icmpv6 type { nd-router-advert, nd-redirect } drop\n"
    "add rule bridge $t arriving icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } "
    "@th,64,$l 0x$h drop\n"
    "add rule bridge $t arriving udp sport { 67, 547 } drop\n"
    "add rule bridge $t arriving ip daddr . meta l4proto @shut4 goto shut\n"
    "add rule bridge $t arriving ip6 daddr . meta l4proto @shut6 goto shut\n"
    "add rule bridge $t shut icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, "
    "echo-reply, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } "
    "accept\n"
    "add rule bridge $t shut icmp type { echo-reply, destination-unreachable, time-exceeded, "
    "parameter-problem } accept\n"
    /* the second could say otherwise than the first what begins a connection */
    "add rule bridge $t shut ip protocol tcp ip frag-off & 0x1fff == 1 drop\n"
    "add rule bridge $t shut ip frag-off & 0x1fff != 0 accept\n"
    "add rule bridge $t shut frag frag-off != 0 accept\n"
    "add rule bridge $t shut ip daddr . meta l4proto . th dport @open4 accept\n"
    "add rule bridge $t shut ip6 daddr . meta l4proto . th dport @open6 accept\n"
    "add rule bridge $t shut tcp flags & (syn | ack) != syn accept\n"
    "add rule bridge $t shut ip daddr . ip saddr . meta l4proto . th dport . th sport @talk4 "
    "accept\n"
    "add rule bridge $t shut ip6 daddr . ip6 saddr . meta l4proto . th dport . th sport @talk6 "
    "accept\n"
    "add rule bridge $t shut ip daddr . ip saddr . meta l4proto @tell4 accept\n"
    "add rule bridge $t shut ip6 daddr . ip6 saddr . meta l4proto @tell6 accept\n"
    "add rule bridge $t shut drop\n";

static const char uplink_leaving[] =
    "add rule bridge $t leaving oifname != \"$u\" accept\n"
    "add rule bridge $t leaving ether type != { ip, ip6, arp } drop\n"
    "add rule bridge $t leaving arp saddr ip != { $p } drop\n"
    "add rule bridge $t leaving arp daddr ip $n drop\n"
    "add rule bridge $t leaving ip saddr != { $p } drop\n"
    "add rule bridge $t leaving ip daddr { $n, 169.254.0.0/16 } drop\n"
    "add rule bridge $t leaving ip6 saddr != { $q, ::, fe80::/10 } drop\n"
    "add rule bridge $t leaving ip6 daddr { $s, fd00:ec2::254, fd20:ce::254 } drop\n"
    /* of the link itself only what finds neighbours, whichever end has such an address */
    "add rule bridge $t leaving ip6 saddr fe80::/10 jump near\n"
    "add rule bridge $t leaving ip6 daddr { fe80::/10, ff02::/16 } jump near\n"
    "add rule bridge $t near meta l4proto != icmpv6 drop\n"
    "add rule bridge $t near icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert, "
    "mld-listener-report, mld2-listener-report, mld-listener-done } drop\n"
    "add rule bridge $t leaving ip daddr . meta l4proto @here4 drop\n"
    "add rule bridge $t leaving ip6 daddr . meta l4proto @here6 drop\n"
    "add rule bridge $t leaving icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } "
    "@th,64,$l 0x$h drop\n"
    "add rule bridge $t leaving ip saddr . meta l4proto @shut4 jump note\n"
    "add rule bridge $t leaving ip6 saddr . meta l4proto @shut6 jump note\n"
    "add rule bridge $t note meta l4proto { tcp, icmp, icmpv6 } return\n"
    "add rule bridge $t note ip frag-off & 0x1fff != 0 return\n"
    "add rule bridge $t note frag frag-off != 0 return\n"
    "add rule bridge $t note meta l4proto { udp, udplite, sctp, dccp } goto talk\n"
    "add rule bridge $t note goto tell\n"
    /* whoever is known already stays so without being counted */
    "add rule bridge $t talk ip saddr . ip daddr . meta l4proto . th sport . th dport @talk4 "
    "update @talk4 { ip saddr . ip daddr . meta l4proto . th sport . th dport } return\n"
    "add rule bridge $t talk ip6 saddr . ip6 daddr . meta l4proto . th sport . th dport "
    "@talk6 update @talk6 { ip6 saddr . ip6 daddr . meta l4proto . th sport . th dport } "
    "return\n"
    "add rule bridge $t talk update @pace { ether saddr limit rate over 100/second burst 500 "
    "packets } return\n"
    "add rule bridge $t talk add @talk4 { ip saddr . ip daddr . meta l4proto . th sport . th "
    "dport }\n"
    "add rule bridge $t talk add @talk6 { ip6 saddr . ip6 daddr . meta l4proto . th sport . th "
    "dport }\n"
    "add rule bridge $t tell ip saddr . ip daddr . meta l4proto @tell4 update @tell4 { ip "
    "saddr "
    ". ip daddr . meta l4proto } return\n"
    "add rule bridge $t tell ip6 saddr . ip6 daddr . meta l4proto @tell6 update @tell6 { ip6 "
    "saddr . ip6 daddr . meta l4proto } return\n"
    "add rule bridge $t tell update @pace { ether saddr limit rate over 100/second burst 500 "
    "packets } return\n"
    "add rule bridge $t tell add @tell4 { ip saddr . ip daddr . meta l4proto }\n"
    "add rule bridge $t tell add @tell6 { ip6 saddr . ip6 daddr . meta l4proto }\n";

void bridge_table(const struct bridge *bridge, char table[BRIDGE_TABLE])
{
	bool usual = strcmp(bridge->name, BRIDGE_DEFAULT) == 0;

	str_format(table, BRIDGE_TABLE, usual ? "nodectl" : "nodectl-%s", bridge->name);
}

/* What stands for "$t" and its like in the texts above. */
struct words {
	const char *table, *bridge, *family, *network, *gateway, *groups, *own, *mac;
	/* of the uplink: its name, the ways of both families, the subnet of IPv6, and of that
	 * the front as a number, and how many bits that has */
	const char *uplink, *ways4, *ways6, *network6, *front6, *bits6;
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
	case 'u':
		return words->uplink;
	case 'p':
		return words->ways4;
	case 'q':
		return words->ways6;
	case 's':
		return words->network6;
	case 'h':
		return words->front6;
	case 'l':
		return words->bits6;
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
		const char *word = *text == '$' ? word_of(words, *++text) : NULL;

		if (word)
			fputs(word, out);
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

/* The networks of a family as a list that is never empty: what nobody has stands for none. */
static void ways_list(const struct bridge *bridge, int family, char *text, size_t size)
{
	char one[ADDRESS_TEXT];

	str_format(text, size, family == AF_INET6 ? "::1" : "255.255.255.255");
	for (unsigned i = 0; i < BRIDGE_WAYS_MAX && bridge->ways[i].network.family; i++) {
		size_t used = strlen(text);

		if (bridge->ways[i].network.family != family)
			continue;
		address_print(&bridge->ways[i].network, true, one, sizeof(one));
		str_format(text + used, size - used, ", %s", one);
	}
}

/* What an address of the network begins with, in whole half-bytes. */
static void front_print(const struct address *network, char *front, size_t size, char *bits)
{
	unsigned digits = network->prefix / 4;

	for (unsigned i = 0; i < digits; i++)
		str_format(front + i, size - i, "%x",
			   i % 2 ? network->bytes[i / 2] & 15 : network->bytes[i / 2] >> 4);
	str_format(bits, 8, "%u", digits * 4);
}

static void uplink_print(FILE *out, const struct words *words, const struct bridge *bridge)
{
	const struct address none = { .family = AF_INET6,
				      .prefix = 128,
				      .bytes = { [15] = 1 } };
	char ways4[BRIDGE_WAYS_MAX * ADDRESS_TEXT], ways6[sizeof(ways4)], subnet[ADDRESS_TEXT];
	char subnet6[ADDRESS_TEXT], front[36] = "", bits[8];
	struct words here = *words;
	struct address network;

	ways_list(bridge, AF_INET, ways4, sizeof(ways4));
	ways_list(bridge, AF_INET6, ways6, sizeof(ways6));
	address_network(&bridge->ipv4, &network);
	address_print(&network, true, subnet, sizeof(subnet));
	address_network(bridge->ipv6.family ? &bridge->ipv6 : &none, &network);
	address_print(&network, true, subnet6, sizeof(subnet6));
	front_print(&network, front, sizeof(front), bits);
	here.uplink = bridge->uplink;
	here.ways4 = ways4;
	here.ways6 = ways6;
	here.network = subnet;
	here.network6 = subnet6;
	here.front6 = front;
	here.bits6 = bits;
	rules_print(out, uplink_frame, &here);
	rules_print(out, uplink_arriving, &here);
	rules_print(out, uplink_leaving, &here);
}

static void open_print(FILE *out, const struct bridge *bridge, const char *table)
{
	for (unsigned i = 0; i < bridge->open.count; i++) {
		const struct port_range *range = &bridge->open.list[i];

		/* ICMP is open */
		if (range->protocol != IPPROTO_ICMP)
			fprintf(out, "add rule inet %s input %s dport %u-%u accept\n", table,
				range->protocol == IPPROTO_UDP ? "udp" : "tcp", range->first,
				range->last);
	}
	fprintf(out, "add rule inet %s input drop\n", table);
}

uint32_t bridge_group(const struct bridge *bridge)
{
	return NODE_GROUPS | (fingerprint(bridge->name) & 0xffff);
}

void ruleset_bound_print(const struct bridge *bridge, char *text, size_t size)
{
	own_file out = xfmemopen(text, size);
	char table[BRIDGE_TABLE];
	const struct words words = { .table = table, .bridge = bridge->name };

	bridge_table(bridge, table);
	rules_print(out, bound, &words);
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
	open_print(out, bridge, table);
	rules_print(out, between, &words);
	rules_print(out, wall, &words);
	if (bridge->uplink[0])
		uplink_print(out, &words, bridge);
	fflush(out);

	loaded = fingerprint(text) ^ fingerprint(bound);
	fprintf(out, "add element inet %s loaded { 0x%08x }\n", table, loaded);
	if (bridge->uplink[0])
		fprintf(out, "add element bridge %s loaded { 0x%08x }\n", table, loaded);
	return loaded;
}

/* In the table of either family. */
static int has_mark(const struct bridge *bridge, bool of_bridge, uint32_t loaded,
		    struct err *err)
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
	struct nlmsghdr *nlh = netlink_next(&batch, "look for the nft table", 0);

	nft_put_element_get(nlh, table, "loaded", &mark);
	if (of_bridge)
		nft_of_bridge(nlh);
	if (netlink_run(fd, &batch, NULL, NULL, err) == 0)
		return true;
	return err->code == ENOENT ? false : -1;
}

static int has_fingerprint(const struct bridge *bridge, uint32_t loaded, struct err *err)
{
	int there = has_mark(bridge, false, loaded, err);

	return there > 0 && bridge->uplink[0] ? has_mark(bridge, true, loaded, err) : there;
}

int ruleset_is_loaded(const struct bridge *bridge, struct err *err)
{
	char text[RULESET_MAX];

	return has_fingerprint(bridge, ruleset_print(bridge, text, sizeof(text)), err);
}

/* The table of the bridge family. */
static int bound_remove(const struct bridge *bridge, struct err *err)
{
	char table[BRIDGE_TABLE];
	struct netlink_batch batch;
	own_fd fd = netlink_open(NETLINK_NETFILTER, err);

	if (fd < 0)
		return -1;
	bridge_table(bridge, table);
	netlink_start(&batch);
	nft_put_begin(netlink_next(&batch, "remove the nft table", 0));
	struct nlmsghdr *nlh = netlink_next(&batch, "remove the nft table", ENOENT);

	nft_put_table_delete(nlh, table);
	nft_of_bridge(nlh);
	nft_put_end(netlink_next(&batch, "remove the nft table", 0));
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/* A port that is the uplink no more leaves while what it brings is still looked at. */
int ruleset_ensure(const struct bridge *bridge, struct err *err)
{
	char text[RULESET_MAX], part[RULESET_BOUND_MAX];
	struct err lacking;
	uint32_t loaded = ruleset_print(bridge, text, sizeof(text));
	int there = has_fingerprint(bridge, loaded, err);

	if (there < 0 || there > 0)
		return there < 0 ? -1 : 0;
	if (uplink_leave(bridge, err) < 0)
		return -1;
	ruleset_bound_print(bridge, part, sizeof(part));
	/* of the rest nobody could tell whether this one is there */
	if (nft_run(part, &lacking) < 0 && lacking.kind != ERR_KERNEL) {
		*err = lacking;
		return -1;
	}
	if (nft_run(text, err) < 0)
		return -1;
	/* a kernel without tables of this family has none to remove */
	if (!bridge->uplink[0])
		(void)bound_remove(bridge, &lacking);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "guard.h"
#include "guard_map.h"

/*
 * The guard of all VPSs: one program for what they send and one for what they receive, which
 * know by the interface whose it is.  What is read is made linear first (have()): a tenant that
 * sends by PACKET_TX_RING goes on writing to the pages of a packet while we look at it, and the
 * linear part is the kernel's own copy.
 *
 * Whoever changes a rule changes tests/guard/model.c, which says the same in other words.
 */

#define PASS (-1)

#define HEADERS_MAX 8	/* extension headers of IPv6 */
#define CHAIN_MAX   512 /* bytes up to the upper layer */
#define ND_OPTIONS  8

#define ARP_REQUEST    1
#define ARP_REPLY      2
#define IPPROTO_HIP    139
#define IPPROTO_SHIM6  140
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_LSRR    131
#define OPTION_SSRR    137
#define PORT_SMTP      25
#define PORT_DHCP      67
#define PORT_DHCPV6    547
#define IGMP_QUERY     0x11
#define ICMP_REDIRECT_ 5
#define ICMP_ROUTER    9

enum {
	MLD_QUERY = 130,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ND_RS = 133,
	ND_RA = 134,
	ND_NS = 135,
	ND_NA = 136,
	ND_REDIRECT = 137,
	ROUTER_RENUMBERING = 138,
	MLD2_REPORT = 143,
	SEND_CPA = 149,
	MRD_ADVERTISEMENT = 151,
	MRD_TERMINATION = 153,
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct guard_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct guard_cell);
} meter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, struct guard_free);
	__type(value, __u8);
} free SEC(".maps");

/* What the checks find out on their way. */
struct frame {
	__u32 v6, ip;	  /* one or zero: the verifier follows no bool */
	bool group;	  /* to more than one */
	bool unspecified; /* IPv6 from :: */
	bool fragmented;
	__u8 upper;	       /* protocol */
	__u32 off, end;	       /* of the upper layer, and of the packet */
	__u8 to[16], from[16]; /* IPv4 as ::ffff:a.b.c.d, for the meter */
};

/* Are the first @end bytes of the packet there, and nobody's but the kernel's? */
static __always_inline bool have(struct __sk_buff *skb, __u32 end)
{
	__u32 linear = (__u32)((long)skb->data_end - (long)skb->data);

	if (end <= linear)
		return true;
	return end <= skb->len && bpf_skb_pull_data(skb, end) == 0;
}

static __always_inline bool load(struct __sk_buff *skb, __u32 off, void *to, __u32 len)
{
	return have(skb, off + len) && bpf_skb_load_bytes(skb, off, to, len) == 0;
}

static __always_inline bool is_mac(const struct guard_port *port, const __u8 *mac)
{
	return mac[0] == port->mac[0] && mac[1] == port->mac[1] && mac[2] == port->mac[2] &&
	       mac[3] == port->mac[3] && mac[4] == port->mac[4] && mac[5] == port->mac[5];
}

static __noinline bool own4(const struct guard_port *port, __u32 address)
{
	for (__u32 i = 0; i < GUARD_OWN; i++) {
		if (i >= port->count4)
			return false;
		if ((address & port->own4[i].mask) == port->own4[i].network)
			return true;
	}
	return false;
}

static __noinline bool own6(const struct guard_port *port, __u64 high, __u64 low)
{
	for (__u32 i = 0; i < GUARD_OWN; i++) {
		const struct guard_own6 *own = &port->own6[i];

		if (i >= port->count6)
			return false;
		if ((high & own->mask[0]) == own->network[0] &&
		    (low & own->mask[1]) == own->network[1])
			return true;
	}
	return false;
}

static __always_inline bool owns6(const struct guard_port *port, const void *address)
{
	__u64 half[2];

	__builtin_memcpy(half, address, sizeof(half));
	return own6(port, half[0], half[1]);
}

/*
 * A bucket that is one number: until when the packets so far would take at the rate.  Who is
 * ahead of now has none left.  Two CPUs at once may let one packet more through.
 */
static __always_inline bool take(__u64 *busy, __u64 interval, __u64 burst, __u64 packets)
{
	__u64 now = bpf_ktime_get_ns(), until = *busy;

	if (until + burst < now)
		*busy = until = now - burst;
	if (until > now)
		return false;
	__sync_fetch_and_add(busy, interval * packets);
	return true;
}

static __noinline int arp_check(struct __sk_buff *skb, const struct guard_port *port)
{
	struct {
		__be16 htype, ptype;
		__u8 hlen, plen;
		__be16 op;
		__u8 sha[6], spa[4], tha[6], tpa[4];
	} __attribute__((packed)) arp;
	__u32 spa, tpa;

	if (!load(skb, ETH_HLEN, &arp, sizeof(arp)))
		return GUARD_MALFORMED;
	__builtin_memcpy(&spa, arp.spa, 4);
	__builtin_memcpy(&tpa, arp.tpa, 4);
	if (arp.htype != bpf_htons(1) || arp.ptype != bpf_htons(ETH_P_IP) || arp.hlen != 6 ||
	    arp.plen != 4)
		return GUARD_ARP;
	if (arp.op != bpf_htons(ARP_REQUEST) && arp.op != bpf_htons(ARP_REPLY))
		return GUARD_ARP;
	if (!is_mac(port, arp.sha))
		return GUARD_ARP;
	if (own4(port, spa))
		return PASS;
	/* is my own address taken? */
	return spa == 0 && arp.op == bpf_htons(ARP_REQUEST) && own4(port, tpa) ? PASS
									       : GUARD_ARP;
}

/* TCP, UDP and the like, of which only the first bytes matter; a first fragment must have them.
 */
static __always_inline int ports_check(struct __sk_buff *skb, const struct guard_port *port,
				       const struct frame *frame)
{
	__be16 number[2];

	if (frame->off + sizeof(number) > frame->end)
		return frame->fragmented ? GUARD_FRAGMENT : GUARD_MALFORMED;
	if (!load(skb, frame->off, number, sizeof(number)))
		return GUARD_MALFORMED;
	if (frame->upper == IPPROTO_TCP)
		return !port->smtp && number[1] == bpf_htons(PORT_SMTP) ? GUARD_SMTP : PASS;
	if (number[0] == bpf_htons(frame->v6 ? PORT_DHCPV6 : PORT_DHCP))
		return GUARD_DHCP;
	return PASS;
}

static __always_inline int upper4_check(struct __sk_buff *skb, const struct guard_port *port,
					const struct frame *frame)
{
	__u8 type;

	if (frame->upper == IPPROTO_TCP || frame->upper == IPPROTO_UDP)
		return ports_check(skb, port, frame);
	if (frame->upper != IPPROTO_ICMP && frame->upper != IPPROTO_IGMP)
		return PASS;
	if (frame->off + 1 > frame->end)
		return frame->fragmented ? GUARD_FRAGMENT : GUARD_MALFORMED;
	if (!load(skb, frame->off, &type, 1))
		return GUARD_MALFORMED;
	if (frame->upper == IPPROTO_IGMP)
		return type == IGMP_QUERY ? GUARD_QUERY : PASS;
	return type == ICMP_REDIRECT_ || type == ICMP_ROUTER ? GUARD_ROUTER : PASS;
}

/* Options of IPv4, and where the next one is. */
struct options {
	__u8 bytes[64]; /* at most 40 are there */
	__u32 at, len;
	int result;
};

/* One of them.  A call for each, as the verifier would follow every way through a loop. */
static long option_check(__u32 n, struct options *options)
{
	__u32 at = options->at, size;
	__u8 type;

	(void)n;
	if (at >= options->len)
		return 1;
	type = options->bytes[at & 63];
	if (type == OPTION_END)
		return 1;
	/* the sender may not choose the way */
	if (type == OPTION_LSRR || type == OPTION_SSRR) {
		options->result = GUARD_OPTIONS;
		return 1;
	}
	size = type == OPTION_NOP ? 1 : options->bytes[(at + 1) & 63];
	if (type != OPTION_NOP && size < 2) {
		options->result = GUARD_MALFORMED;
		return 1;
	}
	options->at = at + size;
	return 0;
}

static __noinline int options_check(struct __sk_buff *skb, __u32 len)
{
	struct options options = { .len = len, .result = PASS };

	if (len < 4 || len > 40)
		return GUARD_MALFORMED;
	if (!have(skb, ETH_HLEN + 20 + len) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + 20, options.bytes, len) < 0)
		return GUARD_MALFORMED;
	bpf_loop(40, option_check, &options, 0);
	return options.result;
}

static __noinline int ipv4_check(struct __sk_buff *skb, const struct guard_port *port,
				 struct frame *frame)
{
	struct iphdr ip;
	__u32 header, total, offset;
	int result;

	if (!load(skb, ETH_HLEN, &ip, sizeof(ip)))
		return GUARD_MALFORMED;
	header = ip.ihl * 4u;
	total = bpf_ntohs(ip.tot_len);
	/* more than 64 KiB at once has no length that would fit */
	if (total == 0 && skb->len > ETH_HLEN + 65535)
		total = skb->len - ETH_HLEN;
	if (ip.version != 4 || header < sizeof(ip) || total < header ||
	    ETH_HLEN + total > skb->len)
		return GUARD_MALFORMED;
	__builtin_memcpy(frame->from + 12, &ip.saddr, 4);
	__builtin_memcpy(frame->to + 12, &ip.daddr, 4);
	frame->from[10] = frame->from[11] = frame->to[10] = frame->to[11] = 0xff;
	frame->ip = 1;
	if (!own4(port, ip.saddr))
		return GUARD_IPV4;
	if (header > sizeof(ip)) {
		result = options_check(skb, header - sizeof(ip));
		if (result != PASS)
			return result;
	}

	frame->upper = ip.protocol;
	frame->off = ETH_HLEN + header;
	frame->end = ETH_HLEN + total;
	frame->fragmented = ip.frag_off & bpf_htons(0x3fff);
	offset = bpf_ntohs(ip.frag_off) & 0x1fff;
	/* one that begins in a header of TCP would rewrite what was looked at (RFC 3128) */
	if (offset)
		return offset == 1 && ip.protocol == IPPROTO_TCP ? GUARD_FRAGMENT : PASS;
	return upper4_check(skb, port, frame);
}

/* Link-layer addresses in options of neighbour discovery, which begin at @off. */
static __noinline int nd_options_check(struct __sk_buff *skb, const struct guard_port *port,
				       const struct frame *frame, __u32 off)
{
	struct {
		__u8 type, len, mac[6];
	} option;

	for (int n = 0; n < ND_OPTIONS; n++) {
		if (off == frame->end)
			return PASS;
		if (off + sizeof(option) > frame->end ||
		    !load(skb, off, &option, sizeof(option)))
			return GUARD_NEIGHBOUR;
		if (option.len == 0)
			return GUARD_NEIGHBOUR;
		if ((option.type == 1 || option.type == 2) &&
		    (option.len != 1 || frame->unspecified || !is_mac(port, option.mac)))
			return GUARD_NEIGHBOUR;
		off += option.len * 8u;
	}
	return off == frame->end ? PASS : GUARD_NEIGHBOUR;
}

static __noinline int nd_check(struct __sk_buff *skb, const struct guard_port *port,
			       const struct frame *frame, __u8 type)
{
	__u8 target[16];

	/* RFC 6980 */
	if (frame->fragmented)
		return GUARD_NEIGHBOUR;
	if (type == ND_RS)
		return frame->off + 8 > frame->end
			   ? GUARD_NEIGHBOUR
			   : nd_options_check(skb, port, frame, frame->off + 8);
	if (frame->off + 24 > frame->end || !load(skb, frame->off + 8, target, sizeof(target)))
		return GUARD_NEIGHBOUR;
	/* who answers, or asks whether an address is taken, has it */
	if ((type == ND_NA || frame->unspecified) && !owns6(port, target))
		return GUARD_NEIGHBOUR;
	return nd_options_check(skb, port, frame, frame->off + 24);
}

static __always_inline int icmp6_check(struct __sk_buff *skb, const struct guard_port *port,
				       const struct frame *frame)
{
	__u8 type;

	if (frame->off + 4 > frame->end)
		return frame->fragmented ? GUARD_FRAGMENT : GUARD_MALFORMED;
	if (!load(skb, frame->off, &type, 1))
		return GUARD_MALFORMED;
	switch (type) {
	case ND_RS:
	case ND_NS:
	case ND_NA:
		if (frame->unspecified && type == ND_NA)
			return GUARD_IPV6;
		return nd_check(skb, port, frame, type);
	case ND_RA:
	case ND_REDIRECT:
	case ROUTER_RENUMBERING:
	case SEND_CPA:
	case MRD_ADVERTISEMENT:
	case MRD_TERMINATION:
		return GUARD_ROUTER;
	case MLD_QUERY:
		return GUARD_QUERY;
	case MLD_REPORT:
	case MLD_DONE:
	case MLD2_REPORT:
		return PASS;
	}
	return frame->unspecified ? GUARD_IPV6 : PASS;
}

static __always_inline bool is_extension(__u8 type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_DSTOPTS ||
	       type == IPPROTO_MH || type == IPPROTO_HIP || type == IPPROTO_SHIM6 ||
	       type == IPPROTO_AH || type == IPPROTO_FRAGMENT;
}

/*
 * From the first header behind that of IPv6 to the upper layer.  *@done: there is none to look
 * at, as this is a later fragment.
 */
static __noinline int chain_check(struct __sk_buff *skb, struct frame *frame, bool *done)
{
	__u8 header[8];

	for (int n = 0; n < HEADERS_MAX; n++) {
		if (!is_extension(frame->upper))
			return PASS;
		if (frame->off + sizeof(header) > frame->end)
			return frame->fragmented ? GUARD_FRAGMENT : GUARD_MALFORMED;
		if (frame->off > CHAIN_MAX)
			return GUARD_OPTIONS;
		if (!load(skb, frame->off, header, sizeof(header)))
			return GUARD_MALFORMED;
		switch (frame->upper) {
		case IPPROTO_HOPOPTS:
			if (n > 0)
				return GUARD_OPTIONS;
			break;
		case IPPROTO_ROUTING:
			/* type 0 is a source route (RFC 5095) */
			if (header[2] == 0)
				return GUARD_OPTIONS;
			break;
		case IPPROTO_FRAGMENT:
			if (frame->fragmented)
				return GUARD_OPTIONS;
			frame->fragmented = true;
			if (header[2] || header[3] & 0xf8) {
				*done = true;
				return PASS;
			}
			header[1] = 0;
			break;
		}
		frame->off +=
		    frame->upper == IPPROTO_AH ? (header[1] + 2u) * 4u : (header[1] + 1u) * 8u;
		frame->upper = header[0];
	}
	return is_extension(frame->upper) ? GUARD_OPTIONS : PASS;
}

static __noinline int ipv6_check(struct __sk_buff *skb, const struct guard_port *port,
				 struct frame *frame)
{
	struct ipv6hdr ip;
	bool later = false;
	__u64 from[2];
	__u32 total;
	int result;

	frame->v6 = 1;
	if (!load(skb, ETH_HLEN, &ip, sizeof(ip)))
		return GUARD_MALFORMED;
	total = sizeof(ip) + bpf_ntohs(ip.payload_len);
	if (ip.payload_len == 0 && skb->len > ETH_HLEN + sizeof(ip) + 65535)
		total = skb->len - ETH_HLEN;
	if (ip.version != 6 || ETH_HLEN + total > skb->len)
		return GUARD_MALFORMED;
	__builtin_memcpy(frame->from, &ip.saddr, 16);
	__builtin_memcpy(frame->to, &ip.daddr, 16);
	__builtin_memcpy(from, &ip.saddr, 16);
	frame->ip = 1;
	frame->unspecified = from[0] == 0 && from[1] == 0;
	if (!frame->unspecified && !own6(port, from[0], from[1]))
		return GUARD_IPV6;

	frame->upper = ip.nexthdr;
	frame->off = ETH_HLEN + sizeof(ip);
	frame->end = ETH_HLEN + total;
	result = chain_check(skb, frame, &later);
	if (result != PASS)
		return result;
	/* nothing but ICMPv6 is sent by who has no address yet */
	if (frame->unspecified && (later || frame->upper != IPPROTO_ICMPV6))
		return GUARD_IPV6;
	if (later)
		return PASS;
	if (frame->upper == IPPROTO_ICMPV6)
		return icmp6_check(skb, port, frame);
	if (frame->upper == IPPROTO_TCP || frame->upper == IPPROTO_UDP)
		return ports_check(skb, port, frame);
	return PASS;
}

static __always_inline int from_check(struct __sk_buff *skb, const struct guard_port *port,
				      struct frame *frame)
{
	struct ethhdr eth;

	if (skb->vlan_present)
		return GUARD_VLAN;
	if (!load(skb, 0, &eth, sizeof(eth)))
		return GUARD_MALFORMED;
	if (!is_mac(port, eth.h_source))
		return GUARD_MAC;
	if (eth.h_dest[0] == 0x01 && eth.h_dest[1] == 0x80 && eth.h_dest[2] == 0xc2 &&
	    eth.h_dest[3] == 0 && eth.h_dest[4] == 0 && (eth.h_dest[5] & 0xf0) == 0)
		return GUARD_CONTROL;
	frame->group = eth.h_dest[0] & 1;
	switch (eth.h_proto) {
	case bpf_htons(ETH_P_IP):
		return ipv4_check(skb, port, frame);
	case bpf_htons(ETH_P_IPV6):
		return ipv6_check(skb, port, frame);
	case bpf_htons(ETH_P_ARP):
		return arp_check(skb, port);
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return GUARD_VLAN;
	}
	return GUARD_ETHERTYPE;
}

/* What a packet is when it has left the node: a large one is many. */
static __always_inline __u64 packets_of(struct __sk_buff *skb)
{
	if (skb->gso_segs)
		return skb->gso_segs;
	return skb->gso_size ? skb->len / skb->gso_size + 1 : 1;
}

static __always_inline int rates_check(struct __sk_buff *skb, struct guard_port *port,
				       bool group, __u64 *busy)
{
	const __u64 interval = 1000000000 / GUARD_GROUP_RATE;

	if (group && !take(&port->busy_group, interval, interval * GUARD_GROUP_BURST, 1))
		return GUARD_BROADCAST;
	if (port->interval && !take(busy, port->interval, port->burst, packets_of(skb)))
		return GUARD_PACKET_RATE;
	return PASS;
}

/* @result and, for what passes, the meter. */
static __always_inline int account(struct __sk_buff *skb, const struct guard_port *port,
				   int result, const struct frame *frame, bool from)
{
	struct guard_cell *cell = bpf_map_lookup_elem(&meter, &port->id);
	struct guard_free key = { .prefix = 32 + 128, .node = port->node };
	struct guard_flow *flow;

	if (result != PASS) {
		if (cell && result >= 0 && result < GUARD_REASONS)
			cell->dropped[result]++;
		return TC_ACT_SHOT;
	}
	/* whoever removed it gets no count, but no tenant loses its network for it */
	if (!cell)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(key.address, from ? frame->to : frame->from, 16);
	flow = frame->ip && bpf_map_lookup_elem(&free, &key)
		   ? &cell->flow[from][frame->v6 & 1][1]
		   : &cell->flow[from][frame->v6 & 1][0];
	flow->bytes += skb->len;
	flow->packets++;
	/* what comes next: the filter that leads it to where it waits, or the bridge */
	return TC_ACT_UNSPEC;
}

static __always_inline int to_check4(struct __sk_buff *skb, const struct guard_port *port,
				     struct frame *frame)
{
	struct iphdr ip;

	if (!load(skb, ETH_HLEN, &ip, sizeof(ip)))
		return GUARD_MALFORMED;
	__builtin_memcpy(frame->from + 12, &ip.saddr, 4);
	frame->from[10] = frame->from[11] = 0xff;
	frame->ip = 1;
	if (frame->group || (ip.daddr & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000))
		return PASS;
	return own4(port, ip.daddr) ? PASS : GUARD_FOREIGN;
}

static __always_inline int to_check6(struct __sk_buff *skb, const struct guard_port *port,
				     struct frame *frame)
{
	struct ipv6hdr ip;

	frame->v6 = 1;
	if (!load(skb, ETH_HLEN, &ip, sizeof(ip)))
		return GUARD_MALFORMED;
	__builtin_memcpy(frame->from, &ip.saddr, 16);
	frame->ip = 1;
	if (frame->group || ip.daddr.in6_u.u6_addr8[0] == 0xff)
		return PASS;
	return owns6(port, &ip.daddr) ? PASS : GUARD_FOREIGN;
}

static __always_inline int to_check(struct __sk_buff *skb, const struct guard_port *port,
				    struct frame *frame)
{
	struct ethhdr eth;

	if (!load(skb, 0, &eth, sizeof(eth)))
		return GUARD_MALFORMED;
	frame->group = eth.h_dest[0] & 1;
	if (!frame->group && !is_mac(port, eth.h_dest))
		return GUARD_FOREIGN;
	if (eth.h_proto == bpf_htons(ETH_P_IP))
		return to_check4(skb, port, frame);
	if (eth.h_proto == bpf_htons(ETH_P_IPV6))
		return to_check6(skb, port, frame);
	return PASS;
}

static __always_inline int guard(struct __sk_buff *skb, bool from)
{
	__u32 index = skb->ifindex;
	struct guard_port *port = bpf_map_lookup_elem(&ports, &index);
	struct frame frame = { 0 };
	int result;

	if (!port)
		return TC_ACT_SHOT;
	result = from ? from_check(skb, port, &frame) : to_check(skb, port, &frame);
	if (result == PASS)
		result = rates_check(skb, port, from && frame.group,
				     from ? &port->busy_out : &port->busy_in);
	return account(skb, port, result, &frame, from);
}

SEC("tc")
int guard_from(struct __sk_buff *skb)
{
	return guard(skb, true);
}

SEC("tc")
int guard_to(struct __sk_buff *skb)
{
	return guard(skb, false);
}

char LICENSE[] SEC("license") = "GPL";

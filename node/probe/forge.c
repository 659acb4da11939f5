/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../probe.h"
#include "probe.h"

#define VLAN	   0x8100u
#define TRY_TYPE   0x88b5u /* IEEE 802: for experiments */
#define ROUTER	   134u	   /* RFC 4861, sections 4.2 and 4.4 */
#define NEIGHBOUR  136u
#define DHCP_REPLY 2u

struct frame {
	uint8_t bytes[256];
	size_t size;
};

/* What the frames are made of. */
struct forger {
	uint8_t mark[PROBE_MARK], mac[6], foreign[6];
	uint8_t own4[4], other4[4], gateway4[4];
	uint8_t own6[16];
};

static void put(struct frame *frame, const void *bytes, size_t size)
{
	memcpy(frame->bytes + frame->size, bytes, size);
	frame->size += size;
}

static void put8(struct frame *frame, unsigned value)
{
	frame->bytes[frame->size++] = (uint8_t)value;
}

static void put16(struct frame *frame, unsigned value)
{
	put8(frame, value >> 8);
	put8(frame, value & 0xff);
}

static void put_zeros(struct frame *frame, size_t count)
{
	memset(frame->bytes + frame->size, 0, count);
	frame->size += count;
}

static void ether(struct frame *frame, const uint8_t *from, unsigned type)
{
	memset(frame->bytes, 0xff, 6);
	frame->size = 6;
	put(frame, from, 6);
	put16(frame, type);
}

/* RFC 1071: a bridge that lets iptables look drops a header with a wrong one. */
static unsigned checksum(const uint8_t *bytes, size_t size)
{
	unsigned sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (unsigned)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

/* To everybody, with room for @size bytes behind its headers. */
static void udp4(struct frame *frame, const uint8_t *from, unsigned port, size_t size)
{
	static const uint8_t everybody[] = { 255, 255, 255, 255 };
	size_t head = frame->size;

	put16(frame, 0x4500);
	put16(frame, 20 + 8 + (unsigned)size);
	put_zeros(frame, 4);
	put8(frame, 64);
	put8(frame, IPPROTO_UDP);
	put16(frame, 0);
	put(frame, from, 4);
	put(frame, everybody, sizeof(everybody));
	unsigned sum = checksum(frame->bytes + head, 20);

	frame->bytes[head + 10] = (uint8_t)(sum >> 8);
	frame->bytes[head + 11] = (uint8_t)sum;
	put16(frame, port);
	put16(frame, port == 67 ? 68 : port);
	put16(frame, 8 + (unsigned)size);
	put16(frame, 0);
}

static void ip6(struct frame *frame, const uint8_t *from, unsigned protocol, size_t size)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };

	put16(frame, 0x6000);
	put16(frame, 0);
	put16(frame, (unsigned)size);
	put8(frame, protocol);
	put8(frame, 255);
	put(frame, from, 16);
	put(frame, all_nodes, 16);
}

static void arp_reply(struct frame *frame, const struct forger *forger, const uint8_t *address)
{
	ether(frame, forger->mac, ETHERTYPE_ARP);
	put16(frame, 1);
	put16(frame, ETHERTYPE_IP);
	put16(frame, 0x0604);
	put16(frame, 2);
	put(frame, forger->mac, 6);
	put(frame, address, 4);
	memset(frame->bytes + frame->size, 0xff, 6);
	frame->size += 6;
	put(frame, address, 4);
}

#define PAYLOAD (PROBE_MARK + 1)

static void make_own(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, ETHERTYPE_IP);
	udp4(frame, forger->own4, 1000, PAYLOAD);
}

static void make_mac(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->foreign, ETHERTYPE_IP);
	udp4(frame, forger->own4, 1000, PAYLOAD);
}

static void make_address(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, ETHERTYPE_IP);
	udp4(frame, forger->other4, 1000, PAYLOAD);
}

static void make_gateway(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, ETHERTYPE_IP);
	udp4(frame, forger->gateway4, 1000, PAYLOAD);
}

static void make_arp_address(struct frame *frame, const struct forger *forger)
{
	arp_reply(frame, forger, forger->other4);
}

static void make_arp_gateway(struct frame *frame, const struct forger *forger)
{
	arp_reply(frame, forger, forger->gateway4);
}

static void make_address6(struct frame *frame, const struct forger *forger)
{
	static const uint8_t documentation[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

	ether(frame, forger->mac, ETHERTYPE_IPV6);
	ip6(frame, documentation, IPPROTO_NONE, PAYLOAD);
}

static void make_router(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, ETHERTYPE_IPV6);
	ip6(frame, forger->own6, IPPROTO_ICMPV6, 16 + PAYLOAD);
	put8(frame, ROUTER);
	put_zeros(frame, 15);
}

static void make_neighbour(struct frame *frame, const struct forger *forger)
{
	static const uint8_t router[16] = { 0xfe, 0x80, [15] = 1 };

	ether(frame, forger->mac, ETHERTYPE_IPV6);
	ip6(frame, forger->own6, IPPROTO_ICMPV6, 24 + PAYLOAD);
	put8(frame, NEIGHBOUR);
	put_zeros(frame, 3);
	put16(frame, 0x2000);
	put_zeros(frame, 2);
	put(frame, router, sizeof(router));
}

static void make_dhcp(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, ETHERTYPE_IP);
	udp4(frame, forger->own4, 67, 1 + PAYLOAD);
	put8(frame, DHCP_REPLY);
}

static void make_vlan(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, VLAN);
	put16(frame, 5);
	put16(frame, ETHERTYPE_IP);
	udp4(frame, forger->own4, 1000, PAYLOAD);
}

static void make_ethertype(struct frame *frame, const struct forger *forger)
{
	ether(frame, forger->mac, TRY_TYPE);
}

/* In the order of PROBE_FRAMES. */
static void (*const makers[])(struct frame *frame, const struct forger *forger) = {
	make_own,	  make_mac,	    make_address,  make_gateway,
	make_arp_address, make_arp_gateway, make_address6, make_router,
	make_neighbour,	  make_dhcp,	    make_vlan,	   make_ethertype,
};

static const char *const names[] = { PROBE_FRAMES };
_Static_assert(sizeof(makers) / sizeof(makers[0]) == sizeof(names) / sizeof(names[0]),
	       "one maker for each frame");

/* The link-local address of its MAC address: RFC 4291, appendix A. */
static void local_fill(struct forger *forger)
{
	const uint8_t *mac = forger->mac;
	const uint8_t own[16] = { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2],
				  0xff, 0xfe, mac[3],		mac[4], mac[5] };

	memcpy(forger->own6, own, sizeof(own));
	memcpy(forger->foreign, mac, 6);
	forger->foreign[5] ^= 1;
}

static int forger_fill(struct forger *forger, char *argv[], int fd, struct sockaddr_ll *there)
{
	struct ifreq eth = { .ifr_name = "eth0" };
	uint64_t mark = number(argv[0]);

	memcpy(forger->mark, &mark, sizeof(forger->mark));
	if (inet_pton(AF_INET, argv[1], forger->own4) != 1 ||
	    inet_pton(AF_INET, argv[2], forger->gateway4) != 1 ||
	    ioctl(fd, SIOCGIFHWADDR, &eth) < 0)
		return -1;
	memcpy(forger->mac, eth.ifr_hwaddr.sa_data, sizeof(forger->mac));
	if (ioctl(fd, SIOCGIFINDEX, &eth) < 0)
		return -1;
	there->sll_ifindex = eth.ifr_ifindex;
	memcpy(forger->other4, forger->own4, 4);
	forger->other4[3] ^= 1;
	if (memcmp(forger->other4, forger->gateway4, 4) == 0)
		forger->other4[3] ^= 2;
	local_fill(forger);
	return 0;
}

int probe_forge(char *argv[])
{
	struct sockaddr_ll there = { .sll_family = AF_PACKET, .sll_halen = 6 };
	struct forger forger;
	uint64_t sent = 0;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || forger_fill(&forger, argv, fd, &there) < 0)
		return 1;
	for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		struct frame frame = { .size = 0 };

		makers[i](&frame, &forger);
		put(&frame, forger.mark, sizeof(forger.mark));
		put8(&frame, i);
		while (frame.size < 60)
			put8(&frame, 0);
		if (sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&there,
			   sizeof(there)) == (ssize_t)frame.size)
			sent++;
		else
			say_text("unsent", names[i]);
	}
	say("sent", sent);
	close(fd);
	return 0;
}

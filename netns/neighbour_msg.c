/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "neighbour_msg.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* ARP for IPv4 behind an Ethernet header: RFC 826. */
enum {
	ARP_TYPE = 14, /* Ethernet, IPv4, and their lengths */
	ARP_OPERATION = 20,
	ARP_SENDER_MAC = 22,
	ARP_SENDER = 28,
	ARP_TARGET = 38,
	ARP_SIZE = 42
};

/* ICMPv6 in IPv6 behind an Ethernet header: RFC 8200, RFC 4861. */
enum {
	IP6_LENGTH = 18,
	IP6_NEXT = 20,
	IP6_HOPS = 21,
	IP6_SOURCE = 22,
	IP6_DESTINATION = 38,
	ND_TYPE = 54,
	ND_CHECKSUM = 56,
	ND_FLAGS = 58,
	ND_TARGET = 62,
	ND_OPTION = 78,
	ND_SIZE = 86
};

#define ND_SOLICIT    135
#define ND_ADVERTISE  136
#define ND_OVERRIDE   0x20
#define ND_TARGET_MAC 2 /* the option, in units of 8 bytes behind its type */

static const uint8_t arp_type[] = { 0, 1, 0x08, 0x00, 6, 4 };

static void ethernet_put(uint8_t *frame, const uint8_t *to, const struct mac *from,
			 uint16_t type)
{
	memcpy(frame, to, ETH_ALEN);
	memcpy(frame + ETH_ALEN, from->bytes, ETH_ALEN);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
}

/* A request for the address, by who has it already or by nobody. */
static size_t arp_put(uint8_t *frame, const struct mac *mac, const struct address *address,
		      bool has)
{
	static const uint8_t all[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	memset(frame, 0, ARP_SIZE);
	ethernet_put(frame, all, mac, ETH_P_ARP);
	memcpy(frame + ARP_TYPE, arp_type, sizeof(arp_type));
	frame[ARP_OPERATION + 1] = 1;
	memcpy(frame + ARP_SENDER_MAC, mac->bytes, ETH_ALEN);
	if (has)
		memcpy(frame + ARP_SENDER, address->bytes, 4);
	memcpy(frame + ARP_TARGET, address->bytes, 4);
	return ARP_SIZE;
}

/* Of the header's addresses, length and protocol, and of all behind it: RFC 8200, 8.1. */
static void checksum_put(uint8_t *frame, size_t size)
{
	uint32_t sum = (uint32_t)(size - ND_TYPE) + IPPROTO_ICMPV6;

	for (size_t i = IP6_SOURCE; i + 1 < size; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	frame[ND_CHECKSUM] = (uint8_t)(~sum >> 8);
	frame[ND_CHECKSUM + 1] = (uint8_t)~sum;
}

static void ip6_put(uint8_t *frame, size_t size, const struct mac *mac,
		    const uint8_t destination[16])
{
	const uint8_t to[] = {
		0x33, 0x33, destination[12], destination[13], destination[14], destination[15]
	};

	memset(frame, 0, size);
	ethernet_put(frame, to, mac, ETH_P_IPV6);
	frame[14] = 0x60;
	frame[IP6_LENGTH + 1] = (uint8_t)(size - ND_TYPE);
	frame[IP6_NEXT] = IPPROTO_ICMPV6;
	frame[IP6_HOPS] = 255;
	memcpy(frame + IP6_DESTINATION, destination, 16);
}

static size_t solicit_put(uint8_t *frame, const struct mac *mac, const struct address *address)
{
	uint8_t to[16] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	memcpy(to + 13, address->bytes + 13, 3);
	/* whoever has no address yet tells no MAC address */
	ip6_put(frame, ND_OPTION, mac, to);
	frame[ND_TYPE] = ND_SOLICIT;
	memcpy(frame + ND_TARGET, address->bytes, 16);
	checksum_put(frame, ND_OPTION);
	return ND_OPTION;
}

static size_t advertise_put(uint8_t *frame, const struct mac *mac,
			    const struct address *address)
{
	static const uint8_t all[16] = { 0xff, 0x02, [15] = 1 };

	ip6_put(frame, ND_SIZE, mac, all);
	memcpy(frame + IP6_SOURCE, address->bytes, 16);
	frame[ND_TYPE] = ND_ADVERTISE;
	frame[ND_FLAGS] = ND_OVERRIDE;
	memcpy(frame + ND_TARGET, address->bytes, 16);
	frame[ND_OPTION] = ND_TARGET_MAC;
	frame[ND_OPTION + 1] = 1;
	memcpy(frame + ND_OPTION + 2, mac->bytes, ETH_ALEN);
	checksum_put(frame, ND_SIZE);
	return ND_SIZE;
}

size_t neighbour_probe_put(uint8_t frame[NEIGHBOUR_FRAME], const struct mac *mac,
			   const struct address *address)
{
	return address->family == AF_INET6 ? solicit_put(frame, mac, address)
					   : arp_put(frame, mac, address, false);
}

size_t neighbour_announce_put(uint8_t frame[NEIGHBOUR_FRAME], const struct mac *mac,
			      const struct address *address)
{
	return address->family == AF_INET6 ? advertise_put(frame, mac, address)
					   : arp_put(frame, mac, address, true);
}

static bool is_type(const uint8_t *frame, uint16_t type)
{
	return frame[12] == type >> 8 && frame[13] == (type & 0xff);
}

/* Whatever is asked or answered, the sender has what he says he has; and who asks as nobody is
 * about to have it (RFC 5227, 2.1.1). */
static const uint8_t *arp_claims(const uint8_t *frame, size_t size,
				 const struct address *address)
{
	static const uint8_t nobody[4];

	if (size < ARP_SIZE || !is_type(frame, ETH_P_ARP) ||
	    memcmp(frame + ARP_TYPE, arp_type, sizeof(arp_type)) != 0)
		return NULL;
	if (memcmp(frame + ARP_SENDER, address->bytes, 4) == 0 ||
	    (memcmp(frame + ARP_SENDER, nobody, 4) == 0 &&
	     memcmp(frame + ARP_TARGET, address->bytes, 4) == 0))
		return frame + ARP_SENDER_MAC;
	return NULL;
}

/* An answer for it, or the question of who is about to have it (RFC 4862, 5.4). */
static const uint8_t *nd_claims(const uint8_t *frame, size_t size,
				const struct address *address)
{
	static const uint8_t nobody[16];

	if (size < ND_OPTION || !is_type(frame, ETH_P_IPV6) ||
	    frame[IP6_NEXT] != IPPROTO_ICMPV6 || frame[IP6_HOPS] != 255 ||
	    memcmp(frame + ND_TARGET, address->bytes, 16) != 0)
		return NULL;
	if (frame[ND_TYPE] == ND_ADVERTISE ||
	    (frame[ND_TYPE] == ND_SOLICIT && memcmp(frame + IP6_SOURCE, nobody, 16) == 0))
		return frame + ETH_ALEN;
	return NULL;
}

bool neighbour_claims(const uint8_t *frame, size_t size, const struct mac *mac,
		      const struct address *address, struct mac *holder)
{
	const uint8_t *sender = address->family == AF_INET6 ? nd_claims(frame, size, address)
							    : arp_claims(frame, size, address);

	if (!sender || memcmp(sender, mac->bytes, ETH_ALEN) == 0)
		return false;
	memcpy(holder->bytes, sender, ETH_ALEN);
	return true;
}

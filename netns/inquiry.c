/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "bridge.h"
#include "err.h"
#include "io.h"
#include "neighbour_msg.h"
#include "own.h"
#include "str.h"

/* On a wire one answers within a few milliseconds; both questions may get lost. */
#define WAIT_MS	 200u
#define AGAIN_MS 80u
#define READ_MS	 100u

/* ARP, and ICMPv6 right behind the header of IPv6: the wire may be busy. */
static const struct sock_filter neighbours_only[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, NEIGHBOUR_FRAME),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

/*
 * On the port itself and not on the bridge: what the bridge takes for itself or drops is seen
 * as well, and the node's own MAC address is never on the wire.  Only a socket for all
 * protocols is asked before the bridge.
 */
static int wire_open(const struct bridge *bridge, bool listen, struct err *err)
{
	const struct sock_fprog filter = { ARRAY_SIZE(neighbours_only),
					   (struct sock_filter *)(uintptr_t)neighbours_only };
	struct sockaddr_ll wire = { .sll_family = AF_PACKET,
				    .sll_protocol = listen ? htons(ETH_P_ALL) : 0,
				    .sll_ifindex = (int)if_nametoindex(bridge->uplink) };
	/* 0 would be all of them, with what the guard has not looked at */
	if (!wire.sll_ifindex)
		return fail(err, ENODEV, "uplink '%s'", bridge->uplink);
	own_fd fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    bind(fd, (struct sockaddr *)&wire, sizeof(wire)) < 0)
		return fail(err, errno, "cannot use uplink '%s'", bridge->uplink);
	return take_fd(&fd);
}

struct inquiry inquiry_none(void)
{
	return (struct inquiry){ .fd = -1 };
}

void inquiry_close(struct inquiry *inquiry)
{
	own_close(&inquiry->fd);
	inquiry->fd = -1;
}

/* Those that go out by the uplink, and are new. */
static void addresses_find(struct inquiry *inquiry, const struct bridge *bridge,
			   const struct link *before, const struct link *after)
{
	const struct address *address;

	inquiry->count = 0;
	if (!link_has_uplink(bridge, after))
		return;
	for (unsigned n = 0; (address = link_address(after, n)); n++) {
		if (bridge_way(bridge, address) && !link_has(before, address))
			inquiry->addresses[inquiry->count++] = *address;
	}
}

/* What cannot be sent is as good as lost on the way. */
static void all_send(const struct inquiry *inquiry,
		     size_t (*put)(uint8_t *frame, const struct mac *mac,
				   const struct address *address))
{
	uint8_t frame[NEIGHBOUR_FRAME];

	for (unsigned i = 0; i < inquiry->count; i++) {
		size_t size = put(frame, &inquiry->mac, &inquiry->addresses[i]);

		(void)!send(inquiry->fd, frame, size, 0);
	}
}

int inquiry_begin(struct inquiry *inquiry, unsigned id, const struct bridge *bridge,
		  const struct link *before, const struct link *after, struct err *err)
{
	struct mac mac = link_mac(id, false);

	*inquiry = inquiry_none();
	addresses_find(inquiry, bridge, before, after);
	if (!inquiry->count)
		return 0;
	inquiry->fd = wire_open(bridge, true, err);
	if (inquiry->fd < 0)
		return -1;
	inquiry->mac = mac;
	str_format(inquiry->uplink, sizeof(inquiry->uplink), "%s", bridge->uplink);
	inquiry->begun = now_ms();
	all_send(inquiry, neighbour_probe_put);
	return 0;
}

static int claim_refuse(const struct inquiry *inquiry, const struct address *address,
			struct mac holder, struct err *err)
{
	char text[ADDRESS_TEXT], mac[MAC_TEXT];

	address_print(address, false, text, sizeof(text));
	mac_print(holder, mac);
	return fail_as(
	    err, ERR_ADDRESS,
	    "address %s is used by %s on uplink '%s' ('--force' takes it all the same)", text,
	    mac, inquiry->uplink);
}

static unsigned long long spent(const struct inquiry *inquiry)
{
	return now_ms() - inquiry->begun;
}

/*
 * Everything that has come, also when we are late ourselves; whoever floods the wire does not
 * keep us at it.
 */
static int answers_read(const struct inquiry *inquiry, struct err *err)
{
	uint8_t frame[NEIGHBOUR_FRAME];
	unsigned long long until = now_ms() + READ_MS;
	struct mac holder;
	ssize_t size;

	while (now_ms() <= until && (size = recv(inquiry->fd, frame, sizeof(frame), 0)) >= 0) {
		for (unsigned i = 0; i < inquiry->count; i++) {
			if (neighbour_claims(frame, (size_t)size, &inquiry->mac,
					     &inquiry->addresses[i], &holder))
				return claim_refuse(inquiry, &inquiry->addresses[i], holder,
						    err);
		}
	}
	return 0;
}

int inquiry_end(struct inquiry *inquiry, struct err *err)
{
	bool again = false;
	int result = 0;

	while (inquiry->fd >= 0 && result == 0) {
		struct pollfd wire = { .fd = inquiry->fd, .events = POLLIN };
		unsigned long long now = spent(inquiry), next;

		result = answers_read(inquiry, err);
		if (result < 0 || now >= WAIT_MS)
			break;
		if (!again && now >= AGAIN_MS) {
			all_send(inquiry, neighbour_probe_put);
			again = true;
		}
		next = again ? WAIT_MS : AGAIN_MS;
		(void)poll(&wire, 1, next > now ? (int)(next - now) : 0);
	}
	inquiry_close(inquiry);
	return result;
}

int link_announce(unsigned id, const struct bridge *bridge, const struct link *before,
		  const struct link *after, struct err *err)
{
	struct inquiry inquiry = inquiry_none();

	addresses_find(&inquiry, bridge, before, after);
	if (!inquiry.count)
		return 0;
	inquiry.fd = wire_open(bridge, false, err);
	if (inquiry.fd < 0)
		return -1;
	inquiry.mac = link_mac(id, false);
	all_send(&inquiry, neighbour_announce_put);
	inquiry_close(&inquiry);
	return 0;
}

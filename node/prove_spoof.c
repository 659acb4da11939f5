/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <math.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"
#include "lab.h"
#include "netns.h"
#include "node.h"
#include "own.h"
#include "probe.h"
#include "str.h"

#define LATE_MS	 200 /* a frame needs microseconds: they pass in the sender's own call */
#define QUEUE	 (4 << 20)
#define OWN_ONLY 1u

static const char *const kinds[] = { PROBE_FRAMES };
#define FORGED (ARRAY_SIZE(kinds) - 1)

/* All that reaches the node by its bridge, where the VPS's frames to everybody end. */
static int watch_open(const struct bridge *bridge, struct err *err)
{
	const int queue = QUEUE;
	struct sockaddr_ll here = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(bridge->name),
	};

	own_fd fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	/* what others send at the same time must not push out what we wait for */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) < 0 ||
	    bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		return fail(err, errno, "cannot watch %s", bridge->name);
	return take_fd(&fd);
}

/* The kinds that came, as bits. */
static unsigned watch_read(int fd, uint64_t mark)
{
	unsigned long long end = now_ms() + LATE_MS, now;
	unsigned seen = 0;

	while ((now = now_ms()) < end) {
		struct pollfd more = { .fd = fd, .events = POLLIN };
		uint8_t frame[512];
		ssize_t len;

		if (poll(&more, 1, (int)(end - now)) <= 0 ||
		    (len = recv(fd, frame, sizeof(frame), MSG_DONTWAIT)) <= 0)
			continue;
		const uint8_t *at = memmem(frame, (size_t)len, &mark, sizeof(mark));

		if (at && at + PROBE_MARK < frame + len && at[PROBE_MARK] < ARRAY_SIZE(kinds))
			seen |= 1u << at[PROBE_MARK];
	}
	return seen;
}

static int forge(const struct lab *lab, unsigned *seen, struct err *err)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	char own[ADDRESS_TEXT], gateway[ADDRESS_TEXT];
	own_probe probe = probe_none();
	uint64_t mark = 0;

	if (getrandom(&mark, sizeof(mark), 0) < 0)
		return fail(err, errno, "cannot get random bytes");
	own_fd fd = watch_open(&lab->node->bridge, err);
	if (fd < 0)
		return -1;
	address_print(&main->vps.link.ipv4, false, own, sizeof(own));
	address_print(&lab->node->bridge.ipv4, false, gateway, sizeof(gateway));
	if (probe_start(&probe, main, err, "forge %" PRIu64 " %s %s", mark, own, gateway) < 0 ||
	    probe_finish(&probe, err) < 0)
		return -1;
	if (probe_number(&probe, "sent") != ARRAY_SIZE(kinds))
		return fail_as(err, ERR_SYSTEM, "the probe could not send all frames");
	*seen = watch_read(fd, mark);
	return 0;
}

/* What came through, by name. */
static void seen_tell(unsigned seen, char *text, size_t size)
{
	size_t used = 0;

	*text = 0;
	for (size_t i = 1; i < ARRAY_SIZE(kinds) && used < size; i++) {
		if (seen & 1u << i)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used ? ", " : "", kinds[i]);
	}
}

/* Only frames that would have come had they been its own say anything. */
void prove_spoof(struct lab *lab)
{
	struct proof proof = proof_of("spoof", (double)FORGED, NAN, "frames");
	unsigned seen = 0, tries = 0;
	char through[160];
	struct err err;

	if (!lab_has(lab, ROLE_MAIN, proof.name))
		return;
	if (lab->net_lacks[0]) {
		lab_prove(lab, &proof, VERDICT_UNSUPPORTED, "%s", lab->net_lacks);
		return;
	}
	do {
		if (forge(lab, &seen, &err) < 0) {
			lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
			return;
		}
	} while (!(seen & OWN_ONLY) && ++tries < LAB_ATTEMPTS);

	proof.measured = (double)FORGED - __builtin_popcount(seen & ~OWN_ONLY);
	seen_tell(seen, through, sizeof(through));
	if (*through)
		lab_prove(lab, &proof, VERDICT_FAIL, "left the VPS: %s", through);
	else if (!(seen & OWN_ONLY))
		lab_prove(lab, &proof, VERDICT_FAIL, "its own frames do not leave it either");
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

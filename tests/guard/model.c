/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model.h"

#include <string.h>

/*
 * What a VPS may send, told once more: from the RFCs, on a plain buffer, without a line or a
 * header of netns/guard.bpf.c.  No rates.
 */

static unsigned be16(const uint8_t *at)
{
	return at[0] * 256u + at[1];
}

static bool prefix_holds(const uint8_t *network, const uint8_t *address, unsigned prefix)
{
	for (unsigned bit = 0; bit < prefix; bit++) {
		unsigned shift = 7 - bit % 8;

		if ((network[bit / 8] >> shift & 1) != (address[bit / 8] >> shift & 1))
			return false;
	}
	return true;
}

static bool owned(const struct owner *owner, bool v6, const uint8_t *address)
{
	uint8_t local[16] = { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe };

	for (unsigned i = 0; i < owner->count; i++) {
		if (owner->own[i].v6 == v6 &&
		    prefix_holds(owner->own[i].bytes, address, owner->own[i].prefix))
			return true;
	}
	if (!v6)
		return false;
	memcpy(local + 8, owner->mac, 3);
	memcpy(local + 13, owner->mac + 3, 3);
	local[8] ^= 0x02;
	return memcmp(local, address, 16) == 0;
}

/* RFC 826, as an own address only; RFC 5227 for probes. */
static const char *arp(const struct owner *owner, const uint8_t *p, size_t size)
{
	static const uint8_t ethernet[] = { 0, 1, 8, 0, 6, 4 }, zero[4];
	unsigned op;

	if (size < 28)
		return "malformed";
	op = be16(p + 6);
	if (memcmp(p, ethernet, 6) != 0 || op < 1 || op > 2 ||
	    memcmp(p + 8, owner->mac, 6) != 0)
		return "arp";
	if (owned(owner, false, p + 14))
		return NULL;
	if (op == 1 && memcmp(p + 14, zero, 4) == 0 && owned(owner, false, p + 24))
		return NULL;
	return "arp";
}

/* What TCP and UDP begin with; @cut: more of it comes in other fragments. */
static const char *ports(const struct owner *owner, bool tcp, bool v6, const uint8_t *p,
			 size_t size, bool cut)
{
	if (size < 4)
		return cut ? "fragment" : "malformed";
	if (tcp)
		return be16(p + 2) == 25 && !owner->smtp ? "smtp" : NULL;
	return be16(p) == (v6 ? 547u : 67u) ? "dhcp" : NULL;
}

static const char *ipv4_options(const uint8_t *p, size_t size)
{
	size_t i = 0;

	while (i < size && p[i] != 0) {
		unsigned len;

		if (p[i] == 131 || p[i] == 137)
			return "options";
		if (p[i] == 1) {
			i++;
			continue;
		}
		len = i + 1 < size ? p[i + 1] : 0;
		if (len < 2)
			return "malformed";
		i += len;
	}
	return NULL;
}

static const char *ipv4(const struct owner *owner, const uint8_t *p, size_t size)
{
	size_t header, total, offset;
	const char *bad;
	bool cut;

	if (size < 20)
		return "malformed";
	header = (p[0] & 15) * 4u;
	total = be16(p + 2);
	if (p[0] >> 4 != 4 || header < 20 || total < header || total > size)
		return "malformed";
	if (!owned(owner, false, p + 12))
		return "ipv4";
	bad = ipv4_options(p + 20, header - 20);
	if (bad)
		return bad;
	offset = be16(p + 6) & 0x1fff;
	cut = be16(p + 6) & 0x3fff;
	if (offset)
		return offset == 1 && p[9] == 6 ? "fragment" : NULL;
	if (p[9] == 6 || p[9] == 17)
		return ports(owner, p[9] == 6, false, p + header, total - header, cut);
	if (p[9] != 1 && p[9] != 2)
		return NULL;
	if (total == header)
		return cut ? "fragment" : "malformed";
	if (p[9] == 2)
		return p[header] == 0x11 ? "query" : NULL;
	return p[header] == 5 || p[header] == 9 ? "router" : NULL;
}

/* RFC 4861: options fill the message to its end, and name no other's link-layer address. */
static const char *nd_options(const struct owner *owner, const uint8_t *p, size_t size,
			      bool unspecified)
{
	for (unsigned n = 0; size; n++) {
		size_t len;

		if (n == 8 || size < 8 || p[1] == 0)
			return "neighbour";
		len = p[1] * 8u;
		if ((p[0] == 1 || p[0] == 2) &&
		    (len != 8 || unspecified || memcmp(p + 2, owner->mac, 6) != 0))
			return "neighbour";
		if (len > size)
			return "neighbour";
		p += len;
		size -= len;
	}
	return NULL;
}

static const char *icmpv6(const struct owner *owner, const uint8_t *p, size_t size, bool cut,
			  bool unspecified)
{
	if (size < 4)
		return cut ? "fragment" : "malformed";
	if (p[0] == 134 || p[0] == 137 || p[0] == 138 || p[0] == 149 || p[0] == 151 ||
	    p[0] == 153)
		return "router";
	if (p[0] == 130)
		return "query";
	if (p[0] == 131 || p[0] == 132 || p[0] == 143)
		return NULL;
	if (p[0] != 133 && p[0] != 135 && p[0] != 136)
		return unspecified ? "ipv6" : NULL;
	if (unspecified && p[0] == 136)
		return "ipv6";
	if (cut)
		return "neighbour";
	if (p[0] == 133)
		return size < 8 ? "neighbour" : nd_options(owner, p + 8, size - 8, unspecified);
	if (size < 24)
		return "neighbour";
	if ((p[0] == 136 || unspecified) && !owned(owner, true, p + 8))
		return "neighbour";
	return nd_options(owner, p + 24, size - 24, unspecified);
}

static bool is_extension(unsigned next)
{
	static const uint8_t all[] = { 0, 43, 44, 51, 60, 135, 139, 140 };

	return memchr(all, (int)next, sizeof(all));
}

static const char *ipv6(const struct owner *owner, const uint8_t *p, size_t size)
{
	static const uint8_t zero[16];
	bool unspecified, cut = false;
	size_t at = 40, total;
	unsigned next, n = 0;

	if (size < 40)
		return "malformed";
	total = 40 + be16(p + 4);
	if (p[0] >> 4 != 6 || total > size)
		return "malformed";
	unspecified = memcmp(p + 8, zero, 16) == 0;
	if (!unspecified && !owned(owner, true, p + 8))
		return "ipv6";
	for (next = p[6]; is_extension(next); n++) {
		const uint8_t *h = p + at;
		unsigned kind = next;

		if (n == 8)
			return "options";
		if (at + 8 > total)
			return cut ? "fragment" : "malformed";
		/* further in than any honest chain */
		if (14 + at > 512)
			return "options";
		if ((kind == 0 && n > 0) || (kind == 43 && h[2] == 0) || (kind == 44 && cut))
			return "options";
		if (kind == 44) {
			cut = true;
			if (be16(h + 2) & 0xfff8)
				return unspecified ? "ipv6" : NULL;
		}
		next = h[0];
		at += kind == 44 ? 8 : kind == 51 ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
	}
	if (unspecified && next != 58)
		return "ipv6";
	if (next != 58 && next != 6 && next != 17)
		return NULL;
	/* a header that says that it is longer than the packet leaves nothing */
	size = at < total ? total - at : 0;
	if (next == 58)
		return icmpv6(owner, p + at, size, cut, unspecified);
	return ports(owner, next == 6, true, p + at, size, cut);
}

const char *model_verdict(const struct owner *owner, const uint8_t *frame, size_t size)
{
	static const uint8_t control[] = { 0x01, 0x80, 0xc2, 0, 0 };

	if (size < 14)
		return "malformed";
	if (memcmp(frame + 6, owner->mac, 6) != 0)
		return "mac";
	if (memcmp(frame, control, 5) == 0 && frame[5] < 16)
		return "control";
	switch (be16(frame + 12)) {
	case 0x0800:
		return ipv4(owner, frame + 14, size - 14);
	case 0x86dd:
		return ipv6(owner, frame + 14, size - 14);
	case 0x0806:
		return arp(owner, frame + 14, size - 14);
	case 0x8100:
	case 0x88a8:
		return "vlan";
	}
	return "ethertype";
}

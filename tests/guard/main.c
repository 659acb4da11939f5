/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

/*
 * The guard against the model, on frames that are nearly right.
 * usage: guard-oracle [FRAMES [SEED]]; as root.
 */

#define FRAME 768

static unsigned long long state;

static unsigned draw(unsigned below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 33) % below;
}

struct frame {
	uint8_t bytes[FRAME];
	size_t size;
};

static void put(struct frame *frame, const void *bytes, size_t size)
{
	if (frame->size + size > FRAME)
		return;
	memcpy(frame->bytes + frame->size, bytes, size);
	frame->size += size;
}

static void put8(struct frame *frame, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	put(frame, &byte, 1);
}

static void put16(struct frame *frame, unsigned value)
{
	put8(frame, value >> 8);
	put8(frame, value);
}

/* One of a few, most often the first. */
static unsigned one_of(const unsigned *values, unsigned count)
{
	return values[draw(3) ? 0 : draw(count)];
}

#define ONE_OF(...)                                                                            \
	one_of((const unsigned[]){ __VA_ARGS__ },                                              \
	       sizeof((const unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))

static void put_mac(struct frame *frame, const struct owner *owner)
{
	uint8_t mac[6];

	memcpy(mac, owner->mac, 6);
	if (draw(6) == 0)
		mac[draw(6)] ^= (uint8_t)(1u << draw(8));
	put(frame, mac, 6);
}

/* Its own, one beside it, or none. */
static void put_address(struct frame *frame, const struct owner *owner, bool v6)
{
	unsigned size = v6 ? 16 : 4, which = draw(owner->count);
	uint8_t address[16] = { 0 };

	while (owner->own[which].v6 != v6)
		which = (which + 1) % owner->count;
	if (draw(8)) {
		memcpy(address, owner->own[which].bytes, size);
		/* within the prefix, or just outside */
		if (draw(2) && owner->own[which].prefix < size * 8)
			address[size - 1] = (uint8_t)draw(256);
		if (draw(6) == 0)
			address[draw(size)] ^= (uint8_t)(1u << draw(8));
	}
	if (v6 && draw(4) == 0) {
		memcpy(address, (const uint8_t[16]){ 0xfe, 0x80, [11] = 0xff, [12] = 0xfe },
		       16);
		memcpy(address + 8, owner->mac, 3);
		memcpy(address + 13, owner->mac + 3, 3);
		address[8] ^= 2;
	}
	put(frame, address, size);
}

static void put_random(struct frame *frame, unsigned count)
{
	while (count--)
		put8(frame, draw(256));
}

static void put_arp(struct frame *frame, const struct owner *owner)
{
	put16(frame, ONE_OF(1, 6));
	put16(frame, ONE_OF(0x800, 0x86dd));
	put8(frame, ONE_OF(6, 8));
	put8(frame, ONE_OF(4, 16));
	put16(frame, ONE_OF(1, 2, 3, 0));
	put_mac(frame, owner);
	put_address(frame, owner, false);
	put_random(frame, 6);
	put_address(frame, owner, false);
}

static void put_ports(struct frame *frame)
{
	put16(frame, ONE_OF(1000, 67, 547, 68, 25));
	put16(frame, ONE_OF(80, 25, 67, 547));
	put_random(frame, draw(20));
}

static void put_ipv4(struct frame *frame, const struct owner *owner)
{
	unsigned words = draw(4) ? 0 : draw(11), protocol = ONE_OF(6, 17, 1, 2, 41, 6, 17);
	size_t begin = frame->size;

	put8(frame, (draw(30) ? 0x40 : draw(256) & 0xf0) | (5 + words));
	put8(frame, 0);
	put16(frame, 0);
	put16(frame, 1);
	put16(frame, ONE_OF(0, 0x4000, 0x2000, 1, 2, 0x2001));
	put8(frame, 64);
	put8(frame, protocol);
	put16(frame, 0);
	put_address(frame, owner, false);
	put_random(frame, 4);
	for (unsigned i = 0; i < words * 4; i++)
		put8(frame, ONE_OF(1, 0, 131, 137, 7, 3, 4, 2, 148));
	if (draw(8) == 0) {
		put_random(frame, draw(4));
	} else if (protocol == 1) {
		put8(frame, ONE_OF(8, 5, 9, 0));
		put_random(frame, 7);
	} else if (protocol == 2) {
		put8(frame, ONE_OF(0x16, 0x11, 0x22));
		put_random(frame, 7);
	} else {
		put_ports(frame);
	}
	frame->bytes[begin + 2] = (uint8_t)((frame->size - begin) >> 8);
	frame->bytes[begin + 3] = (uint8_t)(frame->size - begin);
}

static void put_nd(struct frame *frame, const struct owner *owner, unsigned type)
{
	put8(frame, type);
	put8(frame, 0);
	put16(frame, 0);
	put_random(frame, 4);
	if (type != 133)
		put_address(frame, owner, true);
	for (unsigned n = draw(4) ? draw(3) : draw(11); n; n--) {
		unsigned len = ONE_OF(1, 2, 0);

		put8(frame, ONE_OF(1, 2, 14, 3));
		put8(frame, len);
		put_mac(frame, owner);
		put_random(frame, len > 1 ? 8 : 0);
	}
}

static void put_upper6(struct frame *frame, const struct owner *owner, unsigned next)
{
	if (draw(10) == 0) {
		put_random(frame, draw(6));
	} else if (next == 58) {
		unsigned type =
		    ONE_OF(135, 136, 133, 134, 137, 138, 130, 131, 143, 149, 151, 128);

		put_nd(frame, owner, type);
	} else {
		put_ports(frame);
	}
}

static void put_ipv6(struct frame *frame, const struct owner *owner)
{
	unsigned headers = draw(3) ? 0 : draw(11);
	unsigned last = ONE_OF(58, 6, 17, 59, 41, 58, 6), next[12];
	size_t begin = frame->size;

	for (unsigned i = 0; i < headers; i++)
		next[i] = ONE_OF(60, 0, 43, 44, 51, 135, 139, 140);
	next[headers] = last;
	put8(frame, draw(30) ? 0x60 : draw(256));
	put_random(frame, 3);
	put16(frame, 0);
	put8(frame, next[0]);
	put8(frame, 255);
	put_address(frame, owner, true);
	put_random(frame, 16);
	for (unsigned i = 0; i < headers; i++) {
		unsigned len = draw(5) ? 0 : draw(20);

		put8(frame, next[i + 1]);
		put8(frame, next[i] == 51 ? len * 2 : len);
		put8(frame, draw(2));
		put8(frame, ONE_OF(0, 1, 8));
		put_random(frame, 4 + (next[i] == 44 ? 0 : len * 8));
	}
	put_upper6(frame, owner, last);
	frame->bytes[begin + 4] = (uint8_t)((frame->size - begin - 40) >> 8);
	frame->bytes[begin + 5] = (uint8_t)(frame->size - begin - 40);
}

static void frame_make(struct frame *frame, const struct owner *owner)
{
	static const uint8_t to[3][6] = { { 2, 1, 1, 1, 1, 1 },
					  { 255, 255, 255, 255, 255, 255 },
					  { 1, 0x80, 0xc2, 0, 0, 3 } };
	unsigned kind = ONE_OF(0x86dd, 0x800, 0x86dd, 0x800, 0x806, 0x8100, 0x88a8, 0x88cc, 60);

	frame->size = 0;
	put(frame, to[draw(12) < 10 ? 0 : draw(3)], 6);
	if (draw(8))
		put(frame, owner->mac, 6);
	else
		put_mac(frame, owner);
	put16(frame, kind);
	if (kind == 0x800)
		put_ipv4(frame, owner);
	else if (kind == 0x86dd)
		put_ipv6(frame, owner);
	else if (kind == 0x806)
		put_arp(frame, owner);
	else
		put_random(frame, 40);
	/* and then something else, or less, or nothing of all that */
	for (unsigned n = draw(4) ? 0 : draw(4); n; n--)
		frame->bytes[14 + draw((unsigned)frame->size - 14)] = (uint8_t)draw(256);
	if (draw(10) == 0)
		frame->size = 14 + draw((unsigned)frame->size - 13);
	if (draw(10) == 0)
		put_random(frame, draw(20));
	if (draw(50) == 0) {
		frame->size = 14;
		put_random(frame, draw(200));
	}
}

int main(int argc, char *argv[])
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, wrong = 0,
		      passed = 0;
	struct oracle oracle;
	struct frame frame;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	if (oracle_open(&oracle) < 0) {
		fprintf(stderr, "guard-oracle: cannot load the guard: %s\n", strerror(errno));
		return 1;
	}
	for (unsigned long i = 0; i < count; i++) {
		const char *said[2];

		oracle_smtp(&oracle, draw(8) == 0);
		do {
			frame_make(&frame, &oracle.owner);
		} while (!oracle_takes(frame.bytes, frame.size));
		if (!oracle_ask(&oracle, frame.bytes, frame.size, said) && wrong++ < 10)
			oracle_tell(frame.bytes, frame.size, said);
		passed += !said[1];
	}
	for (unsigned i = 0; i < GUARD_REASONS; i++)
		printf("%s %llu\n", guard_reason_name(i),
		       (unsigned long long)oracle.dropped[i]);
	printf("%lu frames, %lu passed, %lu mismatches\n", count, passed, wrong);
	return wrong != 0;
}

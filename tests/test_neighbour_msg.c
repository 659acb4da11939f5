/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "../netns/neighbour_msg.h"
#include "err.h"

static const struct mac own = { { 0x02, 0x6e, 0x64, 0, 0, 7 } };
static const struct mac other = { { 0x52, 0x54, 0, 1, 2, 3 } };
static uint8_t frame[NEIGHBOUR_FRAME];
static struct mac holder;
static struct err err;

static struct address address_of(const char *text)
{
	struct address address = { 0 };

	cr_assert_eq(address_parse(text, &address, &err), 0, "%s: %s", text, err.msg);
	return address;
}

#define FRAME_IS(...)                                                                          \
	do {                                                                                   \
		const uint8_t wanted[] = { __VA_ARGS__ };                                      \
		cr_assert_eq(size, sizeof(wanted));                                            \
		cr_expect_arr_eq(frame, wanted, sizeof(wanted));                               \
	} while (0)

Test(neighbour, probe_asks_as_nobody_who_has_an_ipv4_address)
{
	struct address address = address_of("203.0.113.9");
	size_t size = neighbour_probe_put(frame, &own, &address);

	FRAME_IS(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x6e, 0x64, 0, 0, 7, 0x08, 0x06, 0,
		 1, 0x08, 0, 6, 4, 0, 1, 0x02, 0x6e, 0x64, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		 0, 203, 0, 113, 9);
}

Test(neighbour, announcement_of_ipv4_is_a_request_from_and_for_it)
{
	struct address address = address_of("203.0.113.9");
	size_t size = neighbour_announce_put(frame, &own, &address);

	FRAME_IS(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x6e, 0x64, 0, 0, 7, 0x08, 0x06, 0,
		 1, 0x08, 0, 6, 4, 0, 1, 0x02, 0x6e, 0x64, 0, 0, 7, 203, 0, 113, 9, 0, 0, 0, 0,
		 0, 0, 203, 0, 113, 9);
}

/* Of a frame with its checksum in it: what is left over is none. */
static unsigned checksum_left(size_t size)
{
	uint32_t sum = (uint32_t)(size - 54) + 58;

	for (size_t i = 22; i < size; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

Test(neighbour, probe_of_ipv6_is_that_of_duplicate_detection)
{
	struct address address = address_of("2001:db8::1:2a3b:4c5d");
	size_t size = neighbour_probe_put(frame, &own, &address);

	cr_assert_eq(size, 78);
	cr_expect_arr_eq(frame, "\x33\x33\xff\x3b\x4c\x5d\x02\x6e\x64\0\0\x07\x86\xdd", 14);
	cr_expect_arr_eq(frame + 14, "\x60\0\0\0\0\x18\x3a\xff", 8);
	cr_expect_arr_eq(frame + 22, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "from nobody");
	cr_expect_arr_eq(frame + 38, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x3b\x4c\x5d", 16);
	cr_expect_eq(frame[54], 135);
	cr_expect_arr_eq(frame + 62, address.bytes, 16);
	cr_expect_eq(checksum_left(size), 0xffff);
}

Test(neighbour, announcement_of_ipv6_overrides)
{
	struct address address = address_of("2001:db8::9");
	size_t size = neighbour_announce_put(frame, &own, &address);

	cr_assert_eq(size, 86);
	cr_expect_arr_eq(frame, "\x33\x33\0\0\0\x01\x02\x6e\x64\0\0\x07\x86\xdd", 14);
	cr_expect_arr_eq(frame + 22, address.bytes, 16, "from it");
	cr_expect_eq(frame[54], 136);
	cr_expect_eq(frame[58], 0x20);
	cr_expect_arr_eq(frame + 62, address.bytes, 16);
	cr_expect_arr_eq(frame + 78, "\x02\x01\x02\x6e\x64\0\0\x07", 8);
	cr_expect_eq(checksum_left(size), 0xffff);
}

static bool claims(size_t size, const char *address)
{
	struct address of = address_of(address);

	return neighbour_claims(frame, size, &own, &of, &holder);
}

Test(neighbour, who_announces_an_address_has_it)
{
	struct address v4 = address_of("203.0.113.9"), v6 = address_of("2001:db8::9");
	size_t size = neighbour_announce_put(frame, &other, &v4);

	cr_expect(claims(size, "203.0.113.9"));
	cr_expect_arr_eq(holder.bytes, other.bytes, 6);
	cr_expect_not(claims(size, "203.0.113.10"));
	cr_expect_not(claims(size - 1, "203.0.113.9"), "it is cut off");
	size = neighbour_announce_put(frame, &other, &v6);
	cr_expect(claims(size, "2001:db8::9"));
	cr_expect_not(claims(size, "2001:db8::a"));
	frame[21] = 254;
	cr_expect_not(claims(size, "2001:db8::9"), "it was forwarded");
}

Test(neighbour, who_asks_as_nobody_is_about_to_have_it)
{
	struct address v4 = address_of("203.0.113.9"), v6 = address_of("2001:db8::9");
	size_t size = neighbour_probe_put(frame, &other, &v4);

	cr_expect(claims(size, "203.0.113.9"));
	size = neighbour_probe_put(frame, &other, &v6);
	cr_expect(claims(size, "2001:db8::9"));
	frame[22] = 0xfe;
	cr_expect_not(claims(size, "2001:db8::9"), "somebody looks for it, no more");
}

Test(neighbour, who_looks_for_an_address_does_not_have_it)
{
	struct address v4 = address_of("203.0.113.9");
	size_t size = neighbour_probe_put(frame, &other, &v4);

	memcpy(frame + 28, "\xcb\0\x71\x05", 4);
	cr_expect_not(claims(size, "203.0.113.9"));
	cr_expect(claims(size, "203.0.113.5"), "but the one that asks has his own");
}

Test(neighbour, what_we_say_ourselves_is_no_claim)
{
	struct address v4 = address_of("203.0.113.9"), v6 = address_of("2001:db8::9");

	cr_expect_not(claims(neighbour_announce_put(frame, &own, &v4), "203.0.113.9"));
	cr_expect_not(claims(neighbour_announce_put(frame, &own, &v6), "2001:db8::9"));
}

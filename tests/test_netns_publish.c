/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "err.h"
#include "netns.h"

static struct err err;

static void round_trip(const char *text, const char *expected)
{
	struct publish publish;
	char out[PUBLISH_TEXT];

	cr_assert_eq(publish_parse(text, &publish, &err), 0, "%s: %s", text, err.msg);
	publish_print(&publish, out, sizeof(out));
	cr_expect_str_eq(out, expected);
}

Test(publish, names_the_port_of_the_node_first)
{
	struct publish publish;

	cr_assert_eq(publish_parse("22001:22", &publish, &err), 0);
	cr_expect_eq(publish.host, 22001);
	cr_expect_eq(publish.guest, 22);
	cr_expect_eq(publish.protocol, IPPROTO_TCP);
}

Test(publish, is_printed_in_its_shortest_form)
{
	round_trip("22001:22", "22001:22");
	round_trip("22001:22/tcp", "22001:22");
	round_trip("5353:53/udp", "5353:53/udp");
	round_trip("1:65535", "1:65535");
	round_trip("8000-8010:80", "8000-8010:80");
	round_trip("8000-8000:80", "8000:80");
	round_trip("203.0.113.5:8000-8010:80/udp", "203.0.113.5:8000-8010:80/udp");
	round_trip("[2001:db8::5]:53:53/udp", "[2001:db8::5]:53:53/udp");
}

Test(publish, what_is_none_is_refused)
{
	const char *texts[] = { "",
				"22",
				":",
				"22:",
				":22",
				"0:22",
				"22:0",
				"65536:22",
				"22:65536",
				"22:22/",
				"22:22/sctp",
				"22:22/TCP",
				"22:22:22",
				"-1:22",
				" 22:22",
				"22:22 ",
				"22/tcp:1",
				"0x16:22",
				"22:22/udp/x",
				"99999999999999999999:22",
				"9-8:22",
				"1-1025:1",
				"8-9:65535",
				"2001:db8::5:53:53",
				"[10.0.0.1]:1:1",
				"10.0.0.1/24:1:1",
				"[2001:db8::5:53:53",
				"8-:1",
				"-8:1",
				"1-2-3:4",
				":1:1" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct publish publish = { .host = 7 };

		cr_expect_eq(publish_parse(texts[i], &publish, &err), -1, "'%s' was taken",
			     texts[i]);
		cr_expect_eq(err.kind, ERR_VALUE);
		cr_expect_eq(publish.host, 7);
	}
}

static struct publish parsed(const char *text)
{
	struct publish publish;

	cr_assert_eq(publish_parse(text, &publish, &err), 0, "%s: %s", text, err.msg);
	return publish;
}

Test(publish, is_named_by_its_ports_of_the_node)
{
	struct publish range = parsed("8000-8010:80/udp"), one = parsed("22001:22");

	cr_expect(publish_is_named(&one, "22001:22"));
	cr_expect(publish_is_named(&one, "22001"));
	cr_expect(publish_is_named(&one, "22001/tcp"));
	cr_expect_not(publish_is_named(&one, "22001/udp"));
	cr_expect_not(publish_is_named(&one, "22001:23"));
	cr_expect(publish_is_named(&range, "8000-8010/udp"));
	cr_expect_not(publish_is_named(&range, "8000-8010"));
	cr_expect_not(publish_is_named(&range, "8000/udp"));
}

Test(publish, meets_what_has_a_port_of_it)
{
	struct publish range = parsed("8000-8010:80"), other = parsed("8010:22");

	cr_expect(publish_meets(&range, &other));
	other = parsed("8011:22");
	cr_expect_not(publish_meets(&range, &other));
	other = parsed("8005:22/udp");
	cr_expect_not(publish_meets(&range, &other));
	other = parsed("10.0.0.1:8005:22");
	cr_expect_not(publish_meets(&range, &other), "one address goes before all");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "err.h"
#include "netns.h"

static struct err err;

static void round_trip(const char *text, const char *expected)
{
	struct publish publish;
	char out[32];

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
}

Test(publish, what_is_none_is_refused)
{
	const char *texts[] = {
		"",	      "22",	   ":",	       "22:",	      ":22",
		"0:22",	      "22:0",	   "65536:22", "22:65536",    "22:22/",
		"22:22/sctp", "22:22/TCP", "22:22:22", "-1:22",	      " 22:22",
		"22:22 ",     "22/tcp:1",  "0x16:22",  "22:22/udp/x", "99999999999999999999:22"
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct publish publish = { .host = 7 };

		cr_expect_eq(publish_parse(texts[i], &publish, &err), -1, "'%s' was taken",
			     texts[i]);
		cr_expect_eq(err.kind, ERR_VALUE);
		cr_expect_eq(publish.host, 7);
	}
}

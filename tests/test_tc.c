/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "../netns/netlink.h"
#include "../netns/rtnl_msg.h"
#include "../netns/tc_msg.h"
#include "err.h"
#include "netns.h"

static struct netlink_batch batch;
static struct err err;

static struct nlmsghdr *fresh(void)
{
	netlink_start(&batch);
	/* what was there before must not show through */
	memset(batch.buf, 0xa5, sizeof(batch.buf));
	return netlink_next(&batch, "test", 0);
}

/* All bytes behind the 16 of struct nlmsghdr. */
static void payload_is(const struct nlmsghdr *nlh, const uint8_t *expected, size_t size)
{
	cr_assert_eq(nlh->nlmsg_len, MNL_NLMSG_HDRLEN + size, "%u bytes", nlh->nlmsg_len);
	cr_expect_arr_eq(mnl_nlmsg_get_payload(nlh), expected, size);
}

#define PAYLOAD_IS(nlh, ...)                                                                   \
	payload_is(nlh, (const uint8_t[]){ __VA_ARGS__ },                                      \
		   sizeof((const uint8_t[]){ __VA_ARGS__ }))

#define WORD(byte) byte, 0, 0, 0
#define ZEROES	   0, 0, 0, 0
#define ROOT	   0xff, 0xff, 0xff, 0xff
#define HTB	   8, 0, 1, 0, 'h', 't', 'b', 0

Test(tc, root_is_an_htb_that_sends_all_through_its_first_class)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_root(nlh, 5);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWQDISC);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	PAYLOAD_IS(nlh, ZEROES, WORD(5), 0, 0, 1, 0, ROOT, ZEROES, HTB, 28, 0, 2, 0x80, 24, 0,
		   2, 0, WORD(3), WORD(10), WORD(1), ZEROES, ZEROES);
}

Test(tc, root_that_is_removed_is_ours)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_root_delete(nlh, 5);
	cr_expect_eq(nlh->nlmsg_type, RTM_DELQDISC);
	PAYLOAD_IS(nlh, ZEROES, WORD(5), 0, 0, 1, 0, ROOT, ZEROES);
}

Test(tc, class_has_one_rate_whatever_else_is_idle)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_class(nlh, 5, 0x01020304);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWTCLASS);
	/* one that is there is changed */
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE);
	/* clang-format off */
	PAYLOAD_IS(nlh, ZEROES, WORD(5), 1, 0, 1, 0, 0, 0, 1, 0, ZEROES, HTB,
		   52, 0, 2, 0x80, 48, 0, 1, 0,
		   0, 1, 0, 0, ZEROES, 4, 3, 2, 1,
		   0, 1, 0, 0, ZEROES, 4, 3, 2, 1,
		   /* 10 ms in units of 64 ns, twice; the quantum */
		   0x5a, 0x62, 2, 0, 0x5a, 0x62, 2, 0, 0x60, 0xea, 0, 0, ZEROES, ZEROES);
	/* clang-format on */
}

Test(tc, rate_beyond_32_bits_has_attributes_of_its_own)
{
	struct nlmsghdr *nlh = fresh();
	struct tc_class class;

	tc_put_class(nlh, 5, 0x100000005ull);
	cr_assert(tc_class_read(nlh, &class));
	cr_expect_eq(class.bytes, 0x100000005ull);
}

/* What the kernel answers has the same form. */
Test(tc, class_is_read_back)
{
	struct nlmsghdr *nlh = fresh();
	struct tc_class class;

	tc_put_class(nlh, 5, 1293750);
	cr_assert(tc_class_read(nlh, &class));
	cr_expect_eq(class.index, 5);
	cr_expect_eq(class.bytes, 1293750);
	cr_expect_eq(class.waiting, 0);
}

Test(tc, what_is_not_our_class_is_none)
{
	struct nlmsghdr *nlh = fresh();
	struct tc_class class;

	tc_put_class(nlh, 5, 1293750);
	((struct tcmsg *)mnl_nlmsg_get_payload(nlh))->tcm_handle = 0x10002;
	cr_expect_not(tc_class_read(nlh, &class));
	nlh = fresh();
	tc_put_root(nlh, 5);
	cr_expect_not(tc_class_read(nlh, &class));
	cr_expect_eq(tc_redirect_read(nlh), 0);
}

Test(tc, queue_is_in_the_class_and_its_limit_changes_in_place)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_queue(nlh, 5, 0x20000);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	PAYLOAD_IS(nlh, ZEROES, WORD(5), 0, 0, 10, 0, 1, 0, 1, 0, ZEROES, 10, 0, 1, 0, 'b', 'f',
		   'i', 'f', 'o', 0, 0, 0, 8, 0, 2, 0, 0, 0, 2, 0);
	nlh = fresh();
	tc_put_queue_limit(nlh, 5, 0x20000);
	/* without CREATE: one of another kind stays as it is */
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
}

Test(tc, fair_queue_takes_little_memory)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_fair_queue(nlh, 5);
	PAYLOAD_IS(nlh, ZEROES, WORD(5), 0, 0, 10, 0, 1, 0, 1, 0, ZEROES, 13, 0, 1, 0, 'f', 'q',
		   '_', 'c', 'o', 'd', 'e', 'l', 0, 0, 0, 0, 20, 0, 2, 0x80, 8, 0, 5, 0, 0, 1,
		   0, 0, 8, 0, 9, 0, 0, 0, 0x40, 0);
}

/* What a dump answers: the filter with the program's number. */
static struct nlmsghdr *guard_answer(uint32_t number)
{
	struct nlmsghdr *nlh = fresh();
	struct nlattr *options;
	struct tcmsg *tc;

	nlh->nlmsg_type = RTM_NEWTFILTER;
	tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	tc->tcm_handle = 1;
	tc->tcm_info = 1u << 16;
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put_u32(nlh, TCA_BPF_ID, number);
	mnl_attr_nest_end(nlh, options);
	return nlh;
}

Test(tc, the_guard_is_the_first_filter_and_decides_itself)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_guard(nlh, 5, true, 3);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWTFILTER);
	cr_expect_eq(nlh->nlmsg_flags,
		     NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	/* handle 1 of priority 1, for every protocol, where packets arrive */
	PAYLOAD_IS(nlh, ZEROES, WORD(5), WORD(1), 0xf2, 0xff, 0xff, 0xff, 0, 3, 1, 0, 8, 0, 1,
		   0, 'b', 'p', 'f', 0, 40, 0, 2, 0x80, 8, 0, 6, 0, WORD(3), 18, 0, 7, 0, 'n',
		   'o', 'd', 'e', 'c', 't', 'l', ' ', 'g', 'u', 'a', 'r', 'd', 0, 0, 0, 8, 0, 8,
		   0, WORD(1));
	tc_put_guard(nlh = fresh(), 5, false, 3);
	cr_expect_eq(((const struct tcmsg *)mnl_nlmsg_get_payload(nlh))->tcm_parent,
		     0xfffffff3);
}

Test(tc, the_guard_is_known_by_its_programs_number)
{
	struct nlmsghdr *nlh = guard_answer(77);

	cr_expect_eq(tc_guard_read(nlh), 77);
	cr_expect_eq(tc_redirect_read(nlh), 0);
	tc_put_redirect(nlh = fresh(), 5, 9);
	cr_expect_eq(tc_guard_read(nlh), 0);
}

Test(tc, redirect_takes_every_packet_after_all_other_filters)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_redirect(nlh, 5, 9);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWTFILTER);
	/* clang-format off */
	PAYLOAD_IS(nlh, ZEROES, WORD(5), ZEROES, 0xf2, 0xff, 0xff, 0xff, 0, 3, 0, 0xc0,
		   8, 0, 1, 0, 'u', '3', '2', 0,
		   96, 0, 2, 0x80,
		   /* one key of four bytes, under an empty mask */
		   36, 0, 5, 0, 1, 0, 1, 0, ZEROES, ZEROES, ZEROES, ZEROES, ZEROES, ZEROES, ZEROES,
		   56, 0, 7, 0x80, 52, 0, 1, 0x80,
		   11, 0, 1, 0, 'm', 'i', 'r', 'r', 'e', 'd', 0, 0,
		   36, 0, 2, 0x80, 32, 0, 2, 0, ZEROES, ZEROES, WORD(4), ZEROES, ZEROES, WORD(1),
		   WORD(9));
	/* clang-format on */
	cr_expect_eq(tc_redirect_read(nlh), 9);
}

Test(tc, filter_of_another_priority_is_not_ours)
{
	struct nlmsghdr *nlh = fresh();

	tc_put_redirect(nlh, 5, 9);
	((struct tcmsg *)mnl_nlmsg_get_payload(nlh))->tcm_info = 0x00010300;
	cr_expect_eq(tc_redirect_read(nlh), 0);
}

Test(tc, rate_counts_what_packets_carry)
{
	cr_expect_eq(tc_bytes(10000000), 1293750);
	cr_expect_eq(tc_bytes(1000000000), 129375000);
	cr_expect_gt(tc_bytes(1000000000000), UINT32_MAX);
	for (uint64_t bits = 64000; bits < 1000000000000; bits *= 7) {
		uint64_t back = tc_bits(tc_bytes(bits));

		cr_expect(back <= bits && bits - back <= 16, "%lu: %lu", bits, back);
	}
}

Test(tc, queue_holds_two_of_the_largest_packets_and_no_more_than_8_mib)
{
	cr_expect_eq(tc_queue_bytes(64000), 128 << 10);
	cr_expect_eq(tc_queue_bytes(1000000000), 6250000);
	cr_expect_eq(tc_queue_bytes(1000000000000), 8 << 20);
}

Test(tc, interface_to_wait_in_is_born_down_with_one_queue)
{
	struct nlmsghdr *nlh = fresh();

	rtnl_put_ifb(nlh, "ni7", "nodectl 7", 1400);
	cr_expect_eq(nlh->nlmsg_type, RTM_NEWLINK);
	cr_expect_eq(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	/* clang-format off */
	PAYLOAD_IS(nlh, ZEROES, ZEROES, ZEROES, ZEROES, 8, 0, 3, 0, 'n', 'i', '7', 0,
		   14, 0, 20, 0, 'n', 'o', 'd', 'e', 'c', 't', 'l', ' ', '7', 0, 0, 0,
		   8, 0, 4, 0, 0x78, 5, 0, 0, 8, 0, 31, 0, WORD(1), 8, 0, 32, 0, WORD(1),
		   12, 0, 18, 0x80, 8, 0, 1, 0, 'i', 'f', 'b', 0);
	/* clang-format on */
}

Test(shape, rates_that_no_link_has_are_refused_by_value)
{
	cr_expect_eq(link_rates_check(&(struct link){ 0 }, &err), 0);
	cr_expect_eq(link_rates_check(&(struct link){ .rate_in = 64000 }, &err), 0);
	cr_expect_eq(link_rates_check(&(struct link){ .rate_in = 63999 }, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg, "rate-in: a rate is from 64k to 1T, or 0 for none");
	cr_expect_eq(link_rates_check(&(struct link){ .rate_out = 1000000000001 }, &err), -1);
}

static unsigned knobs;

static int knob_count(const struct link_knob *knob, void *arg, struct err *unused)
{
	(void)unused;
	knobs++;
	cr_expect_eq(knob->equal, *(const bool *)arg, "%s: %s, %s", knob->name, knob->want,
		     knob->got);
	return 0;
}

/* In a network namespace of our own: on the real kernel, as far as it can. */
Test(shape, rates_come_change_and_go)
{
	struct link link = { .rate_in = 10000000, .rate_out = 20000000 };
	struct mac mac = { { 2 } };
	bool same = true, other = false;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || link_rates_lacking())
		cr_skip_test("needs root, htb and ifb");
	int fd = netlink_open(NETLINK_ROUTE, &err);
	netlink_start(&batch);
	rtnl_put_bridge(netlink_next(&batch, "make it", 0), "nv7", &mac);
	cr_assert_eq(netlink_run(fd, &batch, NULL, NULL, &err), 0, "%s", err.msg);

	cr_assert_eq(link_diff(7, &link, knob_count, &other, &err), 0, "%s", err.msg);
	for (unsigned i = 0; i < 3; i++, link.rate_in *= 100) {
		cr_assert_eq(link_shape(7, &link, &err), 0, "%s", err.msg);
		cr_assert_eq(link_shape(7, &link, &err), 0, "again: %s", err.msg);
		cr_assert_eq(link_diff(7, &link, knob_count, &same, &err), 0, "%s", err.msg);
	}
	cr_expect_neq(if_nametoindex("ni7"), 0);
	link.rate_in = link.rate_out = 0;
	cr_assert_eq(link_shape(7, &link, &err), 0, "%s", err.msg);
	cr_assert_eq(link_diff(7, &link, knob_count, &same, &err), 0, "%s", err.msg);
	cr_expect_eq(if_nametoindex("ni7"), 0);
	cr_expect_eq(knobs, 10);

	link.rate_out = 20000000;
	cr_assert_eq(link_shape(7, &link, &err), 0, "%s", err.msg);
	cr_assert_eq(link_remove(7, &err), 0, "%s", err.msg);
	cr_expect_eq(if_nametoindex("ni7"), 0);
	cr_expect_eq(link_shape(7, &link, &err), -1);
	cr_expect_eq(err.code, ENODEV);
}

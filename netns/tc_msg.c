/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tc_msg.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#define ROOT	 TC_H_MAKE(1 << 16, 0)
#define CLASS	 TC_H_MAKE(1 << 16, 1)
#define QUEUE	 TC_H_MAKE(10 << 16, 0)
#define ARRIVING TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define LEAVING	 TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)

/* Behind whatever looks at packets first. */
#define PRIORITY 0xc000u

/* Before all others. */
#define GUARD_PRIORITY 1u

/* A class may catch up on so much after it was kept from sending: the kernel's own work comes
 * late by some ms on a busy node, and what is lost then is lost. */
#define BURST_NS 10000000

/* Time in these messages is in units of 64 ns. */
#define TICK_NS 64

/* Between flows of one class there is no choice to make. */
#define QUANTUM 60000

#define QUEUE_MS  50
#define QUEUE_MIN (128 * 1024)
#define QUEUE_MAX (8 * 1024 * 1024)

/* Enough to keep flows apart; each takes 64 bytes. */
#define FLOWS	    256
#define FLOWS_BYTES (4 * 1024 * 1024)

/*
 * A rate is what packets carry: a full one has 1448 bytes for TCP and is counted as 1514 here.
 * So the kernel is told 3.5 % more, and 1 % goes to the sender's own waiting.
 */
uint64_t tc_bytes(uint64_t bits)
{
	return bits / 8 * 1035 / 1000 + bits % 8 * 1035 / 8000;
}

uint64_t tc_bits(uint64_t bytes)
{
	return (bytes * 8000 + 1034) / 1035;
}

uint32_t tc_queue_bytes(uint64_t bits)
{
	uint64_t bytes = bits / 8 / 1000 * QUEUE_MS;

	return bytes < QUEUE_MIN ? QUEUE_MIN : bytes > QUEUE_MAX ? QUEUE_MAX : (uint32_t)bytes;
}

static struct tcmsg *put_tc(struct nlmsghdr *nlh, uint16_t type, uint16_t flags, uint32_t index)
{
	struct tcmsg *tc;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)index;
	return tc;
}

static struct tcmsg *put_place(struct nlmsghdr *nlh, uint16_t type, uint16_t flags,
			       uint32_t index, uint32_t handle)
{
	struct tcmsg *tc = put_tc(nlh, type, flags, index);

	tc->tcm_handle = handle;
	return tc;
}

void tc_put_root(struct nlmsghdr *nlh, uint32_t index)
{
	const struct tc_htb_glob glob = { .version = 3, .rate2quantum = 10, .defcls = 1 };
	struct nlattr *options;

	put_place(nlh, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, ROOT)->tcm_parent =
	    TC_H_ROOT;
	mnl_attr_put_strz(nlh, TCA_KIND, "htb");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put(nlh, TCA_HTB_INIT, sizeof(glob), &glob);
	mnl_attr_nest_end(nlh, options);
}

void tc_put_root_delete(struct nlmsghdr *nlh, uint32_t index)
{
	put_place(nlh, RTM_DELQDISC, 0, index, ROOT)->tcm_parent = TC_H_ROOT;
}

void tc_put_class(struct nlmsghdr *nlh, uint32_t index, uint64_t bytes)
{
	/* the field has 32 bits; a larger one is in an attribute of its own */
	uint32_t word = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
	struct tc_ratespec rate = { .linklayer = TC_LINKLAYER_ETHERNET, .rate = word };
	const struct tc_htb_opt opt = {
		.rate = rate,
		.ceil = rate,
		.buffer = BURST_NS / TICK_NS,
		.cbuffer = BURST_NS / TICK_NS,
		.quantum = QUANTUM,
	};
	struct nlattr *options;

	put_place(nlh, RTM_NEWTCLASS, NLM_F_CREATE, index, CLASS)->tcm_parent = ROOT;
	mnl_attr_put_strz(nlh, TCA_KIND, "htb");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put(nlh, TCA_HTB_PARMS, sizeof(opt), &opt);
	if (bytes >= UINT32_MAX) {
		mnl_attr_put_u64(nlh, TCA_HTB_RATE64, bytes);
		mnl_attr_put_u64(nlh, TCA_HTB_CEIL64, bytes);
	}
	mnl_attr_nest_end(nlh, options);
}

static void put_leaf(struct nlmsghdr *nlh, uint16_t flags, uint32_t index, const char *kind)
{
	put_place(nlh, RTM_NEWQDISC, flags, index, QUEUE)->tcm_parent = CLASS;
	mnl_attr_put_strz(nlh, TCA_KIND, kind);
}

/*
 * Packets of 64 KiB at 10 Mbit/s take longer than the 5 ms that CoDel wants: one is let wait
 * longer than it takes.
 */
void tc_put_fair_queue(struct nlmsghdr *nlh, uint32_t index)
{
	struct nlattr *options;

	put_leaf(nlh, NLM_F_CREATE | NLM_F_EXCL, index, "fq_codel");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put_u32(nlh, TCA_FQ_CODEL_FLOWS, FLOWS);
	mnl_attr_put_u32(nlh, TCA_FQ_CODEL_MEMORY_LIMIT, FLOWS_BYTES);
	mnl_attr_nest_end(nlh, options);
}

static void put_limit(struct nlmsghdr *nlh, uint32_t limit)
{
	const struct tc_fifo_qopt opt = { .limit = limit };

	mnl_attr_put(nlh, TCA_OPTIONS, sizeof(opt), &opt);
}

void tc_put_queue(struct nlmsghdr *nlh, uint32_t index, uint32_t limit)
{
	put_leaf(nlh, NLM_F_CREATE | NLM_F_EXCL, index, "bfifo");
	put_limit(nlh, limit);
}

void tc_put_queue_limit(struct nlmsghdr *nlh, uint32_t index, uint32_t limit)
{
	put_leaf(nlh, 0, index, "bfifo");
	put_limit(nlh, limit);
}

void tc_put_ingress(struct nlmsghdr *nlh, uint32_t index)
{
	put_place(nlh, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index,
		  TC_H_MAKE(TC_H_CLSACT, 0))
	    ->tcm_parent = TC_H_CLSACT;
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
}

static void put_filter(struct nlmsghdr *nlh, uint16_t type, uint16_t flags, uint32_t index)
{
	struct tcmsg *tc = put_tc(nlh, type, flags, index);

	tc->tcm_parent = ARRIVING;
	tc->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
}

void tc_put_redirect(struct nlmsghdr *nlh, uint32_t index, uint32_t to)
{
	const struct tc_u32_sel head = { .flags = TC_U32_TERMINAL, .nkeys = 1 };
	/* one key behind it: the first four bytes, no bit of which matters */
	uint8_t any[sizeof(head) + sizeof(struct tc_u32_key)] = { 0 };
	const struct tc_mirred mirred = { .action = TC_ACT_STOLEN,
					  .eaction = TCA_EGRESS_REDIR,
					  .ifindex = to };
	struct nlattr *options, *actions, *first, *parms;

	memcpy(any, &head, sizeof(head));
	put_filter(nlh, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index);
	mnl_attr_put_strz(nlh, TCA_KIND, "u32");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put(nlh, TCA_U32_SEL, sizeof(any), any);
	actions = mnl_attr_nest_start(nlh, TCA_U32_ACT);
	first = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_strz(nlh, TCA_ACT_KIND, "mirred");
	parms = mnl_attr_nest_start(nlh, TCA_ACT_OPTIONS);
	mnl_attr_put(nlh, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	mnl_attr_nest_end(nlh, parms);
	mnl_attr_nest_end(nlh, first);
	mnl_attr_nest_end(nlh, actions);
	mnl_attr_nest_end(nlh, options);
}

void tc_put_redirect_delete(struct nlmsghdr *nlh, uint32_t index)
{
	put_filter(nlh, RTM_DELTFILTER, 0, index);
}

void tc_put_class_dump(struct nlmsghdr *nlh, uint32_t index)
{
	put_tc(nlh, RTM_GETTCLASS, NLM_F_DUMP, index);
}

void tc_put_filter_dump(struct nlmsghdr *nlh, uint32_t index)
{
	put_tc(nlh, RTM_GETTFILTER, NLM_F_DUMP, index)->tcm_parent = ARRIVING;
}

/* The attribute of that type and at least that size in a nest, or NULL. */
static const struct nlattr *nested(const struct nlattr *nest, uint16_t type, size_t size)
{
	const struct nlattr *attr;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) >= size)
			return attr;
	}
	return NULL;
}

static const struct nlattr *top(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct tcmsg))
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

bool tc_class_read(const struct nlmsghdr *nlh, struct tc_class *class)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *options, *parms, *large, *queue;
	struct gnet_stats_queue stats = { 0 };
	struct tc_htb_opt opt;

	if (nlh->nlmsg_type != RTM_NEWTCLASS || tc->tcm_handle != CLASS)
		return false;
	options = top(nlh, TCA_OPTIONS);
	parms = nested(options, TCA_HTB_PARMS, sizeof(opt));
	if (!parms)
		return false;
	memcpy(&opt, mnl_attr_get_payload(parms), sizeof(opt));
	large = nested(options, TCA_HTB_RATE64, sizeof(uint64_t));
	queue = nested(top(nlh, TCA_STATS2), TCA_STATS_QUEUE, sizeof(stats));
	if (queue)
		memcpy(&stats, mnl_attr_get_payload(queue), sizeof(stats));
	*class = (struct tc_class){ .index = (uint32_t)tc->tcm_ifindex,
				    .bytes = large ? mnl_attr_get_u64(large) : opt.rate.rate,
				    .waiting = stats.qlen,
				    .backlog = stats.backlog,
				    .dropped = stats.drops };
	return true;
}

uint32_t tc_redirect_read(const struct nlmsghdr *nlh)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *action, *parms;
	struct tc_mirred mirred;

	if (nlh->nlmsg_type != RTM_NEWTFILTER || TC_H_MAJ(tc->tcm_info) >> 16 != PRIORITY)
		return 0;
	action = nested(nested(top(nlh, TCA_OPTIONS), TCA_U32_ACT, 0), 1, 0);
	parms = nested(nested(action, TCA_ACT_OPTIONS, 0), TCA_MIRRED_PARMS, sizeof(mirred));
	if (!parms)
		return 0;
	memcpy(&mirred, mnl_attr_get_payload(parms), sizeof(mirred));
	return mirred.eaction == TCA_EGRESS_REDIR ? mirred.ifindex : 0;
}

void tc_put_guard(struct nlmsghdr *nlh, uint32_t index, bool from, int program)
{
	struct tcmsg *tc = put_tc(nlh, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, index);
	struct nlattr *options;

	tc->tcm_parent = from ? ARRIVING : LEAVING;
	tc->tcm_handle = 1;
	tc->tcm_info = TC_H_MAKE(GUARD_PRIORITY << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put_u32(nlh, TCA_BPF_FD, (uint32_t)program);
	mnl_attr_put_strz(nlh, TCA_BPF_NAME, "nodectl guard");
	mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(nlh, options);
}

void tc_put_guard_dump(struct nlmsghdr *nlh, uint32_t index, bool from)
{
	put_tc(nlh, RTM_GETTFILTER, NLM_F_DUMP, index)->tcm_parent = from ? ARRIVING : LEAVING;
}

uint32_t tc_guard_read(const struct nlmsghdr *nlh)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *number;

	if (nlh->nlmsg_type != RTM_NEWTFILTER ||
	    TC_H_MAJ(tc->tcm_info) >> 16 != GUARD_PRIORITY || tc->tcm_handle != 1)
		return 0;
	number = nested(top(nlh, TCA_OPTIONS), TCA_BPF_ID, sizeof(uint32_t));
	return number ? mnl_attr_get_u32(number) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <libmnl/libmnl.h>

struct err;

#define NETLINK_BATCH_MAX  384
#define NETLINK_BATCH_SIZE 16384

/* No message of ours comes near this. */
#define NETLINK_MESSAGE_MAX 768

/*
 * Messages that go to the kernel in one system call, in order.  The kernel
 * works through all of them, also behind one that failed.
 */
struct netlink_batch {
	unsigned count, failed; /* failed: index of the first message that did */
	char *data;		/* buf, or what netlink_start_in() was given */
	size_t used, size, message;
	bool streams; /* answers are seen as they come: they may be many, and are never torn */
	struct {
		const char *what; /* completes "cannot ..." */
		int fine;	  /* errno that is no failure, or 0 */
	} about[NETLINK_BATCH_MAX];
	char buf[NETLINK_BATCH_SIZE] __attribute__((aligned(8)));
};

/* Room for the next message; a builder of rtnl_msg.h or nft_msg.h must fill it at once. */
struct nlmsghdr *netlink_next(struct netlink_batch *batch, const char *what, int fine);

void netlink_start(struct netlink_batch *batch);

/* For more than fits: @size bytes of the caller's, aligned like malloc()'s, and messages of up
 * to @message. */
void netlink_start_in(struct netlink_batch *batch, void *data, size_t size, size_t message);

/* An own_fd of @protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in this network namespace. */
int netlink_open(int protocol, struct err *err);

/* The same, inside the network namespace @netns. */
int netlink_open_in(int netns, int protocol, struct err *err);

/*
 * Send the batch and wait for every acknowledgement and for the end of every
 * dump.  @reply (or NULL) sees what else comes; of a dump that others tore by a
 * change (NLM_F_DUMP_INTR) it sees the first whole one, and if none comes it is
 * EAGAIN.  The first failure is returned with the kernel's own words, where it
 * has some.
 */
int netlink_run(int fd, struct netlink_batch *batch,
		void (*reply)(const struct nlmsghdr *nlh, void *arg), void *arg,
		struct err *err);

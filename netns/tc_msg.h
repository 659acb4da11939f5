/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * Builders and readers of traffic control messages, like those of rtnl_msg.h.  A shaped
 * interface has an HTB as its root with one class that everything goes through, and in that a
 * queue.  HTB sends when it has tokens and owes what a packet is more: it needs to cut none of
 * the 64 KiB packets that a veth carries, as TBF would.
 */

/* Bytes a second that the kernel is told for @bits a second, and back. */
uint64_t tc_bytes(uint64_t bits);
uint64_t tc_bits(uint64_t bytes);

/* How much waits for its turn at the most, in a queue that is one for all flows. */
uint32_t tc_queue_bytes(uint64_t bits);

void tc_put_root(struct nlmsghdr *nlh, uint32_t index);
void tc_put_root_delete(struct nlmsghdr *nlh, uint32_t index);

/* Make the class, or change its rate; what waits in it stays. */
void tc_put_class(struct nlmsghdr *nlh, uint32_t index, uint64_t bytes);

/* The queue in it: one that keeps flows apart, or a plain one; that one's length can be changed
 * while it is in use. */
void tc_put_fair_queue(struct nlmsghdr *nlh, uint32_t index);
void tc_put_queue(struct nlmsghdr *nlh, uint32_t index, uint32_t limit);
void tc_put_queue_limit(struct nlmsghdr *nlh, uint32_t index, uint32_t limit);

/* Where filters of arriving packets are; and one for all of them, to the interface @to. */
void tc_put_ingress(struct nlmsghdr *nlh, uint32_t index);
void tc_put_redirect(struct nlmsghdr *nlh, uint32_t index, uint32_t to);
void tc_put_redirect_delete(struct nlmsghdr *nlh, uint32_t index);

/* All classes of an interface; all filters of its arriving packets. */
void tc_put_class_dump(struct nlmsghdr *nlh, uint32_t index);
void tc_put_filter_dump(struct nlmsghdr *nlh, uint32_t index);

/* What the kernel has of our class. */
struct tc_class {
	uint32_t index;	  /* of the interface */
	uint64_t bytes;	  /* a second */
	uint32_t waiting; /* packets */
	uint32_t backlog; /* the same in bytes */
	uint32_t dropped; /* packets for which there was no room */
};

/* false for any other message. */
bool tc_class_read(const struct nlmsghdr *nlh, struct tc_class *class);

/* The interface that our filter sends to; 0 for any other message. */
uint32_t tc_redirect_read(const struct nlmsghdr *nlh);

/* The guard's @program as the first filter of what arrives (@from) or leaves; needs the place
 * that tc_put_ingress() makes.  What is there is replaced at once. */
void tc_put_guard(struct nlmsghdr *nlh, uint32_t index, bool from, int program);
void tc_put_guard_dump(struct nlmsghdr *nlh, uint32_t index, bool from);

/* The number of the program of that filter; 0 for any other message. */
uint32_t tc_guard_read(const struct nlmsghdr *nlh);

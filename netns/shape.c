/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "err.h"
#include "link.h"
#include "netlink.h"
#include "own.h"
#include "str.h"
#include "sysctl.h"
#include "tc_msg.h"

#define RATE_MIN 64000ull	  /* bits a second: less is no network */
#define RATE_MAX 1000000000000ull /* more has no interface */

/* What is let out at once, in bytes a second: the field of the kernel has 32 bits. */
#define UNHINDERED 0xfffffff0u

/* How long what waits may take to be sent, when it is no longer to wait. */
#define DRAIN_STEPS   100
#define DRAIN_STEP_NS 2000000

/* What the kernel has of a VPS's shaping. */
struct shape {
	struct rtnl_link near, wait; /* index 0: none */
	struct tc_class in, out;     /* bytes 0: none */
	uint32_t to;		     /* where what the VPS sends is led; 0: nowhere */
};

static void link_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct shape *shape = arg;
	struct rtnl_link link;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return;
	rtnl_link_read(nlh, &link);
	if (strcmp(link.kind, "ifb") == 0)
		shape->wait = link;
	else
		shape->near = link;
}

static void class_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct shape *shape = arg;
	struct tc_class class;
	uint32_t to = tc_redirect_read(nlh);

	if (to)
		shape->to = to;
	if (!tc_class_read(nlh, &class))
		return;
	if (class.index == shape->near.index)
		shape->in = class;
	else
		shape->out = class;
}

static int shape_read(int fd, unsigned id, struct shape *shape, struct err *err)
{
	char near[IFNAMSIZ], wait[IFNAMSIZ];
	struct netlink_batch batch;

	*shape = (struct shape){ 0 };
	near_name(id, near);
	wait_name(id, wait);
	netlink_start(&batch);
	rtnl_put_link_get(netlink_next(&batch, "find it", 0), near);
	rtnl_put_link_get(netlink_next(&batch, "find where it waits", ENODEV), wait);
	if (netlink_run(fd, &batch, link_seen, shape, err) < 0)
		return -1;

	/* a socket has one dump at a time; a kernel without traffic control has none of it */
	netlink_start(&batch);
	tc_put_class_dump(netlink_next(&batch, "read its rate", EOPNOTSUPP), shape->near.index);
	if (netlink_run(fd, &batch, class_seen, shape, err) < 0)
		return -1;
	netlink_start(&batch);
	tc_put_filter_dump(netlink_next(&batch, "read its filters", EOPNOTSUPP),
			   shape->near.index);
	if (netlink_run(fd, &batch, class_seen, shape, err) < 0)
		return -1;
	if (!shape->wait.index)
		return 0;
	netlink_start(&batch);
	tc_put_class_dump(netlink_next(&batch, "read its rate", EOPNOTSUPP), shape->wait.index);
	return netlink_run(fd, &batch, class_seen, shape, err);
}

/* Flows that do not hinder each other where the kernel has that. */
static int queue_make(int fd, uint32_t index, uint64_t bits, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	tc_put_fair_queue(netlink_next(&batch, "make the queue", EEXIST), index);
	if (netlink_run(fd, &batch, NULL, NULL, err) == 0)
		return 0;
	if (err->code != ENOENT)
		return -1;
	netlink_start(&batch);
	tc_put_queue(netlink_next(&batch, "make the queue", EEXIST), index,
		     tc_queue_bytes(bits));
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static int rate_make(int fd, uint32_t index, uint64_t bits, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	tc_put_root(netlink_next(&batch, "make the shaper", EEXIST), index);
	tc_put_class(netlink_next(&batch, "set the rate", 0), index, tc_bytes(bits));
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return -1;
	return queue_make(fd, index, bits, err);
}

/* What waits goes on waiting, at the new rate. */
static int rate_change(int fd, uint32_t index, uint64_t bits, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	tc_put_class(netlink_next(&batch, "set the rate", 0), index, tc_bytes(bits));
	/* a fair queue has no such limit */
	tc_put_queue_limit(netlink_next(&batch, "set the queue", EINVAL), index,
			   tc_queue_bytes(bits));
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/* A queue that is removed drops what is in it, so it is let out first. */
static void drain(int fd, uint32_t index)
{
	const struct timespec step = { .tv_nsec = DRAIN_STEP_NS };
	struct netlink_batch batch;
	struct err ignored;

	netlink_start(&batch);
	tc_put_class(netlink_next(&batch, "", 0), index, UNHINDERED);
	if (netlink_run(fd, &batch, NULL, NULL, &ignored) < 0)
		return;
	for (unsigned i = 0; i < DRAIN_STEPS; i++) {
		struct shape shape = { .near.index = index };

		netlink_start(&batch);
		tc_put_class_dump(netlink_next(&batch, "", 0), index);
		if (netlink_run(fd, &batch, class_seen, &shape, &ignored) < 0 ||
		    !shape.in.waiting)
			return;
		nanosleep(&step, NULL);
	}
}

static int in_apply(int fd, const struct shape *shape, uint64_t bits, struct err *err)
{
	struct netlink_batch batch;

	if (bits && shape->in.bytes)
		return rate_change(fd, shape->near.index, bits, err);
	if (bits)
		return rate_make(fd, shape->near.index, bits, err);
	if (!shape->in.bytes)
		return 0;
	drain(fd, shape->near.index);
	netlink_start(&batch);
	tc_put_root_delete(netlink_next(&batch, "remove the shaper", ENOENT),
			   shape->near.index);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

/* Complete before the first packet is led to it. */
static int wait_make(int fd, unsigned id, struct shape *shape, uint64_t bits, struct err *err)
{
	struct netlink_batch batch;
	char name[IFNAMSIZ], alias[32];

	wait_name(id, name);
	str_format(alias, sizeof(alias), "nodectl %u", id);
	netlink_start(&batch);
	rtnl_put_ifb(netlink_next(&batch, "make where it waits", EEXIST), name, alias,
		     shape->near.mtu);
	rtnl_put_link_get(netlink_next(&batch, "find where it waits", 0), name);
	if (netlink_run(fd, &batch, link_seen, shape, err) < 0 ||
	    sysctl_set("ipv6", name, "disable_ipv6", "1", err) < 0 ||
	    rate_make(fd, shape->wait.index, bits, err) < 0)
		return -1;
	netlink_start(&batch);
	rtnl_put_index_up(netlink_next(&batch, "set it up", 0), shape->wait.index);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static int redirect_make(int fd, const struct shape *shape, struct err *err)
{
	struct netlink_batch batch;

	if (shape->to == shape->wait.index)
		return 0;
	netlink_start(&batch);
	tc_put_ingress(netlink_next(&batch, "make room for filters", EEXIST),
		       shape->near.index);
	/* also one that leads to an interface that is gone: it names none, and drops all */
	tc_put_redirect_delete(netlink_next(&batch, "remove the filter", ENOENT),
			       shape->near.index);
	tc_put_redirect(netlink_next(&batch, "make the filter", EEXIST), shape->near.index,
			shape->wait.index);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static int out_remove(int fd, const struct shape *shape, struct err *err)
{
	struct netlink_batch batch;

	netlink_start(&batch);
	if (shape->to)
		tc_put_redirect_delete(netlink_next(&batch, "remove the filter", ENOENT),
				       shape->near.index);
	if (netlink_run(fd, &batch, NULL, NULL, err) < 0)
		return -1;
	if (!shape->wait.index)
		return 0;
	if (shape->out.bytes)
		drain(fd, shape->wait.index);
	netlink_start(&batch);
	rtnl_put_link_delete(netlink_next(&batch, "remove where it waits", ENODEV),
			     shape->wait.name);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

static int out_apply(int fd, unsigned id, struct shape *shape, uint64_t bits, struct err *err)
{
	struct err again;

	if (!bits)
		return out_remove(fd, shape, err);
	if (shape->to && shape->to == shape->wait.index && shape->out.bytes)
		return rate_change(fd, shape->wait.index, bits, err);
	if (wait_make(fd, id, shape, bits, err) == 0 && redirect_make(fd, shape, err) == 0)
		return 0;
	/* half of it would lead packets nowhere */
	(void)out_remove(fd, shape, &again);
	return -1;
}

/* Unknown to the kernel, and no module: a queue or filter, or a kind of interface. */
static bool is_lacking(const struct err *err)
{
	return err->code == ENOENT || err->code == EOPNOTSUPP;
}

static int rate_refused(const char *name, struct err *err)
{
	struct err cause = *err;

	if (!is_lacking(err))
		return fail_in(err, "%s", name);
	return fail_as(err, ERR_KERNEL,
		       "this kernel cannot hold '%s' (%.200s; see 'nodectl doctor'); "
		       "--allow-unenforced %s accepts that",
		       name, cause.msg, name);
}

static int shape_apply(int fd, unsigned id, const struct link *link, struct err *err)
{
	struct shape shape;

	if (shape_read(fd, id, &shape, err) < 0)
		return -1;
	if (in_apply(fd, &shape, link->rate_in, err) < 0 &&
	    (!is_lacking(err) || !(link->accepted & LINK_RATE_IN)))
		return rate_refused("rate-in", err);
	if (out_apply(fd, id, &shape, link->rate_out, err) < 0 &&
	    (!is_lacking(err) || !(link->accepted & LINK_RATE_OUT)))
		return rate_refused("rate-out", err);
	return 0;
}

int link_shape(unsigned id, const struct link *link, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);

	if (fd < 0)
		return -1;
	if (shape_apply(fd, id, link, err) < 0)
		return err->kind == ERR_KERNEL ? -1 : fail_in(err, "link 'nv%u'", id);
	return 0;
}

static int rate_check(const char *name, uint64_t bits, struct err *err)
{
	if (bits && (bits < RATE_MIN || bits > RATE_MAX))
		return fail_as(err, ERR_VALUE, "%s: a rate is from 64k to 1T, or 0 for none",
			       name);
	return 0;
}

int link_rates_check(const struct link *link, struct err *err)
{
	if (rate_check("rate-in", link->rate_in, err) < 0)
		return -1;
	return rate_check("rate-out", link->rate_out, err);
}

/* @bits as the operator gave them, or what the kernel has of it. */
static int knob_tell(struct link_knob *knob, uint64_t bits, uint64_t bytes,
		     int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	char want[24], got[24];
	bool equal = bits ? tc_bytes(bits) == bytes : bytes == 0;

	rate_print(bits, want, sizeof(want));
	rate_print(equal ? bits : tc_bits(bytes), got, sizeof(got));
	knob->want = want;
	knob->got = got;
	knob->equal |= equal;
	return each(knob, arg, err);
}

int link_diff(unsigned id, const struct link *link,
	      int (*each)(const struct link_knob *knob, void *arg, struct err *err), void *arg,
	      struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct shape shape;
	char near[IFNAMSIZ], wait[IFNAMSIZ];

	if (fd < 0)
		return -1;
	near_name(id, near);
	wait_name(id, wait);
	if (shape_read(fd, id, &shape, err) < 0)
		return fail_in(err, "link '%s'", near);

	struct link_knob in = { .device = near,
				.name = "rate-in",
				.equal = link->accepted & LINK_RATE_IN };
	struct link_knob out = { .device = wait,
				 .name = "rate-out",
				 .equal = link->accepted & LINK_RATE_OUT };
	bool led = shape.to && shape.to == shape.wait.index;

	if (knob_tell(&in, link->rate_in, shape.in.bytes, each, arg, err) < 0)
		return -1;
	return knob_tell(&out, link->rate_out, led ? shape.out.bytes : 0, each, arg, err);
}

static struct link_queue queue_of(const struct tc_class *class)
{
	return (struct link_queue){ .rate = tc_bits(class->bytes),
				    .packets = class->waiting,
				    .bytes = class->backlog,
				    .dropped = class->dropped };
}

int link_queues(unsigned id, struct link_queue *in, struct link_queue *out, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct shape shape;

	if (fd < 0 || shape_read(fd, id, &shape, err) < 0)
		return -1;
	*in = queue_of(&shape.in);
	*out = queue_of(&shape.out);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard_attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "netlink.h"
#include "own.h"
#include "tc_msg.h"

/* Of newer headers than ours: Linux 6.6. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47
#define TCX_BEFORE  (1u << 3)

#define PROGRAMS_MAX 64 /* that the kernel has at one place */

static unsigned place(enum guard_way way)
{
	return way == GUARD_FROM ? TCX_INGRESS : TCX_EGRESS;
}

static void filter_seen(const struct nlmsghdr *nlh, void *arg)
{
	unsigned number = tc_guard_read(nlh);

	if (number)
		*(unsigned *)arg = number;
}

static int filter_first(uint32_t index, enum guard_way way, unsigned *number, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	*number = 0;
	if (fd < 0)
		return -1;
	netlink_start(&batch);
	tc_put_guard_dump(netlink_next(&batch, "read its filters", 0), index,
			  way == GUARD_FROM);
	return netlink_run(fd, &batch, filter_seen, number, err);
}

int guard_first(uint32_t index, enum guard_way way, unsigned *number, struct err *err)
{
	uint32_t programs[PROGRAMS_MAX] = { 0 }, flags, count = PROGRAMS_MAX;

	if (bpf_prog_query((int)index, place(way), 0, &flags, programs, &count) == 0) {
		*number = count ? programs[0] : 0;
		return 0;
	}
	if (errno == ENOENT) {
		*number = 0;
		return 0;
	}
	if (errno != EINVAL)
		return fail(err, errno, "cannot look for the guard");
	return filter_first(index, way, number, err);
}

/* The members that our headers know, and behind them zeros: no other program, any revision. */
static int link_make(uint32_t index, enum guard_way way, int program)
{
	union {
		union bpf_attr attr;
		char room[256];
	} all = { .room = { 0 } };

	all.attr.link_create.prog_fd = (uint32_t)program;
	all.attr.link_create.target_fd = index;
	all.attr.link_create.attach_type = place(way);
	all.attr.link_create.flags = TCX_BEFORE;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &all,
			    offsetof(union bpf_attr, link_create) + 32);
}

static int filter_make(uint32_t index, enum guard_way way, int program, struct err *err)
{
	own_fd fd = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (fd < 0)
		return -1;
	netlink_start(&batch);
	tc_put_ingress(netlink_next(&batch, "make room for filters", EEXIST), index);
	tc_put_guard(netlink_next(&batch, "attach it", 0), index, way == GUARD_FROM, program);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

int guard_attach(uint32_t index, enum guard_way way, int program, const char *pin,
		 struct err *err)
{
	own_fd link = link_make(index, way, program);

	if (link < 0 && errno == EINVAL)
		return filter_make(index, way, program, err);
	if (link < 0)
		return fail(err, errno, "cannot attach it");
	if (!pin) {
		(void)take_fd(&link);
		return 0;
	}
	if (bpf_obj_pin(link, pin) == 0)
		return 0;
	if (errno != EEXIST)
		return fail(err, errno, "cannot pin '%s'", pin);
	/* of an older program, or of an interface that is gone: the new one is there by now */
	(void)guard_detach(pin);
	return bpf_obj_pin(link, pin) < 0 ? fail(err, errno, "cannot pin '%s'", pin) : 0;
}

/* Removing the file alone would detach it some time later. */
int guard_detach(const char *pin)
{
	own_fd link = bpf_obj_get(pin);

	if (link >= 0)
		(void)bpf_link_detach(link);
	return unlink(pin) < 0 && errno != ENOENT ? -1 : 0;
}

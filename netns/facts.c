/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge.h"
#include "err.h"
#include "guard_attach.h"
#include "io.h"
#include "neighbours.h"
#include "netlink.h"
#include "nft.h"
#include "own.h"

static const struct bridge trial_bridge = {
	.name = "trial",
	.ipv4 = { AF_INET, 24, { 10, 77, 0, 1 } },
	.ipv6 = { AF_INET6, 64, { 0xfd, [15] = 1 } },
};

static const struct mac trial_mac = { { 0x02 } };

static bool can_load_table(void)
{
	struct err ignored;

	return ruleset_ensure(&trial_bridge, &ignored) == 0;
}

static bool can_switch(void)
{
	struct bridge bridge = trial_bridge;
	char text[RULESET_MAX];
	struct err ignored;

	strcpy(bridge.uplink, "port");
	(void)ruleset_print(&bridge, text, sizeof(text));
	return nft_run(text, &ignored) == 0;
}

static bool can_count(void)
{
	char text[RULESET_BOUND_MAX];
	struct err ignored;

	ruleset_bound_print(&trial_bridge, text, sizeof(text));
	return nft_run(text, &ignored) == 0;
}

static bool can_make_bridge(void)
{
	struct netlink_batch batch;
	struct err ignored;
	own_fd fd = netlink_open(NETLINK_ROUTE, &ignored);

	netlink_start(&batch);
	rtnl_put_bridge(netlink_next(&batch, "", 0), trial_bridge.name, &trial_mac);
	return netlink_run(fd, &batch, NULL, NULL, &ignored) == 0;
}

/* The near end as the kernel made it, or has it from the row before, in the same namespace as
 * its peer. */
static bool make_port(struct rtnl_link *port)
{
	struct rtnl_link master = { 0 };
	struct netlink_batch batch;
	struct err ignored;
	own_fd fd = netlink_open(NETLINK_ROUTE, &ignored);
	own_fd here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)link_find(fd, trial_bridge.name, &master, &ignored);
	struct veth veth = { .near = "port",
			     .near_mac = trial_mac,
			     .far_mac = trial_mac,
			     .master = master.index,
			     .mtu = 1500,
			     .netns = here };

	netlink_start(&batch);
	rtnl_put_veth(netlink_next(&batch, "", 0), &veth);
	rtnl_put_port(netlink_next(&batch, "", 0), veth.near, "trial");
	(void)netlink_run(fd, &batch, NULL, NULL, &ignored);
	return link_find(fd, veth.near, port, &ignored) == 0;
}

static bool can_make_pair(void)
{
	struct rtnl_link port;

	return make_port(&port);
}

static bool can_isolate_port(void)
{
	struct rtnl_link port = { 0 };

	return make_port(&port) && port.isolated;
}

/* On a bridge, which is an interface as good as any. */
static bool can_hold(struct link link)
{
	struct netlink_batch batch;
	struct err ignored;
	own_fd fd = netlink_open(NETLINK_ROUTE, &ignored);

	netlink_start(&batch);
	rtnl_put_bridge(netlink_next(&batch, "", EEXIST), "nv1", &trial_mac);
	return netlink_run(fd, &batch, NULL, NULL, &ignored) == 0 &&
	       link_shape(1, &link, &ignored) == 0;
}

static bool can_hold_in(void)
{
	return can_hold((struct link){ .rate_in = 1000000 });
}

static bool can_hold_out(void)
{
	return can_hold((struct link){ .rate_out = 1000000 });
}

/* On the same bridge as the rates, by what is pinned nowhere. */
static bool can_guard(void)
{
	int programs[GUARD_WAYS];
	struct netlink_batch batch;
	struct err ignored;
	own_fd fd = netlink_open(NETLINK_ROUTE, &ignored);
	bool can = true;

	netlink_start(&batch);
	rtnl_put_bridge(netlink_next(&batch, "", EEXIST), "nv1", &trial_mac);
	if (netlink_run(fd, &batch, NULL, NULL, &ignored) < 0 ||
	    guard_load(programs, &ignored) < 0)
		return false;
	for (unsigned i = 0; i < GUARD_WAYS; i++) {
		can &= guard_attach(if_nametoindex("nv1"), i, programs[i], NULL, &ignored) == 0;
		close(programs[i]);
	}
	return can;
}

static bool can_refuse_neighbours(void)
{
	return neighbours_try() == NEIGHBOURS_REFUSE;
}

static bool can_bound_neighbours(void)
{
	return neighbours_try() != NEIGHBOURS_NONE;
}

/* As root of a user namespace of its own, which a tenant is: 0 when the kernel watches for it.
 */
static int trigger_try(void)
{
	/* by a window that others than the privileged must not have */
	static const char trigger[] = "some 150000 1000000";

	if (unshare(CLONE_NEWUSER) < 0)
		return 1;
	own_fd fd = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 || write(fd, trigger, sizeof(trigger)) != sizeof(trigger);
}

/*
 * CAP_SYS_RESOURCE of any user namespace may have triggers with windows as short as it likes
 * (psi_trigger_create() since Linux 6.5, and Debian's 6.1), and for each group that has one a
 * thread of the kernel polls, before everybody else (SCHED_FIFO) and at nobody's charge.
 */
static bool can_trigger(void)
{
	int status = 0;

	pid_t pid = fork();
	if (pid == 0)
		_exit(trigger_try());
	if (pid < 0)
		return true;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool can_refuse_triggers(void)
{
	return !can_trigger() || can_refuse_neighbours();
}

static bool can_forward_ipv4(void)
{
	return access("/proc/sys/net/ipv4/ip_forward", W_OK) == 0;
}

static bool can_forward_ipv6(void)
{
	return access("/proc/sys/net/ipv6/conf/all/forwarding", W_OK) == 0;
}

/*
 * With br_netfilter on, a frame to a forwarded port is sent on by the bridge
 * itself, which isolates its ports.  Off it can only be for all bridges of the
 * node, others' included, so that is the operator's to do.
 */
static bool netfilter_leaves_bridges_alone(void)
{
	char value[16];
	struct err ignored;

	return file_read(AT_FDCWD, "/proc/sys/net/bridge/bridge-nf-call-iptables", value,
			 sizeof(value), &ignored) < 0 ||
	       value[0] == '0';
}

/* In this order: a port needs the bridge. */
static const struct {
	const char *name;
	bool (*probe)(void);
	bool trial; /* to be tried; the others are read where we are */
	const char *consequence;
} rows[] = {
	{ "bridge", can_make_bridge, true, "no VPS has a network" },
	{ "veth", can_make_pair, true, "no VPS has a network" },
	{ "bridge-isolation", can_isolate_port, true, "VPSs reach each other directly" },
	{ "nftables", can_load_table, true,
	  "no port is forwarded and no VPS reaches the world (libnftables1, nf_tables, "
	  "nft_nat, "
	  "nft_masq, nft_fib_inet)" },
	{ "uplink", can_switch, true,
	  "no port of this machine can be an uplink, for what comes by it could not be "
	  "filtered "
	  "(nf_tables_bridge)" },
	{ "connection-count", can_count, true,
	  "one VPS can fill the node's table of connections, which all share (nft_connlimit)" },
	{ "guard", can_guard, true,
	  "no VPS has a network, for what it sends could not be held to its own addresses "
	  "(BPF, tcx or sch_ingress and cls_bpf)" },
	{ "neighbours-bounded", can_bound_neighbours, false,
	  "a hostile root takes some 200 MB a second of the node's memory by neighbour "
	  "entries, "
	  "for which nobody is charged; 'nodectl kill' gives it back (BPF, BTF)" },
	{ "neighbours-refused", can_refuse_neighbours, false,
	  "a VPS that makes too many neighbour entries has the process killed that does, and "
	  "each "
	  "of its tasks may make 4 MiB of them before (BPF LSM: 'bpf' in the kernel's "
	  "'lsm=')" },
	{ "pressure-triggers-refused", can_refuse_triggers, false,
	  "a hostile root has threads of the kernel poll for him before everybody else, and "
	  "is not charged for them (BPF LSM; or the kernel's 'psi=0', which takes the figures "
	  "of pressure, too)" },
	{ "rate-in", can_hold_in, true, "what a VPS receives cannot be slowed down (sch_htb)" },
	{ "rate-out", can_hold_out, true,
	  "what a VPS sends cannot be slowed down (sch_htb, sch_ingress, cls_u32, act_mirred, "
	  "ifb)" },
	{ "ipv4-forwarding", can_forward_ipv4, false, "no VPS reaches the world" },
	{ "ipv6-forwarding", can_forward_ipv6, false, "no VPS reaches the world by IPv6" },
	{ "bridge-nf-off", netfilter_leaves_bridges_alone, false,
	  "no VPS reaches a forwarded port of this node "
	  "(sysctl net.bridge.bridge-nf-call-iptables=0, and -ip6tables)" },
};

static void facts_fill(struct net_fact *facts, unsigned count, bool trial, bool possible)
{
	for (unsigned i = 0; i < count; i++) {
		if (rows[i].trial == trial)
			facts[i].present = possible && rows[i].probe();
	}
}

unsigned link_rates_lacking(void)
{
	own_fd home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	unsigned lacking = LINK_RATE_IN | LINK_RATE_OUT;

	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return lacking;
	if (can_hold_in())
		lacking &= ~(unsigned)LINK_RATE_IN;
	if (can_hold_out())
		lacking &= ~(unsigned)LINK_RATE_OUT;
	netns_home(home);
	return lacking;
}

/*
 * Whether the kernel can do it is found out by doing it, in a network namespace
 * made for that: nothing of the node is touched, and the kernel cleans up.
 */
unsigned net_facts(struct net_fact *facts, unsigned max)
{
	unsigned count = max < ARRAY_SIZE(rows) ? max : ARRAY_SIZE(rows);
	own_fd home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	for (unsigned i = 0; i < count; i++)
		facts[i] = (struct net_fact){ rows[i].name, false, rows[i].consequence };
	facts_fill(facts, count, false, true);

	bool possible = home >= 0 && unshare(CLONE_NEWNET) == 0;
	facts_fill(facts, count, true, possible);
	if (possible)
		netns_home(home);
	return count;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"

/*
 * What the kernel has one pool of, for all namespaces and users, with a size from the days of
 * one user.  With these sizes it is each VPS's own memory or task limit that ends first: what
 * is taken from the pool is charged to the VPS.
 */
static const struct {
	const char *name, *path;
	uint64_t least;
	const char *consequence;
} pools[] = {
	{ "pool of terminals", "kernel/pty/max", 1 << 20,
	  "one VPS can take all: no other starts or takes a login (sysctl kernel.pty.max)" },
	{ "pool of async I/O", "fs/aio-max-nr", 1 << 24,
	  "one VPS can take all: databases of others do not start (sysctl fs.aio-max-nr)" },
	{ "pool of process numbers", "kernel/pid_max", 1 << 22,
	  "VPSs can take all of them together (sysctl kernel.pid_max)" },
	{ "pool of neighbours", "net/ipv4/neigh/default/gc_thresh3", 1 << 16,
	  "one VPS can take all: the node finds no other machine on its links "
	  "(sysctl net.ipv4.neigh.default.gc_thresh3)" },
	{ "pool of IPv6 neighbours", "net/ipv6/neigh/default/gc_thresh3", 1 << 16,
	  "one VPS can take all: the node finds no other machine on its links "
	  "(sysctl net.ipv6.neigh.default.gc_thresh3)" },
	/* with so many those that nobody used for five seconds are forgotten */
	{ "pool of idle neighbours", "net/ipv4/neigh/default/gc_thresh2", 1 << 15,
	  "one VPS makes the node forget other machines on its links "
	  "(sysctl net.ipv4.neigh.default.gc_thresh2)" },
	{ "pool of idle IPv6 neighbours", "net/ipv6/neigh/default/gc_thresh2", 1 << 15,
	  "one VPS makes the node forget other machines on its links "
	  "(sysctl net.ipv6.neigh.default.gc_thresh2)" },
};

/*
 * What the kernel does for the whole node at a word of any tenant's.  An operator may want each
 * for his own programs: `doctor` tells, and nothing is changed.
 */
static const struct {
	const char *name, *path;
	const char *bad; /* what a value that is not as it ought to be begins with */
	const char *consequence;
} quiet[] = {
	{ "log free of crashes", "debug/exception-trace", "1",
	  "a VPS whose programs crash writes into the kernel's log, and keeps other lines out "
	  "(sysctl debug.exception-trace=0)" },
	{ "log free of signals", "kernel/print-fatal-signals", "1",
	  "a VPS whose programs are killed writes into the kernel's log "
	  "(sysctl kernel.print-fatal-signals=0)" },
	{ "log free of VPSs' rules", "net/netfilter/nf_log_all_netns", "1",
	  "a VPS's own packet filter writes into the kernel's log "
	  "(sysctl net.netfilter.nf_log_all_netns=0)" },
	{ "core dumps stay in a VPS", "kernel/core_pattern", "|@",
	  "each crash in a VPS is handled by a program of the node's, as root "
	  "(sysctl kernel.core_pattern=core)" },
};

static bool is_quiet(int sysctls, size_t i)
{
	char text[160];
	struct err ignored;

	return file_read(sysctls, quiet[i].path, text, sizeof(text), &ignored) < 0 || !*text ||
	       !strchr(quiet[i].bad, *text);
}

static bool is_large(int sysctls, size_t i)
{
	char text[32];
	struct err ignored;

	/* one that this kernel has not cannot be used up */
	return file_read(sysctls, pools[i].path, text, sizeof(text), &ignored) < 0 ||
	       strtoull(text, NULL, 10) >= pools[i].least;
}

void pools_raise(int sysctls)
{
	char text[32];
	struct err ignored;

	for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
		if (is_large(sysctls, i))
			continue;
		str_format(text, sizeof(text), "%" PRIu64, pools[i].least);
		/* `doctor` tells of one that cannot be */
		(void)file_write(sysctls, pools[i].path, text, &ignored);
	}
}

unsigned settings_look(int sysctls, struct node_fact *facts, unsigned max)
{
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pools) && count < max; i++)
		facts[count++] = (struct node_fact){ pools[i].name, is_large(sysctls, i),
						     pools[i].consequence };
	for (size_t i = 0; i < ARRAY_SIZE(quiet) && count < max; i++)
		facts[count++] = (struct node_fact){ quiet[i].name, is_quiet(sysctls, i),
						     quiet[i].consequence };
	return count;
}

unsigned node_facts(struct node_fact *facts, unsigned max)
{
	own_fd sysctls = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return settings_look(sysctls, facts, max);
}

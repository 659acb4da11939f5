/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "knobs.h"
#include "limits.h"
#include "own.h"
#include "str.h"

static const struct {
	enum limit limit;
	const char *name;
} limit_names[] = {
	{ LIMIT_MEMORY, "memory" },
	{ LIMIT_SWAP, "swap" },
	{ LIMIT_CPU, "cpus" },
	{ LIMIT_WEIGHT, "weight" },
	{ LIMIT_TASKS, "tasks" },
	{ LIMIT_MEMORY_GUARANTEE, "memory-guaranteed" },
	{ LIMIT_CPU_GUARANTEE, "cpu-guaranteed" },
	{ LIMIT_IO_READ, "io-read" },
	{ LIMIT_IO_WRITE, "io-write" },
	{ LIMIT_IO_WEIGHT, "io-weight" },
	{ LIMIT_RATE_IN, "rate-in" },
	{ LIMIT_RATE_OUT, "rate-out" },
};

const char *limit_name(enum limit limit)
{
	for (unsigned i = 0; i < ARRAY_SIZE(limit_names); i++) {
		if (limit_names[i].limit == limit)
			return limit_names[i].name;
	}
	return NULL;
}

unsigned limit_by_name(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(limit_names); i++) {
		if (strcmp(limit_names[i].name, name) == 0)
			return limit_names[i].limit;
	}
	return 0;
}

/* One look at the host, for all rows. */
struct host {
	struct hierarchies hierarchies;
	int top;	   /* root of cgroup2, or -1 */
	int probe;	   /* a group in it, which has the files that a root lacks; or -1 */
	char enabled[512]; /* controllers of which the probe has files */
};

static void host_look(struct host *host)
{
	struct err ignored;

	*host = (struct host){ .top = -1, .probe = -1 };
	if (hierarchies_find(&host->hierarchies, &ignored) < 0)
		return;
	host->top = dir_open(AT_FDCWD, host->hierarchies.unified, &ignored);
	if (host->top < 0)
		return;
	/* the parent of our groups serves; where there is none yet, for the moment of the look
	 */
	if (group_make_parent(host->hierarchies.unified, &ignored) == 0)
		host->probe = group_open_parent(host->hierarchies.unified, &ignored);
	if (file_read(host->top, "cgroup.subtree_control", host->enabled, sizeof(host->enabled),
		      &ignored) < 0)
		host->enabled[0] = 0;
}

static void host_free(struct host *host)
{
	own_close(&host->top);
	own_close(&host->probe);
	if (host->top >= 0)
		group_remove_parent(host->hierarchies.unified);
}

/* Has the hierarchy of @controller the file @v1, or @v2?  NULL: the controller is enough. */
static bool knob_exists(const struct host *host, enum controller controller, const char *v1,
			const char *v2)
{
	const char *mount = host->hierarchies.v1[controller];
	char path[MOUNT_PATH + 64];

	if (mount[0]) {
		str_format(path, sizeof(path), "%s/%s", mount, v1 ? v1 : "cgroup.procs");
		return access(path, F_OK) == 0;
	}
	if (!host->hierarchies.on_v2[controller])
		return false;
	/* not to be seen where nothing has enabled the controller yet: creating a VPS will tell
	 */
	if (!v2 || host->probe < 0 ||
	    !list_has(host->enabled, controller_name(controller, 2), ' ') ||
	    faccessat(host->probe, v2, F_OK, 0) == 0)
		return true;
	/* nor in a group that whoever removed the last VPS has removed under our eyes */
	return faccessat(host->probe, "cgroup.procs", F_OK, 0) < 0;
}

static bool has_memory(const struct host *host)
{
	return knob_exists(host, CONTROLLER_MEMORY, "memory.limit_in_bytes", NULL);
}

static bool has_swap(const struct host *host)
{
	return knob_exists(host, CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes",
			   "memory.swap.max");
}

static bool has_cap(const struct host *host)
{
	return knob_exists(host, CONTROLLER_CPU, "cpu.cfs_quota_us", "cpu.max");
}

static bool has_weight(const struct host *host)
{
	return knob_exists(host, CONTROLLER_CPU, "cpu.shares", "cpu.weight");
}

static bool has_tasks(const struct host *host)
{
	return knob_exists(host, CONTROLLER_PIDS, NULL, "pids.max");
}

static bool has_unified(const struct host *host)
{
	return host->top >= 0;
}

/* cgroup.kill (5.14) is the younger of the two */
static bool has_kill(const struct host *host)
{
	return host->probe >= 0 && faccessat(host->probe, "cgroup.kill", F_OK, 0) == 0;
}

static bool has_devices(const struct host *host)
{
	uint32_t flags, count = 0;

	return host->top >= 0 &&
	       bpf_prog_query(host->top, BPF_CGROUP_DEVICE, 0, &flags, NULL, &count) == 0;
}

static bool has_pressure(const struct host *host)
{
	return host->top >= 0 && access("/proc/pressure/memory", R_OK) == 0;
}

static bool has_guarantee(const struct host *host)
{
	return host->hierarchies.on_v2[CONTROLLER_MEMORY];
}

static bool has_io(const struct host *host)
{
	char list[512];
	struct err ignored;

	return host->top >= 0 &&
	       file_read(host->top, "cgroup.controllers", list, sizeof(list), &ignored) >= 0 &&
	       list_has(list, "io", ' ');
}

/* @controller is CONTROLLER_COUNT for what is in cgroup2 or nowhere. */
static const struct row {
	const char *name;
	enum controller controller;
	unsigned limit;
	bool (*present)(const struct host *host);
	const char *consequence;
} rows[] = {
	{ "cgroup2", CONTROLLER_COUNT, 0, has_unified, "no VPS can be started" },
	{ "kill and freeze", CONTROLLER_COUNT, 0, has_kill,
	  "a VPS can be neither stopped by force nor frozen" },
	{ "device policy", CONTROLLER_COUNT, 0, has_devices, "no VPS can be started" },
	{ "memory limit", CONTROLLER_MEMORY, LIMIT_MEMORY, has_memory,
	  "one VPS can use up the memory of all" },
	{ "swap limit", CONTROLLER_MEMORY, LIMIT_SWAP, has_swap,
	  "a VPS can use all swap space, now or after swapon" },
	{ "cpu cap", CONTROLLER_CPU, LIMIT_CPU, has_cap, "a VPS can use every idle CPU" },
	{ "cpu weight", CONTROLLER_CPU, LIMIT_WEIGHT, has_weight,
	  "a VPS with more processes gets more of a busy CPU" },
	{ "tasks limit", CONTROLLER_PIDS, LIMIT_TASKS, has_tasks,
	  "a fork bomb in one VPS takes every pid of the node" },
	{ "pressure figures", CONTROLLER_COUNT, 0, has_pressure,
	  "it is not seen how long a VPS waits for CPU, memory and disk" },
	{ "memory guarantee", CONTROLLER_COUNT, 0, has_guarantee,
	  "a guarantee is kept by the ledger alone: under memory pressure of the node "
	  "every VPS is reclaimed alike" },
	{ "io limits", CONTROLLER_COUNT, 0, has_io,
	  "one VPS can take the whole throughput of a disk" },
};

static void where(const struct host *host, enum controller controller, char *text, size_t size)
{
	const char *v1 = controller < CONTROLLER_COUNT ? host->hierarchies.v1[controller] : "";
	const char *path = v1[0] ? v1 : host->hierarchies.unified;

	/* for people: a path that does not fit is cut */
	(void)snprintf(text, size, "cgroup v%d, %.48s", v1[0] ? 1 : 2, path);
}

unsigned cgroup_facts(struct cgroup_fact *facts, unsigned max)
{
	struct host host;
	unsigned count = 0;

	host_look(&host);
	for (; count < ARRAY_SIZE(rows) && count < max; count++) {
		struct cgroup_fact *fact = &facts[count];

		*fact = (struct cgroup_fact){ .name = rows[count].name,
					      .present = rows[count].present(&host),
					      .consequence = rows[count].consequence };
		if (fact->present)
			where(&host, rows[count].controller, fact->where, sizeof(fact->where));
	}
	host_free(&host);
	return count;
}

unsigned cgroup_lacks(void)
{
	struct host host;
	unsigned lacks = 0;

	host_look(&host);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].limit && !rows[i].present(&host))
			lacks |= rows[i].limit;
	}
	/* any limit of swap is kept as long as there is none */
	if ((lacks & LIMIT_SWAP) && !host_has_swap())
		lacks &= ~(unsigned)LIMIT_SWAP;
	host_free(&host);
	return lacks;
}

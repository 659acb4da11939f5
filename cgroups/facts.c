/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "knob.h"
#include "own.h"
#include "sockets.h"
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

static bool has_sockets(const struct host *host)
{
	(void)host;
	return sockets_try();
}

static bool has_pressure(const struct host *host)
{
	return host->top >= 0 && access("/proc/pressure/memory", R_OK) == 0;
}

/* v1 has a soft limit instead: what is above it is reclaimed first. */
static bool has_guarantee(const struct host *host)
{
	return knob_exists(host, CONTROLLER_MEMORY, "memory.soft_limit_in_bytes", "memory.min");
}

static bool has_cpus(const struct host *host)
{
	return knob_exists(host, CONTROLLER_CPUSET, NULL, "cpuset.cpus");
}

static bool has_read(const struct host *host)
{
	return knob_exists(host, CONTROLLER_IO, "blkio.throttle.read_bps_device", "io.max");
}

static bool has_write(const struct host *host)
{
	return knob_exists(host, CONTROLLER_IO, "blkio.throttle.write_bps_device", "io.max");
}

static int bfq_look(int dir, const char *name, void *arg, struct err *err)
{
	char path[300], list[256];

	str_format(path, sizeof(path), "%s/queue/scheduler", name);
	if (file_read(dir, path, list, sizeof(list), err) >= 0 && strstr(list, "bfq"))
		*(bool *)arg = true;
	return 0;
}

/* Could some disk have it?  Whether that of the volumes does is asked when it matters. */
static bool has_io_weight(const struct host *host)
{
	char path[MOUNT_PATH + 32];
	struct err ignored;
	bool bfq = false;

	str_format(path, sizeof(path), "%s/io.cost.qos", host->hierarchies.unified);
	if (host->hierarchies.on_v2[CONTROLLER_IO] && access(path, F_OK) == 0)
		return true;
	own_fd disks = dir_open(AT_FDCWD, "/sys/block", &ignored);
	if (disks >= 0)
		(void)dir_each(disks, bfq_look, &bfq, &ignored);
	return bfq && has_read(host);
}

static bool has_huge_pages(const struct host *host)
{
	return access("/sys/kernel/mm/hugepages", F_OK) < 0 ||
	       knob_exists(host, CONTROLLER_HUGETLB, NULL, NULL);
}

/* @controller is CONTROLLER_COUNT for what is in cgroup2 or nowhere. */
static const struct row {
	const char *name;
	enum controller controller;
	unsigned limits; /* enum limit bits that its absence takes away */
	bool (*present)(const struct host *host);
	const char *consequence;
	const char *on_v1; /* how it is less there, or NULL */
} rows[] = {
	{ "cgroup2", CONTROLLER_COUNT, 0, has_unified, "no VPS can be started", NULL },
	{ "kill and freeze", CONTROLLER_COUNT, 0, has_kill,
	  "a VPS can be neither stopped by force nor frozen", NULL },
	{ "device policy", CONTROLLER_COUNT, 0, has_devices, "no VPS can be started", NULL },
	{ "socket policy", CONTROLLER_COUNT, 0, has_sockets,
	  "a hostile root takes gibibytes of the node's memory by rings of packet sockets, "
	  "which no group is charged for",
	  NULL },
	{ "memory limit", CONTROLLER_MEMORY, LIMIT_MEMORY, has_memory,
	  "one VPS can use up the memory of all", NULL },
	{ "memory guarantee", CONTROLLER_MEMORY, LIMIT_MEMORY_GUARANTEE, has_guarantee,
	  "a guarantee is kept by the ledger alone: under memory pressure of the node "
	  "every VPS is reclaimed alike",
	  "best effort" },
	{ "swap limit", CONTROLLER_MEMORY, LIMIT_SWAP, has_swap,
	  "a VPS can use all swap space, now or after swapon", NULL },
	{ "cpu cap", CONTROLLER_CPU, LIMIT_CPU, has_cap, "a VPS can use every idle CPU", NULL },
	{ "cpu weight", CONTROLLER_CPU, LIMIT_WEIGHT | LIMIT_CPU_GUARANTEE, has_weight,
	  "a VPS with more processes gets more of a busy CPU", NULL },
	{ "cpu set", CONTROLLER_CPUSET, 0, has_cpus,
	  "programs in a VPS see all CPUs of the node, and start as many threads", NULL },
	{ "tasks limit", CONTROLLER_PIDS, LIMIT_TASKS, has_tasks,
	  "a fork bomb in one VPS takes every pid of the node", NULL },
	{ "disk read limit", CONTROLLER_IO, LIMIT_IO_READ, has_read,
	  "one VPS can take the whole throughput of a disk", NULL },
	{ "disk write limit", CONTROLLER_IO, LIMIT_IO_WRITE, has_write,
	  "one VPS can take the whole throughput of a disk",
	  "only what is written at once, not what the kernel writes later" },
	{ "disk weight", CONTROLLER_IO, 0, has_io_weight,
	  "a VPS that does more gets more of a busy disk", NULL },
	{ "huge pages limit", CONTROLLER_HUGETLB, 0, has_huge_pages,
	  "a VPS can take the huge pages of the node", NULL },
	{ "pressure figures", CONTROLLER_COUNT, 0, has_pressure,
	  "it is not seen how long a VPS waits for CPU, memory and disk", NULL },
};

static void where(const struct host *host, const struct row *row, char *text, size_t size)
{
	bool bound = row->controller < CONTROLLER_COUNT;
	const char *v1 = bound ? host->hierarchies.v1[row->controller] : "";
	const char *path = v1[0] ? v1 : host->hierarchies.unified;
	const char *less = v1[0] ? row->on_v1 : NULL;

	/* for people: a path that does not fit is cut */
	(void)snprintf(text, size, "%s%scgroup v%d, %.48s", less ? less : "", less ? ": " : "",
		       v1[0] ? 1 : 2, path);
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
			where(&host, &rows[count], fact->where, sizeof(fact->where));
	}
	host_free(&host);
	return count;
}

unsigned cgroup_lacks(dev_t device)
{
	struct host host;
	unsigned lacks = 0;

	host_look(&host);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].limits && !rows[i].present(&host))
			lacks |= rows[i].limits;
	}
	lacks |= disk_lacks(disk_abilities(&host.hierarchies, device));
	/* any limit of swap is kept as long as there is none */
	if ((lacks & LIMIT_SWAP) && !host_has_swap())
		lacks &= ~(unsigned)LIMIT_SWAP;
	host_free(&host);
	return lacks;
}

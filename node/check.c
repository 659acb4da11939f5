/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "node.h"
#include "str.h"

static int memory_sane(const struct limits *limits, struct err *err)
{
	char guaranteed[24], cap[24];

	if (limits->memory && limits->memory < 16u << 20)
		return fail_as(err, ERR_VALUE, "memory: less than 16M is no system");
	if (!limits->memory || limits->memory_guaranteed <= limits->memory)
		return 0;
	size_print(limits->memory_guaranteed, guaranteed, sizeof(guaranteed));
	size_print(limits->memory, cap, sizeof(cap));
	return fail_as(err, ERR_VALUE, "memory-guaranteed: %s is more than the memory of %s",
		       guaranteed, cap);
}

static int cpus_sane(const struct limits *limits, struct err *err)
{
	char guaranteed[24], cap[24];

	cpus_print(limits->cpus_guaranteed, guaranteed, sizeof(guaranteed));
	cpus_print(limits->cpus, cap, sizeof(cap));
	if (limits->cpus && limits->cpus_guaranteed > limits->cpus)
		return fail_as(err, ERR_VALUE, "cpu-guaranteed: %s is more than the cap of %s",
			       guaranteed, cap);
	if (limits->cpus && limits->cpus < 1)
		return fail_as(err, ERR_VALUE, "cpus: less than 0.01 is no CPU");
	return 0;
}

/* Below that a VPS waits minutes for a page of its own programs; a bare number was meant as
 * something else. */
static int io_sane(const char *key, const struct io_limit *limit, struct err *err)
{
	if (limit->bytes && limit->bytes < 4096)
		return fail_as(err, ERR_VALUE,
			       "%s: less than 4K/s is no speed; operations are like 500iops",
			       key);
	return 0;
}

int plan_check(const struct vps *vps, struct err *err)
{
	if (memory_sane(&vps->limits, err) < 0 || cpus_sane(&vps->limits, err) < 0 ||
	    io_sane("io-read", &vps->limits.io_read, err) < 0 ||
	    io_sane("io-write", &vps->limits.io_write, err) < 0)
		return -1;
	if (vps->limits.tasks && vps->limits.tasks < 8)
		return fail_as(err, ERR_VALUE, "tasks: fewer than 8 is no system");
	if (vps->volume.size && vps->volume.size < 16u << 20)
		return fail_as(err, ERR_VALUE, "disk: less than 16M is no disk");
	return link_rates_check(&vps->link, err);
}

/* The kernel cannot give more than there is. */
static int node_has(const struct limits *limits, struct err *err)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	char guaranteed[24];

	if (limits->cpus_guaranteed <= cpus * 100)
		return 0;
	cpus_print(limits->cpus_guaranteed, guaranteed, sizeof(guaranteed));
	return fail_as(err, ERR_VALUE, "cpu-guaranteed: %s is more than the node's %u",
		       guaranteed, cpus);
}

static int sane(const struct vps *vps, struct err *err)
{
	if (plan_check(vps, err) < 0 || node_has(&vps->limits, err) < 0)
		return -1;
	if (!vps->volume.size)
		return fail_as(err, ERR_VALUE, "disk: a size is needed");
	if (vps->link.network.name[0] && vps->link.mode == LINK_BRIDGE)
		return fail_as(err, ERR_VALUE,
			       "network: the VPSs on network '%s' are routed: --net-mode "
			       "routed, or --network none",
			       vps->link.network.name);
	return 0;
}

unsigned node_lacks(const struct node *node)
{
	struct err ignored;
	dev_t device = 0;

	(void)volume_device(node->vps, &device, &ignored);
	return cgroup_lacks(device);
}

/* A limit that the node cannot enforce is refused by name, never skipped. */
static int enforceable(const struct node *node, const struct vps *vps, struct err *err)
{
	unsigned lacks = vps_lacks(vps, node_lacks(node)) & ~vps->limits.accepted;
	const char *name = limit_name((enum limit)(lacks & -lacks));

	if (!lacks)
		return 0;
	return fail_as(err, ERR_KERNEL,
		       "this node cannot enforce the limit '%s' (see 'nodectl doctor'); "
		       "--allow-unenforced %s accepts that",
		       name, name);
}

int vps_check(const struct node *node, const struct vps *vps, struct err *err)
{
	return sane(vps, err) < 0 ? -1 : enforceable(node, vps, err);
}

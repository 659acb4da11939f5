/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basis.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cpus.h"
#include "disk.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* More NUMA nodes than a machine has; the CPUs of others are dealt out like one node's. */
enum { NODES_MAX = 16 };

/* The CPUs of each node, or none where all are in one. */
static unsigned nodes_find(cpu_set_t *nodes)
{
	char path[64], text[KNOB_TEXT];
	struct err ignored;
	cpu_set_t online;
	unsigned count = 0;

	if (file_read(AT_FDCWD, "/sys/devices/system/node/has_cpu", text, sizeof(text),
		      &ignored) < 0 ||
	    !cpus_parse_list(text, &online) || CPU_COUNT(&online) < 2)
		return 0;
	for (int node = 0; node < CPU_SETSIZE && count < NODES_MAX; node++) {
		if (!CPU_ISSET(node, &online))
			continue;
		str_format(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", node);
		if (file_read(AT_FDCWD, path, text, sizeof(text), &ignored) >= 0 &&
		    cpus_parse_list(text, &nodes[count]))
			count++;
	}
	return count;
}

/*
 * As many CPUs as the cap needs, so that what counts them inside (nproc, the runtimes of Java
 * and Go, web servers) sees its plan.  A machine that a list does not describe shows all it
 * has.
 */
static void cpus_of(unsigned id, struct basis *basis)
{
	unsigned want = (basis->limits->cpus + 99) / 100;
	cpu_set_t available, chosen, nodes[NODES_MAX];

	str_format(basis->cpus, sizeof(basis->cpus), "%s", basis->all_cpus);
	if (!want || !cpus_parse_list(basis->all_cpus, &available) ||
	    want >= (unsigned)CPU_COUNT(&available))
		return;
	cpus_choose(id, want, &available, nodes, nodes_find(nodes), &chosen);
	if (!cpus_print_list(&chosen, basis->cpus, KNOB_TEXT))
		str_format(basis->cpus, sizeof(basis->cpus), "%s", basis->all_cpus);
}

static int word_read(int dir, const char *name, char *text, struct err *err)
{
	if (file_read(dir, name, text, KNOB_TEXT, err) < 0)
		return -1;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

/* What our parent has: an operator may have kept some for the node (AllowedCPUs=). */
static int cpus_v2(const char *mount, struct basis *basis, struct err *err)
{
	own_fd parent = group_open_parent(mount, err);
	if (parent < 0)
		return -1;
	if (word_read(parent, "cpuset.cpus.effective", basis->all_cpus, err) == 0)
		return 0;
	basis->all_cpus[0] = 0;
	return err->code == ENOENT || err->code == EFBIG ? 0 : -1;
}

/* A group of v1 has no CPU and no memory until it is told, and nobody can enter it. */
static int cpus_v1(const char *mount, struct basis *basis, struct err *err)
{
	own_fd top = dir_open(AT_FDCWD, mount, err);

	return top < 0 || word_read(top, "cpuset.cpus", basis->all_cpus, err) < 0 ||
		       word_read(top, "cpuset.mems", basis->mems, err) < 0
		   ? -1
		   : 0;
}

int basis_make(const struct hierarchies *hierarchies, unsigned id, const struct limits *limits,
	       struct basis *basis, struct err *err)
{
	const char *v1 = hierarchies->v1[CONTROLLER_CPUSET];

	*basis = (struct basis){
		.limits = limits,
		.weight_of_cpu = cgroup_weight_of_cpu(),
		.disk = disk_abilities(hierarchies, limits->device),
	};
	if (v1[0] ? cpus_v1(v1, basis, err) < 0
		  : hierarchies->on_v2[CONTROLLER_CPUSET] &&
			cpus_v2(hierarchies->unified, basis, err) < 0)
		return -1;
	cpus_of(id, basis);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "node.h"

#define HUNDREDTH 10000u /* of a CPU, in millionths */

/* The kernel has one number of processes and two limits of it. */
static uint64_t tasks_of_node(void)
{
	static const char *const paths[] = { "/proc/sys/kernel/pid_max",
					     "/proc/sys/kernel/threads-max" };
	uint64_t least = UINT64_MAX;
	struct err ignored;
	char text[32];

	for (size_t i = 0; i < 2; i++) {
		uint64_t number =
		    file_read(AT_FDCWD, paths[i], text, sizeof(text), &ignored) > 0
			? strtoull(text, NULL, 10)
			: 0;

		if (number && number < least)
			least = number;
	}
	return least == UINT64_MAX ? 0 : least;
}

/* Addresses of the subnet but its own, its broadcast address and the gateway. */
static uint64_t addresses_of(const struct bridge *bridge)
{
	return (UINT64_C(1) << (32 - bridge->ipv4.prefix)) - 3;
}

int capacity_find(const struct node *node, struct capacity *capacity, struct err *err)
{
	const struct promise *promise = &node->promise;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct statvfs fs = { 0 };
	struct sysinfo info;

	if (cpus < 1 || sysinfo(&info) < 0)
		return fail(err, errno, "cannot tell what this machine has");
	if (fstatvfs(node->dir, &fs) < 0)
		return fail(err, errno, "cannot tell how large the storage is");

	*capacity = (struct capacity){
		.has = {
			[RESOURCE_CPUS] = (uint64_t)cpus * 100 * HUNDREDTH,
			[RESOURCE_MEMORY] = (uint64_t)info.totalram * info.mem_unit,
			[RESOURCE_DISK] = (uint64_t)fs.f_blocks * fs.f_frsize,
			[RESOURCE_TASKS] = tasks_of_node(),
			[RESOURCE_TRAFFIC] = promise->traffic,
			[RESOURCE_ADDRESSES] = addresses_of(&node->bridge),
			[RESOURCE_IDS] = node->range.last - node->range.first + 1,
		},
		.disk_left = (uint64_t)fs.f_bavail * fs.f_frsize,
		.reserve = {
			[RESOURCE_CPUS] = (uint64_t)promise->reserve_cpus * HUNDREDTH,
			[RESOURCE_MEMORY] = promise->reserve_memory,
			[RESOURCE_DISK] = promise->reserve_disk,
			[RESOURCE_TASKS] = promise->reserve_tasks,
		},
		.ratio = {
			[RESOURCE_CPUS] = promise->ratio_cpus,
			[RESOURCE_MEMORY] = promise->ratio_memory,
			[RESOURCE_DISK] = promise->ratio_disk,
			[RESOURCE_TASKS] = promise->ratio_tasks,
			[RESOURCE_TRAFFIC] = promise->ratio_traffic,
			[RESOURCE_ADDRESSES] = 100,
			[RESOURCE_IDS] = 100,
		},
	};
	return 0;
}

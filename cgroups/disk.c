/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "knobs.h"
#include "str.h"

/* "254:0 enable=1 ctrl=auto ...", a line for each device that was ever told something. */
static bool cost_is_on(const char *qos, dev_t device)
{
	char start[32];

	str_format(start, sizeof(start), "%u:%u ", major(device), minor(device));
	for (const char *line = qos; *line; line += strspn(line, "\n")) {
		size_t len = strcspn(line, "\n");
		const char *enable = strstr(line, "enable=1");

		if (strncmp(line, start, strlen(start)) == 0)
			return enable && enable < line + len;
		line += len;
	}
	return false;
}

unsigned disk_weighing(const char *scheduler, const char *qos, dev_t device)
{
	return (strstr(scheduler, "[bfq]") ? DISK_BFQ : 0u) |
	       (cost_is_on(qos, device) ? DISK_IOCOST : 0u);
}

unsigned disk_abilities(const struct hierarchies *hierarchies, dev_t device)
{
	char path[MOUNT_PATH + 32], scheduler[256] = "", qos[4096] = "";
	struct err ignored;

	str_format(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
	if (!device || access(path, F_OK) < 0)
		return 0;

	/* what has no requests of its own (dm, md) has no scheduler */
	str_format(path, sizeof(path), "/sys/dev/block/%u:%u/queue/scheduler", major(device),
		   minor(device));
	if (file_read(AT_FDCWD, path, scheduler, sizeof(scheduler), &ignored) < 0)
		scheduler[0] = 0;
	str_format(path, sizeof(path), "%s/io.cost.qos", hierarchies->unified);
	if (hierarchies->v1[CONTROLLER_IO][0] ||
	    file_read(AT_FDCWD, path, qos, sizeof(qos), &ignored) < 0)
		qos[0] = 0;
	return DISK_KNOWN | disk_weighing(scheduler, qos, device);
}

unsigned disk_lacks(unsigned abilities)
{
	unsigned lacks = 0;

	if (!(abilities & DISK_KNOWN))
		lacks |= LIMIT_IO_READ | LIMIT_IO_WRITE;
	if (!(abilities & (DISK_BFQ | DISK_IOCOST)))
		lacks |= LIMIT_IO_WEIGHT;
	return lacks;
}

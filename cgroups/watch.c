/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "err.h"
#include "group.h"
#include "hierarchy.h"
#include "own.h"
#include "str.h"

static int file_open(int dir, const char *path)
{
	return dir < 0 ? -1 : openat(dir, path, O_RDONLY | O_CLOEXEC);
}

/* v1 tells of its OOM killer, before it sets out, by an eventfd (cgroup-v1/memory.rst, 9). */
static int oom_open(int dir, int control)
{
	char text[32];
	own_fd event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	own_fd file =
	    control < 0 ? -1 : openat(dir, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%d %d", event, control);

	if (event < 0 || file < 0 || write(file, text, (size_t)len) != len)
		return -1;
	return take_fd(&event);
}

/*
 * Refused forks.  Since Linux 6.11 cgroup2 counts them in the group that refused, and says so
 * when one is added.  Before, it counts where the process is that forked, of which there may be
 * many, so that to be at the limit has to do; v1 counts well and says nothing.  There the
 * monitor looks now and then.
 */
static void tasks_open(int dir, unsigned version, struct cgroup_watch *watch)
{
	if (version == 2)
		watch->fd[WATCH_TASKS] = file_open(dir, "pids.events.local");
	if (watch->fd[WATCH_TASKS] >= 0)
		return;
	watch->fd[WATCH_TASKS] =
	    file_open(dir, version == 2 ? "guest/pids.events" : "pids.events");
	watch->fd[WATCH_TASKS_NOW] = file_open(dir, "pids.current");
	if (version == 2)
		watch->fd[WATCH_TASKS_MAX] = file_open(dir, "pids.max");
}

void cgroup_watch_open(unsigned id, struct cgroup_watch *watch)
{
	struct hierarchies hierarchies;
	struct err ignored;

	for (unsigned i = 0; i < WATCH_COUNT; i++)
		watch->fd[i] = -1;
	if (hierarchies_find(&hierarchies, &ignored) < 0)
		return;

	const char *memory = hierarchies.v1[CONTROLLER_MEMORY];
	const char *pids = hierarchies.v1[CONTROLLER_PIDS];
	own_fd outer = group_open(hierarchies.unified, id, &ignored);
	own_fd memory_v1 = memory[0] ? group_open(memory, id, &ignored) : -1;
	own_fd pids_v1 = pids[0] ? group_open(pids, id, &ignored) : -1;

	watch->fd[WATCH_MEMORY] = memory[0] ? file_open(memory_v1, "memory.oom_control")
					    : file_open(outer, "memory.events");
	if (memory[0])
		watch->fd[WATCH_OOM] = oom_open(memory_v1, watch->fd[WATCH_MEMORY]);
	tasks_open(pids[0] ? pids_v1 : outer, pids[0] ? 1 : 2, watch);
}

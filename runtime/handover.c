/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroups.h"
#include "creds.h"
#include "err.h"
#include "libexec.h"
#include "monitor.h"
#include "own.h"
#include "runtime.h"
#include "vps.h"

pid_t monitor_fork(void)
{
	struct err ignored;
	own_fd group = cgroup_monitors(&ignored);
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)group,
	};
	pid_t pid = group < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? fork() : pid;
}

int handover_open(struct err *err)
{
	char path[512];

	if (libexec_path("nodectl-monitor", path, sizeof(path), err) < 0)
		return -1;

	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", path);
	return fd;
}

int self_path(char *path, size_t size, struct err *err)
{
	static const char deleted[] = " (deleted)";
	ssize_t len = readlink("/proc/self/exe", path, size - 1);
	char *end;

	if (len < 0)
		return fail(err, errno, "cannot find nodectl's own path");
	path[len] = 0;
	end = strstr(path, deleted);
	if (end && end[sizeof(deleted) - 1] == 0)
		*end = 0;
	return 0;
}

_Static_assert(MONITOR_MEMORY + WATCH_COUNT == MONITOR_FDS, "one number for each");
_Static_assert(MONITOR_OOM - MONITOR_MEMORY == WATCH_OOM &&
		   MONITOR_TASKS - MONITOR_MEMORY == WATCH_TASKS &&
		   MONITOR_TASKS_NOW - MONITOR_MEMORY == WATCH_TASKS_NOW &&
		   MONITOR_TASKS_MAX - MONITOR_MEMORY == WATCH_TASKS_MAX,
	       "in the same order");

int handover(int monitor, const struct vps *vps, const struct place *place, int pidfd,
	     int console, struct err *err)
{
	char self[512];
	const char *const argv[] = { "nodectl-monitor", vps->name, self, place->config, NULL };
	const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
	};
	struct cgroup_watch watch;
	int from[MONITOR_FDS - MONITOR_RUN] = { place->run, pidfd, console };

	/* a VPS without its monitor loses its console and its reboots: the node's memory is
	 * to be found elsewhere */
	oom_score_set(0, -800);
	if (self_path(self, sizeof(self), err) < 0)
		return -1;
	cgroup_watch_open(vps->id, &watch);
	for (size_t i = 0; i < WATCH_COUNT; i++)
		from[MONITOR_MEMORY - MONITOR_RUN + i] = watch.fd[i];

	/* out of the way first: the numbers may be taken by each other */
	monitor = fcntl(monitor, F_DUPFD_CLOEXEC, MONITOR_FDS + 64);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, MONITOR_FDS + 64);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		int to = MONITOR_RUN + (int)i;

		if (from[i] >= 0 && dup2(from[i], to) < 0)
			return fail(err, errno, "cannot hand a descriptor to the monitor");
		if (from[i] < 0)
			close(to);
	}
	if (close_range(MONITOR_FDS, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || chdir("/") < 0)
		return fail(err, errno, "cannot close descriptors");
	execveat(monitor, "", (char *const *)argv, (char *const *)env, AT_EMPTY_PATH);
	return fail(err, errno, "cannot execute the monitor");
}

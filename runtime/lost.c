/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lost.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "monitor.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "str.h"

bool status_is_init(const char *status)
{
	static const char key[] = "\nNSpid:";
	const char *at = strstr(status, key);
	char rest[2] = "";
	int outer, inner;

	/* one number a namespace, the node's first */
	return at && sscanf(at + strlen(key), " %d %d %1[0-9\t ]", &outer, &inner, rest) >= 2 &&
	       inner == 1 && !strpbrk(rest, "0123456789");
}

bool cmdline_is_monitor(const char *line, size_t len, const char *name, const char *config)
{
	/* nodectl-monitor NAME NODECTL CONFIG */
	const char *const want[] = { "nodectl-monitor", name, NULL, config };
	const char *end = line + len;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		size_t word = line < end ? strnlen(line, (size_t)(end - line)) : 0;

		if (line >= end || line + word >= end ||
		    (want[i] && strcmp(line, want[i]) != 0))
			return false;
		line += word + 1;
	}
	return line == end;
}

static int init_look(pid_t pid, void *arg, struct err *err)
{
	pid_t *init = arg;
	char path[32];

	str_format(path, sizeof(path), "/proc/%d/status", pid);
	/* as long as its groups are many */
	own_str status = file_slurp(AT_FDCWD, path, 2u << 20, err);
	if (status && status_is_init(status) && process_start(pid))
		*init = pid;
	return 0;
}

pid_t lost_init(unsigned id)
{
	struct err ignored;
	pid_t init = 0;

	(void)cgroup_pids(id, init_look, &init, &ignored);
	return init;
}

/* Call @each for every process in the group of the monitors, of all nodes, until it says that
 * it has found what it looks for. */
static void monitors_each(bool (*each)(pid_t pid, void *arg), void *arg)
{
	struct err ignored;
	int pid;
	own_fd dir = cgroup_monitors(&ignored);
	int fd = dir < 0 ? -1 : openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	own_file procs = fd < 0 ? NULL : fdopen(fd, "r");

	while (procs && fscanf(procs, "%d", &pid) == 1) {
		if (each(pid, arg))
			return;
	}
}

struct wanted_monitor {
	const char *name, *config;
	pid_t found;
};

static bool monitor_look(pid_t pid, void *arg)
{
	struct wanted_monitor *wanted = arg;
	char path[32], line[4096];
	struct err ignored;
	ssize_t len;

	str_format(path, sizeof(path), "/proc/%d/cmdline", pid);
	len = file_read(AT_FDCWD, path, line, sizeof(line), &ignored);
	if (len > 0 && cmdline_is_monitor(line, (size_t)len, wanted->name, wanted->config))
		wanted->found = pid;
	return wanted->found != 0;
}

pid_t lost_monitor(const char *name, const char *config)
{
	struct wanted_monitor wanted = { name, config, 0 };

	monitors_each(monitor_look, &wanted);
	return wanted.found;
}

struct wanted_id {
	unsigned id;
	bool found;
};

/* By the run record of what it watches. */
static bool watched_look(pid_t pid, void *arg)
{
	struct wanted_id *wanted = arg;
	struct record record;
	char path[48];

	str_format(path, sizeof(path), "/proc/%d/fd/%d", pid, MONITOR_RUN);
	own_fd run = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wanted->found = record_read(run, &record) == 0 && record.id == wanted->id &&
			process_is(record.init, record.init_start);
	return wanted->found;
}

bool runtime_is_watched(unsigned id)
{
	struct wanted_id wanted = { id, false };

	monitors_each(watched_look, &wanted);
	return wanted.found;
}

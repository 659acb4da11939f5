/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lost.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "record.h"
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

pid_t lost_monitor(const char *name, const char *config)
{
	struct err ignored;
	pid_t found = 0;
	int pid;
	own_fd dir = cgroup_monitors(&ignored);
	int fd = dir < 0 ? -1 : openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	own_file procs = fd < 0 ? NULL : fdopen(fd, "r");

	while (procs && fscanf(procs, "%d", &pid) == 1) {
		char path[32], line[4096];
		ssize_t len;

		str_format(path, sizeof(path), "/proc/%d/cmdline", pid);
		len = file_read(AT_FDCWD, path, line, sizeof(line), &ignored);
		if (len > 0 && cmdline_is_monitor(line, (size_t)len, name, config))
			found = pid;
	}
	return found;
}

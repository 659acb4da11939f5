/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define CGROUPS "/sys/fs/cgroup/"

/* A hybrid host, as the development machine is. */
static const char *const hierarchies[] = { "unified", "cpu", "cpuacct", "memory", "pids" };

static const struct {
	const char *hierarchy, *knob, *value;
} limits[] = {
	{ "memory", "memory.limit_in_bytes", "1073741824" },
	{ "cpu", "cpu.shares", "1024" },
	{ "cpu", "cpu.cfs_quota_us", "100000" },
	{ "pids", "pids.max", "1024" },
};

static void group_path(char *path, size_t size, const char *hierarchy, const char *name,
		       const char *rest)
{
	str_format(path, size, CGROUPS "%s/%s%s", hierarchy, name, rest);
}

int groups_make(const char *name, struct err *err)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		group_path(path, sizeof(path), hierarchies[i], name, "");
		if (mkdir(path, 0755) < 0)
			return fail(err, errno, "cannot make cgroup '%s'", path);
		group_path(path, sizeof(path), hierarchies[i], name, "/guest");
		if (mkdir(path, 0755) < 0)
			return fail(err, errno, "cannot make cgroup '%s'", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		group_path(path, sizeof(path), limits[i].hierarchy, name, "/");
		own_fd dir = dir_open(AT_FDCWD, path, err);
		if (dir < 0 || file_write(dir, limits[i].knob, limits[i].value, err) < 0)
			return -1;
	}
	group_path(path, sizeof(path), "unified", name, "/guest");
	return dir_open(AT_FDCWD, path, err);
}

int groups_open(const char *name, int files[GROUPS_JOINED], struct err *err)
{
	char path[128];

	_Static_assert(ARRAY_SIZE(hierarchies) == GROUPS_JOINED + 1, "all but cgroup2");
	for (size_t i = 0; i < GROUPS_JOINED; i++) {
		group_path(path, sizeof(path), hierarchies[i + 1], name, "/guest/tasks");
		files[i] = open(path, O_WRONLY | O_CLOEXEC);
		if (files[i] < 0)
			return fail(err, errno, "cannot open '%s'", path);
	}
	return 0;
}

int groups_join(const int files[GROUPS_JOINED], struct err *err)
{
	for (size_t i = 0; i < GROUPS_JOINED; i++) {
		if (write(files[i], "0", 1) != 1)
			return fail(err, errno, "cannot join cgroup '%s'", hierarchies[i + 1]);
	}
	return 0;
}

void groups_kill(const char *name)
{
	char path[128];
	struct err ignored;

	group_path(path, sizeof(path), "unified", name, "/cgroup.kill");
	(void)file_write(AT_FDCWD, path, "1", &ignored);
}

/* With what the guest made inside.  A process that is dead is still in it for a moment. */
static int group_remove(int dir, const char *name, void *unused, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 200000 };

	/* the knobs are ENOTDIR */
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
		return 0;
	own_fd group = dir_open(dir, name, err);
	if (group < 0 || dir_each(group, group_remove, unused, err) < 0)
		return -1;
	for (unsigned i = 0;
	     unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno == EBUSY && i < 5000; i++)
		nanosleep(&pause, NULL);
	return 0;
}

void groups_remove(const char *name)
{
	char path[128];
	struct err ignored;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		/* without asking first what is in it, which is nothing but "guest" most often
		 */
		group_path(path, sizeof(path), hierarchies[i], name, "/guest");
		(void)rmdir(path);
		group_path(path, sizeof(path), hierarchies[i], name, "");
		(void)group_remove(AT_FDCWD, path, NULL, &ignored);
	}
}

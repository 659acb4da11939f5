/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* The kernel freezes at once; only a process deep in the kernel lets it wait. */
/* CAPPED_MS: so long, the processes that are killed have the CPU time of their cap alone. */
enum { FREEZE_MS = 10000, CAPPED_MS = 100 };

bool cgroup_is_frozen(unsigned id)
{
	struct err ignored;
	own_fd outer = group_open_unified(id, &ignored);

	return outer >= 0 && group_event(outer, "frozen", true);
}

bool cgroup_is_populated(unsigned id)
{
	struct err ignored;
	own_fd outer = group_open_unified(id, &ignored);

	return outer >= 0 && group_event(outer, "populated", true);
}

int cgroup_freeze(unsigned id, bool frozen, struct err *err)
{
	struct err ignored;

	own_fd outer = group_open_unified(id, err);
	if (outer < 0 || file_write(outer, "cgroup.freeze", frozen ? "1" : "0", err) < 0)
		return -1;
	if (group_event_wait(outer, "frozen", frozen, FREEZE_MS) == 0)
		return 0;

	fail(err, errno, "cannot %s the group", frozen ? "freeze" : "thaw");
	/* half frozen is worse than running */
	(void)file_write(outer, "cgroup.freeze", "0", &ignored);
	return -1;
}

/* Of this group, and of those of the tenant's own below it. */
static int caps_lift(int dir, const char *name, void *arg, struct err *err)
{
	own_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return 0;
	(void)file_write(fd, "cpu.max", "max", err);
	return group_children(fd, caps_lift, arg, err);
}

static void io_lift(int group)
{
	char lines[4096], line[96], *at = lines;
	struct err ignored;

	if (file_read(group, "io.max", lines, sizeof(lines), &ignored) < 0)
		return;
	for (size_t length; *at; at += length + (at[length] != 0)) {
		length = strcspn(at, "\n");
		str_format(line, sizeof(line), "%.*s rbps=max wbps=max riops=max wiops=max",
			   (int)strcspn(at, " \n"), at);
		(void)file_write(group, "io.max", line, &ignored);
	}
}

/*
 * To end is work as well, and that of thousands of processes or files may be more than the cap
 * lets through in time.  Nothing of the tenant's runs any more; the weight stays.
 * Nor does a signal end who waits for a disk.
 */
static void cap_lift(unsigned id)
{
	struct hierarchies hierarchies;
	struct err ignored;

	if (hierarchies_find(&hierarchies, &ignored) < 0)
		return;
	const char *v1 = hierarchies.v1[CONTROLLER_CPU];
	own_fd capped = v1[0] ? group_open(v1, id, &ignored) : -1;
	if (capped >= 0)
		(void)file_write(capped, "cpu.cfs_quota_us", "-1", &ignored);
	own_fd group = group_open(hierarchies.unified, id, &ignored);
	if (group < 0)
		return;
	(void)caps_lift(group, ".", NULL, &ignored);
	io_lift(group);
}

int cgroup_kill(unsigned id, unsigned wait_ms, struct err *err)
{
	own_fd outer = group_open_unified(id, err);
	if (outer < 0)
		return err->code == ENOENT ? 0 : -1;

	/* a frozen process dies too, but what it waits for in the kernel may be frozen as well
	 */
	if (file_write(outer, "cgroup.freeze", "0", err) < 0 ||
	    file_write(outer, "cgroup.kill", "1", err) < 0)
		return -1;
	if (wait_ms > CAPPED_MS && group_event_wait(outer, "populated", false, CAPPED_MS) == 0)
		return 0;
	cap_lift(id);
	if (group_event_wait(outer, "populated", false, wait_ms) == 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV)
		return 0; /* gone, with the group */
	if (errno != ETIMEDOUT)
		return fail(err, errno, "cannot see whether its processes have ended");
	return fail_as(err, ERR_NOT_STOPPED, "processes are still there after %u ms of SIGKILL",
		       wait_ms);
}

struct walk {
	int (*each)(pid_t pid, void *arg, struct err *err);
	void *arg;
};

static int pids_below(int dir, const char *name, void *arg, struct err *err)
{
	const struct walk *walk = arg;
	int pid;

	/* groups and processes come and go while we look: what is gone is not inside */
	own_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;

	/* a threaded group has none of its own: those processes are in the one above it */
	int procs_fd = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	if (procs_fd >= 0) {
		own_file procs = fdopen(procs_fd, "r");

		while (procs && fscanf(procs, "%d", &pid) == 1) {
			if (pid > 0 && walk->each(pid, walk->arg, err) < 0)
				return -1;
		}
	}
	return group_children(fd, pids_below, arg, err);
}

int cgroup_pids(unsigned id, int (*each)(pid_t pid, void *arg, struct err *err), void *arg,
		struct err *err)
{
	struct walk walk = { each, arg };

	own_fd outer = group_open_unified(id, err);
	if (outer < 0)
		return err->code == ENOENT ? 0 : -1;
	return pids_below(outer, ".", &walk, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "cgroups.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "sum.h"

/* Deeper than any group can be below ours (cgroup.max.depth). */
enum { WALK_DEPTH = 24 };

/* How long a group may be busy after its last process died. */
enum { BUSY_MS = 2000 };

struct removal {
	unsigned depth;
	unsigned long long end;
};

/* Children first.  The names are the tenant's: one component each, through descriptors. */
static int subtree_remove(int dir, const char *name, void *arg, struct err *err)
{
	const struct removal *above = arg;
	struct removal here = { above->depth + 1, above->end };

	for (;;) {
		const struct timespec pause = { .tv_nsec = 500000 };

		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY || here.depth > WALK_DEPTH)
			return fail(err, errno, "cannot remove the group '%s'", name);

		own_fd fd = dir_open(dir, name, err);
		if (fd < 0)
			return err->code == ENOENT ? 0 : -1;
		if (group_children(fd, subtree_remove, &here, err) < 0)
			return -1;
		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;

		/* a process that has died is counted until it is off the processor */
		if (now_ms() >= here.end)
			return fail(err, errno, "cannot remove the group '%s'", name);
		nanosleep(&pause, NULL);
	}
}

int group_remove(int dir, const char *name, struct err *err)
{
	struct removal removal = { 0, now_ms() + BUSY_MS };

	return subtree_remove(dir, name, &removal, err);
}

int cgroup_remove(unsigned id, struct err *err)
{
	struct hierarchies hierarchies;
	char name[16];

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	for (enum sum sum = 0; sum < SUM_COUNT; sum++) {
		if (sum_leave(&hierarchies, sum, id, err) < 0)
			return -1;
	}
	str_format(name, sizeof(name), "%u", id);
	for (unsigned i = 0; i <= CONTROLLER_COUNT; i++) {
		const char *mount = hierarchy_at(&hierarchies, i);

		own_fd parent = mount ? group_open_parent(mount, err) : -1;
		if (parent < 0 && mount && err->code != ENOENT)
			return -1;
		if (parent < 0)
			continue;
		if (group_remove(parent, name, err) < 0)
			return -1;
		group_remove_parent(mount);
	}
	return 0;
}

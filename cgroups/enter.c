/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroups.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"

_Static_assert(CONTROLLER_COUNT == sizeof((struct cgroup_door *)NULL)->tasks / sizeof(int),
	       "a door for each controller");

struct cgroup_door cgroup_door_none(void)
{
	return (struct cgroup_door){ { -1, -1, -1, -1, -1, -1, -1 } };
}

static int door_open(const struct hierarchies *hierarchies, unsigned id,
		     struct cgroup_door *door, struct err *err)
{
	own_door found = cgroup_door_none();

	for (unsigned i = 1; i <= CONTROLLER_COUNT; i++) {
		const char *mount = hierarchy_at(hierarchies, i);

		own_fd dir = mount ? group_open(mount, id, err) : -1;
		if (!mount)
			continue;
		/* a VPS that was started by one who did not know this controller */
		if (dir < 0 && err->code == ENOENT)
			continue;
		if (dir < 0)
			return -1;
		/*
		 * v1 has "tasks" for threads.  The only write that the kernel does
		 * without stopping every fork and exit is one to it, of oneself.
		 */
		found.tasks[i - 1] = openat(dir, "tasks", O_WRONLY | O_CLOEXEC);
		if (found.tasks[i - 1] < 0)
			return fail(err, errno, "cannot open 'tasks'");
	}
	*door = found;
	found = cgroup_door_none();
	return 0;
}

int cgroup_door_open(unsigned id, struct cgroup_door *door, struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	return door_open(&hierarchies, id, door, err);
}

int cgroup_enter(const struct cgroup_door *door, struct err *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(door->tasks); i++) {
		/* who may is decided by who opened it (CVE-2021-4197), not by who we are now */
		if (door->tasks[i] >= 0 && write(door->tasks[i], "0", 1) != 1)
			return fail(err, errno, "cannot enter a group of cgroup v1");
	}
	return 0;
}

void cgroup_door_close(struct cgroup_door *door)
{
	for (unsigned i = 0; i < ARRAY_SIZE(door->tasks); i++) {
		own_close(&door->tasks[i]);
		door->tasks[i] = -1;
	}
}

/*
 * A guest that has enabled controllers for its children, as systemd does, can
 * have no process beside them ("no internal processes", cgroups(7)).  A leaf in
 * it is then where commands from outside go.
 */
static int guest_open(int outer, struct err *err)
{
	char enabled[512];
	struct stat stat;

	own_fd guest = dir_open(outer, "guest", err);
	if (guest < 0 ||
	    file_read(guest, "cgroup.subtree_control", enabled, sizeof(enabled), err) < 0)
		return -1;
	if (enabled[strspn(enabled, "\n")] == 0)
		return take_fd(&guest);

	own_fd leaf = dir_make(guest, "exec", 0755, err);
	if (leaf < 0)
		return -1;
	if (fstat(guest, &stat) < 0)
		return fail(err, errno, "cannot look at the group 'guest'");
	if (group_delegate(leaf, stat.st_uid, err) < 0)
		return -1;
	if (group_event(leaf, "frozen", true))
		return fail(err, EBUSY, "the guest has frozen its group 'exec'");
	return take_fd(&leaf);
}

int cgroup_open(unsigned id, enum cgroup_entry entry, struct cgroup_door *door, struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	own_fd outer = group_open(hierarchies.unified, id, err);
	if (outer < 0)
		return -1;
	own_fd group = entry == CGROUP_GUEST ? guest_open(outer, err)
					     : dir_make(outer, COMMANDS_GROUP, 0755, err);
	if (group < 0 || door_open(&hierarchies, id, door, err) < 0)
		return -1;
	return take_fd(&group);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "limits.h"
#include "own.h"
#include "parent.h"
#include "policy.h"
#include "str.h"

/*
 * As far as this cgroup2 has them; those of the guest are handed down to it.  Not io: a limit
 * of a few bytes a second makes processes that no signal ends, and whoever of the node's waits
 * for the same file system waits with them.
 */
static const struct {
	const char *name;
	bool delegated;
} controllers[] = {
	{ "cpu", true }, { "memory", true }, { "pids", true },
	{ "io", false }, { "cpuset", true }, { "hugetlb", false },
};

/*
 * Give the children of a cgroup2 group these controllers.  What is on
 * already is not written again: the write takes a lock of the whole hierarchy.
 * One that cannot be enabled is missed, by name, when its limit is set.
 */
static void controllers_enable(int dir, bool guest)
{
	char has[512], on[512], text[32];
	struct err ignored;

	if (file_read(dir, "cgroup.controllers", has, sizeof(has), &ignored) < 0 || !has[0] ||
	    file_read(dir, "cgroup.subtree_control", on, sizeof(on), &ignored) < 0)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(controllers); i++) {
		const char *name = controllers[i].name;

		if ((guest && !controllers[i].delegated) || !list_has(has, name, ' ') ||
		    list_has(on, name, ' '))
			continue;
		str_format(text, sizeof(text), "+%s", name);
		(void)file_write(dir, "cgroup.subtree_control", text, &ignored);
	}
}

/* Open the outer group below @mount, made if need be. */
static int outer_make(const char *mount, unsigned id, struct err *err)
{
	char path[GROUP_PATH];

	group_path(mount, id, path);
	for (unsigned tries = 0; tries < 1000; tries++) {
		if (mkdir(path, 0755) == 0 || errno == EEXIST)
			return group_open(mount, id, err);
		if (errno != ENOENT)
			return fail(err, errno, "cannot create the group '%s'", path);
		/* whoever removes the last VPS may take the parent away again at once */
		if (group_make_parent(mount, err) < 0)
			return -1;
	}
	return fail(err, EAGAIN, "cannot create the group '%s'", path);
}

/* The groups in every hierarchy; the one of cgroup2 is returned, open. */
static int outer_make_all(const struct hierarchies *hierarchies, unsigned id, struct err *err)
{
	own_fd outer = outer_make(hierarchies->unified, id, err);
	if (outer < 0)
		return -1;
	for (unsigned i = 1; i <= CONTROLLER_COUNT; i++) {
		const char *mount = hierarchy_at(hierarchies, i);

		own_fd bound = mount ? outer_make(mount, id, err) : -1;
		if (mount && bound < 0)
			return -1;
	}

	own_fd top = dir_open(AT_FDCWD, hierarchies->unified, err);
	if (top < 0)
		return -1;
	own_fd parent = group_open_parent(hierarchies->unified, err);
	if (parent < 0)
		return -1;
	controllers_enable(top, false);
	controllers_enable(parent, false);
	controllers_enable(outer, true);
	return take_fd(&outer);
}

/*
 * Nobody inside: what is there was left by an earlier guest, with child groups,
 * settings and controllers enabled (which forbids new processes).  It may also
 * have been killed, and kernels since 6.13 kill whatever is cloned into a group
 * that has been.
 */
static int leaves_remove(int outer, struct err *err)
{
	if (!group_event(outer, "populated", false))
		return 0;
	if (faccessat(outer, "guest", F_OK, 0) == 0 && group_remove(outer, "guest", err) < 0)
		return -1;
	if (faccessat(outer, COMMANDS_GROUP, F_OK, 0) == 0)
		return group_remove(outer, COMMANDS_GROUP, err);
	return 0;
}

static int guest_make(int outer, uid_t owner, struct err *err)
{
	if (leaves_remove(outer, err) < 0)
		return -1;

	/* before the guest can use up the number of groups that there may be */
	own_fd commands = dir_make(outer, COMMANDS_GROUP, 0755, err);
	if (commands < 0)
		return -1;

	own_fd guest = dir_make(outer, "guest", 0755, err);
	if (guest < 0 || group_delegate(guest, owner, err) < 0)
		return -1;
	return take_fd(&guest);
}

int cgroup_create(unsigned id, const struct limits *limits, uid_t owner, struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;

	own_fd outer = outer_make_all(&hierarchies, id, err);
	if (outer < 0)
		return -1;
	if (parent_prepare(&hierarchies, err) < 0 ||
	    limits_write(&hierarchies, id, limits, err) < 0 || policy_apply(outer, err) < 0)
		return -1;

	own_fd guest = guest_make(outer, owner, err);
	if (guest < 0)
		return -1;
	return limits_write_guest(&hierarchies, id, limits, err) < 0 ? -1 : take_fd(&guest);
}

int cgroup_limit(unsigned id, const struct limits *limits, struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	return limits_change(&hierarchies, id, limits, LIMITS_LIBCGROUP, err);
}

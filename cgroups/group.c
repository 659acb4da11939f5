/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/*
 * The name is that of a unit of systemd, contrib/systemd/nodectl-vps.service, that
 * lies in the root slice and delegates its group (Delegate=yes): systemd leaves what is below
 * it alone. Where systemd does not rule, it is a directory like any other.
 */
static const char parent[] = "nodectl-vps.service";

void group_name(unsigned id, char name[GROUP_NAME])
{
	str_format(name, GROUP_NAME, "%s/%u", parent, id);
}

void group_path(const char *mount, unsigned id, char path[GROUP_PATH])
{
	str_format(path, GROUP_PATH, "%s/%s/%u", mount, parent, id);
}

void group_parent_path(const char *mount, char path[GROUP_PATH])
{
	str_format(path, GROUP_PATH, "%s/%s", mount, parent);
}

/* Digits that a group of ours would be called by: no leading zero, a VPS id. */
static unsigned id_parse(const char *text, const char **end)
{
	unsigned id = 0;

	if (*text == '0')
		return 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (id > 10000000)
			return 0;
		id = id * 10 + (unsigned)(*text - '0');
	}
	*end = text;
	return id;
}

unsigned group_id_of_name(const char *name)
{
	const char *end = name;
	unsigned id = id_parse(name, &end);

	return *end ? 0 : id;
}

unsigned group_id(const char *path)
{
	size_t len = strlen(parent);
	const char *end = "?";

	if (path[0] != '/' || strncmp(path + 1, parent, len) != 0 || path[len + 1] != '/')
		return 0;

	unsigned id = id_parse(path + len + 2, &end);

	/* " (deleted)" follows the name of a group that was removed under a zombie */
	return strchr("/ \n", *end) ? id : 0;
}

int group_open(const char *mount, unsigned id, struct err *err)
{
	char path[GROUP_PATH];

	group_path(mount, id, path);
	return dir_open(AT_FDCWD, path, err);
}

int group_open_parent(const char *mount, struct err *err)
{
	char path[GROUP_PATH];

	group_parent_path(mount, path);
	return dir_open(AT_FDCWD, path, err);
}

int group_make_parent(const char *mount, struct err *err)
{
	char path[GROUP_PATH];

	group_parent_path(mount, path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot create the group '%s'", path);
	return 0;
}

bool group_is_gone(const struct err *err)
{
	return err->code == ENOENT || err->code == ENODEV;
}

void group_remove_parent(const char *mount)
{
	char path[GROUP_PATH], monitors[GROUP_PATH + 16];

	group_parent_path(mount, path);
	/* systemd marks what it made and delegated; that is its own to remove */
	if (getxattr(path, "trusted.delegate", NULL, 0) >= 0)
		return;
	str_format(monitors, sizeof(monitors), "%s/monitors", path);
	(void)rmdir(monitors);
	(void)rmdir(path);
}

int cgroup_monitors(struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0 ||
	    group_make_parent(hierarchies.unified, err) < 0)
		return -1;
	own_fd dir = group_open_parent(hierarchies.unified, err);
	return dir < 0 ? -1 : dir_make(dir, "monitors", 0755, err);
}

void cgroup_monitors_leave(void)
{
	struct hierarchies hierarchies;
	struct err ignored;

	if (hierarchies_find(&hierarchies, &ignored) < 0)
		return;
	own_fd top = dir_open(AT_FDCWD, hierarchies.unified, &ignored);
	own_fd made = group_open_parent(hierarchies.unified, &ignored);
	/* systemd's own stays, and so may we */
	if (top < 0 || made < 0 || fgetxattr(made, "trusted.delegate", NULL, 0) >= 0)
		return;
	(void)file_write(top, "cgroup.procs", "0", &ignored);
	group_remove_parent(hierarchies.unified);
}

int group_open_unified(unsigned id, struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	return group_open(hierarchies.unified, id, err);
}

/*
 * Give a group to the tenant: the directory, so that it may make children, and
 * the files that the kernel names as safe for that (cgroups(7), delegation).
 */
int group_delegate(int dir, uid_t owner, struct err *err)
{
	char list[1024], *rest = list;

	if (file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof(list), err) < 0)
		return -1;
	if (fchown(dir, owner, owner) < 0)
		return fail(err, errno, "cannot hand the group to %u", owner);
	for (const char *name; (name = strsep(&rest, "\n"));) {
		/* not every group has memory.oom.group and the like */
		if (*name && fchownat(dir, name, owner, owner, 0) < 0 && errno != ENOENT)
			return fail(err, errno, "cannot hand '%s' to %u", name, owner);
	}
	return 0;
}

/* Through one descriptor, because poll() reports what changed since it was last read.  1, 0, or
 * -1 when that cannot be told. */
static int event_look(int fd, const char *key, bool want)
{
	char text[128];
	uint64_t value;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		return -1;
	text[len] = 0;
	return flat_value(text, key, &value) && (value != 0) == want;
}

bool group_event(int dir, const char *key, bool want)
{
	own_fd fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && event_look(fd, key, want) > 0;
}

int group_event_wait(int dir, const char *key, bool want, unsigned wait_ms)
{
	unsigned long long end = now_ms() + wait_ms;
	own_fd fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	/*
	 * The kernel holds back a second notice within 10 ms; what has just changed
	 * before is looked at more often than it says.
	 */
	for (int slice = 1;; slice = slice < 64 ? 2 * slice : 64) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };
		unsigned long long now = now_ms();
		int is = event_look(fd, key, want);

		if (is > 0)
			return 0;
		if (is < 0)
			return -1;
		if (now >= end) {
			errno = ETIMEDOUT;
			return -1;
		}
		int left = end - now < (unsigned)slice ? (int)(end - now) : slice;
		if (poll(&poll_fd, 1, left) < 0)
			usleep((useconds_t)left * 1000);
	}
}

int group_children(int dir, int (*each)(int dir, const char *name, void *arg, struct err *err),
		   void *arg, struct err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot list a group");

	own_dir entries = fdopendir(fd);
	if (!entries) {
		close(fd);
		return fail(err, errno, "cannot list a group");
	}

	/* an end for whatever reason is the end: the group may vanish meanwhile */
	for (const struct dirent *entry; (entry = readdir(entries));) {
		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (each(dir, entry->d_name, arg, err) < 0)
			return -1;
	}
	return 0;
}

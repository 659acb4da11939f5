/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "err.h"
#include "notice.h"
#include "own.h"
#include "runtime.h"
#include "start.h"
#include "str.h"
#include "tree.h"
#include "view.h"
#include "vps.h"

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/*
 * What the guest mounts itself, in its own namespaces: the kernel shows in proc, sysfs
 * and cgroup2 what the namespaces of whoever mounts them contain.  All of it before leaving the
 * node's tree, for proc and sysfs are only allowed while a fully visible one
 * is in the mount namespace (mount_too_revealing() in fs/namespace.c).
 */
static const struct {
	const char *path, *type;
	uint64_t attributes;
	unsigned percent; /* of the memory limit, for a tmpfs */
	const char *options[6];
} mounts[] = {
	{ "proc", "proc", QUIET, 0, { NULL } },
	{ "sys", "sysfs", QUIET | MOUNT_ATTR_RDONLY, 0, { NULL } },
	{ "sys/fs/cgroup", "cgroup2", QUIET, 0, { NULL } },
	{ "dev/pts",
	  "devpts",
	  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	  0,
	  { "newinstance", "gid=5", "mode=620", "ptmxmode=666", "max=256", NULL } },
	{ "dev/mqueue", "mqueue", QUIET, 0, { NULL } },
	{ "dev/shm", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 25, { "mode=1777", NULL } },
	{ "run", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 20, { "mode=755", NULL } },
};

/*
 * What tells about the node and that the kernel shows to everybody.  Information
 * only: nothing may rest on a mask, for the tenant can unmount it.
 */
static const struct {
	const char *path;
	bool directory;
} masks[] = {
	{ "proc/diskstats", false },
	{ "proc/interrupts", false },
	{ "proc/keys", false },
	{ "proc/acpi", true },
	/* a loop device tells which file it is: where a volume is and whose */
	{ "sys/devices/virtual/block", true },
	{ "sys/devices/virtual/powercap", true },
	{ "sys/firmware", true },
	{ "sys/module", true },
	{ "sys/power", true },
};

/* A tmpfs is memory of the VPS: in proportion to its limit, not to the node's memory. */
static int tmpfs_size(const struct vps *vps, unsigned percent, char *text, size_t size)
{
	if (!percent)
		return 0;
	if (!vps->limits.memory)
		str_format(text, size, "size=%u%%", percent);
	else
		str_format(text, size, "size=%" PRIu64, vps->limits.memory / 100 * percent);
	return 1;
}

/*
 * The console is a terminal of the guest's own devpts.  The peer comes from the
 * master's descriptor, never from a path (CVE-2025-52565).
 */
static int console_make(struct start *start, int root, int devpts, struct err *err)
{
	int unlock = 0;

	start->console = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (start->console < 0 || ioctl(start->console, TIOCSPTLCK, &unlock) < 0)
		return fail(err, errno, "cannot make the console");

	own_fd peer = ioctl(start->console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return fail(err, errno, "cannot open the console");

	own_fd tree = open_tree(peer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	own_fd target = tree_open(root, "dev/console", O_PATH, err);
	if (target < 0)
		return -1;
	if (tree < 0 || move_mount(tree, "", target, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot place the console");
	return 0;
}

int mounts_apply(struct start *start, struct err *err)
{
	own_fd root = open("r", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(err, errno, "cannot open the root");

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const char *options[7];
		char size[40];
		size_t count = 0;

		while (mounts[i].options[count]) {
			options[count] = mounts[i].options[count];
			count++;
		}
		if (tmpfs_size(start->vps, mounts[i].percent, size, sizeof(size)))
			options[count++] = size;
		options[count] = NULL;

		own_fd tree = tree_mount(mounts[i].type, mounts[i].type, mounts[i].attributes,
					 options, err);
		if (tree < 0 || tree_place(tree, root, mounts[i].path, err) < 0)
			return -1;
		if (strcmp(mounts[i].type, "devpts") == 0 &&
		    console_make(start, root, tree, err) < 0)
			return -1;
	}
	if (start->notice >= 0 && notice_place(root, start->notice, err) < 0)
		return -1;
	/* taken from lxcfs on the host side, long before we met a path of the tenant's */
	if (start->place->view)
		view_place(root, &start->place->view->files);
	return 0;
}

int mounts_pivot(struct start *start, struct err *err)
{
	char cwd[16];

	(void)start;
	/* Mounts that came from the node's namespace are locked and cannot become the root; a
	 * recursive bind of them onto themselves can. */
	own_fd tree =
	    open_tree(AT_FDCWD, "r", OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || move_mount(tree, "", AT_FDCWD, "r", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(tree) < 0)
		return fail(err, errno, "cannot bind the root");

	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return fail(err, errno, "cannot move into the root");

	/* The raw call: glibc's would hide that we are still outside (CVE-2024-21626). */
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || strcmp(cwd, "/") != 0)
		return fail(err, EXDEV, "cannot move into the root");

	/* Alone in its namespace, the guest gets what a booted machine has: systemd hands
	 * credentials and mounts to its services by propagation. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		return fail(err, errno, "cannot share the mounts");
	return 0;
}

/* A mount to cover with.  Only what is attached somewhere can be cloned (before Linux 6.15), so
 * the first directory gets @empty itself. */
static int cover(bool directory, int null, int empty, bool *attached)
{
	if (directory && !*attached) {
		*attached = true;
		return fcntl(empty, F_DUPFD_CLOEXEC, 3);
	}
	return open_tree(directory ? empty : null, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

int mounts_mask(struct start *start, struct err *err)
{
	struct stat stat;
	bool attached = false;

	(void)start;
	own_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	own_fd null = root < 0 ? -1 : tree_open(root, "dev/null", O_PATH, err);
	/* What is bound over a file must be the null device and nothing else (CVE-2025-31133).
	 */
	if (null < 0 || fstat(null, &stat) < 0 || !S_ISCHR(stat.st_mode) ||
	    stat.st_rdev != makedev(1, 3))
		return fail(err, errno, "/dev/null of the VPS is not the null device");

	own_fd empty = tree_mount("tmpfs", "empty", QUIET | MOUNT_ATTR_RDONLY,
				  (const char *const[]){ "size=4k", "mode=555", NULL }, err);
	if (empty < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		own_fd target = tree_open(root, masks[i].path, O_PATH, err);
		if (target < 0 && err->code == ENOENT)
			continue;

		own_fd tree =
		    target < 0 ? -1 : cover(masks[i].directory, null, empty, &attached);
		if (tree < 0 ||
		    move_mount(tree, "", target, "",
			       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
			return fail(err, errno, "cannot mask '/%s'", masks[i].path);
	}
	return 0;
}

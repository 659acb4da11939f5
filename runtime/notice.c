/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "str.h"
#include "tree.h"

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Only root of the node can set one of these (xattr(7)). */
#define MARK "trusted.nodectl.id"
#define FILE "status.json"

/*
 * A file system of the initial user namespace, whose files are the node's root's: inside that
 * is nobody, so that not even the VPS's root may write, rename or remove.  It is small: who
 * keeps old files open keeps himself from new ones.
 */
int notice_make(unsigned id, const char *text, struct err *err)
{
	char mark[16];
	own_fd tree = tree_mount(
	    "tmpfs", "vps", QUIET,
	    (const char *const[]){ "size=64k", "nr_inodes=8", "mode=755", NULL }, err);

	if (tree < 0)
		return -1;
	str_format(mark, sizeof(mark), "%u", id);
	own_fd dir = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsetxattr(dir, MARK, mark, strlen(mark), 0) < 0)
		return fail(err, errno, "cannot mark the place of '%s'", FILE);
	if (file_replace_volatile(dir, FILE, text, strlen(text), 0444, err) < 0)
		return -1;
	return take_fd(&tree);
}

int notice_place(int root, int tree, struct err *err)
{
	own_fd run = tree_open(root, "run", O_PATH | O_DIRECTORY, err);

	return run < 0 ? -1 : tree_place(tree, run, "vps", err);
}

/* What the tenant has put there instead is not ours. */
static bool is_ours(int dir, unsigned id)
{
	char mark[16] = "";

	return fgetxattr(dir, MARK, mark, sizeof(mark) - 1) > 0 &&
	       strtoul(mark, NULL, 10) == id;
}

int runtime_notice(unsigned id, int run, const char *text, struct err *err)
{
	struct record record;
	char path[48];

	if (record_read(run, &record) < 0 || record.id != id)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	/* whoever has that pid by now: a place with our mark is this VPS's */
	str_format(path, sizeof(path), "/proc/%d/root", record.init);
	own_fd root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	own_fd dir = root < 0
			 ? -1
			 : tree_open(root, "run/vps", O_RDONLY | O_DIRECTORY | O_NONBLOCK, err);
	if (dir < 0 || !is_ours(dir, id))
		return fail_as(err, ERR_SYSTEM, "it has no '/run/vps'");
	return file_replace_volatile(dir, FILE, text, strlen(text), 0444, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "str.h"

/* The kernel's own words are queued on the file system context: the last line is the reason. */
static int fail_fs(int fs, const char *type, const char *what, struct err *err)
{
	int code = errno;
	char line[200] = "";
	ssize_t len = read(fs, line, sizeof(line) - 1);

	line[len > 0 ? len : 0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (line[0])
		return fail(err, code, "cannot mount %s: %s: %s", type, what, line);
	return fail(err, code, "cannot mount %s: %s", type, what);
}

static int option_set(int fs, const char *option)
{
	const char *equals = strchr(option, '=');
	char key[32];

	if (!equals)
		return fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	str_format(key, sizeof(key), "%.*s", (int)(equals - option), option);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

int tree_mount(const char *type, const char *source, uint64_t attributes,
	       const char *const *options, struct err *err)
{
	own_fd fs = fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return fail(err, errno, "cannot mount %s", type);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fail_fs(fs, type, "source", err);
	for (; options && *options; options++) {
		if (option_set(fs, *options) < 0)
			return fail_fs(fs, type, *options, err);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_fs(fs, type, "create", err);

	int tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
	if (tree < 0)
		return fail_fs(fs, type, "mount", err);
	return tree;
}

int tree_open(int root, const char *path, int flags, struct err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0)
		return fail(err, errno, "cannot open '/%s' of the VPS", path);
	return fd;
}

int tree_place(int tree, int root, const char *path, struct err *err)
{
	own_fd target = tree_open(root, path, O_PATH | O_DIRECTORY, err);

	if (target < 0 && err->code == ENOENT && !strchr(path, '/')) {
		if (mkdirat(root, path, 0755) < 0)
			return fail(err, errno, "cannot make '/%s' of the VPS", path);
		target = tree_open(root, path, O_PATH | O_DIRECTORY, err);
	}
	if (target < 0)
		return -1;
	if (move_mount(tree, "", target, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot mount on '/%s' of the VPS", path);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;

/* Mounts by descriptor: no path is ever resolved twice, none through a tenant's symbolic link.
 */

/*
 * Make a file system, detached.  @options are "key=value" or "flag", ended by NULL;
 * @attributes are MOUNT_ATTR_*.  Returns a mount descriptor that the caller owns; nothing is
 * visible anywhere until tree_place().
 */
int tree_mount(const char *type, const char *source, uint64_t attributes,
	       const char *const *options, struct err *err);

/*
 * Attach @tree at directory @path below @root, which may be hostile: every
 * component must be a directory, no symbolic link, on no other mount but our own.  A missing
 * last component is made.
 */
int tree_place(int tree, int root, const char *path, struct err *err);

/* Open @path below @root in the same way; O_PATH on whatever is there. */
int tree_open(int root, const char *path, int flags, struct err *err);

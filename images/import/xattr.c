/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xattr.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "err.h"
#include "path.h"

enum {
	VALUE_MAX = 65536,
	ID_MAX = 65535,
};

/* Little endian, as both of the kernel's formats are on disk. */
static uint32_t le32(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

/*
 * Version 2 says nothing of whose namespace it counts in, and the idmapped mount gives it to
 * the VPS's root.  Version 3 names a host id, which no archive can know.
 */
static bool capability_is_sound(const void *value, size_t size)
{
	return size == XATTR_CAPS_SZ_2 &&
	       (le32(value) & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_2;
}

/* A version word, then entries of tag and permissions (16 bits each) and an id. */
static bool acl_is_sound(const void *value, size_t size)
{
	const unsigned char *at = value;

	if (size < 4 || (size - 4) % 8 != 0 || le32(at) != 2)
		return false;
	for (size_t i = 4; i < size; i += 8) {
		uint32_t id = le32(at + i + 4);

		if (id > ID_MAX && id != UINT32_MAX)
			return false;
	}
	return true;
}

bool xattr_is_allowed(const char *name)
{
	if (strncmp(name, "user.overlay.", 13) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

int xattr_apply(int fd, const char *path, const char *name, const void *value, size_t size,
		struct err *err)
{
	char why[128];

	if (!xattr_is_allowed(name)) {
		snprintf(why, sizeof(why), "carries the forbidden attribute %.64s", name);
		return entry_refuse(err, path, why);
	}
	if (size > VALUE_MAX)
		return entry_refuse(err, path, "carries an attribute of more than 64 KiB");
	if (strcmp(name, "security.capability") == 0 && !capability_is_sound(value, size))
		return entry_refuse(err, path, "carries file capabilities not of version 2");
	if (strncmp(name, "system.", 7) == 0 && !acl_is_sound(value, size))
		return entry_refuse(err, path, "carries a broken access control list");
	/* bsdtar writes each twice, in two dialects */
	if (fsetxattr(fd, name, value, size, 0) == 0)
		return 0;
	if (errno == EINVAL || errno == E2BIG || errno == ERANGE)
		return entry_refuse(err, path, "carries an attribute that the kernel refuses");
	return fail(err, errno, "cannot set %s of '%s'", name, path);
}

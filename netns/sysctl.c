/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

static void path_of(char path[PATH_MAX], const char *family, const char *interface,
		    const char *name)
{
	str_format(path, PATH_MAX, "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
}

char sysctl_get(const char *family, const char *interface, const char *name)
{
	char path[PATH_MAX], value[32];
	struct err ignored;

	path_of(path, family, interface, name);
	if (file_read(AT_FDCWD, path, value, sizeof(value), &ignored) < 0)
		return 0;
	return value[0];
}

int sysctl_set(const char *family, const char *interface, const char *name, const char *value,
	       struct err *err)
{
	char path[PATH_MAX];

	if (sysctl_get(family, interface, name) == *value)
		return 0;
	path_of(path, family, interface, name);
	if (file_write(AT_FDCWD, path, value, err) == 0)
		return 0;
	return err->code == ENOENT ? 0 : -1;
}

int sysctls_set(const struct sysctl *sysctls, size_t count, const char *interface,
		struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (sysctl_set(sysctls[i].family, interface, sysctls[i].name, sysctls[i].value,
			       err) < 0)
			return -1;
	}
	return 0;
}

bool sysctls_are_set(const struct sysctl *sysctls, size_t count, const char *interface)
{
	for (size_t i = 0; i < count; i++) {
		char value = sysctl_get(sysctls[i].family, interface, sysctls[i].name);

		if (value && value != *sysctls[i].value)
			return false;
	}
	return true;
}

/*
 * "all" and "default" would change what interfaces to come do; the kernel
 * ignores "all".  See accept_ra in Documentation/networking/ip-sysctl.rst.
 */
static int listen_on(int dir, const char *interface, void *arg, struct err *err)
{
	(void)dir;
	(void)arg;
	if (!strcmp(interface, "all") || !strcmp(interface, "default"))
		return 0;
	if (sysctl_get("ipv6", interface, "accept_ra") != '1' ||
	    sysctl_get("ipv6", interface, "forwarding") != '0')
		return 0;
	return sysctl_set("ipv6", interface, "accept_ra", "2", err);
}

/* First listen, then forward: learnt routes are dropped by a router that does not listen. */
static int forward_ipv6(struct err *err)
{
	own_fd interfaces = dir_open(AT_FDCWD, "/proc/sys/net/ipv6/conf", err);

	if (interfaces < 0)
		return -1;
	if (dir_each(interfaces, listen_on, NULL, err) < 0)
		return -1;
	return sysctl_set("ipv6", "all", "forwarding", "1", err);
}

int sysctl_forward(bool ipv6, struct err *err)
{
	/* this one is net.ipv4.ip_forward under its other name */
	if (sysctl_set("ipv4", "all", "forwarding", "1", err) < 0)
		return -1;
	if (!ipv6 || sysctl_get("ipv6", "all", "forwarding") == '1')
		return 0;
	return forward_ipv6(err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Set "/proc/sys/net/<family>/conf/<interface>/<name>".  One that has the value
 * is left alone.  A kernel without it (IPv6 may be compiled out) is fine.
 */
int sysctl_set(const char *family, const char *interface, const char *name, const char *value,
	       struct err *err);

/* The first character of its value, 0 when there is none. */
char sysctl_get(const char *family, const char *interface, const char *name);

/* What an interface is to have. */
struct sysctl {
	const char *family, *name, *value; /* of one character */
};

int sysctls_set(const struct sysctl *sysctls, size_t count, const char *interface,
		struct err *err);

/* One that this kernel does not have is none to differ. */
bool sysctls_are_set(const struct sysctl *sysctls, size_t count, const char *interface);

/*
 * Let the node forward.  IPv6 makes it a router, and routers do not listen to
 * other routers' advertisements: interfaces that did go on doing so.
 */
int sysctl_forward(bool ipv6, struct err *err);

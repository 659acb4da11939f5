/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * May an image carry this extended attribute?  What the kernel or a security module reads as
 * an order (overlay's, SELinux's, IMA's) may not: a tree that says trusted.overlay.redirect
 * would choose which files a VPS sees.
 */
bool xattr_is_allowed(const char *name);

/* Set it on @fd, the entry @path; what is not allowed is ERR_BAD_IMAGE. */
int xattr_apply(int fd, const char *path, const char *name, const void *value, size_t size,
		struct err *err);

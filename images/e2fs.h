/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

struct err;

/*
 * Run a program of e2fsprogs and keep what it says.  Its failure is told in its own words:
 * "cannot <what>: <line>".  @said, which may be NULL, gets all of it.
 */
int e2fs_run(const char *const argv[], const char *what, char *said, size_t size,
	     struct err *err);

/* The line of @said that tells what was wrong, cut in place: not a banner, not the usage. */
char *e2fs_reason(char *said);

/* Where these programs find an open file that has no name. */
void e2fs_path(int fd, char *path, size_t size);

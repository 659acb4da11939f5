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

/* Mend what can be mended without loss in the file system in a file. */
int e2fs_mend(const char *path, struct err *err);

/*
 * Is it whole?  Nothing is written.  For behind what makes, mends or changes one: with
 * e2fsprogs 1.47 the last writes of those may fail without a word.
 */
int e2fs_check(const char *path, struct err *err);

/* The line of @said that tells what was wrong, cut in place: not a banner, not the usage. */
char *e2fs_reason(char *said);

/* Where these programs find an open file that has no name. */
void e2fs_path(int fd, char *path, size_t size);

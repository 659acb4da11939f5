/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;

enum {
	ENTRY_PATH_MAX = 4096, /* with its NUL */
	ENTRY_NAME_MAX = 255,
	ENTRY_DEPTH_MAX = 256,
};

/* Refuse the image because of the entry @name: "'<name>' <why>", ERR_BAD_IMAGE. */
int entry_refuse(struct err *err, const char *name, const char *why);

/*
 * The path of an archive's entry, relative to the root and without "./" and the last "/"; ""
 * for the root.  Nothing is repaired: a name that would have to be is refused.
 */
int entry_path(const char *name, char path[ENTRY_PATH_MAX], struct err *err);

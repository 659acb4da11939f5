/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

#include "lxcfs.h"

struct err;

/* The text of a record, and back: 0, or -1 when it is none. */
void lxcfs_print(const struct lxcfs *lxcfs, char *text, size_t size);
int lxcfs_parse(const char *text, struct lxcfs *lxcfs);

/* A file of a view: where it is below the root of a VPS, and below that of lxcfs as well. */
struct view_file {
	const char *dir, *name;
};

extern const struct view_file view_files[VIEW_FILES];

/* The name of file @i in the holder's root. */
void view_name(size_t i, char name[8]);

/* The one that the holder and whoever asks read, to know that lxcfs answers. */
extern const size_t view_probe;

/* Read it, in the holder's root. */
int view_answers(struct err *err);

/* Put the files over those of the proc and sys that we have just mounted below @root. */
void view_place(int root, const struct view_files *files);

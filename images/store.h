/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;
struct image;

/*
 * A directory staging/<random> of the store, held with flock(2) (shared, so that the importer
 * can hold it too) until it is kept or dropped.
 */
struct staging {
	int store; /* not owned */
	int dir;
	char name[17];
};

/* Make the store's own directories, and a staging directory in it. */
int staging_make(struct staging *staging, int store, struct err *err);

/* What is @from in the store becomes a staging directory, to be removed; one that is not there
 * is ENOENT.  It takes no room. */
int staging_take(struct staging *staging, int store, const char *from, struct err *err);

/*
 * The tree in staging is whole: force it to disk, move it to its digest and give it @image's
 * name.  When the store has this digest already, that one is used, and @image gets its source
 * and age.  After a crash at any point, and image_sweep(), either all of it is there or none.
 */
int staging_keep(struct staging *staging, struct image *image, struct err *err);

/* Let go, and remove what was not kept; what cannot be removed the next sweep finds. */
int staging_remove(struct staging *staging, struct err *err);
void staging_free(struct staging *staging);

/* Taken by whoever changes names or moves a tree into or out of sha256/. */
int store_lock(int store, struct err *err);

/* Where the name points to; ERR_NO_IMAGE. */
int name_read(int store, const char *name, char digest[65], struct err *err);

/* Is there a name for this digest, beside @but (or NULL)?  @name (128 bytes) gets one. */
int digest_name(int store, const char *digest, const char *but, char *name, struct err *err);

/* Is a tree with this digest in the store?  1, 0 or -1. */
int tree_look(int store, const char *digest, struct err *err);

/* ".NAME" becomes NAME: the last step of staging_keep(), and the sweep's if that was cut off.
 */
int name_end(int store, const char *name, struct err *err);

/* It does not. */
void name_forget(int store, const char *name);

bool digest_is_valid(const char *digest);

/* sha256/<digest>/info */
int info_read(int store, const char *digest, struct image *image, struct err *err);

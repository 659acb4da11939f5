/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct err;
struct progress;

/* What a tree is. */
struct manifest {
	char digest[65]; /* sha256 of the manifest, hex */
	uint64_t size;	 /* bytes of file data, a file with several names counted once */
	uint64_t files;	 /* names, directories too */
};

/*
 * Read the tree below @root and digest its canonical manifest.  The manifest is text:
 *
 *	nodectl-manifest 1
 *	d <mode> <uid> <gid> <path>
 *	f <mode> <uid> <gid> <size> <sha256> <path>
 *	l <uid> <gid> <path> <target>
 *	p <mode> <uid> <gid> <path>
 *	h <path> <path of the same file's first name>
 *	x <name> <value in hex>		after its d or f, sorted by name
 *
 * Directories come before what is in them, names of one directory in byte order, "." first;
 * modes are octal; in names every byte up to space, above '~' and the backslash are \xNN.
 * Times are left out: what is built again from the same packages is the same image, and is
 * kept once.  What is digested is what lies on the disk, so a stored image can be checked by
 * the same function.
 */
int manifest_read(int root, struct manifest *manifest, const struct progress *progress,
		  struct err *err);

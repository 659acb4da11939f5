/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "images.h"
#include "own.h"
#include "tar.h"

/* What a start writes into, beside what an import makes anyway. */
static const struct {
	const char *path;
	mode_t mode;
} dirs[] = {
	{ "etc", 0755 }, { "mnt", 0755 }, { "root", 0700 }, { "sbin", 0755 }, { "tmp", 01777 },
};

int image_build_single(int store, const char *name, const void *program, size_t size,
		       const char *source, struct image *image, struct err *err)
{
	own_fd memory = memfd_create("image", MFD_CLOEXEC);
	int copy = memory < 0 ? -1 : fcntl(memory, F_DUPFD_CLOEXEC, 3);
	own_file out = copy < 0 ? NULL : fdopen(copy, "w");
	if (!out)
		return fail(err, errno, "cannot make the image");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		tar_dir(out, dirs[i].path, dirs[i].mode);
	tar_file(out, "sbin/init", 0755, program, size);
	tar_end(out);
	if (fflush(out) != 0 || ferror(out))
		return fail(err, errno, "cannot write the image");

	off_t length = lseek(memory, 0, SEEK_END);
	if (length < 0 || lseek(memory, 0, SEEK_SET) < 0)
		return fail(err, errno, "cannot read the image");
	return image_import(store, name, memory, (uint64_t)length, source, NULL, image, err);
}

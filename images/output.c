/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "program.h"
#include "str.h"

enum {
	OUTPUT_MAX = 1 << 20,
};

char *output_read(const char *const *argv, struct err *err)
{
	/* in memory and not through a pipe, so that nobody has to read while it runs */
	own_fd out = memfd_create("output", MFD_CLOEXEC);
	const struct program program = {
		.argv = argv, .in = -1, .out = out, .err = -1, .dir = -1
	};
	char path[64];

	if (out < 0) {
		fail(err, errno, "cannot keep the output of '%s'", argv[0]);
		return NULL;
	}
	if (program_run(&program, err) < 0)
		return NULL;
	str_format(path, sizeof(path), "/proc/self/fd/%d", out);
	return file_slurp(AT_FDCWD, path, OUTPUT_MAX, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libexec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "own.h"

#ifndef LIBEXEC
#define LIBEXEC "/usr/local/lib/nodectl"
#endif

int libexec_path(const char *program, char *path, size_t size, struct err *err)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len > 0 ? len : 0] = 0;
	char *slash = strrchr(self, '/');
	if (slash) {
		*slash = 0;
		if (snprintf(path, size, "%s/%s", self, program) < (int)size &&
		    access(path, X_OK) == 0)
			return 0;
	}
	if (snprintf(path, size, "%s/%s", LIBEXEC, program) >= (int)size)
		return fail(err, ENAMETOOLONG, "cannot find '%s'", program);
	if (access(path, X_OK) < 0)
		return fail(err, errno, "cannot run '%s'", path);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libexec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "own.h"

int libexec_path(const char *program, char *path, size_t size, struct err *err)
{
	/* in the build tree, and as installed: PREFIX/sbin and PREFIX/lib/nodectl */
	static const char *const places[] = { "", "../lib/nodectl/" };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[len > 0 ? len : 0] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return fail(err, ENOENT, "cannot find '%s'", program);
	slash[1] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (snprintf(path, size, "%s%s%s", self, places[i], program) < (int)size &&
		    access(path, X_OK) == 0)
			return 0;
	}
	return fail(err, errno, "cannot run '%s'", path);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "e2fs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "program.h"
#include "str.h"

#define E2FSCK "/sbin/e2fsck"

/* "resize2fs 1.47.0 (5-Feb-2023)" */
static bool is_banner(const char *line)
{
	size_t name = strcspn(line, " \n");

	return line[name] == ' ' && line[name + 1] >= '0' && line[name + 1] <= '9' &&
	       memchr(line, '(', strcspn(line, "\n"));
}

char *e2fs_reason(char *said)
{
	while (*said == '\n' || is_banner(said) || strncmp(said, "Pass ", 5) == 0) {
		said += strcspn(said, "\n");
		said += *said == '\n';
	}
	said[strcspn(said, "\n")] = 0;
	return said;
}

void e2fs_path(int fd, char *path, size_t size)
{
	str_format(path, size, "/proc/%d/fd/%d", getpid(), fd);
}

int e2fs_run(const char *const argv[], const char *what, char *said, size_t size,
	     struct err *err)
{
	own_fd out = memfd_create("said", MFD_CLOEXEC);
	struct program program = {
		.argv = argv,
		.in = -1,
		.out = out,
		.err = out,
		.dir = -1,
		.bound = true,
	};
	char text[1024];

	if (out < 0)
		return fail(err, errno, "cannot %s", what);
	int result = program_run(&program, err);
	ssize_t len = pread(out, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = 0;
	if (said)
		str_format(said, size, "%.*s", (int)(size - 1), text);
	if (result == 0)
		return 0;

	int code = strstr(text, "No space left") ? ENOSPC : 0;
	const char *reason = e2fs_reason(text);
	return *reason ? fail(err, code, "cannot %s: %s", what, reason)
		       : fail_in(err, "cannot %s", what);
}

int e2fs_mend(const char *path, struct err *err)
{
	const char *const argv[] = { E2FSCK, "-f", "-p", path, NULL };

	if (e2fs_run(argv, "check the file system", NULL, 0, err) == 0)
		return 0;
	/* what it repaired makes an exit status of 1; nothing is left the second time */
	return e2fs_run(argv, "check the file system", NULL, 0, err);
}

int e2fs_check(const char *path, struct err *err)
{
	const char *const argv[] = { E2FSCK, "-f", "-n", path, NULL };

	return e2fs_run(argv, "check the file system", NULL, 0, err);
}

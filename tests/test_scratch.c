/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"

int scratch = -1;
char scratch_path[64];

void scratch_make(void)
{
	strcpy(scratch_path, "/tmp/nodectl-test-XXXXXX");
	cr_assert_not_null(mkdtemp(scratch_path));
	scratch = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(scratch, 0);
}

void scratch_remove(void)
{
	struct err err;

	close(scratch);
	cr_expect_eq(tree_remove(AT_FDCWD, scratch_path, &err), 0, "%s", err.msg);
}

void scratch_put(int dir, const char *name, const char *text)
{
	own_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(write_all(fd, text, strlen(text)), 0, "%s", name);
	/* at the end: emptying it first would free its block, and that waits for the disk */
	cr_assert_eq(ftruncate(fd, (off_t)strlen(text)), 0, "%s", name);
}

bool scratch_holds(int dir, const char *name, const char *text)
{
	struct err err;
	own_str got = file_slurp(dir, name, 1 << 20, &err);

	return got && strcmp(got, text) == 0;
}

static int count_one(int dir, const char *name, void *arg, struct err *err)
{
	(void)dir;
	(void)name;
	(void)err;
	++*(unsigned *)arg;
	return 0;
}

unsigned scratch_count(int dir)
{
	unsigned count = 0;
	struct err err;

	cr_assert_eq(dir_each(dir, count_one, &count, &err), 0, "%s", err.msg);
	return count;
}

uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dull;
}

void random_text(uint64_t *seed, const char *alphabet, char *text, size_t size)
{
	size_t len = random_next(seed) % size, letters = strlen(alphabet);

	for (size_t i = 0; i < len; i++) {
		uint64_t draw = random_next(seed) >> 16;

		if (draw % 16 == 0)
			text[i] = (char)(1 + (draw >> 8) % 255);
		else
			text[i] = alphabet[(draw >> 8) % letters];
	}
	text[len] = 0;
}

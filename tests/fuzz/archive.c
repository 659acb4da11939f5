/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../images/import/manifest.h"
#include "../../images/import/unpack.h"
#include "err.h"
#include "io.h"
#include "own.h"

/*
 * An image of unknown origin, unpacked without its jail: nothing may appear beside the root
 * that it is unpacked into.  tests/fuzz/run.sh has made all else read-only.
 */

static int outer = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	outer = open(getenv("FUZZ_SCRATCH"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return outer < 0 ? -1 : 0;
}

static int count(int dir, const char *name, void *arg, struct err *err)
{
	(void)dir, (void)name, (void)err;
	++*(int *)arg;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest manifest;
	struct err err;
	int names = 0;
	own_fd fd = memfd_create("archive", MFD_CLOEXEC);
	own_fd root = dir_make(outer, "root", 0755, &err);

	if (fd < 0 || root < 0 || write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		WRONG("cannot begin");
	if (archive_unpack(fd, root, NULL, &err) == 0 && system_check(root, &err) == 0)
		(void)manifest_read(root, &manifest, NULL, &err);
	if (dir_each(outer, count, &names, &err) < 0 || names != 1)
		WRONG("%d names beside the root", names);
	if (tree_remove(outer, "root", &err) < 0)
		WRONG("%s", err.msg);
	return 0;
}

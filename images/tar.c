/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tar.h"

#include <string.h>

#include "str.h"

enum {
	BLOCK = 512,
};

/* POSIX.1-1988, all fields text; numbers are octal. */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char target[100];
	char magic[8];
	char rest[247];
};

_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

static void header_put(FILE *out, char type, const char *path, mode_t mode, size_t size,
		       const char *target)
{
	struct header header = { .type = type };
	unsigned sum = 0;

	str_format(header.name, sizeof(header.name), "%s", path);
	str_format(header.target, sizeof(header.target), "%s", target);
	str_format(header.mode, sizeof(header.mode), "%07o", mode);
	str_format(header.uid, sizeof(header.uid), "%07o", 0);
	str_format(header.gid, sizeof(header.gid), "%07o", 0);
	str_format(header.size, sizeof(header.size), "%011zo", size);
	str_format(header.mtime, sizeof(header.mtime), "%011o", 0);
	memcpy(header.magic,
	       "ustar\0"
	       "00",
	       sizeof(header.magic));

	/* the sum is taken with its own field full of spaces */
	memset(header.checksum, ' ', sizeof(header.checksum));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += ((const unsigned char *)&header)[i];
	str_format(header.checksum, sizeof(header.checksum), "%06o", sum);
	fwrite(&header, sizeof(header), 1, out);
}

void tar_dir(FILE *out, const char *path, mode_t mode)
{
	header_put(out, '5', path, mode, 0, "");
}

void tar_file(FILE *out, const char *path, mode_t mode, const void *data, size_t len)
{
	static const char zeros[BLOCK];

	header_put(out, '0', path, mode, len, "");
	fwrite(data, 1, len, out);
	if (len % BLOCK)
		fwrite(zeros, 1, BLOCK - len % BLOCK, out);
}

void tar_symlink(FILE *out, const char *path, const char *target)
{
	header_put(out, '2', path, 0777, 0, target);
}

void tar_end(FILE *out)
{
	static const char zeros[2 * BLOCK];

	fwrite(zeros, 1, sizeof(zeros), out);
}

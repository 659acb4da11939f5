/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../probe.h"
#include "probe.h"

/* How much of the disk's end is really written; the rest is only taken. */
#define PAGE_BLOCK 4096

#define TAIL  (8ull << 20)
#define CHUNK (64ull << 20)

/* Take room up to @most bytes: unwritten blocks, which cost the node nothing. */
static uint64_t room_take(int fd, uint64_t most)
{
	uint64_t taken = 0;

	for (uint64_t chunk = CHUNK; chunk >= PROBE_STEP && taken + PROBE_STEP <= most;) {
		if (chunk > most - taken || fallocate(fd, 0, (off_t)taken, (off_t)chunk) < 0)
			chunk /= 2;
		else
			taken += chunk;
	}
	return taken;
}

/* Write behind that until no more goes, to the disk and not only into memory. */
static int tail_write(int fd, uint64_t *written, uint64_t most)
{
	static char block[PAGE_BLOCK];

	for (int synced = 0; *written < most;) {
		ssize_t len = pwrite(fd, block, sizeof(block), (off_t)*written);

		if (len > 0) {
			*written += (uint64_t)len;
			synced = 0;
			continue;
		}
		/* what is promised to data that is not on the disk yet may turn out to be more
		 * than it needs */
		if (synced || fsync(fd) < 0)
			return errno;
		synced = 1;
	}
	return 0;
}

int probe_fill(char *argv[])
{
	uint64_t most = number(argv[0]), written;
	struct statvfs fs;
	int code, fd = open("/fill", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return 1;
	uint64_t free = (uint64_t)fs.f_bavail * fs.f_frsize;

	say("total", (uint64_t)fs.f_blocks * fs.f_frsize);
	say("free", free);
	written = room_take(fd, free > TAIL ? free - TAIL : 0);
	code = tail_write(fd, &written, most);
	say("written", written);
	say("errno", (unsigned)code);
	close(fd);
	return unlink("/fill") < 0;
}

int probe_files(char *argv[])
{
	uint64_t most = number(argv[0]), made = 0;
	struct statvfs fs;
	char name[32];
	int code = 0;

	if (mkdir("/files", 0700) < 0 || chdir("/files") < 0 || statvfs(".", &fs) < 0)
		return 1;
	say("total", fs.f_files);
	say("free", fs.f_ffree);
	for (; made < most; made++) {
		snprintf(name, sizeof(name), "%llu", (unsigned long long)made);
		int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0) {
			code = errno;
			break;
		}
		close(fd);
	}
	say("made", made);
	say("errno", (unsigned)code);
	for (uint64_t i = 0; i < made; i++) {
		snprintf(name, sizeof(name), "%llu", (unsigned long long)i);
		(void)unlink(name);
	}
	return chdir("/") < 0 || rmdir("/files") < 0;
}

/* The file that is written and read, again and again. */
#define TRANSFER (1ull << 20)

static int file_make(void)
{
	static char block[PAGE_BLOCK];
	int fd = open("/transfer", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return -1;
	/* blocks that were never written are not read from the disk; through the cache, for a
	 * limit may be a slow one */
	int plain = stat.st_size ? -1 : open("/transfer", O_WRONLY | O_CLOEXEC);
	for (off_t at = 0; plain >= 0 && at < (off_t)TRANSFER; at += PAGE_BLOCK)
		(void)!pwrite(plain, block, sizeof(block), at);
	/* nothing of that may be on its way while it is measured */
	if (plain >= 0 && fsync(plain) == 0)
		close(plain);
	return fd;
}

static int transfer(char *argv[], int writes)
{
	uint64_t first, began, now, ms = number(argv[0]), size = number(argv[1]), bytes = 0;
	void *block = NULL;
	int code = 0, fd;

	if (!size || size > TRANSFER || posix_memalign(&block, PAGE_BLOCK, size) != 0)
		return 1;
	memset(block, 'x', size);
	fd = file_make();
	if (fd < 0) {
		say("errno", (unsigned)errno);
		return 0;
	}
	stay();
	first = began = now = now_ns();
	for (uint64_t at = 0; now - first < (ms + PROBE_PILED_MS) * 1000000u; at += size) {
		off_t where = (off_t)(at % TRANSFER);
		ssize_t len =
		    writes ? pwrite(fd, block, size, where) : pread(fd, block, size, where);

		if (len != (ssize_t)size) {
			code = len < 0 ? errno : ENODATA;
			break;
		}
		now = now_ns();
		bytes += size;
		if (now - first < PROBE_PILED_MS * 1000000u) {
			began = now;
			bytes = 0;
		}
	}
	say("bytes", bytes);
	say("usec", (now - began) / 1000);
	say("errno", (unsigned)code);
	close(fd);
	free(block);
	return 0;
}

int probe_write(char *argv[])
{
	return transfer(argv, 1);
}

int probe_read(char *argv[])
{
	return transfer(argv, 0);
}

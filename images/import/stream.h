/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "err.h"

struct archive;
struct progress;

/*
 * The archive without its compression (gzip, xz, zstd or none, one layer): the bytes of a tar
 * archive in blocks, held to limits that no honest image meets.
 */
struct stream {
	struct archive *packed;
	int fd;				 /* not owned */
	uint64_t in;			 /* bytes read of @fd */
	uint64_t out;			 /* bytes handed out */
	uint64_t written;		 /* position behind the last byte that is not zero */
	const struct progress *progress; /* told as @in grows, or NULL */
	struct err err;			 /* of the read that failed */
	char buf[65536];
};

int stream_open(struct stream *stream, int fd, const struct progress *progress,
		struct err *err);

/* The next block, valid until the next call; 0 at the end; -1 with stream->err. */
ssize_t stream_read(struct stream *stream, const void **block);

void stream_close(struct stream *stream);

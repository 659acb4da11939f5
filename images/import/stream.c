/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream.h"

#include <archive.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "images.h"

#define EXPANDED_MAX (64ULL << 30)
#define RATIO_MAX    200
#define RATIO_FROM   (16ULL << 20)
#define FILTERS_MAX  2

static la_ssize_t packed_read(struct archive *archive, void *arg, const void **block)
{
	struct stream *stream = arg;
	ssize_t got;

	do {
		got = read(stream->fd, stream->buf, sizeof(stream->buf));
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		archive_set_error(archive, errno, "%s", strerror(errno));
		return -1;
	}
	stream->in += (uint64_t)got;
	if (stream->progress)
		stream->progress->report("unpack", stream->in, 0, stream->progress->arg);
	*block = stream->buf;
	return got;
}

static int packed_fail(struct archive *packed, struct err *err)
{
	const char *why = archive_error_string(packed);

	return fail_as(err, ERR_BAD_IMAGE, "the archive is broken: %s",
		       why ? why : "it ends too early");
}

int stream_open(struct stream *stream, int fd, const struct progress *progress, struct err *err)
{
	struct archive_entry *entry;

	*stream =
	    (struct stream){ .fd = fd, .progress = progress, .packed = archive_read_new() };
	if (!stream->packed)
		return fail(err, ENOMEM, "cannot read the archive");

	archive_read_support_filter_gzip(stream->packed);
	archive_read_support_filter_xz(stream->packed);
	archive_read_support_filter_zstd(stream->packed);
	archive_read_support_format_raw(stream->packed);
	if (archive_read_open(stream->packed, stream, NULL, packed_read, NULL) != ARCHIVE_OK)
		return packed_fail(stream->packed, err);
	/* the last one counted is the format's own, which does nothing */
	if (archive_filter_count(stream->packed) > FILTERS_MAX)
		return fail_as(err, ERR_BAD_IMAGE, "the archive is compressed more than once");
	if (archive_read_next_header(stream->packed, &entry) != ARCHIVE_OK)
		return packed_fail(stream->packed, err);
	return 0;
}

static int limits_check(struct stream *stream)
{
	if (stream->out > EXPANDED_MAX)
		return fail_as(&stream->err, ERR_BAD_IMAGE,
			       "the archive expands to more than 64 GiB");
	if (stream->out > RATIO_FROM && stream->out / RATIO_MAX > stream->in)
		return fail_as(&stream->err, ERR_BAD_IMAGE,
			       "the archive expands to more than 200 times its length");
	return 0;
}

ssize_t stream_read(struct stream *stream, const void **block)
{
	const char *data;
	la_int64_t at;
	size_t len;

	switch (archive_read_data_block(stream->packed, block, &len, &at)) {
	case ARCHIVE_EOF:
		return 0;
	case ARCHIVE_OK:
		break;
	default:
		return packed_fail(stream->packed, &stream->err);
	}

	data = *block;
	for (size_t i = len; i; i--) {
		if (data[i - 1]) {
			stream->written = stream->out + i;
			break;
		}
	}
	stream->out += len;
	return limits_check(stream) < 0 ? -1 : (ssize_t)len;
}

void stream_close(struct stream *stream)
{
	archive_read_free(stream->packed);
	stream->packed = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "libexec.h"
#include "message.h"
#include "own.h"
#include "program.h"
#include "store.h"
#include "str.h"

/* Its failure in our words: it may have been taken over by what it read. */
static int failed(const struct message *message, struct err *err)
{
	char raw[sizeof(message->err.msg)], shown[sizeof(err->msg)];
	int kind = message->err.kind;

	memcpy(raw, message->err.msg, sizeof(raw));
	raw[sizeof(raw) - 1] = 0;
	str_escape(raw, shown, sizeof(shown));
	if (kind != ERR_SYSTEM && kind != ERR_NO_SPACE && kind != ERR_NOT_SYSTEM)
		kind = ERR_BAD_IMAGE;
	return fail_as(err, (enum err_kind)kind, "%s", shown);
}

static int done(const struct message *message, struct image *image, struct err *err)
{
	char digest[sizeof(message->digest)];

	memcpy(digest, message->digest, sizeof(digest));
	digest[sizeof(digest) - 1] = 0;
	if (!digest_is_valid(digest))
		return fail_as(err, ERR_BAD_IMAGE, "the reader of archives makes no sense");
	memcpy(image->digest, digest, sizeof(digest));
	image->size = message->size;
	image->files = message->files;
	return 0;
}

static void report(const struct progress *progress, const char *what, uint64_t bytes,
		   uint64_t total)
{
	if (progress)
		progress->report(what, bytes, total, progress->arg);
}

static int listen(int channel, uint64_t size, const struct progress *progress,
		  struct image *image, struct err *err)
{
	struct message message;

	for (;;) {
		if (read_all(channel, &message, sizeof(message)) < 0)
			return fail_as(err, ERR_BAD_IMAGE,
				       "the reader of archives ended unexpectedly");
		switch (message.kind) {
		case MESSAGE_UNPACK:
			report(progress, "unpacking", message.done, size);
			break;
		case MESSAGE_DIGEST:
			report(progress, "checking", message.done, 0);
			break;
		case MESSAGE_DONE:
			return done(&message, image, err);
		default:
			return failed(&message, err);
		}
	}
}

/* Unpack @fd into "root" of the staging directory. */
static int unpack(const struct staging *staging, int fd, uint64_t size,
		  const struct progress *progress, struct image *image, struct err *err)
{
	char path[PATH_MAX];
	const char *const argv[] = { path, NULL };
	struct err how;
	int channel[2];

	if (libexec_path("nodectl-import", path, sizeof(path), err) < 0)
		return -1;
	if (pipe2(channel, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");

	own_fd in = channel[0];
	own_fd out = channel[1];
	const struct program program = {
		.argv = argv, .in = fd, .out = out, .err = -1, .dir = staging->dir
	};
	pid_t pid = program_start(&program, err);
	if (pid < 0)
		return -1;
	close(take_fd(&out));

	int result = listen(in, size, progress, image, err);
	close(take_fd(&in));
	if (program_wait(pid, "nodectl-import", &how) == 0 || result < 0)
		return result;
	*err = how;
	return -1;
}

int image_import(int store, const char *name, int fd, uint64_t size, const char *source,
		 const struct progress *progress, struct image *image, struct err *err)
{
	struct image new = { .size = 0 };
	struct staging staging;
	int result;

	if (!image_name_is_valid(name))
		return fail_as(err, ERR_VALUE, "'%s' is not a valid image name", name);
	str_format(new.name, sizeof(new.name), "%s", name);
	str_escape(source, new.source, sizeof(new.source));

	/* what a killed one left must not keep the space that this one needs */
	(void)image_sweep(store, false, NULL, NULL, err);

	result = staging_make(&staging, store, err);
	if (result == 0)
		result = unpack(&staging, fd, size, progress, &new, err);
	if (result == 0) {
		report(progress, "saving", 0, 0);
		result = staging_keep(&staging, &new, err);
	}
	staging_free(&staging);
	if (result == 0)
		*image = new;
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "str.h"
#include "stream.h"
#include "tree.h"
#include "xattr.h"

enum {
	ID_MAX = 65535,
	BLOCK = 512,
};

#define DATA_MAX (64LL << 30)

struct unpack {
	struct archive *tar;
	struct stream *stream;
	struct tree tree;
	int64_t data; /* bytes of all files, holes counted */
};

static la_ssize_t tar_read(struct archive *archive, void *arg, const void **block)
{
	struct stream *stream = arg;
	ssize_t len = stream_read(stream, block);

	if (len < 0)
		archive_set_error(archive, EIO, "%s", stream->err.msg);
	return len;
}

static int tar_fail(struct unpack *unpack, struct err *err)
{
	const char *why = archive_error_string(unpack->tar);
	char shown[256];

	if (unpack->stream->err.kind) {
		*err = unpack->stream->err;
		return -1;
	}
	str_escape(why ? why : "unknown", shown, sizeof(shown));
	return fail_as(err, ERR_BAD_IMAGE, "the archive is broken: %s", shown);
}

static int entry_read(struct archive_entry *from, struct entry *entry, struct err *err)
{
	la_int64_t uid = archive_entry_uid(from), gid = archive_entry_gid(from);

	if (entry_path(archive_entry_pathname(from), entry->path, err) < 0)
		return -1;
	if (uid < 0 || uid > ID_MAX || gid < 0 || gid > ID_MAX)
		return entry_refuse(err, entry->path, "has an owner that is not in 0..65535");
	if (archive_entry_acl_types(from))
		return entry_refuse(err, entry->path, "has an access control list");
	entry->mode = archive_entry_perm(from) & 07777;
	entry->uid = (uid_t)uid;
	entry->gid = (gid_t)gid;
	entry->mtime.tv_sec = archive_entry_mtime(from);
	entry->mtime.tv_nsec = archive_entry_mtime_nsec(from);
	return 0;
}

static int xattrs_apply(int fd, const char *path, struct archive_entry *from, struct err *err)
{
	const char *name;
	const void *value;
	size_t size, total = 0;

	archive_entry_xattr_reset(from);
	while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
		total += size;
		if (total > 65536)
			return entry_refuse(err, path, "carries more than 64 KiB attributes");
		if (xattr_apply(fd, path, name, value, size, err) < 0)
			return -1;
	}
	return 0;
}

static int bytes_write(int fd, const char *path, const char *data, size_t len, off_t at,
		       struct err *err)
{
	while (len) {
		ssize_t put = pwrite(fd, data, len, at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail(err, errno, "cannot write '%s'", path);
		data += put;
		len -= (size_t)put;
		at += put;
	}
	return 0;
}

/* Holes stay holes; blocks may only go forward and never past the announced size. */
static int data_write(struct unpack *unpack, int fd, const struct entry *entry, int64_t size,
		      struct err *err)
{
	const void *block;
	la_int64_t at, end = 0;
	size_t len;
	int got;

	while ((got = archive_read_data_block(unpack->tar, &block, &len, &at)) == ARCHIVE_OK) {
		if (at < end || at > size || (int64_t)len > size - at)
			return entry_refuse(err, entry->path, "has data outside its size");
		if (tree_room(&unpack->tree, len, err) < 0 ||
		    bytes_write(fd, entry->path, block, len, at, err) < 0)
			return -1;
		end = at + (la_int64_t)len;
	}
	if (got != ARCHIVE_EOF)
		return tar_fail(unpack, err);
	if (ftruncate(fd, size) < 0)
		return fail(err, errno, "cannot write '%s'", entry->path);
	return 0;
}

static int file_unpack(struct unpack *unpack, struct archive_entry *from,
		       const struct entry *entry, struct err *err)
{
	int64_t size = archive_entry_size(from);

	if (size < 0 || size > DATA_MAX - unpack->data)
		return entry_refuse(err, entry->path, "makes the image larger than 64 GiB");
	unpack->data += size;

	own_fd fd = tree_add_file(&unpack->tree, entry, err);
	if (fd < 0 || data_write(unpack, fd, entry, size, err) < 0 ||
	    entry_own(fd, entry, err) < 0 || xattrs_apply(fd, entry->path, from, err) < 0)
		return -1;
	return entry_date(fd, entry, err);
}

static int dir_unpack(struct unpack *unpack, struct archive_entry *from,
		      const struct entry *entry, struct err *err)
{
	own_fd fd = tree_add_dir(&unpack->tree, entry, err);

	if (fd < 0 || entry_own(fd, entry, err) < 0)
		return -1;
	return xattrs_apply(fd, entry->path, from, err);
}

static int hardlink_unpack(struct unpack *unpack, const char *to, const struct entry *entry,
			   struct err *err)
{
	char target[ENTRY_PATH_MAX];

	if (entry_path(to, target, err) < 0)
		return fail_in(err, "link '%.64s'", entry->path);
	return tree_add_hardlink(&unpack->tree, entry, target, err);
}

static int entry_unpack(struct unpack *unpack, struct archive_entry *from, struct err *err)
{
	struct entry entry;
	const char *hardlink = archive_entry_hardlink(from);
	mode_t type = archive_entry_filetype(from);

	if (entry_read(from, &entry, err) < 0)
		return -1;
	if (!*entry.path && (hardlink || type != AE_IFDIR))
		return fail_as(err, ERR_BAD_IMAGE, "the root is not a directory");
	if (hardlink)
		return hardlink_unpack(unpack, hardlink, &entry, err);
	if (type != AE_IFREG && type != AE_IFDIR && archive_entry_xattr_count(from))
		return entry_refuse(err, entry.path, "carries attributes but is no file");

	switch (type) {
	case AE_IFREG:
		return file_unpack(unpack, from, &entry, err);
	case AE_IFDIR:
		return dir_unpack(unpack, from, &entry, err);
	case AE_IFLNK:
		return tree_add_symlink(&unpack->tree, &entry, archive_entry_symlink(from),
					err);
	case AE_IFIFO:
		return tree_add_fifo(&unpack->tree, &entry, err);
	case AE_IFCHR:
	case AE_IFBLK:
		return entry_refuse(err, entry.path, "is a device node");
	default:
		return entry_refuse(err, entry.path, "is of an unknown type");
	}
}

/*
 * A tar archive ends with two blocks of zeros, which libarchive does not insist on; without
 * them a plain archive cut between two entries would pass.  What follows may only be padding.
 */
static int end_check(struct unpack *unpack, int64_t end, struct err *err)
{
	int64_t marker = archive_filter_bytes(unpack->tar, 0);
	const void *block;
	ssize_t len;

	if (marker < end + BLOCK)
		return fail_as(err, ERR_BAD_IMAGE, "the archive is broken: it is cut off");
	while ((len = stream_read(unpack->stream, &block)) > 0)
		;
	if (len < 0)
		return tar_fail(unpack, err);
	if (unpack->stream->written > (uint64_t)marker)
		return fail_as(err, ERR_BAD_IMAGE, "the archive has data after its end");
	return 0;
}

/*
 * A warning is a header that libarchive had to guess at, which is refused.  The exception is a
 * name beyond ASCII in a pax header: this process stays in the C locale, where libarchive
 * cannot convert such a name and hands out its bytes as they are.  That is what we want; in a
 * UTF-8 locale it would rewrite names to another normal form.
 */
static bool header_is_sound(struct archive *tar, int got)
{
	const char *why = archive_error_string(tar);

	return got == ARCHIVE_OK ||
	       (got == ARCHIVE_WARN && why && strstr(why, "can't be converted"));
}

static int entries_unpack(struct unpack *unpack, struct err *err)
{
	struct archive_entry *from;
	int64_t end = 0;
	int got;

	for (;;) {
		got = archive_read_next_header(unpack->tar, &from);
		if (got == ARCHIVE_EOF)
			break;
		if (!header_is_sound(unpack->tar, got))
			return tar_fail(unpack, err);
		if (tree_count(&unpack->tree, err) < 0)
			return -1;
		if (entry_unpack(unpack, from, err) < 0)
			return -1;
		if (archive_read_data_skip(unpack->tar) != ARCHIVE_OK)
			return tar_fail(unpack, err);
		end = archive_filter_bytes(unpack->tar, 0);
	}
	if (end_check(unpack, end, err) < 0)
		return -1;
	return tree_finish(&unpack->tree, err);
}

static int tar_unpack(struct unpack *unpack, struct err *err)
{
	int result;

	unpack->tar = archive_read_new();
	if (!unpack->tar)
		return fail(err, ENOMEM, "cannot read the archive");

	archive_read_support_format_tar(unpack->tar);
	if (archive_read_open(unpack->tar, unpack->stream, NULL, tar_read, NULL) != ARCHIVE_OK)
		result = tar_fail(unpack, err);
	else
		result = entries_unpack(unpack, err);
	archive_read_free(unpack->tar);
	return result;
}

int archive_unpack(int fd, int root, const struct progress *progress, struct err *err)
{
	struct stream *stream = xmalloc(sizeof(*stream));
	struct unpack unpack = { .stream = stream, .tree = { .root = root } };
	int result = stream_open(stream, fd, progress, err);

	if (result == 0)
		result = tar_unpack(&unpack, err);
	tree_free(&unpack.tree);
	stream_close(stream);
	free(stream);
	return result;
}

static int init_check(int root, struct err *err)
{
	/* links in an image are meant for its own root: /sbin/init -> /lib/systemd/systemd */
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	struct stat stat;
	own_fd fd = (int)syscall(SYS_openat2, root, "sbin/init", &how, sizeof(how));

	if (fd < 0 || fstat(fd, &stat) < 0)
		return fail_as(err, ERR_NOT_SYSTEM, "the image has no /sbin/init");
	if (!S_ISREG(stat.st_mode) || !(stat.st_mode & 0111))
		return fail_as(err, ERR_NOT_SYSTEM, "the image's /sbin/init is no program");
	return 0;
}

int system_check(int root, struct err *err)
{
	static const char *const mountpoints[] = { "dev", "proc", "run", "sys" };
	struct stat stat;

	for (size_t i = 0; i < ARRAY_SIZE(mountpoints); i++) {
		const char *name = mountpoints[i];

		if (mkdirat(root, name, 0755) < 0 && errno != EEXIST)
			return fail(err, errno, "cannot create '%s'", name);
		if (fstatat(root, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(stat.st_mode))
			return fail_as(err, ERR_NOT_SYSTEM, "the image's /%s is no directory",
				       name);
	}
	return init_check(root, err);
}

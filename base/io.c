/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "err.h"
#include "own.h"
#include "str.h"

int read_all(int fd, void *buf, size_t len)
{
	char *at = buf;

	while (len) {
		ssize_t got = read(fd, at, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

int write_all(int fd, const void *buf, size_t len)
{
	const char *at = buf;

	while (len) {
		ssize_t put = write(fd, at, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		len -= (size_t)put;
	}
	return 0;
}

/* As much as fits; a count of @size means that the file is longer. */
static ssize_t read_up_to(int fd, char *buf, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, buf + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

ssize_t file_read(int dir, const char *path, char *buf, size_t size, struct err *err)
{
	own_fd fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", path);

	ssize_t len = read_up_to(fd, buf, size);
	if (len < 0)
		return fail(err, errno, "cannot read '%s'", path);
	if ((size_t)len == size)
		return fail(err, EFBIG, "cannot read '%s'", path);
	buf[len] = 0;
	return len;
}

char *file_slurp(int dir, const char *path, size_t max, struct err *err)
{
	own_fd fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fail(err, errno, "cannot open '%s'", path);
		return NULL;
	}

	size_t size = 4096;
	own_str text = xmalloc(size);
	size_t used = 0;

	for (;;) {
		ssize_t got = read_up_to(fd, text + used, size - used);

		if (got < 0) {
			fail(err, errno, "cannot read '%s'", path);
			return NULL;
		}
		used += (size_t)got;
		if (used > max) {
			fail(err, EFBIG, "cannot read '%s'", path);
			return NULL;
		}
		if (used < size)
			break;
		size *= 2;
		text = xrealloc(text, size);
	}
	text[used] = 0;

	char *taken = text;
	text = NULL;
	return taken;
}

int file_write(int dir, const char *path, const char *text, struct err *err)
{
	own_fd fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", path);

	ssize_t len = (ssize_t)strlen(text);
	if (write(fd, text, (size_t)len) != len)
		return fail(err, errno, "cannot set '%s' to '%s'", path, text);
	return 0;
}

static int file_make(int dir, const char *name, mode_t mode)
{
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

static int stage(int dir, const char *name, const void *data, size_t len, mode_t mode,
		 bool durable)
{
	own_fd fd = file_make(dir, name, mode);

	/* left by somebody who was killed */
	if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) == 0)
		fd = file_make(dir, name, mode);
	if (fd < 0)
		return -1;
	if (fchmod(fd, mode) == 0 && write_all(fd, data, len) == 0 &&
	    (!durable || fdatasync(fd) == 0))
		return 0;

	int code = errno;
	(void)unlinkat(dir, name, 0);
	errno = code;
	return -1;
}

int file_stage(int dir, const char *name, const void *data, size_t len, mode_t mode,
	       struct err *err)
{
	return stage(dir, name, data, len, mode, true) < 0
		   ? fail(err, errno, "cannot write '%s'", name)
		   : 0;
}

int dir_sync(int dir, const char *name, struct err *err)
{
	/* @dir may be O_PATH or AT_FDCWD, which fsync refuses. */
	own_fd open = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (open < 0 || fsync(open) < 0)
		return fail(err, errno, "cannot sync directory '%s'", name);
	return 0;
}

static int replace(int dir, const char *name, const void *data, size_t len, mode_t mode,
		   bool durable, struct err *err)
{
	char temporary[300];

	/* A leading dot keeps a half-written record out of every listing. */
	str_format(temporary, sizeof(temporary), ".%s.%d", name, getpid());
	if (stage(dir, temporary, data, len, mode, durable) < 0)
		return fail(err, errno, "cannot write '%s'", name);
	if (renameat(dir, temporary, dir, name) < 0) {
		fail(err, errno, "cannot write '%s'", name);
		(void)unlinkat(dir, temporary, 0);
		return -1;
	}
	if (!durable)
		return 0;
	return dir_sync(dir, ".", err) < 0 ? fail_in(err, "%s", name) : 0;
}

int file_replace(int dir, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *err)
{
	return replace(dir, name, data, len, mode, true, err);
}

int file_replace_volatile(int dir, const char *name, const void *data, size_t len, mode_t mode,
			  struct err *err)
{
	return replace(dir, name, data, len, mode, false, err);
}

int name_look(int dir, const char *name, struct err *err)
{
	if (faccessat(dir, name, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : fail(err, errno, "cannot look at '%s'", name);
}

int dir_open(int dir, const char *path, struct err *err)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", path);
	return fd;
}

int dir_make(int dir, const char *name, mode_t mode, struct err *err)
{
	struct stat stat;

	if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot create directory '%s'", name);

	own_fd fd = dir_open(dir, name, err);
	if (fd < 0)
		return -1;
	if (fstat(fd, &stat) < 0)
		return fail(err, errno, "cannot look at '%s'", name);
	if ((stat.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return fail(err, errno, "cannot set the mode of '%s'", name);
	return take_fd(&fd);
}

int dir_make_path(const char *path, mode_t mode, struct err *err)
{
	own_str copy = xstrdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return fail(err, errno, "cannot create directory '%s'", copy);
		*slash = '/';
	}

	own_fd fd = dir_make(AT_FDCWD, path, mode, err);
	return fd < 0 ? -1 : 0;
}

int dir_each(int dir, int (*each)(int dir, const char *name, void *arg, struct err *err),
	     void *arg, struct err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot list a directory");

	own_dir entries = fdopendir(fd);
	if (!entries) {
		close(fd);
		return fail(err, errno, "cannot list a directory");
	}

	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(entries);
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (each(dir, entry->d_name, arg, err) < 0)
			return -1;
	}
	if (errno)
		return fail(err, errno, "cannot list a directory");
	return 0;
}

/* What could not be removed does not keep the rest; the first failure is told. */
static int remove_below(int dir, const char *name, void *arg, struct err *err);

static int remove_dir(int dir, const char *name, struct failures *failures, struct err *err)
{
	unsigned before = failures->count;
	struct statx found;

	own_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot remove '%s'", name);
	/* a bind mount has the device of what it is made from, so that does not tell */
	if (statx(fd, "", AT_EMPTY_PATH, 0, &found) < 0)
		return fail(err, errno, "cannot remove '%s'", name);
	if (!(found.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) ||
	    found.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return fail(err, EBUSY, "cannot remove '%s'", name);
	if (dir_each(fd, remove_below, failures, err) < 0)
		return fail_in(err, "%s", name);
	if (failures->count > before) {
		if (!before)
			fail_in(&failures->first, "%s", name);
		return 0;
	}
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot remove '%s'", name);
	return 0;
}

static int remove_below(int dir, const char *name, void *arg, struct err *err)
{
	struct failures *failures = arg;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		fail(err, errno, "cannot remove '%s'", name);
	else if (remove_dir(dir, name, failures, err) == 0)
		return 0;
	failures_note(failures, -1, err);
	return 0;
}

int tree_remove(int dir, const char *name, struct err *err)
{
	struct failures failures = { 0 };

	(void)remove_below(dir, name, &failures, err);
	return failures_tell(&failures, err);
}

const char *boot_id(struct err *err)
{
	static char boot[40];

	if (!boot[0] &&
	    file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof(boot), err) < 0)
		return NULL;
	return boot;
}

unsigned long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long long)now.tv_sec * 1000 +
	       (unsigned long long)now.tv_nsec / 1000000;
}

/* Who holds it, from the text that the holder wrote; harmless when it is just changing. */
static void holder_read(int fd, char *text, size_t size)
{
	char raw[160];
	ssize_t len = pread(fd, raw, sizeof(raw) - 1, 0);

	raw[len > 0 ? len : 0] = 0;
	raw[strcspn(raw, "\n")] = 0;
	str_escape(raw[0] ? raw : "another command", text, size);
}

/* On a disk that takes no writes any more, what is there can be locked still: a VPS on it is to
 * be stopped. */
static int lock_open(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 || errno != EROFS)
		return fd;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		errno = EROFS;
	return fd;
}

int lock_take(int dir, const char *name, const char *holder, unsigned wait_ms, struct err *err)
{
	unsigned long long end = now_ms() + wait_ms;
	struct timespec pause = { .tv_nsec = 1000000 };
	char text[200];

	own_fd fd = lock_open(dir, name);
	if (fd < 0)
		return fail(err, errno, "cannot open lock '%s'", name);

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {

		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, errno, "cannot lock '%s'", name);
		if (now_ms() >= end) {
			holder_read(fd, text, sizeof(text));
			return fail_as(err, ERR_LOCKED, "locked by %s", text);
		}
		nanosleep(&pause, NULL);
		/* most are held for milliseconds, a few for seconds */
		if (pause.tv_nsec < 16000000)
			pause.tv_nsec *= 2;
	}

	/* Only the first line counts.  Emptying the file first would free its block, which a
	 * file system mounted with "discard" waits for: 1 to 2 ms in every command. */
	str_format(text, sizeof(text), "%.*s\n", (int)strcspn(holder, "\n"), holder);
	/* without room for the name it is a lock all the same */
	(void)!pwrite(fd, text, strlen(text), 0);
	return take_fd(&fd);
}

#define DIR_TAKE_MS 60000u

int dir_take(const char *path, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot make '%s'", path);
	own_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", path);
	unsigned long long end = now_ms() + DIR_TAKE_MS;
	bool ours;
	while (!(ours = flock(fd, LOCK_EX | LOCK_NB) == 0)) {
		if (errno == EWOULDBLOCK && now_ms() >= end)
			break;
		if (errno != EINTR && errno != EWOULDBLOCK)
			return fail(err, errno, "cannot lock '%s'", path);
		nanosleep(&pause, NULL);
	}
	if (!ours) {
		fail(err, EAGAIN, "somebody has had '%s' for a minute", path);
		err->kind = ERR_LOCKED;
		return -1;
	}
	return take_fd(&fd);
}

bool lock_is_held(int dir, const char *name)
{
	own_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	/* shared and at once let go: at worst a taker of the real lock looks again */
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int fd_send(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int fd_receive(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t got;
	int fd;

	do {
		got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		if (got == 0)
			errno = EPIPE;
		return -1;
	}
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(int))) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

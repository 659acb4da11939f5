/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/*
 * Files and directories.  @dir is a directory descriptor or AT_FDCWD; every
 * descriptor returned is O_CLOEXEC and the caller's to close.
 */

/* Read a whole small file into @buf and end it with NUL.  Returns its length; a file that
 * does not fit is EFBIG.  A missing file is ENOENT in err->code. */
ssize_t file_read(int dir, const char *path, char *buf, size_t size, struct err *err);

/* Read a whole file of at most @max bytes.  Returns a NUL-ended string to free, or NULL. */
char *file_slurp(int dir, const char *path, size_t max, struct err *err);

/* Write @text with one write(2) into a file that exists: knobs of cgroups, proc and sys. */
int file_write(int dir, const char *path, const char *text, struct err *err);

/*
 * Replace a record whole and durably: temporary file in the same directory,
 * fdatasync, rename, fsync of the directory.  After a power cut the old or the
 * new content is there, never a mixture.
 */
int file_replace(int dir, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *err);

/* As file_replace(), for /run: whole, but not forced to disk. */
int file_replace_volatile(int dir, const char *name, const void *data, size_t len, mode_t mode,
			  struct err *err);

/* The first half of file_replace(): @name, which becomes another by a rename, whole and on the
 * disk.  What is left there from before is replaced. */
int file_stage(int dir, const char *name, const void *data, size_t len, mode_t mode,
	       struct err *err);

/* What was renamed in directory @name (".": in @dir itself) outlasts a power cut. */
int dir_sync(int dir, const char *name, struct err *err);

/* Make one directory with exactly @mode and return it open; one that is there is fine. */
int dir_make(int dir, const char *name, mode_t mode, struct err *err);

/* As mkdir -p for an absolute @path; the last one gets exactly @mode, missing parents 0755. */
int dir_make_path(const char *path, mode_t mode, struct err *err);

/* Is @name there?  1, 0, or -1 when that cannot be told: what was not seen to be missing is not
 * to be taken for nobody's. */
int name_look(int dir, const char *name, struct err *err);

/* Open a directory, not through a symbolic link in the last component. */
int dir_open(int dir, const char *path, struct err *err);

/* Remove a name and everything below it, never through a symbolic link and never
 * into a mount.  One that is not there is fine; what cannot be removed keeps nothing else. */
int tree_remove(int dir, const char *name, struct err *err);

/* Call @each for every name but "." and ".."; stops at the first -1 and returns it. */
int dir_each(int dir, int (*each)(int dir, const char *name, void *arg, struct err *err),
	     void *arg, struct err *err);

/*
 * Take flock(2) on @name, creating it; the kernel releases it when the last
 * copy of the returned descriptor is closed.  @holder is written into the file
 * so that whoever is refused can name it, if there is room.  One that is there is also taken on
 * a file system that takes no writes.  After @wait_ms without success the
 * error is ERR_LOCKED, "locked by <holder>".
 */
int lock_take(int dir, const char *name, const char *holder, unsigned wait_ms, struct err *err);

/* Make the directory @path, for its owner alone, if it is not there, and wait until it is ours
 * alone (flock(2)); the descriptor is the lock.  After a minute it is ERR_LOCKED. */
int dir_take(const char *path, struct err *err);

/* Is somebody holding that lock?  Takes no lock that could be in another's way. */
bool lock_is_held(int dir, const char *name);

/* Read or write all of it, through EINTR and short counts; 0, or -1 with errno. */
int read_all(int fd, void *buf, size_t len);
int write_all(int fd, const void *buf, size_t len);

/* Pass an open descriptor over a unix socket; fd_receive returns it or -1 with errno. */
int fd_send(int socket, int fd);
int fd_receive(int socket);

/* What random(4) calls this boot of the node, with its line end; NULL with an error.  Read once
 * in a process. */
const char *boot_id(struct err *err);

/* Milliseconds of CLOCK_MONOTONIC, for deadlines. */
unsigned long long now_ms(void);

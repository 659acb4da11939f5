/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;
struct progress;

/*
 * Unpack the tar archive on @fd into the empty directory @root.  Its entries are believed
 * nothing: whatever an image has no business with is ERR_BAD_IMAGE naming the entry.  After a
 * failure @root is half full and to be thrown away.  @progress is told how much is read; it may
 * be NULL.
 */
int archive_unpack(int fd, int root, const struct progress *progress, struct err *err);

/*
 * Is this a system: with a program /sbin/init, and real directories to mount /dev, /proc, /sys
 * and /run on?  Those are made when the archive left them out.  ERR_NOT_SYSTEM.
 */
int system_check(int root, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

/*
 * What every process gets that becomes part of a VPS, guest init and exec
 * alike.  The order is the caller's: limits before the user namespace is made,
 * the filter as the last act before exec.
 */

/* Resource limits (getrlimit(2)); a hard limit that the host does not allow becomes the host's
 * own. */
int rlimits_apply(struct err *err);

/* uid and gid 0 of the user namespace we are in, no groups, and the capabilities of
 * dropped[] gone from all sets; nothing inheritable, nothing ambient. */
int credentials_drop(struct err *err);

/*
 * Close every descriptor from 3 on but those of @keep.  As long as one of the node's
 * directories is open, a tenant's symbolic link to /proc/self/fd/N leads to it and by ".." to
 * the whole of the node (CVE-2024-21626): so before the first path of the tenant's, and not by
 * exec.
 */
int descriptors_close(const int *keep, size_t count, struct err *err);

/* Standard input, output and error become /dev/null: whoever gave them waits for us no longer.
 */
int stdio_null(struct err *err);

/* Default signal dispositions and mask, a keyring of its own, umask 022, personality 0. */
int session_reset(struct err *err);

/*
 * What every process of a VPS begins with, where the node's own have 0: so much of all memory
 * is added to what it uses when the OOM killer compares.  Children inherit it, so that the one
 * process that shall go last cannot be lowered (what it then starts could not be killed
 * either), but the others are raised, and it is set to 0 again when they have been started.
 */
enum { OOM_SCORE_VPS = 500 };

/* The oom_score_adj (proc(5)) of @pid, 0 being our own; needs the node's proc.  Lowering it
 * needs CAP_SYS_RESOURCE, and without that it stays as it is. */
void oom_score_set(pid_t pid, int score);

/* Load the system call filter (runtime/filter). */
int filter_load(struct err *err);

/* The environment that a VPS's process starts with; @uuid as container_uuid. */
char **environment_make(const char *uuid, const char *term, const char *const *more);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/*
 * What kind of failure, as the exit status that nodectl(8) documents.  The
 * numbers are vzctl's where the meaning is equal, so that existing hosting
 * scripts and panels understand them.
 */
enum err_kind {
	ERR_SYSTEM = 3,
	ERR_KERNEL = 5,
	ERR_LOCKED = 9,
	ERR_NO_VPS = 14,
	ERR_USAGE = 20,
	ERR_VALUE = 21,
	ERR_NOT_RUNNING = 31,
	ERR_RUNNING = 32,
	ERR_NOT_STOPPED = 33,
	ERR_LEDGER = 36,
	ERR_EXISTS = 44,
	ERR_NO_SPACE = 46,
	ERR_NOT_SYSTEM = 47,
	ERR_ADDRESS = 78,
	ERR_HOOK = 79,
	ERR_NO_IMAGE = 91,
	ERR_BAD_IMAGE = 92,
	ERR_DISABLED = 105,
	ERR_CANNOT_RUN = 126,
	ERR_NOT_FOUND = 127,
	ERR_WAITED = 133,
};

/*
 * One failure, described where it happened.  Plain bytes, owned by whoever
 * asks for the work: no allocation, nothing to free, and a child may write()
 * it down a pipe for its parent to print.
 */
struct err {
	int code; /* errno value, or 0 when no system call is to blame */
	int kind; /* enum err_kind; 0 when nothing failed */
	char msg[504];
};

/*
 * Describe a failure and return -1.  A non-zero @code adds ": strerror(code)".
 * The kind is ERR_SYSTEM, or ERR_NO_SPACE for ENOSPC and EDQUOT.
 */
__attribute__((format(printf, 3, 4))) int fail(struct err *err, int code, const char *fmt, ...);

/* As fail(), for a failure that has an exit status of its own; no errno. */
__attribute__((format(printf, 3, 4))) int fail_as(struct err *err, enum err_kind kind,
						  const char *fmt, ...);

/* Put "<text>: " before the failure already in @err and return -1; its kind stays. */
__attribute__((format(printf, 2, 3))) int fail_in(struct err *err, const char *fmt, ...);

/* For work in which one failure must not keep the rest from being done: the first is told in
 * the end.  Begins as { 0 }. */
struct failures {
	unsigned count;
	struct err first;
};

/* Count it when @result is negative; its reason is in @err. */
void failures_note(struct failures *failures, int result, const struct err *err);

/* 0 when there were none; else -1, and the first of them in @err. */
int failures_tell(const struct failures *failures, struct err *err);

/* May what failed with this errno value work another time?  All else is what the kernel is, and
 * what was asked of it. */
bool is_passing(int code);

/* The stable name of a kind for scripts, "no-vps" for ERR_NO_VPS; "error" for an unknown one.
 */
const char *err_name(int kind);

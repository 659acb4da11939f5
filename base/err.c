/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "own.h"

static const struct {
	int kind;
	const char *name;
} names[] = {
	{ ERR_SYSTEM, "system" },
	{ ERR_KERNEL, "kernel-lacks" },
	{ ERR_LOCKED, "locked" },
	{ ERR_NO_VPS, "no-vps" },
	{ ERR_USAGE, "usage" },
	{ ERR_VALUE, "bad-value" },
	{ ERR_NOT_RUNNING, "not-running" },
	{ ERR_RUNNING, "already-running" },
	{ ERR_NOT_STOPPED, "not-stopped" },
	{ ERR_LEDGER, "does-not-fit" },
	{ ERR_EXISTS, "exists" },
	{ ERR_NO_SPACE, "no-space" },
	{ ERR_NOT_SYSTEM, "not-a-system-image" },
	{ ERR_ADDRESS, "address-in-use" },
	{ ERR_HOOK, "hook-failed" },
	{ ERR_NO_IMAGE, "no-image" },
	{ ERR_BAD_IMAGE, "bad-image" },
	{ ERR_DISABLED, "start-disabled" },
	{ ERR_CANNOT_RUN, "cannot-run" },
	{ ERR_NOT_FOUND, "command-not-found" },
	{ ERR_WAITED, "waited-in-vain" },
};

const char *err_name(int kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].kind == kind)
			return names[i].name;
	}
	return "error";
}

int fail(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);

	err->code = code;
	err->kind = code == ENOSPC || code == EDQUOT ? ERR_NO_SPACE : ERR_SYSTEM;
	if (code) {
		size_t used = strlen(err->msg);

		snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", strerror(code));
	}
	return -1;
}

int fail_as(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);

	err->code = 0;
	err->kind = kind;
	return -1;
}

int fail_in(struct err *err, const char *fmt, ...)
{
	char cause[sizeof(err->msg)];
	size_t used;
	va_list ap;

	memcpy(cause, err->msg, sizeof(cause));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);

	used = strlen(err->msg);
	snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", cause);
	return -1;
}

void failures_note(struct failures *failures, int result, const struct err *err)
{
	if (result < 0 && !failures->count++)
		failures->first = *err;
}

int failures_tell(const struct failures *failures, struct err *err)
{
	if (!failures->count)
		return 0;
	*err = failures->first;
	return -1;
}

bool is_passing(int code)
{
	static const int passing[] = { ENOMEM, EMFILE, ENFILE, EAGAIN, EINTR, ENOSPC, EIO };

	for (unsigned i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (passing[i] == code)
			return true;
	}
	return false;
}

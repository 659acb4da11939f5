/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A condition on one argument.  Never more than the low 32 bits: all of these are int to
 * the kernel, which ignores what a caller left above them, and so a filter that
 * looked at 64 bits could be passed by setting one up there.
 */
struct match {
	unsigned arg;
	uint32_t mask; /* the bits compared; 0: no condition */
	bool inside;   /* true: one of the values; false: none of them */
	const uint32_t *values;
	unsigned count;
};

/*
 * What becomes of one system call.  Several rules may name the same one: the first whose
 * conditions all hold decides, and where none does the call is allowed.
 */
struct rule {
	const char *name;
	int error; /* errno that the caller gets; 0: allowed */
	int nr;	   /* of a call that libseccomp has no name for yet, else 0 */
	struct match when[2];
};

/* The last number that this project has an opinion on; whatever comes after it is ENOSYS. */
#define RULES_LAST_BY_NAME 450

extern const struct rule rules[];
extern const size_t rules_count;

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "knobs.h"

struct err;

/* A group that has knobs: one of the outer ones of a VPS, or their parent. */
struct knob_group {
	int dir;
	unsigned version;    /* of its hierarchy */
	const char *library; /* its name, if libcgroup is to write; else plain files are */
	const struct limits *limits; /* what is asked for, and accepted unenforced */
};

/* What @knob holds now, as knob_text() gives it.  A host without it: ENOENT in err->code. */
int knob_read(int dir, const struct knob *knob, char text[KNOB_TEXT], struct err *err);

/*
 * Set it and read it back; one that has its value already is left alone, and one that this host
 * does not have is an error only if somebody needs it.  Returns whether it was changed, and
 * what it held in @old: also when changing it failed.
 */
int knob_set(const struct knob_group *group, const struct knob *knob, char old[KNOB_TEXT],
	     struct err *err);

/* May @knob be missing: did nobody ask for what it carries, or accept the operator that? */
bool knob_is_needless(const struct knob *knob, const struct limits *limits);

/* 0, or -1 and the failure, if not. */
int knob_absent(const struct knob *knob, const struct limits *limits, struct err *err);

/* The number in a file of a group, "max" being UINT64_MAX; @otherwise when it cannot be read.
 */
uint64_t number_read(int dir, const char *name, uint64_t otherwise);

/* The same, where a number that is not known must not be taken for another. */
int number_get(int dir, const char *name, uint64_t *number, struct err *err);

/* Is any swap space in use by this host now? */
bool host_has_swap(void);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;
struct top;
struct top_column;

/* How `top` is looked at; keys change it. */
struct looking {
	unsigned delay; /* seconds between two looks */
	const struct top_column *sort;
	bool reverse;
};

/*
 * Show @top on our terminal until somebody quits or a signal ends us; the terminal is as it
 * was before, however that goes.
 */
int screen_run(struct top *top, struct looking *looking, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A figure over time, as SVG in a page of HTML. */
struct chart {
	const char *title;
	int64_t from, step; /* seconds; step 86400: by the day */
	size_t slots;
	struct {
		const char *name;
		const double *value; /* one a slot; NAN: not known */
	} series[2];
	unsigned series_count;
	double limit; /* a line; 0: none */
	bool bars;    /* sums, not states */
	bool binary;  /* bytes */
};

void chart_print(const struct chart *chart, FILE *out);

/* The round figure at the upper end of an axis. */
double chart_top(double largest, bool binary);

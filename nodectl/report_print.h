/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "report.h"
#include "view.h"

/* One thing that a report says of a VPS.  All formats come from this table. */
struct report_column {
	const char *header; /* in the table; NULL: not in it */
	const char *key;    /* in JSON, CSV and HTML */
	const char *label;
	enum {
		REPORT_TEXT,
		REPORT_FIGURE, /* a number, in base units outside of tables */
		REPORT_TIME,
	} kind;
	enum unit unit;							     /* of a figure */
	void (*text)(const struct report_vps *vps, char *text, size_t size); /* of a text */
	uint64_t (*figure)(const struct report_vps *vps); /* of the others; time 0 is none */
	/* for people, where the figure alone would not do; or NULL */
	void (*shown)(const struct report_vps *vps, char *text, size_t size);
};

extern const struct report_column report_columns[];
extern const size_t report_columns_count;

/* For people. */
void report_cell(const struct report_column *column, const struct report_vps *vps, char *text,
		 size_t size);

/* One thing to say of a VPS that needs somebody: "its disk is full in 6d (likely)"; or "". */
void report_notice(const struct report_vps *vps, int64_t now, char *text, size_t size);

/* How a report is printed; a format each. */
int report_table(const struct report *report, bool header, struct err *err);
int report_json(const struct report *report, struct err *err);
void report_csv(const struct report *report, FILE *out);
void report_html(const struct report *report, FILE *out);
void report_mail(const struct report *report, FILE *out);

/* All of it as one object. */
json_t *report_object(const struct report *report);

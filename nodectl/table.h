/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "view.h"

struct cli;
struct err;
struct libscols_line;
struct libscols_table;

/* A table as its options have it: -o, -s, -H. */
struct table {
	struct columns all;
	const struct column *column[64]; /* those that are shown, and what it is sorted by */
	size_t count;
	size_t hidden;	/* the one that is there for sorting alone, or count */
	unsigned needs; /* NEED_... of all these */
	const struct column *sort;
	json_t *values; /* what the lines are sorted by */
	struct libscols_table *scols;
};
#define own_table __attribute__((cleanup(table_close))) struct table

/* -L */
void columns_print(struct columns all);

/* An empty table; @table needs table_close() whatever comes of it. */
int table_open(struct table *table, const struct cli *cli, struct columns all, struct err *err);
void table_close(struct table *table);

/* A cell of any table of libsmartcols; out of memory ends the process. */
void cell_put(struct libscols_line *line, size_t column, const char *text);

int table_add(struct table *table, const struct view *view, struct err *err);
int table_print(struct table *table, struct err *err);

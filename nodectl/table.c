/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"

static const struct column *column_find(struct columns all, const char *name, size_t len)
{
	for (size_t i = 0; i < all.count; i++) {
		if (column_is_shown(&all.row[i]) && strlen(all.row[i].name) == len &&
		    strncasecmp(all.row[i].name, name, len) == 0)
			return &all.row[i];
	}
	return NULL;
}

static void column_drop(struct table *table, const struct column *column)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->column[i] != column)
			continue;
		memmove(&table->column[i], &table->column[i + 1],
			(table->count - i - 1) * sizeof(table->column[0]));
		table->count--;
		return;
	}
}

/* "NAME,STATE" are just these; "+PID,-PLAN" changes the usual ones. */
static int columns_choose(struct table *table, const char *text, struct err *err)
{
	for (size_t i = 0; i < table->all.count; i++) {
		if (table->all.row[i].flags & IN_LIST)
			table->column[table->count++] = &table->all.row[i];
	}
	if (text && *text != '+' && *text != '-')
		table->count = 0;
	while (text && *text) {
		char sign = *text == '+' || *text == '-' ? *text++ : '+';
		size_t len = strcspn(text, ",");
		const struct column *column = column_find(table->all, text, len);

		if (!column)
			return fail_as(err, ERR_VALUE,
				       "there is no column '%.*s'; -L lists them", (int)len,
				       text);
		column_drop(table, column);
		/* one is left for what it is sorted by */
		if (sign == '+' && table->count < ARRAY_SIZE(table->column) - 1)
			table->column[table->count++] = column;
		text += len + (text[len] == ',');
	}
	return 0;
}

/* What it is sorted by is a column too: the last one and hidden, when it is not shown. */
static int sort_choose(struct table *table, const char *text, struct err *err)
{
	size_t i = 0;

	table->sort = &table->all.row[0];
	if (text)
		table->sort = column_find(table->all, text, strlen(text));
	if (!table->sort)
		return fail_as(err, ERR_VALUE, "there is no column '%s'; -L lists them", text);
	while (i < table->count && table->column[i] != table->sort)
		i++;
	table->hidden = i < table->count ? table->count + 1 : table->count;
	if (i == table->count)
		table->column[table->count++] = table->sort;
	return 0;
}

/* What a column is sorted by: its JSON number, or the sum of an object's ("in" and "out"). */
static bool number_of(const json_t *value, double *number)
{
	const json_t *member;
	const char *key;

	*number = json_number_value(value);
	json_object_foreach((json_t *)value, key, member) *number += json_number_value(member);
	return json_is_number(value) || json_is_object(value);
}

/* Numbers by value, whatever unit they are printed in; the rest as text, "web9" before "web10".
 */
static int cell_compare(struct libscols_cell *a, struct libscols_cell *b, void *descending)
{
	const char *left = scols_cell_get_data(a), *right = scols_cell_get_data(b);
	double x, y;
	int order;

	if (number_of(scols_cell_get_userdata(a), &x) &&
	    number_of(scols_cell_get_userdata(b), &y))
		order = x < y ? -1 : x > y;
	else
		order = strverscmp(left ? left : "", right ? right : "");
	return descending ? -order : order;
}

void columns_print(struct columns all)
{
	for (size_t i = 0; i < all.count; i++) {
		if (column_is_shown(&all.row[i]))
			printf("%-12s %s\n", all.row[i].name, all.row[i].label);
	}
}

int table_open(struct table *table, const struct cli *cli, struct columns all, struct err *err)
{
	const char *sort = cli_option(cli, "sort");
	bool descending = sort && *sort == '-';

	*table = (struct table){ .all = all, .values = json_array() };
	if (columns_choose(table, cli_option(cli, "columns"), err) < 0 ||
	    sort_choose(table, sort ? sort + descending : NULL, err) < 0)
		return -1;

	table->scols = or_exit(scols_new_table());
	scols_table_enable_noheadings(table->scols, cli_option(cli, "no-header") != NULL);
	for (size_t i = 0; i < table->count; i++) {
		const struct column *column = table->column[i];
		struct libscols_column *made =
		    scols_table_new_column(table->scols, column->name, 0,
					   (column->flags & RIGHT ? SCOLS_FL_RIGHT : 0) |
					       (i == table->hidden ? SCOLS_FL_HIDDEN : 0));

		if (!made)
			return fail(err, ENOMEM, "cannot make the table");
		scols_column_set_cmpfunc(made, cell_compare, descending ? table : NULL);
		table->needs |= column->flags;
	}
	return 0;
}

void table_close(struct table *table)
{
	json_decref(table->values);
	scols_unref_table(table->scols);
	*table = (struct table){ 0 };
}

void cell_put(struct libscols_line *line, size_t column, const char *text)
{
	(void)or_exit(scols_line_set_data(line, column, text) == 0 ? line : NULL);
}

int table_add(struct table *table, const struct view *view, struct err *err)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	for (size_t i = 0; i < table->count; i++) {
		char text[512] = "";

		column_text(table->column[i], view, text, sizeof(text));
		if (!line || scols_line_set_data(line, i, text) < 0)
			return fail(err, ENOMEM, "cannot make the table");
		if (table->column[i] != table->sort)
			continue;
		/* kept by the table, for the cell only borrows it */
		json_array_append_new(table->values, column_json(table->sort, view));
		scols_cell_set_userdata(
		    scols_line_get_cell(line, i),
		    json_array_get(table->values, json_array_size(table->values) - 1));
	}
	return 0;
}

int table_print(struct table *table, struct err *err)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->column[i] == table->sort)
			scols_sort_table(table->scols, scols_table_get_column(table->scols, i));
	}
	/* libsmartcols prints nothing at all for no lines; a person should see that it worked
	 */
	if (scols_table_is_empty(table->scols) && !scols_table_is_noheadings(table->scols)) {
		for (size_t i = 0; i < table->count; i++) {
			if (i != table->hidden)
				printf("%s%s", i ? " " : "", table->column[i]->name);
		}
		putchar('\n');
		return 0;
	}
	if (scols_print_table(table->scols) < 0)
		return fail(err, errno, "cannot print");
	return 0;
}

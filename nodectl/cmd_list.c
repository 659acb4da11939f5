/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "view.h"

/* Which columns, in which order. */
struct choice {
	const struct column *column[64];
	size_t count;
	unsigned needs;
};

static const struct column *column_find(const char *name, size_t len)
{
	for (size_t i = 0; i < columns_count; i++) {
		if (columns[i].text && strlen(columns[i].name) == len &&
		    strncasecmp(columns[i].name, name, len) == 0)
			return &columns[i];
	}
	return NULL;
}

static void choice_remove(struct choice *choice, const struct column *column)
{
	for (size_t i = 0; i < choice->count; i++) {
		if (choice->column[i] != column)
			continue;
		memmove(&choice->column[i], &choice->column[i + 1],
			(choice->count - i - 1) * sizeof(choice->column[0]));
		choice->count--;
		return;
	}
}

/* "NAME,STATE" are just these; "+PID,-PLAN" changes the usual ones. */
static int choice_parse(struct choice *choice, const char *text, struct err *err)
{
	for (size_t i = 0; i < columns_count; i++) {
		if (columns[i].flags & IN_LIST)
			choice->column[choice->count++] = &columns[i];
	}
	if (text && *text != '+' && *text != '-')
		choice->count = 0;
	while (text && *text) {
		char sign = *text == '+' || *text == '-' ? *text++ : '+';
		size_t len = strcspn(text, ",");
		const struct column *column = column_find(text, len);

		if (!column)
			return fail_as(err, ERR_VALUE,
				       "there is no column '%.*s'; -L lists them", (int)len,
				       text);
		choice_remove(choice, column);
		if (sign == '+' && choice->count < ARRAY_SIZE(choice->column))
			choice->column[choice->count++] = column;
		text += len + (text[len] == ',');
	}
	for (size_t i = 0; i < choice->count; i++)
		choice->needs |= choice->column[i]->flags;
	return 0;
}

struct listing {
	const struct cli *cli;
	const struct node *node;
	struct choice choice;
	struct libscols_table *table;
	const struct column *sort;
	json_t *json;
	unsigned lacks;
};

static int list_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct listing *list = arg;
	struct view view = {
		.node = list->node, .vps = vps, .broken = broken, .lacks = list->lacks
	};
	struct libscols_line *line;

	vps_status(list->node, vps, &view.status);
	if (broken) {
		view.status.state = STATE_ERROR;
		str_escape(broken->msg, view.status.error, sizeof(view.status.error));
	}
	adopt_quietly(list->node, vps->name, &view.status);
	if (list->cli->json) {
		view_fill(&view, NEED_USAGE | NEED_LINK | NEED_DISK);
		json_array_append_new(list->json, view_json(&view));
		return 0;
	}

	view_fill(&view, list->choice.needs);
	line = scols_table_new_line(list->table, NULL);
	for (size_t i = 0; i < list->choice.count; i++) {
		char text[512] = "";

		list->choice.column[i]->text(&view, text, sizeof(text));
		if (!line || scols_line_set_data(line, i, text) < 0)
			return fail(err, ENOMEM, "cannot make the table");
		if (list->choice.column[i] != list->sort)
			continue;
		/* kept by the listing, for the cell only borrows it */
		json_array_append_new(list->json, list->sort->json(&view));
		scols_cell_set_userdata(
		    scols_line_get_cell(line, i),
		    json_array_get(list->json, json_array_size(list->json) - 1));
	}
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

/* What is sorted by is a column too: the last one and hidden, when it is not shown. */
static size_t sort_column(struct choice *choice, const struct column *sort)
{
	size_t i = 0;

	while (i < choice->count && choice->column[i] != sort)
		i++;
	if (i < choice->count)
		return choice->count;
	choice->needs |= sort->flags;
	choice->column[choice->count++] = sort;
	return i;
}

static int table_make(struct listing *list, const char *sort, struct err *err)
{
	bool descending = sort && *sort == '-';
	size_t hidden;

	list->table = scols_new_table();
	scols_table_enable_noheadings(list->table, cli_option(list->cli, "no-header") != NULL);
	list->sort = &columns[0];
	if (sort)
		list->sort = column_find(sort + descending, strlen(sort + descending));
	if (sort && !list->sort)
		return fail_as(err, ERR_VALUE, "there is no column '%s'; -L lists them", sort);
	hidden = sort_column(&list->choice, list->sort);
	for (size_t i = 0; i < list->choice.count; i++) {
		const struct column *column = list->choice.column[i];
		struct libscols_column *made =
		    scols_table_new_column(list->table, column->name, 0,
					   (column->flags & RIGHT ? SCOLS_FL_RIGHT : 0) |
					       (i == hidden ? SCOLS_FL_HIDDEN : 0));

		if (!made)
			return fail(err, ENOMEM, "cannot make the table");
		scols_column_set_cmpfunc(made, cell_compare, descending ? list : NULL);
	}
	return 0;
}

static void columns_print(void)
{
	for (size_t i = 0; i < columns_count; i++) {
		if (columns[i].text)
			printf("%-12s %s\n", columns[i].name, columns[i].label);
	}
}

static int table_print(struct listing *list, struct err *err)
{
	for (size_t i = 0; i < list->choice.count; i++) {
		if (list->choice.column[i] == list->sort)
			scols_sort_table(list->table, scols_table_get_column(list->table, i));
	}
	/* libsmartcols prints nothing at all for no lines; a person should see that it worked
	 */
	if (scols_table_is_empty(list->table) && !cli_option(list->cli, "no-header")) {
		for (size_t i = 0; i < list->choice.count; i++) {
			if (!scols_column_is_hidden(scols_table_get_column(list->table, i)))
				printf("%s%s", i ? " " : "", list->choice.column[i]->name);
		}
		putchar('\n');
		return 0;
	}
	if (scols_print_table(list->table) < 0)
		return fail(err, errno, "cannot print");
	return 0;
}

static int list_named(struct listing *list, struct err *err)
{
	for (int i = 0; i < list->cli->args_count; i++) {
		own_vps vps = { 0 };

		if (vps_load(list->node, list->cli->args[i], &vps, err) < 0 ||
		    list_one(&vps, NULL, list, err) < 0)
			return -1;
	}
	return 0;
}

int cmd_list(struct cli *cli, struct err *err)
{
	own_node node;
	const char *sort = cli_option(cli, "sort");
	struct listing list = { .cli = cli, .node = &node };
	int result;

	if (cli_option(cli, "list-columns")) {
		columns_print();
		return 0;
	}
	if (node_open(&node, cli->config, err) < 0 ||
	    choice_parse(&list.choice, cli_option(cli, "columns"), err) < 0)
		return -1;
	list.json = json_array();
	if (!cli->json && table_make(&list, sort, err) < 0)
		return -1;

	if (cli->json || list.choice.needs & NEED_LACKS)
		list.lacks = cgroup_lacks();

	result =
	    cli->args_count ? list_named(&list, err) : vps_each(&node, list_one, &list, err);
	if (result == 0 && cli->json)
		result = json_print(json_pack("{s:O}", "vps", list.json), err);
	else if (result == 0)
		result = table_print(&list, err);
	json_decref(list.json);
	scols_unref_table(list.table);
	return result;
}

int cmd_show(struct cli *cli, struct err *err)
{
	own_node node;
	own_vps vps = { 0 };

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    vps_load(&node, cli->args[0], &vps, err) < 0)
		return -1;

	struct view view = { .node = &node, .vps = &vps, .lacks = cgroup_lacks() };
	vps_status(&node, &vps, &view.status);
	adopt_quietly(&node, vps.name, &view.status);
	view_fill(&view, NEED_USAGE | NEED_LINK | NEED_DISK);
	if (cli->json)
		return json_print(view_json(&view), err);

	for (size_t i = 0; i < columns_count; i++) {
		char text[1024] = "";

		if (!(columns[i].flags & IN_SHOW))
			continue;
		columns[i].text(&view, text, sizeof(text));
		if (*text)
			printf("%13s: %s\n", columns[i].label, text);
	}
	return 0;
}

static int status_one(struct cli *cli, const struct node *node, const char *name,
		      struct err *err)
{
	own_vps vps = { 0 };
	struct status status;

	if (vps_load(node, name, &vps, err) < 0)
		return -1;
	vps_status(node, &vps, &status);
	adopt_quietly(node, vps.name, &status);
	if (cli->json)
		return json_print(
		    json_pack("{s:s,s:s}", "name", vps.name, "state", state_name(status.state)),
		    err);
	if (status.state == STATE_ERROR)
		printf("%s error: %s\n", vps.name, status.error);
	else
		printf("%s %s\n", vps.name, state_name(status.state));
	return 0;
}

int cmd_status(struct cli *cli, struct err *err)
{
	return targets_each(cli, status_one, err);
}

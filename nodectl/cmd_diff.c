/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "diff.h"
#include "err.h"
#include "own.h"
#include "str.h"

/* One difference, kept until it is known whether it could be mended. */
struct row {
	char *vps, *what, *where, *wants, *has;
	enum remedy remedy;
	bool mended;
};

struct rows {
	struct row *row;
	size_t count;
};

static void rows_free(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->row[i].vps);
		free(rows->row[i].what);
		free(rows->row[i].where);
		free(rows->row[i].wants);
		free(rows->row[i].has);
	}
	free(rows->row);
	*rows = (struct rows){ 0 };
}

#define own_rows __attribute__((cleanup(rows_free))) struct rows

static void row_keep(const struct difference *difference, void *arg)
{
	struct rows *rows = arg;

	rows->row = xrealloc(rows->row, (rows->count + 1) * sizeof(*rows->row));
	rows->row[rows->count++] = (struct row){
		.vps = xstrdup(difference->vps),
		.what = xstrdup(difference->what),
		.where = xstrdup(difference->where),
		.wants = xstrdup(difference->wants),
		.has = difference->has ? xstrdup(difference->has) : NULL,
		.remedy = difference->remedy,
	};
}

static bool rows_have(const struct rows *rows, const struct row *wanted)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *row = &rows->row[i];

		if (strcmp(row->what, wanted->what) == 0 &&
		    strcmp(row->where, wanted->where) == 0)
			return true;
	}
	return false;
}

/* What is not there any more was mended. */
static void rows_compare(struct rows *before, const struct rows *after, size_t from)
{
	for (size_t i = from; i < before->count; i++)
		before->row[i].mended = !rows_have(after, &before->row[i]);
}

static bool can_mend(const struct rows *rows, size_t from)
{
	for (size_t i = from; i < rows->count; i++) {
		if (rows->row[i].remedy == REMEDY_MEND)
			return true;
	}
	return false;
}

/* @name is NULL for what belongs to the node itself. */
static int look(const struct node *node, const char *name, const struct network_seen *seen,
		struct rows *rows, struct err *err)
{
	return name ? diff_vps(node, name, seen, row_keep, rows, err)
		    : diff_node(node, row_keep, rows, err);
}

struct round {
	const struct node *node;
	bool fix;
	struct rows *rows;
	unsigned failed;	   /* could not be looked at, or mended */
	struct network_seen *seen; /* for all VPSs; or NULL */
};

static int one(const struct round *round, const char *name, struct err *err)
{
	const struct node *node = round->node;
	struct rows *rows = round->rows;
	own_rows after = { 0 };
	size_t from = rows->count;

	if (look(node, name, round->seen, rows, err) < 0)
		return -1;
	if (!round->fix || !can_mend(rows, from))
		return 0;
	if ((name ? diff_mend(node, name, err) : diff_mend_node(node, err)) < 0 ||
	    look(node, name, NULL, &after, err) < 0)
		return -1;
	rows_compare(rows, &after, from);
	return 0;
}

/* One that cannot be read does not keep the others from being looked at. */
static int each_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct round *round = arg;

	if (!broken && one(round, vps->name, err) == 0)
		return 0;
	/* destroyed while we looked */
	if (!broken && err->kind == ERR_NO_VPS)
		return 0;
	error_print(broken ? broken : err);
	round->failed++;
	return 0;
}

static int all(struct round *round, struct err *err)
{
	own_seen seen = NULL;
	struct err ignored;

	if (one(round, NULL, err) < 0)
		return -1;
	/* after the node's own was mended; where nothing can be seen, those that run tell why
	 */
	(void)network_see(&round->node->bridge, &seen, &ignored);
	round->seen = seen;
	if (vps_each(round->node, each_one, round, err) < 0)
		return -1;
	if (round->failed)
		return fail_as(err, ERR_SYSTEM, "%u VPSs could not be compared", round->failed);
	return 0;
}

static void row_print(const struct row *row)
{
	const char *remedy = row->mended ? "mended" : remedy_name(row->remedy);

	printf("%s: %s: wants %s, has %s%s%s%s\n", row->vps, row->what, row->wants,
	       row->has ? row->has : "none", *remedy ? " (" : "", remedy, *remedy ? ")" : "");
}

static int rows_json(const struct rows *rows, struct err *err)
{
	static const char *const remedies[] = {
		[REMEDY_MEND] = "fix", [REMEDY_START] = "start", [REMEDY_PLAN] = "plan"
	};
	json_t *list = json_array();

	for (size_t i = 0; i < rows->count; i++) {
		const struct row *row = &rows->row[i];

		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s,s:b}", "vps",
						      row->vps, "what", row->what, "where",
						      row->where, "wants", row->wants, "has",
						      row->has, "remedy", remedies[row->remedy],
						      "mended", row->mended));
	}
	return json_print(json_pack("{s:o}", "differences", list), err);
}

static int rows_print(const struct cli *cli, const struct rows *rows, struct err *err)
{
	if (cli->json)
		return rows_json(rows, err);
	for (size_t i = 0; i < rows->count && !cli->quiet; i++)
		row_print(&rows->row[i]);
	return 0;
}

int cmd_diff(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_rows rows = { 0 };
	struct round round = { &node, cli_option(cli, "fix") != NULL, &rows, 0, NULL };
	struct err again;
	int result = 0;

	if (cli_option(cli, "all") && cli_expect(cli, 0, 0, err) < 0)
		return -1;
	if (node_open(&node, cli->config, err) < 0)
		return -1;
	if (!cli->args_count)
		result = all(&round, err);
	for (int i = 0; i < cli->args_count && result == 0; i++)
		result = one(&round, cli->args[i], err);
	/* what was seen, and what was mended, is said also when there is more to say */
	if (result < 0) {
		if (!cli->json)
			(void)rows_print(cli, &rows, &again);
		return -1;
	}
	if (rows_print(cli, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		if (!rows.row[i].mended)
			return EXIT_AS(CHECK_FAILED);
	}
	return 0;
}

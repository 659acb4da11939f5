/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "table.h"
#include "view.h"

/* One round over the VPSs that were asked for. */
struct round {
	const struct cli *cli;
	const struct node *node;
	struct cgroup_reader *reader;
	struct table *table;
	json_t *json;
};

static int usage_one(const struct vps *vps, const struct err *broken, void *arg,
		     struct err *err)
{
	struct round *round = arg;
	struct view view = {
		.node = round->node, .vps = vps, .broken = broken, .reader = round->reader
	};

	vps_status(round->node, vps, &view.status);
	if (broken)
		view.status.state = STATE_ERROR;
	adopt_quietly(round->node, vps->name, &view.status);
	view_fill(&view,
		  round->table ? round->table->needs : NEED_USAGE | NEED_LINK | NEED_VOLUME);
	if (round->json)
		json_array_append_new(round->json, usage_object(&view));
	else if (round->table)
		return table_add(round->table, &view, err);
	else
		usage_print_lines(&view, stdout);
	return 0;
}

static int round_run(struct round *round, struct err *err)
{
	if (!round->cli->args_count)
		return vps_each(round->node, usage_one, round, err);
	for (int i = 0; i < round->cli->args_count; i++) {
		own_vps vps = { 0 };

		if (vps_load(round->node, round->cli->args[i], &vps, err) < 0 ||
		    usage_one(&vps, NULL, round, err) < 0)
			return -1;
	}
	return 0;
}

/* One VPS by its name is shown line by line, unless a table was asked for. */
static bool wants_table(const struct cli *cli)
{
	return cli->args_count != 1 || cli_option(cli, "columns") || cli_option(cli, "sort") ||
	       cli_option(cli, "no-header");
}

int cmd_usage(struct cli *cli, struct err *err)
{
	const struct columns all = { usage_columns, usage_columns_count };
	own_node node = node_none();
	own_table table = { 0 };
	own_reader reader = cgroup_reader_none();
	struct round round = { .cli = cli, .node = &node, .reader = &reader };
	struct err none;

	if (cli_option(cli, "list-columns")) {
		columns_print(all);
		return 0;
	}
	if (cli_option(cli, "all") && cli_expect(cli, 0, 0, err) < 0)
		return -1;
	if (node_open(&node, cli->config, err) < 0 || table_open(&table, cli, all, err) < 0)
		return -1;
	/* without a group on the whole node no VPS runs */
	(void)cgroup_reader_open(&reader, &none);
	if (cli->json)
		round.json = json_array();
	else if (wants_table(cli))
		round.table = &table;

	if (round_run(&round, err) < 0) {
		json_decref(round.json);
		return -1;
	}
	if (cli->json)
		return json_print(json_pack("{s:o}", "vps", round.json), err);
	return round.table ? table_print(&table, err) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

static json_t *plan_json(const struct vps *plan)
{
	return json_pack("{s:s,s:f,s:I,s:I,s:i,s:I}", "name", plan->plan, "cpus",
			 plan->limits.cpus / 100.0, "memory", (json_int_t)plan->limits.memory,
			 "swap", (json_int_t)plan->limits.swap, "tasks",
			 (int)plan->limits.tasks, "disk", (json_int_t)plan->volume.size);
}

struct listing {
	const struct node *node;
	struct libscols_table *table;
	json_t *json;
};

static int list_one(int dir, const char *file, void *arg, struct err *err)
{
	struct listing *list = arg;
	size_t len = strlen(file);
	char name[64], cell[5][16];
	own_vps plan = { 0 };
	struct libscols_line *line;

	(void)dir;
	if (file[0] == '.' || len <= 5 || len - 5 >= sizeof(name) ||
	    strcmp(file + len - 5, ".conf") != 0)
		return 0;
	str_format(name, sizeof(name), "%.*s", (int)(len - 5), file);
	vps_init(&plan);
	if (plan_load(list->node, name, &plan, err) < 0)
		return -1;
	json_array_append_new(list->json, plan_json(&plan));
	cpus_print(plan.limits.cpus, cell[0], sizeof(cell[0]));
	size_human(plan.limits.memory, cell[1], sizeof(cell[1]));
	size_human(plan.limits.swap, cell[2], sizeof(cell[2]));
	str_format(cell[3], sizeof(cell[3]), "%u", plan.limits.tasks);
	size_human(plan.volume.size, cell[4], sizeof(cell[4]));
	line = scols_table_new_line(list->table, NULL);
	if (!line || scols_line_set_data(line, 0, name) < 0)
		return fail(err, ENOMEM, "cannot make the table");
	for (size_t i = 0; i < ARRAY_SIZE(cell); i++)
		(void)scols_line_set_data(line, i + 1, cell[i]);
	return 0;
}

int cmd_plan_list(struct cli *cli, struct err *err)
{
	static const char *const headers[] = { "CPUS", "MEMORY", "SWAP", "TASKS", "DISK" };
	own_node node = node_none();
	struct listing list = { .node = &node };
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	own_fd plans = dir_open(AT_FDCWD, node.plans, err);
	if (plans < 0)
		return -1;
	list.json = json_array();
	list.table = scols_new_table();
	scols_table_enable_noheadings(list.table, cli_option(cli, "no-header") != NULL);
	scols_column_set_cmpfunc(scols_table_new_column(list.table, "NAME", 0, 0),
				 scols_cmpstr_cells, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		scols_table_new_column(list.table, headers[i], 0, SCOLS_FL_RIGHT);
	result = dir_each(plans, list_one, &list, err);
	if (result == 0 && cli->json) {
		result = json_print(json_pack("{s:O}", "plans", list.json), err);
	} else if (result == 0) {
		scols_sort_table(list.table, scols_table_get_column(list.table, 0));
		scols_print_table(list.table);
	}
	json_decref(list.json);
	scols_unref_table(list.table);
	return result;
}

int cmd_plan_show(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps plan = { 0 };

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	vps_init(&plan);
	if (plan_load(&node, cli->args[0], &plan, err) < 0)
		return -1;
	if (cli->json)
		return json_print(plan_json(&plan), err);
	for (size_t i = 0; i < vps_fields_count; i++) {
		if (vps_fields[i].flags & FIELD_PLAN)
			field_print(&plan, &vps_fields[i], stdout);
	}
	return 0;
}

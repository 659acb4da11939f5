/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "table.h"
#include "view.h"

struct listing {
	const struct cli *cli;
	const struct node *node;
	struct cgroup_reader *reader;
	struct table *table;
	json_t *json;
	unsigned lacks;
};

/* A definition that cannot be read is what its VPS's state is, whether it runs or not; for
 * people with the way out. */
static void broken_show(const struct cli *cli, const struct node *node,
			const struct err *broken, const char *name, struct status *status)
{
	struct err way_out = *broken;

	status->state = STATE_ERROR;
	str_escape(broken->msg, status->error, sizeof(status->error));
	if (cli->json || cli->quiet)
		return;
	error_print(broken);
	vps_way_out(node, name, way_out.msg, sizeof(way_out.msg));
	error_print(&way_out);
}

static int list_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct listing *list = arg;
	struct view view = { .node = list->node,
			     .vps = vps,
			     .broken = broken,
			     .lacks = list->lacks,
			     .reader = list->reader };

	vps_status(list->node, vps, &view.status);
	adopt_quietly(list->node, vps->name, &view.status);
	if (broken)
		broken_show(list->cli, list->node, broken, vps->name, &view.status);
	view_fill(&view, list->json ? NEED_ALL : list->table->needs);
	if (!list->json)
		return table_add(list->table, &view, err);
	json_array_append_new(list->json, view_json(&view));
	return 0;
}

static int list_named(struct listing *list, struct err *err)
{
	for (int i = 0; i < list->cli->args_count; i++) {
		own_vps vps = { 0 };
		struct err broken;

		if (vps_look(list->node, list->cli->args[i], &vps, &broken, err) < 0 ||
		    list_one(&vps, broken.kind ? &broken : NULL, list, err) < 0)
			return -1;
	}
	return 0;
}

int cmd_list(struct cli *cli, struct err *err)
{
	const struct columns all = { columns, columns_count };
	own_node node = node_none();
	own_table table = { 0 };
	own_reader reader = cgroup_reader_none();
	struct listing list = { .cli = cli, .node = &node, .reader = &reader, .table = &table };
	struct err none;

	if (cli_option(cli, "list-columns")) {
		columns_print(all);
		return 0;
	}
	if (node_open(&node, cli->config, err) < 0 || table_open(&table, cli, all, err) < 0)
		return -1;
	(void)cgroup_reader_open(&reader, &none);
	list.json = cli->json ? json_array() : NULL;
	if (cli->json || table.needs & NEED_LACKS)
		list.lacks = node_lacks(&node);

	if ((cli->args_count ? list_named(&list, err) : vps_each(&node, list_one, &list, err)) <
	    0) {
		json_decref(list.json);
		return -1;
	}
	if (cli->json)
		return json_print(json_pack("{s:o}", "vps", list.json), err);
	return table_print(&table, err);
}

int cmd_show(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	struct err broken;

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    vps_look(&node, cli->args[0], &vps, &broken, err) < 0)
		return -1;

	struct view view = { .node = &node,
			     .vps = &vps,
			     .broken = broken.kind ? &broken : NULL,
			     .lacks = node_lacks(&node) };
	vps_status(&node, &vps, &view.status);
	adopt_quietly(&node, vps.name, &view.status);
	if (broken.kind)
		broken_show(cli, &node, &broken, vps.name, &view.status);
	view_fill(&view, NEED_ALL);
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
	struct err broken;

	if (vps_look(node, name, &vps, &broken, err) < 0)
		return -1;
	vps_status(node, &vps, &status);
	adopt_quietly(node, vps.name, &status);
	if (broken.kind)
		broken_show(cli, node, &broken, vps.name, &status);
	if (cli->json)
		return json_print(
		    json_pack("{s:s,s:s}", "name", vps.name, "state", state_name(status.state)),
		    err);
	if (status.state == STATE_ERROR) {
		/* its name need not be said twice */
		size_t len = strlen(vps.name);
		bool named = strncmp(status.error, vps.name, len) == 0 &&
			     strncmp(status.error + len, ": ", 2) == 0;

		printf("%s error: %s\n", vps.name, status.error + (named ? len + 2 : 0));
	} else {
		printf("%s %s\n", vps.name, state_name(status.state));
	}
	return 0;
}

int cmd_status(struct cli *cli, struct err *err)
{
	return targets_each(cli, status_one, err);
}

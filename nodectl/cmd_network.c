/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"

int cmd_network_create(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct network network = { 0 };

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	if (node_network_create(&node, cli->args[0], &network, err) < 0)
		return cli_forgives(cli, err->kind) ? 0 : -1;
	if (cli->json)
		return json_print(json_pack("{s:{s:s,s:I}}", "network", "name", network.name,
					    "number", (json_int_t)network.number),
				  err);
	cli_say(cli, "network '%s': created", network.name);
	return 0;
}

int cmd_network_remove(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 1, -1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	for (int i = 0; i < cli->args_count; i++) {
		if (node_network_remove(&node, cli->args[i], err) < 0)
			return -1;
		cli_say(cli, "network '%s': removed", cli->args[i]);
	}
	return cli->json ? json_print(json_object(), err) : 0;
}

/* The networks, and for each who is on it. */
struct listing {
	json_t *networks; /* of {"name", "number", "vps": [...]} */
	json_t *by_name;
};

static int network_one(const struct network *network, void *arg, struct err *err)
{
	struct listing *listing = arg;
	json_t *object = json_pack("{s:s,s:I,s:[]}", "name", network->name, "number",
				   (json_int_t)network->number, "vps");

	(void)err;
	json_array_append(listing->networks, object);
	json_object_set_new(listing->by_name, network->name, object);
	return 0;
}

static int member_one(const struct vps *vps, const struct err *broken, void *arg,
		      struct err *err)
{
	struct listing *listing = arg;
	json_t *network = json_object_get(listing->by_name, vps->link.network.name);

	(void)broken;
	(void)err;
	if (network)
		json_array_append_new(json_object_get(network, "vps"), json_string(vps->name));
	return 0;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *members_text(const json_t *network)
{
	const json_t *vps = json_object_get(network, "vps");
	const char **names = xrealloc(NULL, (json_array_size(vps) + 1) * sizeof(*names));
	char *text = xstrdup(""), *longer;
	size_t count = json_array_size(vps);

	for (size_t i = 0; i < count; i++)
		names[i] = json_string_value(json_array_get(vps, i));
	if (count)
		qsort(names, count, sizeof(*names), names_compare);
	for (size_t i = 0; i < count; i++) {
		longer = xasprintf("%s%s%s", text, i ? ", " : "", names[i]);
		free(text);
		text = longer;
	}
	free(names);
	return text;
}

static int table_print(const struct cli *cli, const json_t *networks, struct err *err)
{
	struct libscols_table *table = or_exit(scols_new_table());
	const json_t *network;
	int result = 0;
	size_t i;

	scols_table_enable_noheadings(table, cli_option(cli, "no-header") != NULL);
	scols_table_new_column(table, "NAME", 0, 0);
	scols_table_new_column(table, "NUMBER", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "VPS", 0, 0);
	json_array_foreach(networks, i, network)
	{
		struct libscols_line *row = scols_table_new_line(table, NULL);
		own_str members = members_text(network);
		char number[16];

		str_format(number, sizeof(number), "%u",
			   (unsigned)json_integer_value(json_object_get(network, "number")));
		if (!row ||
		    scols_line_set_data(
			row, 0, json_string_value(json_object_get(network, "name"))) < 0 ||
		    scols_line_set_data(row, 1, number) < 0 ||
		    scols_line_set_data(row, 2, members) < 0)
			result = fail(err, ENOMEM, "cannot make the table");
	}
	if (result == 0)
		scols_print_table(table);
	scols_unref_table(table);
	return result;
}

int cmd_network_list(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct listing listing = { 0 };
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	listing.networks = json_array();
	listing.by_name = json_object();
	result = node_network_each(&node, network_one, &listing, err);
	if (result == 0)
		result = vps_each(&node, member_one, &listing, err);
	if (result == 0)
		result = cli->json
			     ? json_print(json_pack("{s:O}", "networks", listing.networks), err)
			     : table_print(cli, listing.networks, err);
	json_decref(listing.by_name);
	json_decref(listing.networks);
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"

struct report {
	const struct capacity *capacity;
	const struct claim *promised;
	struct libscols_table *table;
	json_t *json;
};

static int cells_add(struct libscols_table *table, const char *const *cells, size_t count,
		     struct err *err)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	for (size_t i = 0; i < count; i++) {
		if (!line || scols_line_set_data(line, i, cells[i]) < 0)
			return fail(err, ENOMEM, "cannot make the table");
	}
	return 0;
}

static struct libscols_table *table_make(const struct cli *cli, const char *const *headers,
					 size_t count, size_t left)
{
	struct libscols_table *table = or_exit(scols_new_table());

	scols_table_enable_noheadings(table, cli_option(cli, "no-header") != NULL);
	for (size_t i = 0; i < count; i++)
		scols_table_new_column(table, headers[i], 0, i < left ? 0 : SCOLS_FL_RIGHT);
	return table;
}

/* Cores are no whole numbers; all else is. */
static json_t *amount_json(enum resource r, uint64_t amount)
{
	if (amount == UINT64_MAX)
		return json_null();
	if (r == RESOURCE_CPUS)
		return json_real(resource_number(r, amount));
	return json_integer((json_int_t)amount);
}

static void amount_text(enum resource r, uint64_t amount, char *text, size_t size)
{
	if (amount == UINT64_MAX)
		str_format(text, size, "-");
	else
		resource_print(r, amount, text, size);
}

/* What there is no limit of is not known to be anything. */
static uint64_t has_of(const struct capacity *capacity, enum resource r)
{
	return capacity->has[r] ? capacity->has[r] : UINT64_MAX;
}

/* One without limit on a node that has none may have any amount. */
static uint64_t max_of(const struct report *report, enum resource r)
{
	if (!report->capacity->has[r] && report->promised->whole[r])
		return UINT64_MAX;
	return claim_max(report->promised, report->capacity, r);
}

static double ratio_of(const struct report *report, enum resource r)
{
	uint64_t has = report->capacity->has[r];

	return has ? (double)claim_max(report->promised, report->capacity, r) / (double)has : 0;
}

static json_t *resource_json(const struct report *report, enum resource r)
{
	const struct capacity *capacity = report->capacity;
	return json_pack(
	    "{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:f,s:o}", "name", resource_name(r), "capacity",
	    amount_json(r, has_of(capacity, r)), "reserve",
	    amount_json(r, capacity->reserve[r]), "guaranteed",
	    amount_json(r, report->promised->guaranteed[r]), "guaranteed_allowed",
	    amount_json(r, capacity->has[r] ? capacity_guaranteed(capacity, r) : UINT64_MAX),
	    "max", amount_json(r, max_of(report, r)), "max_allowed",
	    amount_json(r, capacity_max(capacity, r)), "ratio", ratio_of(report, r),
	    "ratio_allowed",
	    capacity->ratio[r] ? json_real(capacity->ratio[r] / 100.0) : json_null());
}

static int resource_row(struct report *report, enum resource r, struct err *err)
{
	const struct capacity *capacity = report->capacity;
	char has[24], reserve[24], guaranteed[24], max[24], ratio[24] = "-", allowed[24] = "-";
	const char *const cells[] = { resource_name(r), has, reserve, guaranteed, max, ratio,
				      allowed };

	amount_text(r, has_of(capacity, r), has, sizeof(has));
	amount_text(r, capacity->reserve[r], reserve, sizeof(reserve));
	amount_text(r, report->promised->guaranteed[r], guaranteed, sizeof(guaranteed));
	amount_text(r, max_of(report, r), max, sizeof(max));
	if (capacity->has[r])
		str_format(ratio, sizeof(ratio), "%.2f", ratio_of(report, r));
	if (capacity->has[r] && capacity->ratio[r])
		cpus_print(capacity->ratio[r], allowed, sizeof(allowed));
	json_array_append_new(report->json, resource_json(report, r));
	return cells_add(report->table, cells, ARRAY_SIZE(cells), err);
}

static int plan_row(const struct vps *plan, const struct err *broken, void *arg,
		    struct err *err)
{
	struct report *report = arg;
	enum resource bottleneck = RESOURCE_COUNT;
	struct claim one;
	uint64_t room;
	char fits[24];
	const char *cells[] = { plan->plan, fits, "-" };

	if (broken) {
		cells[1] = "-";
		cells[2] = broken->msg;
		json_array_append_new(report->json,
				      json_pack("{s:s,s:n,s:n,s:s}", "name", plan->plan, "fits",
						"bottleneck", "error", broken->msg));
		return cells_add(report->table, cells, ARRAY_SIZE(cells), err);
	}
	claim_of(plan, &one);
	/* a VPS has an address unless it is told otherwise */
	one.max[RESOURCE_ADDRESSES] = 1;
	room = capacity_room(report->capacity, report->promised, &one, &bottleneck);
	str_format(fits, sizeof(fits), "%llu", (unsigned long long)room);
	if (bottleneck < RESOURCE_COUNT)
		cells[2] = resource_name(bottleneck);
	json_array_append_new(report->json,
			      json_pack("{s:s,s:I,s:s}", "name", plan->plan, "fits",
					(json_int_t)room, "bottleneck", cells[2]));
	return cells_add(report->table, cells, ARRAY_SIZE(cells), err);
}

static int capacity_print(struct cli *cli, const struct node *node, struct report *resources,
			  struct report *plans, struct err *err)
{
	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		if (resource_row(resources, r, err) < 0)
			return -1;
	}
	if (plan_each(node, plan_row, plans, err) < 0)
		return -1;
	if (cli->json)
		return json_print(
		    json_pack("{s:O,s:O}", "resources", resources->json, "plans", plans->json),
		    err);
	scols_sort_table(plans->table, scols_table_get_column(plans->table, 0));
	scols_print_table(resources->table);
	putchar('\n');
	scols_print_table(plans->table);
	return 0;
}

int cmd_capacity(struct cli *cli, struct err *err)
{
	static const char *const resource_headers[] = { "RESOURCE",   "HAS", "RESERVE",
							"GUARANTEED", "MAX", "RATIO",
							"ALLOWED" };
	static const char *const plan_headers[] = { "PLAN", "FITS", "BOTTLENECK" };
	own_node node = node_none();
	struct capacity capacity;
	struct claim promised;
	struct report resources = { .capacity = &capacity, .promised = &promised };
	struct report plans = resources;
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    capacity_find(&node, &capacity, err) < 0 ||
	    node_promised(&node, &promised, err) < 0)
		return -1;
	resources.table = table_make(cli, resource_headers, ARRAY_SIZE(resource_headers), 1);
	plans.table = table_make(cli, plan_headers, ARRAY_SIZE(plan_headers), 1);
	scols_column_set_cmpfunc(scols_table_get_column(plans.table, 0), scols_cmpstr_cells,
				 NULL);
	scols_column_set_flags(scols_table_get_column(plans.table, 2), 0);
	resources.json = json_array();
	plans.json = json_array();
	result = capacity_print(cli, &node, &resources, &plans, err);
	json_decref(resources.json);
	json_decref(plans.json);
	scols_unref_table(resources.table);
	scols_unref_table(plans.table);
	return result;
}

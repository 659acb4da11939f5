/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "view.h"

/* The VPSs of the node and the plan that each has. */
struct users {
	struct user {
		char name[64], plan[64];
		bool unread; /* what plan it has is not known */
	} * user;
	size_t count;
};

static int user_add(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct users *users = arg;
	struct user *user;

	(void)err;
	/* one that is not valid follows nothing until somebody has mended it */
	if (broken && broken->kind == ERR_VALUE)
		return 0;
	users->user = xrealloc(users->user, (users->count + 1) * sizeof(*users->user));
	user = &users->user[users->count++];
	memcpy(user->name, vps->name, sizeof(user->name));
	memcpy(user->plan, vps->plan, sizeof(user->plan));
	user->unread = broken != NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

static int users_find(const struct node *node, struct users *users, struct err *err)
{
	*users = (struct users){ 0 };
	if (vps_each(node, user_add, users, err) < 0)
		return -1;
	if (users->count)
		qsort(users->user, users->count, sizeof(*users->user), by_name);
	return 0;
}

static void users_free(struct users *users)
{
	free(users->user);
}

#define own_users __attribute__((cleanup(users_free))) struct users

static json_t *users_json(const struct users *users, const char *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < users->count; i++) {
		if (!users->user[i].unread && strcmp(users->user[i].plan, plan) == 0)
			json_array_append_new(list, json_string(users->user[i].name));
	}
	return list;
}

static json_t *plan_json(const struct vps *plan, const struct users *users)
{
	json_t *object = json_pack("{s:s,s:f,s:I}", "name", plan->plan, "cpu_guaranteed",
				   plan->limits.cpus_guaranteed / 100.0, "memory_guaranteed",
				   (json_int_t)plan->limits.memory_guaranteed);
	json_t *limits = vps_limits_json(plan);

	json_object_update(object, limits);
	json_decref(limits);
	/* as it is given: what it comes to is the VPS's */
	json_object_set_new(object, "weight", json_integer(plan->limits.weight));
	json_object_set_new(object, "vps", users_json(users, plan->plan));
	return object;
}

struct listing {
	const struct users *users;
	struct libscols_table *table;
	json_t *json;
};

enum { CELLS = 8 };

static void cells_fill(const struct vps *plan, size_t users, char cell[CELLS][16])
{
	const struct limits *limits = &plan->limits;

	cpus_print(limits->cpus, cell[0], sizeof(cell[0]));
	cpus_print(limits->cpus_guaranteed, cell[1], sizeof(cell[1]));
	size_human(limits->memory, cell[2], sizeof(cell[2]));
	size_human(limits->memory_guaranteed, cell[3], sizeof(cell[3]));
	size_human(limits->swap, cell[4], sizeof(cell[4]));
	str_format(cell[5], sizeof(cell[5]), "%u", limits->tasks);
	size_human(plan->volume.size, cell[6], sizeof(cell[6]));
	str_format(cell[7], sizeof(cell[7]), "%zu", users);
}

static int list_one(const struct vps *plan, const struct err *broken, void *arg,
		    struct err *err)
{
	struct listing *list = arg;
	struct libscols_line *line;
	char cell[CELLS][16];
	json_t *object;

	if (broken) {
		error_print(broken);
		json_array_append_new(list->json, json_pack("{s:s,s:s}", "name", plan->plan,
							    "error", broken->msg));
		return 0;
	}
	object = plan_json(plan, list->users);
	json_array_append_new(list->json, object);
	cells_fill(plan, json_array_size(json_object_get(object, "vps")), cell);
	line = scols_table_new_line(list->table, NULL);
	if (!line || scols_line_set_data(line, 0, plan->plan) < 0)
		return fail(err, ENOMEM, "cannot make the table");
	for (size_t i = 0; i < CELLS; i++)
		(void)scols_line_set_data(line, i + 1, cell[i]);
	return 0;
}

int cmd_plan_list(struct cli *cli, struct err *err)
{
	static const char *const headers[CELLS] = { "CPUS",	  "GUARANTEED", "MEMORY",
						    "GUARANTEED", "SWAP",	"TASKS",
						    "DISK",	  "VPS" };
	own_node node = node_none();
	own_users users = { 0 };
	struct listing list = { .users = &users };
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    users_find(&node, &users, err) < 0)
		return -1;
	list.json = json_array();
	list.table = or_exit(scols_new_table());
	scols_table_enable_noheadings(list.table, cli_option(cli, "no-header") != NULL);
	scols_column_set_cmpfunc(scols_table_new_column(list.table, "NAME", 0, 0),
				 scols_cmpstr_cells, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		scols_table_new_column(list.table, headers[i], 0, SCOLS_FL_RIGHT);
	result = plan_each(&node, list_one, &list, err);
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

/* What it says as it stands in the file, and then who has it. */
static void plan_print(const struct vps *plan, const struct users *users)
{
	bool any = false;

	for (size_t i = 0; i < vps_fields_count; i++) {
		if (vps_fields[i].flags & FIELD_PLAN)
			field_print(plan, &vps_fields[i], stdout);
	}
	for (size_t i = 0; i < users->count; i++) {
		if (users->user[i].unread || strcmp(users->user[i].plan, plan->plan) != 0)
			continue;
		printf("%s%s", any ? ", " : "# VPSs: ", users->user[i].name);
		any = true;
	}
	if (any)
		putchar('\n');
}

int cmd_plan_show(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps plan = { 0 };
	own_users users = { 0 };

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	vps_init(&plan);
	if (plan_load(&node, cli->args[0], &plan, err) < 0 ||
	    users_find(&node, &users, err) < 0)
		return -1;
	if (cli->json)
		return json_print(plan_json(&plan, &users), err);
	plan_print(&plan, &users);
	return 0;
}

/* What the options say of a plan. */
static int values_make(const struct cli *cli, struct plan_values *values, struct err *err)
{
	struct wanted ignored = { 0 };

	vps_init(&values->values);
	if (fields_apply(cli, NULL, &values->values, &ignored, err) < 0)
		return -1;
	/* what is given on the command line is what would be a VPS's own */
	values->given = values->values.overrides;
	return 0;
}

/* With --idempotent: is the one that exists what was asked for? */
static bool plan_is(const struct node *node, const char *name, const struct plan_values *values)
{
	own_vps plan = { 0 };
	struct err ignored;

	vps_init(&plan);
	if (plan_load(node, name, &plan, &ignored) < 0)
		return false;
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str is = field_text(&plan, &vps_fields[i]);
		own_str should = field_text(&values->values, &vps_fields[i]);

		if (vps_fields[i].flags & FIELD_PLAN && strcmp(is, should) != 0)
			return false;
	}
	return true;
}

int cmd_plan_create(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps plan = { 0 };
	const struct users none = { 0 };
	struct plan_values values = { .fresh = true };

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	if (!name_is_valid(cli->args[0]))
		return fail_as(
		    err, ERR_VALUE,
		    "'%s' is not a name (a-z, 0-9, '-' inside, at most 63, not all digits)",
		    cli->args[0]);
	if (values_make(cli, &values, err) < 0 ||
	    plan_write(&node, cli->args[0], &values, &plan, err) < 0) {
		if (cli_forgives(cli, err->kind) && plan_is(&node, cli->args[0], &values))
			return 0;
		return fail_in(err, "plan %s", cli->args[0]);
	}
	if (cli->json)
		return json_print(plan_json(&plan, &none), err);
	cli_say(cli, "plan '%s': created", plan.plan);
	return 0;
}

int cmd_plan_remove(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 1, -1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	for (int i = 0; i < cli->args_count; i++) {
		if (plan_remove(&node, cli->args[i], err) < 0)
			return -1;
		cli_say(cli, "plan '%s': removed", cli->args[i]);
	}
	return cli->json ? json_print(json_object(), err) : 0;
}

/* A plan that has changed, on its way to the VPSs that have it. */
struct spread {
	struct cli *cli;
	const struct node *node;
	const struct vps *plan;
	json_t *json;
	bool dry;
	unsigned done, failed;
	int worst; /* enum err_kind */
};

static int spread_held(struct spread *spread, struct held *held, json_t *changes,
		       struct err *err)
{
	own_vps after = { 0 };
	struct changing changing = { .cli = spread->cli, .vps = &after, .json = changes };
	struct status status;
	int result;

	if (held_status(held, &status, err) < 0)
		return -1;
	changing.running = status.init != 0;
	result = plan_follow(spread->node, spread->plan, held, cli_admission(spread->cli),
			     spread->dry, &after, err);
	if (result > 0)
		(void)changes_tell(&changing, &held->vps);
	else if (result == 0)
		cli_say(spread->cli, "%s: nothing to change", held->vps.name);
	return result < 0 ? -1 : 0;
}

/* One that cannot follow does not keep the others from it. */
static void spread_one(struct spread *spread, const char *name)
{
	own_held held = held_none();
	json_t *changes = json_array(), *object;
	struct err err;
	int result = vps_hold(spread->node, name, "plan set", &held, &err);

	if (result == 0)
		result = spread_held(spread, &held, changes, &err);
	object = json_pack("{s:s,s:o}", "name", name, "changes", changes);
	json_array_append_new(spread->json, object);
	spread->done++;
	/* destroyed meanwhile */
	if (result == 0 || err.kind == ERR_NO_VPS)
		return;
	if (strncmp(err.msg, name, strlen(name)) != 0)
		fail_in(&err, "%s", name);
	error_print(&err);
	json_object_set_new(object, "error", json_string(err.msg));
	spread->failed++;
	if (err.kind > spread->worst)
		spread->worst = err.kind;
}

static int spread_all(struct spread *spread, struct err *err)
{
	own_users users = { 0 };

	if (users_find(spread->node, &users, err) < 0)
		return -1;
	for (size_t i = 0; i < users.count; i++) {
		/* one that could not be read is looked at again, and that says why it cannot */
		if (users.user[i].unread || strcmp(users.user[i].plan, spread->plan->plan) == 0)
			spread_one(spread, users.user[i].name);
	}
	return 0;
}

/* All of it must be possible before any of it is done. */
static int plan_set(struct spread *spread, struct plan_values *values, const char *name,
		    struct vps *plan, struct err *err)
{
	own_fd following = -1;

	values->dry = true;
	if (plan_write(spread->node, name, values, plan, err) < 0 ||
	    (cli_admission(spread->cli) == ADMIT_CHECKED &&
	     node_plan_check(spread->node, plan, err) < 0))
		return -1;
	if (!spread->dry) {
		following = plan_follow_begin(spread->node, name, err);
		values->dry = false;
		/* one that cannot be written leaves the mark: it may be that of one before, and
		 * to follow what is written is never wrong */
		if (following < 0 || plan_write(spread->node, name, values, plan, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str line = field_text(plan, &vps_fields[i]);

		line[strcspn(line, "\n")] = 0;
		if (values->given & field_bit(&vps_fields[i]))
			cli_say(spread->cli, "plan '%s': %s", name,
				*line ? line : vps_fields[i].key);
	}
	if (spread_all(spread, err) < 0)
		return -1;
	if (!spread->dry)
		plan_follow_end(spread->node, name);
	return 0;
}

int cmd_plan_set(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps plan = { 0 };
	own_users users = { 0 };
	struct plan_values values = { 0 };
	struct spread spread = { .cli = cli, .node = &node, .plan = &plan };
	int result;

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	if (values_make(cli, &values, err) < 0)
		return fail_in(err, "plan %s", cli->args[0]);
	spread.json = json_array();
	spread.dry = cli_option(cli, "dry-run") != NULL;
	result = plan_set(&spread, &values, cli->args[0], &plan, err);
	if (result < 0)
		fail_in(err, "plan %s", cli->args[0]);
	else if (cli->json && users_find(&node, &users, err) == 0)
		result = json_print(json_pack("{s:o,s:O,s:b}", "plan", plan_json(&plan, &users),
					      "vps", spread.json, "dry_run", spread.dry),
				    err);
	if (result == 0 && spread.failed)
		result = fail_as(err, (enum err_kind)spread.worst,
				 "plan %s: %u of %u VPSs did not follow", cli->args[0],
				 spread.failed, spread.done);
	json_decref(spread.json);
	return result;
}

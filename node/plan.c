/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "err.h"
#include "io.h"
#include "ledger.h"
#include "node.h"
#include "own.h"
#include "store.h"
#include "str.h"

#define TEXT_MAX 65536u

static const struct {
	const char *name, *text;
} shipped[] = {
	{ "nano.conf", "# The smallest useful system.\n"
		       "cpus = 0.5\ncpu-guaranteed = 0.05\n"
		       "memory = 256M\nmemory-guaranteed = 64M\nswap = 0\n"
		       "tasks = 256\ndisk = 2G\n" },
	{ "small.conf", "# One core, for a web site or a mail server.\n"
			"cpus = 1\ncpu-guaranteed = 0.1\n"
			"memory = 1G\nmemory-guaranteed = 256M\nswap = 0\n"
			"tasks = 1024\ndisk = 10G\n" },
	{ "medium.conf", "# Two cores, for applications with a database.\n"
			 "cpus = 2\ncpu-guaranteed = 0.25\n"
			 "memory = 4G\nmemory-guaranteed = 1G\nswap = 0\n"
			 "tasks = 4096\ndisk = 40G\n" },
};

int plans_make(const struct node *node, void (*say)(const char *what, void *arg), void *arg,
	       struct err *err)
{
	own_fd dir = -1;

	if (dir_make_path(node->plans, 0755, err) < 0)
		return -1;
	dir = dir_open(AT_FDCWD, node->plans, err);
	if (dir < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
		const char *name = shipped[i].name, *text = shipped[i].text;
		char line[128];

		if (faccessat(dir, name, F_OK, 0) == 0)
			continue;
		if (file_replace(dir, name, text, strlen(text), 0644, err) < 0)
			return -1;
		str_format(line, sizeof(line), "plan '%.*s'", (int)strcspn(name, "."), name);
		if (say)
			say(line, arg);
	}
	return 0;
}

static int file_of(const char *plan, char *file, size_t size, struct err *err)
{
	if (!name_is_valid(plan))
		return fail_as(err, ERR_VALUE, "'%s' is not a plan's name", plan);
	str_format(file, size, "%s.conf", plan);
	return 0;
}

static char *text_read(const struct node *node, int dir, const char *plan, struct err *err)
{
	char file[80];
	char *text;

	if (file_of(plan, file, sizeof(file), err) < 0)
		return NULL;
	text = file_slurp(dir, file, TEXT_MAX, err);
	if (!text && err->code == ENOENT)
		fail_as(err, ERR_VALUE, "there is no plan '%s' in %s", plan, node->plans);
	return text;
}

static int text_parse(const struct node *node, const char *plan, const char *text,
		      struct vps *vps, struct err *err)
{
	if (plan_parse(vps, text, err) < 0)
		return fail_in(err, "%s/%s.conf", node->plans, plan);
	return str_copy(vps->plan, sizeof(vps->plan), plan, err);
}

int plan_load(const struct node *node, const char *plan, struct vps *vps, struct err *err)
{
	own_fd dir = dir_open(AT_FDCWD, node->plans, err);
	own_str text = dir < 0 ? NULL : text_read(node, dir, plan, err);

	return text ? text_parse(node, plan, text, vps, err) : -1;
}

void plan_give(const struct vps *plan, const struct field *field, struct vps *vps)
{
	memcpy((char *)vps + field->offset, (const char *)plan + field->offset, field->size);
	vps->overrides &= ~field_bit(field);
}

static bool is_own(const struct vps *vps, const char *key)
{
	return vps->overrides & field_bit(field_find(key));
}

void plan_fit(struct vps *vps)
{
	struct limits *limits = &vps->limits;

	if (limits->memory && limits->memory_guaranteed > limits->memory &&
	    is_own(vps, "memory") && !is_own(vps, "memory-guaranteed"))
		limits->memory_guaranteed = limits->memory;
	if (limits->cpus && limits->cpus_guaranteed > limits->cpus && is_own(vps, "cpus") &&
	    !is_own(vps, "cpu-guaranteed"))
		limits->cpus_guaranteed = limits->cpus;
}

void plan_adopt(const struct vps *plan, struct vps *vps)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		const struct field *field = &vps_fields[i];

		if (!(field->flags & FIELD_PLAN) || vps->overrides & field_bit(field))
			continue;
		/* a disk has a size: where the plan gives none it is the VPS's own */
		if (field->offset == offsetof(struct vps, volume.size) && !plan->volume.size)
			continue;
		plan_give(plan, field, vps);
	}
	memcpy(vps->plan, plan->plan, sizeof(vps->plan));
	plan_fit(vps);
}

int plan_is_current(const struct node *node, const struct vps *vps, struct err *err)
{
	own_vps adopted = *vps;
	own_vps plan = { 0 };

	adopted.ssh_keys = NULL;
	vps_init(&plan);
	if (plan_load(node, vps->plan, &plan, err) < 0)
		return -1;
	plan_adopt(&plan, &adopted);
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str is = field_text(vps, &vps_fields[i]);
		own_str should = field_text(&adopted, &vps_fields[i]);

		if (vps_fields[i].flags & FIELD_PLAN && strcmp(is, should) != 0)
			return fail_as(err, ERR_LOCKED,
				       "plan '%s' was changed meanwhile; try again", vps->plan);
	}
	return 0;
}

/* A value as it stands in a file; one that is not printed is none, and that is 0. */
static char *text_put(char *text, const struct vps *values, const struct field *field)
{
	own_str line = field_text(values, field);
	char *value = strstr(line, " = ");

	if (value)
		value[strcspn(value, "\n")] = 0;
	return conf_put(text, field->key, value ? value + 3 : "0", false);
}

int plan_write(const struct node *node, const char *name, const struct plan_values *values,
	       struct vps *plan, struct err *err)
{
	char file[80];
	own_vps got = { 0 };
	own_str text = NULL;
	own_fd naming = -1;
	own_fd dir = dir_open(AT_FDCWD, node->plans, err);

	if (dir < 0 || file_of(name, file, sizeof(file), err) < 0)
		return -1;
	naming = naming_take(node, "'nodectl plan'\n", err);
	if (naming < 0)
		return -1;
	if (values->fresh && faccessat(dir, file, F_OK, 0) == 0)
		return fail_as(err, ERR_EXISTS, "plan '%s' exists already", name);
	text = values->fresh ? xasprintf("# Plan %s; see node.conf(5).\n", name)
			     : text_read(node, dir, name, err);
	for (size_t i = 0; text && i < vps_fields_count; i++) {
		if (values->given & field_bit(&vps_fields[i]))
			text = text_put(text, &values->values, &vps_fields[i]);
	}
	vps_init(&got);
	if (!text || text_parse(node, name, text, &got, err) < 0 || plan_check(&got, err) < 0)
		return -1;
	if (!values->dry && (values->fresh || values->given) &&
	    file_replace(dir, file, text, strlen(text), 0644, err) < 0)
		return -1;
	*plan = got;
	return 0;
}

struct user {
	const char *plan;
	char name[80];
};

static int user_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct user *user = arg;

	(void)err;
	/* one that cannot be read may use any */
	if (!user->name[0] && (broken || strcmp(vps->plan, user->plan) == 0))
		str_format(user->name, sizeof(user->name), "%s", vps->name);
	return 0;
}

int plan_remove(const struct node *node, const char *name, struct err *err)
{
	char file[80];
	struct user user = { .plan = name };
	own_fd naming = -1;
	own_fd dir = dir_open(AT_FDCWD, node->plans, err);

	if (dir < 0 || file_of(name, file, sizeof(file), err) < 0)
		return -1;
	naming = naming_take(node, "'nodectl plan remove'\n", err);
	if (naming < 0 || vps_each(node, user_one, &user, err) < 0)
		return -1;
	if (faccessat(dir, file, F_OK, 0) < 0 && errno == ENOENT)
		return fail_as(err, ERR_VALUE, "there is no plan '%s' in %s", name,
			       node->plans);
	if (user.name[0])
		return fail_as(err, ERR_EXISTS, "plan '%s' is in use by VPS '%s'", name,
			       user.name);
	if (unlinkat(dir, file, 0) < 0 || fsync(dir) < 0)
		return fail(err, errno, "cannot remove '%s'", file);
	return 0;
}

struct trial {
	struct ledger *ledger;
	const struct vps *plan;
};

static int try_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	const struct trial *trial = arg;
	struct vps after = *vps;

	if (broken || strcmp(vps->plan, trial->plan->plan) != 0)
		return 0;
	plan_adopt(trial->plan, &after);
	if (ledger_admit(trial->ledger, &after, ADMIT_CHECKED, err) < 0)
		return fail_in(err, "%s", vps->name);
	ledger_suppose(trial->ledger, &after);
	return 0;
}

int node_plan_check(const struct node *node, const struct vps *plan, struct err *err)
{
	own_ledger ledger = ledger_none();
	struct trial trial = { &ledger, plan };

	if (ledger_open(&ledger, node, err) < 0)
		return -1;
	return vps_each(node, try_one, &trial, err);
}

struct each {
	const struct node *node;
	int (*each)(const struct vps *plan, const struct err *broken, void *arg,
		    struct err *err);
	void *arg;
};

static int each_file(int dir, const char *file, void *arg, struct err *err)
{
	const struct each *call = arg;
	size_t len = strlen(file);
	own_vps plan = { 0 };
	char name[64];
	struct err broken;

	if (file[0] == '.' || len <= 5 || len - 5 >= sizeof(name) ||
	    strcmp(file + len - 5, ".conf") != 0)
		return 0;
	str_format(name, sizeof(name), "%.*s", (int)(len - 5), file);
	vps_init(&plan);

	own_str text = text_read(call->node, dir, name, &broken);
	if (text && text_parse(call->node, name, text, &plan, &broken) == 0)
		return call->each(&plan, NULL, call->arg, err);
	/* removed while we look */
	if (faccessat(dir, file, F_OK, 0) < 0)
		return 0;
	str_format(plan.plan, sizeof(plan.plan), "%s", name);
	return call->each(&plan, &broken, call->arg, err);
}

int plan_each(const struct node *node,
	      int (*each)(const struct vps *plan, const struct err *broken, void *arg,
			  struct err *err),
	      void *arg, struct err *err)
{
	struct each call = { node, each, arg };
	own_fd dir = dir_open(AT_FDCWD, node->plans, err);

	return dir < 0 ? -1 : dir_each(dir, each_file, &call, err);
}

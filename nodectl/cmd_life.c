/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "cgroups.h"
#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* With --json each target is one object on a line of its own. */
static int done(const struct cli *cli, const struct vps *vps, const char *state,
		struct err *err)
{
	if (cli->json)
		return json_print(json_pack("{s:{s:i,s:s,s:s}}", "vps", "id", (int)vps->id,
					    "name", vps->name, "state", state),
				  err);
	cli_say(cli, "%s: %s", vps->name, state);
	return 0;
}

/* What ends a VPS needs no more than what is left of it. */
static int hold_left(const struct node *node, const char *name, const char *what,
		     struct held *held, struct err *err)
{
	struct err warning;

	if (vps_hold_left(node, name, what, held, err) < 0)
		return -1;
	if (held->broken[0]) {
		(void)fail_as(&warning, ERR_VALUE, "going on without the definition: %s",
			      held->broken);
		error_print(&warning);
	}
	return 0;
}

/* What a stop leaves to a process of its own takes no longer, as a rule. */
#define CLEANED_MS 30000

static int start_as(struct cli *cli, const struct node *node, const char *name,
		    enum admission admission, struct err *err)
{
	own_held held = held_none();

	if (vps_hold(node, name, "start", &held, err) < 0)
		return -1;
	/* of one that is started again they are its own; and with --force */
	held.place.unasked = admission != ADMIT_CHECKED;
	if (node_start(node, &held, admission, err) < 0 || boot_wait(cli, node, &held, err) < 0)
		return -1;
	return done(cli, &held.vps, "running", err);
}

static int start_one(struct cli *cli, const struct node *node, const char *name,
		     struct err *err)
{
	return start_as(cli, node, name, cli_admission(cli), err);
}

int cmd_start(struct cli *cli, struct err *err)
{
	return targets_each(cli, start_one, err);
}

static int stop_held(struct cli *cli, const struct node *node, struct held *held, bool restart,
		     bool *forced, struct err *err)
{
	struct stopping how = { .restart = restart };

	if (!cli_option(cli, "force") &&
	    cli_seconds(cli, "timeout", held->vps.stop_timeout, &how.timeout, err) < 0)
		return -1;
	return node_stop(node, held, &how, forced, err);
}

static int stop_one(struct cli *cli, const struct node *node, const char *name, struct err *err)
{
	own_held held = held_none();
	bool forced;

	if (hold_left(node, name, "stop", &held, err) < 0 ||
	    stop_held(cli, node, &held, false, &forced, err) < 0)
		return -1;
	if (forced && !cli_option(cli, "force"))
		fprintf(stderr, "nodectl: %s: init did not power off in time and was killed\n",
			held.vps.name);
	return done(cli, &held.vps, "stopped", err);
}

int cmd_stop(struct cli *cli, struct err *err)
{
	return targets_each(cli, stop_one, err);
}

static int restart_one(struct cli *cli, const struct node *node, const char *name,
		       struct err *err)
{
	enum admission admission = ADMIT_KNOWN;
	own_held held = held_none();
	bool forced;

	if (vps_hold(node, name, "restart", &held, err) < 0)
		return -1;
	/* what could not start again is not stopped */
	if (node_can_write(&held, err) < 0)
		return fail_in(err, "restart");
	/* whatever cuts us off from here on, it is meant to run, and the next boot starts it */
	if (stop_held(cli, node, &held, true, &forced, err) < 0) {
		/* one that is stopped is started */
		if (err->kind != ERR_NOT_RUNNING)
			return -1;
		admission = ADMIT_CHECKED;
	}
	/* the lock goes on being held by what still cleans up: let go, and wait for it */
	vps_release(&held);
	held = held_none();
	unsigned long long end = now_ms() + CLEANED_MS;
	int result;
	do
		result = start_as(cli, node, name, admission, err);
	while (result < 0 && err->kind == ERR_LOCKED && now_ms() < end);
	return result;
}

int cmd_restart(struct cli *cli, struct err *err)
{
	return targets_each(cli, restart_one, err);
}

static int kill_one(struct cli *cli, const struct node *node, const char *name, struct err *err)
{
	const struct stopping now = { 0 };
	own_held held = held_none();
	bool forced;

	if (hold_left(node, name, "kill", &held, err) < 0 ||
	    node_stop(node, &held, &now, &forced, err) < 0)
		return -1;
	return done(cli, &held.vps, "stopped", err);
}

int cmd_kill(struct cli *cli, struct err *err)
{
	return targets_each(cli, kill_one, err);
}

static int freeze_held(struct cli *cli, const struct node *node, const char *name, bool frozen,
		       struct err *err)
{
	own_held held = held_none();
	struct status status;

	if (vps_hold(node, name, frozen ? "freeze" : "thaw", &held, err) < 0 ||
	    held_status(&held, &status, err) < 0)
		return -1;
	if (!status.init)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	if (frozen ? cgroup_freeze(held.vps.id, true, err) < 0
		   : runtime_thaw(&held.vps, &held.place, err) < 0)
		return -1;
	vps_log(node, held.vps.name, frozen ? "frozen" : "thawed");
	return done(cli, &held.vps, frozen ? "frozen" : "running", err);
}

static int freeze_one(struct cli *cli, const struct node *node, const char *name,
		      struct err *err)
{
	return freeze_held(cli, node, name, true, err);
}

static int thaw_one(struct cli *cli, const struct node *node, const char *name, struct err *err)
{
	return freeze_held(cli, node, name, false, err);
}

int cmd_freeze(struct cli *cli, struct err *err)
{
	return targets_each(cli, freeze_one, err);
}

int cmd_thaw(struct cli *cli, struct err *err)
{
	return targets_each(cli, thaw_one, err);
}

static int destroy_one(struct cli *cli, const struct node *node, const char *name,
		       struct err *err)
{
	const struct stopping whole = { .whole = true };
	own_held held = held_none();
	struct status status;
	bool forced;

	if (hold_left(node, name, "destroy", &held, err) < 0 ||
	    held_status(&held, &status, err) < 0)
		return -1;
	if (status.init && cli_option(cli, "force") &&
	    node_stop(node, &held, &whole, &forced, err) < 0)
		return -1;
	if (node_destroy(node, &held, err) < 0)
		return -1;
	return done(cli, &held.vps, "destroyed", err);
}

int cmd_destroy(struct cli *cli, struct err *err)
{
	char question[200];

	if (cli->args_count == 1)
		str_format(question, sizeof(question), "Destroy '%.63s' with all its data?",
			   cli->args[0]);
	else
		str_format(question, sizeof(question), "Destroy %s with all their data?",
			   cli_option(cli, "all") ? "all VPSs of this node" : "these VPSs");
	if (!cli_confirm(cli, question))
		return fail_as(err, ERR_SYSTEM, "nothing was destroyed");
	return targets_each(cli, destroy_one, err);
}

int cmd_ended(struct cli *cli, struct err *err)
{
	if (cli_expect(cli, 2, 2, err) < 0)
		return -1;
	return node_ended(cli->config, cli->args[0], cli->args[1], err);
}

int cmd_view(struct cli *cli, struct err *err)
{
	if (cli_expect(cli, 0, 0, err) < 0)
		return -1;
	return node_view_keep(cli->config, err);
}

int cmd_event(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	return vps_limits_met(&node, cli->args[0], err);
}

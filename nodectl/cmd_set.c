/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"

/* Fixed when a VPS is made: changing them needs more than writing them down. */
static int refuse_fixed(const struct cli *cli, struct err *err)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		if (vps_fields[i].flags & FIELD_FIXED && cli_option(cli, vps_fields[i].key))
			return fail_as(err, ERR_VALUE,
				       "--%s cannot be changed after create yet",
				       vps_fields[i].key);
	}
	return 0;
}

static void change_tell(const struct field *field, const char *line, void *arg)
{
	struct changing *changing = arg;
	bool later = changing->running && field_waits(field);

	cli_say(changing->cli, "%s: %s%s", changing->vps->name, line,
		later ? " (at the next start)" : "");
	if (changing->json)
		json_array_append_new(changing->json,
				      json_pack("{s:s,s:s,s:b}", "key", field->key, "change",
						line, "pending", later));
}

unsigned changes_tell(struct changing *changing, const struct vps *before)
{
	return vps_changes(before, changing->vps, change_tell, changing);
}

/* What a change that is not made would write into the kernel. */
static int knob_tell(const struct cgroup_knob *knob, void *arg, struct err *err)
{
	struct changing *changing = arg;
	const char *name = changing->vps->name;

	(void)err;
	if (knob->equal)
		return 0;
	cli_say(changing->cli, "%s: would write '%s' to %s/%s (now '%s')", name, knob->want,
		knob->path, knob->name, knob->got ? knob->got : "");
	if (changing->json)
		json_array_append_new(changing->json,
				      json_pack("{s:s++,s:s,s:s?}", "path", knob->path, "/",
						knob->name, "want", knob->want, "got",
						knob->got));
	return 0;
}

static int rate_tell(const struct link_knob *knob, void *arg, struct err *err)
{
	struct changing *changing = arg;

	(void)err;
	if (knob->equal)
		return 0;
	cli_say(changing->cli, "%s: would set %s of %s to '%s' (now '%s')", changing->vps->name,
		knob->name, knob->device, knob->want, knob->got);
	if (changing->json)
		json_array_append_new(changing->json,
				      json_pack("{s:s++,s:s,s:s}", "path", knob->device, " ",
						knob->name, "want", knob->want, "got",
						knob->got));
	return 0;
}

/* The kernel against a definition that it does not have yet. */
static int writes_tell(struct changing *writes, const struct place *place, struct err *err)
{
	struct vps running = vps_as_running(writes->vps, place->was);
	struct limits limits;

	if (runtime_limits(writes->vps, place, &limits, err) < 0 ||
	    cgroup_diff(writes->vps->id, &limits, knob_tell, writes, err) < 0)
		return -1;
	if (runtime_guard_diff(&running, place->bridge, rate_tell, writes, err) < 0)
		return -1;
	return runtime_shape_diff(&running, rate_tell, writes, err);
}

static void disk_tell(const struct node *node, struct changing *writes,
		      const struct vps *before)
{
	const struct vps *after = writes->vps;
	char want[24], got[24];

	if (after->volume.size == before->volume.size)
		return;
	size_print(after->volume.size, want, sizeof(want));
	size_print(before->volume.size, got, sizeof(got));
	own_str path = xasprintf("%s/vps/%s/volume.img", node->storage, after->name);
	cli_say(writes->cli, "%s: would make %s %s (now %s)", after->name, path, want, got);
	if (writes->json)
		json_array_append_new(writes->json, json_pack("{s:s,s:s,s:s}", "path", path,
							      "want", want, "got", got));
}

static int changes_try(const struct node *node, struct changing *changing,
		       const struct held *held, json_t *knobs, enum admission admission,
		       struct err *err)
{
	struct changing writes = *changing;

	writes.json = knobs;
	if (vps_check(node, changing->vps, err) < 0 ||
	    node_disk_check(node, held, changing->vps, admission, err) < 0 ||
	    node_change_check(node, changing->vps, admission, err) < 0)
		return -1;
	(void)changes_tell(changing, &held->vps);
	cli_say(changing->cli, "%s: would write %s/vps/%s/vps.conf", changing->vps->name,
		node->storage, changing->vps->name);
	disk_tell(node, &writes, &held->vps);
	return changing->running ? writes_tell(&writes, &held->place, err) : 0;
}

/* What the options make of it. */
static int change_make(const struct cli *cli, const struct node *node, struct vps *vps,
		       struct wanted *wanted, struct err *err)
{
	own_vps plan = { 0 };
	enum link_mode before = vps->link.mode;
	const char *name = cli_option(cli, "plan");

	*wanted =
	    (struct wanted){ .plan = plan_is_asked(cli), .admission = cli_admission(cli) };
	vps_init(&plan);
	if (wanted->plan && plan_load(node, name ? name : vps->plan, &plan, err) < 0)
		return -1;
	if (name)
		plan_adopt(&plan, vps);
	if (fields_apply(cli, wanted->plan ? &plan : NULL, vps, wanted, err) < 0)
		return -1;
	/* one that gets a network gets an address, as with create */
	if (before == LINK_NONE && vps->link.mode != LINK_NONE &&
	    !link_address(&vps->link, 0) && !cli_option(cli, "ip") && !cli_option(cli, "ip6") &&
	    !wanted->more_count) {
		wanted->auto4 = true;
		wanted->auto6 = node->bridge.ipv6.family != 0;
	}
	return 0;
}

static int set_print(const struct vps *vps, json_t *changes, json_t *knobs, bool dry,
		     struct err *err)
{
	return json_print(json_pack("{s:{s:i,s:s},s:O,s:O,s:b}", "vps", "id", (int)vps->id,
				    "name", vps->name, "changes", changes, "writes", knobs,
				    "dry_run", dry),
			  err);
}

static int set_held(struct cli *cli, const struct node *node, struct held *held,
		    json_t *changes, json_t *knobs, struct err *err)
{
	own_vps changed = { 0 };
	struct wanted wanted;
	struct status status;
	bool dry = cli_option(cli, "dry-run") != NULL;
	struct changing changing = { .cli = cli, .vps = &changed, .json = changes };

	changed = held->vps;
	changed.ssh_keys = held->vps.ssh_keys ? xstrdup(held->vps.ssh_keys) : NULL;
	if (change_make(cli, node, &changed, &wanted, err) < 0)
		return -1;
	if (held_status(held, &status, err) < 0)
		return -1;
	changing.running = status.init != 0;
	/* what the node is to choose is not known yet */
	bool chooses = wanted.auto4 || wanted.auto6 || wanted.more_count;

	if (!chooses && vps_changes(&held->vps, &changed, NULL, NULL) == 0) {
		cli_say(cli, "%s: nothing to change", held->vps.name);
	} else if (dry) {
		if (changes_try(node, &changing, held, knobs, wanted.admission, err) < 0)
			return -1;
	} else {
		held->place.unasked = wanted.admission == ADMIT_FORCED;
		if (node_change(node, held, &changed, &wanted, err) < 0)
			return -1;
		(void)changes_tell(&changing, &held->vps);
	}
	return cli->json ? set_print(&held->vps, changes, knobs, dry, err) : 0;
}

int cmd_set(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_held held = held_none();
	json_t *changes, *knobs;
	int result;

	if (cli_expect(cli, 1, 1, err) < 0 || refuse_fixed(cli, err) < 0 ||
	    node_open(&node, cli->config, err) < 0 ||
	    vps_hold(&node, cli->args[0], "set", &held, err) < 0)
		return -1;
	changes = json_array();
	knobs = json_array();
	result = set_held(cli, &node, &held, changes, knobs, err);
	json_decref(changes);
	json_decref(knobs);
	return result < 0 ? fail_in(err, "%s: set", held.vps.name) : 0;
}

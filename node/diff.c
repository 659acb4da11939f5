/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups.h"
#include "change.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "netns.h"
#include "node.h"
#include "own.h"
#include "runtime.h"
#include "store.h"
#include "str.h"

#define LOCK_MS 5000u

/* One look at a VPS. */
struct look {
	const struct node *node;
	const struct vps *vps;	   /* its definition */
	const struct vps *started; /* the one that it runs with, or NULL when it does not run */
	struct place place;	   /* what looking needs of it */
	const struct network_seen *seen; /* NULL: what the kernel has is read anew */
	void (*each)(const struct difference *difference, void *arg);
	void *arg;
	unsigned count;
};

const char *remedy_name(enum remedy remedy)
{
	switch (remedy) {
	case REMEDY_MEND:
		return "";
	case REMEDY_START:
		return "at the next start";
	case REMEDY_PLAN:
		return "'nodectl plan set' applies it";
	}
	return "";
}

static void tell(struct look *look, const struct difference *difference)
{
	struct difference told = *difference;

	told.vps = look->vps->name;
	look->count++;
	look->each(&told, look->arg);
}

static struct difference knob_difference(const struct cgroup_knob *knob)
{
	return (struct difference){
		.what = knob->name, .where = knob->path, .wants = knob->want, .has = knob->got
	};
}

static struct difference link_difference(const struct link_knob *knob)
{
	return (struct difference){
		.what = knob->name, .where = knob->device, .wants = knob->want, .has = knob->got
	};
}

static int knob_look(const struct cgroup_knob *knob, void *arg, struct err *err)
{
	const struct difference difference = knob_difference(knob);

	(void)err;
	if (!knob->equal)
		tell(arg, &difference);
	return 0;
}

static int link_look(const struct link_knob *knob, void *arg, struct err *err)
{
	const struct difference difference = link_difference(knob);

	(void)err;
	if (!knob->equal)
		tell(arg, &difference);
	return 0;
}

/* A VPS that runs without what only a start makes. */
static int missing(struct look *look, const char *what, struct err *err)
{
	const struct difference difference = {
		.what = what, .where = "", .wants = "there", .remedy = REMEDY_START
	};

	if (err->code != ENOENT && err->code != ENODEV)
		return -1;
	tell(look, &difference);
	return 0;
}

static int limits_look(struct look *look, struct err *err)
{
	struct limits limits;

	if (runtime_limits(look->vps, &look->place, &limits, err) < 0)
		return -1;
	if (cgroup_diff(look->vps->id, &limits, knob_look, look, err) < 0 ||
	    cgroup_diff_policy(look->vps->id, knob_look, look, err) < 0)
		return missing(look, "control group", err);
	return 0;
}

static int limits_mend(const struct held *held, struct err *err)
{
	if (cgroup_mend_policy(held->vps.id, err) < 0)
		return -1;
	return runtime_limit(&held->vps, &held->place, err);
}

static int network_look(struct look *look, struct err *err)
{
	struct vps running = vps_as_running(look->vps, &look->started->link);
	const struct bridge *bridge = &look->node->bridge;

	if (!link_is_wanted(&look->started->link))
		return 0;
	if (link_port_diff(running.id, bridge, &running.link, link_look, look, err) < 0 ||
	    runtime_guard_diff(&running, bridge, link_look, look, err) < 0 ||
	    runtime_shape_diff(&running, link_look, look, err) < 0)
		return missing(look, "interface", err);
	return 0;
}

static int network_mend(const struct vps *vps, const struct place *place, struct err *err)
{
	if (!link_is_wanted(&vps->link) || !link_exists(vps->id))
		return 0;
	/* the guard first, for the port may be set up; its programs may be what is missing */
	if (bridge_ensure(place->bridge, false, err) < 0 ||
	    runtime_guard(vps, place, err) < 0 ||
	    link_port_mend(vps->id, place->bridge, &vps->link, err) < 0)
		return -1;
	return runtime_shape(vps, err);
}

static int forward_tell(const struct nat_entry *entry, bool missing, void *arg, struct err *err)
{
	char what[8 + PUBLISH_TEXT] = "forward ", address[ADDRESS_TEXT];
	char where[8 + BRIDGE_TABLE] = "inet ";
	struct difference difference = { .what = what, .where = where };
	struct look *look = arg;

	(void)err;
	publish_print(&entry->publish, what + strlen(what), PUBLISH_TEXT);
	address_print(&entry->to, false, address, sizeof(address));
	bridge_table(&look->node->bridge, where + strlen(where));
	difference.wants = missing ? address : "none";
	difference.has = missing ? NULL : address;
	tell(look, &difference);
	return 0;
}

static int forwards_look(struct look *look, struct err *err)
{
	struct vps running = vps_as_running(look->vps, &look->started->link);
	const struct network_seen *seen = look->seen;
	own_seen now = NULL;

	if (!seen && network_see(&look->node->bridge, &now, err) < 0)
		return -1;
	seen = seen ? seen : now;
	/* those of an interface that is gone are gone with it */
	if ((link_exists(running.id) &&
	     link_routes_diff(running.id, seen, &running.link, link_look, look, err) < 0) ||
	    wall_diff(running.id, seen, &running.link, link_look, look, err) < 0)
		return -1;
	return nat_diff(running.id, seen, &running.link, forward_tell, look, err);
}

/* Addresses from what it was started with, so that others go; then whatever is missing. */
static int forwards_mend(const struct held *held, const struct vps *vps,
			 const struct node *node, struct err *err)
{
	own_vps started = { 0 };
	struct err ignored;

	if (!link_is_wanted(&vps->link))
		return 0;

	if (bridge_ensure(held->place.bridge, false, err) < 0)
		return -1;
	if (vps_started_load(node, vps->name, &started, &ignored) == 0 &&
	    runtime_network(&started, vps, &held->place, err) < 0)
		return -1;
	if (runtime_network(NULL, vps, &held->place, err) < 0)
		return -1;
	return vps_started_follow(held, &held->vps, err);
}

/* A field's value in words: "1G"; of a list, all of them. */
static char *value_text(const struct vps *vps, const struct field *field)
{
	own_str lines = field_text(vps, field);
	char *text = xstrdup(""), *longer, *rest = lines;

	while (rest && *rest) {
		const char *line = strsep(&rest, "\n"), *value = strstr(line, " = ");

		longer = xasprintf("%s%s%s", text, *text ? ", " : "", value ? value + 3 : line);
		free(text);
		text = longer;
	}
	return text;
}

/* A field of two definitions: is it otherwise in what is wanted? */
static void field_compare(struct look *look, const struct field *field,
			  const struct vps *wanted, const struct vps *has,
			  struct difference *difference)
{
	own_str want = value_text(wanted, field);
	own_str got = value_text(has, field);

	if (strcmp(want, got) == 0)
		return;
	difference->where = "";
	difference->wants = *want ? want : "none";
	difference->has = *got ? got : NULL;
	tell(look, difference);
}

/* What only a start brings, beside what is marked so: the kernel has it from then on. */
static bool is_for_the_start(const struct field *field)
{
	return field->flags & FIELD_RESTART || strcmp(field->key, "digest") == 0;
}

/* Addresses are what the tenant may change inside: what was last set counts. */
static bool is_of_the_network(const struct field *field)
{
	return strcmp(field->key, "ip") == 0 || strcmp(field->key, "ip6") == 0 ||
	       strcmp(field->key, "route") == 0;
}

static int started_look(struct look *look, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < vps_fields_count; i++) {
		struct difference difference = { .what = vps_fields[i].key,
						 .remedy = REMEDY_START };

		if (is_of_the_network(&vps_fields[i]))
			difference.remedy = REMEDY_MEND;
		if (is_for_the_start(&vps_fields[i]) || is_of_the_network(&vps_fields[i]))
			field_compare(look, &vps_fields[i], look->vps, look->started,
				      &difference);
	}
	return 0;
}

/* A plan that was edited changes nothing until it is applied. */
static int plan_look(struct look *look, struct err *err)
{
	struct vps plan, planned = *look->vps;

	vps_init(&plan);
	if (!look->vps->plan[0])
		return 0;
	/* the kernel is looked at also when a plan is gone */
	if (plan_load(look->node, look->vps->plan, &plan, err) < 0) {
		const struct difference unreadable = { .what = "plan",
						       .where = "",
						       .wants = look->vps->plan,
						       .has = err->msg,
						       .remedy = REMEDY_PLAN };

		tell(look, &unreadable);
		return 0;
	}
	plan_adopt(&plan, &planned);
	for (size_t i = 0; i < vps_fields_count; i++) {
		const struct field *field = &vps_fields[i];
		char what[160];
		struct difference difference = { .what = what, .remedy = REMEDY_PLAN };

		if (!(field->flags & FIELD_PLAN))
			continue;
		str_format(what, sizeof(what), "plan %s: %s", look->vps->plan, field->key);
		field_compare(look, field, &planned, look->vps, &difference);
	}
	return 0;
}

static int disk_look(struct look *look, struct err *err)
{
	int settled = volume_is_settled(look->place.dir, &look->vps->volume, err);
	char want[24], got[24];
	bool later = look->started && !volume_grows_live();
	const struct difference difference = { .what = "disk",
					       .where = "",
					       .wants = want,
					       .has = got,
					       .remedy = later ? REMEDY_START : REMEDY_MEND };
	uint64_t size;

	if (settled != 0)
		return settled < 0 ? -1 : 0;
	if (volume_size(look->place.dir, &size, err) < 0)
		return -1;
	size_print(look->vps->volume.size, want, sizeof(want));
	size_print(size, got, sizeof(got));
	tell(look, &difference);
	return 0;
}

static const struct {
	int (*look)(struct look *look, struct err *err);
	bool running; /* there is something to look at only while it runs */
} parts[] = {
	{ plan_look, false },  { started_look, true }, { disk_look, false },
	{ limits_look, true }, { network_look, true }, { forwards_look, true },
};

static int look_once(struct look *look, const char *name, struct err *err)
{
	own_vps vps = { 0 }, started = { 0 };
	struct status status;
	struct err ignored;

	if (vps_load(look->node, name, &vps, err) < 0)
		return -1;
	own_fd dir = vps_dir(look->node, vps.name, err);
	if (dir < 0)
		return -1;
	vps_status(look->node, &vps, &status);
	look->vps = &vps;
	look->started = NULL;
	look->count = 0;
	look->place = (struct place){ .dir = dir, .run = -1, .image = -1, .lock = -1 };
	if (status.init)
		look->started = vps_started_load(look->node, vps.name, &started, &ignored) == 0
				    ? &started
				    : &vps;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].running && !look->started)
			continue;
		if (parts[i].look(look, err) < 0)
			return fail_in(err, "%s", vps.name);
	}
	return 0;
}

static void not_told(const struct difference *difference, void *arg)
{
	(void)difference;
	(void)arg;
}

/* Wait until nobody works on it: what a command is about to change is no drift.  1: somebody
 * did, and is done; 0: nobody did; ERR_LOCKED when he still does. */
static int work_wait(const struct node *node, const char *name, struct err *err)
{
	unsigned long long end = now_ms() + LOCK_MS;
	struct err ignored;
	own_fd dir = vps_dir(node, name, &ignored);
	bool busy = false;

	while (dir >= 0 && lock_is_held(dir, "lock") && now_ms() < end) {
		busy = true;
		usleep(10000);
	}
	if (!busy || now_ms() < end)
		return busy;
	/* who it is */
	own_fd lock = lock_take(dir, "lock", "'nodectl diff'\n", 0, err);
	return lock < 0 ? -1 : 1;
}

int diff_vps(const struct node *node, const char *name, const struct network_seen *seen,
	     void (*each)(const struct difference *difference, void *arg), void *arg,
	     struct err *err)
{
	struct look look = { .node = node, .each = not_told, .seen = seen };
	own_vps vps = { 0 };
	int result, again;

	/* first without a word: an id may have been given, and a lock is by name */
	if (vps_load(node, name, &vps, err) < 0)
		return -1;
	do {
		result = look_once(&look, vps.name, err);
		if (result == 0 && !look.count)
			return 0;
		/* it may have been changed since that was seen */
		again = look.seen ? 1 : work_wait(node, vps.name, err);
		look.seen = NULL;
	} while (again > 0);
	if (result < 0 || again < 0)
		return -1;
	look.each = each;
	look.arg = arg;
	return look_once(&look, vps.name, err);
}

int diff_mend(const struct node *node, const char *name, struct err *err)
{
	own_held held = held_none();
	struct status status;

	if (vps_hold(node, name, "diff", &held, err) < 0 ||
	    held_status(&held, &status, err) < 0)
		return -1;
	if (disk_settle(&held.vps, held.place.dir, status.init != 0, err) < 0)
		return fail_in(err, "%s", held.vps.name);
	if (!status.init)
		return 0;
	struct vps running = vps_as_running(&held.vps, held.place.was);
	if (limits_mend(&held, err) < 0 || network_mend(&running, &held.place, err) < 0 ||
	    forwards_mend(&held, &running, node, err) < 0)
		return fail_in(err, "%s", held.vps.name);
	vps_log(node, held.vps.name, "brought back to its definition");
	return 0;
}

struct node_look {
	void (*each)(const struct difference *difference, void *arg);
	void *arg;
};

static void node_tell(const struct node_look *look, struct difference difference)
{
	difference.vps = "node";
	look->each(&difference, look->arg);
}

static int node_knob_look(const struct cgroup_knob *knob, void *arg, struct err *err)
{
	(void)err;
	if (!knob->equal)
		node_tell(arg, knob_difference(knob));
	return 0;
}

static int bridge_look(const struct link_knob *knob, void *arg, struct err *err)
{
	(void)err;
	if (!knob->equal)
		node_tell(arg, link_difference(knob));
	return 0;
}

int diff_node(const struct node *node,
	      void (*each)(const struct difference *difference, void *arg), void *arg,
	      struct err *err)
{
	struct node_look look = { each, arg };

	if (bridge_diff(&node->bridge, bridge_look, &look, err) < 0)
		return -1;
	return cgroup_diff_node(node_knob_look, &look, err);
}

int diff_mend_node(const struct node *node, struct err *err)
{
	if (if_nametoindex(node->bridge.name) && bridge_ensure(&node->bridge, true, err) < 0)
		return -1;
	return cgroup_mend_node(err);
}

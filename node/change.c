/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "change.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "kinds.h"
#include "lease.h"
#include "ledger.h"
#include "node.h"
#include "own.h"
#include "plan.h"
#include "runtime.h"
#include "store.h"
#include "str.h"

#define VOLUME_MS 15000u /* for the last mount of the volume to be gone */

static int limits_apply(const struct vps *before, const struct vps *after,
			const struct place *place, struct err *err)
{
	(void)before;
	return runtime_limit(after, place, err);
}

static int rates_apply(const struct vps *before, const struct vps *after,
		       const struct place *place, struct err *err)
{
	(void)before;
	(void)place;
	return runtime_shape(after, err);
}

static int guard_apply(const struct vps *before, const struct vps *after,
		       const struct place *place, struct err *err)
{
	(void)before;
	return runtime_guard(after, place, err);
}

/*
 * What a running VPS takes at once.  apply brings the kernel to what @after says, from whatever
 * it is: it is used for going there, for going back, and after a crash.  What it is most likely
 * to be says @before, which is NULL where nobody knows.
 */
static const struct {
	const char *name;
	int (*apply)(const struct vps *before, const struct vps *after,
		     const struct place *place, struct err *err);
} live[] = {
	{ "limits", limits_apply },
	{ "rates", rates_apply },
	{ "network", runtime_network },
	{ "guard", guard_apply },
};

/*
 * The disk is not among them: it grows when that is written down, as it cannot be taken back.
 * Where it cannot grow while it is in use, it does at the next start.
 */
int disk_settle(const struct vps *vps, int dir, bool runs, struct err *err)
{
	int settled;

	if (runs && !volume_grows_live())
		return 0;
	settled = volume_is_settled(dir, &vps->volume, err);
	if (settled)
		return settled < 0 ? -1 : 0;
	return runs ? volume_grow(dir, &vps->volume, err)
		    : volume_settle(dir, &vps->volume, VOLUME_MS, err);
}

/* All or nothing: what was changed before the one that was refused is taken back. */
static int live_change(const struct vps *before, const struct vps *after,
		       const struct place *place, struct err *err)
{
	struct place back = *place;
	struct err again;

	/* the addresses that it had are its own, and nobody else is asked */
	back.unasked = true;
	for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
		if (live[i].apply(before, after, place, err) == 0)
			continue;
		for (size_t j = i + 1; j-- > 0;)
			(void)live[j].apply(after, before, &back, &again);
		return -1;
	}
	return 0;
}

/* Kernel and ledger as the definition says; then the change is over. */
static int by_definition(const struct node *node, const struct held *held, struct err *err)
{
	own_ledger ledger = ledger_none();
	own_vps vps = { 0 };

	if (vps_load(node, held->vps.name, &vps, err) < 0)
		return -1;
	struct vps running = vps_as_running(&vps, held->place.was);
	for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
		if (live[i].apply(NULL, &running, &held->place, err) < 0)
			return fail_in(err, "%s", live[i].name);
	}
	if (disk_settle(&vps, held->place.dir, true, err) < 0)
		return -1;
	if (vps_started_follow(held, &vps, err) < 0 || ledger_open(&ledger, node, err) < 0 ||
	    ledger_begin(&ledger, &vps, err) < 0)
		return -1;
	ledger_end(&ledger, &vps, true);
	(void)unlinkat(held->place.run, "intent", 0);
	return 0;
}

void change_settle(const struct node *node, const struct held *held)
{
	struct err err;

	if (by_definition(node, held, &err) == 0)
		vps_log(node, held->vps.name, "settled a change that was cut off");
	else
		vps_log(node, held->vps.name, "a change was cut off, and is not settled: %s",
			err.msg);
}

/* The definition, and with it the ledger, which others wait for: what waits for the disk is
 * done before and after.  @network: it comes onto one. */
static int commit(const struct node *node, int dir, const struct vps *after, bool network,
		  const struct wanted *wanted, struct ledger *ledger, struct err *err)
{
	own_fd naming = -1;

	/* plan and network are there until we are a definition that uses them */
	if (wanted->plan || network) {
		naming = naming_take(node, "'nodectl set'\n", err);
		if (naming < 0 || (wanted->plan && plan_is_current(node, after, err) < 0) ||
		    (network && node_network_check(node, &after->link.network, err) < 0))
			return -1;
	}
	if (ledger_open(ledger, node, err) < 0 ||
	    ledger_admit(ledger, after, wanted->admission, err) < 0 ||
	    ledger_begin(ledger, after, err) < 0 || vps_put(dir, err) < 0)
		return -1;
	ledger_end(ledger, after, true);
	ledger_close(ledger);
	return 0;
}

static int write_down(const struct node *node, const struct held *held, const struct vps *after,
		      const struct wanted *wanted, struct ledger *ledger, struct err *err)
{
	int dir = held->place.dir;
	bool network = after->link.network.number != held->vps.link.network.number;

	if (vps_stage(dir, after, err) < 0)
		return -1;
	if (commit(node, dir, after, network, wanted, ledger, err) < 0) {
		vps_unstage(dir);
		return -1;
	}
	/* there is no way back: who takes its leases away gives them to two */
	if (dir_sync(dir, ".", err) < 0)
		vps_log(node, after->name, "%s: see to its disk", err->msg);
	return 0;
}

static int reserve(const struct node *node, const struct vps *after,
		   const struct wanted *wanted, struct ledger *ledger, struct err *err)
{
	int result = -1;

	if (ledger_open(ledger, node, err) == 0 &&
	    ledger_admit(ledger, after, wanted->admission, err) == 0)
		result = ledger_reserve(ledger, after, err);
	ledger_close(ledger);
	return result;
}

/* The definition as it was. */
static int write_back(const struct node *node, const struct held *held)
{
	const struct wanted known = { .admission = ADMIT_KNOWN };
	own_ledger ledger = ledger_none();
	struct err ignored;

	return write_down(node, held, &held->vps, &known, &ledger, &ignored);
}

/*
 * The kernel first: what it refuses is not written down.  From the intent on, whoever finds us
 * gone brings kernel and ledger to what the definition says, the old or the new one.
 */
static int change_running(const struct node *node, struct held *held, const struct vps *after,
			  const struct wanted *wanted, struct ledger *ledger, struct err *err)
{
	struct wanted admitted = *wanted;
	own_ledger own = ledger_none();
	struct err again;

	admitted.admission = ADMIT_KNOWN;
	if (file_replace_volatile(held->place.run, "intent", CHANGE_INTENT,
				  strlen(CHANGE_INTENT), 0600, err) < 0)
		return -1;
	if (reserve(node, after, wanted, ledger, err) < 0) {
		(void)unlinkat(held->place.run, "intent", 0);
		return -1;
	}
	struct vps was = vps_as_running(&held->vps, held->place.was);
	struct vps is = vps_as_running(after, held->place.was);
	if (live_change(&was, &is, &held->place, err) == 0 &&
	    write_down(node, held, after, &admitted, &own, err) == 0) {
		ledger_close(&own);
		if (disk_settle(after, held->place.dir, true, err) == 0) {
			/* done it is; what it runs with the next command writes down */
			if (vps_started_follow(held, after, err) < 0)
				return fail_in(err, "it is changed, but its run directory says "
						    "otherwise");
			(void)unlinkat(held->place.run, "intent", 0);
			return 0;
		}
		(void)write_back(node, held);
	}
	ledger_close(&own);
	(void)by_definition(node, held, &again);
	return -1;
}

int node_change_check(const struct node *node, const struct vps *after,
		      enum admission admission, struct err *err)
{
	own_ledger ledger = ledger_none();

	if (ledger_open(&ledger, node, err) < 0)
		return -1;
	return ledger_admit(&ledger, after, admission, err);
}

/*
 * What grows is written down first, what shrinks last: cut off between, the definition has the
 * larger size, and the next start gives it to the disk.
 */
static int change_stopped(const struct node *node, struct held *held, const struct vps *after,
			  const struct wanted *wanted, struct ledger *ledger, struct err *err)
{
	const struct volume *was = &held->vps.volume, *is = &after->volume;
	int dir = held->place.dir;
	struct err again;

	if (is->size < was->size && volume_resize(dir, is, VOLUME_MS, err) < 0)
		return -1;
	if (write_down(node, held, after, wanted, ledger, err) < 0) {
		if (is->size < was->size)
			(void)volume_resize(dir, was, VOLUME_MS, &again);
		return -1;
	}
	ledger_close(ledger);
	if (is->size <= was->size || volume_resize(dir, is, VOLUME_MS, err) == 0)
		return 0;
	(void)write_back(node, held);
	return -1;
}

int node_disk_check(const struct node *node, const struct held *held, const struct vps *after,
		    enum admission admission, struct err *err)
{
	const struct volume *was = &held->vps.volume, *is = &after->volume;

	if (was->size == is->size && was->inodes == is->inodes)
		return 0;
	if (node_change_check(node, after, admission, err) < 0)
		return -1;
	return volume_check(held->place.dir, is, err);
}

struct line {
	char text[400];
	size_t used;
};

static void line_add(const struct field *field, const char *change, void *arg)
{
	struct line *line = arg;

	(void)field;
	if (line->used < sizeof(line->text))
		line->used +=
		    (size_t)snprintf(line->text + line->used, sizeof(line->text) - line->used,
				     "%s%s", line->used ? ", " : "", change);
}

/* Leases are taken before, and given back after: repair finds what is left of one cut off. */
static int change_leased(const struct node *node, struct held *held, struct vps *after,
			 const struct wanted *wanted, struct ledger *ledger, struct err *err)
{
	struct status status;
	struct err again;
	int result;

	if (held_status(held, &status, err) < 0 ||
	    lease_change(node, &held->vps, after, wanted, err) < 0)
		return -1;
	result = status.init ? change_running(node, held, after, wanted, ledger, err)
			     : change_stopped(node, held, after, wanted, ledger, err);
	if (result == 0) {
		(void)lease_shed(node, &held->vps, after, &again);
		return 0;
	}
	/* what is written down decides: taking it back may have failed too */
	own_vps now = { 0 };
	if (vps_load(node, held->vps.name, &now, &again) == 0) {
		(void)lease_shed(node, after, &now, &again);
		(void)lease_shed(node, &held->vps, &now, &again);
	}
	return result;
}

int node_change(const struct node *node, struct held *held, struct vps *after,
		const struct wanted *wanted, struct err *err)
{
	own_ledger ledger = ledger_none();
	struct line line = { 0 };

	if (vps_check(node, after, err) < 0 ||
	    node_disk_check(node, held, after, wanted->admission, err) < 0 ||
	    change_leased(node, held, after, wanted, &ledger, err) < 0)
		return -1;
	ledger_close(&ledger);
	(void)vps_changes(&held->vps, after, line_add, &line);
	vps_log(node, after->name, "changed: %s", line.text);
	ledger_log(&ledger, after->name);
	return 0;
}

/* "memory = 2G"; what is not printed is none. */
static char *change_line(const struct field *field, char *text)
{
	text[strcspn(text, "\n")] = 0;
	if (*text)
		return xstrdup(text);
	if (field->kind == &kind_switch)
		return xasprintf("%s = no", field->key);
	/* of several words the first is the one that is not printed */
	if (field->flags & FIELD_PLAN && strchr(field->argument, '|'))
		return xasprintf("%s = %.*s", field->key, (int)strcspn(field->argument, "|"),
				 field->argument);
	return xasprintf("%s = %s", field->key, field->flags & FIELD_PLAN ? "0" : "none");
}

unsigned vps_changes(const struct vps *before, const struct vps *after,
		     void (*each)(const struct field *field, const char *line, void *arg),
		     void *arg)
{
	unsigned count = 0;

	for (size_t i = 0; i < vps_fields_count; i++) {
		const struct field *field = &vps_fields[i];
		own_str old = field_text(before, field);
		own_str new = field_text(after, field);
		own_str line = NULL;
		bool turned = (before->overrides ^ after->overrides) & field_bit(field);

		/* which keys are its own is told with each of them */
		if (field->offset == offsetof(struct vps, overrides))
			continue;
		if (strcmp(old, new) != 0)
			line = change_line(field, new);
		else if (turned)
			line =
			    xasprintf("%s is %s", field->key,
				      after->overrides & field_bit(field) ? "its own now"
									  : "the plan's now");
		if (!line)
			continue;
		count++;
		if (each)
			each(field, line, arg);
	}
	return count;
}

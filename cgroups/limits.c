/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basis.h"
#include "disk.h"
#include "err.h"
#include "group.h"
#include "knob.h"
#include "own.h"
#include "shrink.h"
#include "sum.h"

/* All knobs of all controllers. */
enum { CHANGES_MAX = 48 };

/* One knob that has another value than before. */
struct change {
	enum controller controller;
	const char *name;
	enum knob_kind kind;
	char old[KNOB_TEXT];
};

/* One VPS on its way from old limits to new ones. */
struct changes {
	const struct hierarchies *hierarchies;
	unsigned id;
	const struct basis *basis;
	const char *library; /* libcgroup's name of the group, or NULL: see struct knob_group */
	bool no_guest;	     /* its group is not there yet */
	struct change done[CHANGES_MAX];
	unsigned count;
};

/*
 * Memory last: it is what is refused most often, and more of it, once given, could not be taken
 * back if something else were refused.
 */
static const enum controller order[] = {
	CONTROLLER_CPUACCT, CONTROLLER_HUGETLB, CONTROLLER_IO,	   CONTROLLER_CPUSET,
	CONTROLLER_PIDS,    CONTROLLER_CPU,	CONTROLLER_MEMORY,
};
_Static_assert(ARRAY_SIZE(order) == CONTROLLER_COUNT, "every controller has its turn");

static void change_note(struct changes *changes, const struct knob *knob, const char *old)
{
	struct change *change = &changes->done[changes->count++];

	/* before Linux 6.2 nobody who has processes can be left without CPUs of his own again
	 */
	if (knob->controller == CONTROLLER_CPUSET && !*old)
		old = changes->basis->all_cpus;

	change->controller = knob->controller;
	change->name = knob->name;
	change->kind = knob->kind;
	strcpy(change->old, old);
}

static bool is_named(const struct knob *knob, const char *name)
{
	return strcmp(knob->name, name) == 0;
}

static int group_of(const struct changes *changes, enum controller controller,
		    const struct limits *limits, struct knob_group *group, struct err *err)
{
	const char *v1 = changes->hierarchies->v1[controller];

	*group = (struct knob_group){
		.version = v1[0] ? 1 : 2,
		.library = changes->library,
		.limits = limits,
	};
	group->dir = group_open(v1[0] ? v1 : changes->hierarchies->unified, changes->id, err);
	return group->dir;
}

/* The sum that this knob is a part of, or SUM_COUNT. */
static enum sum sum_of(const struct changes *changes, const struct knob *knob)
{
	enum sum sum = 0;

	for (; sum < SUM_COUNT; sum++) {
		const char *name = sum_knob(changes->hierarchies, sum);

		if (name && is_named(knob, name))
			break;
	}
	return sum;
}

/* Its parent's goes along. */
static int part_apply(struct changes *changes, const struct knob_group *group,
		      const struct knob *knob, struct err *err)
{
	uint64_t want = knob_bytes(knob->value), old;
	char text[24];

	if (sum_set(changes->hierarchies, sum_of(changes, knob), changes->id, want, &old, err) <
	    0)
		return err->code == ENOENT ? knob_absent(knob, group->limits, err) : -1;
	if (old != want) {
		snprintf(text, sizeof(text), "%" PRIu64, old);
		change_note(changes, knob, text);
	}
	return 0;
}

static int knob_apply(struct changes *changes, const struct knob_group *group,
		      const struct knob *knob, struct err *err)
{
	char old[KNOB_TEXT];
	int changed;

	if (knob_is_guests(knob) && changes->no_guest)
		return 0;
	if (sum_of(changes, knob) < SUM_COUNT)
		return part_apply(changes, group, knob, err);
	if (is_named(knob, "memory.max") && group->limits->memory &&
	    memory_shrink(group->dir, knob_bytes(knob->value), err) < 0)
		return -1;

	changed = knob_set(group, knob, old, err);
	if (changed < 0 && err->code == EBUSY && group->version == 1 &&
	    knob->controller == CONTROLLER_MEMORY) {
		changed = memory_shrink_v1(group->dir, knob->name, knob->value, err);
		changed = changed < 0 ? -1 : 1;
	}
	if (changed > 0)
		change_note(changes, knob, old);
	return changed < 0 ? -1 : 0;
}

/* No hierarchy has the controller. */
static int controller_absent(const struct basis *basis, enum controller controller,
			     struct err *err)
{
	struct knob knobs[KNOB_MAX];
	unsigned count = knobs_plan(basis, controller, 2, knobs);

	for (unsigned i = 0; i < count; i++) {
		if (knob_absent(&knobs[i], basis->limits, err) < 0)
			return -1;
	}
	return 0;
}

static int controller_apply(struct changes *changes, const struct basis *basis,
			    enum controller controller, struct err *err)
{
	const struct hierarchies *hierarchies = changes->hierarchies;
	struct knob knobs[KNOB_MAX];
	struct knob_group group;

	if (!hierarchies->v1[controller][0] && !hierarchies->on_v2[controller])
		return controller_absent(basis, controller, err);

	own_fd dir = group_of(changes, controller, basis->limits, &group, err);
	if (dir < 0)
		return -1;
	unsigned count = knobs_plan(basis, controller, group.version, knobs);
	const char *limit = knob_in_force(controller, group.version);

	if (limit)
		knobs_order(knobs, count, number_read(dir, limit, UINT64_MAX));
	for (unsigned i = 0; i < count; i++) {
		if (knob_apply(changes, &group, &knobs[i], err) < 0)
			return -1;
	}
	return 0;
}

/*
 * v1 limits memory and swap as one sum, so that swap has no limit of its own
 * when memory has none.
 */
static int swap_check(const struct hierarchies *hierarchies, const struct limits *limits,
		      struct err *err)
{
	if (!hierarchies->v1[CONTROLLER_MEMORY][0] || limits->memory ||
	    (limits->accepted & LIMIT_SWAP) || !host_has_swap())
		return 0;
	return fail_as(err, ERR_KERNEL,
		       "this host cannot enforce the limit of swap without one of memory "
		       "(cgroup v1)");
}

/* What is asked of a disk that cannot do it; its knobs are not even planned then. */
static int disk_check(const struct basis *basis, struct err *err)
{
	const struct limits *limits = basis->limits;
	unsigned lacks = disk_lacks(basis->disk) & cgroup_asked(limits) & ~limits->accepted;
	const char *name = limit_name((enum limit)(lacks & -lacks));

	if (!lacks)
		return 0;
	if (!(basis->disk & DISK_KNOWN))
		return fail_as(err, ERR_KERNEL,
			       "this host cannot enforce the limit of %s: it is not known "
			       "which disk the volume lies on",
			       name);
	return fail_as(err, ERR_KERNEL,
		       "this host cannot enforce the limit of %s: disk %u:%u has neither the "
		       "scheduler 'bfq' nor io.cost",
		       name, major(limits->device), minor(limits->device));
}

static int changes_apply(struct changes *changes, const struct limits *limits, struct err *err)
{
	struct basis basis;

	changes->basis = &basis;
	if (basis_make(changes->hierarchies, changes->id, limits, &basis, err) < 0 ||
	    swap_check(changes->hierarchies, limits, err) < 0 || disk_check(&basis, err) < 0)
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		if (controller_apply(changes, &basis, order[i], err) < 0)
			return -1;
	}
	return 0;
}

static void change_undo(const struct changes *changes, const struct change *change)
{
	static const struct limits none;
	struct knob knob = { 0, change->controller, change->kind, change->name, "" };
	struct knob_group group;
	char old[KNOB_TEXT];
	struct err ignored;
	uint64_t was;

	strcpy(knob.value, change->old);
	if (sum_of(changes, &knob) < SUM_COUNT) {
		(void)sum_set(changes->hierarchies, sum_of(changes, &knob), changes->id,
			      knob_bytes(knob.value), &was, &ignored);
		return;
	}
	own_fd dir = group_of(changes, change->controller, &none, &group, &ignored);
	/* what it has taken of more memory meanwhile is not taken back with an OOM kill */
	if (dir < 0 ||
	    (is_named(&knob, "memory.max") &&
	     number_read(dir, "memory.current", UINT64_MAX) > knob_bytes(knob.value)))
		return;
	(void)knob_set(&group, &knob, old, &ignored);
}

int limits_write(const struct hierarchies *hierarchies, unsigned id,
		 const struct limits *limits, struct err *err)
{
	struct changes changes = { .hierarchies = hierarchies, .id = id, .no_guest = true };

	return changes_apply(&changes, limits, err);
}

int limits_write_guest(const struct hierarchies *hierarchies, unsigned id,
		       const struct limits *limits, struct err *err)
{
	struct basis basis = { .limits = limits };
	struct changes changes = { .hierarchies = hierarchies, .id = id, .basis = &basis };
	struct knob knobs[KNOB_MAX];
	unsigned count = knobs_plan(&basis, CONTROLLER_MEMORY, 2, knobs);
	struct knob_group group;

	if (!limits->memory_guaranteed || !hierarchies->on_v2[CONTROLLER_MEMORY])
		return 0;
	own_fd dir = group_of(&changes, CONTROLLER_MEMORY, limits, &group, err);
	if (dir < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		if (knob_is_guests(&knobs[i]) &&
		    knob_apply(&changes, &group, &knobs[i], err) < 0)
			return -1;
	}
	return 0;
}

int limits_change(const struct hierarchies *hierarchies, unsigned id,
		  const struct limits *limits, enum limits_by by, struct err *err)
{
	char name[GROUP_NAME];
	struct changes changes = { .hierarchies = hierarchies, .id = id };

	group_name(id, name);
	if (by == LIMITS_LIBCGROUP && cgroup_init() == 0)
		changes.library = name;
	if (changes_apply(&changes, limits, err) == 0)
		return 0;
	while (changes.count)
		change_undo(&changes, &changes.done[--changes.count]);
	return -1;
}

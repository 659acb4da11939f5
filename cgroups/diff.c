/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "basis.h"
#include "err.h"
#include "group.h"
#include "knob.h"
#include "minimum.h"
#include "own.h"
#include "parent.h"
#include "str.h"

struct comparison {
	const struct limits *limits;
	const char *path;
	int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err);
	void *arg;
};

/* @dir is -1 where no hierarchy has the controller. */
static int knob_compare(const struct comparison *comparison, int dir, const struct knob *knob,
			struct err *err)
{
	struct cgroup_knob result = {
		.path = comparison->path,
		.name = knob->name,
		.want = knob->value,
	};
	char got[KNOB_TEXT];

	if (dir < 0 || knob_read(dir, knob, got, err) < 0) {
		if (dir >= 0 && err->code != ENOENT)
			return -1;
		result.equal = knob_is_needless(knob, comparison->limits);
	} else {
		result.got = got;
		result.equal = knob_matches(knob, got);
	}
	return comparison->each(&result, comparison->arg, err);
}

static int knobs_compare(const struct comparison *comparison, int dir, const struct knob *knobs,
			 unsigned count, struct err *err)
{
	for (unsigned i = 0; i < count; i++) {
		if (knob_compare(comparison, dir, &knobs[i], err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_diff(unsigned id, const struct limits *limits,
		int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		void *arg, struct err *err)
{
	struct hierarchies hierarchies;
	struct knob knobs[KNOB_MAX];
	struct basis basis;

	if (hierarchies_find(&hierarchies, err) < 0 ||
	    basis_make(&hierarchies, id, limits, &basis, err) < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		const char *v1 = hierarchies.v1[i], *mount = v1[0] ? v1 : hierarchies.unified;
		bool is_there = v1[0] || hierarchies.on_v2[i];
		unsigned count = knobs_plan(&basis, i, v1[0] ? 1 : 2, knobs);
		char path[GROUP_PATH];
		struct comparison comparison = { limits, path, each, arg };

		group_path(mount, id, path);
		own_fd dir = is_there ? group_open(mount, id, err) : -1;
		if (is_there && dir < 0)
			return -1;
		if (knobs_compare(&comparison, dir, knobs, count, err) < 0)
			return -1;
	}
	return 0;
}

/* What the parent has to carry for its children: one more knob of it. */
static struct knob minimum_knob(int parent)
{
	struct knob knob = { .controller = CONTROLLER_MEMORY, .name = "memory.min" };

	str_format(knob.value, KNOB_TEXT, "%" PRIu64, minimum_sum(parent));
	return knob;
}

int cgroup_diff_node(int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	static const struct limits none;
	struct hierarchies hierarchies;
	struct knob knobs[PARENT_KNOBS];

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		const char *v1 = hierarchies.v1[i], *mount = v1[0] ? v1 : hierarchies.unified;
		unsigned count = parent_plan(&hierarchies, i, knobs);
		bool has_sum = i == CONTROLLER_MEMORY && hierarchies.on_v2[i];
		char path[GROUP_PATH];
		struct comparison comparison = { &none, path, each, arg };

		own_fd parent = count || has_sum ? group_open_parent(mount, err) : -1;
		if (parent < 0 && (count || has_sum)) {
			/* no VPS has run since the node booted */
			if (err->code != ENOENT)
				return -1;
			continue;
		}
		group_parent_path(mount, path);
		/* or a change under way would look like a wrong sum */
		own_fd locked = has_sum ? minimum_lock(parent, err) : -1;
		if (has_sum && locked < 0)
			return -1;
		if (has_sum)
			knobs[count++] = minimum_knob(parent);
		if (knobs_compare(&comparison, parent, knobs, count, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_mend_node(struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	own_fd parent = group_open_parent(hierarchies.unified, err);
	if (parent < 0)
		return err->code == ENOENT ? 0 : -1;
	if (hierarchies.on_v2[CONTROLLER_MEMORY] && minimum_mend(parent, err) < 0)
		return -1;
	return parent_prepare(&hierarchies, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "basis.h"
#include "err.h"
#include "group.h"
#include "knob.h"
#include "own.h"
#include "parent.h"
#include "str.h"
#include "sum.h"

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

static int parent_compare(const struct hierarchies *hierarchies, enum controller controller,
			  struct comparison *comparison, struct err *err)
{
	const char *v1 = hierarchies->v1[controller];
	const char *mount = v1[0] ? v1 : hierarchies->unified;
	struct knob knobs[PARENT_KNOBS];
	int count = parent_plan(hierarchies, controller, knobs, err);
	char path[GROUP_PATH];

	if (count < 0)
		return -1;
	own_fd parent = count ? group_open_parent(mount, err) : -1;
	/* no VPS has run since the node booted */
	if (parent < 0)
		return count && err->code != ENOENT ? -1 : 0;
	group_parent_path(mount, path);
	comparison->path = path;
	return knobs_compare(comparison, parent, knobs, (unsigned)count, err);
}

static int sum_look(const struct hierarchies *hierarchies, enum sum sum,
		    const struct comparison *comparison, struct err *err)
{
	char path[GROUP_PATH], want_text[24], got_text[24];
	struct cgroup_knob result = { path, sum_knob(hierarchies, sum), want_text, got_text,
				      false };
	uint64_t want, got;

	if (!result.name || sum_compare(hierarchies, sum, &want, &got, err) < 0)
		return result.name && !group_is_gone(err) ? -1 : 0;
	group_parent_path(sum_mount(hierarchies, sum), path);
	str_format(want_text, sizeof(want_text), "%" PRIu64, want);
	str_format(got_text, sizeof(got_text), "%" PRIu64, got);
	result.equal = want == got;
	return comparison->each(&result, comparison->arg, err);
}

int cgroup_diff_node(int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	static const struct limits none;
	struct comparison comparison = { &none, NULL, each, arg };
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		if (parent_compare(&hierarchies, i, &comparison, err) < 0)
			return -1;
	}
	for (enum sum sum = 0; sum < SUM_COUNT; sum++) {
		if (sum_look(&hierarchies, sum, &comparison, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_mend_node(struct err *err)
{
	struct hierarchies hierarchies;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	for (enum sum sum = 0; sum < SUM_COUNT; sum++) {
		if (sum_mend(&hierarchies, sum, err) < 0)
			return -1;
	}
	return parent_prepare(&hierarchies, err);
}

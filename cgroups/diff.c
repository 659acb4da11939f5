/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "knobs.h"
#include "limits.h"
#include "own.h"

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

	if (dir < 0 || knob_read(dir, knob->name, got, sizeof(got), err) < 0) {
		if (dir >= 0 && err->code != ENOENT)
			return -1;
		result.equal = knob_is_needless(knob, comparison->limits);
	} else {
		result.got = got;
		result.equal = knob_matches(knob->value, got);
	}
	return comparison->each(&result, comparison->arg, err);
}

int cgroup_diff(unsigned id, const struct limits *limits,
		int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		void *arg, struct err *err)
{
	struct hierarchies hierarchies;
	struct knob knobs[KNOB_MAX];

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		const char *v1 = hierarchies.v1[i], *mount = v1[0] ? v1 : hierarchies.unified;
		struct comparison comparison = { limits, NULL, each, arg };
		bool is_there = v1[0] || hierarchies.on_v2[i];
		unsigned count = knobs_plan(limits, i, v1[0] ? 1 : 2, knobs);
		char path[GROUP_PATH];

		group_path(mount, id, path);
		comparison.path = path;
		own_fd dir = is_there ? group_open(mount, id, err) : -1;
		if (is_there && dir < 0)
			return -1;
		for (unsigned k = 0; k < count; k++) {
			if (knob_compare(&comparison, dir, &knobs[k], err) < 0)
				return -1;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "knob.h"
#include "own.h"
#include "str.h"

static struct knob knob_of(enum controller controller, const char *name)
{
	return (struct knob){ .controller = controller, .name = name };
}

/* What the root of the hierarchy has, all of it: a CPU that was off for a while comes back. */
static int as_root(const char *mount, struct knob *knob, struct err *err)
{
	own_fd top = dir_open(AT_FDCWD, mount, err);

	if (top < 0 || file_read(top, knob->name, knob->value, KNOB_TEXT, err) < 0)
		return -1;
	knob->value[strcspn(knob->value, "\n")] = 0;
	return 0;
}

int parent_plan(const struct hierarchies *hierarchies, enum controller controller,
		struct knob knobs[PARENT_KNOBS], struct err *err)
{
	const char *v1 = hierarchies->v1[controller];

	if (controller != CONTROLLER_CPUSET || !v1[0])
		return 0;
	knobs[0] = knob_of(controller, "cpuset.mems");
	knobs[1] = knob_of(controller, "cpuset.cpus");
	return as_root(v1, &knobs[0], err) < 0 || as_root(v1, &knobs[1], err) < 0 ? -1 : 2;
}

int parent_prepare(const struct hierarchies *hierarchies, struct err *err)
{
	static const struct limits none;
	struct knob knobs[PARENT_KNOBS];
	char old[KNOB_TEXT];

	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		const char *v1 = hierarchies->v1[i];
		int count = parent_plan(hierarchies, i, knobs, err);

		if (count < 0)
			return -1;
		own_fd dir =
		    count ? group_open_parent(v1[0] ? v1 : hierarchies->unified, err) : -1;
		if (dir < 0) {
			/* no VPS has run since the node booted */
			if (count && err->code != ENOENT)
				return -1;
			continue;
		}
		struct knob_group group = { dir, v1[0] ? 1 : 2, NULL, &none };
		for (int k = 0; k < count; k++) {
			if (knob_set(&group, &knobs[k], old, err) < 0)
				return -1;
		}
	}
	return 0;
}

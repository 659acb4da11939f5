/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy.h"

#include <fcntl.h>
#include <string.h>

#include "cgroups.h"
#include "devices.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "sockets.h"

/* The tenant's own groups: how many, and how deep (group_remove() can go deeper). */
static const struct {
	const char *name, *value;
} rows[] = {
	{ "cgroup.max.descendants", "1024" },
	{ "cgroup.max.depth", "16" },
};

int policy_apply(int outer, struct err *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (file_write(outer, rows[i].name, rows[i].value, err) < 0)
			return -1;
	}
	return devices_attach(outer, err) < 0 ? -1 : sockets_attach(outer, err);
}

static void program_compare(struct cgroup_knob *knob, const char *name, bool attached)
{
	knob->name = name;
	knob->want = "attached";
	knob->got = attached ? "attached" : "none";
	knob->equal = attached;
}

int cgroup_diff_policy(unsigned id,
		       int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	struct hierarchies hierarchies;
	char path[GROUP_PATH], got[64];
	struct cgroup_knob knob = { .path = path };
	bool attached;

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	group_path(hierarchies.unified, id, path);
	own_fd outer = group_open(hierarchies.unified, id, err);
	if (outer < 0)
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (file_read(outer, rows[i].name, got, sizeof(got), err) < 0)
			return -1;
		got[strcspn(got, "\n")] = 0;
		knob.name = rows[i].name;
		knob.want = rows[i].value;
		knob.got = got;
		knob.equal = strcmp(got, rows[i].value) == 0;
		if (each(&knob, arg, err) < 0)
			return -1;
	}
	if (devices_attached(outer, &attached, err) < 0)
		return -1;
	program_compare(&knob, "device policy", attached);
	if (each(&knob, arg, err) < 0)
		return -1;
	program_compare(&knob, "socket policy", sockets_attached(outer));
	return each(&knob, arg, err);
}

int cgroup_mend_policy(unsigned id, struct err *err)
{
	own_fd outer = group_open_unified(id, err);

	return outer < 0 ? -1 : policy_apply(outer, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"

unsigned id_of_cgroup_text(const char *text)
{
	for (const char *line = text; *line; line += strspn(line, "\n")) {
		const char *end = line + strcspn(line, "\n");
		const char *path = memchr(line, ':', (size_t)(end - line));

		path = path ? memchr(path + 1, ':', (size_t)(end - path - 1)) : NULL;
		if (path) {
			unsigned id = group_id(path + 1);

			if (id)
				return id;
		}
		line = end;
	}
	return 0;
}

unsigned cgroup_of(pid_t pid)
{
	char path[64];
	struct err ignored;

	str_format(path, sizeof(path), "/proc/%d/cgroup", pid);
	/* a line can be as long as the groups that a guest nests */
	own_str text = file_slurp(AT_FDCWD, path, 1 << 20, &ignored);
	return text ? id_of_cgroup_text(text) : 0;
}

struct ids {
	unsigned *ids;
	size_t count;
};

static int id_note(int dir, const char *name, void *arg, struct err *err)
{
	struct ids *found = arg;
	unsigned id = group_id_of_name(name);

	(void)dir;
	(void)err;
	if (!id)
		return 0;
	/* room doubles at each power of two */
	if ((found->count & (found->count + 1)) == 0)
		found->ids = xrealloc(found->ids, (2 * found->count + 1) * sizeof(*found->ids));
	found->ids[found->count++] = id;
	return 0;
}

static int id_compare(const void *a, const void *b)
{
	unsigned one = *(const unsigned *)a, other = *(const unsigned *)b;

	return (one > other) - (one < other);
}

static int ids_collect(const struct hierarchies *hierarchies, struct ids *found,
		       struct err *err)
{
	for (unsigned i = 0; i <= CONTROLLER_COUNT; i++) {
		const char *mount = hierarchy_at(hierarchies, i);

		own_fd parent = mount ? group_open_parent(mount, err) : -1;
		if (mount && parent < 0 && err->code != ENOENT)
			return -1;
		if (parent >= 0 && group_children(parent, id_note, found, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_each(int (*each)(unsigned id, void *arg, struct err *err), void *arg,
		struct err *err)
{
	struct hierarchies hierarchies;
	struct ids found = { 0 };
	int result = hierarchies_find(&hierarchies, err);

	if (result == 0)
		result = ids_collect(&hierarchies, &found, err);
	if (result == 0 && found.count)
		qsort(found.ids, found.count, sizeof(*found.ids), id_compare);
	for (size_t i = 0; result == 0 && i < found.count; i++) {
		if (i == 0 || found.ids[i] != found.ids[i - 1])
			result = each(found.ids[i], arg, err);
	}
	free(found.ids);
	return result < 0 ? -1 : 0;
}

bool cgroup_exists(unsigned id)
{
	struct hierarchies hierarchies;
	struct err ignored;

	if (hierarchies_find(&hierarchies, &ignored) < 0)
		return false;
	for (unsigned i = 0; i <= CONTROLLER_COUNT; i++) {
		const char *mount = hierarchy_at(&hierarchies, i);
		own_fd group = mount ? group_open(mount, id, &ignored) : -1;

		if (group >= 0)
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hierarchy.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* By version: v1, v2. */
static const char *const names[][2] = {
	[CONTROLLER_CPU] = { "cpu", "cpu" },
	[CONTROLLER_MEMORY] = { "memory", "memory" },
	[CONTROLLER_PIDS] = { "pids", "pids" },
	[CONTROLLER_IO] = { "blkio", "io" },
	[CONTROLLER_CPUSET] = { "cpuset", "cpuset" },
	[CONTROLLER_HUGETLB] = { "hugetlb", "hugetlb" },
	[CONTROLLER_CPUACCT] = { "cpuacct", "cpu" },
};
_Static_assert(ARRAY_SIZE(names) == CONTROLLER_COUNT, "one name for each controller");

/* Where systemd, and everybody since, mounts cgroup2 on a host without v1. */
static const char usual[] = "/sys/fs/cgroup";

const char *controller_name(enum controller controller, unsigned version)
{
	return names[controller][version - 1];
}

bool list_has(const char *list, const char *word, char separator)
{
	const char ends[] = { separator, '\n', 0 };
	size_t len = strlen(word);

	while (*list) {
		size_t word_len = strcspn(list, ends);

		if (word_len == len && memcmp(list, word, len) == 0)
			return true;
		list += word_len;
		list += strspn(list, ends);
	}
	return false;
}

bool flat_value(const char *text, const char *key, uint64_t *value)
{
	size_t len = strlen(key);

	for (const char *line = text; *line; line += strspn(line, "\n")) {
		if (strncmp(line, key, len) == 0 && line[len] == ' ') {
			*value = strtoull(line + len + 1, NULL, 10);
			return true;
		}
		line += strcspn(line, "\n");
	}
	return false;
}

static void mount_note(struct hierarchies *hierarchies, const char *type, const char *path,
		       const char *options)
{
	if (strcmp(type, "cgroup2") == 0 && !hierarchies->unified[0])
		str_format(hierarchies->unified, MOUNT_PATH, "%s", path);
	if (strcmp(type, "cgroup") != 0)
		return;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		if (!hierarchies->v1[i][0] && list_has(options, controller_name(i, 1), ','))
			str_format(hierarchies->v1[i], MOUNT_PATH, "%s", path);
	}
}

/*
 * "31 23 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu" (proc(5)).
 * Only whole hierarchies count: another root than "/" is a part that somebody
 * bound elsewhere.  A path with an escape in it or too long is not one of ours.
 */
static void line_parse(const char *line, struct hierarchies *hierarchies)
{
	char root[8], path[MOUNT_PATH], type[16], options[256];
	const char *rest = strstr(line, " - cgroup");

	if (!rest || sscanf(line, "%*s %*s %*s %7s %127s", root, path) != 2 ||
	    sscanf(rest, " - %15s %*s %255s", type, options) != 2)
		return;
	if (strcmp(root, "/") == 0 && !strchr(path, '\\') && strlen(path) < MOUNT_PATH - 1)
		mount_note(hierarchies, type, path, options);
}

void hierarchies_parse(const char *mountinfo, struct hierarchies *hierarchies)
{
	char line[1024];

	for (const char *at = mountinfo; *at; at += strspn(at, "\n")) {
		size_t len = strcspn(at, "\n");

		if (len < sizeof(line)) {
			memcpy(line, at, len);
			line[len] = 0;
			line_parse(line, hierarchies);
		}
		at += len;
	}
}

static int unified_look(struct hierarchies *hierarchies, struct err *err)
{
	char path[MOUNT_PATH + 32], list[512];

	str_format(path, sizeof(path), "%s/cgroup.controllers", hierarchies->unified);
	if (file_read(AT_FDCWD, path, list, sizeof(list), err) < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
		hierarchies->on_v2[i] = list_has(list, controller_name(i, 2), ' ');
	return 0;
}

/*
 * A node that is all cgroup2 is known by two looks; mountinfo, which grows with
 * every mount of the host, is read on a hybrid host only.
 */
static bool is_pure(struct hierarchies *hierarchies)
{
	struct statfs statfs_usual;
	struct err err;

	if (statfs(usual, &statfs_usual) < 0 || statfs_usual.f_type != CGROUP2_SUPER_MAGIC)
		return false;
	str_format(hierarchies->unified, MOUNT_PATH, "%s", usual);
	if (unified_look(hierarchies, &err) < 0)
		return false;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		if (!hierarchies->on_v2[i])
			return false;
	}
	return true;
}

int hierarchies_find(struct hierarchies *hierarchies, struct err *err)
{
	*hierarchies = (struct hierarchies){ 0 };
	if (is_pure(hierarchies))
		return 0;

	*hierarchies = (struct hierarchies){ 0 };
	own_str mountinfo = file_slurp(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, err);
	if (!mountinfo)
		return -1;
	hierarchies_parse(mountinfo, hierarchies);
	if (!hierarchies->unified[0])
		return fail_as(err, ERR_KERNEL, "no cgroup2 file system is mounted");
	return unified_look(hierarchies, err);
}

const char *hierarchy_at(const struct hierarchies *hierarchies, unsigned i)
{
	if (i == 0)
		return hierarchies->unified[0] ? hierarchies->unified : NULL;

	const char *path = hierarchies->v1[i - 1];

	if (!path[0])
		return NULL;
	for (unsigned before = 0; before < i - 1; before++) {
		if (strcmp(hierarchies->v1[before], path) == 0)
			return NULL;
	}
	return path;
}

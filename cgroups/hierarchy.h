/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/* The controllers that carry a limit of ours; and one that on v1 counts what a VPS uses of each
 * CPU, which lxcfs shows in /proc/stat. */
enum controller {
	CONTROLLER_CPU,
	CONTROLLER_MEMORY,
	CONTROLLER_PIDS,
	CONTROLLER_IO, /* "blkio" on v1 */
	CONTROLLER_CPUSET,
	CONTROLLER_HUGETLB,
	CONTROLLER_CPUACCT, /* part of "cpu" on v2 */
	CONTROLLER_COUNT,
};

enum { MOUNT_PATH = 128, GROUP_NAME = 32, GROUP_PATH = MOUNT_PATH + GROUP_NAME };

/* Where this host has its hierarchies; a path is "" where there is none. */
struct hierarchies {
	char unified[MOUNT_PATH];	       /* the cgroup2 mount */
	char v1[CONTROLLER_COUNT][MOUNT_PATH]; /* the v1 mount a controller is bound to */
	bool on_v2[CONTROLLER_COUNT];	       /* cgroup2 has it */
};

/* What a hierarchy of that version, 1 or 2, calls it. */
const char *controller_name(enum controller controller, unsigned version);

/* Look at the host.  No cgroup2 mount is ERR_KERNEL: kill, freeze and device policy are there.
 */
int hierarchies_find(struct hierarchies *hierarchies, struct err *err);

/* The part of it that reads /proc/self/mountinfo, given as text; fills unified and v1. */
void hierarchies_parse(const char *mountinfo, struct hierarchies *hierarchies);

/*
 * The @i-th hierarchy that may hold groups of ours, cgroup2 first, for i in
 * 0..CONTROLLER_COUNT; NULL where there is none.  One that controllers share
 * ("cpu,cpuacct") comes once.
 */
const char *hierarchy_at(const struct hierarchies *hierarchies, unsigned i);

/* Is @word among the words of @list, separated by @separator or a new line? */
bool list_has(const char *list, const char *word, char separator);

/* The number after "key " in a flat-keyed file of the kernel; false when there is none. */
bool flat_value(const char *text, const char *key, uint64_t *value);

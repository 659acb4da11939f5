/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"

enum { FIGURES_PER_FILE = 2 };

/*
 * Where each figure is read, per version of the hierarchy that has its
 * controller.  @key is NULL where the file is a bare number.  CPU time is in
 * cgroup2 always: its cpu.stat counts without any controller.
 */
static const struct source {
	enum controller controller;
	unsigned version; /* 0: in cgroup2, wherever the controller is */
	const char *file;
	struct {
		const char *key;
		size_t offset;
		unsigned divisor;
	} figures[FIGURES_PER_FILE];
} sources[] = {
#define FIGURE(field) offsetof(struct cgroup_usage, field)
	{ CONTROLLER_CPU,
	  0,
	  "cpu.stat",
	  { { "usage_usec", FIGURE(cpu_usec), 1 },
	    { "throttled_usec", FIGURE(throttled_usec), 1 } } },
	{ CONTROLLER_CPU,
	  1,
	  "cpu.stat",
	  { { "throttled_time", FIGURE(throttled_usec), 1000 } } },
	{ CONTROLLER_MEMORY, 2, "memory.current", { { NULL, FIGURE(memory), 1 } } },
	{ CONTROLLER_MEMORY, 2, "memory.peak", { { NULL, FIGURE(memory_peak), 1 } } },
	{ CONTROLLER_MEMORY, 2, "memory.swap.current", { { NULL, FIGURE(swap), 1 } } },
	{ CONTROLLER_MEMORY, 2, "memory.events", { { "oom_kill", FIGURE(oom_kills), 1 } } },
	{ CONTROLLER_MEMORY, 1, "memory.usage_in_bytes", { { NULL, FIGURE(memory), 1 } } },
	{ CONTROLLER_MEMORY,
	  1,
	  "memory.max_usage_in_bytes",
	  { { NULL, FIGURE(memory_peak), 1 } } },
	{ CONTROLLER_MEMORY, 1, "memory.memsw.usage_in_bytes", { { NULL, FIGURE(swap), 1 } } },
	{ CONTROLLER_MEMORY,
	  1,
	  "memory.oom_control",
	  { { "oom_kill", FIGURE(oom_kills), 1 } } },
	{ CONTROLLER_PIDS, 1, "pids.current", { { NULL, FIGURE(tasks), 1 } } },
	{ CONTROLLER_PIDS, 2, "pids.current", { { NULL, FIGURE(tasks), 1 } } },
#undef FIGURE
};

/* A file that this kernel does not have leaves its figures 0. */
static void source_read(int dir, const struct source *source, struct cgroup_usage *usage)
{
	char text[4096];
	struct err ignored;

	if (file_read(dir, source->file, text, sizeof(text), &ignored) < 0)
		return;
	for (unsigned i = 0; i < FIGURES_PER_FILE && source->figures[i].divisor; i++) {
		const char *key = source->figures[i].key;
		uint64_t value = strtoull(text, NULL, 10);

		if (!key || flat_value(text, key, &value))
			*(uint64_t *)((char *)usage + source->figures[i].offset) =
			    value / source->figures[i].divisor;
	}
}

static void sources_read(int dir, enum controller controller, unsigned version,
			 struct cgroup_usage *usage)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
		if (sources[i].controller == controller && sources[i].version == version)
			source_read(dir, &sources[i], usage);
	}
}

int cgroup_usage(unsigned id, struct cgroup_usage *usage, struct err *err)
{
	struct hierarchies hierarchies;
	struct cgroup_usage found = { 0 };

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;

	own_fd outer = group_open(hierarchies.unified, id, err);
	if (outer < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		struct err ignored;
		const char *v1 = hierarchies.v1[i];
		own_fd bound = v1[0] ? group_open(v1, id, &ignored) : -1;

		sources_read(outer, i, 0, &found);
		sources_read(v1[0] ? bound : outer, i, v1[0] ? 1 : 2, &found);
		/* v1 counts memory and swap as one sum */
		if (i == CONTROLLER_MEMORY && v1[0])
			found.swap = found.swap > found.memory ? found.swap - found.memory : 0;
	}
	*usage = found;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "group.h"
#include "hierarchy.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define FIGURE(field) offsetof(struct cgroup_usage, field)
#define TEXT_MAX      16384

static const struct figure cpu_stat[] = {
	{ "usage_usec", FIGURE(cpu_usec), 1 },
	{ "user_usec", FIGURE(user_usec), 1 },
	{ "system_usec", FIGURE(system_usec), 1 },
	{ "nr_periods", FIGURE(periods), 1 },
	{ "nr_throttled", FIGURE(throttled), 1 },
	{ "throttled_usec", FIGURE(throttled_usec), 1 },
	{ 0 },
};
static const struct figure cpu_stat_v1[] = {
	{ "nr_periods", FIGURE(periods), 1 },
	{ "nr_throttled", FIGURE(throttled), 1 },
	{ "throttled_time", FIGURE(throttled_usec), 1000 },
	{ 0 },
};
static const struct figure state[] = {
	{ "populated", FIGURE(populated), 1 },
	{ "frozen", FIGURE(frozen), 1 },
	{ 0 },
};
static const struct figure memory[] = { { NULL, FIGURE(memory), 1 }, { 0 } };
static const struct figure memory_peak[] = { { NULL, FIGURE(memory_peak), 1 }, { 0 } };
static const struct figure swap[] = { { NULL, FIGURE(swap), 1 }, { 0 } };
static const struct figure memory_stat[] = {
	{ "anon", FIGURE(anon), 1 },
	{ "file", FIGURE(file), 1 },
	{ "kernel", FIGURE(kernel), 1 },
	{ "workingset_refault_anon", FIGURE(refaults), 1 },
	{ "workingset_refault_file", FIGURE(refaults), 1 },
	{ "pgmajfault", FIGURE(major_faults), 1 },
	{ "pgsteal", FIGURE(reclaimed), 1 },
	{ 0 },
};
static const struct figure memory_stat_v1[] = {
	{ "total_rss", FIGURE(anon), 1 },
	{ "total_cache", FIGURE(file), 1 },
	{ "total_workingset_refault_anon", FIGURE(refaults), 1 },
	{ "total_workingset_refault_file", FIGURE(refaults), 1 },
	{ "total_pgmajfault", FIGURE(major_faults), 1 },
	{ 0 },
};
static const struct figure memory_events[] = {
	{ "high", FIGURE(highs), 1 },
	{ "max", FIGURE(maxes), 1 },
	{ "oom", FIGURE(ooms), 1 },
	{ "oom_kill", FIGURE(oom_kills), 1 },
	{ 0 },
};
static const struct figure failcnt[] = { { NULL, FIGURE(maxes), 1 }, { 0 } };
static const struct figure oom_control[] = { { "oom_kill", FIGURE(oom_kills), 1 }, { 0 } };
static const struct figure tasks[] = { { NULL, FIGURE(tasks), 1 }, { 0 } };
static const struct figure pids_events[] = { { "max", FIGURE(refused), 1 }, { 0 } };

enum text { TEXT_FIGURES, TEXT_PRESSURE, TEXT_IO, TEXT_BLKIO_BYTES, TEXT_BLKIO_OPS };

/* cgroup2, wherever the controller is: CPU time and PSI need none. */
#define UNIFIED 0

/* Where each figure is read, by the version of the hierarchy that has its controller. */
static const struct source {
	unsigned part;
	enum controller controller;
	unsigned version; /* 1, 2, or UNIFIED */
	const char *file;
	enum text text;
	const struct figure *figures; /* of TEXT_FIGURES */
	size_t pressure;	      /* of TEXT_PRESSURE */
} sources[] = {
#define ROW(part, controller, version, file, figures)                                          \
	{                                                                                      \
		part, controller, version, file, TEXT_FIGURES, figures, 0                      \
	}
#define PSI(file, field)                                                                       \
	{                                                                                      \
		USAGE_PRESSURE, CONTROLLER_CPU, UNIFIED, file, TEXT_PRESSURE, NULL,            \
		    FIGURE(field)                                                              \
	}
#define DISK(version, file, text)                                                              \
	{                                                                                      \
		USAGE_IO, CONTROLLER_IO, version, file, text, NULL, 0                          \
	}
	ROW(USAGE_CPU, CONTROLLER_CPU, UNIFIED, "cpu.stat", cpu_stat),
	ROW(USAGE_CPU, CONTROLLER_CPU, 1, "cpu.stat", cpu_stat_v1),
	ROW(USAGE_STATE, CONTROLLER_CPU, UNIFIED, "cgroup.events", state),
	ROW(USAGE_MEMORY, CONTROLLER_MEMORY, 2, "memory.current", memory),
	ROW(USAGE_PEAK, CONTROLLER_MEMORY, 2, "memory.peak", memory_peak),
	ROW(USAGE_MEMORY, CONTROLLER_MEMORY, 2, "memory.swap.current", swap),
	ROW(USAGE_MEMORY, CONTROLLER_MEMORY, 1, "memory.usage_in_bytes", memory),
	ROW(USAGE_PEAK, CONTROLLER_MEMORY, 1, "memory.max_usage_in_bytes", memory_peak),
	ROW(USAGE_MEMORY, CONTROLLER_MEMORY, 1, "memory.memsw.usage_in_bytes", swap),
	ROW(USAGE_STAT, CONTROLLER_MEMORY, 2, "memory.stat", memory_stat),
	ROW(USAGE_STAT, CONTROLLER_MEMORY, 1, "memory.stat", memory_stat_v1),
	ROW(USAGE_EVENTS, CONTROLLER_MEMORY, 2, "memory.events", memory_events),
	ROW(USAGE_EVENTS, CONTROLLER_MEMORY, 1, "memory.failcnt", failcnt),
	ROW(USAGE_EVENTS, CONTROLLER_MEMORY, 1, "memory.oom_control", oom_control),
	ROW(USAGE_EVENTS, CONTROLLER_PIDS, 1, "pids.events", pids_events),
	ROW(USAGE_TASKS, CONTROLLER_PIDS, 1, "pids.current", tasks),
	ROW(USAGE_TASKS, CONTROLLER_PIDS, 2, "pids.current", tasks),
	DISK(2, "io.stat", TEXT_IO),
	DISK(1, "blkio.throttle.io_service_bytes_recursive", TEXT_BLKIO_BYTES),
	DISK(1, "blkio.throttle.io_serviced_recursive", TEXT_BLKIO_OPS),
	PSI("cpu.pressure", cpu_pressure),
	PSI("memory.pressure", memory_pressure),
	PSI("io.pressure", io_pressure),
#undef ROW
#undef PSI
#undef DISK
};

/*
 * One read(2): the kernel makes such a file's text whole at the first, and hands out as much as
 * there is room for.
 */
static bool text_read(int dir, const char *path, char *text, size_t size)
{
	own_fd fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	if (len < 0)
		return false;
	text[len] = 0;
	return true;
}

/*
 * A loop device, and one that has others below it, hands on what it is given, and the kernel
 * counts that there once more, for the same group.
 */
static bool disk_is_lowest(unsigned major, unsigned minor)
{
	char path[64];
	DIR *slaves;
	int below = 0;

	if (major == LOOP_MAJOR)
		return false;
	str_format(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major, minor);
	slaves = opendir(path);
	while (slaves && readdir(slaves))
		below++;
	if (slaves)
		closedir(slaves);
	/* "." and ".." */
	return below <= 2;
}

static bool disk_counts(unsigned major, unsigned minor, void *arg)
{
	struct cgroup_reader *reader = arg;
	bool counts;

	for (unsigned i = 0; i < reader->disks; i++) {
		if (reader->disk[i].major == major && reader->disk[i].minor == minor)
			return reader->disk[i].counts;
	}
	counts = disk_is_lowest(major, minor);
	if (reader->disks < ARRAY_SIZE(reader->disk)) {
		reader->disk[reader->disks].major = major;
		reader->disk[reader->disks].minor = minor;
		reader->disk[reader->disks++].counts = counts;
	}
	return counts;
}

static void source_parse(struct cgroup_reader *reader, const struct source *source,
			 const char *text, struct cgroup_usage *usage)
{
	const struct disk_filter filter = { disk_counts, reader };

	switch (source->text) {
	case TEXT_FIGURES:
		figures_parse(text, source->figures, usage);
		return;
	case TEXT_PRESSURE:
		pressure_parse(text, (struct pressure *)((char *)usage + source->pressure));
		return;
	case TEXT_IO:
		io_stat_parse(text, &filter, usage);
		return;
	case TEXT_BLKIO_BYTES:
		blkio_parse(text, &filter, &usage->read.bytes, &usage->written.bytes);
		return;
	case TEXT_BLKIO_OPS:
		blkio_parse(text, &filter, &usage->read.ops, &usage->written.ops);
		return;
	}
}

/* The hierarchy to read @source in, or -1 when it is of another version than this host's. */
static int source_parent(const struct cgroup_reader *reader, const struct source *source)
{
	int bound = reader->parent[1 + source->controller];

	if (source->version == UNIFIED)
		return reader->parent[0];
	if (source->version == 1)
		return bound;
	return bound < 0 && reader->on_v2[source->controller] ? reader->parent[0] : -1;
}

static int refused_below(int dir, const char *name, void *arg, struct err *err)
{
	uint64_t value, *sum = arg;
	char text[128];

	/* groups come and go while we look */
	own_fd group = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (group < 0)
		return 0;
	if (text_read(group, "pids.events", text, sizeof(text)) &&
	    flat_value(text, "max", &value))
		*sum = (*sum == FIGURE_UNKNOWN ? 0 : *sum) + value;
	return group_children(group, refused_below, arg, err);
}

/*
 * Linux counts a refused fork in the group whose limit refused it since 6.11, which has
 * pids.events.local too, and before that in the one of the process that forked.
 */
static uint64_t refused_read(int parent, const char *name)
{
	uint64_t refused = FIGURE_UNKNOWN;
	char path[64], text[128];
	struct err ignored;

	str_format(path, sizeof(path), "%s/pids.events.local", name);
	if (!text_read(parent, path, text, sizeof(text)))
		(void)refused_below(parent, name, &refused, &ignored);
	else
		(void)flat_value(text, "max", &refused);
	return refused;
}

int cgroup_read(struct cgroup_reader *reader, unsigned id, unsigned parts,
		struct cgroup_usage *usage, struct err *err)
{
	struct cgroup_usage found;
	char name[16], path[96], text[TEXT_MAX];
	struct stat stat;

	/* all bits set: each figure of it is FIGURE_UNKNOWN */
	memset(&found, 0xff, sizeof(found));
	str_format(name, sizeof(name), "%u", id);
	if (fstatat(reader->parent[0], name, &stat, 0) < 0)
		return fail(err, errno, "cannot open the group of %u", id);
	if (parts & USAGE_STATE)
		found.group = stat.st_ino;

	for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
		int parent = parts & sources[i].part ? source_parent(reader, &sources[i]) : -1;

		str_format(path, sizeof(path), "%s/%s", name, sources[i].file);
		if (parent >= 0 && text_read(parent, path, text, sizeof(text)))
			source_parse(reader, &sources[i], text, &found);
	}
	if (parts & USAGE_EVENTS && reader->parent[1 + CONTROLLER_PIDS] < 0 &&
	    reader->on_v2[CONTROLLER_PIDS])
		found.refused = refused_read(reader->parent[0], name);

	/* v1 counts memory and swap as one sum */
	if (reader->parent[1 + CONTROLLER_MEMORY] >= 0 && found.swap != FIGURE_UNKNOWN)
		found.swap = found.swap > found.memory ? found.swap - found.memory : 0;
	*usage = found;
	return 0;
}

void cgroup_reader_close(struct cgroup_reader *reader)
{
	for (unsigned i = 0; i < ARRAY_SIZE(reader->parent); i++) {
		own_close(&reader->parent[i]);
		reader->parent[i] = -1;
	}
}

_Static_assert(ARRAY_SIZE(((struct cgroup_reader *)0)->on_v2) >= CONTROLLER_COUNT,
	       "room for each controller");
_Static_assert(ARRAY_SIZE(((struct cgroup_reader *)0)->parent) >= 1 + CONTROLLER_COUNT,
	       "and for cgroup2");

struct cgroup_reader cgroup_reader_none(void)
{
	struct cgroup_reader reader = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(reader.parent); i++)
		reader.parent[i] = -1;
	return reader;
}

int cgroup_reader_open(struct cgroup_reader *reader, struct err *err)
{
	struct hierarchies hierarchies;
	struct err ignored;

	*reader = cgroup_reader_none();
	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	reader->parent[0] = group_open_parent(hierarchies.unified, err);
	if (reader->parent[0] < 0)
		return -1;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
		const char *v1 = hierarchies.v1[i];

		reader->on_v2[i] = hierarchies.on_v2[i];
		if (v1[0])
			reader->parent[1 + i] = group_open_parent(v1, &ignored);
	}
	return 0;
}

int cgroup_usage(unsigned id, unsigned parts, struct cgroup_usage *usage, struct err *err)
{
	own_reader reader;

	if (cgroup_reader_open(&reader, err) < 0)
		return -1;
	return cgroup_read(&reader, id, parts, usage, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "own.h"
#include "str.h"
#include "view.h"

/* What a VPS uses of what it may use: the columns and the JSON of `usage`. */

static void name_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->name);
}

static json_t *name_json(const struct view *v)
{
	return json_string(v->vps->name);
}

static void state_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", state_name(v->status.state));
}

static json_t *state_json(const struct view *v)
{
	return json_string(state_name(v->status.state));
}

static double part_of(uint64_t some, uint64_t all)
{
	if (some == FIGURE_UNKNOWN || all == FIGURE_UNKNOWN)
		return -1;
	return all ? (double)some / (double)all : 0;
}

static int64_t uptime(const struct view *v)
{
	int64_t seconds = time(NULL) - v->status.started;

	return v->status.init && seconds > 0 ? seconds : 0;
}

static void uptime_text(const struct view *v, char *text, size_t size)
{
	if (v->status.init)
		seconds_human((uint64_t)uptime(v), text, size);
	else
		snprintf(text, size, "-");
}

static json_t *uptime_json(const struct view *v)
{
	return json_integer(uptime(v));
}

/* Of the time that its cap has given it since it started. */
static double of_cap(const struct view *v)
{
	uint64_t given = (uint64_t)uptime(v) * v->vps->limits.cpus * 10000;

	return v->vps->limits.cpus ? part_of(v->usage.cpu_usec, given) : -1;
}

static void cap_text(const struct view *v, char *text, size_t size)
{
	part_text(of_cap(v), text, size);
}

static json_t *cap_json(const struct view *v)
{
	return part_json(of_cap(v));
}

static void throttled_text(const struct view *v, char *text, size_t size)
{
	part_text(part_of(v->usage.throttled, v->usage.periods), text, size);
}

static json_t *throttled_json(const struct view *v)
{
	return part_json(part_of(v->usage.throttled, v->usage.periods));
}

/* "52M/1G" */
static void size_of_text(uint64_t used, uint64_t limit, char *text, size_t size)
{
	char a[24], b[24] = "all";

	figure_text(UNIT_SIZE, used, a, sizeof(a));
	if (limit)
		size_human(limit, b, sizeof(b));
	snprintf(text, size, "%s/%s", a, b);
}

static void memory_text(const struct view *v, char *text, size_t size)
{
	size_of_text(v->usage.memory, v->vps->limits.memory, text, size);
}

/* With 0 there is none at all. */
static void swap_text(const struct view *v, char *text, size_t size)
{
	char a[24], b[24];

	figure_text(UNIT_SIZE, v->usage.swap, a, sizeof(a));
	size_human(v->vps->limits.swap, b, sizeof(b));
	snprintf(text, size, "%s/%s", a, b);
}

static void tasks_text(const struct view *v, char *text, size_t size)
{
	char used[24], limit[24] = "all";

	figure_text(UNIT_COUNT, v->usage.tasks, used, sizeof(used));
	if (v->vps->limits.tasks)
		snprintf(limit, sizeof(limit), "%u", v->vps->limits.tasks);
	snprintf(text, size, "%s/%s", used, limit);
}

static void disk_text(const struct view *v, char *text, size_t size)
{
	size_of_text(v->volume.used, v->vps->volume.size, text, size);
}

static void inodes_text(const struct view *v, char *text, size_t size)
{
	char used[24], limit[24];

	figure_text(UNIT_COUNT, v->volume.inodes_used, used, sizeof(used));
	figure_text(UNIT_COUNT, v->volume.inodes, limit, sizeof(limit));
	snprintf(text, size, "%s/%s", used, limit);
}

#define USED  (IN_LIST | RIGHT | NEED_USAGE)
#define EXTRA (RIGHT | NEED_USAGE)

const struct column usage_columns[] = {
	{ "NAME", "name", "name", IN_LIST, name_text, name_json },
	{ "STATE", "state", "state", 0, state_text, state_json },
	{ "CPU", "cpu.used", "CPU time", USED, NULL, NULL },
	{ "CAP", "cpu.of_limit", "of its cap", USED, cap_text, cap_json },
	{ "THROTTLED", "cpu.of_periods", "held back", USED, throttled_text, throttled_json },
	{ "CPUWAIT", "cpu.pressure.some_avg10", "waits for CPU", USED, NULL, NULL },
	{ "MEMORY", "memory.used", "memory", USED, memory_text, NULL },
	{ "PEAK", "memory.peak", "peak", USED, NULL, NULL },
	{ "ANON", "memory.anon", "of processes", EXTRA, NULL, NULL },
	{ "FILE", "memory.file", "of files", EXTRA, NULL, NULL },
	{ "HIGH", "memory.events.high", "reclaims", EXTRA, NULL, NULL },
	{ "FULL", "memory.events.max", "times full", EXTRA, NULL, NULL },
	{ "REFAULTS", "memory.refaults", "pages read again", EXTRA, NULL, NULL },
	{ "KILLED", "memory.events.oom_kill", "killed for it", USED, NULL, NULL },
	{ "MEMWAIT", "memory.pressure.some_avg10", "waits for memory", USED, NULL, NULL },
	{ "SWAP", "swap.used", "swap", USED, swap_text, NULL },
	{ "READ", "io.read", "disk, read", USED, NULL, NULL },
	{ "WRITTEN", "io.written", "disk, written", USED, NULL, NULL },
	{ "IOWAIT", "io.pressure.some_avg10", "waits for disk", USED, NULL, NULL },
	{ "DISK", "disk.used", "disk, in use", IN_LIST | RIGHT | NEED_VOLUME, disk_text, NULL },
	{ "INODES", "inodes.used", "inodes", IN_LIST | RIGHT | NEED_VOLUME, inodes_text, NULL },
	{ "IN", "network.in", "received", RIGHT | NEED_LINK, NULL, NULL },
	{ "OUT", "network.out", "sent", RIGHT | NEED_LINK, NULL, NULL },
	{ "TASKS", "tasks.used", "tasks", USED, tasks_text, NULL },
	{ "REFUSED", "tasks.refused", "tasks refused", EXTRA, NULL, NULL },
	{ "UPTIME", "uptime", "uptime", IN_LIST | RIGHT, uptime_text, uptime_json },
};
const size_t usage_columns_count = ARRAY_SIZE(usage_columns);

static const struct figure_row figures[] = {
#define FIGURE(key, unit, field)                                                               \
	{                                                                                      \
		key, unit, offsetof(struct view, field)                                        \
	}
#define PRESSURE(key, field)                                                                   \
	FIGURE(key ".pressure.some", UNIT_USEC, usage.field.some_usec),                        \
	    FIGURE(key ".pressure.full", UNIT_USEC, usage.field.full_usec),                    \
	    FIGURE(key ".pressure.some_avg10", UNIT_PERCENT, usage.field.some_avg10),          \
	    FIGURE(key ".pressure.full_avg10", UNIT_PERCENT, usage.field.full_avg10)
	FIGURE("cpu.used", UNIT_USEC, usage.cpu_usec),
	FIGURE("cpu.user", UNIT_USEC, usage.user_usec),
	FIGURE("cpu.system", UNIT_USEC, usage.system_usec),
	FIGURE("cpu.periods", UNIT_COUNT, usage.periods),
	FIGURE("cpu.periods_throttled", UNIT_COUNT, usage.throttled),
	FIGURE("cpu.throttled", UNIT_USEC, usage.throttled_usec),
	PRESSURE("cpu", cpu_pressure),
	FIGURE("memory.used", UNIT_SIZE, usage.memory),
	FIGURE("memory.peak", UNIT_SIZE, usage.memory_peak),
	FIGURE("memory.anon", UNIT_SIZE, usage.anon),
	FIGURE("memory.file", UNIT_SIZE, usage.file),
	FIGURE("memory.kernel", UNIT_SIZE, usage.kernel),
	FIGURE("memory.refaults", UNIT_COUNT, usage.refaults),
	FIGURE("memory.major_faults", UNIT_COUNT, usage.major_faults),
	FIGURE("memory.reclaimed", UNIT_COUNT, usage.reclaimed),
	FIGURE("memory.events.high", UNIT_COUNT, usage.highs),
	FIGURE("memory.events.max", UNIT_COUNT, usage.maxes),
	FIGURE("memory.events.oom", UNIT_COUNT, usage.ooms),
	FIGURE("memory.events.oom_kill", UNIT_COUNT, usage.oom_kills),
	PRESSURE("memory", memory_pressure),
	FIGURE("swap.used", UNIT_SIZE, usage.swap),
	FIGURE("io.read", UNIT_SIZE, usage.read.bytes),
	FIGURE("io.read_ops", UNIT_COUNT, usage.read.ops),
	FIGURE("io.written", UNIT_SIZE, usage.written.bytes),
	FIGURE("io.written_ops", UNIT_COUNT, usage.written.ops),
	PRESSURE("io", io_pressure),
	FIGURE("tasks.used", UNIT_COUNT, usage.tasks),
	FIGURE("tasks.refused", UNIT_COUNT, usage.refused),
	FIGURE("disk.used", UNIT_SIZE, volume.used),
	FIGURE("disk.available", UNIT_SIZE, volume.available),
	FIGURE("disk.node", UNIT_SIZE, volume.node),
	FIGURE("inodes.used", UNIT_COUNT, volume.inodes_used),
	FIGURE("inodes.limit", UNIT_COUNT, volume.inodes),
	FIGURE("network.in", UNIT_SIZE, link.rx_bytes),
	FIGURE("network.out", UNIT_SIZE, link.tx_bytes),
	FIGURE("network.packets_in", UNIT_COUNT, link.rx_packets),
	FIGURE("network.packets_out", UNIT_COUNT, link.tx_packets),
#undef FIGURE
#undef PRESSURE
};

const struct figure_row *figure_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		if (strcmp(figures[i].key, key) == 0)
			return &figures[i];
	}
	return NULL;
}

/* Set "memory.events.max", with the objects on the way. */
static void member_set(json_t *object, const char *key, json_t *value)
{
	const char *dot;

	while ((dot = strchr(key, '.'))) {
		char name[32];
		json_t *next;

		str_format(name, sizeof(name), "%.*s", (int)(dot - key), key);
		next = json_object_get(object, name);
		if (!next) {
			next = json_object();
			json_object_set_new(object, name, next);
		}
		object = next;
		key = dot + 1;
	}
	json_object_set_new(object, key, value);
}

json_t *usage_object(const struct view *v)
{
	const struct limits *limits = &v->vps->limits;
	json_t *object = json_object();

	member_set(object, "id", json_integer(v->vps->id));
	member_set(object, "name", json_string(v->vps->name));
	member_set(object, "state", json_string(state_name(v->status.state)));
	member_set(object, "uptime", json_integer(uptime(v)));
	member_set(object, "cpu.limit", json_real(limits->cpus / 100.0));
	member_set(object, "cpu.guaranteed", json_real(limits->cpus_guaranteed / 100.0));
	member_set(object, "cpu.of_limit", part_json(of_cap(v)));
	member_set(object, "cpu.of_periods", throttled_json(v));
	member_set(object, "memory.limit", json_integer((json_int_t)limits->memory));
	member_set(object, "memory.guaranteed",
		   json_integer((json_int_t)limits->memory_guaranteed));
	member_set(object, "swap.limit", json_integer((json_int_t)limits->swap));
	member_set(object, "tasks.limit", json_integer(limits->tasks));
	member_set(object, "disk.limit", json_integer((json_int_t)v->vps->volume.size));
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const char *at = (const char *)v + figures[i].offset;

		member_set(object, figures[i].key,
			   figure_json(figures[i].unit, *(const uint64_t *)at));
	}
	return object;
}

void usage_print_lines(const struct view *view, FILE *out)
{
	for (size_t i = 0; i < usage_columns_count; i++) {
		char text[512] = "";

		column_text(&usage_columns[i], view, text, sizeof(text));
		fprintf(out, "%16s: %s\n", usage_columns[i].label, text);
	}
}

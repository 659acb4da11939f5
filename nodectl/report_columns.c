/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "own.h"
#include "report_print.h"
#include "str.h"

static void name_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps.name);
}

static void uuid_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps.uuid);
}

static void plan_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps.plan);
}

static void state_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s",
		 v->vps.gone		? "gone"
		 : v->vps.total.running ? "running"
					: "stopped");
}

static void quota_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->quota_state);
}

static void disk_sure_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->disk_full.when ? forecast_word(&v->disk_full) : "");
}

static void traffic_sure_text(const struct report_vps *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->traffic_full.when ? forecast_word(&v->traffic_full) : "");
}

#define MEMBER(name, expression)                                                               \
	static uint64_t name(const struct report_vps *v)                                       \
	{                                                                                      \
		return (uint64_t)(expression);                                                 \
	}
#define SUM(name, measure) MEMBER(name, v->sum.value[measure])

/* A peak of 0 is one that nobody saw. */
static uint64_t seen(uint64_t peak)
{
	return peak ? peak : FIGURE_UNKNOWN;
}

/* Hundredths of a core as the cores that JSON has. */
static uint64_t cores(unsigned hundredths)
{
	return (uint64_t)hundredths * 10000;
}

MEMBER(id_of, v->vps.id)
SUM(seen_of, MEASURE_SEEN)
SUM(up_of, MEASURE_UP)
SUM(cpu_of, MEASURE_CPU)
MEMBER(cpus_of, cores(v->vps.cpus))
MEMBER(guaranteed_of, cores(v->vps.cpus_guaranteed))
SUM(held_of, MEASURE_HELD)
SUM(waited_of, MEASURE_WAITED)
SUM(below_of, MEASURE_BELOW)
MEMBER(memory_of, v->memory_average)
MEMBER(memory_peak_of, seen(v->sum.value[MEASURE_MEMORY_PEAK]))
MEMBER(memory_limit_of, v->vps.memory)
SUM(memory_stalled_of, MEASURE_MEMORY_FULL)
SUM(swap_peak_of, MEASURE_SWAP_PEAK)
MEMBER(disk_of, v->vps.total.disk)
MEMBER(disk_peak_of, seen(v->sum.value[MEASURE_DISK_PEAK]))
MEMBER(disk_limit_of, v->vps.disk)
MEMBER(inodes_of, v->vps.total.inodes)
MEMBER(inodes_peak_of, seen(v->sum.value[MEASURE_INODES_PEAK]))
SUM(read_of, MEASURE_READ)
SUM(written_of, MEASURE_WRITTEN)
SUM(io_stalled_of, MEASURE_IO_FULL)
SUM(tasks_peak_of, MEASURE_TASKS_PEAK)
SUM(refused_of, MEASURE_REFUSED)
SUM(oom_kills_of, MEASURE_OOM_KILLS)
SUM(in_of, MEASURE_TRAFFIC_IN)
SUM(out_of, MEASURE_TRAFFIC_OUT)
SUM(free_in_of, MEASURE_FREE_IN)
SUM(free_out_of, MEASURE_FREE_OUT)
MEMBER(used_of, v->quota_used)
MEMBER(limit_of, v->quota_limit)
MEMBER(reset_of, v->quota_limit ? v->quota_reset : 0)
MEMBER(disk_full_of, v->disk_full.when)
MEMBER(traffic_full_of, v->traffic_full.when)

/* "3.2h", of one core */
static void hours_shown(uint64_t usec, char *text, size_t size)
{
	if (usec == FIGURE_UNKNOWN)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%.2fh", (double)usec / 3600e6);
}

static void cpu_shown(const struct report_vps *v, char *text, size_t size)
{
	hours_shown(v->sum.value[MEASURE_CPU], text, size);
}

/* Of the time that anything is known of. */
static void up_shown(const struct report_vps *v, char *text, size_t size)
{
	uint64_t known = v->sum.value[MEASURE_SEEN];

	if (!known)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%.1f%%",
			 100.0 * (double)v->sum.value[MEASURE_UP] / (double)known);
}

static void time_shown(uint64_t usec, char *text, size_t size)
{
	if (usec < 1000000)
		snprintf(text, size, "%s", usec < 1000 ? "0" : "<1s");
	else
		seconds_human(usec / 1000000, text, size);
}

static void held_shown(const struct report_vps *v, char *text, size_t size)
{
	time_shown(v->sum.value[MEASURE_HELD], text, size);
}

static void waited_shown(const struct report_vps *v, char *text, size_t size)
{
	time_shown(v->sum.value[MEASURE_WAITED], text, size);
}

static void below_shown(const struct report_vps *v, char *text, size_t size)
{
	time_shown(v->sum.value[MEASURE_BELOW], text, size);
}

static void of_shown(uint64_t used, uint64_t limit, char *text, size_t size)
{
	char some[24];

	figure_text(UNIT_SIZE, used, some, sizeof(some));
	if (limit && used != FIGURE_UNKNOWN)
		snprintf(text, size, "%s %.0f%%", some, 100.0 * (double)used / (double)limit);
	else
		snprintf(text, size, "%s", some);
}

static void cpus_shown(const struct report_vps *v, char *text, size_t size)
{
	if (v->vps.cpus)
		cpus_print(v->vps.cpus, text, size);
	else
		snprintf(text, size, "none");
}

static void guaranteed_shown(const struct report_vps *v, char *text, size_t size)
{
	cpus_print(v->vps.cpus_guaranteed, text, size);
}

static void disk_shown(const struct report_vps *v, char *text, size_t size)
{
	of_shown(v->vps.total.disk, v->vps.disk, text, size);
}

static void used_shown(const struct report_vps *v, char *text, size_t size)
{
	of_shown(v->quota_used, v->quota_limit, text, size);
}

#define TEXT(header, key, label, text)                                                         \
	{                                                                                      \
		header, key, label, REPORT_TEXT, UNIT_NONE, text, NULL, NULL                   \
	}
#define FIGURE(header, key, label, unit, figure, shown)                                        \
	{                                                                                      \
		header, key, label, REPORT_FIGURE, unit, NULL, figure, shown                   \
	}
#define TIME(header, key, label, figure)                                                       \
	{                                                                                      \
		header, key, label, REPORT_TIME, UNIT_NONE, NULL, figure, NULL                 \
	}

const struct report_column report_columns[] = {
	TEXT("NAME", "name", "name", name_text),
	FIGURE(NULL, "id", "id", UNIT_COUNT, id_of, NULL),
	TEXT(NULL, "uuid", "uuid", uuid_text),
	TEXT(NULL, "plan", "plan", plan_text),
	TEXT("STATE", "state", "state", state_text),
	FIGURE(NULL, "seen", "time known of", UNIT_USEC, seen_of, NULL),
	FIGURE("UP", "up", "up", UNIT_USEC, up_of, up_shown),
	FIGURE("CPU", "cpu", "CPU, core-hours", UNIT_USEC, cpu_of, cpu_shown),
	FIGURE(NULL, "cpu_limit", "CPU cap, cores", UNIT_USEC, cpus_of, cpus_shown),
	FIGURE(NULL, "cpu_guaranteed", "CPU guaranteed, cores", UNIT_USEC, guaranteed_of,
	       guaranteed_shown),
	FIGURE("HELD", "cpu_held", "held by its own cap", UNIT_USEC, held_of, held_shown),
	FIGURE("WAITED", "cpu_waited", "waited for others", UNIT_USEC, waited_of, waited_shown),
	FIGURE("BELOW", "cpu_below", "below its guarantee", UNIT_USEC, below_of, below_shown),
	FIGURE("MEMORY", "memory_average", "memory, average", UNIT_SIZE, memory_of, NULL),
	FIGURE("PEAK", "memory_peak", "memory, peak", UNIT_SIZE, memory_peak_of, NULL),
	FIGURE(NULL, "memory_limit", "memory, limit", UNIT_SIZE, memory_limit_of, NULL),
	FIGURE(NULL, "memory_stalled", "waited for memory", UNIT_USEC, memory_stalled_of, NULL),
	FIGURE(NULL, "swap_peak", "swap, peak", UNIT_SIZE, swap_peak_of, NULL),
	FIGURE("DISK", "disk", "disk", UNIT_SIZE, disk_of, disk_shown),
	FIGURE(NULL, "disk_peak", "disk, peak", UNIT_SIZE, disk_peak_of, NULL),
	FIGURE(NULL, "disk_limit", "disk, size", UNIT_SIZE, disk_limit_of, NULL),
	FIGURE("INODES", "inodes", "inodes", UNIT_COUNT, inodes_of, NULL),
	FIGURE(NULL, "inodes_peak", "inodes, peak", UNIT_COUNT, inodes_peak_of, NULL),
	FIGURE(NULL, "read", "disk, read", UNIT_SIZE, read_of, NULL),
	FIGURE(NULL, "written", "disk, written", UNIT_SIZE, written_of, NULL),
	FIGURE(NULL, "io_stalled", "waited for the disk", UNIT_USEC, io_stalled_of, NULL),
	FIGURE(NULL, "tasks_peak", "tasks, peak", UNIT_COUNT, tasks_peak_of, NULL),
	FIGURE(NULL, "tasks_refused", "tasks refused", UNIT_COUNT, refused_of, NULL),
	FIGURE("KILLED", "oom_kills", "killed for memory", UNIT_COUNT, oom_kills_of, NULL),
	FIGURE("IN", "traffic_in", "traffic in", UNIT_SIZE, in_of, NULL),
	FIGURE("OUT", "traffic_out", "traffic out", UNIT_SIZE, out_of, NULL),
	FIGURE(NULL, "free_in", "of that free, in", UNIT_SIZE, free_in_of, NULL),
	FIGURE(NULL, "free_out", "of that free, out", UNIT_SIZE, free_out_of, NULL),
	FIGURE("QUOTA", "quota_used", "of its traffic quota", UNIT_SIZE, used_of, used_shown),
	FIGURE(NULL, "quota_limit", "traffic quota", UNIT_SIZE, limit_of, NULL),
	TIME(NULL, "quota_reset", "quota begins anew", reset_of),
	TEXT(NULL, "quota_state", "quota", quota_text),
	TIME(NULL, "disk_full", "disk full", disk_full_of),
	TEXT(NULL, "disk_full_sure", "that is", disk_sure_text),
	TIME(NULL, "traffic_full", "quota used up", traffic_full_of),
	TEXT(NULL, "traffic_full_sure", "that is", traffic_sure_text),
};
const size_t report_columns_count = ARRAY_SIZE(report_columns);

void report_cell(const struct report_column *column, const struct report_vps *vps, char *text,
		 size_t size)
{
	uint64_t figure;

	if (column->shown) {
		column->shown(vps, text, size);
		return;
	}
	if (column->kind == REPORT_TEXT) {
		column->text(vps, text, size);
		return;
	}
	figure = column->figure(vps);
	if (column->kind == REPORT_FIGURE)
		figure_text(column->unit, figure, text, size);
	else if (!figure)
		snprintf(text, size, "-");
	else
		time_print((int64_t)figure, text, size);
}

static void when_text(int64_t when, int64_t now, char *text, size_t size)
{
	char day[32];

	if (when - now < 2 * SPAN_DAY) {
		snprintf(text, size, when <= now ? "now" : "within two days");
		return;
	}
	time_print(when, day, sizeof(day));
	snprintf(text, size, "in %" PRId64 " d, on %.10s", (when - now) / SPAN_DAY, day);
}

void report_notice(const struct report_vps *vps, int64_t now, char *text, size_t size)
{
	const struct {
		const struct forecast *forecast;
		const char *what;
	} all[] = {
		{ &vps->disk_full, "disk full" },
		{ &vps->inodes_full, "no inodes left" },
		{ &vps->traffic_full, "traffic quota used up" },
	};
	char below[24];
	size_t used = 0;

	*text = 0;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char when[64];

		/* what is far off is nobody's work today */
		if (!all[i].forecast->when || all[i].forecast->when - now > 30 * SPAN_DAY ||
		    used >= size)
			continue;
		when_text(all[i].forecast->when, now, when, sizeof(when));
		used += (size_t)snprintf(
		    text + used, size - used, "%s%s %s%s%s%s", used ? "; " : "", all[i].what,
		    when, all[i].forecast->when > now ? " (" : "",
		    all[i].forecast->when > now ? forecast_word(all[i].forecast) : "",
		    all[i].forecast->when > now ? ")" : "");
	}
	if (vps->sum.value[MEASURE_BELOW] && used < size) {
		time_shown(vps->sum.value[MEASURE_BELOW], below, sizeof(below));
		used += (size_t)snprintf(text + used, size - used,
					 "%sbelow its CPU guarantee for %s", used ? "; " : "",
					 below);
	}
	if (vps->sum.value[MEASURE_OOM_KILLS] && used < size)
		(void)snprintf(text + used, size - used, "%s%" PRIu64 " killed for memory",
			       used ? "; " : "", vps->sum.value[MEASURE_OOM_KILLS]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "history.h"
#include "own.h"
#include "str.h"

/* Longer than this nobody looked: what was between is not taken for what was before. */
#define GAP_USEC 600000000ull

#define COUNTER(measure, name, help) [measure] = { name, MEASURE_IS_COUNTER, false, help }
#define DIPS(measure, name, help)    [measure] = { name, MEASURE_IS_COUNTER, true, help }
#define SUM(measure, name, help)     [measure] = { name, MEASURE_IS_SUM, false, help }
#define PEAK(measure, name, help)    [measure] = { name, MEASURE_IS_PEAK, false, help }

const struct measure_row history_measures[MEASURE_COUNT] = {
	COUNTER(MEASURE_TRAFFIC_IN, "traffic_in", "bytes to the VPS"),
	COUNTER(MEASURE_TRAFFIC_OUT, "traffic_out", "bytes from the VPS"),
	COUNTER(MEASURE_PACKETS_IN, "packets_in", "packets to the VPS"),
	COUNTER(MEASURE_PACKETS_OUT, "packets_out", "packets from the VPS"),
	COUNTER(MEASURE_FREE_IN, "free_in", "of traffic_in, from networks that are free"),
	COUNTER(MEASURE_FREE_OUT, "free_out", "of traffic_out, to networks that are free"),
	COUNTER(MEASURE_CPU, "cpu_usec", "CPU time"),
	COUNTER(MEASURE_PERIODS, "cpu_periods", "periods of the CPU cap"),
	COUNTER(MEASURE_THROTTLED, "cpu_throttled", "periods in which the cap was met"),
	COUNTER(MEASURE_THROTTLED_TIME, "cpu_throttled_usec", "time held back by the cap"),
	/* a disk that goes takes its counts along, and a kernel before 6.11 those of groups */
	DIPS(MEASURE_READ, "read", "bytes read from disk"),
	DIPS(MEASURE_READ_OPS, "read_ops", "reads from disk"),
	DIPS(MEASURE_WRITTEN, "written", "bytes written to disk"),
	DIPS(MEASURE_WRITTEN_OPS, "written_ops", "writes to disk"),
	COUNTER(MEASURE_OOM_KILLS, "oom_kills", "processes killed for want of memory"),
	DIPS(MEASURE_REFUSED, "tasks_refused", "forks refused at the limit of tasks"),
	COUNTER(MEASURE_CPU_SOME, "cpu_some_usec", "time in which something waited for a CPU"),
	COUNTER(MEASURE_CPU_FULL, "cpu_full_usec", "time in which all waited for a CPU"),
	COUNTER(MEASURE_MEMORY_SOME, "memory_some_usec", "the same for memory"),
	COUNTER(MEASURE_MEMORY_FULL, "memory_full_usec", "the same for memory, all"),
	COUNTER(MEASURE_IO_SOME, "io_some_usec", "the same for the disk"),
	COUNTER(MEASURE_IO_FULL, "io_full_usec", "the same for the disk, all"),
	SUM(MEASURE_SEEN, "seen_usec", "time of which anything is known"),
	SUM(MEASURE_UP, "up_usec", "time in which it ran"),
	SUM(MEASURE_MEMORY, "memory_kib_seconds", "memory over time"),
	SUM(MEASURE_HELD, "cpu_held_usec", "time in which its own cap kept all of it waiting"),
	SUM(MEASURE_WAITED, "cpu_waited_usec", "time in which others kept all of it waiting"),
	SUM(MEASURE_BELOW, "cpu_below_usec", "time with less CPU than guaranteed and wanted"),
	PEAK(MEASURE_MEMORY_PEAK, "memory_peak", "most memory"),
	PEAK(MEASURE_SWAP_PEAK, "swap_peak", "most swap"),
	PEAK(MEASURE_TASKS_PEAK, "tasks_peak", "most tasks"),
	PEAK(MEASURE_DISK_PEAK, "disk_peak", "most disk space"),
	PEAK(MEASURE_INODES_PEAK, "inodes_peak", "most files"),
};

void measures_add(struct measures *to, const struct measures *more)
{
	for (unsigned i = 0; i < MEASURE_COUNT; i++) {
		if (history_measures[i].how != MEASURE_IS_PEAK)
			to->value[i] += more->value[i];
		else if (more->value[i] > to->value[i])
			to->value[i] = more->value[i];
	}
}

/* Counters of traffic have lives of their own: a link may be made anew under a running VPS. */
static bool is_traffic(unsigned counter)
{
	return counter <= MEASURE_FREE_OUT;
}

static uint64_t counter_gain(const struct total *total, const struct reading *reading,
			     unsigned i, bool same, bool young)
{
	uint64_t raw = reading->counter[i];

	if (!total->known)
		return young ? raw : 0;
	if (!same)
		return raw;
	if (raw >= total->raw[i])
		return raw - total->raw[i];
	return history_measures[i].dips ? 0 : raw;
}

static void counters_advance(struct total *total, const struct reading *reading, bool same_boot,
			     bool young, struct measures *gained)
{
	bool same_group = same_boot && reading->group == total->group;
	bool same_link = same_boot && reading->link == total->link;

	for (unsigned i = 0; i < MEASURE_COUNTERS; i++) {
		bool same = is_traffic(i) ? same_link : same_group;

		/* what cannot be read now was not reset: the next that can goes on from it */
		if (reading->counter[i] == FIGURE_UNKNOWN)
			continue;
		gained->value[i] = counter_gain(total, reading, i, same, young);
		total->total[i] += gained->value[i];
		total->raw[i] = reading->counter[i];
	}
	/* a counter that this life has not been read of begins at 0 */
	for (unsigned i = 0; i < MEASURE_COUNTERS; i++) {
		if (reading->counter[i] == FIGURE_UNKNOWN &&
		    (is_traffic(i) ? reading->link != FIGURE_UNKNOWN && !same_link
				   : reading->group != FIGURE_UNKNOWN && !same_group))
			total->raw[i] = 0;
	}
	if (reading->group != FIGURE_UNKNOWN)
		total->group = reading->group;
	if (reading->link != FIGURE_UNKNOWN)
		total->link = reading->link;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * When it could have run and nothing of it did: how much of that its own cap was, and how much
 * the others.  As long as it wanted to run (it ran, or was kept waiting) it is to get what it
 * is guaranteed; of more than one CPU the kernel does not tell what it wanted.
 */
static void stalls_tell(const struct reading *reading, uint64_t passed, struct measures *gained)
{
	uint64_t *value = gained->value;
	uint64_t full = least(value[MEASURE_CPU_FULL], passed);
	uint64_t held = least(full, value[MEASURE_THROTTLED_TIME]);
	uint64_t waited = full - held;
	uint64_t due = (value[MEASURE_CPU] + waited) / 100 * least(reading->guaranteed, 100);

	value[MEASURE_HELD] = held;
	value[MEASURE_WAITED] = waited;
	if (waited > passed / 100 && value[MEASURE_CPU] < due - due / 20)
		value[MEASURE_BELOW] = least(passed, GAP_USEC);
}

/* The kernel's own peak, if it was met since the last reading; else what is seen now. */
static uint64_t memory_peak(const struct total *total, const struct reading *reading, bool same)
{
	uint64_t peak = reading->memory_peak;

	if (peak != FIGURE_UNKNOWN && (!same || peak > total->memory_peak))
		return peak;
	return reading->memory;
}

static void peak_set(uint64_t *value, uint64_t seen)
{
	*value = seen == FIGURE_UNKNOWN ? 0 : seen;
}

void total_advance(struct total *total, const struct reading *reading, const struct moment *now,
		   bool young, struct measures *gained)
{
	bool same_boot = total->known && now->boot == total->boot;
	bool same = same_boot && reading->group == total->group;
	uint64_t passed = 0;

	*gained = (struct measures){ 0 };
	/* of a time without the node nothing is known */
	if (same_boot && now->uptime_usec > total->uptime_usec)
		passed = now->uptime_usec - total->uptime_usec;
	else if (total->known && !same_boot)
		passed = now->uptime_usec;

	peak_set(&gained->value[MEASURE_MEMORY_PEAK], memory_peak(total, reading, same));
	peak_set(&gained->value[MEASURE_SWAP_PEAK], reading->swap);
	peak_set(&gained->value[MEASURE_TASKS_PEAK], reading->tasks);
	peak_set(&gained->value[MEASURE_DISK_PEAK], reading->disk);
	peak_set(&gained->value[MEASURE_INODES_PEAK], reading->inodes);
	counters_advance(total, reading, same_boot, young, gained);
	if (passed && same)
		stalls_tell(reading, passed, gained);

	passed = least(passed, GAP_USEC);
	gained->value[MEASURE_SEEN] = passed;
	if (reading->running) {
		gained->value[MEASURE_UP] = passed;
		if (reading->memory != FIGURE_UNKNOWN)
			gained->value[MEASURE_MEMORY] =
			    reading->memory / 1024 * (passed / 1000) / 1000;
	}

	total->known = true;
	total->time = now->time;
	total->boot = now->boot;
	total->uptime_usec = now->uptime_usec;
	total->running = reading->running;
	total->memory = reading->memory;
	if (reading->memory_peak != FIGURE_UNKNOWN)
		total->memory_peak = reading->memory_peak;
	if (reading->disk != FIGURE_UNKNOWN)
		total->disk = reading->disk;
	if (reading->inodes != FIGURE_UNKNOWN)
		total->inodes = reading->inodes;
}

#define HEADER 11

void total_print(const struct total *total, char *text, size_t size)
{
	int used = snprintf(text, size,
			    "1 %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
			    " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d",
			    total->time, total->boot, total->uptime_usec, total->group,
			    total->link, total->memory_peak, total->memory, total->disk,
			    total->inodes, total->running);

	for (unsigned i = 0; i < MEASURE_COUNTERS && used > 0 && (size_t)used < size; i++)
		used += snprintf(text + used, size - (size_t)used, " %" PRIu64 " %" PRIu64,
				 total->raw[i], total->total[i]);
}

int total_parse(const char *text, struct total *total)
{
	uint64_t number[HEADER + 2 * MEASURE_COUNTERS];
	struct total got = { .known = true };

	for (size_t i = 0; i < ARRAY_SIZE(number); i++) {
		char *end;

		number[i] = strtoull(text, &end, 10);
		if (end == text || (*end && *end != ' '))
			return -1;
		text = end;
	}
	if (*text || number[0] != 1)
		return -1;
	got.time = (int64_t)number[1];
	got.boot = number[2];
	got.uptime_usec = number[3];
	got.group = number[4];
	got.link = number[5];
	got.memory_peak = number[6];
	got.memory = number[7];
	got.disk = number[8];
	got.inodes = number[9];
	got.running = number[10] != 0;
	for (size_t i = 0; i < MEASURE_COUNTERS; i++) {
		got.raw[i] = number[HEADER + 2 * i];
		got.total[i] = number[HEADER + 2 * i + 1];
	}
	*total = got;
	return 0;
}

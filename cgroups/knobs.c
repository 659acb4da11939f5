/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "knobs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "own.h"
#include "str.h"

/* A CPU cap of n hundredths is n milliseconds of every 100. */
enum { PERIOD_USEC = 100000, USEC_PER_HUNDREDTH = PERIOD_USEC / 100 };

/* cpu.weight is 1..10000. */
enum { MOST_WEIGHT = 10000 };

uint64_t page_round(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return bytes < page ? page : bytes / page * page;
}

/*
 * 1/64 below the limit.  Reclaim then starts in time, while a process that
 * leaks beyond it meets the OOM killer within about a second: the kernel slows
 * an allocator with the square of how far it is above memory.high, and at the
 * often used 5 % a VPS without swap would crawl for minutes instead.
 */
uint64_t high_of_memory(uint64_t memory)
{
	return page_round(memory - memory / 64);
}

unsigned weight_of(const struct limits *limits, unsigned of_cpu)
{
	uint64_t weight = limits->weight ? limits->weight
			  : limits->cpus_guaranteed
			      ? (uint64_t)limits->cpus_guaranteed * of_cpu / 100
			      : of_cpu / 1000;

	return weight < 1 ? 1 : weight > MOST_WEIGHT ? MOST_WEIGHT : (unsigned)weight;
}

unsigned cgroup_weight_of_cpu(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 && cpus < MOST_WEIGHT ? MOST_WEIGHT / (unsigned)cpus : 1;
}

unsigned cgroup_weight(const struct limits *limits)
{
	return weight_of(limits, cgroup_weight_of_cpu());
}

unsigned shares_of_weight(unsigned weight)
{
	/* the kernel takes 2..262144; 10000 gives 102400 */
	unsigned shares = weight * 1024 / 100;

	return shares < 2 ? 2 : shares;
}

static void number(uint64_t value, char *text, size_t size)
{
	str_format(text, size, "%" PRIu64, value);
}

static void bytes_or(const char *unlimited, uint64_t bytes, char *text, size_t size)
{
	if (bytes)
		number(page_round(bytes), text, size);
	else
		str_format(text, size, "%s", unlimited);
}

static void v2_swap(const struct limits *limits, char *text, size_t size)
{
	number(limits->swap ? page_round(limits->swap) : 0, text, size);
}

static void v2_high(const struct limits *limits, char *text, size_t size)
{
	bytes_or("max", limits->memory ? high_of_memory(limits->memory) : 0, text, size);
}

static void v2_memory(const struct limits *limits, char *text, size_t size)
{
	bytes_or("max", limits->memory, text, size);
}

/* An OOM kill takes one process of the guest, not the whole VPS. */
static void v2_oom_group(const struct limits *limits, char *text, size_t size)
{
	(void)limits;
	number(0, text, size);
}

static void v2_cpu(const struct limits *limits, char *text, size_t size)
{
	uint64_t quota = (uint64_t)limits->cpus * USEC_PER_HUNDREDTH;

	if (quota)
		str_format(text, size, "%" PRIu64 " %d", quota, PERIOD_USEC);
	else
		str_format(text, size, "max %d", PERIOD_USEC);
}

static void v2_weight(const struct limits *limits, char *text, size_t size)
{
	number(cgroup_weight(limits), text, size);
}

static void tasks(const struct limits *limits, char *text, size_t size)
{
	if (limits->tasks)
		number(limits->tasks, text, size);
	else
		str_format(text, size, "max");
}

static void v1_memory(const struct limits *limits, char *text, size_t size)
{
	bytes_or("-1", limits->memory, text, size);
}

/* v1 counts memory and swap together: without a limit of memory there is none of swap. */
static void v1_memsw(const struct limits *limits, char *text, size_t size)
{
	uint64_t swap = limits->swap ? page_round(limits->swap) : 0;

	bytes_or("-1", limits->memory ? page_round(limits->memory) + swap : 0, text, size);
}

static void v1_period(const struct limits *limits, char *text, size_t size)
{
	(void)limits;
	number(PERIOD_USEC, text, size);
}

static void v1_quota(const struct limits *limits, char *text, size_t size)
{
	uint64_t quota = (uint64_t)limits->cpus * USEC_PER_HUNDREDTH;

	if (quota)
		number(quota, text, size);
	else
		str_format(text, size, "-1");
}

static void v1_shares(const struct limits *limits, char *text, size_t size)
{
	number(shares_of_weight(cgroup_weight(limits)), text, size);
}

/*
 * Which knob says what, per version, in the order to write them.  Swap before
 * memory on v2: lowering memory reclaims at once, into the swap allowed by then.
 */
static const struct {
	enum controller controller;
	unsigned version;
	unsigned limit;
	const char *knob;
	void (*value)(const struct limits *limits, char *text, size_t size);
} rows[] = {
	{ CONTROLLER_MEMORY, 2, LIMIT_SWAP, "memory.swap.max", v2_swap },
	{ CONTROLLER_MEMORY, 2, LIMIT_MEMORY, "memory.high", v2_high },
	{ CONTROLLER_MEMORY, 2, LIMIT_MEMORY, "memory.max", v2_memory },
	{ CONTROLLER_MEMORY, 2, 0, "memory.oom.group", v2_oom_group },
	{ CONTROLLER_CPU, 2, LIMIT_CPU, "cpu.max", v2_cpu },
	{ CONTROLLER_CPU, 2, LIMIT_WEIGHT, "cpu.weight", v2_weight },
	{ CONTROLLER_PIDS, 2, LIMIT_TASKS, "pids.max", tasks },
	{ CONTROLLER_MEMORY, 1, LIMIT_MEMORY, "memory.limit_in_bytes", v1_memory },
	{ CONTROLLER_MEMORY, 1, LIMIT_SWAP, "memory.memsw.limit_in_bytes", v1_memsw },
	{ CONTROLLER_CPU, 1, LIMIT_CPU, "cpu.cfs_period_us", v1_period },
	{ CONTROLLER_CPU, 1, LIMIT_CPU, "cpu.cfs_quota_us", v1_quota },
	{ CONTROLLER_CPU, 1, LIMIT_WEIGHT, "cpu.shares", v1_shares },
	{ CONTROLLER_PIDS, 1, LIMIT_TASKS, "pids.max", tasks },
};
_Static_assert(ARRAY_SIZE(rows) <= KNOB_MAX, "a plan holds every knob");

unsigned knobs_plan(const struct limits *limits, enum controller controller, unsigned version,
		    struct knob *knobs)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct knob *knob = &knobs[count];

		if (rows[i].controller != controller || rows[i].version != version)
			continue;
		knob->limit = rows[i].limit;
		knob->controller = controller;
		knob->name = rows[i].knob;
		rows[i].value(limits, knob->value, sizeof(knob->value));
		count++;
	}
	return count;
}

/* "-1" is ULLONG_MAX here, as it should be */
static uint64_t bytes_of(const char *text)
{
	return strtoull(text, NULL, 10);
}

void knobs_order(struct knob *knobs, unsigned count, uint64_t memsw)
{
	for (unsigned i = 0; i + 1 < count; i++) {
		struct knob first = knobs[i];

		if (strcmp(first.name, "memory.limit_in_bytes") == 0 &&
		    bytes_of(first.value) > memsw) {
			knobs[i] = knobs[i + 1];
			knobs[i + 1] = first;
			return;
		}
	}
}

bool knob_matches(const char *want, const char *got)
{
	/* v1 shows "no limit" as the highest number of pages it can count */
	if (strcmp(want, "-1") == 0 && bytes_of(got) >= UINT64_C(1) << 62)
		return true;
	return strcmp(want, got) == 0;
}

unsigned cgroup_asked(const struct limits *limits)
{
	/* no swap is a limit as well */
	return LIMIT_SWAP | (limits->memory ? LIMIT_MEMORY : 0) |
	       (limits->cpus ? LIMIT_CPU : 0) | (limits->weight ? LIMIT_WEIGHT : 0) |
	       (limits->tasks ? LIMIT_TASKS : 0);
}

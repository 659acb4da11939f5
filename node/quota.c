/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quota.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cgroups.h"
#include "conf.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "report.h"
#include "str.h"

#define ROLLING_DAYS 30

/* Once it was met, that many hundredths less are wanted before it is well again. */
#define SLACK 5

static const char *const levels[] = {
	[QUOTA_OK] = "ok",
	[QUOTA_WARNED] = "warned",
	[QUOTA_OVER] = "over",
};

const char *quota_level_name(enum quota_level level)
{
	return levels[level];
}

const char *quota_state_name(const struct quota_record *record, uint64_t limit)
{
	if (!limit)
		return "none";
	if (record->suspended)
		return "suspended";
	return record->throttle ? "throttled" : quota_level_name(record->traffic);
}

void quota_print(const struct quota_record *record, char *text, size_t size)
{
	str_format(text, size,
		   "# What is done about quotas; written by 'nodectl sample'.\n"
		   "traffic = %s\ntraffic-told = %s\ndisk = %s\ndisk-told = %s\n"
		   "inodes = %s\ninodes-told = %s\nthrottle = %" PRIu64 "\nsuspended = %s\n"
		   "added = %" PRIu64 "\nsince = %" PRId64 "\n",
		   levels[record->traffic], levels[record->traffic_told], levels[record->disk],
		   levels[record->disk_told], levels[record->inodes],
		   levels[record->inodes_told], record->throttle,
		   record->suspended ? "yes" : "no", record->added, record->since);
}

static int record_set(const char *key, const char *value, void *arg, struct err *err)
{
	struct quota_record *record = arg;
	const struct {
		const char *key;
		enum quota_level *level;
	} places[] = {
		{ "traffic", &record->traffic }, { "traffic-told", &record->traffic_told },
		{ "disk", &record->disk },	 { "disk-told", &record->disk_told },
		{ "inodes", &record->inodes },	 { "inodes-told", &record->inodes_told },
	};

	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
			if (strcmp(places[i].key, key) == 0 && strcmp(levels[l], value) == 0)
				*places[i].level = (enum quota_level)l;
		}
	}
	if (strcmp(key, "suspended") == 0)
		record->suspended = strcmp(value, "yes") == 0;
	else if (strcmp(key, "throttle") == 0)
		(void)sscanf(value, "%" SCNu64, &record->throttle);
	else if (strcmp(key, "added") == 0)
		(void)sscanf(value, "%" SCNu64, &record->added);
	else if (strcmp(key, "since") == 0)
		(void)sscanf(value, "%" SCNd64, &record->since);
	return 0;
}

void quota_parse(const char *text, struct quota_record *record)
{
	struct err ignored;

	*record = (struct quota_record){ 0 };
	if (conf_parse(text, record_set, record, &ignored) < 0)
		*record = (struct quota_record){ 0 };
}

int quota_read(int dir, struct quota_record *record, struct err *err)
{
	char text[512];

	*record = (struct quota_record){ 0 };
	if (file_read(dir, "quota", text, sizeof(text), err) < 0)
		/* one of another kind or size was never ours */
		return err->code == ENOENT || err->code == EFBIG ? 0 : -1;
	quota_parse(text, record);
	return 0;
}

int64_t quota_begin(const struct quota *rule, int64_t now)
{
	int64_t day = day_begin(now), begin;

	if (rule->period == QUOTA_ROLLING)
		return day - (ROLLING_DAYS - 1) * SPAN_DAY;
	begin = month_begin(now);
	if (rule->period == QUOTA_MONTH)
		return begin;
	begin += (rule->period - 1) * SPAN_DAY;
	/* not yet this month: the one of the month before */
	if (begin > now)
		begin = month_begin(month_begin(now) - 1) + (rule->period - 1) * SPAN_DAY;
	return begin;
}

int64_t quota_next(const struct quota *rule, int64_t now)
{
	int64_t next;

	if (rule->period == QUOTA_ROLLING)
		return 0;
	next = month_next(quota_begin(rule, now));
	return rule->period == QUOTA_MONTH ? next : next + (rule->period - 1) * SPAN_DAY;
}

static uint64_t less_free(uint64_t all, uint64_t spared)
{
	return all > spared ? all - spared : 0;
}

uint64_t quota_count(const struct quota *rule, const struct measures *used)
{
	const uint64_t *value = used->value;
	uint64_t in = less_free(value[MEASURE_TRAFFIC_IN], value[MEASURE_FREE_IN]);
	uint64_t out = less_free(value[MEASURE_TRAFFIC_OUT], value[MEASURE_FREE_OUT]);

	switch (rule->count) {
	case QUOTA_SUM:
		return in + out;
	case QUOTA_IN:
		return in;
	case QUOTA_OUT:
		return out;
	case QUOTA_MAX:
		return in > out ? in : out;
	}
	return in + out;
}

enum quota_level quota_level(uint64_t used, uint64_t limit, unsigned warn)
{
	if (!limit || used == FIGURE_UNKNOWN)
		return QUOTA_OK;
	if (used >= limit)
		return QUOTA_OVER;
	return (double)used * 100 >= (double)limit * warn ? QUOTA_WARNED : QUOTA_OK;
}

uint64_t quota_limit(const struct vps *vps, const struct quota_record *record, int64_t now)
{
	bool counts = record->since >= quota_begin(&vps->quota, now);

	return vps->traffic ? vps->traffic + (counts ? record->added : 0) : 0;
}

/*
 * A disk has a soft threshold only, and is well again when it is clearly below: not while
 * nothing is known of it, as in a history that was just begun anew.
 */
static enum quota_level fill_level(enum quota_level before, uint64_t used, uint64_t limit,
				   unsigned warn)
{
	if (limit && used == FIGURE_UNKNOWN)
		return before;
	if (before != QUOTA_OK)
		warn = warn > SLACK ? warn - SLACK : 0;
	return quota_level(used, limit, warn) == QUOTA_OK ? QUOTA_OK : QUOTA_WARNED;
}

void quota_decide(const struct vps *vps, uint64_t traffic, const struct total *total,
		  unsigned warn, int64_t now, struct quota_record *record)
{
	bool over;

	record->traffic = quota_level(traffic, quota_limit(vps, record, now), warn);
	if (total) {
		record->disk = fill_level(record->disk, total->disk, vps->volume.size, warn);
		record->inodes =
		    fill_level(record->inodes, total->inodes, vps->volume.inodes, warn);
	}
	over = record->traffic == QUOTA_OVER;
	record->suspended = over && vps->quota.action == QUOTA_SUSPEND;
	record->throttle = over && vps->quota.action > QUOTA_SUSPEND ? vps->quota.action : 0;
}

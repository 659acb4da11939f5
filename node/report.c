/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cgroups.h"
#include "err.h"
#include "own.h"
#include "quota.h"
#include "str.h"

/* A period of more days than that has charts by the day, and by the month. */
#define HOURLY_DAYS 3
#define DAILY_DAYS  120

/* What is being gathered. */
struct gathering {
	struct report *report;
	size_t room;
	char *const *names;
	size_t names_count;
	bool *named; /* which of them were found */
	int64_t first_day;
};

static bool is_called(const struct history_vps *vps, const char *name)
{
	char id[16];

	str_format(id, sizeof(id), "%u", vps->id);
	return strcmp(vps->name, name) == 0 || strcmp(vps->uuid, name) == 0 ||
	       (!vps->gone && strcmp(id, name) == 0);
}

static bool is_wanted(struct gathering *gathering, const struct history_vps *vps)
{
	bool wanted = !gathering->names_count;

	for (size_t i = 0; i < gathering->names_count; i++) {
		if (!is_called(vps, gathering->names[i]))
			continue;
		gathering->named[i] = true;
		wanted = true;
	}
	return wanted;
}

static int vps_gather(const struct history_vps *vps, void *arg, struct err *err)
{
	struct gathering *gathering = arg;
	struct report *report = gathering->report;
	struct report_vps *one;

	(void)err;
	if (!is_wanted(gathering, vps))
		return 0;
	report->vps =
	    xgrow(report->vps, report->count, &gathering->room, sizeof(report->vps[0]));
	one = &report->vps[report->count++];
	*one = (struct report_vps){ .vps = *vps };
	/* all bits set is FIGURE_UNKNOWN */
	memset(&one->disk, 0xff, sizeof(one->disk));
	memset(&one->inodes, 0xff, sizeof(one->inodes));
	memset(one->days, 0xff, sizeof(one->days));
	return 0;
}

/* A name is that of the VPS that has it now; nobody has it: of all that had it. */
static void names_settle(struct report *report)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->count; i++) {
		const struct history_vps *vps = &report->vps[i].vps;
		bool taken = false;

		for (size_t j = 0; vps->gone && j < report->count; j++)
			taken |= !report->vps[j].vps.gone &&
				 strcmp(report->vps[j].vps.name, vps->name) == 0;
		if (taken)
			report->vps[i].vps.key = 0;
	}
	for (size_t i = 0; i < report->count; i++) {
		if (report->vps[i].vps.key)
			report->vps[kept++] = report->vps[i];
	}
	report->count = kept;
}

static int key_compare(const void *a, const void *b)
{
	const struct report_vps *one = a, *two = b;

	return one->vps.key < two->vps.key ? -1 : one->vps.key > two->vps.key;
}

static int key_find(const void *key, const void *one)
{
	int64_t wanted = *(const int64_t *)key, is = ((const struct report_vps *)one)->vps.key;

	return wanted < is ? -1 : wanted > is;
}

static struct report_vps *find(struct report *report, int64_t key)
{
	return report->count
		   ? bsearch(&key, report->vps, report->count, sizeof(report->vps[0]), key_find)
		   : NULL;
}

static int sum_row(int64_t key, int64_t time, const struct measures *measures, void *arg,
		   struct err *err)
{
	struct gathering *gathering = arg;
	struct report_vps *one = find(gathering->report, key);

	(void)time, (void)err;
	if (!one)
		return 0;
	measures_add(&one->sum, measures);
	measures_add(&gathering->report->sum, measures);
	return 0;
}

static int point_row(int64_t key, int64_t time, const struct measures *measures, void *arg,
		     struct err *err)
{
	struct gathering *gathering = arg;
	struct report_vps *one = find(gathering->report, key);

	(void)err;
	if (!one)
		return 0;
	/* in powers of two, so that nothing needs to remember the room */
	if ((one->points_count & (one->points_count - 1)) == 0)
		one->points =
		    xrealloc(one->points, (one->points_count ? one->points_count * 2 : 1) *
					      sizeof(one->points[0]));
	one->points[one->points_count++] = (struct point){ time, *measures };
	return 0;
}

/* The rule of who is there, and what is done about it; who is gone had that of the month. */
static void quota_find(const struct node *node, struct report_vps *one, struct quota *rule,
		       uint64_t *limit, int64_t now)
{
	own_vps vps = { 0 };
	struct quota_record record;
	struct err none;

	*rule = (struct quota){ 0 };
	*limit = one->vps.traffic;
	if (!one->vps.traffic || one->vps.gone ||
	    vps_load(node, one->vps.name, &vps, &none) < 0)
		return;
	own_fd dir = vps_dir(node, vps.name, &none);
	if (dir < 0 || strcmp(vps.uuid, one->vps.uuid) != 0)
		return;
	if (quota_read(dir, &record, &none) < 0)
		return;
	*rule = vps.quota;
	*limit = quota_limit(&vps, &record, now);
	one->throttle = record.throttle;
	one->suspended = record.suspended;
}

static int month_row(int64_t key, int64_t time, const struct measures *measures, void *arg,
		     struct err *err)
{
	struct gathering *gathering = arg;
	struct report_vps *one = find(gathering->report, key);

	(void)time, (void)err;
	if (one)
		one->this_month = *measures;
	return 0;
}

static int recent_row(int64_t key, int64_t time, const struct measures *measures, void *arg,
		      struct err *err)
{
	struct gathering *gathering = arg;
	struct report_vps *one = find(gathering->report, key);
	int64_t day = (time - gathering->first_day) / SPAN_DAY;

	(void)err;
	if (!one || day < 0 || day >= RECENT_DAYS)
		return 0;
	/* no disk is empty: 0 is one that was not looked at */
	if (measures->value[MEASURE_DISK_PEAK])
		one->disk.day[day] = measures->value[MEASURE_DISK_PEAK];
	if (measures->value[MEASURE_INODES_PEAK])
		one->inodes.day[day] = measures->value[MEASURE_INODES_PEAK];
	one->days[day] = *measures;
	return 0;
}

static void quota_conclude(const struct node *node, struct report_vps *one, int64_t now)
{
	int64_t first = day_begin(now) - (RECENT_DAYS - 1) * SPAN_DAY;
	struct measures used = { 0 };
	struct recent counted;
	struct quota rule;

	quota_find(node, one, &rule, &one->quota_limit, now);
	for (unsigned i = 0; i < RECENT_DAYS; i++) {
		if (one->days[i].value[MEASURE_SEEN] == FIGURE_UNKNOWN) {
			counted.day[i] = FIGURE_UNKNOWN;
			continue;
		}
		counted.day[i] = quota_count(&rule, &one->days[i]);
		if (first + i * SPAN_DAY >= quota_begin(&rule, now) &&
		    rule.period != QUOTA_MONTH)
			measures_add(&used, &one->days[i]);
	}
	if (rule.period == QUOTA_MONTH)
		used = one->this_month;
	one->quota_used = quota_count(&rule, &used);
	one->quota_reset = quota_next(&rule, now);
	const struct quota_record record = {
		.traffic = quota_level(one->quota_used, one->quota_limit, node->warn),
		.throttle = one->throttle,
		.suspended = one->suspended,
	};
	one->quota_state = quota_state_name(&record, one->quota_limit);
	one->traffic_full =
	    forecast_quota(&counted, one->quota_used, one->quota_limit, one->quota_reset, now);
}

static void one_conclude(const struct node *node, struct report_vps *one, int64_t now)
{
	const uint64_t *value = one->sum.value;
	uint64_t up = value[MEASURE_UP] / 1000000;

	one->memory_average = up ? value[MEASURE_MEMORY] / up * 1024 : FIGURE_UNKNOWN;
	quota_conclude(node, one, now);
	if (one->vps.gone)
		return;
	one->disk_full = forecast_fill(&one->disk, one->vps.disk, now);
	one->inodes_full = forecast_fill(&one->inodes, one->vps.inodes, now);
}

/* Whole months by their rows, what is left before and behind them by those of days. */
static int sums_gather(struct history *history, struct gathering *gathering, int64_t key,
		       struct err *err)
{
	const struct period *period = &gathering->report->period;
	int64_t first = month_begin(period->from), last = month_begin(period->to);

	if (first < period->from)
		first = month_next(period->from);
	if (last <= first)
		first = last = period->to;
	if (history_each(history, SPAN_DAY, period->from, first, key, sum_row, gathering, err) <
		0 ||
	    history_each(history, SPAN_MONTH, first, last, key, sum_row, gathering, err) < 0)
		return -1;
	return history_each(history, SPAN_DAY, last, period->to, key, sum_row, gathering, err);
}

static int rows_gather(struct history *history, struct gathering *gathering, bool charts,
		       struct err *err)
{
	struct report *report = gathering->report;
	const struct period *period = &report->period;
	int64_t key = report->count == 1 ? report->vps[0].vps.key : 0;

	if (sums_gather(history, gathering, key, err) < 0)
		return -1;
	gathering->first_day = day_begin(report->now) - (RECENT_DAYS - 1) * SPAN_DAY;
	if (history_each(history, SPAN_DAY, gathering->first_day, report->now + 1, key,
			 recent_row, gathering, err) < 0)
		return -1;
	if (history_each(history, SPAN_MONTH, month_begin(report->now), report->now + 1, key,
			 month_row, gathering, err) < 0)
		return -1;
	if (!charts)
		return 0;
	return history_each(history, report->span, period->from, period->to, key, point_row,
			    gathering, err);
}

/* Of those that have gone only the ones that the period knows; the rest in order of their
 * names. */
static void sort_out(struct report *report, bool all)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->count; i++) {
		struct report_vps *one = &report->vps[i];

		if (all && one->vps.gone && !one->sum.value[MEASURE_SEEN] &&
		    !one->sum.value[MEASURE_CPU]) {
			free(one->points);
			continue;
		}
		report->vps[kept++] = *one;
	}
	report->count = kept;
}

static int name_compare(const void *a, const void *b)
{
	return strverscmp(((const struct report_vps *)a)->vps.name,
			  ((const struct report_vps *)b)->vps.name);
}

static int gather(const struct node *node, struct gathering *gathering, bool charts,
		  struct err *err)
{
	own_history history = history_open(node->storage, false, NULL, NULL, err);
	struct report *report = gathering->report;

	if (!history || history_each_vps(history, vps_gather, gathering, err) < 0)
		return -1;
	for (size_t i = 0; i < gathering->names_count; i++) {
		if (!gathering->named[i])
			return fail_as(err, ERR_NO_VPS, "the history knows no VPS '%s'",
				       gathering->names[i]);
	}
	if (gathering->names_count)
		names_settle(report);
	if (report->count)
		qsort(report->vps, report->count, sizeof(report->vps[0]), key_compare);
	return rows_gather(history, gathering, charts, err);
}

static enum span span_of(const struct period *period)
{
	int64_t days = (period->to - period->from) / SPAN_DAY;

	if (days <= HOURLY_DAYS)
		return SPAN_HOUR;
	return days <= DAILY_DAYS ? SPAN_DAY : SPAN_MONTH;
}

int report_make(const struct node *node, const struct period *period, char *const *names,
		size_t names_count, bool charts, struct report *report, struct err *err)
{
	own_report made = { .period = *period, .now = time(NULL), .span = span_of(period) };
	struct gathering gathering = { .report = &made,
				       .names = names,
				       .names_count = names_count,
				       .named = xcalloc(names_count + 1, sizeof(bool)) };
	int result = gather(node, &gathering, charts, err);

	free(gathering.named);
	if (result < 0)
		return -1;
	sort_out(&made, !names_count);
	for (size_t i = 0; i < made.count; i++)
		one_conclude(node, &made.vps[i], made.now);
	if (made.count)
		qsort(made.vps, made.count, sizeof(made.vps[0]), name_compare);
	if (capacity_find(node, &made.capacity, err) < 0 ||
	    node_promised(node, &made.promised, err) < 0)
		return -1;
	*report = made;
	made.vps = NULL;
	made.count = 0;
	return 0;
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->vps[i].points);
	free(report->vps);
	report->vps = NULL;
	report->count = 0;
}

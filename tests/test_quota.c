/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/quota.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "own.h"
#include "report.h"
#include "test_scratch.h"

#define DAY 1763769600ll /* 2025-11-22, 00:00 UTC */
#define NOW (DAY + 13 * SPAN_HOUR)
#define G   (UINT64_C(1) << 30)

static int64_t begin_of(unsigned period, int64_t now)
{
	const struct quota rule = { .period = period };

	return quota_begin(&rule, now);
}

static int64_t next_of(unsigned period, int64_t now)
{
	const struct quota rule = { .period = period };

	return quota_next(&rule, now);
}

Test(quota, a_month_is_that_of_the_calendar)
{
	cr_assert_eq(begin_of(QUOTA_MONTH, NOW), DAY - 21 * SPAN_DAY);
	cr_assert_eq(next_of(QUOTA_MONTH, NOW), DAY + 9 * SPAN_DAY);
	cr_assert_eq(begin_of(QUOTA_MONTH, DAY + 9 * SPAN_DAY), DAY + 9 * SPAN_DAY);
}

Test(quota, a_day_of_the_month_is_this_months_or_the_last_ones)
{
	cr_assert_eq(begin_of(15, NOW), DAY - 7 * SPAN_DAY);
	cr_assert_eq(next_of(15, NOW), DAY + (30 - 7) * SPAN_DAY);
	cr_assert_eq(begin_of(28, NOW), DAY - (21 + 31 - 27) * SPAN_DAY, "the 28th of October");
	cr_assert_eq(next_of(28, NOW), DAY + 6 * SPAN_DAY);
	cr_assert_eq(begin_of(22, NOW), DAY);
	/* over the end of a year */
	cr_assert_eq(next_of(15, 1766880000), 1768435200, "2026-01-15");
}

Test(quota, what_rolls_has_thirty_days_and_no_end)
{
	cr_assert_eq(begin_of(QUOTA_ROLLING, NOW), DAY - 29 * SPAN_DAY);
	cr_assert_eq(next_of(QUOTA_ROLLING, NOW), 0);
}

Test(quota, each_period_begins_where_the_last_one_ended)
{
	for (unsigned period = 0; period <= 28; period++) {
		int64_t now = DAY;

		for (int i = 0; i < 40; i++) {
			int64_t next = next_of(period, now);

			cr_assert_gt(next, now, "%u", period);
			cr_assert_eq(begin_of(period, next), next, "%u", period);
			cr_assert_lt(begin_of(period, next - 1), next, "%u", period);
			cr_assert_eq(next_of(period, next - 1), next, "%u", period);
			now = next;
		}
	}
}

Test(quota, what_counts_is_what_the_rule_says_less_what_is_free)
{
	struct measures used = { 0 };
	struct quota rule = { .count = QUOTA_SUM };

	used.value[MEASURE_TRAFFIC_IN] = 100;
	used.value[MEASURE_TRAFFIC_OUT] = 70;
	used.value[MEASURE_FREE_IN] = 50;
	cr_assert_eq(quota_count(&rule, &used), 120);
	rule.count = QUOTA_IN;
	cr_assert_eq(quota_count(&rule, &used), 50);
	rule.count = QUOTA_OUT;
	cr_assert_eq(quota_count(&rule, &used), 70);
	rule.count = QUOTA_MAX;
	cr_assert_eq(quota_count(&rule, &used), 70);
}

Test(quota, levels_are_met_and_not_passed)
{
	cr_assert_eq(quota_level(79, 100, 80), QUOTA_OK);
	cr_assert_eq(quota_level(80, 100, 80), QUOTA_WARNED);
	cr_assert_eq(quota_level(99, 100, 80), QUOTA_WARNED);
	cr_assert_eq(quota_level(100, 100, 80), QUOTA_OVER);
	cr_assert_eq(quota_level(1000, 0, 80), QUOTA_OK, "there is none");
	cr_assert_eq(quota_level(FIGURE_UNKNOWN, 100, 80), QUOTA_OK);
	cr_assert_eq(quota_level(UINT64_MAX - 1, UINT64_MAX - 1, 80), QUOTA_OVER);
}

static struct vps vps_of(uint64_t traffic, uint64_t action)
{
	struct vps vps;

	vps_init(&vps);
	vps.traffic = traffic;
	vps.quota.action = action;
	vps.volume.size = 10 * G;
	vps.volume.inodes = 1000;
	return vps;
}

Test(quota, a_used_up_one_throttles_and_a_new_period_lifts_it)
{
	struct vps vps = vps_of(10 * G, 5000000);
	struct quota_record record = { 0 };

	quota_decide(&vps, 9 * G, NULL, 80, NOW, &record);
	cr_assert_eq(record.traffic, QUOTA_WARNED);
	cr_assert_eq(record.throttle, 0);
	quota_decide(&vps, 10 * G, NULL, 80, NOW, &record);
	cr_assert_eq(record.traffic, QUOTA_OVER);
	cr_assert_eq(record.throttle, 5000000);
	/* used begins anew with the period */
	quota_decide(&vps, 0, NULL, 80, next_of(QUOTA_MONTH, NOW), &record);
	cr_assert_eq(record.traffic, QUOTA_OK);
	cr_assert_eq(record.throttle, 0);
}

Test(quota, its_action_is_that_of_the_definition)
{
	struct vps vps = vps_of(10 * G, QUOTA_SUSPEND);
	struct quota_record record = { 0 };

	quota_decide(&vps, 10 * G, NULL, 80, NOW, &record);
	cr_assert(record.suspended);
	cr_assert_eq(record.throttle, 0);
	vps.quota.action = QUOTA_NOTHING;
	quota_decide(&vps, 10 * G, NULL, 80, NOW, &record);
	cr_assert_not(record.suspended);
	cr_assert_eq(record.traffic, QUOTA_OVER, "it is told all the same");
	vps.traffic = 0;
	quota_decide(&vps, 10 * G, NULL, 80, NOW, &record);
	cr_assert_eq(record.traffic, QUOTA_OK);
}

Test(quota, what_was_added_counts_in_its_period_only)
{
	struct vps vps = vps_of(10 * G, 5000000);
	struct quota_record record = { .added = 5 * G, .since = begin_of(QUOTA_MONTH, NOW) };
	int64_t next = next_of(QUOTA_MONTH, NOW);

	cr_assert_eq(quota_limit(&vps, &record, NOW), 15 * G);
	cr_assert_eq(quota_limit(&vps, &record, next - 1), 15 * G);
	cr_assert_eq(quota_limit(&vps, &record, next), 10 * G);
	vps.traffic = 0;
	cr_assert_eq(quota_limit(&vps, &record, NOW), 0, "nothing is no quota of 5 G");
}

Test(quota, a_disk_at_its_threshold_warns_once_and_not_each_minute)
{
	struct vps vps = vps_of(0, 0);
	struct quota_record record = { 0 };
	struct total total = { .disk = 8 * G, .inodes = 100 };

	quota_decide(&vps, 0, &total, 80, NOW, &record);
	cr_assert_eq(record.disk, QUOTA_WARNED);
	cr_assert_eq(record.inodes, QUOTA_OK);
	total.disk = 10 * G;
	quota_decide(&vps, 0, &total, 80, NOW, &record);
	cr_assert_eq(record.disk, QUOTA_WARNED, "full is no other level");
	/* a little less is not well yet */
	total.disk = 8 * G - G / 10;
	quota_decide(&vps, 0, &total, 80, NOW, &record);
	cr_assert_eq(record.disk, QUOTA_WARNED);
	total.disk = FIGURE_UNKNOWN;
	quota_decide(&vps, 0, &total, 80, NOW, &record);
	cr_assert_eq(record.disk, QUOTA_WARNED, "nobody knows that it is well");
	total.disk = 7 * G;
	quota_decide(&vps, 0, &total, 80, NOW, &record);
	cr_assert_eq(record.disk, QUOTA_OK);
	total.inodes = FIGURE_UNKNOWN;
	quota_decide(&vps, 0, &total, 80, NOW, &record);
	cr_assert_eq(record.inodes, QUOTA_OK);
}

Test(quota, a_record_is_read_back_as_it_was)
{
	const struct quota_record record = { .traffic = QUOTA_OVER,
					     .traffic_told = QUOTA_WARNED,
					     .disk = QUOTA_WARNED,
					     .throttle = 5000000,
					     .suspended = true,
					     .added = 7 * G,
					     .since = DAY };
	struct quota_record again;
	char text[512], other[512];

	quota_print(&record, text, sizeof(text));
	quota_parse(text, &again);
	quota_print(&again, other, sizeof(other));
	cr_assert_str_eq(text, other);
	cr_assert_eq(again.traffic_told, QUOTA_WARNED);
	quota_parse("no record\n", &again);
	cr_assert_eq(again.throttle, 0);
}

/* What was paid for is in it: one that cannot be read is no record of nothing. */
Test(quota, a_record_that_cannot_be_read_is_an_error, .init = scratch_make,
     .fini = scratch_remove)
{
	struct quota_record record;
	struct err err;

	cr_expect_eq(quota_read(scratch, &record, &err), 0);
	cr_expect_eq(record.added, 0);
	scratch_put(scratch, "quota", "added = 5\n");
	cr_expect_eq(quota_read(scratch, &record, &err), 0);
	cr_expect_eq(record.added, 5);
	cr_assert_eq(unlinkat(scratch, "quota", 0), 0);
	cr_assert_eq(mkdirat(scratch, "quota", 0700), 0);
	cr_expect_eq(quota_read(scratch, &record, &err), -1);
	cr_expect_eq(err.code, EISDIR, "%s", err.msg);
}

static const char *text_of(const char *key, const char *value, char *text, size_t size)
{
	own_vps vps;
	struct err err;

	vps_init(&vps);
	cr_assert_eq(field_set(&vps, field_find(key), value, &err), 0, "%s", err.msg);
	own_str printed = field_text(&vps, field_find(key));
	snprintf(text, size, "%s", printed);
	return text;
}

Test(quota, its_keys_are_printed_as_they_are_read)
{
	static const char *const rows[][3] = {
		{ "traffic-period", "day:15", "traffic-period = day:15\n" },
		{ "traffic-period", "rolling", "traffic-period = rolling\n" },
		{ "traffic-period", "month", "" },
		{ "traffic-count", "max", "traffic-count = max\n" },
		{ "traffic-count", "sum", "" },
		{ "traffic-action", "throttle:10M", "traffic-action = throttle:10M\n" },
		{ "traffic-action", "suspend", "traffic-action = suspend\n" },
		{ "traffic-action", "none", "" },
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_str_eq(text_of(rows[i][0], rows[i][1], text, sizeof(text)),
				 rows[i][2]);
}

Test(quota, values_that_are_none_are_refused)
{
	static const char *const rows[][2] = {
		{ "traffic-period", "day:29" },	  { "traffic-period", "day:0" },
		{ "traffic-period", "week" },	  { "traffic-count", "both" },
		{ "traffic-action", "throttle" }, { "traffic-action", "throttle:1k" },
		{ "traffic-action", "stop" },	  { "traffic-action", "throttle:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		own_vps vps;
		struct err err;

		vps_init(&vps);
		cr_expect_eq(field_set(&vps, field_find(rows[i][0]), rows[i][1], &err), -1,
			     "%s", rows[i][1]);
		cr_expect_eq(err.kind, ERR_VALUE);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../nodectl/report_print.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../nodectl/report_chart.h"
#include "cgroups.h"
#include "err.h"
#include "own.h"
#include "report.h"
#include "str.h"

#define NOW 1763816400ll /* 2025-11-22, 13:00 UTC */
#define DAY 1763769600ll
#define G   (UINT64_C(1) << 30)

/* ---- periods --------------------------------------------------------------------------- */

static struct period period_of(const char *text)
{
	struct period period = { 0 };
	struct err err = { 0 };

	cr_assert_eq(period_parse(text, NOW, &period, &err), 0, "%s", err.msg);
	return period;
}

Test(period, words_are_days_of_utc)
{
	cr_assert_eq(period_of("today").from, DAY);
	cr_assert_eq(period_of("today").to, DAY + SPAN_DAY);
	cr_assert_eq(period_of("yesterday").from, DAY - SPAN_DAY);
	cr_assert_eq(period_of("month").from, DAY - 21 * SPAN_DAY);
	cr_assert_eq(period_of("month").to, DAY + 9 * SPAN_DAY);
	cr_assert_eq(period_of("last-month").to, DAY - 21 * SPAN_DAY);
	cr_assert_eq(period_of("last-month").from, DAY - (21 + 31) * SPAN_DAY);
	cr_assert_str_eq(period_of("last-month").name, "2025-10");
	cr_assert_str_eq(period_of("today").name, "2025-11-22");
}

Test(period, dates_are_what_they_say_with_both_ends)
{
	cr_assert_eq(period_of("2025-11-22").from, DAY);
	cr_assert_eq(period_of("2025-11-20..2025-11-22").to, DAY + SPAN_DAY);
	cr_assert_str_eq(period_of("2025-11-20..2025-11-22").name, "2025-11-20..2025-11-22");
	cr_assert_str_eq(period_of("2024-02").name, "2024-02");
	cr_assert_eq(period_of("2024-02").to - period_of("2024-02").from, 29 * SPAN_DAY);
	cr_assert_str_eq(period_of("2024-02-01..2024-02-29").name, "2024-02");
}

Test(period, what_is_none_is_refused)
{
	static const char *const bad[] = {
		"",	      "week",	     "2025-13",
		"2025-02-30", "2025-11-2",   "2025-11-22..",
		"1969-01-01", "2025-11-22x", "2025-11-22..2025-11-21",
		"2025-1-222", "20a5-11-22"
	};
	struct period period;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_eq(period_parse(bad[i], NOW, &period, &err), -1, "'%s'", bad[i]);
		cr_expect_eq(err.kind, ERR_VALUE);
	}
}

Test(period, spans_begin_where_the_calendar_does)
{
	cr_assert_eq(span_begin(SPAN_HOUR, NOW + 59), NOW);
	cr_assert_eq(span_begin(SPAN_DAY, NOW), DAY);
	cr_assert_eq(span_begin(SPAN_MONTH, NOW), DAY - 21 * SPAN_DAY);
	cr_assert_eq(month_next(DAY - 21 * SPAN_DAY), DAY + 9 * SPAN_DAY);
}

/* ---- forecasts ------------------------------------------------------------------------- */

static struct recent recent_of(unsigned days, uint64_t first, int64_t step)
{
	struct recent recent;

	memset(&recent, 0xff, sizeof(recent));
	for (unsigned i = 0; i < days; i++)
		recent.day[RECENT_DAYS - days + i] =
		    (uint64_t)((int64_t)first + step * (int64_t)i);
	return recent;
}

Test(forecast, a_disk_that_grows_evenly_is_full_when_the_line_says)
{
	struct recent recent = recent_of(20, 1 * G, (int64_t)(G / 10));
	struct forecast forecast = forecast_fill(&recent, 5 * G, NOW);

	/* 2.9 G today, a tenth more each day */
	cr_assert_eq((forecast.when - NOW + SPAN_HOUR) / SPAN_DAY, 21);
	cr_assert_gt(forecast.sure, 0.99);
	cr_assert_str_eq(forecast_word(&forecast), "likely");
}

Test(forecast, few_days_are_less_sure_and_too_few_say_nothing)
{
	struct recent five = recent_of(5, 1 * G, (int64_t)(G / 10));
	struct recent three = recent_of(3, 1 * G, (int64_t)(G / 10));
	struct forecast forecast = forecast_fill(&five, 5 * G, NOW);

	cr_assert(forecast.when);
	cr_assert_lt(forecast.sure, 0.4);
	cr_assert_eq(forecast_fill(&three, 5 * G, NOW).when, 0);
}

Test(forecast, what_wavers_is_less_sure_than_what_does_not)
{
	struct recent recent = recent_of(20, 1 * G, (int64_t)(G / 100));
	struct forecast even = forecast_fill(&recent, 5 * G, NOW), uneven;

	for (unsigned i = 0; i < RECENT_DAYS; i += 2) {
		if (recent.day[i] != FIGURE_UNKNOWN)
			recent.day[i] += G / 4;
	}
	uneven = forecast_fill(&recent, 5 * G, NOW);
	cr_assert_lt(uneven.sure, even.sure / 2);
}

Test(forecast, what_shrinks_stays_or_has_no_limit_is_never_full)
{
	struct recent shrinks = recent_of(20, 4 * G, -(int64_t)(G / 10));
	struct recent stays = recent_of(20, 4 * G, 0);
	struct recent grows = recent_of(20, 1 * G, 1);

	cr_assert_eq(forecast_fill(&shrinks, 5 * G, NOW).when, 0);
	cr_assert_eq(forecast_fill(&stays, 5 * G, NOW).when, 0);
	cr_assert_eq(forecast_fill(&grows, 0, NOW).when, 0);
	cr_assert_eq(forecast_fill(&grows, 5 * G, NOW).when, 0, "not within two years");
	cr_assert_eq(forecast_fill(&stays, 4 * G, NOW).when, NOW, "it is full now");
}

Test(forecast, a_quota_is_met_before_it_begins_anew_or_not_at_all)
{
	struct recent recent = recent_of(20, 10 * G, 0);
	struct forecast forecast =
	    forecast_quota(&recent, 50 * G, 100 * G, NOW + 9 * SPAN_DAY, NOW);

	cr_assert_eq(forecast.when, NOW + 5 * SPAN_DAY);
	cr_assert_gt(forecast.sure, 0.99);
	cr_assert_eq(forecast_quota(&recent, 50 * G, 100 * G, NOW + 4 * SPAN_DAY, NOW).when, 0);
	cr_assert_eq(forecast_quota(&recent, 50 * G, 0, 0, NOW).when, 0);
	cr_assert_eq(forecast_quota(&recent, 100 * G, 100 * G, 0, NOW).when, NOW);
}

/* ---- formats --------------------------------------------------------------------------- */

Test(chart, the_upper_end_is_round_and_not_far_above)
{
	cr_assert_float_eq(chart_top(0, false), 1, 1e-9);
	cr_assert_float_eq(chart_top(0.013, false), 0.02, 1e-9);
	cr_assert_float_eq(chart_top(3, false), 5, 1e-9);
	cr_assert_float_eq(chart_top(100, false), 100, 1e-9);
	cr_assert_float_eq(chart_top(101, false), 200, 1e-9);
	cr_assert_float_eq(chart_top(1000, true), 1024, 1e-9);
	cr_assert_float_eq(chart_top(1025, true), 2048, 1e-9);
}

static struct report report_of(struct report_vps *vps)
{
	struct report report = { .period = { DAY, DAY + SPAN_DAY, "2025-11-22" },
				 .now = NOW,
				 .span = SPAN_HOUR,
				 .vps = vps,
				 .count = 1 };

	*vps = (struct report_vps){ .quota_state = "ok", .memory_average = FIGURE_UNKNOWN };
	strcpy(vps->vps.name, "web1");
	strcpy(vps->vps.plan, "a,\"b\"");
	vps->sum.value[MEASURE_CPU] = 1500000;
	vps->sum.value[MEASURE_TRAFFIC_IN] = 42;
	vps->sum.value[MEASURE_UP] = vps->sum.value[MEASURE_SEEN] = 3600000000;
	return report;
}

/* Not inline: gcc would take the stream for somebody who still writes. */
__attribute__((noinline)) static char *
printed(void (*print)(const struct report *report, FILE *out), const struct report *report)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	print(report, out);
	fclose(out);
	return text;
}

Test(report, csv_has_a_line_for_each_and_quotes_what_needs_it)
{
	struct report_vps vps;
	struct report report = report_of(&vps);
	own_str text = printed(report_csv, &report);
	char *line = strchr(text, '\n') + 1;
	unsigned commas = 0;

	cr_assert_eq(strncmp(text, "period,name,id,uuid,plan,", 25), 0);
	cr_assert_eq(strncmp(line, "2025-11-22,web1,0,,\"a,\"\"b\"\"\",", 29), 0, "%s", line);
	cr_assert(strstr(line, ",1.500000,"));
	for (const char *c = text; *c != '\n'; c++)
		commas += *c == ',';
	for (const char *c = line; *c != '\n'; c++)
		commas -= *c == ',';
	cr_assert_eq(commas, (unsigned)-1, "but for the comma inside");
}

Test(report, json_is_in_base_units_and_says_what_is_not_known)
{
	struct report_vps vps;
	struct report report = report_of(&vps);
	json_t *object = report_object(&report);
	json_t *one = json_array_get(json_object_get(object, "vps"), 0);

	cr_assert_float_eq(json_number_value(json_object_get(one, "cpu")), 1.5, 1e-9);
	cr_assert_eq(json_integer_value(json_object_get(one, "traffic_in")), 42);
	cr_assert(json_is_null(json_object_get(one, "memory_average")));
	cr_assert(json_is_null(json_object_get(one, "disk_full")));
	json_decref(object);
}

Test(report, html_is_one_page_that_asks_for_nothing)
{
	struct report_vps vps;
	struct report report = report_of(&vps);
	own_str text = printed(report_html, &report);

	cr_assert_eq(strncmp(text, "<!DOCTYPE html>", 15), 0);
	cr_assert(strstr(text, "</html>"));
	cr_assert(strstr(text, "<svg "));
	cr_assert(strstr(text, "a,&quot;b&quot;"));
	cr_assert_null(strstr(text, "http"));
	cr_assert_null(strstr(text, "<script"));
	cr_assert_null(strstr(text, "nan"));
}

Test(report, a_notice_tells_what_needs_somebody_and_how_sure_that_is)
{
	struct report_vps vps;
	char text[400];

	(void)report_of(&vps);
	report_notice(&vps, NOW, text, sizeof(text));
	cr_assert_str_eq(text, "");
	vps.disk_full = (struct forecast){ NOW + 6 * SPAN_DAY, 0.9 };
	vps.traffic_full = (struct forecast){ NOW, 1 };
	report_notice(&vps, NOW, text, sizeof(text));
	cr_assert_str_eq(text, "disk full in 6 d, on 2025-11-28 (likely); "
			       "traffic quota used up now");
}

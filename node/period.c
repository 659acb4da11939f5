/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "report.h"
#include "str.h"

int64_t day_begin(int64_t time)
{
	return time - (time % SPAN_DAY + SPAN_DAY) % SPAN_DAY;
}

static int64_t month_at(int64_t seconds, int months)
{
	time_t time = (time_t)seconds;
	struct tm tm;

	gmtime_r(&time, &tm);
	tm.tm_mon += months;
	tm.tm_mday = 1;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return timegm(&tm);
}

int64_t month_begin(int64_t time)
{
	return month_at(time, 0);
}

int64_t month_next(int64_t time)
{
	return month_at(time, 1);
}

int64_t span_begin(enum span span, int64_t time)
{
	return span == SPAN_MONTH ? month_begin(time) : time - time % span;
}

static bool digits(const char *text, const char *form)
{
	for (; *form; form++, text++) {
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	}
	return true;
}

/* "2026-11-21" at the begin of @text; a day that no month has is none. */
static bool day_parse(const char *text, int64_t *day)
{
	struct tm tm = { 0 };
	int wanted;

	if (!digits(text, "0000-00-00") ||
	    sscanf(text, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	wanted = tm.tm_mday;
	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11)
		return false;
	*day = timegm(&tm);
	return tm.tm_mday == wanted;
}

static bool range_parse(const char *text, struct period *period)
{
	size_t len = strlen(text);
	char first[16];

	if (len == 7 && digits(text, "0000-00")) {
		snprintf(first, sizeof(first), "%.7s-01", text);
		if (!day_parse(first, &period->from))
			return false;
		period->to = month_next(period->from);
		return true;
	}
	if (!day_parse(text, &period->from))
		return false;
	if (len == 10) {
		period->to = period->from + SPAN_DAY;
		return true;
	}
	if (len != 22 || strncmp(text + 10, "..", 2) != 0 || !day_parse(text + 12, &period->to))
		return false;
	period->to += SPAN_DAY;
	return period->from < period->to;
}

/* "2026-11-21", or as much of it as @size has room for. */
static void day_name(int64_t day, char *text, size_t size)
{
	char whole[32];

	time_print(day, whole, sizeof(whole));
	snprintf(text, size, "%.*s", (int)size - 1, whole);
}

static void period_name(struct period *period)
{
	char from[sizeof("2026-11-21")], last[sizeof(from)];

	if (period->from == month_begin(period->from) &&
	    period->to == month_next(period->from)) {
		day_name(period->from, period->name, sizeof("2026-11"));
		return;
	}
	day_name(period->from, from, sizeof(from));
	day_name(period->to - SPAN_DAY, last, sizeof(last));
	if (strcmp(from, last) == 0)
		str_format(period->name, sizeof(period->name), "%s", from);
	else
		str_format(period->name, sizeof(period->name), "%s..%s", from, last);
}

int period_parse(const char *text, int64_t now, struct period *period, struct err *err)
{
	struct period got = { .to = day_begin(now) + SPAN_DAY };

	if (strcmp(text, "today") == 0) {
		got.from = day_begin(now);
	} else if (strcmp(text, "yesterday") == 0) {
		got.to = day_begin(now);
		got.from = got.to - SPAN_DAY;
	} else if (strcmp(text, "month") == 0) {
		got.from = month_begin(now);
		got.to = month_next(now);
	} else if (strcmp(text, "last-month") == 0) {
		got.to = month_begin(now);
		got.from = month_begin(got.to - 1);
	} else if (!range_parse(text, &got)) {
		return fail_as(err, ERR_VALUE,
			       "'%s' is not a period (today, yesterday, month, last-month, "
			       "2026-11, 2026-11-21 or 2026-11-01..2026-11-21)",
			       text);
	}
	period_name(&got);
	*period = got;
	return 0;
}

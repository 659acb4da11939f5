/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"
#include "report.h"

#define DAYS_NEEDED 4
#define DAYS_SURE   14.0
#define WEEK	    7

/* Farther than that nobody sees. */
#define HORIZON (2 * 365.0)

/* Sums of a line through points. */
struct line {
	double n, x, y, xx, xy, yy;
};

static struct line line_of(const struct recent *recent)
{
	struct line line = { 0 };

	for (unsigned i = 0; i < RECENT_DAYS; i++) {
		double x = (double)i - (RECENT_DAYS - 1), y = (double)recent->day[i];

		if (recent->day[i] == FIGURE_UNKNOWN)
			continue;
		line.n++;
		line.x += x;
		line.y += y;
		line.xx += x * x;
		line.xy += x * y;
		line.yy += y * y;
	}
	return line;
}

static double less(double a, double b)
{
	return a < b ? a : b;
}

static int64_t in_days(int64_t now, double days)
{
	return now + (int64_t)(days * SPAN_DAY);
}

struct forecast forecast_fill(const struct recent *recent, uint64_t limit, int64_t now)
{
	const struct forecast never = { 0 };
	struct line line = line_of(recent);
	uint64_t last = recent->day[RECENT_DAYS - 1];
	double sx, sy, sxy, slope, days;

	if (!limit || limit == FIGURE_UNKNOWN || last == FIGURE_UNKNOWN)
		return never;
	if (last >= limit)
		return (struct forecast){ now, 1 };
	if (line.n < DAYS_NEEDED)
		return never;
	sx = line.xx - line.x * line.x / line.n;
	sy = line.yy - line.y * line.y / line.n;
	sxy = line.xy - line.x * line.y / line.n;
	if (sx <= 0 || sy <= 0 || sxy <= 0)
		return never;
	slope = sxy / sx;
	days = ((double)limit - (double)last) / slope;
	if (days > HORIZON)
		return never;
	return (struct forecast){ in_days(now, days),
				  sxy * sxy / (sx * sy) * less(1, line.n / DAYS_SURE) };
}

/* The last days before today, which is not over. */
struct days {
	double n, sum, squares;
};

static struct days week_of(const struct recent *recent)
{
	struct days days = { 0 };

	for (unsigned i = RECENT_DAYS - 1 - WEEK; i < RECENT_DAYS - 1; i++) {
		double used = (double)recent->day[i];

		if (recent->day[i] == FIGURE_UNKNOWN)
			continue;
		days.n++;
		days.sum += used;
		days.squares += used * used;
	}
	return days;
}

struct forecast forecast_quota(const struct recent *recent, uint64_t used, uint64_t limit,
			       int64_t reset, int64_t now)
{
	const struct forecast never = { 0 };
	struct days days = week_of(recent);
	double mean, spread, left;
	int64_t when;

	if (!limit)
		return never;
	if (used >= limit)
		return (struct forecast){ now, 1 };
	mean = days.n ? days.sum / days.n : 0;
	if (mean <= 0)
		return never;
	left = (double)(limit - used) / mean;
	when = in_days(now, left);
	if (left > HORIZON || (reset && when >= reset))
		return never;
	/* the square of how far days are from their mean, in parts of it */
	spread = (days.squares / days.n - mean * mean) / (mean * mean);
	return (struct forecast){ when, less(1, days.n / WEEK) / (1 + spread) };
}

const char *forecast_word(const struct forecast *forecast)
{
	if (forecast->sure >= 0.8)
		return "likely";
	return forecast->sure >= 0.4 ? "maybe" : "unsure";
}

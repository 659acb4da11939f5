/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "node.h"

struct err;

/* Days of UTC, from the first second of one to the first after another. */
struct period {
	int64_t from, to;
	char name[32]; /* "2026-11", "2026-11-21", "2026-11-01..2026-11-09" */
};

/* "today", "yesterday", "month" (this one), "last-month", "2026-11", "2026-11-21", or
 * "FROM..TO" with both days in it.  ERR_VALUE.  Pure. */
int period_parse(const char *text, int64_t now, struct period *period, struct err *err);

/* The first second of the day, and of the month, that @time is in; and of the next month. */
int64_t day_begin(int64_t time);
int64_t month_begin(int64_t time);
int64_t month_next(int64_t time);

/* What is expected to happen, and how sure that is. */
struct forecast {
	int64_t when; /* 0: it will not, as far as can be seen */
	double sure;  /* 0 to 1 */
};

#define RECENT_DAYS 32

/* One figure of the last days, today last; FIGURE_UNKNOWN where nothing is known. */
struct recent {
	uint64_t day[RECENT_DAYS];
};

/*
 * When will a figure that grows as it did meet @limit (0: none)?  By the line through its days,
 * of which it takes four; how sure that is is how well they lie on it, and how many they are.
 * Pure.
 */
struct forecast forecast_fill(const struct recent *recent, uint64_t limit, int64_t now);

/* When will traffic of which @used of @limit are gone meet it, if the days to come are like the
 * last seven?  Not after @reset (0: never).  Pure. */
struct forecast forecast_quota(const struct recent *recent, uint64_t used, uint64_t limit,
			       int64_t reset, int64_t now);

/* "likely", "maybe", "unsure" */
const char *forecast_word(const struct forecast *forecast);

/* One VPS and a period.  Figures are FIGURE_UNKNOWN where nothing is known. */
struct report_vps {
	struct history_vps vps;
	struct measures sum;
	uint64_t memory_average;
	uint64_t quota_used, quota_limit; /* in the period of the quota; limit 0: none */
	int64_t quota_reset;		  /* 0: it rolls */
	const char *quota_state; /* "none", "ok", "warned", "over", "throttled", "suspended" */
	struct forecast disk_full, inodes_full, traffic_full;
	struct recent disk, inodes;	   /* of the last days */
	struct measures days[RECENT_DAYS]; /* all bits set: nothing is known */
	struct measures this_month;
	uint64_t throttle; /* what is done about the quota */
	bool suspended;
	struct point *points; /* for charts */
	size_t points_count;
};

/* One slot of a chart. */
struct point {
	int64_t time;
	struct measures measures;
};

struct report {
	struct period period;
	int64_t now;
	enum span span; /* of the points */
	struct report_vps *vps;
	size_t count;
	struct measures sum; /* of all of them */
	struct capacity capacity;
	struct claim promised; /* to all VPSs of the node */
};

#define own_report __attribute__((cleanup(report_free))) struct report

/*
 * What the history knows of @names (none: all VPSs that it knows anything of in that time).  A
 * name that it does not know is ERR_NO_VPS.  @charts: with points.
 */
int report_make(const struct node *node, const struct period *period, char *const *names,
		size_t names_count, bool charts, struct report *report, struct err *err);
void report_free(struct report *report);

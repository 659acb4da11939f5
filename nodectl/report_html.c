/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "report_chart.h"
#include "report_print.h"
#include "str.h"

static const char style[] =
    ":root{--ink:#1d2430;--soft:#5b6675;--page:#fff;--card:#f5f7fa;--line:#d8dee7;"
    "--a:#2f6fdb;--b:#e0802a;--warn:#b3261e;--warnbg:#fdecea}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b6;--page:#12161c;"
    "--card:#1b212a;--line:#323b48;--a:#6ea8ff;--b:#f0a35e;--warn:#ff9a90;--warnbg:#3a1d1b}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--page);color:var(--ink);"
    "font:15px/1.45 system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif}\n"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:0}p{margin:.3rem 0}\n"
    "a{color:var(--a)}.soft{color:var(--soft)}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;margin:1rem "
    "0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;"
    "white-space:nowrap}\n"
    "th{color:var(--soft);font-weight:600}th.t,td.t{text-align:left}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:1rem;margin:1rem 0;break-inside:avoid}\n"
    ".notice{background:var(--warnbg);color:var(--warn);border-radius:6px;padding:.4rem "
    ".6rem}\n"
    "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.4rem 1rem;"
    "margin:.8rem 0}\n"
    "dt{color:var(--soft);font-size:.85em}dd{margin:0;font-variant-numeric:tabular-nums}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}\n"
    "figure{margin:0}figcaption{font-size:.9em;color:var(--soft)}\n"
    "svg{display:block;width:100%;height:auto}\n"
    "svg text{font-size:12px;fill:var(--soft)}.y{text-anchor:end}\n"
    ".grid{stroke:var(--line)}.limit{stroke:var(--warn);stroke-dasharray:5 4}\n"
    ".s0{fill:var(--a)}.s1{fill:var(--b)}\n"
    ".l0,.l1{fill:none;stroke-width:2}.l0{stroke:var(--a)}.l1{stroke:var(--b)}\n"
    ".key::before{content:\"\";display:inline-block;width:.7em;height:.7em;margin:0 .3em 0 "
    ".6em;border-radius:2px}\n"
    ".k0::before{background:var(--a)}.k1::before{background:var(--b)}\n"
    "@media print{body{max-width:none;padding:0;font-size:11px}section{background:none}"
    ".k0::before,.k1::before,.s0,.s1{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "@page{margin:1.2cm}}\n";

/* Months are not of one length: their charts have slots of the mean one, half a month wide on
 * either side of where they begin. */
#define MONTH_MEAN 2629746

static void text_print(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* The slots of a period, with what is known of each. */
struct slots {
	size_t count;
	int64_t from, step;
	double *value[2];
};

static void slots_begin(const struct report *report, struct slots *slots)
{
	int64_t to = report->period.to, from = report->period.from;

	/* nothing is known of the days to come */
	if (to > report->now + report->span)
		to = report->now - report->now % report->span + report->span;
	/* nor of those before the first row, when that is far away */
	for (size_t i = 0; i < report->count && report->span == SPAN_MONTH; i++) {
		const struct report_vps *vps = &report->vps[i];

		if (vps->points_count && (i == 0 || vps->points[0].time < from))
			from = vps->points[0].time;
	}
	if (to <= from)
		to = from + report->span;
	slots->from = span_begin(report->span, from);
	slots->step = report->span == SPAN_MONTH ? MONTH_MEAN : report->span;
	slots->count = (size_t)((to - slots->from + slots->step - 1) / slots->step);
	for (unsigned s = 0; s < ARRAY_SIZE(slots->value); s++)
		slots->value[s] = xcalloc(slots->count, sizeof(double));
}

static void slots_end(struct slots *slots)
{
	for (unsigned s = 0; s < ARRAY_SIZE(slots->value); s++)
		free(slots->value[s]);
}

/* Mean cores, memory, bytes, or the peak of the disk. */
static double cores_of(const struct measures *m)
{
	uint64_t known = m->value[MEASURE_SEEN];

	return known ? (double)m->value[MEASURE_CPU] / (double)known : NAN;
}

static double memory_of(const struct measures *m)
{
	double up = (double)m->value[MEASURE_UP] / 1e6;

	return up > 0 ? (double)m->value[MEASURE_MEMORY] * 1024 / up : NAN;
}

static double in_of(const struct measures *m)
{
	return (double)m->value[MEASURE_TRAFFIC_IN];
}

static double out_of(const struct measures *m)
{
	return (double)m->value[MEASURE_TRAFFIC_OUT];
}

static double disk_of(const struct measures *m)
{
	return m->value[MEASURE_DISK_PEAK] ? (double)m->value[MEASURE_DISK_PEAK] : NAN;
}

static void slots_fill(struct slots *slots, unsigned s, const struct report_vps *vps,
		       double (*of)(const struct measures *measures))
{
	for (size_t i = 0; i < slots->count; i++)
		slots->value[s][i] = NAN;
	for (size_t i = 0; i < vps->points_count; i++) {
		int64_t time = vps->points[i].time - slots->from;
		int64_t slot =
		    (time + (slots->step == MONTH_MEAN ? MONTH_MEAN / 2 : 0)) / slots->step;

		if (slot >= 0 && (size_t)slot < slots->count)
			slots->value[s][slot] = of(&vps->points[i].measures);
	}
}

static void charts_print(const struct report *report, const struct report_vps *vps, FILE *out)
{
	const struct {
		const char *title;
		double (*of[2])(const struct measures *measures);
		const char *name[2];
		double limit;
		bool bars, binary;
	} charts[] = {
		{ "CPU, cores",
		  { cores_of, NULL },
		  { "", "" },
		  vps->vps.cpus / 100.0,
		  false,
		  false },
		{ "Memory",
		  { memory_of, NULL },
		  { "", "" },
		  (double)vps->vps.memory,
		  false,
		  true },
		{ "Traffic", { in_of, out_of }, { "in", "out" }, 0, true, true },
		{ "Disk", { disk_of, NULL }, { "", "" }, (double)vps->vps.disk, false, true },
	};
	struct slots slots;

	slots_begin(report, &slots);
	fputs("<div class=\"charts\">\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(charts); i++) {
		struct chart chart = {
			.title = charts[i].title,
			.from = slots.from,
			.step = slots.step,
			.slots = slots.count,
			.limit = charts[i].limit,
			.bars = charts[i].bars,
			.binary = charts[i].binary,
		};

		for (unsigned s = 0; s < 2 && charts[i].of[s]; s++) {
			slots_fill(&slots, s, vps, charts[i].of[s]);
			chart.series[s].name = charts[i].name[s];
			chart.series[s].value = slots.value[s];
			chart.series_count++;
		}
		chart_print(&chart, out);
	}
	fputs("</div>\n", out);
	slots_end(&slots);
}

static void section_print(const struct report *report, const struct report_vps *vps, FILE *out)
{
	char text[400];

	fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", vps->vps.uuid, vps->vps.name);
	report_notice(vps, report->now, text, sizeof(text));
	if (*text) {
		fputs("<p class=\"notice\">", out);
		text_print(text, out);
		fputs("</p>\n", out);
	}
	fputs("<dl>\n", out);
	for (size_t i = 0; i < report_columns_count; i++) {
		const struct report_column *column = &report_columns[i];

		report_cell(column, vps, text, sizeof(text));
		/* what has nothing to say, and the name, which is above */
		if (!*text || strcmp(text, "-") == 0 || strcmp(column->key, "name") == 0)
			continue;
		fprintf(out, "<div><dt>%s</dt><dd>", column->label);
		text_print(text, out);
		fputs("</dd></div>\n", out);
	}
	fputs("</dl>\n", out);
	charts_print(report, vps, out);
	fputs("</section>\n", out);
}

static void overview_print(const struct report *report, FILE *out)
{
	char text[256];

	fputs("<div class=\"wide\"><table>\n<thead><tr>", out);
	for (size_t i = 0; i < report_columns_count; i++) {
		const struct report_column *column = &report_columns[i];

		if (column->header)
			fprintf(out, "<th scope=\"col\"%s title=\"%s\">%s</th>",
				column->kind == REPORT_TEXT ? " class=\"t\"" : "",
				column->label, column->header);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t n = 0; n < report->count; n++) {
		const struct report_vps *vps = &report->vps[n];

		fputs("<tr>", out);
		for (size_t i = 0; i < report_columns_count; i++) {
			const struct report_column *column = &report_columns[i];

			if (!column->header)
				continue;
			report_cell(column, vps, text, sizeof(text));
			fputs(column->kind == REPORT_TEXT ? "<td class=\"t\">" : "<td>", out);
			if (i == 0)
				fprintf(out, "<a href=\"#%s\">", vps->vps.uuid);
			text_print(text, out);
			fputs(i == 0 ? "</a></td>" : "</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

/* Sold, and what the node has of it. */
static void sold_print(const struct report *report, FILE *out)
{
	static const enum resource resources[] = { RESOURCE_CPUS, RESOURCE_MEMORY,
						   RESOURCE_DISK };

	fputs("<dl>\n", out);
	fprintf(out, "<div><dt>CPU used, core-hours</dt><dd>%.2f</dd></div>\n",
		(double)report->sum.value[MEASURE_CPU] / 3600e6);
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		enum resource r = resources[i];
		char sold[24], max[24], has[24];

		resource_print(r, report->promised.guaranteed[r], sold, sizeof(sold));
		resource_print(r, report->promised.max[r], max, sizeof(max));
		resource_print(r, report->capacity.has[r], has, sizeof(has));
		fprintf(out,
			"<div><dt>%s: guaranteed, sold, of the node</dt><dd>%s, %s, "
			"%s</dd></div>\n",
			resource_name(r), sold, max, has);
	}
	fputs("</dl>\n", out);
}

void report_html(const struct report *report, FILE *out)
{
	char made[32];

	time_print(report->now, made, sizeof(made));
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<title>Usage, %s</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n"
		"<h1>Usage, %s</h1>\n<p class=\"soft\">%zu VPSs, days of UTC, made %s by "
		"nodectl</p>\n",
		report->period.name, style, report->period.name, report->count, made);
	sold_print(report, out);
	fputs("</header>\n<main>\n", out);
	overview_print(report, out);
	for (size_t i = 0; i < report->count; i++)
		section_print(report, &report->vps[i], out);
	fputs("</main>\n</body>\n</html>\n", out);
}

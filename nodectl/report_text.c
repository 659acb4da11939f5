/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "report_print.h"
#include "str.h"

/* ---- the table ------------------------------------------------------------------------- */

static int line_add(struct libscols_table *table, const struct report_vps *vps, struct err *err)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	size_t at = 0;

	for (size_t i = 0; i < report_columns_count; i++) {
		char text[256] = "";

		if (!report_columns[i].header)
			continue;
		report_cell(&report_columns[i], vps, text, sizeof(text));
		if (!line || scols_line_set_data(line, at++, text) < 0)
			return fail(err, ENOMEM, "cannot make the table");
	}
	return 0;
}

static int lines_add(struct libscols_table *table, const struct report *report, struct err *err)
{
	for (size_t i = 0; i < report->count; i++) {
		if (line_add(table, &report->vps[i], err) < 0)
			return -1;
	}
	return 0;
}

static int table_print_to(const struct report *report, bool header, FILE *out, struct err *err)
{
	struct libscols_table *table = or_exit(scols_new_table());
	int result;

	scols_table_enable_noheadings(table, !header);
	scols_table_set_stream(table, out);
	for (size_t i = 0; i < report_columns_count; i++) {
		const struct report_column *column = &report_columns[i];

		if (column->header)
			scols_table_new_column(table, column->header, 0,
					       column->kind == REPORT_TEXT ? 0
									   : SCOLS_FL_RIGHT);
	}
	result = lines_add(table, report, err);
	if (result == 0 && scols_print_table(table) < 0)
		result = fail(err, errno, "cannot print");
	scols_unref_table(table);
	return result;
}

static void notices_print(const struct report *report, FILE *out)
{
	char text[400];

	for (size_t i = 0; i < report->count; i++) {
		report_notice(&report->vps[i], report->now, text, sizeof(text));
		if (*text)
			fprintf(out, "%s: %s\n", report->vps[i].vps.name, text);
	}
}

/* What was used of what was sold of what there is. */
static void node_print(const struct report *report, FILE *out)
{
	const struct claim *sold = &report->promised;
	const struct capacity *has = &report->capacity;
	char in[24], of[24], traffic[24], guaranteed[24], cpus[24], all[24];

	size_human(report->sum.value[MEASURE_TRAFFIC_IN], in, sizeof(in));
	size_human(report->sum.value[MEASURE_TRAFFIC_OUT], traffic, sizeof(traffic));
	resource_print(RESOURCE_CPUS, sold->guaranteed[RESOURCE_CPUS], cpus, sizeof(cpus));
	resource_print(RESOURCE_CPUS, has->has[RESOURCE_CPUS], of, sizeof(of));
	size_human(sold->guaranteed[RESOURCE_MEMORY], guaranteed, sizeof(guaranteed));
	size_human(has->has[RESOURCE_MEMORY], all, sizeof(all));
	fprintf(out,
		"node: %.2f core-hours, %s in, %s out; now guaranteed: %s of %s cores, %s of "
		"%s memory\n",
		(double)report->sum.value[MEASURE_CPU] / 3600e6, in, traffic, cpus, of,
		guaranteed, all);
}

int report_table(const struct report *report, bool header, struct err *err)
{
	if (table_print_to(report, header, stdout, err) < 0)
		return -1;
	if (!header)
		return 0;
	putchar('\n');
	node_print(report, stdout);
	notices_print(report, stdout);
	return 0;
}

/* ---- mail ------------------------------------------------------------------------------ */

/* Plain text for cron's mail: what needs somebody first. */
void report_mail(const struct report *report, FILE *out)
{
	struct err ignored;
	char text[400];
	unsigned notices = 0;

	for (size_t i = 0; i < report->count; i++) {
		report_notice(&report->vps[i], report->now, text, sizeof(text));
		notices += *text != 0;
	}
	fprintf(out, "Usage of %zu VPSs, %s (UTC).\n\n", report->count, report->period.name);
	if (notices)
		fprintf(out, "%u need%s a look:\n\n", notices, notices == 1 ? "s" : "");
	notices_print(report, out);
	fputs(notices ? "\n" : "Nothing needs a look.\n\n", out);
	(void)table_print_to(report, true, out, &ignored);
	fputc('\n', out);
	node_print(report, out);
}

/* ---- CSV ------------------------------------------------------------------------------- */

static void csv_text(const char *text, FILE *out)
{
	if (!strpbrk(text, ",\"\n\r")) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void csv_cell(const struct report_column *column, const struct report_vps *vps,
		     FILE *out)
{
	char text[256] = "";
	uint64_t figure;

	if (column->kind == REPORT_TEXT) {
		column->text(vps, text, sizeof(text));
		csv_text(text, out);
		return;
	}
	figure = column->figure(vps);
	if (figure == FIGURE_UNKNOWN || (column->kind == REPORT_TIME && !figure))
		return;
	if (column->kind == REPORT_TIME) {
		time_print((int64_t)figure, text, sizeof(text));
		fputs(text, out);
	} else if (column->unit == UNIT_USEC) {
		fprintf(out, "%" PRIu64 ".%06" PRIu64, figure / 1000000, figure % 1000000);
	} else {
		fprintf(out, "%" PRIu64, figure);
	}
}

void report_csv(const struct report *report, FILE *out)
{
	fputs("period", out);
	for (size_t i = 0; i < report_columns_count; i++)
		fprintf(out, ",%s", report_columns[i].key);
	fputc('\n', out);
	for (size_t n = 0; n < report->count; n++) {
		fputs(report->period.name, out);
		for (size_t i = 0; i < report_columns_count; i++) {
			fputc(',', out);
			csv_cell(&report_columns[i], &report->vps[n], out);
		}
		fputc('\n', out);
	}
}

/* ---- JSON ------------------------------------------------------------------------------ */

static json_t *cell_json(const struct report_column *column, const struct report_vps *vps)
{
	char text[256] = "";
	uint64_t figure;

	if (column->kind == REPORT_TEXT) {
		column->text(vps, text, sizeof(text));
		return *text ? json_string(text) : json_null();
	}
	figure = column->figure(vps);
	if (column->kind == REPORT_FIGURE)
		return figure_json(column->unit, figure);
	if (!figure)
		return json_null();
	time_print((int64_t)figure, text, sizeof(text));
	return json_string(text);
}

static json_t *vps_json(const struct report_vps *vps, int64_t now)
{
	json_t *object = json_object();
	char notice[400];

	for (size_t i = 0; i < report_columns_count; i++)
		json_object_set_new(object, report_columns[i].key,
				    cell_json(&report_columns[i], vps));
	report_notice(vps, now, notice, sizeof(notice));
	json_object_set_new(object, "notice", *notice ? json_string(notice) : json_null());
	return object;
}

static json_t *node_json(const struct report *report)
{
	json_t *node = json_object(), *sold = json_object();

	for (unsigned i = 0; i < MEASURE_COUNT; i++) {
		if (history_measures[i].how != MEASURE_IS_PEAK)
			json_object_set_new(node, history_measures[i].name,
					    json_integer((json_int_t)report->sum.value[i]));
	}
	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		enum resource resource = (enum resource)r;

		json_object_set_new(
		    sold, resource_name(resource),
		    json_pack("{s:f,s:f,s:f}", "has",
			      resource_number(resource, report->capacity.has[r]), "guaranteed",
			      resource_number(resource, report->promised.guaranteed[r]), "max",
			      resource_number(resource, report->promised.max[r])));
	}
	json_object_set_new(node, "sold", sold);
	return node;
}

json_t *report_object(const struct report *report)
{
	json_t *all = json_array();
	char from[32], to[32], now[32];

	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(all, vps_json(&report->vps[i], report->now));
	time_print(report->period.from, from, sizeof(from));
	time_print(report->period.to, to, sizeof(to));
	time_print(report->now, now, sizeof(now));
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o}", "period", report->period.name, "from",
			 from, "to", to, "made", now, "vps", all, "node", node_json(report));
}

int report_json(const struct report *report, struct err *err)
{
	return json_print(report_object(report), err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "view.h"

/* ---- rates */

static double rate(uint64_t before, uint64_t now, double seconds)
{
	if (before == FIGURE_UNKNOWN || now == FIGURE_UNKNOWN || seconds <= 0)
		return -1;
	/* a VPS that was started again counts from 0 */
	return (double)(now >= before ? now - before : now) / seconds;
}

static double rate_scaled(uint64_t before, uint64_t now, double seconds, double scale)
{
	double per_second = rate(before, now, seconds);

	return per_second < 0 ? -1 : per_second / scale;
}

void top_rates(const struct top_row *before, struct top_row *now, double seconds)
{
	static const struct counts none;
	const struct counts *old = &before->counts, *new = &now->counts;

	if (before->started != now->started)
		old = &none;
	now->cpu = rate_scaled(old->cpu, new->cpu, seconds, 1e6);
	now->throttled = rate_scaled(old->throttled, new->throttled, seconds, 1e6);
	now->cpu_wait = rate_scaled(old->cpu_wait, new->cpu_wait, seconds, 1e6);
	now->io_wait = rate_scaled(old->io_wait, new->io_wait, seconds, 1e6);
	now->read = rate(old->read, new->read, seconds);
	now->written = rate(old->written, new->written, seconds);
	now->in = rate(old->in, new->in, seconds);
	now->out = rate(old->out, new->out, seconds);
}

static void rates_unknown(struct top_row *row)
{
	row->cpu = row->throttled = row->cpu_wait = row->io_wait = -1;
	row->read = row->written = row->in = row->out = -1;
}

/* ---- a look */

static void row_fill(struct top_row *row, const struct top *top, const struct vps *vps)
{
	struct view view = { .node = top->node, .vps = vps, .reader = top->reader };

	vps_status(top->node, vps, &view.status);
	*row = (struct top_row){ .id = vps->id,
				 .state = view.status.state,
				 .cpus = vps->limits.cpus,
				 .limit = vps->limits.memory,
				 .tasks_max = vps->limits.tasks };
	strcpy(row->name, vps->name);
	rates_unknown(row);
	if (!view.status.init)
		return;
	view_fill(&view, NEED_USAGE | NEED_LINK);
	row->started = view.status.started;
	row->memory = view.usage.memory;
	row->tasks = view.usage.tasks;
	row->counts = (struct counts){
		.cpu = view.usage.cpu_usec,
		.throttled = view.usage.throttled_usec,
		.cpu_wait = view.usage.cpu_pressure.some_usec,
		.io_wait = view.usage.io_pressure.some_usec,
		.read = view.usage.read.bytes,
		.written = view.usage.written.bytes,
		.in = view.link.rx_bytes,
		.out = view.link.tx_bytes,
	};
}

static int row_add(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct top *top = arg;
	struct top_row *row;

	(void)err;
	if ((top->count & (top->count - 1)) == 0)
		top->rows =
		    xrealloc(top->rows, (top->count ? 2 * top->count : 1) * sizeof(*top->rows));
	row = &top->rows[top->count++];
	if (!broken) {
		row_fill(row, top, vps);
		return 0;
	}
	*row = (struct top_row){ .state = STATE_ERROR };
	strcpy(row->name, vps->name);
	rates_unknown(row);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	return strcmp(left->name, right->name);
}

int top_look(struct top *top, struct err *err)
{
	uint64_t at = now_ms(), before = top->at;

	free(top->last);
	top->last = top->rows;
	top->last_count = top->count;
	top->rows = NULL;
	top->count = 0;
	if (top->last_count)
		qsort(top->last, top->last_count, sizeof(*top->last), by_id);
	if (vps_each(top->node, row_add, top, err) < 0)
		return -1;
	for (size_t i = 0; i < top->count; i++) {
		const struct top_row *old =
		    top->last_count ? bsearch(&top->rows[i], top->last, top->last_count,
					      sizeof(*top->last), by_id)
				    : NULL;

		if (old && old->id && top->rows[i].started)
			top_rates(old, &top->rows[i], (double)(at - before) / 1000);
	}
	top->at = at;
	return 0;
}

void top_close(struct top *top)
{
	free(top->rows);
	free(top->last);
	top->rows = top->last = NULL;
}

/* ---- columns */

static void name_text(const struct top_row *row, char *text, size_t size)
{
	snprintf(text, size, "%s", row->name);
}

static void state_text(const struct top_row *row, char *text, size_t size)
{
	snprintf(text, size, "%s", state_name(row->state));
}

static void percent_text(double part, char *text, size_t size)
{
	if (part < 0)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%.1f", part * 100);
}

static void bytes_text(double bytes, char *text, size_t size)
{
	if (bytes < 0)
		snprintf(text, size, "-");
	else
		size_human((uint64_t)bytes, text, size);
}

#define RATE(field, show)                                                                      \
	static double field##_value(const struct top_row *row)                                 \
	{                                                                                      \
		return row->field;                                                             \
	}                                                                                      \
	static void field##_text(const struct top_row *row, char *text, size_t size)           \
	{                                                                                      \
		show(row->field, text, size);                                                  \
	}

RATE(cpu, percent_text)
RATE(throttled, percent_text)
RATE(cpu_wait, percent_text)
RATE(io_wait, percent_text)
RATE(read, bytes_text)
RATE(written, bytes_text)
RATE(in, bytes_text)
RATE(out, bytes_text)

static double cpus_value(const struct top_row *row)
{
	return row->cpus / 100.0;
}

static void cpus_text(const struct top_row *row, char *text, size_t size)
{
	if (row->cpus)
		snprintf(text, size, "%u", row->cpus);
	else
		snprintf(text, size, "all");
}

static double figure_value(uint64_t figure)
{
	return figure == FIGURE_UNKNOWN ? -1 : (double)figure;
}

static double memory_value(const struct top_row *row)
{
	return row->started ? figure_value(row->memory) : -1;
}

static void memory_text(const struct top_row *row, char *text, size_t size)
{
	bytes_text(memory_value(row), text, size);
}

static double limit_value(const struct top_row *row)
{
	return (double)row->limit;
}

static void limit_text(const struct top_row *row, char *text, size_t size)
{
	if (row->limit)
		size_human(row->limit, text, size);
	else
		snprintf(text, size, "all");
}

static double tasks_value(const struct top_row *row)
{
	return row->started ? figure_value(row->tasks) : -1;
}

static void tasks_text(const struct top_row *row, char *text, size_t size)
{
	if (tasks_value(row) < 0)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%" PRIu64, row->tasks);
}

static double uptime_value(const struct top_row *row)
{
	int64_t seconds = time(NULL) - row->started;

	return row->started && seconds > 0 ? (double)seconds : 0;
}

static void uptime_text(const struct top_row *row, char *text, size_t size)
{
	if (row->started)
		seconds_human((uint64_t)uptime_value(row), text, size);
	else
		snprintf(text, size, "-");
}

const struct top_column top_columns[] = {
	{ "NAME", "name", -16, name_text, NULL, false },
	{ "STATE", "state", -7, state_text, NULL, false },
	{ "CPU%", "cpu", 6, cpu_text, cpu_value, false },
	{ "CAP%", "cpu_limit", 5, cpus_text, cpus_value, false },
	{ "HELD%", "throttled", 5, throttled_text, throttled_value, false },
	{ "WAIT%", "cpu_wait", 5, cpu_wait_text, cpu_wait_value, false },
	{ "MEMORY", "memory", 6, memory_text, memory_value, true },
	{ "LIMIT", "memory_limit", 6, limit_text, limit_value, true },
	{ "READ/s", "read", 6, read_text, read_value, false },
	{ "WRITE/s", "written", 7, written_text, written_value, false },
	{ "DISK%", "io_wait", 5, io_wait_text, io_wait_value, false },
	{ "IN/s", "in", 6, in_text, in_value, false },
	{ "OUT/s", "out", 6, out_text, out_value, false },
	{ "TASKS", "tasks", 5, tasks_text, tasks_value, true },
	{ "UPTIME", "uptime", 7, uptime_text, uptime_value, true },
};
const size_t top_columns_count = ARRAY_SIZE(top_columns);

const struct top_column *top_column_find(const char *name)
{
	for (size_t i = 0; i < top_columns_count; i++) {
		const char *header = top_columns[i].name;
		size_t len = strcspn(header, "%/");

		/* "cpu" is CPU%, "read" is READ/s */
		if (strcasecmp(header, name) == 0 ||
		    (strlen(name) == len && strncasecmp(header, name, len) == 0))
			return &top_columns[i];
	}
	return NULL;
}

struct order {
	const struct top_column *by;
	bool reverse;
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct order *order = arg;
	const struct top_row *left = a, *right = b;
	char x[64], y[64];
	int result;

	if (order->by->value) {
		double i = order->by->value(left), j = order->by->value(right);

		result = i > j ? -1 : i < j;
	} else {
		order->by->text(left, x, sizeof(x));
		order->by->text(right, y, sizeof(y));
		result = strverscmp(x, y);
	}
	/* equals keep their place from look to look */
	if (result == 0)
		return by_id(a, b);
	return order->reverse ? -result : result;
}

void top_sort(struct top *top, const struct top_column *by, bool reverse)
{
	struct order order = { by, reverse };

	if (top->count)
		qsort_r(top->rows, top->count, sizeof(*top->rows), compare, &order);
}

/* ---- lines */

void top_summary(const struct top *top, char *text, size_t size)
{
	char memory[16], clock[16] = "";
	unsigned running = 0;
	double cpu = 0, used = 0;
	time_t now = time(NULL);
	struct tm tm;

	for (size_t i = 0; i < top->count; i++) {
		const struct top_row *row = &top->rows[i];

		running += row->started != 0;
		cpu += row->cpu > 0 ? row->cpu : 0;
		used += memory_value(row) > 0 ? memory_value(row) : 0;
	}
	if (localtime_r(&now, &tm))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	size_human((uint64_t)used, memory, sizeof(memory));
	snprintf(text, size, "%s  %zu VPSs, %u running  CPU %.2f of %ld  memory %s", clock,
		 top->count, running, cpu, sysconf(_SC_NPROCESSORS_ONLN), memory);
}

static void cell_add(const struct top_column *column, const char *cell, char *text, size_t size)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%*s", used ? " " : "", column->width, cell);
}

void top_heading(char *text, size_t size)
{
	*text = 0;
	for (size_t i = 0; i < top_columns_count; i++)
		cell_add(&top_columns[i], top_columns[i].name, text, size);
}

void top_line(const struct top_row *row, char *text, size_t size)
{
	*text = 0;
	for (size_t i = 0; i < top_columns_count; i++) {
		char cell[64];

		top_columns[i].text(row, cell, sizeof(cell));
		cell_add(&top_columns[i], cell, text, size);
	}
}

static json_t *value_json(const struct top_column *column, const struct top_row *row)
{
	char text[64];
	double value;

	if (!column->value) {
		column->text(row, text, sizeof(text));
		return json_string(text);
	}
	value = column->value(row);
	if (value < 0)
		return json_null();
	return column->is_count ? json_integer((json_int_t)value) : json_real(value);
}

json_t *top_json(const struct top *top)
{
	json_t *all = json_array();
	char when[32];

	for (size_t i = 0; i < top->count; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "id", json_integer(top->rows[i].id));
		for (size_t n = 0; n < top_columns_count; n++)
			json_object_set_new(one, top_columns[n].key,
					    value_json(&top_columns[n], &top->rows[i]));
		json_array_append_new(all, one);
	}
	time_print(time(NULL), when, sizeof(when));
	return json_pack("{s:i,s:s,s:o}", "schema", 1, "time", when, "vps", all);
}

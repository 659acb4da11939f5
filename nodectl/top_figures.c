/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "str.h"
#include "top.h"

#define FIGURE(field) offsetof(struct top_vps, figures.field)

const struct top_column top_columns[] = {
	{ "CPU%", "cpu", 6, TOP_PERCENT, FIGURE(cpu), false },
	{ "CAP%", "cpu_limit", 5, TOP_PERCENT, FIGURE(cpu_limit), true },
	{ "HELD%", "throttled", 5, TOP_PERCENT, FIGURE(throttled), false },
	{ "WAIT%", "cpu_wait", 5, TOP_PERCENT, FIGURE(cpu_wait), false },
	{ "MEMORY", "memory", 6, TOP_SIZE, FIGURE(memory), false },
	{ "LIMIT", "memory_limit", 6, TOP_SIZE, FIGURE(memory_limit), true },
	{ "MWAIT%", "memory_wait", 6, TOP_PERCENT, FIGURE(memory_wait), false },
	{ "READ/s", "read", 7, TOP_SIZE, FIGURE(read), false },
	{ "WRITE/s", "written", 7, TOP_SIZE, FIGURE(written), false },
	{ "DISK%", "io_wait", 5, TOP_PERCENT, FIGURE(io_wait), false },
	{ "IN/s", "in", 6, TOP_SIZE, FIGURE(received), false },
	{ "OUT/s", "out", 6, TOP_SIZE, FIGURE(sent), false },
	{ "TASKS", "tasks", 5, TOP_COUNT, FIGURE(tasks), false },
	{ "UPTIME", "uptime", 7, TOP_SECONDS, FIGURE(uptime), false },
	{ "USED%", "of_cap", 0, TOP_PERCENT, FIGURE(of_cap), false },
	{ "MEM%", "of_memory", 0, TOP_PERCENT, FIGURE(of_memory), false },
	{ "SWAP", "swap", 0, TOP_SIZE, FIGURE(swap), false },
};
const size_t top_columns_count = ARRAY_SIZE(top_columns);

static double figure_of(const struct top_vps *vps, const struct top_column *column)
{
	return *(const double *)((const char *)vps + column->figure);
}

/* "read" is READ/s too. */
static bool is_called(const char *header, const char *name)
{
	size_t len = strcspn(header, "%/");

	return strcasecmp(header, name) == 0 ||
	       (strlen(name) == len && strncasecmp(header, name, len) == 0);
}

int top_sort_parse(const char *text, struct top_choice *choice, struct err *err)
{
	bool reverse = *text == '-';

	text += reverse;
	if (is_called("NAME", text) || is_called("STATE", text)) {
		choice->sort = is_called("NAME", text) ? TOP_BY_NAME : TOP_BY_STATE;
		choice->reverse = reverse;
		return 0;
	}
	for (size_t i = 0; i < top_columns_count; i++) {
		if (!is_called(top_columns[i].name, text))
			continue;
		choice->sort = (int)i;
		choice->reverse = reverse;
		return 0;
	}
	return fail_as(err, ERR_VALUE, "there is no column '%s'; -L lists them", text);
}

/* A figure as it is. */
static double known(uint64_t figure)
{
	return figure == FIGURE_UNKNOWN ? NAN : (double)figure;
}

/* What a counter has grown by, a second. */
static double growth(uint64_t now, uint64_t before, double seconds)
{
	if (now == FIGURE_UNKNOWN || before == FIGURE_UNKNOWN || now < before)
		return NAN;
	return (double)(now - before) / seconds;
}

/* Of a time in microseconds: never more than all of it. */
static double part_of_time(uint64_t now, uint64_t before, double seconds)
{
	double part = growth(now, before, seconds) / 1e6;

	return part > 1 ? 1 : part;
}

static double part_of(double some, double all)
{
	return all > 0 ? some / all : isnan(some) || isnan(all) ? NAN : 0;
}

static void speeds_make(struct top_vps *vps, double seconds)
{
	const struct cgroup_usage *now = &vps->now.usage, *before = &vps->before.usage;
	struct top_figures *figures = &vps->figures;

	figures->cpu = growth(now->cpu_usec, before->cpu_usec, seconds) / 1e6;
	figures->throttled = part_of(growth(now->throttled, before->throttled, seconds),
				     growth(now->periods, before->periods, seconds));
	figures->cpu_wait =
	    part_of_time(now->cpu_pressure.some_usec, before->cpu_pressure.some_usec, seconds);
	figures->memory_wait = part_of_time(now->memory_pressure.some_usec,
					    before->memory_pressure.some_usec, seconds);
	figures->io_wait =
	    part_of_time(now->io_pressure.some_usec, before->io_pressure.some_usec, seconds);
	figures->read = growth(now->read.bytes, before->read.bytes, seconds);
	figures->written = growth(now->written.bytes, before->written.bytes, seconds);
	if (vps->now.linked && vps->before.linked) {
		figures->received =
		    growth(vps->now.link.rx_bytes, vps->before.link.rx_bytes, seconds);
		figures->sent =
		    growth(vps->now.link.tx_bytes, vps->before.link.tx_bytes, seconds);
	}
}

void top_figures_make(struct top_vps *vps)
{
	const struct top_reading *now = &vps->now, *before = &vps->before;
	struct top_figures *figures = &vps->figures;

	for (size_t i = 0; i < top_columns_count; i++)
		*(double *)((char *)vps + top_columns[i].figure) = NAN;
	figures->cpu_limit = vps->cpus / 100.0;
	figures->memory_limit = (double)vps->memory;
	if (now->when <= 0)
		return;
	figures->memory = known(now->usage.memory);
	figures->swap = known(now->usage.swap);
	figures->tasks = known(now->usage.tasks);
	if (vps->started)
		figures->uptime = (double)(time(NULL) - vps->started);
	if (vps->memory)
		figures->of_memory = part_of(figures->memory, figures->memory_limit);
	/* one that was started anew counts from 0 again */
	if (before->when > 0 && now->when > before->when &&
	    now->usage.group == before->usage.group)
		speeds_make(vps, now->when - before->when);
	if (vps->cpus)
		figures->of_cap = part_of(figures->cpu, figures->cpu_limit);
}

void top_cell(const struct top_vps *vps, const struct top_column *column, char *text,
	      size_t size)
{
	double figure = figure_of(vps, column);

	if (isnan(figure) || figure < 0) {
		snprintf(text, size, "-");
		return;
	}
	if (column->is_limit && figure == 0) {
		snprintf(text, size, "all");
		return;
	}
	switch (column->unit) {
	case TOP_PERCENT:
		snprintf(text, size, column->is_limit || figure >= 9.9995 ? "%.0f" : "%.1f",
			 figure * 100);
		return;
	case TOP_SIZE:
		size_human((uint64_t)figure, text, size);
		return;
	case TOP_COUNT:
		snprintf(text, size, "%.0f", figure);
		return;
	case TOP_SECONDS:
		seconds_human((uint64_t)figure, text, size);
		return;
	}
}

json_t *top_json(const struct top_vps *vps)
{
	json_t *object = json_pack("{s:i,s:s,s:s}", "id", (int)vps->id, "name", vps->name,
				   "state", state_name(vps->state));

	for (size_t i = 0; i < top_columns_count; i++) {
		double figure = figure_of(vps, &top_columns[i]);
		bool whole = top_columns[i].unit != TOP_PERCENT;

		json_object_set_new(object, top_columns[i].key,
				    isnan(figure) ? json_null()
				    : whole	  ? json_integer((json_int_t)figure)
						  : json_real(figure));
	}
	return object;
}

/* What is not known comes last, whichever way. */
static int order(const struct top_choice *choice, const struct top_vps *a,
		 const struct top_vps *b)
{
	double x, y;
	int order = strverscmp(a->name, b->name);

	if (choice->sort == TOP_BY_STATE && a->state != b->state)
		order = strcmp(state_name(a->state), state_name(b->state));
	if (choice->sort < 0)
		return choice->reverse ? -order : order;
	x = figure_of(a, &top_columns[choice->sort]);
	y = figure_of(b, &top_columns[choice->sort]);
	if (isnan(x) || isnan(y))
		return isnan(x) && isnan(y) ? order : isnan(x) ? 1 : -1;
	if (x == y)
		return order;
	/* the most first */
	return (x < y) != choice->reverse ? 1 : -1;
}

static int compare(const void *a, const void *b, void *choice)
{
	return order(choice, *(struct top_vps *const *)a, *(struct top_vps *const *)b);
}

void top_arrange(struct top *top)
{
	top->shown = xrealloc(top->shown, (top->count + 1) * sizeof(struct top_vps *));
	top->shown_count = 0;
	top->name_width = 8;
	for (size_t i = 0; i < top->count; i++) {
		struct top_vps *vps = &top->vps[i];

		if ((top->choice.running && vps->now.when <= 0) ||
		    !strstr(vps->name, top->choice.filter))
			continue;
		top->shown[top->shown_count++] = vps;
		if ((int)strlen(vps->name) > top->name_width)
			top->name_width = (int)strlen(vps->name);
	}
	if (top->shown_count)
		qsort_r(top->shown, top->shown_count, sizeof(struct top_vps *), compare,
			&top->choice);
}

static size_t states_print(const struct top *top, char *text, size_t size, size_t used)
{
	static const enum state states[] = { STATE_RUNNING, STATE_FROZEN, STATE_STOPPED,
					     STATE_ERROR };

	for (size_t s = 0; s < ARRAY_SIZE(states) && used < size; s++) {
		size_t count = 0;

		for (size_t i = 0; i < top->count; i++)
			count += top->vps[i].state == states[s];
		if (count)
			used += (size_t)snprintf(text + used, size - used, " %zu %s,", count,
						 state_name(states[s]));
	}
	return used;
}

void top_summary(const struct top *top, char *text, size_t size)
{
	double cpu = 0, memory = 0;
	char human[24];
	size_t used;

	for (size_t i = 0; i < top->count; i++) {
		const struct top_figures *figures = &top->vps[i].figures;

		cpu += isnan(figures->cpu) ? 0 : figures->cpu;
		memory += isnan(figures->memory) ? 0 : figures->memory;
	}
	size_human((uint64_t)memory, human, sizeof(human));
	used =
	    (size_t)snprintf(text, size, "%zu VPS%s:", top->count, top->count == 1 ? "" : "s");
	used = states_print(top, text, size, used);
	if (used < size)
		snprintf(text + used, size - used, " CPU %.2f of %ld, memory %s", cpu,
			 sysconf(_SC_NPROCESSORS_ONLN), human);
}

/* Columns one after the other, each with a blank in front. */
static size_t cell_add(const struct top_column *column, const char *cell, char *text,
		       size_t size, size_t used)
{
	if (!column->width || used >= size)
		return used;
	return used + (size_t)snprintf(text + used, size - used, " %*s", column->width, cell);
}

void top_header_print(const struct top *top, int name_width, bool mark, char *text, size_t size)
{
	/* the one that it is sorted by is marked */
	const char *sign = !mark ? "" : top->choice.reverse ? "^" : "v";
	const char *by_name = top->choice.sort == TOP_BY_NAME ? sign : "";
	const char *by_state = top->choice.sort == TOP_BY_STATE ? sign : "";
	char name[16], state[16];
	size_t used;

	snprintf(name, sizeof(name), "%sNAME", by_name);
	snprintf(state, sizeof(state), "%sSTATE", by_state);
	used = (size_t)snprintf(text, size, "%-*s %-7s", name_width, name, state);
	for (size_t i = 0; i < top_columns_count; i++) {
		snprintf(name, sizeof(name), "%s%s", top->choice.sort == (int)i ? sign : "",
			 top_columns[i].name);
		used = cell_add(&top_columns[i], name, text, size, used);
	}
}

void top_line_print(const struct top_vps *vps, int name_width, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%-*.*s %-7s", name_width, name_width,
				       vps->name, state_name(vps->state));

	for (size_t i = 0; i < top_columns_count; i++) {
		char cell[32];

		top_cell(vps, &top_columns[i], cell, sizeof(cell));
		used = cell_add(&top_columns[i], cell, text, size, used);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime.h"

struct cgroup_reader;
struct err;
struct node;

/* Counters of one VPS at one moment; FIGURE_UNKNOWN where the kernel does not tell. */
struct counts {
	uint64_t cpu, throttled, cpu_wait, io_wait; /* microseconds */
	uint64_t read, written, in, out;	    /* bytes */
};

/* One VPS, and what it did between the last two looks; a negative rate is not known. */
struct top_row {
	unsigned id;
	char name[64];
	enum state state;
	int64_t started;
	unsigned cpus;		/* cap, hundredths */
	uint64_t memory, limit; /* bytes; FIGURE_UNKNOWN, 0: none */
	uint64_t tasks, tasks_max;
	struct counts counts;
	double cpu;			     /* CPUs in use */
	double throttled, cpu_wait, io_wait; /* part of the time */
	double read, written, in, out;	     /* bytes a second */
};

/* All VPSs of a node, looked at again and again. */
struct top {
	const struct node *node;
	struct cgroup_reader *reader;
	struct top_row *rows; /* by id, and after top_sort() as it says */
	size_t count;
	uint64_t at;	      /* of the last look, milliseconds */
	struct top_row *last; /* the rows of the look before, by id */
	size_t last_count;
};
#define own_top __attribute__((cleanup(top_close))) struct top

/* Look; the rates are those since the look before, and not known at the first. */
int top_look(struct top *top, struct err *err);
void top_close(struct top *top);

/* What is shown of a row, and what it is sorted by. */
struct top_column {
	const char *name; /* header */
	const char *key;  /* in JSON */
	int width;	  /* of the terminal; negative: to the left */
	void (*text)(const struct top_row *row, char *text, size_t size);
	double (*value)(const struct top_row *row); /* NULL: sorted by its text */
	bool is_count;				    /* a whole number in JSON */
};

extern const struct top_column top_columns[];
extern const size_t top_columns_count;

/* The column of that name; NULL: there is none. */
const struct top_column *top_column_find(const char *name);

/* Greatest first where a column has a number, A to Z otherwise; the other way round with
 * @reverse. */
void top_sort(struct top *top, const struct top_column *by, bool reverse);

/* What changed from @before to @now over @seconds; a counter that fell began anew. */
void top_rates(const struct top_row *before, struct top_row *now, double seconds);

/* The sums over all VPSs, and the headings, as lines of text. */
void top_summary(const struct top *top, char *text, size_t size);
void top_heading(char *text, size_t size);
void top_line(const struct top_row *row, char *text, size_t size);

json_t *top_json(const struct top *top);

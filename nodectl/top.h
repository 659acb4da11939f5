/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "cgroups.h"
#include "netns.h"
#include "node.h"

/* What was read of one VPS at one moment. */
struct top_reading {
	double when; /* seconds of CLOCK_MONOTONIC; 0: nothing was read */
	struct cgroup_usage usage;
	struct link_usage link;
	bool linked;
};

/* What is shown: of the time between the last two readings, or of the last; NAN is unknown. */
struct top_figures {
	double cpu, cpu_limit; /* cores; 0: no limit */
	double throttled;      /* part of the cap's periods in which it held the VPS back */
	double cpu_wait, memory_wait, io_wait; /* parts of the time */
	double of_cap, of_memory;	       /* parts of the limits */
	double memory, memory_limit, swap;     /* bytes; 0: no limit */
	double tasks;
	double read, written, received, sent; /* bytes a second */
	double uptime;			      /* seconds */
};

struct top_vps {
	char name[64];
	unsigned id;
	uint64_t memory; /* its limits */
	unsigned cpus;
	struct timespec defined; /* which definition these are from */
	ino_t definition;
	enum state state;
	int64_t started;
	struct top_reading now, before;
	struct top_figures figures;
	bool seen; /* by the look at the node that is under way */
};

enum top_unit { TOP_PERCENT, TOP_SIZE, TOP_COUNT, TOP_SECONDS };

struct top_column {
	const char *name; /* header, and what -s takes, without what follows "%" or "/" */
	const char *key;  /* in JSON */
	int width;	  /* 0: in JSON alone */
	enum top_unit unit;
	size_t figure; /* a double in struct top_vps */
	bool is_limit; /* 0 is none */
};

/* The columns behind NAME and STATE. */
extern const struct top_column top_columns[];
extern const size_t top_columns_count;

enum { TOP_BY_NAME = -1, TOP_BY_STATE = -2 };

/* What is shown of it, and how. */
struct top_choice {
	int sort; /* index of a column, or TOP_BY_... */
	bool reverse;
	bool running;	 /* only VPSs that run */
	char filter[64]; /* only names with this in them */
};

struct top {
	const struct node *node;
	char **names; /* of those that are looked at; none: all */
	int names_count;
	struct top_vps *vps;
	size_t count, room;
	struct timespec listed; /* when the list of VPSs was last changed */
	double when, interval;	/* of the last round, and since the one before */
	struct top_choice choice;
	struct top_vps **shown; /* those that are, in order */
	size_t shown_count;
	int name_width; /* of the longest name */
};
#define own_top __attribute__((cleanup(top_free))) struct top

/* Take a reading of every VPS, and find out the figures. */
int top_look(struct top *top, struct err *err);
void top_free(struct top *top);

/* Make shown of choice. */
void top_arrange(struct top *top);

/* All of one VPS, as `usage` shows it: lines, to free. */
char *top_details(const struct top *top, const char *name);

/* Sort by "cpu", the most first, by "name", A to Z, or with "-" in front the other way round.
 * ERR_VALUE. */
int top_sort_parse(const char *text, struct top_choice *choice, struct err *err);

/* The figures of two readings; pure. */
void top_figures_make(struct top_vps *vps);

/* One cell, without blanks around it; and all of a VPS. */
void top_cell(const struct top_vps *vps, const struct top_column *column, char *text,
	      size_t size);
json_t *top_json(const struct top_vps *vps);

/* "12 VPSs: 10 running, 1 frozen, 1 stopped; ...", and sums of what they use. */
void top_summary(const struct top *top, char *text, size_t size);

/* The header, and the line of a VPS, with a name of at most @name_width.  @mark: show what it
 * is sorted by. */
void top_header_print(const struct top *top, int name_width, bool mark, char *text,
		      size_t size);
void top_line_print(const struct top_vps *vps, int name_width, char *text, size_t size);

/*
 * On the terminal, until q or a signal: *@signal, or 0.  Returns 1 without having done anything
 * on a terminal that cannot be drawn on.
 */
int top_screen(struct top *top, double seconds, int *signal, struct err *err);

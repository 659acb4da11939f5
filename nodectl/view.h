/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cgroups.h"
#include "images.h"
#include "netns.h"
#include "node.h"

/* One VPS as it is looked at; what costs a system call is fetched only when a column asks. */
struct view {
	const struct node *node;
	const struct vps *vps;
	const struct err *broken; /* its definition cannot be read */
	struct status status;
	struct cgroup_reader
	    *reader;		   /* for who looks at many; NULL: it is opened for this one */
	struct cgroup_usage usage; /* 0 when it does not run */
	struct link_usage link;
	struct volume_figures volume;
	uint64_t disk;	/* bytes on the node's disk */
	unsigned lacks; /* NEED_LACKS: node_lacks(), which is one answer for all VPSs */
};

enum {
	NEED_USAGE = 1 << 0, /* all of struct cgroup_usage */
	NEED_LINK = 1 << 1,
	NEED_DISK = 1 << 2,
	NEED_LACKS = 1 << 6,  /* of whoever makes the view */
	NEED_MEMORY = 1 << 7, /* only that */
	NEED_TASKS = 1 << 8,
	NEED_VOLUME = 1 << 9,
	NEED_ALL = NEED_USAGE | NEED_LINK | NEED_DISK,
	IN_LIST = 1 << 3, /* a column of the default table */
	IN_SHOW = 1 << 4, /* a line of show */
	RIGHT = 1 << 5,	  /* numbers to the right */
};

/* What a figure of the kernel's counts.  FIGURE_UNKNOWN is null in JSON and "-" for people. */
enum unit {
	UNIT_NONE,
	UNIT_COUNT,
	UNIT_SIZE,    /* bytes */
	UNIT_USEC,    /* seconds in JSON */
	UNIT_PERCENT, /* hundredths of one; in JSON a part of 1 */
};

/* One thing to know about a VPS: for people, and for JSON. */
struct column {
	const char *name;  /* header, and what -o and -s take */
	const char *key;   /* in JSON, "cpu.used" for a member of a member */
	const char *label; /* in show */
	unsigned flags;
	void (*text)(const struct view *view, char *text, size_t size);
	json_t *(*json)(const struct view *view);
	/* neither: the figure of that key, see figure_find() */
};

/* A figure of the kernel's by its key in the JSON of `usage`: where it is in struct view. */
struct figure_row {
	const char *key;
	enum unit unit;
	size_t offset;
};

const struct figure_row *figure_find(const char *key);

/* The columns that a command has to offer. */
struct columns {
	const struct column *row;
	size_t count;
};

/* Those of list and show, and those of usage. */
extern const struct column columns[];
extern const size_t columns_count;
extern const struct column usage_columns[];
extern const size_t usage_columns_count;

/* Can people see it?  Some are for JSON alone. */
bool column_is_shown(const struct column *column);
void column_text(const struct column *column, const struct view *view, char *text, size_t size);
json_t *column_json(const struct column *column, const struct view *view);

json_t *figure_json(enum unit unit, uint64_t figure);
void figure_text(enum unit unit, uint64_t figure, char *text, size_t size);

/* A part of a whole as a percentage; negative: unknown. */
json_t *part_json(double part);
void part_text(double part, char *text, size_t size);

/* Fetch what @flags need. */
void view_fill(struct view *view, unsigned flags);

/* All limits of a VPS or a plan, in base units; and which keys are a VPS's own. */
json_t *vps_limits_json(const struct vps *vps);

/* All of columns[] as one object; all that `usage` tells. */
json_t *view_json(const struct view *view);
json_t *usage_object(const struct view *view);

/* The columns of usage, a line each. */
void usage_print_lines(const struct view *view, FILE *out);

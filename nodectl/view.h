/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>

#include "cgroups.h"
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
	uint64_t disk;	/* bytes on the node's disk */
	unsigned lacks; /* NEED_LACKS: cgroup_lacks(), which is one answer for all VPSs */
};

enum {
	NEED_USAGE = 1 << 0, /* all of struct cgroup_usage */
	NEED_LINK = 1 << 1,
	NEED_DISK = 1 << 2,
	NEED_LACKS = 1 << 6,  /* of whoever makes the view */
	NEED_MEMORY = 1 << 7, /* only that */
	NEED_TASKS = 1 << 8,
	NEED_ALL = NEED_USAGE | NEED_LINK | NEED_DISK,
	IN_LIST = 1 << 3, /* a column of the default table */
	IN_SHOW = 1 << 4, /* a line of show */
	RIGHT = 1 << 5,	  /* numbers to the right */
};

/* One thing to know about a VPS: for people, and for JSON. */
struct column {
	const char *name;  /* header, and what -o and -s take */
	const char *key;   /* in JSON; NULL: part of another */
	const char *label; /* in show */
	unsigned flags;
	void (*text)(const struct view *view, char *text, size_t size);
	json_t *(*json)(const struct view *view);
};

/* The columns that a command has to offer. */
struct columns {
	const struct column *row;
	size_t count;
};

/* Those of list and show. */
extern const struct column columns[];
extern const size_t columns_count;

/* A figure that the kernel counts: FIGURE_UNKNOWN is null, or "-" for people. */
json_t *figure_json(uint64_t figure);
json_t *seconds_json(uint64_t usec);
void figure_text(uint64_t figure, char *text, size_t size);
void size_text(uint64_t bytes, char *text, size_t size);

/* Fetch what @flags need. */
void view_fill(struct view *view, unsigned flags);

/* All columns as one object. */
json_t *view_json(const struct view *view);

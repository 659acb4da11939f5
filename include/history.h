/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct node;
struct retention;
struct vps;

/*
 * The history of what VPSs used: `nodectl sample` reads the counters each minute and adds what
 * they have gained to one row of each span.  Days are those of UTC, so that none has 23 hours.
 */

/* What is known of a VPS and a span of time.  The order is that of history_measures[]. */
enum measure {
	/* counters of the kernel's, as far as they grew in that time */
	MEASURE_TRAFFIC_IN,
	MEASURE_TRAFFIC_OUT,
	MEASURE_PACKETS_IN,
	MEASURE_PACKETS_OUT,
	MEASURE_FREE_IN, /* of that, with networks that are free */
	MEASURE_FREE_OUT,
	MEASURE_CPU,
	MEASURE_PERIODS,
	MEASURE_THROTTLED,
	MEASURE_THROTTLED_TIME,
	MEASURE_READ,
	MEASURE_READ_OPS,
	MEASURE_WRITTEN,
	MEASURE_WRITTEN_OPS,
	MEASURE_OOM_KILLS,
	MEASURE_REFUSED,
	MEASURE_CPU_SOME,
	MEASURE_CPU_FULL,
	MEASURE_MEMORY_SOME,
	MEASURE_MEMORY_FULL,
	MEASURE_IO_SOME,
	MEASURE_IO_FULL,
	MEASURE_COUNTERS,
	/* sums over time */
	MEASURE_SEEN = MEASURE_COUNTERS, /* of which anything is known */
	MEASURE_UP,
	MEASURE_MEMORY, /* KiB x seconds */
	MEASURE_HELD,	/* nothing of it ran though it would: for its own cap, */
	MEASURE_WAITED, /* and for others */
	MEASURE_BELOW,	/* it got less of the CPUs than it is guaranteed, and wanted more */
	/* the largest that was seen */
	MEASURE_MEMORY_PEAK,
	MEASURE_SWAP_PEAK,
	MEASURE_TASKS_PEAK,
	MEASURE_DISK_PEAK,
	MEASURE_INODES_PEAK,
	MEASURE_COUNT,
};

struct measures {
	uint64_t value[MEASURE_COUNT];
};

struct measure_row {
	const char *name; /* in the database, in CSV and in JSON */
	enum { MEASURE_IS_COUNTER, MEASURE_IS_SUM, MEASURE_IS_PEAK } how;
	/* a counter that may become smaller without having begun anew: nothing is gained then
	 */
	bool dips;
	const char *help;
};

extern const struct measure_row history_measures[MEASURE_COUNT];

/* Add up: sums and counters are added, of peaks the larger one counts. */
void measures_add(struct measures *to, const struct measures *more);

/* When, in clocks that do and do not step. */
struct moment {
	int64_t time;	      /* seconds since 1970 */
	uint64_t boot;	      /* another number for each boot of the node */
	uint64_t uptime_usec; /* since then; it goes on while the node sleeps */
};

/* What the counters of one VPS say at one moment; FIGURE_UNKNOWN where nothing does. */
struct reading {
	bool running;
	uint64_t group; /* another number for each life of its control group */
	uint64_t link;	/* and of its counters of traffic */
	uint64_t counter[MEASURE_COUNTERS];
	uint64_t memory, memory_peak, swap, tasks, disk, inodes;
	unsigned guaranteed; /* hundredths of a CPU */
};

/*
 * What is remembered of a VPS between two readings.  Totals only grow, whatever happens to the
 * kernel's counters, the clock, or the node.
 */
struct total {
	bool known; /* it was read before */
	int64_t time;
	uint64_t boot, uptime_usec;
	uint64_t group, link;
	uint64_t raw[MEASURE_COUNTERS], total[MEASURE_COUNTERS];
	uint64_t memory_peak;	       /* the kernel's, as it was */
	uint64_t memory, disk, inodes; /* the last that was known; FIGURE_UNKNOWN */
	bool running;
};

/*
 * Go on to @reading: @gained becomes what was used since the last one.  A VPS that was not read
 * before gains all that its counters say when @young (they are as old as the VPS), and nothing
 * else.  Pure.
 */
void total_advance(struct total *total, const struct reading *reading, const struct moment *now,
		   bool young, struct measures *gained);

/* As one line of text, and back.  The text has no line end; -1 for one that is not ours. */
void total_print(const struct total *total, char *text, size_t size);
int total_parse(const char *text, struct total *total);
#define TOTAL_TEXT 2048

/* Spans of time that rows are kept for; each has its own time to live. */
enum span {
	SPAN_MINUTE = 60,
	SPAN_HOUR = 3600,
	SPAN_DAY = 86400,
	SPAN_MONTH = 31 * 86400, /* of the calendar; they live as long as days */
};

/* The first second of the span that @time is in. */
int64_t span_begin(enum span span, int64_t time);

/* One VPS of a sample. */
struct sampled {
	const struct vps *vps;
	struct reading reading;
	/* results of history_store() */
	struct total total;
	struct measures today, month; /* its rows */
	int64_t key;		      /* its row in the database */
};

struct sample {
	struct moment now;
	struct sampled *vps;
	size_t count, room;
};

#define own_sample __attribute__((cleanup(sample_free))) struct sample

/* Read every VPS of the node.  A VPS whose definition cannot be read is left out. */
int sample_take(const struct node *node, struct sample *sample, struct err *err);
void sample_free(struct sample *sample);

/* One more VPS, which is copied; for tests without kernel too. */
struct sampled *sample_add(struct sample *sample, const struct vps *vps);

/* The file, open. */
struct history;

/*
 * Open the history below @storage, a path.  @write: it is made, and brought to today's schema;
 * one that is damaged is set aside as usage.db.broken-DATE, which @warn is told, and what
 * "usage.totals" has of it is taken over.  Without it, a history that is not there yet is
 * ERR_SYSTEM naming `nodectl sample`.
 */
struct history *history_open(const char *storage, bool write,
			     void (*warn)(const char *what, void *arg), void *arg,
			     struct err *err);
void history_close(struct history *history);

/* One that turned out to be damaged when it was used: db_is_broken().  Set it aside as above,
 * and begin anew. */
struct history *history_renew(const char *storage, const struct err *broken,
			      void (*warn)(const char *what, void *arg), void *arg,
			      struct err *err);
bool history_is_broken(const struct err *err);

static inline void history_release(struct history **history)
{
	history_close(*history);
}
#define own_history __attribute__((cleanup(history_release))) struct history *

/* Add a sample, in one transaction. */
int history_store(struct history *history, struct sample *sample, const struct retention *keep,
		  struct err *err);

/* A VPS that the history knows, also one that is no more. */
struct history_vps {
	int64_t key;
	char uuid[37], name[64], plan[64];
	unsigned id;
	int64_t created, gone; /* gone 0: it is there */
	/* what it was sold, as it was last known */
	unsigned cpus, cpus_guaranteed;
	uint64_t memory, memory_guaranteed, disk, traffic;
	unsigned inodes;
	struct total total;
};

/* Call @each for every one of them; stops at the first -1. */
int history_each_vps(struct history *history,
		     int (*each)(const struct history_vps *vps, void *arg, struct err *err),
		     void *arg, struct err *err);

/* All of them. */
struct history_all {
	struct history_vps *vps;
	size_t count, room;
};

#define own_all __attribute__((cleanup(history_all_free))) struct history_all

/* Added to @all, which is to be freed also after -1. */
int history_all(struct history *history, struct history_all *all, struct err *err);
void history_all_free(struct history_all *all);

/*
 * Call @each for the rows of @span from @from on and before @to, in order of time.  @key 0: of
 * all VPSs.
 */
int history_each(struct history *history, enum span span, int64_t from, int64_t to, int64_t key,
		 int (*each)(int64_t key, int64_t time, const struct measures *measures,
			     void *arg, struct err *err),
		 void *arg, struct err *err);

/* What cron calls each minute: sample_take() and history_store(), one at a time on a node. */
int node_sample(const struct node *node, void (*warn)(const char *what, void *arg), void *arg,
		struct err *err);

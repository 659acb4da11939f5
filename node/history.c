/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "checkpoint.h"
#include "db.h"
#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "report.h"
#include "str.h"
#include "vps.h"

/* How many expired rows' times go in one sample: a clock that is wrong for an hour must not
 * take years along. */
#define EXPIRE_STEPS 2

struct history {
	struct db db;
	char storage[200];
	struct query put, vps_put, vps_gone, expired, expire;
};

/* The steps from each schema to the next; PRAGMA user_version counts those that were done. */
static const char *const schema[] = {
	"CREATE TABLE vps (key INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT, "
	"id INTEGER, created INTEGER, gone INTEGER NOT NULL DEFAULT 0, plan TEXT, "
	"cpus INTEGER, cpus_guaranteed INTEGER, memory INTEGER, memory_guaranteed INTEGER, "
	"disk INTEGER, inodes INTEGER, traffic INTEGER, total TEXT);"
	"CREATE TABLE usage (span INTEGER, time INTEGER, vps INTEGER, "
	"traffic_in INTEGER, traffic_out INTEGER, packets_in INTEGER, packets_out INTEGER, "
	"free_in INTEGER, free_out INTEGER, "
	"cpu_usec INTEGER, cpu_periods INTEGER, cpu_throttled INTEGER, "
	"cpu_throttled_usec INTEGER, read INTEGER, read_ops INTEGER, written INTEGER, "
	"written_ops INTEGER, oom_kills INTEGER, tasks_refused INTEGER, "
	"cpu_some_usec INTEGER, cpu_full_usec INTEGER, memory_some_usec INTEGER, "
	"memory_full_usec INTEGER, io_some_usec INTEGER, io_full_usec INTEGER, "
	"seen_usec INTEGER, up_usec INTEGER, memory_kib_seconds INTEGER, "
	"cpu_held_usec INTEGER, cpu_waited_usec INTEGER, cpu_below_usec INTEGER, "
	"memory_peak INTEGER, swap_peak INTEGER, tasks_peak INTEGER, disk_peak INTEGER, "
	"inodes_peak INTEGER, PRIMARY KEY (span, time, vps)) WITHOUT ROWID;",
};

/* ", a, b" or ", a = a + excluded.a" for each measure, by @how. */
static void measures_print(FILE *out, void (*print)(FILE *out, const struct measure_row *row))
{
	for (unsigned i = 0; i < MEASURE_COUNT; i++) {
		fputs(i ? ", " : "", out);
		print(out, &history_measures[i]);
	}
}

static void name_print(FILE *out, const struct measure_row *row)
{
	fputs(row->name, out);
}

static void mark_print(FILE *out, const struct measure_row *row)
{
	(void)row;
	fputs("?", out);
}

static void add_print(FILE *out, const struct measure_row *row)
{
	if (row->how == MEASURE_IS_PEAK)
		fprintf(out, "%s = max(%s, excluded.%s)", row->name, row->name, row->name);
	else
		fprintf(out, "%s = %s + excluded.%s", row->name, row->name, row->name);
}

static int put_open(struct history *history, struct err *err)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	fputs("INSERT INTO usage (span, time, vps, ", out);
	measures_print(out, name_print);
	fputs(") VALUES (?, ?, ?, ", out);
	measures_print(out, mark_print);
	fputs(") ON CONFLICT (span, time, vps) DO UPDATE SET ", out);
	measures_print(out, add_print);
	fputs(" RETURNING ", out);
	measures_print(out, name_print);
	fclose(out);
	own_str owned = text;
	return query_open(&history->put, &history->db, owned, err);
}

/* What others wrote in the meantime is seen inside of the transaction only. */
static int migrate(struct history *history, struct err *err)
{
	struct db *db = &history->db;
	int64_t version = 0;
	char text[48];

	if (db_run(db, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (db_number(db, "PRAGMA user_version", &version, err) < 0)
		return -1;
	if (version > (int64_t)ARRAY_SIZE(schema))
		return fail_as(err, ERR_SYSTEM,
			       "%s/usage.db is of a later nodectl (schema %" PRId64
			       ", this one knows %zu)",
			       history->storage, version, ARRAY_SIZE(schema));
	for (; version < (int64_t)ARRAY_SIZE(schema); version++) {
		if (db_run(db, schema[version], err) < 0)
			return -1;
	}
	str_format(text, sizeof(text), "PRAGMA user_version = %zu", ARRAY_SIZE(schema));
	if (db_run(db, text, err) < 0)
		return -1;
	return db_run(db, "COMMIT", err);
}

static int queries_open(struct history *history, struct err *err)
{
	struct db *db = &history->db;

	if (put_open(history, err) < 0)
		return -1;
	if (query_open(&history->vps_put, db,
		       "INSERT INTO vps (uuid, name, id, created, plan, cpus, cpus_guaranteed, "
		       "memory, memory_guaranteed, disk, inodes, traffic, total, gone) "
		       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) "
		       "ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, "
		       "id = excluded.id, plan = excluded.plan, cpus = excluded.cpus, "
		       "cpus_guaranteed = excluded.cpus_guaranteed, memory = excluded.memory, "
		       "memory_guaranteed = excluded.memory_guaranteed, disk = excluded.disk, "
		       "inodes = excluded.inodes, traffic = excluded.traffic, "
		       "total = excluded.total, gone = 0 RETURNING key",
		       err) < 0)
		return -1;
	if (query_open(&history->vps_gone, db, "UPDATE vps SET gone = ? WHERE key = ?", err) <
	    0)
		return -1;
	if (query_open(&history->expired, db, "SELECT min(time) FROM usage WHERE span = ?",
		       err) < 0)
		return -1;
	return query_open(&history->expire, db, "DELETE FROM usage WHERE span = ? AND time = ?",
			  err);
}

void history_close(struct history *history)
{
	if (!history)
		return;
	query_close(&history->put);
	query_close(&history->vps_put);
	query_close(&history->vps_gone);
	query_close(&history->expired);
	query_close(&history->expire);
	db_close(&history->db);
	free(history);
}

static int open_file(struct history *history, bool write, struct err *err)
{
	char path[240];

	str_format(path, sizeof(path), "%s/usage.db", history->storage);
	if (db_open(&history->db, path, write, err) < 0)
		return -1;
	if (write && (migrate(history, err) < 0 || queries_open(history, err) < 0))
		return -1;
	return 0;
}

/* usage.db and what SQLite has beside it: together they are what is damaged. */
static int set_aside(const char *storage, void (*warn)(const char *what, void *arg), void *arg,
		     const struct err *why, struct err *err)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	own_fd dir = dir_open(AT_FDCWD, storage, err);
	char when[32], line[700];
	time_t now = time(NULL);
	struct tm tm;

	if (dir < 0)
		return -1;
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char from[32], to[64];

		str_format(from, sizeof(from), "usage.db%s", parts[i]);
		str_format(to, sizeof(to), "usage.db.broken-%s%s", when, parts[i]);
		if (renameat(dir, from, dir, to) < 0 && errno != ENOENT)
			return fail(err, errno, "cannot set '%s/%s' aside", storage, from);
	}
	str_format(line, sizeof(line),
		   "%s/usage.db is damaged (%.200s): set aside as usage.db.broken-%s, "
		   "history begins anew",
		   storage, why->msg, when);
	if (warn)
		warn(line, arg);
	return 0;
}

static int vps_store(struct history *history, struct sampled *one, struct err *err)
{
	const struct vps *vps = one->vps;
	struct query *put = &history->vps_put;
	char text[TOTAL_TEXT];
	int more;

	total_print(&one->total, text, sizeof(text));
	query_put_text(put, 1, vps->uuid);
	query_put_text(put, 2, vps->name);
	query_put(put, 3, vps->id);
	query_put(put, 4, vps->created);
	query_put_text(put, 5, vps->plan);
	query_put(put, 6, vps->limits.cpus);
	query_put(put, 7, vps->limits.cpus_guaranteed);
	query_put(put, 8, (int64_t)vps->limits.memory);
	query_put(put, 9, (int64_t)vps->limits.memory_guaranteed);
	query_put(put, 10, (int64_t)vps->volume.size);
	query_put(put, 11, vps->volume.inodes);
	query_put(put, 12, (int64_t)vps->traffic);
	query_put_text(put, 13, text);
	more = query_step(put, err);
	if (more < 0)
		return -1;
	one->key = query_number(put, 0);
	query_rewind(put);
	return 0;
}

/* history_store() for one row; @now, which may be NULL, becomes what the row is then. */
static int history_add(struct history *history, enum span span, int64_t time, int64_t key,
		       const struct measures *measures, struct measures *now, struct err *err)
{
	struct query *put = &history->put;
	int more;

	query_put(put, 1, span);
	query_put(put, 2, time);
	query_put(put, 3, key);
	for (unsigned i = 0; i < MEASURE_COUNT; i++)
		query_put(put, 4 + i, (int64_t)measures->value[i]);
	more = query_step(put, err);
	if (more < 0)
		return -1;
	for (unsigned i = 0; now && i < MEASURE_COUNT; i++)
		now->value[i] = (uint64_t)query_number(put, i);
	query_rewind(put);
	return 0;
}

/* Of what it was sold nothing is known until it is sampled. */
static int restore_one(const struct checkpoint_vps *saved, void *arg, struct err *err)
{
	struct history *history = arg;
	struct vps vps = { .id = saved->id };
	struct sampled one = { .vps = &vps, .total = saved->total };

	strcpy(vps.uuid, saved->uuid);
	strcpy(vps.name, saved->name);
	if (vps_store(history, &one, err) < 0 ||
	    history_add(history, SPAN_DAY, saved->day, one.key, &saved->today, NULL, err) < 0)
		return -1;
	return history_add(history, SPAN_MONTH, saved->month, one.key, &saved->in_month, NULL,
			   err);
}

/* A history that has just begun goes on from what was written beside the last one. */
static int restore(struct history *history, struct err *err)
{
	int64_t known = 0;

	if (db_number(&history->db, "SELECT count(*) FROM vps", &known, err) < 0)
		return -1;
	if (known)
		return 0;
	if (db_run(&history->db, "BEGIN IMMEDIATE", err) < 0 ||
	    checkpoint_read(history->storage, restore_one, history, err) < 0)
		return -1;
	return db_run(&history->db, "COMMIT", err);
}

static struct history *open_at(const char *storage, bool write, struct err *err)
{
	own_history history = xcalloc(1, sizeof(*history));
	struct history *opened;

	str_format(history->storage, sizeof(history->storage), "%s", storage);
	if (open_file(history, write, err) < 0 || (write && restore(history, err) < 0))
		return NULL;
	opened = history;
	history = NULL;
	return opened;
}

bool history_is_broken(const struct err *err)
{
	return db_is_broken(err);
}

struct history *history_renew(const char *storage, const struct err *broken,
			      void (*warn)(const char *what, void *arg), void *arg,
			      struct err *err)
{
	if (set_aside(storage, warn, arg, broken, err) < 0)
		return NULL;
	return open_at(storage, true, err);
}

struct history *history_open(const char *storage, bool write,
			     void (*warn)(const char *what, void *arg), void *arg,
			     struct err *err)
{
	struct history *history = open_at(storage, write, err);
	struct err broken;

	if (!history && write && db_is_broken(err)) {
		broken = *err;
		return history_renew(storage, &broken, warn, arg, err);
	}
	if (!history && !write && err->code == ENOENT)
		fail_as(err, ERR_SYSTEM,
			"there is no history yet: run 'nodectl sample' (cron does)");
	return history;
}

static int uuid_compare(const void *a, const void *b)
{
	return strcmp(((const struct history_vps *)a)->uuid,
		      ((const struct history_vps *)b)->uuid);
}

/* What was known of it before this sample; @known is in order of uuids. */
static struct history_vps *known_find(struct history_all *known, const char *uuid)
{
	struct history_vps wanted;

	str_format(wanted.uuid, sizeof(wanted.uuid), "%s", uuid);
	return known->count
		   ? bsearch(&wanted, known->vps, known->count, sizeof(wanted), uuid_compare)
		   : NULL;
}

static int one_store(struct history *history, const struct moment *now, struct sampled *one,
		     struct history_vps *before, struct err *err)
{
	const struct {
		enum span span;
		struct measures *row;
	} rows[] = { { SPAN_MINUTE, NULL },
		     { SPAN_HOUR, NULL },
		     { SPAN_DAY, &one->today },
		     { SPAN_MONTH, &one->month } };
	bool young = one->vps->created >= month_begin(now->time);
	struct measures gained;

	one->total = before ? before->total : (struct total){ 0 };
	if (!one->total.known)
		one->total.disk = one->total.inodes = FIGURE_UNKNOWN;
	total_advance(&one->total, &one->reading, now, young, &gained);
	if (vps_store(history, one, err) < 0)
		return -1;
	if (before)
		before->key = 0; /* it is still there */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (history_add(history, rows[i].span, span_begin(rows[i].span, now->time),
				one->key, &gained, rows[i].row, err) < 0)
			return -1;
	}
	return 0;
}

/* Who is known and was not read has gone, or cannot be read: its rows stay. */
static int gone_store(struct history *history, const struct history_all *known, int64_t now,
		      struct err *err)
{
	for (size_t i = 0; i < known->count; i++) {
		if (!known->vps[i].key || known->vps[i].gone)
			continue;
		query_put(&history->vps_gone, 1, now);
		query_put(&history->vps_gone, 2, known->vps[i].key);
		if (query_step(&history->vps_gone, err) < 0)
			return -1;
	}
	return 0;
}

static int expire(struct history *history, enum span span, int64_t before, struct err *err)
{
	for (unsigned i = 0; i < EXPIRE_STEPS; i++) {
		int64_t oldest = INT64_MAX;
		int more;

		query_put(&history->expired, 1, span);
		more = query_step(&history->expired, err);
		if (more < 0)
			return -1;
		if (more)
			oldest = query_number(&history->expired, 0);
		query_rewind(&history->expired);
		/* 0 is the NULL of a table without rows */
		if (!oldest || oldest >= before)
			return 0;
		query_put(&history->expire, 1, span);
		query_put(&history->expire, 2, oldest);
		if (query_step(&history->expire, err) < 0)
			return -1;
	}
	return 0;
}

static int all_store(struct history *history, struct sample *sample,
		     const struct retention *keep, struct history_all *known, struct err *err)
{
	int64_t now = sample->now.time;
	char text[240];

	if (history_all(history, known, err) < 0)
		return -1;
	if (known->count)
		qsort(known->vps, known->count, sizeof(known->vps[0]), uuid_compare);
	for (size_t i = 0; i < sample->count; i++) {
		struct sampled *one = &sample->vps[i];

		if (one_store(history, &sample->now, one, known_find(known, one->vps->uuid),
			      err) < 0)
			return -1;
	}
	if (gone_store(history, known, now, err) < 0 ||
	    expire(history, SPAN_MINUTE, now - keep->minutes, err) < 0 ||
	    expire(history, SPAN_HOUR, now - keep->hours, err) < 0 ||
	    expire(history, SPAN_DAY, now - keep->days, err) < 0 ||
	    expire(history, SPAN_MONTH, now - keep->days - SPAN_MONTH, err) < 0)
		return -1;
	/* with its days, and not because the clock says for once that they are old */
	str_format(text, sizeof(text),
		   "DELETE FROM vps WHERE gone > 0 AND gone < min(%" PRId64
		   ", coalesce((SELECT min(time) FROM usage WHERE span = %d), %" PRId64 "))",
		   now - keep->days, SPAN_DAY, now - keep->days);
	return db_run(&history->db, text, err);
}

int history_store(struct history *history, struct sample *sample, const struct retention *keep,
		  struct err *err)
{
	own_all known = { 0 };
	struct err ignored;

	if (db_run(&history->db, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (all_store(history, sample, keep, &known, err) < 0 ||
	    db_run(&history->db, "COMMIT", err) < 0) {
		(void)db_run(&history->db, "ROLLBACK", &ignored);
		return -1;
	}
	return checkpoint_write(history->storage, sample, err);
}

int history_each_vps(struct history *history,
		     int (*each)(const struct history_vps *vps, void *arg, struct err *err),
		     void *arg, struct err *err)
{
	own_query query = { 0 };
	int more;

	if (query_open(&query, &history->db,
		       "SELECT key, uuid, name, id, created, gone, plan, cpus, "
		       "cpus_guaranteed, memory, memory_guaranteed, disk, inodes, traffic, "
		       "total FROM vps",
		       err) < 0)
		return -1;
	while ((more = query_step(&query, err)) > 0) {
		struct history_vps vps = {
			.key = query_number(&query, 0),
			.id = (unsigned)query_number(&query, 3),
			.created = query_number(&query, 4),
			.gone = query_number(&query, 5),
			.cpus = (unsigned)query_number(&query, 7),
			.cpus_guaranteed = (unsigned)query_number(&query, 8),
			.memory = (uint64_t)query_number(&query, 9),
			.memory_guaranteed = (uint64_t)query_number(&query, 10),
			.disk = (uint64_t)query_number(&query, 11),
			.inodes = (unsigned)query_number(&query, 12),
			.traffic = (uint64_t)query_number(&query, 13),
		};

		snprintf(vps.uuid, sizeof(vps.uuid), "%s", query_text(&query, 1));
		snprintf(vps.name, sizeof(vps.name), "%s", query_text(&query, 2));
		snprintf(vps.plan, sizeof(vps.plan), "%s", query_text(&query, 6));
		/* one that cannot be understood is read as if for the first time */
		(void)total_parse(query_text(&query, 14), &vps.total);
		if (each(&vps, arg, err) < 0)
			return -1;
	}
	return more;
}

static int all_add(const struct history_vps *vps, void *arg, struct err *err)
{
	struct history_all *all = arg;

	(void)err;
	all->vps = xgrow(all->vps, all->count, &all->room, sizeof(all->vps[0]));
	all->vps[all->count++] = *vps;
	return 0;
}

int history_all(struct history *history, struct history_all *all, struct err *err)
{
	return history_each_vps(history, all_add, all, err);
}

void history_all_free(struct history_all *all)
{
	free(all->vps);
}

/* The rows of @query, whose parameters are set. */
static int rows_each(struct query *query,
		     int (*each)(int64_t key, int64_t time, const struct measures *measures,
				 void *arg, struct err *err),
		     void *arg, struct err *err)
{
	struct measures measures;
	int more;

	while ((more = query_step(query, err)) > 0) {
		for (unsigned i = 0; i < MEASURE_COUNT; i++)
			measures.value[i] = (uint64_t)query_number(query, 2 + i);
		if (each(query_number(query, 0), query_number(query, 1), &measures, arg, err) <
		    0)
			return -1;
	}
	return more;
}

/* The first time of a row of @span, and the last. */
static int ends_find(struct history *history, enum span span, int64_t *first, int64_t *last,
		     struct err *err)
{
	char text[96];

	str_format(text, sizeof(text), "SELECT min(time) FROM usage WHERE span = %d", span);
	if (db_number(&history->db, text, first, err) < 0)
		return -1;
	str_format(text, sizeof(text), "SELECT max(time) FROM usage WHERE span = %d", span);
	return db_number(&history->db, text, last, err);
}

int history_each(struct history *history, enum span span, int64_t from, int64_t to, int64_t key,
		 int (*each)(int64_t key, int64_t time, const struct measures *measures,
			     void *arg, struct err *err),
		 void *arg, struct err *err)
{
	own_query query = { 0 };
	int64_t first = 0, last = 0;
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	fputs("SELECT vps, time, ", out);
	measures_print(out, name_print);
	fputs(" FROM usage WHERE span = ? AND ", out);
	fputs(key ? "time = ? AND vps = ?" : "time >= ? AND time < ? ORDER BY time, vps", out);
	fclose(out);
	own_str owned = text;
	if (query_open(&query, &history->db, owned, err) < 0)
		return -1;
	query_put(&query, 1, span);
	if (!key) {
		query_put(&query, 2, from);
		query_put(&query, 3, to);
		return rows_each(&query, each, arg, err);
	}

	/* the key begins with the time: one VPS is found slot by slot */
	if (ends_find(history, span, &first, &last, err) < 0)
		return -1;
	from = from > first ? from : first;
	to = to <= last ? to : last + 1;
	if (span_begin(span, from) < from)
		from = span_begin(span, from) + span;
	query_put(&query, 3, key);
	for (int64_t time = span_begin(span, from); time < to;
	     time = span == SPAN_MONTH ? month_next(time) : time + span) {
		query_put(&query, 2, time);
		if (rows_each(&query, each, arg, err) < 0)
			return -1;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "notice.h"
#include "own.h"
#include "program.h"
#include "quota.h"
#include "report.h"
#include "runtime.h"
#include "str.h"

/* How long init may take when it is suspended, and a hook. */
#define STOP_SECONDS 10
#define HOOK_SECONDS "10"

/* Where there are more VPSs than that, each tenant is told of one sample in five: it costs a
 * fifth of all that a sample does. */
#define NOTICES_MANY   20
#define NOTICE_MINUTES 5

static bool is_equal(const struct quota_record *a, const struct quota_record *b)
{
	char one[512], other[512];

	quota_print(a, one, sizeof(one));
	quota_print(b, other, sizeof(other));
	return strcmp(one, other) == 0;
}

static int record_write(int dir, const struct quota_record *record, struct err *err)
{
	const struct quota_record nothing = { 0 };
	char text[512];

	if (is_equal(record, &nothing)) {
		(void)unlinkat(dir, "quota", 0);
		return 0;
	}
	quota_print(record, text, sizeof(text));
	return file_replace(dir, "quota", text, strlen(text), 0600, err);
}

/* One thing that got to another level. */
struct transition {
	const char *what;
	enum quota_level from, to;
	uint64_t used, limit;
};

static void transition_log(const struct node *node, const struct vps *vps,
			   const struct quota_record *record, const struct transition *t)
{
	char used[24], limit[24], rate[24], done[64] = "";

	size_human(t->used, used, sizeof(used));
	size_human(t->limit, limit, sizeof(limit));
	if (strcmp(t->what, "inodes") == 0) {
		str_format(used, sizeof(used), "%" PRIu64, t->used);
		str_format(limit, sizeof(limit), "%" PRIu64, t->limit);
	}
	rate_print(record->throttle, rate, sizeof(rate));
	if (strcmp(t->what, "traffic") == 0 && record->throttle)
		str_format(done, sizeof(done), "; throttled to %s", rate);
	else if (strcmp(t->what, "traffic") == 0 && record->suspended)
		str_format(done, sizeof(done), "; suspended");
	vps_log(node, vps->name, "%s: %s of %s used, %s%s", t->what, used, limit,
		t->to == QUOTA_OVER	? "which is all"
		: t->to == QUOTA_WARNED ? "a warning"
					: "well again",
		done);
}

/* The operator's program, with a fixed environment and the same as JSON on its input. */
static void hook_run(const struct node *node, const struct vps *vps,
		     const struct quota_record *record, const struct transition *t)
{
	char path[300], name[96], id[32], what[32], from[32], to[32], json[512];
	const char *slash = strrchr(node->config, '/');
	const char *const argv[] = { "/usr/bin/timeout",
				     "-k",
				     "2",
				     HOOK_SECONDS,
				     "/usr/bin/env",
				     "-i",
				     "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				     name,
				     id,
				     what,
				     from,
				     to,
				     path,
				     NULL };
	struct err err;

	str_format(path, sizeof(path), "%.*shooks/quota", (int)(slash - node->config + 1),
		   node->config);
	if (access(path, X_OK) < 0)
		return;
	str_format(name, sizeof(name), "NODECTL_VPS=%s", vps->name);
	str_format(id, sizeof(id), "NODECTL_ID=%u", vps->id);
	str_format(what, sizeof(what), "NODECTL_WHAT=%s", t->what);
	str_format(from, sizeof(from), "NODECTL_FROM=%s", quota_level_name(t->from));
	str_format(to, sizeof(to), "NODECTL_TO=%s", quota_level_name(t->to));
	str_format(json, sizeof(json),
		   "{\"schema\":1,\"vps\":\"%s\",\"id\":%u,\"what\":\"%s\",\"from\":\"%s\","
		   "\"to\":\"%s\",\"used\":%" PRIu64 ",\"limit\":%" PRIu64
		   ",\"throttle\":%" PRIu64 ",\"suspended\":%s}\n",
		   vps->name, vps->id, t->what, quota_level_name(t->from),
		   quota_level_name(t->to), t->used, t->limit, record->throttle,
		   record->suspended ? "true" : "false");
	own_fd in = memfd_create("quota", MFD_CLOEXEC);
	if (in < 0 || write_all(in, json, strlen(json)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		return;
	const struct program program = {
		.argv = argv, .in = in, .out = -1, .err = -1, .dir = -1
	};
	if (program_run(&program, &err) < 0)
		vps_log(node, vps->name, "the hook '%s' failed: %s", path, err.msg);
}

/* The kernel as @record has it; from whatever it is, and whatever was done already. */
static int kernel_apply(const struct node *node, struct held *held,
			const struct quota_record *record, struct err *err)
{
	const struct stopping how = { .timeout = STOP_SECONDS, .shutdown = true };
	struct status status;
	bool forced;

	held->vps.throttle = record->throttle;
	held->vps.suspended = record->suspended;
	if (held_status(held, &status, err) < 0)
		return -1;
	if (record->suspended)
		return status.init ? node_stop(node, held, &how, &forced, err) : 0;
	struct vps running = vps_as_running(&held->vps, held->place.was);
	if (status.init)
		return runtime_shape(&running, err);
	/* it was left meant to run when it was suspended, and by nothing else */
	if (record->traffic_told == QUOTA_OVER &&
	    faccessat(held->place.dir, "running", F_OK, 0) == 0)
		return node_start(node, held, ADMIT_KNOWN, err);
	return 0;
}

static void tell(const struct node *node, const struct vps *vps,
		 const struct quota_record *record, const struct transition *t)
{
	if (t->from == t->to)
		return;
	transition_log(node, vps, record, t);
	hook_run(node, vps, record, t);
}

/* Decided, told, and not done: a stop took too long, or whoever was to do it was killed. */
static bool runs_suspended(const struct quota_record *record, const struct total *total)
{
	return record->suspended && total && total->running;
}

/* Bring @name to what is decided when it has used @traffic: kernel, event log, hook. */
static int quota_apply(const struct node *node, const char *name, uint64_t traffic,
		       const struct total *total, struct err *err)
{
	own_held held = held_none();
	struct quota_record before, record;
	int64_t now = time(NULL);

	if (vps_hold(node, name, "sample", &held, err) < 0 ||
	    quota_read(held.place.dir, &before, err) < 0)
		return -1;
	record = before;
	quota_decide(&held.vps, traffic, total, node->warn, now, &record);

	const struct transition transitions[] = {
		{ "traffic", record.traffic_told, record.traffic, traffic,
		  quota_limit(&held.vps, &record, now) },
		{ "disk", record.disk_told, record.disk, total ? total->disk : 0,
		  held.vps.volume.size },
		{ "inodes", record.inodes_told, record.inodes, total ? total->inodes : 0,
		  held.vps.volume.inodes },
	};
	bool acted = record.throttle == before.throttle &&
		     record.suspended == before.suspended &&
		     record.traffic == record.traffic_told && !runs_suspended(&record, total);

	/* the decision first: who is killed behind it has decided, and the next sample acts */
	if (!is_equal(&record, &before) && record_write(held.place.dir, &record, err) < 0)
		return -1;
	if (!acted && kernel_apply(node, &held, &record, err) < 0)
		return fail_in(err, "%s: quota", name);
	for (size_t i = 0; i < ARRAY_SIZE(transitions); i++)
		tell(node, &held.vps, &record, &transitions[i]);
	record.traffic_told = record.traffic;
	record.disk_told = record.disk;
	record.inodes_told = record.inodes;
	return record_write(held.place.dir, &record, err);
}

static int sum_add(int64_t key, int64_t time, const struct measures *measures, void *arg,
		   struct err *err)
{
	(void)key, (void)time, (void)err;
	measures_add(arg, measures);
	return 0;
}

int quota_used(struct history *history, const struct vps *vps, int64_t key, int64_t now,
	       uint64_t *used, struct err *err)
{
	enum span span = vps->quota.period == QUOTA_MONTH ? SPAN_MONTH : SPAN_DAY;
	struct measures sum = { 0 };

	if (history_each(history, span, quota_begin(&vps->quota, now), now + 1, key, sum_add,
			 &sum, err) < 0)
		return -1;
	*used = quota_count(&vps->quota, &sum);
	return 0;
}

struct wanted_key {
	const char *uuid;
	int64_t key;
};

static int key_find(const struct history_vps *vps, void *arg, struct err *err)
{
	struct wanted_key *wanted = arg;

	(void)err;
	if (strcmp(vps->uuid, wanted->uuid) == 0)
		wanted->key = vps->key;
	return 0;
}

/* What it has used, as far as anybody knows: without a history nothing. */
static int used_now(const struct node *node, const struct vps *vps, uint64_t *used,
		    struct err *err)
{
	struct wanted_key wanted = { .uuid = vps->uuid };
	own_history history = history_open(node->storage, false, NULL, NULL, err);

	*used = 0;
	if (!history)
		return 0;
	if (history_each_vps(history, key_find, &wanted, err) < 0)
		return -1;
	return wanted.key ? quota_used(history, vps, wanted.key, time(NULL), used, err) : 0;
}

static int add(struct held *held, uint64_t bytes, struct err *err)
{
	int64_t now = time(NULL), begin = quota_begin(&held->vps.quota, now);
	struct quota_record record;
	char size[24];

	if (!held->vps.traffic)
		return fail_as(err, ERR_VALUE,
			       "it has no traffic quota: nothing could be added to it");
	if (quota_read(held->place.dir, &record, err) < 0)
		return -1;
	if (record.since < begin)
		record.added = 0;
	size_print(record.added, size, sizeof(size));
	if (__builtin_add_overflow(record.added, bytes, &record.added) ||
	    record.added > INT64_MAX - held->vps.traffic)
		return fail_as(err, ERR_VALUE, "%s were added already, and that is too much",
			       size);
	/* what rolls has no begin: it counts for as long as the days roll */
	record.since = held->vps.quota.period == QUOTA_ROLLING ? day_begin(now) : begin;
	return record_write(held->place.dir, &record, err);
}

int node_traffic_add(const struct node *node, const char *name, uint64_t bytes, struct err *err)
{
	own_held held = held_none();
	char size[24], known[64];
	uint64_t used;

	if (vps_hold(node, name, "traffic add", &held, err) < 0 || add(&held, bytes, err) < 0 ||
	    used_now(node, &held.vps, &used, err) < 0)
		return -1;
	size_print(bytes, size, sizeof(size));
	vps_log(node, held.vps.name, "traffic: %s added to its quota", size);
	strcpy(known, held.vps.name);
	vps_release(&held);
	held = held_none();
	return quota_apply(node, known, used, NULL, err);
}

/* Would anything of its record change? */
static bool is_due(const struct node *node, const struct sampled *one,
		   const struct quota_record *before, uint64_t traffic, int64_t now)
{
	struct quota_record record = *before;

	quota_decide(one->vps, traffic, &one->total, node->warn, now, &record);
	return !is_equal(&record, before) || record.traffic != record.traffic_told ||
	       runs_suspended(&record, &one->total) || record.disk != record.disk_told ||
	       record.inodes != record.inodes_told;
}

/* With @tell the tenant is told also when nothing is done about its quota. */
static int one_run(const struct node *node, struct history *history, const struct sampled *one,
		   int64_t now, bool tell, struct err *err)
{
	struct quota_record record;
	uint64_t used = 0;
	own_fd dir = vps_dir(node, one->vps->name, err);

	/* destroyed meanwhile */
	if (dir < 0)
		return 0;
	if (one->vps->quota.period == QUOTA_MONTH)
		used = quota_count(&one->vps->quota, &one->month);
	else if (quota_used(history, one->vps, one->key, now, &used, err) < 0)
		return -1;
	if (quota_read(dir, &record, err) < 0)
		return -1;
	if (is_due(node, one, &record, used, now)) {
		if (quota_apply(node, one->vps->name, used, &one->total, err) < 0 ||
		    quota_read(dir, &record, err) < 0)
			return -1;
		tell = true;
	}
	if (tell)
		notice_tell(node, one, &record, used, now);
	return 0;
}

void quota_run(const struct node *node, struct history *history, const struct sample *sample,
	       void (*warn)(const char *what, void *arg), void *arg)
{
	unsigned steps = sample->count > NOTICES_MANY ? NOTICE_MINUTES : 1;
	int64_t now = sample->now.time;
	struct err err;

	for (size_t i = 0; i < sample->count; i++) {
		bool tell = (now / 60 + (int64_t)i) % steps == 0;

		if (one_run(node, history, &sample->vps[i], now, tell, &err) < 0 && warn)
			warn(err.msg, arg);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "history.h"
#include "io.h"
#include "own.h"
#include "report.h"
#include "str.h"

#define FILE_NAME "ledger.jsonl"
#define HEAD_NAME "ledger.head"
#define NOTHING	  "0000000000000000000000000000000000000000000000000000000000000000"

/* So long nothing is used at all when the node was down, or when its clock is wrong. */
#define AHEAD (2 * SPAN_DAY)

/* Where it ends. */
struct head {
	uint64_t lines, bytes;
	int64_t day; /* all before and with it are over, and in it */
	char digest[SHA256_TEXT];
};

enum head_state { HEAD_NONE, HEAD_THERE, HEAD_DAMAGED };

/* Whether there is one; -1: that cannot be told at this moment. */
static int head_read(int dir, struct head *head, enum head_state *state, struct err *err)
{
	char text[200], end[2];

	*head = (struct head){ .digest = NOTHING };
	*state = HEAD_DAMAGED;
	if (file_read(dir, HEAD_NAME, text, sizeof(text), err) < 0) {
		switch (err->code) {
		case ENOENT:
			*state = HEAD_NONE;
			return 0;
		case EFBIG: /* what it is, and not what the node lacks at this moment */
		case EISDIR:
		case ELOOP:
			return 0;
		}
		return fail(err, err->code,
			    "cannot read '" HEAD_NAME "' (where that lasts, move it away: the "
			    "ledger is then written anew)");
	}
	if (sscanf(text,
		   "lines = %" SCNu64 "\nbytes = %" SCNu64 "\nday = %" SCNd64
		   "\ndigest = %64s\n%1[e]nd\n",
		   &head->lines, &head->bytes, &head->day, head->digest, end) == 5)
		*state = HEAD_THERE;
	return 0;
}

static int head_write(int dir, const struct head *head, struct err *err)
{
	char text[200];

	str_format(text, sizeof(text),
		   "lines = %" PRIu64 "\nbytes = %" PRIu64 "\nday = %" PRId64
		   "\ndigest = %s\nend\n",
		   head->lines, head->bytes, head->day, head->digest);
	return file_replace(dir, HEAD_NAME, text, strlen(text), 0600, err);
}

struct appending {
	struct head head;
	struct history_all all; /* by key */
	int64_t last;		/* day with a line */
	FILE *out;
};

static int key_compare(const void *a, const void *b)
{
	const struct history_vps *one = a, *two = b;

	return one->key < two->key ? -1 : one->key > two->key;
}

static void day_text(int64_t day, char text[11])
{
	char whole[32];

	time_print(day, whole, sizeof(whole));
	snprintf(text, 11, "%.10s", whole);
}

static char *line_make(const struct head *before, const struct history_vps *vps, int64_t day,
		       const struct measures *measures, size_t *size)
{
	char *text = NULL, date[11];
	FILE *out = xmemstream(&text, size);

	day_text(day, date);
	fprintf(out,
		"{\"line\":%" PRIu64 ",\"day\":\"%s\",\"uuid\":\"%s\",\"name\":\"%s\","
		"\"id\":%u,\"plan\":\"%s\",\"cpus\":%.2f,\"cpus_guaranteed\":%.2f,"
		"\"memory\":%" PRIu64 ",\"disk\":%" PRIu64 ",\"traffic\":%" PRIu64,
		before->lines + 1, date, vps->uuid, vps->name, vps->id, vps->plan,
		vps->cpus / 100.0, vps->cpus_guaranteed / 100.0, vps->memory, vps->disk,
		vps->traffic);
	for (unsigned i = 0; i < MEASURE_COUNT; i++)
		fprintf(out, ",\"%s\":%" PRIu64, history_measures[i].name, measures->value[i]);
	fprintf(out, ",\"before\":\"%s\"}", before->digest);
	fclose(out);
	return text;
}

static int row_append(int64_t key, int64_t time, const struct measures *measures, void *arg,
		      struct err *err)
{
	struct appending *appending = arg;
	const struct history_vps wanted = { .key = key };
	const struct history_all *all = &appending->all;
	const struct history_vps *vps =
	    all->count ? bsearch(&wanted, all->vps, all->count, sizeof(wanted), key_compare)
		       : NULL;
	size_t size;

	(void)err;
	if (!vps)
		return 0;
	own_str line = line_make(&appending->head, vps, time, measures, &size);
	sha256_text(line, size, appending->head.digest);
	fprintf(appending->out, "%s\n", line);
	appending->head.lines++;
	appending->last = time;
	appending->head.bytes += size + 1;
	return 0;
}

/* As it was left: of what was written behind the head, nobody was told.  1, 0, or -1 when that
 * cannot be told: a sound one must not be set aside for a moment's lack. */
static int sound_look(int dir, enum head_state state, const struct head *head, struct err *err)
{
	struct stat stat;

	if (fstatat(dir, FILE_NAME, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? state == HEAD_NONE
				       : fail(err, errno, "cannot look at '" FILE_NAME "'");
	return state == HEAD_THERE && S_ISREG(stat.st_mode) &&
	       (uint64_t)stat.st_size >= head->bytes;
}

static int set_aside(int dir, const char *storage, void (*warn)(const char *what, void *arg),
		     void *arg, struct err *err)
{
	char to[64], line[400];

	str_format(to, sizeof(to), FILE_NAME ".broken-%" PRId64, (int64_t)time(NULL));
	if (renameat(dir, FILE_NAME, dir, to) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot set '" FILE_NAME "' aside");
	(void)unlinkat(dir, HEAD_NAME, 0);
	str_format(line, sizeof(line),
		   "%s/" FILE_NAME " does not end as it was left: set aside as %s, and written "
		   "anew from the history",
		   storage, to);
	if (warn)
		warn(line, arg);
	return 0;
}

/* In one piece behind what counts; then it counts. */
static int text_append(int dir, uint64_t at, const char *text, size_t size,
		       const struct head *head, struct err *err)
{
	own_fd fd = openat(dir, FILE_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)at) < 0 || lseek(fd, 0, SEEK_END) < 0 ||
	    write_all(fd, text, size) < 0 || fdatasync(fd) < 0)
		return fail(err, errno, "cannot write '" FILE_NAME "'");
	return head_write(dir, head, err);
}

static void appending_free(struct appending *appending)
{
	history_all_free(&appending->all);
}

int chain_append(const char *storage, struct history *history, int64_t now,
		 void (*warn)(const char *what, void *arg), void *arg, struct err *err)
{
	__attribute__((cleanup(appending_free))) struct appending appending = { 0 };
	own_fd dir = dir_open(AT_FDCWD, storage, err);
	int64_t today = day_begin(now);
	char *text = NULL;
	enum head_state state;
	uint64_t at;
	size_t size;
	int sound, result;

	if (dir < 0 || head_read(dir, &appending.head, &state, err) < 0)
		return -1;
	sound = sound_look(dir, state, &appending.head, err);
	if (sound < 0)
		return -1;
	if (!sound) {
		if (set_aside(dir, storage, warn, arg, err) < 0)
			return -1;
		appending.head = (struct head){ .digest = NOTHING };
	}
	if (appending.head.day >= today - SPAN_DAY)
		return 0;
	at = appending.head.bytes;
	if (history_all(history, &appending.all, err) < 0)
		return -1;
	if (appending.all.count)
		qsort(appending.all.vps, appending.all.count, sizeof(appending.all.vps[0]),
		      key_compare);
	appending.out = xmemstream(&text, &size);
	result = history_each(history, SPAN_DAY,
			      appending.head.day ? appending.head.day + SPAN_DAY : 0, today, 0,
			      row_append, &appending, err);
	fclose(appending.out);
	own_str owned = text;
	if (result < 0)
		return -1;
	/* nothing was used: as little is known of whether these days are over */
	if (!appending.last && state == HEAD_THERE)
		return 0;
	/* a clock that is far ahead for a while would keep out what is used until then */
	if (appending.last)
		appending.head.day =
		    today - appending.last > AHEAD ? appending.last : today - SPAN_DAY;
	return text_append(dir, at, owned, size, &appending.head, err);
}

static int fault(struct chain_state *state, uint64_t line, const char *what)
{
	state->wrong = line;
	str_format(state->fault, sizeof(state->fault), "%s", what);
	return 0;
}

/* The text behind "key":" up to the next quote. */
static bool member_take(const char *line, const char *key, char *text, size_t size)
{
	const char *at = strstr(line, key);

	if (!at)
		return false;
	at += strlen(key);
	snprintf(text, size, "%.*s", (int)strcspn(at, "\""), at);
	return true;
}

/* Lines one after the other; 1 for one that is not as it was written. */
static bool line_is_wrong(const char *line, size_t size, struct chain_state *state)
{
	char before[SHA256_TEXT + 8], number[48], day[32];

	str_format(number, sizeof(number), "{\"line\":%" PRIu64 ",", state->lines + 1);
	if (strncmp(line, number, strlen(number)) != 0) {
		(void)fault(state, state->lines + 1,
			    "it has another number: one is missing, "
			    "or not in its place");
		return true;
	}
	if (!member_take(line, "\"before\":\"", before, sizeof(before)) ||
	    !member_take(line, "\"day\":\"", day, sizeof(day)) ||
	    strcmp(before, state->head) != 0) {
		(void)fault(
		    state, state->lines ? state->lines : 1,
		    "its digest is not the one that the next line names: it was altered");
		return true;
	}
	if (!state->lines)
		snprintf(state->first, sizeof(state->first), "%.10s", day);
	snprintf(state->last, sizeof(state->last), "%.10s", day);
	sha256_text(line, size, state->head);
	state->lines++;
	return false;
}

int chain_verify(const char *storage, struct chain_state *state, struct err *err)
{
	own_fd dir = dir_open(AT_FDCWD, storage, err);
	own_fd fd = -1;
	own_file in = NULL;
	own_str line = NULL;
	enum head_state there;
	struct head head;
	size_t room = 0;
	ssize_t len;

	*state = (struct chain_state){ .head = NOTHING };
	if (dir < 0 || head_read(dir, &head, &there, err) < 0)
		return -1;
	fd = openat(dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ELOOP)
		return fail(err, errno, "cannot open '" FILE_NAME "'");
	if (there != HEAD_THERE)
		return there == HEAD_NONE && fd < 0
			   ? fail_as(err, ERR_SYSTEM,
				     "there is no '" FILE_NAME "' yet: its first line comes "
				     "with the first sample of the next day (UTC)")
			   : fault(state, 1,
				   "'" HEAD_NAME "', which says where it ends, is "
				   "missing or damaged");
	if (fd < 0)
		return fault(state, 1, "'" FILE_NAME "' is missing");
	in = fdopen(fd, "r");
	if (!in)
		return fail(err, errno, "cannot open '" FILE_NAME "'");
	(void)take_fd(&fd);
	while (state->lines < head.lines && (len = getline(&line, &room, in)) > 0) {
		if (line[len - 1] == '\n')
			line[--len] = 0;
		if (line_is_wrong(line, (size_t)len, state))
			return 0;
	}
	if (ferror(in))
		return fail(err, errno, "cannot read '" FILE_NAME "'");
	if (state->lines < head.lines)
		return fault(state, state->lines + 1, "it is missing, with all behind it");
	if (strcmp(state->head, head.digest) != 0)
		return fault(state, state->lines,
			     "its digest is not that of '" HEAD_NAME "': it was altered");
	if (getline(&line, &room, in) > 0)
		return fault(state, state->lines + 1, "it was added by somebody else");
	return ferror(in) ? fail(err, errno, "cannot read '" FILE_NAME "'") : 0;
}

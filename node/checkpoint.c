/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "checkpoint.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "vps.h"

#define NAME	 "usage.totals"
#define FIRST	 "nodectl usage 1"
#define LAST	 "end"
#define FILE_MAX (256u << 20)

static void row_print(FILE *out, const char *what, int64_t begin,
		      const struct measures *measures)
{
	fprintf(out, "%s %" PRId64, what, begin);
	for (unsigned i = 0; i < MEASURE_COUNT; i++)
		fprintf(out, " %" PRIu64, measures->value[i]);
	fputc('\n', out);
}

/* Four lines a VPS: who, what it used today and this month, and its totals. */
static void one_print(FILE *out, const struct sample *sample, const struct sampled *one)
{
	int64_t now = sample->now.time;
	char text[TOTAL_TEXT];

	total_print(&one->total, text, sizeof(text));
	fprintf(out, "vps %s %u %s\n", one->vps->uuid, one->vps->id, one->vps->name);
	row_print(out, "today", span_begin(SPAN_DAY, now), &one->today);
	row_print(out, "month", span_begin(SPAN_MONTH, now), &one->month);
	fprintf(out, "total %s\n", text);
}

int checkpoint_write(const char *storage, const struct sample *sample, struct err *err)
{
	own_fd dir = dir_open(AT_FDCWD, storage, err);
	char *text = NULL;
	size_t size;
	FILE *out;

	if (dir < 0)
		return -1;
	out = xmemstream(&text, &size);
	fputs(FIRST "\n", out);
	for (size_t i = 0; i < sample->count; i++)
		one_print(out, sample, &sample->vps[i]);
	fputs(LAST "\n", out);
	fclose(out);
	own_str owned = text;
	return file_replace_volatile(dir, NAME, owned, size, 0600, err);
}

static bool row_parse(const char *text, int64_t *begin, struct measures *measures)
{
	char *end;

	*begin = strtoll(text, &end, 10);
	for (unsigned i = 0; i < MEASURE_COUNT; i++) {
		text = end;
		measures->value[i] = strtoull(text, &end, 10);
		if (end == text)
			return false;
	}
	return !*end;
}

/* One line; 1 when a VPS is complete, -1 for a line that is none of ours. */
static int line_parse(const char *line, struct checkpoint_vps *vps)
{
	if (strncmp(line, "vps ", 4) == 0)
		return sscanf(line, "vps %36s %u %63s", vps->uuid, &vps->id, vps->name) == 3
			   ? 0
			   : -1;
	if (strncmp(line, "today ", 6) == 0)
		return row_parse(line + 6, &vps->day, &vps->today) ? 0 : -1;
	if (strncmp(line, "month ", 6) == 0)
		return row_parse(line + 6, &vps->month, &vps->in_month) ? 0 : -1;
	if (strncmp(line, "total ", 6) == 0)
		return total_parse(line + 6, &vps->total) < 0 ? -1 : 1;
	return -1;
}

static bool is_whole(const char *text)
{
	size_t len = strlen(text);
	const char *tail = "\n" LAST "\n";

	return strncmp(text, FIRST "\n", strlen(FIRST) + 1) == 0 && len > strlen(tail) &&
	       strcmp(text + len - strlen(tail), tail) == 0;
}

int checkpoint_read(const char *storage,
		    int (*each)(const struct checkpoint_vps *vps, void *arg, struct err *err),
		    void *arg, struct err *err)
{
	struct checkpoint_vps vps = { 0 };
	struct err ignored;
	own_fd dir = dir_open(AT_FDCWD, storage, err);
	own_str text = dir < 0 ? NULL : file_slurp(dir, NAME, FILE_MAX, &ignored);
	char *rest = text;

	if (dir < 0)
		return -1;
	if (!text || !is_whole(text))
		return 0;
	(void)strsep(&rest, "\n");
	while (rest) {
		const char *line = strsep(&rest, "\n");
		int whole = line_parse(line, &vps);

		if (whole < 0)
			return 0;
		if (whole && each(&vps, arg, err) < 0)
			return -1;
	}
	return 0;
}

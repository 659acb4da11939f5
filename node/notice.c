/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cgroups.h"
#include "err.h"
#include "history.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "report.h"
#include "runtime.h"
#include "str.h"

/* A number of JSON, or null for @none. */
struct number {
	char text[24];
};

static struct number number(uint64_t value, uint64_t none)
{
	struct number number = { "null" };

	if (value != none)
		str_format(number.text, sizeof(number.text), "%" PRIu64, value);
	return number;
}

static struct number hundredths(unsigned value)
{
	struct number number = { "null" };

	if (value)
		str_format(number.text, sizeof(number.text), "%u.%02u", value / 100,
			   value % 100);
	return number;
}

/* A moment as a string of JSON; null when there is none. */
struct when {
	char text[32];
};

static struct when when(int64_t time)
{
	struct when when = { "null" };
	char text[24];

	if (!time)
		return when;
	time_print(time, text, sizeof(text));
	str_format(when.text, sizeof(when.text), "\"%s\"", text);
	return when;
}

static void line(FILE *out, const char *key, uint64_t limit, uint64_t used, const char *end)
{
	fprintf(out, "  \"%s\": { \"limit\": %s, \"used\": %s }%s\n", key,
		number(limit, 0).text, number(used, FIGURE_UNKNOWN).text, end);
}

static void traffic_print(FILE *out, const struct vps *vps, const struct quota_record *record,
			  uint64_t used, int64_t now)
{
	uint64_t limit = quota_limit(vps, record, now);
	uint64_t left = used < limit ? limit - used : 0;

	fprintf(out,
		"  \"traffic\": { \"limit\": %s, \"used\": %s, \"left\": %s, \"since\": %s, "
		"\"reset\": %s, \"state\": \"%s\", \"throttle\": %s }\n",
		number(limit, 0).text, number(used, FIGURE_UNKNOWN).text,
		limit && used != FIGURE_UNKNOWN ? number(left, FIGURE_UNKNOWN).text : "null",
		when(quota_begin(&vps->quota, now)).text,
		when(quota_next(&vps->quota, now)).text, quota_state_name(record, limit),
		number(record->throttle, 0).text);
}

void notice_print(const struct vps *vps, const struct quota_record *record,
		  const struct sampled *one, uint64_t used, int64_t now, char *text,
		  size_t size)
{
	const struct reading *reading = one ? &one->reading : NULL;
	const struct total *total = one ? &one->total : NULL;
	FILE *out = xfmemopen(text, size);

	*text = 0;
	fprintf(out, "{\n  \"schema\": 1,\n  \"name\": \"%s\",\n", vps->name);
	if (vps->plan[0])
		fprintf(out, "  \"plan\": \"%s\",\n", vps->plan);
	else
		fprintf(out, "  \"plan\": null,\n");
	fprintf(out, "  \"time\": %s,\n", when(one ? now : 0).text);
	fprintf(out, "  \"cpus\": { \"limit\": %s, \"guaranteed\": %s },\n",
		hundredths(vps->limits.cpus).text,
		hundredths(vps->limits.cpus_guaranteed).text);
	fprintf(out, "  \"memory\": { \"limit\": %s, \"guaranteed\": %s, \"used\": %s },\n",
		number(vps->limits.memory, 0).text,
		number(vps->limits.memory_guaranteed, 0).text,
		number(reading ? reading->memory : FIGURE_UNKNOWN, FIGURE_UNKNOWN).text);
	line(out, "tasks", vps->limits.tasks, reading ? reading->tasks : FIGURE_UNKNOWN, ",");
	line(out, "disk", vps->volume.size, total ? total->disk : FIGURE_UNKNOWN, ",");
	line(out, "inodes", vps->volume.inodes, total ? total->inodes : FIGURE_UNKNOWN, ",");
	traffic_print(out, vps, record, one ? used : FIGURE_UNKNOWN, now);
	fprintf(out, "}\n");
	fclose(out);
}

void notice_begin(const struct vps *vps, int dir, char *text, size_t size)
{
	struct quota_record record;
	struct err ignored;

	(void)quota_read(dir, &record, &ignored);
	notice_print(vps, &record, NULL, 0, time(NULL), text, size);
}

void notice_tell(const struct node *node, const struct sampled *one,
		 const struct quota_record *record, uint64_t used, int64_t now)
{
	char text[NOTICE_TEXT];
	struct err ignored;

	if (!one->reading.running)
		return;
	own_fd run = dir_open(node->runs, one->vps->name, &ignored);
	if (run < 0)
		return;
	notice_print(one->vps, record, one, used, now, text, sizeof(text));
	(void)runtime_notice(one->vps->id, run, text, &ignored);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "event.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"

/* What was told of this group last, in the run directory; another group begins at 0. */
struct told {
	uint64_t group, killed, refused, seq;
};

static const char format[] = "group = %" SCNu64 "\nkilled = %" SCNu64 "\nrefused = %" SCNu64
			     "\nseq = %" SCNu64 "\n%1[e]nd\n";

static void told_read(int run, uint64_t group, struct told *told)
{
	char text[200], end[2];
	struct err none;
	struct told got;

	*told = (struct told){ .group = group };
	if (file_read(run, "events", text, sizeof(text), &none) > 0 &&
	    sscanf(text, format, &got.group, &got.killed, &got.refused, &got.seq, end) == 5 &&
	    got.group == group)
		*told = got;
}

static int told_write(int run, const struct told *told, struct err *err)
{
	char text[200];

	str_format(text, sizeof(text),
		   "group = %" PRIu64 "\nkilled = %" PRIu64 "\nrefused = %" PRIu64
		   "\nseq = %" PRIu64 "\nend\n",
		   told->group, told->killed, told->refused, told->seq);
	return file_replace_volatile(run, "events", text, strlen(text), 0600, err);
}

/* How many more than were told; a count that is not known, or has become less, is none. */
static uint64_t news_of(uint64_t now, uint64_t *told)
{
	uint64_t more = now != FIGURE_UNKNOWN && now > *told ? now - *told : 0;

	if (now != FIGURE_UNKNOWN)
		*told = now;
	return more;
}

static void where_print(const struct oom_kill *kill, const struct limits *limits, FILE *out)
{
	char size[24];

	size_human(kill->limit && kill->where != OOM_NODE ? kill->limit : limits->memory, size,
		   sizeof(size));
	switch (kill->where) {
	case OOM_VPS:
		fprintf(out, ", at its limit of %s", size);
		return;
	case OOM_INSIDE:
		fprintf(out, ", at a limit of %s that was set inside", size);
		return;
	case OOM_NODE:
		fprintf(out, ", for the node had none left");
		return;
	case OOM_UNKNOWN:
		return;
	}
}

void event_oom_print(const struct oom_kill *kill, uint64_t killed, uint64_t in_all,
		     const struct limits *limits, FILE *out)
{
	char size[24];

	fprintf(out, "out of memory: ");
	if (killed > 1)
		fprintf(out, "%" PRIu64 " processes killed, %" PRIu64 " in all%s", killed,
			in_all, kill ? ", the last " : "");
	else
		fprintf(out, "%s", kill ? "killed " : "a process was killed");
	if (!kill)
		return;
	size_human(kill->rss, size, sizeof(size));
	fprintf(out, "'%s' (pid ", kill->name);
	if (kill->inside)
		fprintf(out, "%d inside, ", kill->inside);
	fprintf(out, "%d on the node, %s resident)", kill->pid, size);
	where_print(kill, limits, out);
	if (kill->stat[0])
		fprintf(out, "; %s", kill->stat);
}

static void oom_tell(const struct node *node, const struct vps *vps, struct told *told,
		     uint64_t killed)
{
	uid_t first = vps_base(vps->id);
	struct oom_kill kill;
	bool known =
	    cgroup_oom_kills(vps->id, first, first + VPS_ID_SIZE - 1, told->seq, &kill) > 0;
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	if (known)
		told->seq = kill.seq;
	event_oom_print(known ? &kill : NULL, killed, told->killed, &vps->limits, out);
	fclose(out);
	own_str owned = text;
	vps_log(node, vps->name, "%s", owned);
}

int vps_limits_met(const struct node *node, const char *name, struct err *err)
{
	own_vps vps = { 0 };
	struct cgroup_usage usage;
	struct told told;
	uint64_t killed, refused;

	if (vps_load(node, name, &vps, err) < 0 ||
	    cgroup_usage(vps.id, USAGE_STATE | USAGE_EVENTS, &usage, err) < 0)
		return -1;
	own_fd run = dir_open(node->runs, vps.name, err);
	if (run < 0)
		return -1;
	told_read(run, usage.group, &told);
	killed = news_of(usage.oom_kills, &told.killed);
	refused = news_of(usage.refused, &told.refused);
	if (killed)
		oom_tell(node, &vps, &told, killed);
	if (refused)
		vps_log(node, vps.name,
			"tasks: %" PRIu64 " refused at the limit of %u, %" PRIu64 " in all",
			refused, vps.limits.tasks, told.refused);
	return killed || refused ? told_write(run, &told, err) : 0;
}

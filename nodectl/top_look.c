/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "top.h"
#include "view.h"

/*
 * What changes though nobody in the VPS runs: others reclaim its memory, the kernel writes its
 * files back.  The rest is only read when it has used the CPU, or waited: on a node with many
 * VPSs most of them sleep.
 */
#define ALWAYS (USAGE_CPU | USAGE_STATE | USAGE_MEMORY | USAGE_IO)
#define AWAKE  (USAGE_TASKS | USAGE_PRESSURE)

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct top_vps *vps_find(struct top *top, const char *name)
{
	for (size_t i = 0; i < top->count; i++) {
		if (strcmp(top->vps[i].name, name) == 0)
			return &top->vps[i];
	}
	return NULL;
}

static bool is_asked_for(const struct top *top, const char *name)
{
	for (int i = 0; i < top->names_count; i++) {
		if (strcmp(top->names[i], name) == 0)
			return true;
	}
	return !top->names_count;
}

static int name_seen(int dir, const char *name, void *arg, struct err *err)
{
	struct top *top = arg;
	struct top_vps *vps;

	(void)dir;
	(void)err;
	/* ".name.new" is one that is being created */
	if (name[0] == '.' || !name_is_valid(name) || !is_asked_for(top, name))
		return 0;
	vps = vps_find(top, name);
	if (!vps) {
		if (top->count == top->room) {
			top->room = 2 * top->room + 64;
			top->vps = xrealloc(top->vps, top->room * sizeof(*top->vps));
		}
		vps = &top->vps[top->count++];
		*vps = (struct top_vps){ .definition = 0 };
		strcpy(vps->name, name);
	}
	vps->seen = true;
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Which VPSs there are; the directory is read again when it has changed. */
static int list_refresh(struct top *top, struct err *err)
{
	struct stat stat;
	size_t kept = 0;

	if (fstat(top->node->vps, &stat) < 0)
		return fail(err, errno, "cannot look at the VPSs");
	if (same_time(&stat.st_mtim, &top->listed))
		return 0;
	for (size_t i = 0; i < top->count; i++)
		top->vps[i].seen = false;
	if (dir_each(top->node->vps, name_seen, top, err) < 0)
		return -1;
	for (size_t i = 0; i < top->count; i++) {
		if (top->vps[i].seen)
			top->vps[kept++] = top->vps[i];
	}
	top->count = kept;
	top->listed = stat.st_mtim;
	return 0;
}

/* Its limits, read again when `set` has replaced the definition. */
static void definition_refresh(const struct top *top, struct top_vps *vps)
{
	char path[80];
	struct stat stat;
	struct err ignored;
	own_vps loaded = { 0 };

	str_format(path, sizeof(path), "%s/vps.conf", vps->name);
	if (fstatat(top->node->vps, path, &stat, 0) < 0 ||
	    (stat.st_ino == vps->definition && same_time(&stat.st_mtim, &vps->defined)) ||
	    vps_load(top->node, vps->name, &loaded, &ignored) < 0)
		return;
	vps->id = loaded.id;
	vps->memory = loaded.limits.memory;
	vps->cpus = loaded.limits.cpus;
	vps->definition = stat.st_ino;
	vps->defined = stat.st_mtim;
}

/* As far as the group does not tell. */
static void state_ask(const struct top *top, struct top_vps *vps)
{
	struct vps asked = { .id = vps->id };
	struct status status;

	strcpy(asked.name, vps->name);
	vps_status(top->node, &asked, &status);
	vps->state = vps->definition ? status.state : STATE_ERROR;
	vps->started = status.init ? status.started : 0;
}

/* Has nothing in it run or waited since the round before? */
static bool is_asleep(const struct top_vps *vps)
{
	const struct cgroup_usage *now = &vps->now.usage, *before = &vps->before.usage;
	const struct top_figures *figures = &vps->figures;

	return vps->before.when > 0 && now->group == before->group &&
	       now->cpu_usec != FIGURE_UNKNOWN && now->cpu_usec == before->cpu_usec &&
	       figures->cpu_wait == 0 && figures->memory_wait == 0 && figures->io_wait == 0;
}

static void rest_read(struct cgroup_reader *reader, struct top_vps *vps)
{
	struct cgroup_usage *now = &vps->now.usage, more = vps->before.usage;
	struct err none;

	if (!is_asleep(vps) && cgroup_read(reader, vps->id, AWAKE, &more, &none) < 0)
		return;
	now->tasks = more.tasks;
	now->cpu_pressure = more.cpu_pressure;
	now->memory_pressure = more.memory_pressure;
	now->io_pressure = more.io_pressure;
}

static void vps_read(const struct top *top, struct cgroup_reader *reader, struct top_vps *vps)
{
	bool was = vps->now.when > 0;
	struct err none;

	vps->before = vps->now;
	vps->now = (struct top_reading){ 0 };
	definition_refresh(top, vps);
	if (!vps->id || cgroup_read(reader, vps->id, ALWAYS, &vps->now.usage, &none) < 0 ||
	    vps->now.usage.populated != 1) {
		vps->now = (struct top_reading){ 0 };
		state_ask(top, vps);
		return;
	}
	vps->now.when = seconds_now();
	rest_read(reader, vps);
	if (!was || vps->now.usage.group != vps->before.usage.group)
		state_ask(top, vps);
	vps->state = vps->now.usage.frozen == 1 ? STATE_FROZEN : STATE_RUNNING;
}

static int by_id(const void *a, const void *b)
{
	const struct top_vps *one = a, *other = b;

	return (one->id > other->id) - (one->id < other->id);
}

static void link_take(unsigned id, const struct link_usage *usage, void *arg)
{
	struct top *top = arg;
	const struct top_vps key = { .id = id };
	struct top_vps *vps =
	    top->count ? bsearch(&key, top->vps, top->count, sizeof(*top->vps), by_id) : NULL;

	if (!vps || vps->now.when <= 0)
		return;
	vps->now.link = *usage;
	vps->now.linked = true;
}

int top_look(struct top *top, struct err *err)
{
	own_reader reader = cgroup_reader_none();
	double now = seconds_now();
	struct err none;

	if (list_refresh(top, err) < 0)
		return -1;
	/* without it no VPS runs */
	(void)cgroup_reader_open(&reader, &none);
	for (size_t i = 0; i < top->count; i++)
		vps_read(top, &reader, &top->vps[i]);
	if (top->count)
		qsort(top->vps, top->count, sizeof(*top->vps), by_id);
	(void)link_usage_each(link_take, top, &none);
	for (size_t i = 0; i < top->count; i++)
		top_figures_make(&top->vps[i]);
	top->interval = top->when > 0 ? now - top->when : 0;
	top->when = now;
	top_arrange(top);
	return 0;
}

char *top_details(const struct top *top, const char *name)
{
	own_vps vps = { 0 };
	struct view view = { .node = top->node, .vps = &vps };
	struct err err;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (vps_load(top->node, name, &vps, &err) < 0)
		return xstrdup(err.msg);
	vps_status(top->node, &vps, &view.status);
	view_fill(&view, NEED_USAGE | NEED_LINK | NEED_VOLUME);
	out = xmemstream(&text, &size);
	usage_print_lines(&view, out);
	fclose(out);
	return text;
}

void top_free(struct top *top)
{
	for (int i = 0; i < top->names_count; i++)
		free(top->names[i]);
	free(top->names);
	free(top->vps);
	free(top->shown);
}

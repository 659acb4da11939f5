/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "chain.h"
#include "err.h"
#include "history.h"
#include "io.h"
#include "meter.h"
#include "node.h"
#include "own.h"
#include "quota.h"
#include "str.h"

/* What of the groups is read: not the parts of memory, which cost most. */
#define PARTS                                                                                  \
	(USAGE_CPU | USAGE_STATE | USAGE_MEMORY | USAGE_PEAK | USAGE_EVENTS | USAGE_TASKS |    \
	 USAGE_IO | USAGE_PRESSURE)

/* Where there are more VPSs than that, a tenth of their disks is looked at each minute: one
 * costs as much as all counters of the VPS. */
#define DISKS_MANY   20
#define DISK_MINUTES 10

/* How long a sample waits for the one before. */
#define LOCK_MS 20000

/* A text as a number that another one will not have. */
static uint64_t hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 1099511628211ull;
	return hash;
}

static int moment_now(struct moment *now, struct err *err)
{
	struct timespec uptime;
	const char *boot = boot_id(err);

	if (!boot)
		return -1;
	clock_gettime(CLOCK_BOOTTIME, &uptime);
	now->time = time(NULL);
	/* as a positive number, for SQLite has no other */
	now->boot = hash(14695981039346656037ull, boot, strlen(boot)) >> 1;
	now->uptime_usec = (uint64_t)uptime.tv_sec * 1000000 + (uint64_t)uptime.tv_nsec / 1000;
	return 0;
}

struct sampled *sample_add(struct sample *sample, const struct vps *vps)
{
	struct sampled *one;
	struct vps *copy;

	sample->vps = xgrow(sample->vps, sample->count, &sample->room, sizeof(sample->vps[0]));
	one = &sample->vps[sample->count++];
	/* all bits set: each figure of it is FIGURE_UNKNOWN */
	memset(one, 0xff, sizeof(*one));
	copy = xmalloc(sizeof(*copy));
	*copy = *vps;
	copy->ssh_keys = NULL;
	one->vps = copy;
	one->reading.running = false;
	one->reading.guaranteed = vps->limits.cpus_guaranteed;
	return one;
}

void sample_free(struct sample *sample)
{
	for (size_t i = 0; i < sample->count; i++)
		free((struct vps *)sample->vps[i].vps);
	free(sample->vps);
	*sample = (struct sample){ 0 };
}

struct taking {
	const struct node *node;
	struct sample *sample;
	struct cgroup_reader reader;
};

static void usage_take(const struct cgroup_usage *usage, struct reading *reading)
{
	const uint64_t counters[MEASURE_COUNTERS] = {
		[MEASURE_TRAFFIC_IN] = FIGURE_UNKNOWN,
		[MEASURE_TRAFFIC_OUT] = FIGURE_UNKNOWN,
		[MEASURE_PACKETS_IN] = FIGURE_UNKNOWN,
		[MEASURE_PACKETS_OUT] = FIGURE_UNKNOWN,
		[MEASURE_FREE_IN] = FIGURE_UNKNOWN,
		[MEASURE_FREE_OUT] = FIGURE_UNKNOWN,
		[MEASURE_CPU] = usage->cpu_usec,
		[MEASURE_PERIODS] = usage->periods,
		[MEASURE_THROTTLED] = usage->throttled,
		[MEASURE_THROTTLED_TIME] = usage->throttled_usec,
		[MEASURE_READ] = usage->read.bytes,
		[MEASURE_READ_OPS] = usage->read.ops,
		[MEASURE_WRITTEN] = usage->written.bytes,
		[MEASURE_WRITTEN_OPS] = usage->written.ops,
		[MEASURE_OOM_KILLS] = usage->oom_kills,
		[MEASURE_REFUSED] = usage->refused,
		[MEASURE_CPU_SOME] = usage->cpu_pressure.some_usec,
		[MEASURE_CPU_FULL] = usage->cpu_pressure.full_usec,
		[MEASURE_MEMORY_SOME] = usage->memory_pressure.some_usec,
		[MEASURE_MEMORY_FULL] = usage->memory_pressure.full_usec,
		[MEASURE_IO_SOME] = usage->io_pressure.some_usec,
		[MEASURE_IO_FULL] = usage->io_pressure.full_usec,
	};

	memcpy(reading->counter, counters, sizeof(counters));
	reading->group = usage->group;
	reading->running = usage->populated == 1;
	reading->memory = usage->memory;
	reading->memory_peak = usage->memory_peak;
	reading->swap = usage->swap;
	reading->tasks = usage->tasks;
}

static void disk_take(const struct node *node, const struct vps *vps, struct reading *reading)
{
	struct volume_figures figures;
	struct err ignored;
	own_fd dir = vps_dir(node, vps->name, &ignored);

	if (dir < 0 || volume_figures(dir, &figures, &ignored) < 0)
		return;
	reading->disk = figures.used;
	reading->inodes = figures.inodes_used;
}

static void disks_take(const struct node *node, struct sample *sample)
{
	unsigned steps = sample->count > DISKS_MANY ? DISK_MINUTES : 1;

	for (size_t i = 0; i < sample->count; i++) {
		if ((sample->now.time / 60 + i) % steps == 0)
			disk_take(node, sample->vps[i].vps, &sample->vps[i].reading);
	}
}

static int one_take(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct taking *taking = arg;
	struct cgroup_usage usage;
	struct sampled *one;
	struct err none;

	(void)err;
	if (broken)
		return 0;
	one = sample_add(taking->sample, vps);
	if (cgroup_read(&taking->reader, vps->id, PARTS, &usage, &none) == 0)
		usage_take(&usage, &one->reading);
	return 0;
}

static int id_compare(const void *a, const void *b)
{
	const struct sampled *one = a, *two = b;

	return one->vps->id < two->vps->id ? -1 : one->vps->id > two->vps->id;
}

static void traffic_take(unsigned id, const struct meter_total *total, void *arg)
{
	struct sample *sample = arg;
	struct vps wanted = { .id = id };
	struct sampled key = { .vps = &wanted };
	struct sampled *one =
	    bsearch(&key, sample->vps, sample->count, sizeof(key), id_compare);
	uint64_t *counter;

	if (!one)
		return;
	counter = one->reading.counter;
	one->reading.link = total->generation;
	counter[MEASURE_TRAFFIC_IN] = total->bytes_in;
	counter[MEASURE_TRAFFIC_OUT] = total->bytes_out;
	counter[MEASURE_PACKETS_IN] = total->packets_in;
	counter[MEASURE_PACKETS_OUT] = total->packets_out;
	counter[MEASURE_FREE_IN] = total->free_bytes_in;
	counter[MEASURE_FREE_OUT] = total->free_bytes_out;
}

/*
 * The one place that knows where traffic is counted.  Never from two sources in turn: each
 * would look like another life of the other.
 */
static int traffic_read(struct sample *sample, struct err *err)
{
	own_meter meter = meter_none();

	/* nobody has had a network since the node booted */
	if (meter_open(&meter, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	return meter_each(&meter, traffic_take, sample, err);
}

int sample_take(const struct node *node, struct sample *sample, struct err *err)
{
	struct taking taking = { .node = node, .sample = sample };
	struct err none;
	int result;

	*sample = (struct sample){ 0 };
	if (moment_now(&sample->now, err) < 0)
		return -1;
	/* without a group on the whole node no VPS runs */
	if (cgroup_reader_open(&taking.reader, &none) < 0)
		taking.reader = cgroup_reader_none();
	result = vps_each(node, one_take, &taking, err);
	cgroup_reader_close(&taking.reader);
	if (result < 0)
		return -1;
	if (sample->count)
		qsort(sample->vps, sample->count, sizeof(sample->vps[0]), id_compare);
	disks_take(node, sample);
	return sample->count ? traffic_read(sample, err) : 0;
}

static int differs(const struct cgroup_knob *knob, void *arg, struct err *err)
{
	(void)err;
	*(bool *)arg |= !knob->equal;
	return 0;
}

/*
 * systemd writes anew what its units say of their groups whenever it thinks that it should,
 * while the node boots too, and takes away what the group of all VPSs has for them.  For a
 * minute, then.
 */
static void sums_keep(void)
{
	struct err ignored;
	bool changed = false;

	if (cgroup_diff_node(differs, &changed, &ignored) == 0 && changed)
		(void)cgroup_mend_node(&ignored);
}

int node_sample(const struct node *node, void (*warn)(const char *what, void *arg), void *arg,
		struct err *err)
{
	own_fd lock = lock_take(node->dir, "usage.lock", "'nodectl sample'\n", LOCK_MS, err);
	own_history history = NULL;
	own_sample sample = { 0 };
	struct err broken;

	if (lock < 0)
		return -1;
	history = history_open(node->storage, true, warn, arg, err);
	if (!history || sample_take(node, &sample, err) < 0)
		return -1;
	if (history_store(history, &sample, &node->retention, err) < 0) {
		if (!history_is_broken(err))
			return -1;
		broken = *err;
		history_close(history);
		history = history_renew(node->storage, &broken, warn, arg, err);
		if (!history || history_store(history, &sample, &node->retention, err) < 0)
			return -1;
	}
	if (sample.count)
		sums_keep();
	quota_run(node, history, &sample, warn, arg);
	return chain_append(node->storage, history, sample.now.time, warn, arg, err);
}

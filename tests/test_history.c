/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "history.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"

#define NOW 1763769600ll /* 2025-11-22, 00:00 UTC */

static const struct retention keep = { 2 * SPAN_DAY, 60 * SPAN_DAY, 1096 * SPAN_DAY };
static char storage[64];
static char warned[800];

static void warn(const char *what, void *arg)
{
	(void)arg;
	snprintf(warned, sizeof(warned), "%s", what);
}

static void storage_make(void)
{
	strcpy(storage, "/tmp/test-history-XXXXXX");
	cr_assert(mkdtemp(storage));
}

static void storage_remove(void)
{
	struct err err;

	cr_assert_eq(tree_remove(AT_FDCWD, storage, &err), 0);
}

TestSuite(history, .init = storage_make, .fini = storage_remove);

static struct vps vps_of(unsigned id)
{
	struct vps vps;

	vps_init(&vps);
	vps.id = id;
	vps.created = NOW - 100 * SPAN_DAY;
	snprintf(vps.name, sizeof(vps.name), "v%u", id);
	snprintf(vps.uuid, sizeof(vps.uuid), "00000000-0000-4000-8000-%012u", id);
	return vps;
}

/* A reading of a VPS that runs, with traffic and CPU time. */
static struct reading reading_of(uint64_t life, uint64_t in, uint64_t cpu)
{
	struct reading reading;

	memset(&reading, 0xff, sizeof(reading));
	reading.running = true;
	reading.guaranteed = 0;
	reading.group = reading.link = life;
	reading.counter[MEASURE_TRAFFIC_IN] = in;
	reading.counter[MEASURE_TRAFFIC_OUT] = 0;
	reading.counter[MEASURE_CPU] = cpu;
	reading.memory = 64 << 20;
	return reading;
}

static struct moment moment_of(int64_t minute)
{
	return (struct moment){ NOW + minute * 60, 7,
				(uint64_t)(1000 + minute * 60) * 1000000 };
}

/* ---- total_advance ------------------------------------------------------------------- */

Test(total, what_is_first_seen_of_an_old_vps_is_where_counting_begins)
{
	struct reading reading = reading_of(1, 1000, 500);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 0);
	reading = reading_of(1, 1700, 500);
	now = moment_of(1);
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 700);
	cr_assert_eq(gained.value[MEASURE_SEEN], 60000000);
	cr_assert_eq(gained.value[MEASURE_UP], 60000000);
	cr_assert_eq(gained.value[MEASURE_MEMORY], 60 * 65536);
}

Test(total, a_new_vps_has_used_all_that_its_counters_say)
{
	struct reading reading = reading_of(1, 1000, 500);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	total_advance(&total, &reading, &now, true, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 1000);
	cr_assert_eq(total.total[MEASURE_CPU], 500);
}

Test(total, another_life_begins_at_nothing)
{
	struct reading reading = reading_of(1, 1000, 500);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	total_advance(&total, &reading, &now, true, &gained);
	/* more than before, but of another group and link */
	reading = reading_of(2, 5000, 600);
	now = moment_of(1);
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 5000);
	cr_assert_eq(gained.value[MEASURE_CPU], 600);
	cr_assert_eq(total.total[MEASURE_TRAFFIC_IN], 6000);
}

Test(total, the_same_numbers_after_a_boot_are_another_life)
{
	struct reading reading = reading_of(1, 1000, 500);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	total_advance(&total, &reading, &now, true, &gained);
	reading = reading_of(1, 1200, 500);
	now = (struct moment){ NOW + 600, 8, 30000000 };
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 1200);
	cr_assert_eq(gained.value[MEASURE_SEEN], 30000000, "only since the boot");
}

Test(total, a_clock_that_steps_neither_stretches_nor_shrinks_time)
{
	struct reading reading = reading_of(1, 0, 0);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	total_advance(&total, &reading, &now, true, &gained);
	now = moment_of(1);
	now.time -= 86400;
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_SEEN], 60000000);
	now = moment_of(2);
	now.time += 86400;
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_SEEN], 60000000);
}

Test(total, what_nobody_looked_at_for_hours_is_not_called_seen)
{
	struct reading reading = reading_of(1, 0, 0);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	total_advance(&total, &reading, &now, true, &gained);
	reading = reading_of(1, 900, 0);
	now = moment_of(600);
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_SEEN], 600000000);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 900, "but every byte counts");
}

Test(total, a_stopped_vps_keeps_what_it_used)
{
	struct reading reading = reading_of(1, 1000, 500), stopped;
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	memset(&stopped, 0xff, sizeof(stopped));
	stopped.running = false;
	stopped.guaranteed = 0;
	total_advance(&total, &reading, &now, true, &gained);
	now = moment_of(1);
	total_advance(&total, &stopped, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 0);
	cr_assert_eq(gained.value[MEASURE_SEEN], 60000000);
	cr_assert_eq(gained.value[MEASURE_UP], 0);
	now = moment_of(2);
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_TRAFFIC_IN], 0, "the same life goes on");
	cr_assert_eq(total.total[MEASURE_TRAFFIC_IN], 1000);
}

Test(total, a_count_that_dips_is_no_new_life)
{
	struct reading reading = reading_of(1, 0, 0);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	reading.counter[MEASURE_REFUSED] = 10;
	total_advance(&total, &reading, &now, true, &gained);
	reading.counter[MEASURE_REFUSED] = 4;
	now = moment_of(1);
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_REFUSED], 0);
	reading.counter[MEASURE_REFUSED] = 6;
	now = moment_of(2);
	total_advance(&total, &reading, &now, false, &gained);
	cr_assert_eq(gained.value[MEASURE_REFUSED], 2);
}

static struct measures stalled(uint64_t cpu, uint64_t full, uint64_t throttled,
			       unsigned guaranteed)
{
	struct reading reading = reading_of(1, 0, 0);
	struct moment now = moment_of(0);
	struct total total = { 0 };
	struct measures gained;

	reading.guaranteed = guaranteed;
	reading.counter[MEASURE_CPU_FULL] = reading.counter[MEASURE_THROTTLED_TIME] = 0;
	total_advance(&total, &reading, &now, true, &gained);
	reading.counter[MEASURE_CPU] = cpu;
	reading.counter[MEASURE_CPU_FULL] = full;
	reading.counter[MEASURE_THROTTLED_TIME] = throttled;
	now = moment_of(1);
	total_advance(&total, &reading, &now, false, &gained);
	return gained;
}

Test(total, its_own_cap_is_told_apart_from_its_neighbours)
{
	struct measures own = stalled(12000000, 48000000, 47000000, 20);
	struct measures others = stalled(1000000, 40000000, 0, 20);

	cr_assert_eq(own.value[MEASURE_HELD], 47000000);
	cr_assert_eq(own.value[MEASURE_WAITED], 1000000);
	cr_assert_eq(own.value[MEASURE_BELOW], 0);
	cr_assert_eq(others.value[MEASURE_HELD], 0);
	cr_assert_eq(others.value[MEASURE_WAITED], 40000000);
	cr_assert_eq(others.value[MEASURE_BELOW], 60000000, "1 s of 41 is less than a fifth");
}

Test(total, who_waits_but_gets_its_share_is_not_below_its_guarantee)
{
	cr_assert_eq(stalled(20000000, 40000000, 0, 20).value[MEASURE_BELOW], 0);
	cr_assert_eq(stalled(50, 60, 0, 20).value[MEASURE_BELOW], 0, "an idle one");
	cr_assert_eq(stalled(1000000, 40000000, 0, 0).value[MEASURE_BELOW], 0, "none was sold");
}

Test(total, text_is_read_back_as_it_was)
{
	struct reading reading = reading_of(99, 123456789, 42);
	struct moment now = moment_of(5);
	struct total total = { .disk = FIGURE_UNKNOWN, .inodes = 3 }, again;
	struct measures gained;
	char text[TOTAL_TEXT];

	total_advance(&total, &reading, &now, true, &gained);
	total_print(&total, text, sizeof(text));
	cr_assert_eq(total_parse(text, &again), 0);
	cr_assert_eq(again.total[MEASURE_TRAFFIC_IN], 123456789);
	cr_assert_eq(again.disk, FIGURE_UNKNOWN);
	cr_assert_eq(again.inodes, 3);
	cr_assert_eq(again.link, 99);
	cr_assert(again.running && again.known);
	text[strlen(text) - 3] = 'x';
	cr_assert_eq(total_parse(text, &again), -1);
	cr_assert_eq(total_parse("2 1 2 3", &again), -1);
	cr_assert_eq(total_parse("", &again), -1);
}

/* ---- the file ------------------------------------------------------------------------ */

static void store(const struct vps *vps, const struct reading *reading,
		  const struct moment *now)
{
	own_history history = NULL;
	own_sample sample = { .now = *now };
	struct err err = { 0 };

	history = history_open(storage, true, warn, NULL, &err);
	cr_assert(history, "%s", err.msg);
	sample_add(&sample, vps)->reading = *reading;
	cr_assert_eq(history_store(history, &sample, &keep, &err), 0, "%s", err.msg);
}

struct sums {
	struct measures measures;
	unsigned rows;
};

static int sum_row(int64_t key, int64_t time, const struct measures *measures, void *arg,
		   struct err *err)
{
	struct sums *sums = arg;

	(void)key, (void)time, (void)err;
	measures_add(&sums->measures, measures);
	sums->rows++;
	return 0;
}

static struct sums sums_of(enum span span)
{
	own_history history = NULL;
	struct sums sums = { 0 };
	struct err err = { 0 };

	history = history_open(storage, false, NULL, NULL, &err);
	cr_assert(history, "%s", err.msg);
	cr_assert_eq(history_each(history, span, 0, INT64_MAX, 0, sum_row, &sums, &err), 0);
	return sums;
}

Test(history, one_that_was_never_written_names_the_way_out)
{
	struct err err = { 0 };

	cr_assert_null(history_open(storage, false, NULL, NULL, &err));
	cr_assert_eq(err.kind, ERR_SYSTEM);
	cr_assert(strstr(err.msg, "nodectl sample"));
}

Test(history, a_sample_is_in_each_span)
{
	struct vps vps = vps_of(3);

	for (int minute = 0; minute < 90; minute++) {
		struct reading reading = reading_of(1, (uint64_t)minute * 10, 0);
		struct moment now = moment_of(minute);

		store(&vps, &reading, &now);
	}
	cr_assert_eq(sums_of(SPAN_MINUTE).rows, 90);
	cr_assert_eq(sums_of(SPAN_HOUR).rows, 2);
	cr_assert_eq(sums_of(SPAN_DAY).rows, 1);
	cr_assert_eq(sums_of(SPAN_MONTH).rows, 1);
	cr_assert_eq(sums_of(SPAN_MONTH).measures.value[MEASURE_TRAFFIC_IN], 890);
	cr_assert_eq(sums_of(SPAN_DAY).measures.value[MEASURE_TRAFFIC_IN], 890);
	cr_assert_eq(sums_of(SPAN_HOUR).measures.value[MEASURE_UP], 89 * 60000000ull);
	cr_assert_eq(sums_of(SPAN_DAY).measures.value[MEASURE_MEMORY_PEAK], 64 << 20);
}

Test(history, rows_go_when_their_time_is_over)
{
	struct vps vps = vps_of(3);
	struct reading reading = reading_of(1, 0, 0);

	for (int hour = 0; hour < 24 * 5; hour++) {
		struct moment now = moment_of(hour * 60);

		store(&vps, &reading, &now);
	}
	cr_assert_leq(sums_of(SPAN_MINUTE).rows, 49);
	cr_assert_eq(sums_of(SPAN_HOUR).rows, 120);
	cr_assert_eq(sums_of(SPAN_DAY).rows, 5);
}

Test(history, a_clock_far_ahead_for_a_moment_takes_little_along)
{
	struct vps vps = vps_of(3);
	struct reading reading = reading_of(1, 0, 0);

	for (int day = 0; day < 30; day++) {
		struct moment now = moment_of(day * 1440);

		store(&vps, &reading, &now);
	}
	struct moment far = moment_of(30 * 1440);

	far.time += 20 * 365 * SPAN_DAY;
	store(&vps, &reading, &far);
	cr_assert_geq(sums_of(SPAN_DAY).rows, 29);
}

static void damage(const char *what, size_t len, off_t at)
{
	own_str path = xasprintf("%s/usage.db", storage);
	own_fd fd = open(path, O_WRONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, what, len, at), (ssize_t)len);
}

static void forget(void)
{
	static const char *const names[] = { "usage.db", "usage.db-wal", "usage.db-shm" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		own_str path = xasprintf("%s/%s", storage, names[i]);

		(void)unlink(path);
	}
}

Test(history, a_damaged_one_is_set_aside_and_no_byte_is_lost)
{
	struct vps vps = vps_of(3);
	struct reading reading = reading_of(1, 1000, 0);
	struct moment now = moment_of(0);

	vps.created = NOW - 3600;
	store(&vps, &reading, &now);
	damage("this is no database, and never was one", 38, 0);
	reading = reading_of(1, 1500, 0);
	now = moment_of(1);
	store(&vps, &reading, &now);
	cr_assert(strstr(warned, "set aside as usage.db.broken-2"), "%s", warned);
	cr_assert_eq(sums_of(SPAN_DAY).measures.value[MEASURE_TRAFFIC_IN], 1500);

	forget();
	reading = reading_of(1, 1600, 0);
	now = moment_of(1500);
	store(&vps, &reading, &now);
	forget();
	reading = reading_of(1, 1700, 0);
	now = moment_of(1501);
	store(&vps, &reading, &now);
	cr_assert_eq(sums_of(SPAN_DAY).measures.value[MEASURE_TRAFFIC_IN], 200,
		     "of the day before there are only the totals");
	cr_assert_eq(sums_of(SPAN_MONTH).measures.value[MEASURE_TRAFFIC_IN], 1700);
}

Test(history, without_its_checkpoint_it_begins_anew)
{
	struct vps vps = vps_of(3);
	struct reading reading = reading_of(1, 1000, 0);
	struct moment now = moment_of(0);
	own_str path = xasprintf("%s/usage.totals", storage);

	store(&vps, &reading, &now);
	forget();
	/* cut in the middle, as by a power cut */
	cr_assert_eq(truncate(path, 200), 0);
	reading = reading_of(1, 1600, 0);
	now = moment_of(2);
	store(&vps, &reading, &now);
	cr_assert_eq(sums_of(SPAN_DAY).measures.value[MEASURE_TRAFFIC_IN], 0);
}

Test(history, one_of_a_later_nodectl_is_left_alone)
{
	struct vps vps = vps_of(3);
	struct reading reading = reading_of(1, 1000, 0);
	struct moment now = moment_of(0);
	struct err err = { 0 };

	store(&vps, &reading, &now);
	/* user_version is at byte 60 of the file; nothing of it is left in the WAL */
	damage("\0\0\3\347", 4, 60);
	cr_assert_null(history_open(storage, true, warn, NULL, &err));
	cr_assert(strstr(err.msg, "later nodectl"), "%s", err.msg);
	cr_assert(!history_is_broken(&err));
}

static int count_gone(const struct history_vps *vps, void *arg, struct err *err)
{
	(void)err;
	*(unsigned *)arg += vps->gone != 0;
	return 0;
}

Test(history, who_is_no_more_is_remembered)
{
	struct vps one = vps_of(3), two = vps_of(4);
	struct reading reading = reading_of(1, 1000, 0);
	struct moment now = moment_of(0);
	own_history history = NULL;
	struct err err;
	unsigned gone = 0;

	store(&one, &reading, &now);
	now = moment_of(1);
	store(&two, &reading, &now);
	history = history_open(storage, false, NULL, NULL, &err);
	cr_assert_eq(history_each_vps(history, count_gone, &gone, &err), 0);
	cr_assert_eq(gone, 1);
	cr_assert_eq(sums_of(SPAN_MINUTE).rows, 2);
}

Test(history, a_clock_far_ahead_for_a_moment_does_not_forget_who_is_gone)
{
	struct vps one = vps_of(3), two = vps_of(4);
	struct reading reading = reading_of(1, 0, 0);
	struct moment now = moment_of(0);
	own_history history = NULL;
	struct err err;
	unsigned gone = 0;

	store(&one, &reading, &now);
	for (int day = 0; day < 30; day++) {
		now = moment_of(day * 1440 + 1);
		store(day < 10 ? &one : &two, &reading, &now);
	}
	now = moment_of(30 * 1440);
	now.time += 20 * 365 * SPAN_DAY;
	store(&two, &reading, &now);
	history = history_open(storage, false, NULL, NULL, &err);
	cr_assert_eq(history_each_vps(history, count_gone, &gone, &err), 0);
	cr_expect_eq(gone, 1);
}

/* ---- a world in which everything happens ------------------------------------------------ */

struct world {
	unsigned seed;
	struct moment now;
	uint64_t group, link;
	uint64_t cpu, in; /* the kernel's counters */
	bool running;
	/* what was used, and of that what no reading could have told: it was used between the
	 * last sample and the end of its counter */
	uint64_t used_cpu, used_in, lost_cpu, lost_in;
	uint64_t fresh_cpu, fresh_in; /* since the last sample */
};

static unsigned chance(struct world *world, unsigned of)
{
	return (unsigned)rand_r(&world->seed) % of;
}

static void world_use(struct world *world)
{
	uint64_t cpu = chance(world, 1000000), in = chance(world, 100000000);

	if (!world->running)
		return;
	world->cpu += cpu;
	world->in += in;
	world->used_cpu += cpu;
	world->used_in += in;
	world->fresh_cpu += cpu;
	world->fresh_in += in;
}

static void group_ends(struct world *world)
{
	world->lost_cpu += world->fresh_cpu;
	world->fresh_cpu = world->cpu = 0;
	world->group++;
}

static void link_ends(struct world *world)
{
	world->lost_in += world->fresh_in;
	world->fresh_in = world->in = 0;
	world->link++;
}

static void world_event(struct world *world)
{
	switch (chance(world, 12)) {
	case 0: /* restart, or a crash */
		group_ends(world);
		world->running = true;
		return;
	case 1:
		if (world->running)
			group_ends(world);
		world->running = false;
		return;
	case 2: /* the node boots; numbers of groups and links may come again */
		group_ends(world);
		link_ends(world);
		world->group = world->link = 1 + chance(world, 2);
		world->now.boot++;
		world->now.uptime_usec = 20000000;
		world->running = true;
		return;
	case 3:
		world->now.time += chance(world, 100) * SPAN_HOUR;
		return;
	case 4:
		world->now.time -= chance(world, 100) * SPAN_HOUR;
		return;
	case 5: /* only the link is made anew */
		link_ends(world);
		return;
	case 6:
		forget();
		return;
	case 7:
		if (chance(world, 3) == 0)
			damage("garbage garbage garbage garbage", 31, 0);
		return;
	default:
		return;
	}
}

static int total_take(const struct history_vps *vps, void *arg, struct err *err)
{
	(void)err;
	*(struct total *)arg = vps->total;
	return 0;
}

static void world_check(const struct world *world, int step)
{
	own_history history = NULL;
	struct total total = { 0 };
	struct err err;

	history = history_open(storage, false, NULL, NULL, &err);
	cr_assert_eq(history_each_vps(history, total_take, &total, &err), 0);
	cr_assert_eq(total.total[MEASURE_CPU], world->used_cpu - world->lost_cpu,
		     "step %d: CPU %" PRIu64 " and not %" PRIu64, step,
		     total.total[MEASURE_CPU], world->used_cpu - world->lost_cpu);
	cr_assert_eq(total.total[MEASURE_TRAFFIC_IN], world->used_in - world->lost_in,
		     "step %d: traffic %" PRIu64 " and not %" PRIu64, step,
		     total.total[MEASURE_TRAFFIC_IN], world->used_in - world->lost_in);
}

static void world_run(unsigned seed)
{
	struct world world = { .seed = seed,
			       .now = { NOW, 1, 100000000 },
			       .group = 1,
			       .link = 1,
			       .running = true };
	struct vps vps = vps_of(9);

	vps.created = NOW;
	for (int step = 0; step < 400; step++) {
		struct reading reading;

		world_use(&world);
		if (chance(&world, 3) == 0)
			world_event(&world);
		world_use(&world);
		world.now.time += 60;
		world.now.uptime_usec += 60000000;
		/* a sample that was missed; the first is not */
		if (step && chance(&world, 5) == 0)
			continue;
		reading = reading_of(world.group, world.in, world.cpu);
		reading.link = world.link;
		if (!world.running) {
			reading.running = false;
			reading.group = reading.counter[MEASURE_CPU] = FIGURE_UNKNOWN;
		}
		store(&vps, &reading, &world.now);
		world.fresh_cpu = world.fresh_in = 0;
		if (step % 20 == 0)
			world_check(&world, step);
	}
}

Test(history, whatever_happens_nothing_is_lost_or_counted_twice)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		world_run(seed);
		storage_remove();
		storage_make();
	}
}

/* ---- cost ------------------------------------------------------------------------------ */

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

Test(history, a_thousand_vps_are_stored_in_a_fifth_of_a_second)
{
	double best = 1e9;

	for (int minute = 0; minute < 5; minute++) {
		own_history history = NULL;
		own_sample sample = { .now = moment_of(minute) };
		struct err err = { 0 };
		double before = cpu_seconds(), spent;

		history = history_open(storage, true, warn, NULL, &err);
		cr_assert(history, "%s", err.msg);
		for (unsigned id = 1; id <= 1000; id++) {
			struct vps vps = vps_of(id);
			struct reading reading = reading_of(1, 0, 0);

			for (unsigned i = 0; i < MEASURE_COUNTERS; i++)
				reading.counter[i] = (uint64_t)minute * 1000000 * i + id;
			sample_add(&sample, &vps)->reading = reading;
		}
		cr_assert_eq(history_store(history, &sample, &keep, &err), 0, "%s", err.msg);
		spent = cpu_seconds() - before;
		best = spent < best ? spent : best;
	}
	fprintf(stderr, "1000 VPSs stored with %.0f ms of CPU\n", best * 1000);
	cr_assert_lt(best, 0.2 * (getenv("ASAN_OPTIONS") ? 5 : 1));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../runtime/monitor/limits.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../runtime/monitor.h"
#include "own.h"
#include "test_scratch.h"

/* The files of a group, in a directory; time is what we say. */
static struct limits limits;
static struct pollfd fds[LIMITS_POLL];
static long long now;

static int file(const char *name, const char *text)
{
	scratch_put(scratch, name, text);
	return openat(scratch, name, O_RDONLY | O_CLOEXEC);
}

static void setup(void)
{
	scratch_make();
	now = 1000000;
	limits_open(&limits, now);
	/* whatever this process happens to have at those numbers */
	limits.memory = file("memory", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
	limits.tasks = file("tasks", "max 0\n");
	limits.oom = limits.now = limits.max = -1;
	limits_look(&limits, now, NULL);
	cr_assert_not(limits.news);
}

TestSuite(monitor_limits, .init = setup, .fini = scratch_remove);

/* The kernel says that the @i-th has changed. */
static void hear(int i)
{
	for (int j = 0; j < LIMITS_POLL; j++)
		fds[j].revents = 0;
	if (i >= 0)
		fds[i].revents = POLLPRI;
	limits_look(&limits, now, fds);
}

static void killed(const char *count)
{
	char text[100];

	snprintf(text, sizeof(text), "low 0\nhigh 9\nmax 9\noom 9\noom_kill %s\n", count);
	scratch_put(scratch, "memory", text);
}

/* In a process of its own: those numbers are others' here. */
static bool nothing_is_polled(void)
{
	for (int fd = MONITOR_MEMORY; fd < MONITOR_FDS; fd++)
		close(fd);
	limits_open(&limits, now);
	limits_look(&limits, now, NULL);
	limits_poll(&limits, now, fds);
	return fds[0].fd == -1 && fds[1].fd == -1 && fds[2].fd == -1 &&
	       limits_timeout(&limits, now) == -1;
}

Test(monitor_limits, what_is_not_handed_over_is_not_polled)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(nothing_is_polled() ? 0 : 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

Test(monitor_limits, a_kill_is_told_at_once_and_once)
{
	killed("1");
	hear(0);
	cr_expect(limits.news);
	cr_expect_eq(limits_timeout(&limits, now), 0);
	cr_expect(limits_tell(&limits, now));
	cr_expect_not(limits_tell(&limits, now));
	now += 5000;
	cr_expect_not(limits_tell(&limits, now));
}

Test(monitor_limits, a_refused_fork_is_told)
{
	scratch_put(scratch, "tasks", "max 3\n");
	hear(2);
	cr_expect(limits_tell(&limits, now));
}

Test(monitor_limits, reclaim_alone_is_no_news)
{
	scratch_put(scratch, "memory", "low 0\nhigh 7\nmax 8\noom 0\noom_kill 0\n");
	hear(0);
	cr_expect_not(limits.news);
	cr_expect_not(limits_tell(&limits, now));
}

Test(monitor_limits, a_vps_that_reclaims_all_day_is_listened_to_every_two_seconds)
{
	int heard = 0;

	for (long long end = now + 100000; now < end;) {
		limits_poll(&limits, now, fds);
		if (fds[0].fd < 0) {
			now += limits_timeout(&limits, now);
			continue;
		}
		hear(0);
		heard++;
	}
	cr_expect_leq(heard, 60);
	cr_expect_geq(heard, 50);
	/* after some quiet time it is heard at once again */
	now += 20000;
	hear(0);
	cr_expect_leq(limits.deaf - now, 50);
}

Test(monitor_limits, there_is_a_second_between_two_tellings)
{
	killed("1");
	hear(0);
	cr_expect(limits_tell(&limits, now));
	killed("2");
	now += 100;
	hear(0);
	cr_expect_not(limits_tell(&limits, now));
	cr_expect_leq(limits_timeout(&limits, now), 900);
	now += 900;
	cr_expect(limits_tell(&limits, now));
}

Test(monitor_limits, who_tells_is_waited_for)
{
	killed("1");
	hear(0);
	cr_expect(limits_tell(&limits, now));
	limits.teller = 4711;
	killed("2");
	now += 60000;
	hear(0);
	cr_expect_not(limits_tell(&limits, now));
	/* and not asked all the while whether he has ended */
	cr_expect_gt(limits_timeout(&limits, now), 0);
	limits.teller = 0;
	cr_expect(limits_tell(&limits, now));
}

/* A tenant kills its processes as fast as it can, for a day. */
Test(monitor_limits, an_endless_loop_of_kills_is_told_twenty_times_and_then_every_five_minutes)
{
	unsigned told = 0, first = 0;
	long long begin = now, end = now + 86400000;
	char count[24];

	for (unsigned long kills = 1; now < end; now += 400) {
		snprintf(count, sizeof(count), "%lu", kills += 50);
		killed(count);
		limits_poll(&limits, now, fds);
		hear(fds[0].fd < 0 ? -1 : 0);
		told += limits_tell(&limits, now);
		if (now < begin + 30000)
			first = told;
	}
	cr_expect_eq(first, 20);
	cr_expect_leq(told, 20 + 288);
	cr_expect_geq(told, 20 + 280);
}

static unsigned tell_all(unsigned long kills)
{
	unsigned told = 0;
	char count[24];

	for (int i = 0; i < 60; i++, now += 1000) {
		snprintf(count, sizeof(count), "%lu", kills += 50);
		killed(count);
		limits_poll(&limits, now, fds);
		hear(fds[0].fd < 0 ? -1 : 0);
		told += limits_tell(&limits, now);
	}
	return told;
}

/* The next monitor: another group, and the tokens of the same VPS. */
static void rebooted(const struct tokens *kept)
{
	int memory = limits.memory, tasks = limits.tasks;

	limits_open(&limits, now);
	limits.memory = memory;
	limits.tasks = tasks;
	limits.oom = limits.now = limits.max = -1;
	limits_resume(&limits, kept, now);
}

Test(monitor_limits, a_reboot_is_no_way_to_be_told_of_more_often)
{
	struct tokens kept = { 0 };

	limits_resume(&limits, &kept, now);
	cr_expect_eq(tell_all(1), 20);
	limits_keep(&limits, &kept);
	rebooted(&kept);
	cr_expect_eq(tell_all(10000), 0);
	limits_keep(&limits, &kept);
	now += 3 * 300000;
	rebooted(&kept);
	cr_expect_leq(tell_all(20000), 4);
}

Test(monitor_limits, what_another_boot_has_left_is_nothing)
{
	const struct tokens kept = { .spent = 20, .earned = now + 1 };

	rebooted(&kept);
	cr_expect_eq(tell_all(1), 20);
}

Test(monitor_limits, v1_gives_notice_before_it_kills)
{
	uint64_t one = 1;

	limits.memory = file("memory", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
	limits.oom = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	cr_assert_eq(write(limits.oom, &one, sizeof(one)), 8);
	hear(1);
	cr_expect_not(limits.news);
	cr_expect_leq(limits_timeout(&limits, now), 50);
	scratch_put(scratch, "memory", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
	now += 50;
	hear(-1);
	cr_expect(limits_tell(&limits, now));
	/* the notice was taken */
	cr_expect_eq(read(limits.oom, &one, sizeof(one)), -1);
}

Test(monitor_limits, a_kill_that_takes_its_time_is_waited_for)
{
	uint64_t one = 1;

	limits.memory = file("memory", "oom_kill_disable 0\nunder_oom 1\noom_kill 0\n");
	limits.oom = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	cr_assert_eq(write(limits.oom, &one, sizeof(one)), 8);
	hear(1);
	now += 50;
	hear(-1);
	cr_expect_not(limits.news);
	cr_expect_leq(limits_timeout(&limits, now), 1000);
	scratch_put(scratch, "memory", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
	now += 1000;
	hear(-1);
	cr_expect(limits_tell(&limits, now));
	/* and it is not waited for any more */
	now += 1000;
	hear(-1);
	cr_expect_eq(limits_timeout(&limits, now), -1);
}

Test(monitor_limits, where_the_kernel_does_not_say_one_looks_now_and_then)
{
	limits.now = file("now", "5\n");
	limits_look(&limits, now, NULL);
	cr_expect_eq(limits_timeout(&limits, now), 2000);
	hear(-1);
	cr_expect_eq(limits_timeout(&limits, now), 2000);
	scratch_put(scratch, "tasks", "max 3\n");
	now += 2000;
	hear(-1);
	cr_expect(limits_tell(&limits, now));
}

Test(monitor_limits, to_come_to_the_limit_of_tasks_is_news_once)
{
	limits.now = file("now", "64\n");
	limits.max = file("max", "64\n");
	limits_look(&limits, now, NULL);
	cr_expect(limits_tell(&limits, now));
	now += 2000;
	hear(-1);
	cr_expect_not(limits.news);
	scratch_put(scratch, "now", "9\n");
	now += 2000;
	hear(-1);
	scratch_put(scratch, "now", "64\n");
	now += 2000;
	hear(-1);
	cr_expect(limits_tell(&limits, now));
}

Test(monitor_limits, without_a_limit_of_tasks_it_is_never_met)
{
	limits.now = file("now", "64\n");
	limits.max = file("max", "max\n");
	limits_look(&limits, now, NULL);
	cr_expect_not(limits.news);
}

/* What is gone with its group is not asked again and again. */
Test(monitor_limits, a_group_that_is_gone_is_forgotten)
{
	scratch_put(scratch, "memory", "");
	hear(0);
	cr_expect_eq(limits.memory, -1);
	now += 60000;
	cr_expect_eq(limits_timeout(&limits, now), -1);
}

/* A successor does not know what was told: nodectl does. */
Test(monitor_limits, counts_that_a_successor_finds_are_news)
{
	killed("3");
	limits.killed = 0;
	limits_look(&limits, now, NULL);
	cr_expect(limits_tell(&limits, now));
}

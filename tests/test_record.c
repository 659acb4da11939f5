/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../runtime/record.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

static struct err err;

TestSuite(record, .init = scratch_make, .fini = scratch_remove);

/* The numbers after the name of a process; @start is the 22nd field. */
#define FIELDS(state, start)                                                                   \
	") " state " 1 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " start " 1000 2 3"

static void stat_is(const char *line, char state, uint64_t start)
{
	char got_state = 0;
	uint64_t got_start = 0;

	cr_expect(stat_parse(line, &got_state, &got_start), "%s", line);
	cr_expect_eq(got_state, state, "%s", line);
	cr_expect_eq(got_start, start, "%s", line);
}

static struct record written(void)
{
	struct record record = { .id = 7, .init = getpid(), .monitor = getppid() };

	cr_assert_eq(record_write(scratch, &record, &err), 0, "%s", err.msg);
	return record;
}

Test(record, a_stat_line_has_a_state_and_a_start)
{
	stat_is("1 (systemd" FIELDS("S", "17"), 'S', 17);
	stat_is("1 (" FIELDS("R", "18446744073709551615"), 'R', UINT64_MAX);
}

Test(record, a_process_cannot_lie_with_its_name)
{
	stat_is("1 (a b" FIELDS("S", "17"), 'S', 17);
	stat_is("1 (a) Z 1 (b" FIELDS("S", "17"), 'S', 17);
	stat_is("1 (x) Z 1 5 5 0 -1 4 1 2 3 4 5 6 7 8 9 0 1 0 99 1" FIELDS("S", "17"), 'S', 17);
	stat_is("1 ())))" FIELDS("S", "17"), 'S', 17);
	stat_is("1 (\n\033[2J" FIELDS("S", "17"), 'S', 17);
}

Test(record, half_a_stat_line_is_none)
{
	static const char *const garbage[] = {
		"", "1", "1 (x", "1 (x)", "1 (x) S", "1 (x) S 1 5 5 0 -1 4194560 1 2 3",
	};
	char state;
	uint64_t start;

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		cr_expect_not(stat_parse(garbage[i], &state, &start), "%s", garbage[i]);
}

Test(record, of_a_running_process_is_true_until_it_ends)
{
	pid_t pid = fork();
	uint64_t start;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	start = process_start(pid);
	cr_expect_gt(start, 0);
	cr_expect(process_is(pid, start));
	cr_expect_not(process_is(pid, start + 1));
	cr_expect_not(process_is(pid, 0));
	own_fd fd = process_open(pid, start);
	cr_expect_geq(fd, 0);
	cr_expect_eq(process_open(pid, start + 1), -1);

	kill(pid, SIGKILL);
	siginfo_t info;
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	cr_expect_eq(process_start(pid), 0, "a zombie is no process");
	cr_expect_eq(process_open(pid, start), -1);
	waitpid(pid, NULL, 0);
	cr_expect_eq(process_start(pid), 0);
}

Test(record, no_pid_is_no_process)
{
	cr_expect_eq(process_start(0), 0);
	cr_expect_eq(process_start(-1), 0);
	cr_expect_not(process_is(0, 0));
	cr_expect_eq(process_open(0, 0), -1);
	cr_expect_eq(process_open(-1, 5), -1);
}

Test(record, a_process_with_a_hostile_name_is_known_by_its_true_start)
{
	uint64_t before = process_start(getpid());

	prctl(PR_SET_NAME, "x) Z 1 2 3 4 5");
	cr_expect_eq(process_start(getpid()), before);
	cr_expect_gt(before, 0);
}

Test(record, is_read_back_as_it_was_written)
{
	struct record record = written(), back = { 0 };

	cr_assert_eq(record_read(scratch, &back), 0);
	cr_expect_eq(back.id, 7);
	cr_expect_eq(back.init, getpid());
	cr_expect_eq(back.init_start, process_start(getpid()));
	cr_expect_eq(back.monitor, getppid());
	cr_expect_eq(back.monitor_start, record.monitor_start);
	cr_expect_eq(back.started, record.started);
	cr_expect_str_eq(back.boot, record.boot);
	cr_expect_eq(strlen(back.boot), 36);
	cr_expect_leq(back.started, time(NULL));
	cr_expect_geq(back.started, time(NULL) - 60);
}

Test(record, keeps_when_the_vps_was_started)
{
	struct record record = { .id = 7, .init = 1, .started = 1234 }, back;

	cr_assert_eq(record_write(scratch, &record, &err), 0);
	cr_assert_eq(record_read(scratch, &back), 0);
	cr_expect_eq(back.started, 1234);
}

Test(record, that_is_not_there_cannot_be_read)
{
	struct record back = { .id = 99 };

	cr_expect_eq(record_read(scratch, &back), -1);
	cr_expect_eq(record_read(-1, &back), -1);
	cr_expect_eq(back.id, 99);
}

Test(record, from_another_boot_does_not_count)
{
	struct record record = written(), back = { .id = 99 };
	own_str text = file_slurp(scratch, "run", 1000, &err);
	char *digit = strstr(text, record.boot);

	*digit = *digit == '0' ? '1' : '0';
	scratch_put(scratch, "run", text);
	cr_expect_eq(record_read(scratch, &back), -1);
	cr_expect_eq(back.id, 99);
}

Test(record, that_is_torn_does_not_count)
{
	struct record back = { .id = 99 };

	written();
	own_str text = file_slurp(scratch, "run", 1000, &err);
	for (size_t len = strlen(text) - strlen("end\n"); len > 0; len--) {
		text[len] = 0;
		scratch_put(scratch, "run", text);
		cr_assert_eq(record_read(scratch, &back), -1, "after %zu bytes", len);
	}
	cr_expect_eq(back.id, 99);
}

Test(record, that_is_garbage_does_not_count)
{
	static char big[2000];
	struct record back;

	memset(big, 'x', sizeof(big) - 1);
	scratch_put(scratch, "run", big);
	cr_expect_eq(record_read(scratch, &back), -1);
	scratch_put(scratch, "run", "id = x\n");
	cr_expect_eq(record_read(scratch, &back), -1);
}

Test(record, can_be_removed_twice)
{
	struct record back;

	written();
	cr_expect_eq(record_remove(scratch, &err), 0);
	cr_expect_eq(record_read(scratch, &back), -1);
	cr_expect_eq(record_remove(scratch, &err), 0);
}

Test(record, an_intent_is_there_until_it_is_removed)
{
	char what[32];

	cr_expect_not(intent_read(scratch, what, sizeof(what)));
	cr_expect_eq(intent_write(scratch, "start", &err), 0);
	cr_expect(intent_read(scratch, what, sizeof(what)));
	cr_expect_str_eq(what, "start");
	cr_expect_eq(intent_write(scratch, "stop 12\n", &err), 0);
	cr_expect(intent_read(scratch, what, sizeof(what)));
	cr_expect_str_eq(what, "stop 12\n");
	cr_expect_eq(intent_remove(scratch, &err), 0);
	cr_expect_not(intent_read(scratch, what, sizeof(what)));
	cr_expect_eq(intent_remove(scratch, &err), 0);
	cr_expect_not(intent_read(-1, what, sizeof(what)));
}

/* poll(2) refuses more descriptors than may be open. */
Test(record, a_process_is_waited_for_without_poll)
{
	struct rlimit before, none;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	own_fd pidfd = pidfd_open(pid, 0);
	cr_assert_geq(pidfd, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_max = before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	bool early = process_wait(pidfd, 50);
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	bool ended = process_wait(pidfd, 50);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_expect_not(early, "it runs");
	cr_expect(ended);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define BURY_MS 1000u

static const char format[] =
    "id = %u\nboot = %36s\ninit = %d\ninit-start = %" SCNu64
    "\nmonitor = %d\nmonitor-start = %" SCNu64 "\nstarted = %" SCNd64 "\n%1[e]nd\n";

static int boot_read(char *boot, size_t size, struct err *err)
{
	const char *text = boot_id(err);

	if (!text)
		return -1;
	str_format(boot, size, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

bool stat_parse(const char *line, char *state, uint64_t *start)
{
	/* the name may contain anything, blanks and brackets too: the last ")" ends it */
	const char *rest = strrchr(line, ')');

	return rest &&
	       sscanf(rest,
		      ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		      "%*d %*d %*d %" SCNu64,
		      state, start) == 2;
}

/* As process_start(); -1 when it cannot be looked at. */
static int start_look(pid_t pid, uint64_t *start)
{
	char path[32], line[1024], state;
	struct err err;

	*start = 0;
	str_format(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid <= 0)
		return 0;
	if (file_read(AT_FDCWD, path, line, sizeof(line), &err) < 0)
		return err.code == ENOENT || err.code == ESRCH ? 0 : -1;
	if (!stat_parse(line, &state, start) || state == 'Z' || state == 'X')
		*start = 0;
	return 0;
}

uint64_t process_start(pid_t pid)
{
	uint64_t start;

	(void)start_look(pid, &start);
	return start;
}

bool process_is(pid_t pid, uint64_t start)
{
	uint64_t now;

	if (!start || pid <= 0)
		return false;
	if (start_look(pid, &now) == 0)
		return now == start;
	/* what runs must not be taken for what has ended, and cleaned up */
	return kill(pid, 0) == 0 || errno != ESRCH;
}

int process_open(pid_t pid, uint64_t start)
{
	own_fd fd = pid > 0 ? pidfd_open(pid, 0) : -1;

	/* open first, compare then: what we hold cannot be replaced any more */
	return fd >= 0 && start && process_start(pid) == start ? take_fd(&fd) : -1;
}

/* As far as can be told without poll(2). */
static bool has_ended(int pidfd)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid != 0;
	return pidfd_send_signal(pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
}

bool process_wait(int pidfd, unsigned wait_ms)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	unsigned long long deadline = now_ms() + wait_ms;

	for (;;) {
		unsigned long long now = now_ms();
		int left = deadline > now ? (int)(deadline - now) : 0;
		int ready = poll(&end, 1, left);

		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR) {
			if (has_ended(pidfd))
				return true;
			nanosleep(&pause, NULL);
		}
		if (ready == 0 || !left)
			return false;
	}
}

void process_bury(pid_t pid)
{
	if (pid <= 0)
		return;
	own_fd pidfd = pidfd_open(pid, 0);

	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, pidfd < 0 || process_wait(pidfd, BURY_MS) ? 0 : WNOHANG);
}

int record_write(int run, struct record *record, struct err *err)
{
	char text[400];

	if (boot_read(record->boot, sizeof(record->boot), err) < 0)
		return -1;
	record->init_start = process_start(record->init);
	record->monitor_start = process_start(record->monitor);
	if (!record->started)
		record->started = time(NULL);
	str_format(text, sizeof(text),
		   "id = %u\nboot = %s\ninit = %d\ninit-start = %" PRIu64
		   "\nmonitor = %d\nmonitor-start = %" PRIu64 "\nstarted = %" PRId64 "\nend\n",
		   record->id, record->boot, record->init, record->init_start, record->monitor,
		   record->monitor_start, record->started);
	return file_replace_volatile(run, "run", text, strlen(text), 0600, err);
}

int record_read(int run, struct record *record)
{
	char text[400], boot[37], end[2];
	struct record got;
	struct err err;

	if (run < 0)
		return -1;
	if (file_read(run, "run", text, sizeof(text), &err) < 0)
		return err.code == ENOENT || err.code == EFBIG ? -1 : RECORD_UNKNOWN;
	if (sscanf(text, format, &got.id, got.boot, &got.init, &got.init_start, &got.monitor,
		   &got.monitor_start, &got.started, end) != 8)
		return -1;
	if (boot_read(boot, sizeof(boot), &err) < 0)
		return RECORD_UNKNOWN;
	if (strcmp(boot, got.boot) != 0)
		return -1;
	*record = got;
	return 0;
}

static int remove_file(int run, const char *name, struct err *err)
{
	if (unlinkat(run, name, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot remove '%s'", name);
	return 0;
}

int record_remove(int run, struct err *err)
{
	/* of a monitor that was killed */
	(void)unlinkat(run, "console", 0);
	return remove_file(run, "run", err);
}

int intent_write(int run, const char *what, struct err *err)
{
	return file_replace_volatile(run, "intent", what, strlen(what), 0600, err);
}

int intent_remove(int run, struct err *err)
{
	return remove_file(run, "intent", err);
}

bool intent_read(int run, char *what, size_t size)
{
	struct err err;

	return run >= 0 && file_read(run, "intent", what, size, &err) >= 0;
}

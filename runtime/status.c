/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "lost.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "str.h"

/* So long a monitor may take to find out what has become of its VPS. */
#define DECIDES_MS 500u
#define PAUSE_MS   5u

const char *state_name(enum state state)
{
	switch (state) {
	case STATE_STOPPED:
		return "stopped";
	case STATE_RUNNING:
		return "running";
	case STATE_FROZEN:
		return "frozen";
	case STATE_ERROR:
		return "error";
	}
	return "error";
}

bool runtime_monitor_tells(pid_t monitor)
{
	own_fd pidfd = monitor > 0 ? pidfd_open(monitor, 0) : -1;
	char path[32], name[32];
	struct err ignored;

	str_format(path, sizeof(path), "/proc/%d/comm", monitor);
	for (unsigned waited = 0; pidfd >= 0 && waited < DECIDES_MS; waited += PAUSE_MS) {
		if (file_read(AT_FDCWD, path, name, sizeof(name), &ignored) > 0 &&
		    strcmp(name, "nodectl\n") == 0)
			return true;
		if (process_wait(pidfd, PAUSE_MS))
			return false;
	}
	return pidfd >= 0;
}

void runtime_status(unsigned id, int run, struct status *status)
{
	char text[sizeof(status->error)], intent[64];
	struct record record;
	struct err ignored;
	bool intent_is;

	*status = (struct status){ .state = STATE_STOPPED };
	intent_is = intent_read(run, intent, sizeof(intent));
	status->crashed = intent_is;

	int read = record_read(run, &record);
	if (read == 0 && record.id == id) {
		if (process_is(record.monitor, record.monitor_start))
			status->monitor = record.monitor;
		if (process_is(record.init, record.init_start)) {
			status->state = cgroup_is_frozen(id) ? STATE_FROZEN : STATE_RUNNING;
			status->init = record.init;
			status->started = record.started;
			return;
		}
		/* init ended, and nobody has cleaned up yet */
		status->crashed = true;
	}
	/* Or is it the record that is wrong?  During an operation processes may be there
	 * without one. */
	if (read == RECORD_UNKNOWN) {
		status->lost = true;
		status->crashed = false;
	} else if (!intent_is && cgroup_is_populated(id)) {
		status->lost = lost_init(id) != 0;
		status->crashed = !status->lost;
	}
	if (status->lost) {
		str_format(
		    status->error, sizeof(status->error),
		    "it runs, but its run record is damaged; 'nodectl repair' mends that");
		status->state = STATE_ERROR;
		return;
	}
	if (run >= 0 && file_read(run, "error", text, sizeof(text), &ignored) > 0) {
		text[strcspn(text, "\n")] = 0;
		str_escape(text, status->error, sizeof(status->error));
		status->state = STATE_ERROR;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "lost.h"
#include "record.h"
#include "runtime.h"
#include "str.h"

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

void runtime_status(unsigned id, int run, struct status *status)
{
	char text[sizeof(status->error)], intent[64];
	struct record record;
	struct err ignored;
	bool intent_is;

	*status = (struct status){ .state = STATE_STOPPED };
	intent_is = intent_read(run, intent, sizeof(intent));
	status->crashed = intent_is;

	if (record_read(run, &record) == 0 && record.id == id) {
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
	if (!intent_is && cgroup_is_populated(id)) {
		status->lost = lost_init(id);
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

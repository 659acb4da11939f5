/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
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
	char text[sizeof(status->error)], intent[32];
	struct record record;
	struct err ignored;

	*status = (struct status){ .state = STATE_STOPPED };
	status->crashed = intent_read(run, intent, sizeof(intent));

	if (record_read(run, &record) == 0 && record.id == id) {
		if (process_is(record.init, record.init_start)) {
			status->state = cgroup_is_frozen(id) ? STATE_FROZEN : STATE_RUNNING;
			status->init = record.init;
			status->started = record.started;
			if (process_is(record.monitor, record.monitor_start))
				status->monitor = record.monitor;
			return;
		}
		/* init ended, and nobody has cleaned up yet */
		status->crashed = true;
	}
	if (run >= 0 && file_read(run, "error", text, sizeof(text), &ignored) > 0) {
		text[strcspn(text, "\n")] = 0;
		str_escape(text, status->error, sizeof(status->error));
		status->state = STATE_ERROR;
	}
}

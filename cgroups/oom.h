/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

#include "cgroups.h"

/* What the kernel's log tells about OOM kills, record after record. */
struct oom_reader {
	unsigned id;
	uid_t first, last; /* the VPS's host ids */
	uint64_t after;	   /* records up to this one are known */

	/* of the report under way: the kernel makes one at a time */
	bool in_stat;
	enum oom_where where;
	uint64_t limit;
	char stat[OOM_STAT];

	struct oom_kill last_kill;
	unsigned count;
};

/* Take in one record as read(2) of /dev/kmsg gives it, ended with NUL. */
void oom_record(struct oom_reader *reader, const char *record);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "history.h"

/*
 * "usage.totals" beside the database: the totals and the running day of each VPS, written anew
 * with each sample, so that who loses the database loses charts, and not a byte that is to be
 * paid for.
 */

/* One VPS of it. */
struct checkpoint_vps {
	char uuid[37], name[64];
	unsigned id;
	int64_t day; /* its first second */
	struct measures today;
	int64_t month;
	struct measures in_month;
	struct total total;
};

int checkpoint_write(const char *storage, const struct sample *sample, struct err *err);

/* Call @each for every VPS of it; stops at the first -1.  One that is missing, or was not
 * written whole, has none. */
int checkpoint_read(const char *storage,
		    int (*each)(const struct checkpoint_vps *vps, void *arg, struct err *err),
		    void *arg, struct err *err);

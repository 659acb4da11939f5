/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* Somebody compares what the kernel has of @device: each result goes to @each. */
struct link_comparison {
	int (*each)(const struct link_knob *knob, void *arg, struct err *err);
	void *arg;
	const char *device;
};

int link_compare(const struct link_comparison *comparison, const char *name, bool equal,
		 const char *want, const char *got, struct err *err);

/* "nv7" and "ni7", of IFNAMSIZ bytes: the near end, and what the VPS sends waits in. */
void near_name(unsigned id, char *name);
void wait_name(unsigned id, char *name);

/* Is @name that of either?  Then @id is its number. */
bool link_id(const char *name, unsigned *id);

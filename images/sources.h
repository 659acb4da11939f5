/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

struct err;

enum {
	SOURCES_MAX = 3,
};

/* Lines for apt: the release, its updates, its security updates. */
struct sources {
	char *lines[SOURCES_MAX];
	size_t count;
};

/*
 * Where to get the Debian release @suite from: @mirror, or the host's own mirror when the host
 * is a Debian too (a node has often one nearby, and one is known to work).  When neither is
 * known there are no lines, and mmdebstrap takes its default.
 */
int sources_find(const char *suite, const char *mirror, struct sources *sources,
		 struct err *err);

void sources_free(struct sources *sources);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups.h"

/*
 * The kernel's text, to figures.  Pure; what the text does not have leaves its figure as it is.
 */

/* One number of a file: its name there, and where it goes.  NULL: the file is that number. */
struct figure {
	const char *key;
	size_t offset; /* in struct cgroup_usage */
	unsigned divisor;
};

void figures_parse(const char *text, const struct figure *figures, struct cgroup_usage *usage);

/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=2345" and "full ...", cpu.pressure and others.
 */
void pressure_parse(const char *text, struct pressure *pressure);

/* Does a block device count?  One that only hands on to another is not to be counted twice. */
struct disk_filter {
	bool (*counts)(unsigned major, unsigned minor, void *arg);
	void *arg;
};

/* io.stat of cgroup2: "254:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." for each device. */
void io_stat_parse(const char *text, const struct disk_filter *filter,
		   struct cgroup_usage *usage);

/* blkio.throttle.io_service_bytes_recursive and its like of v1: "254:0 Read 1" and so on.
 * Without a line for any device nobody has counted. */
void blkio_parse(const char *text, const struct disk_filter *filter, uint64_t *read,
		 uint64_t *written);

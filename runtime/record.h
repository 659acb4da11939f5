/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * The run record: which processes a running VPS is.  A pid alone may have been
 * given to somebody else since; with its start time and the boot it cannot.
 */
struct record {
	unsigned id;
	char boot[37];
	pid_t init;
	uint64_t init_start; /* clock ticks since boot, field 22 of proc_pid_stat(5) */
	pid_t monitor;
	uint64_t monitor_start;
	int64_t started; /* seconds since 1970 */
};

/* Fill in boot, start times and the time now, and write it into @run. */
int record_write(int run, struct record *record, struct err *err);

/* Read it; -1 when there is none, or it is not whole, or from another boot; RECORD_UNKNOWN when
 * that cannot be told. */
#define RECORD_UNKNOWN (-2)
int record_read(int run, struct record *record);

int record_remove(int run, struct err *err);

/* The start time of a process; 0 when there is none, or it is a zombie. */
uint64_t process_start(pid_t pid);

/* Is @pid still the process that started then?  One that cannot be looked at is. */
bool process_is(pid_t pid, uint64_t start);

/* Its descriptor, or -1 when it is another one or gone. */
int process_open(pid_t pid, uint64_t start);

/* Wait for the end of the process behind a pidfd; false: it has not ended in @wait_ms. */
bool process_wait(int pidfd, unsigned wait_ms);

/*
 * Kill a child, and reap it if it is gone soon.  Deep in the kernel, where the disk of a tenant
 * is waited for, no signal ends it: then it is left to whoever is the parent after us.
 */
void process_bury(pid_t pid);

/* Parse "state" and "starttime" out of a line of /proc/PID/stat; pure, for tests. */
bool stat_parse(const char *line, char *state, uint64_t *start);

/* The intent: which operation is under way, so that a crash has an owner. */
int intent_write(int run, const char *what, struct err *err);
int intent_remove(int run, struct err *err);
bool intent_read(int run, char *what, size_t size);

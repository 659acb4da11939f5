/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * A VPS that runs, and whose run record does not say so: it was damaged, or removed.  What
 * runs is found by its control group.
 */

/* Guest init of VPS @id, which is process 1 of a pid namespace just below the node's; 0 when
 * there is none.  Looks at every process of the VPS. */
pid_t lost_init(unsigned id);

/* The monitor that was executed for the VPS @name of the node @config; 0 when there is none. */
pid_t lost_monitor(const char *name, const char *config);

/* Is a process 1 inside and on the node itself something else, by its /proc/PID/status?  Not
 * one of a namespace that the guest has made in its own.  Pure, for tests. */
bool status_is_init(const char *status);

/* Is that the command line of such a monitor?  @line as in /proc/PID/cmdline, @len bytes; pure,
 * for tests. */
bool cmdline_is_monitor(const char *line, size_t len, const char *name, const char *config);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct inside_work;

/*
 * A process inside a running VPS.  Order, and why: into its control groups while
 * we can still write them (those of the guest only if nothing else than a program of its own
 * comes of it), then all namespaces in one setns(2) by the pidfd of
 * init, then a child, for only a child is in the pid namespace; it leads a session and a
 * process group of its own, becomes root of the user namespace with init's capabilities, closes
 * what of ours @work does not use, and only then calls it.
 *
 * The caller is not stopped by its terminal any more (SIGTSTP, SIGTTIN, SIGTTOU).
 *
 * Returns the host pid of the process, a child of ours; @channel is a SOCK_SEQPACKET on which
 * one struct err comes when @work returned, and end-of-file when it executed something.
 */
pid_t inside_start(unsigned id, pid_t init, const struct inside_work *work, int *channel,
		   struct err *err);

/* Wait for that, @wait_ms or with 0 for ever: 0, or -1 with the error of @work, or that it was
 * killed before it was begun (ERR_NOT_RUNNING).  @executed tells end-of-file. */
int inside_answer(int channel, unsigned wait_ms, bool *executed, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * One direction between a stream of the caller's and the command inside.  What the receiving
 * end does not take yet is held and not waited for: the command may itself be waiting for us to
 * take what it prints.
 */
struct relay {
	int from, to; /* from is -1 when it has ended */
	int pipe;     /* which of the two is ours, to be closed at the end; -1: neither */
	int given;    /* which is the caller's, and becomes /dev/null at the end; -1: neither */
	bool readable; /* there was something to read; is there room for it? */
	bool spliced;  /* without going through our memory */
	bool socket;   /* @to is one */
	int owns;      /* @to, opened by us anew; or -1 */
	int failed;    /* errno of what ended it, 0 for a proper end or nobody to hear it */
	int owed; /* bytes that the command had written when it ended, and we have to deliver */
	size_t most; /* bytes at a time that @to takes without waiting */
	size_t start, end;
	char held[65536];
};

/* The pipe @to the command. */
void relay_in(struct relay *relay, int from, int to);

/* The pipe @from the command. */
void relay_out(struct relay *relay, int from, int to);

/* The same with a terminal, which both directions share and neither closes. */
void relay_terminal(struct relay *relay, int from, int to);

/* Takes one that has ended already. */
void relay_end(struct relay *relay);

/* What it waits for, two rows; then go as far as that goes without waiting. */
void relay_awaits(const struct relay *relay, struct pollfd fds[2]);
void relay_go(struct relay *relay, const struct pollfd fds[2]);

/* The command has ended: what has it written that is still under way? */
void relay_owe(struct relay *relay);
bool relay_is_owing(struct relay *relay);

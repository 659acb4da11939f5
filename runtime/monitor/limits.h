/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

struct tokens;

enum { LIMITS_POLL = 3 };

/*
 * Has the VPS met a limit?  The counts are looked at when the kernel says that one has changed,
 * and nodectl is executed to tell of it; both as seldom as serves, for a tenant can make either
 * happen thousands of times a second.  Times are milliseconds of CLOCK_MONOTONIC.
 */
struct limits {
	int memory, oom, tasks, now, max; /* descriptors, -1: this host has none */
	unsigned long long killed, refused;
	bool full;	   /* it had as many tasks as it may have, when last looked */
	bool news;	   /* of which nobody has been told */
	unsigned due;	   /* a kill was announced: how often to look for it yet */
	long long deaf;	   /* until then the kernel is not listened to */
	long long look;	   /* when to look, unasked */
	unsigned pause;	   /* how long to be deaf after the next look in vain */
	unsigned tokens;   /* how often may be told at once */
	long long earned;  /* when the last token was earned */
	long long telling; /* not before then */
	pid_t teller;	   /* who tells now, or 0 */
};

void limits_open(struct limits *limits, long long now);

/* Keep the tokens that are left, and go on with those that the monitor before us has left: a
 * VPS that reboots has no more of them than others. */
void limits_keep(const struct limits *limits, struct tokens *kept);
void limits_resume(struct limits *limits, const struct tokens *kept, long long now);

/* What to poll(2) for, and for how long at most (-1: no end). */
void limits_poll(const struct limits *limits, long long now, struct pollfd *fds);
int limits_timeout(const struct limits *limits, long long now);

/* After the poll.  @fds may be NULL: look whatever they say. */
void limits_look(struct limits *limits, long long now, const struct pollfd *fds);

/* Is it time to tell?  Takes a token, and the news are none any more. */
bool limits_tell(struct limits *limits, long long now);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "limits.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../monitor.h"

#define DEAF_MIN     50u   /* after a look */
#define DEAF_MAX     2000u /* when look after look was in vain */
#define QUIET	     10000 /* without a notice, after which the next is heard at once */
#define NOW_AND_THEN 2000  /* where the kernel does not say */
#define TOKENS	     20u
#define TOKEN_MS     300000 /* to earn one */
#define GAP	     1000   /* between two */

static int descriptor(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

void limits_open(struct limits *limits, long long now)
{
	*limits = (struct limits){
		.memory = descriptor(MONITOR_MEMORY),
		.oom = descriptor(MONITOR_OOM),
		.tasks = descriptor(MONITOR_TASKS),
		.now = descriptor(MONITOR_TASKS_NOW),
		.max = descriptor(MONITOR_TASKS_MAX),
		.deaf = now,
		.look = LLONG_MAX,
		.pause = DEAF_MIN,
		.tokens = TOKENS,
		.earned = now,
		.telling = now,
	};
}

void limits_keep(const struct limits *limits, struct tokens *kept)
{
	*kept = (struct tokens){ .spent = TOKENS - limits->tokens, .earned = limits->earned };
}

void limits_resume(struct limits *limits, const struct tokens *kept, long long now)
{
	/* of an earlier boot */
	if (kept->earned > now)
		return;
	limits->tokens = kept->spent < TOKENS ? TOKENS - (unsigned)kept->spent : 0;
	limits->earned = kept->earned;
}

void limits_poll(const struct limits *limits, long long now, struct pollfd *fds)
{
	bool deaf = now < limits->deaf;

	fds[0] = (struct pollfd){ .fd = deaf ? -1 : limits->memory, .events = POLLPRI };
	fds[1] = (struct pollfd){ .fd = deaf ? -1 : limits->oom, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = deaf ? -1 : limits->tasks, .events = POLLPRI };
}

static long long sooner(long long a, long long b)
{
	return a < b ? a : b;
}

int limits_timeout(const struct limits *limits, long long now)
{
	long long then = limits->look;

	if (now < limits->deaf)
		then = sooner(then, limits->deaf);
	/* while somebody tells, what he has not told yet waits for him */
	if (limits->news && !limits->teller)
		then = sooner(then, limits->telling);
	/* to bury it */
	if (limits->teller)
		then = sooner(then, now + GAP);
	if (then == LLONG_MAX)
		return -1;
	return then <= now ? 0 : (int)sooner(then - now, INT_MAX);
}

/* The number behind @key, or the number that the file is; -1 without. */
static long long number_read(int fd, const char *key)
{
	char text[512], *at = text;
	ssize_t len = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return -1;
	text[len] = 0;
	while (key && (at = strstr(at, key))) {
		/* at the beginning of a line, and the whole word */
		if ((at == text || at[-1] == '\n') && at[strlen(key)] == ' ')
			break;
		at += strlen(key);
	}
	if (!at)
		return -1;
	at += key ? strlen(key) + 1 : 0;
	return *at >= '0' && *at <= '9' ? atoll(at) : -1;
}

/* A count that has grown is news; one that has gone with its group is forgotten. */
static void count_take(struct limits *limits, int *fd, const char *key,
		       unsigned long long *count)
{
	long long value = number_read(*fd, key);

	if (*fd >= 0 && value < 0) {
		*fd = -1;
	} else if (value >= 0 && (unsigned long long)value != *count) {
		limits->news = limits->news || (unsigned long long)value > *count;
		*count = (unsigned long long)value;
	}
}

static void memory_take(struct limits *limits)
{
	unsigned long long ignored;

	if (limits->oom >= 0)
		(void)!read(limits->oom, &ignored, sizeof(ignored));
	count_take(limits, &limits->memory, "oom_kill", &limits->killed);
	if (limits->memory < 0)
		limits->oom = -1;
}

/* Where refused forks are counted in places that we do not look at: to have met the limit. */
static void full_take(struct limits *limits)
{
	long long now = number_read(limits->now, NULL), max = number_read(limits->max, NULL);
	bool full = max >= 0 && now >= max;

	limits->news = limits->news || (full && !limits->full);
	limits->full = full;
}

void limits_look(struct limits *limits, long long now, const struct pollfd *fds)
{
	bool heard = fds && (fds[0].revents || fds[1].revents || fds[2].revents);
	bool before = limits->news;

	if (fds && !heard && now < limits->look)
		return;
	/* unasked it is for the sake of what the kernel does not tell of */
	if (heard || !fds || limits->due)
		memory_take(limits);
	count_take(limits, &limits->tasks, "max", &limits->refused);
	if (limits->max >= 0)
		full_take(limits);

	/* v1 gives notice before it kills: look again, twice */
	if (heard && fds[1].revents)
		limits->due = 2;
	else if (limits->due)
		limits->due--;
	if (limits->news)
		limits->due = 0;
	if (limits->due)
		limits->look = now + (limits->due > 1 ? DEAF_MIN : GAP);
	else
		limits->look = limits->now >= 0 ? now + NOW_AND_THEN : LLONG_MAX;
	if (!heard)
		return;
	if (limits->news != before || now - limits->deaf > QUIET)
		limits->pause = DEAF_MIN;
	limits->deaf = now + limits->pause;
	limits->pause = 2 * limits->pause < DEAF_MAX ? 2 * limits->pause : DEAF_MAX;
}

static void tokens_earn(struct limits *limits, long long now)
{
	while (limits->tokens < TOKENS && now - limits->earned >= TOKEN_MS) {
		limits->tokens++;
		limits->earned += TOKEN_MS;
	}
	if (limits->tokens == TOKENS)
		limits->earned = now;
}

bool limits_tell(struct limits *limits, long long now)
{
	if (!limits->news || limits->teller || now < limits->telling)
		return false;
	tokens_earn(limits, now);
	if (!limits->tokens) {
		limits->telling = limits->earned + TOKEN_MS;
		return false;
	}
	limits->tokens--;
	limits->telling = now + GAP;
	limits->news = false;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "again.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"

/* More than the pauses let happen within any span. */
#define KEPT 20

static const struct {
	const char *file;
	int span;      /* seconds ... */
	unsigned free; /* ... within which so many are followed by no pause */
	unsigned most; /* ... and more than so many by no start; 0: by one, always */
	int longest;   /* pause, in seconds */
} rules[] = {
	[AGAIN_CRASHED] = { "crashes", 60, 1, 5, 8 },
	/* whoever reboots wants it to be up again.  The span is that of ten of the longest
	 * pauses: whoever goes on gets there, and stays there. */
	[AGAIN_REBOOTED] = { "reboots", AGAIN_REBOOT_MINUTES * 60, 3, 0, 60 },
};

/* The times of @file, the last first: at most @room.  Returns how many there are. */
static size_t times_read(int run, const char *file, long long *times, size_t room)
{
	char text[KEPT * 21 + 1], *at = text, *end;
	struct err ignored;
	size_t count = 0;

	if (file_read(run, file, text, sizeof(text), &ignored) < 0)
		return 0;
	for (; count < room; at = end) {
		times[count] = strtoll(at, &end, 10);
		if (end == at)
			break;
		count++;
	}
	return count;
}

static void times_write(int run, const char *file, const long long *times, size_t count)
{
	char text[KEPT * 21 + 1];
	struct err ignored;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%lld ", times[i]);
	(void)file_replace_volatile(run, file, text, used, 0600, &ignored);
}

unsigned again_note(int run, enum again why, time_t now)
{
	long long times[KEPT] = { now };
	size_t kept = 1 + times_read(run, rules[why].file, times + 1, KEPT - 1);
	unsigned count = 0;

	times_write(run, rules[why].file, times, kept);
	for (size_t i = 0; i < kept; i++)
		/* what is yet to come was noted before the clock was set back */
		count += times[i] <= now && now - times[i] <= rules[why].span;
	return count;
}

int again_pause(enum again why, unsigned count)
{
	int pause = 1;

	if (count <= rules[why].free)
		return 0;
	if (rules[why].most && count > rules[why].most)
		return -1;
	while (--count > rules[why].free && pause < rules[why].longest)
		pause *= 2;
	return pause < rules[why].longest ? pause : rules[why].longest;
}

void again_forget(int run)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		(void)unlinkat(run, rules[i].file, 0);
}

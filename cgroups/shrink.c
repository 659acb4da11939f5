/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shrink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "io.h"
#include "knob.h"
#include "str.h"

/* All in all; how long nothing may get less; how much at once, so that the time is kept. */
enum { SHRINK_MS = 5000, IDLE_MS = 1000, PAUSE_MS = 20 };
#define CHUNK (UINT64_C(64) << 20)

/* How far one has got, by what is still used. */
struct progress {
	unsigned long long end, idle_end;
	uint64_t least;
};

static struct progress progress_begin(uint64_t used)
{
	unsigned long long now = now_ms();

	return (struct progress){ now + SHRINK_MS, now + IDLE_MS, used };
}

/* Is it worth going on?  What is being written back to disk takes a moment to be free. */
static bool progress_goes_on(struct progress *progress, uint64_t used)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	unsigned long long now = now_ms();

	if (used < progress->least) {
		progress->least = used;
		progress->idle_end = now + IDLE_MS;
	} else {
		nanosleep(&pause, NULL);
	}
	return now < progress->end && now < progress->idle_end;
}

static int too_small(const char *what, uint64_t limit, uint64_t used, struct err *err)
{
	char want[16], has[16];

	size_human(limit, want, sizeof(want));
	size_human(used, has, sizeof(has));
	/* "100M is less than the 100M" would tell nobody anything */
	if (strcmp(want, has) == 0)
		size_print((used + 1023) / 1024 * 1024, has, sizeof(has));
	return fail_as(err, ERR_VALUE,
		       "%s: %s is less than the %s that it uses now; end something inside, or "
		       "give it more",
		       what, want, has);
}

/* Linux 5.19 can be asked for an amount; before, writing memory.high did as much as that. */
static void reclaim(int dir, uint64_t bytes)
{
	char text[32];
	struct err err;

	str_format(text, sizeof(text), "%" PRIu64, bytes < CHUNK ? bytes : CHUNK);
	if (file_write(dir, "memory.reclaim", text, &err) == 0 || err.code != ENOENT)
		return;
	str_format(text, sizeof(text), "%" PRIu64, number_read(dir, "memory.high", UINT64_MAX));
	(void)file_write(dir, "memory.high", text, &err);
}

int memory_shrink(int dir, uint64_t max, struct err *err)
{
	uint64_t used, high = high_of_memory(max);

	if (number_get(dir, "memory.current", &used, err) < 0)
		return -1;

	struct progress progress = progress_begin(used);
	/* down to memory.high, so that what is used while we write memory.max has room */
	while (used > high && progress_goes_on(&progress, used)) {
		reclaim(dir, used - high);
		if (number_get(dir, "memory.current", &used, err) < 0)
			return -1;
	}
	return used > max ? too_small("memory", max, used, err) : 0;
}

int memory_shrink_v1(int dir, const char *knob, const char *value, struct err *err)
{
	bool sum = strstr(knob, ".memsw.") != NULL;
	const char *usage = sum ? "memory.memsw.usage_in_bytes" : "memory.usage_in_bytes";
	uint64_t used = number_read(dir, usage, 0);
	struct progress progress = progress_begin(used);

	while (progress_goes_on(&progress, used)) {
		if (file_write(dir, knob, value, err) == 0)
			return 0;
		if (err->code != EBUSY && err->code != EINTR)
			return -1;
		used = number_read(dir, usage, 0);
	}
	return too_small(sum ? "memory and swap" : "memory", knob_bytes(value), used, err);
}

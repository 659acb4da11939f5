/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/*
 * Above so many percent one VPS starts at a time, and one in a while all the same: tenants who
 * work hard do not keep the others down.
 */
#define PRESSURE      60u
#define UNDER_LOAD_MS 1000u
#define LOOK_MS	      100u

static const char *const files[] = {
	[PACE_CPU] = "/proc/pressure/cpu",
	[PACE_IO] = "/proc/pressure/io",
	[PACE_MEMORY] = "/proc/pressure/memory",
};
_Static_assert(ARRAY_SIZE(files) == PACE_COUNT, "one file for each");

uint64_t pressure_total(const char *text)
{
	const char *total;

	if (strncmp(text, "some ", 5) != 0)
		return 0;
	total = strstr(text, " total=");
	return total && total < strchrnul(text, '\n') ? strtoull(total + 7, NULL, 10) : 0;
}

unsigned pressure_between(const uint64_t before[], const uint64_t after[], unsigned ms)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < PACE_COUNT; i++) {
		if (after[i] > before[i] && after[i] - before[i] > most)
			most = after[i] - before[i];
	}
	most = ms ? most / 10 / ms : 0;
	return most > 100 ? 100 : (unsigned)most;
}

bool pace_decide(const struct pace *pace, size_t alive, unsigned long long now)
{
	if (alive >= (size_t)pace->cpus * 4)
		return false;
	if (pace->pressure < PRESSURE)
		return pace->begun < pace->cpus * 2;
	return now >= pace->last + UNDER_LOAD_MS;
}

/* Without PSI (psi=0) nothing waits, and what limits is the number of CPUs. */
static void look(struct pace *pace, unsigned long long now)
{
	uint64_t waited[PACE_COUNT] = { 0 };
	char text[256];
	struct err ignored;

	for (unsigned i = 0; i < PACE_COUNT; i++) {
		if (file_read(AT_FDCWD, files[i], text, sizeof(text), &ignored) > 0)
			waited[i] = pressure_total(text);
	}
	if (pace->looked)
		pace->pressure =
		    pressure_between(pace->waited, waited, (unsigned)(now - pace->looked));
	memcpy(pace->waited, waited, sizeof(waited));
	pace->looked = now;
	pace->begun = 0;
}

bool pace_allows(struct pace *pace, size_t alive, unsigned long long now)
{
	if (!pace->looked || now >= pace->looked + LOOK_MS)
		look(pace, now);
	return pace_decide(pace, alive, now);
}

void pace_begun(struct pace *pace, unsigned long long now)
{
	pace->begun++;
	pace->last = now;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_CPU, PACE_IO, PACE_MEMORY, PACE_COUNT };

/*
 * How many VPSs of a queue may begin now: as many as the node can carry, which its own
 * pressure tells (Linux's PSI), and not a number that somebody has guessed.
 */
struct pace {
	unsigned cpus;
	unsigned long long looked;   /* now_ms() of the last look; 0: none yet */
	uint64_t waited[PACE_COUNT]; /* microseconds at the last look */
	unsigned pressure;	     /* percent, between the last two */
	unsigned begun;		     /* since the last look */
	unsigned long long last;     /* when the last one began */
};

/* Looks again if it is time to. */
bool pace_allows(struct pace *pace, size_t alive, unsigned long long now);
void pace_begun(struct pace *pace, unsigned long long now);

/* The decisions, for tests. */

/* "some avg10=… total=MICROSECONDS" of a file in /proc/pressure; 0 for any other text. */
uint64_t pressure_total(const char *text);

/* In which part of the time somebody waited, in percent: for whatever was waited for most. */
unsigned pressure_between(const uint64_t before[], const uint64_t after[], unsigned ms);

/* As pace_allows(), with what was looked at. */
bool pace_decide(const struct pace *pace, size_t alive, unsigned long long now);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <time.h>

/* What is lately for a reboot. */
#define AGAIN_REBOOT_MINUTES 10

/*
 * A VPS that ends by itself and is to run is started again: after longer and longer pauses when
 * it does so again and again, for each start costs the node more than the VPS.  When it ended
 * is kept in its run directory, until somebody starts it.
 */
enum again { AGAIN_CRASHED, AGAIN_REBOOTED };

/* Note that it has ended at @now.  Returns how often it did lately, this one included. */
unsigned again_note(int run, enum again why, time_t now);

/* How many seconds to wait after having ended so often lately; -1: it is not started again. */
int again_pause(enum again why, unsigned count);

/* Forget both. */
void again_forget(int run);

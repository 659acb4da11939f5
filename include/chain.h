/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

#include "sha256.h"

struct err;
struct history;

/*
 * What VPSs used, for who bills it: "ledger.jsonl" in the node's storage has a line for each
 * VPS and day that is over, which names the digest of the line before.  "ledger.head" says
 * where it ends.  Lines are only ever added.
 */

/* Add the days that are over and not in it.  One that does not end as it was left is set aside,
 * which @warn is told, and written anew from the history. */
int chain_append(const char *storage, struct history *history, int64_t now,
		 void (*warn)(const char *what, void *arg), void *arg, struct err *err);

/* What a look at all of it found. */
struct chain_state {
	uint64_t lines;
	char head[SHA256_TEXT]; /* digest of the last line, to be kept elsewhere */
	char first[11], last[11];
	uint64_t wrong; /* the line where it is not as it was written; 0: none */
	char fault[200];
};

/* Whether something was found is in @state; -1 when it could not be looked at. */
int chain_verify(const char *storage, struct chain_state *state, struct err *err);

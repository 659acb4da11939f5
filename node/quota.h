/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "node.h"
#include "vps.h"

struct err;

/*
 * What a VPS has used of its traffic quota, and what is done about it.  The decision is written
 * into the VPS's directory ("quota") before anything is done, and what was done behind it; a
 * sample that finds the one without the other does it again.  The definition is never touched.
 */
enum quota_level { QUOTA_OK, QUOTA_WARNED, QUOTA_OVER };

struct quota_record {
	enum quota_level traffic, disk, inodes;
	/* the same, as far as it was acted upon and told */
	enum quota_level traffic_told, disk_told, inodes_told;
	uint64_t throttle; /* bits a second; 0: none */
	bool suspended;
	uint64_t added; /* bytes beside the definition's, */
	int64_t since;	/* in the period that began then */
};

/* As text, and back; what cannot be understood is a record of nothing. */
void quota_print(const struct quota_record *record, char *text, size_t size);
void quota_parse(const char *text, struct quota_record *record);

/* "quota" in @dir, a VPS's directory; none is a record of nothing.  One that cannot be read is
 * -1: what was paid for is in it. */
int quota_read(int dir, struct quota_record *record, struct err *err);

/* When did the period of @rule begin that @now is in, and when does the next; 0: it rolls.
 * Pure.
 */
int64_t quota_begin(const struct quota *rule, int64_t now);
int64_t quota_next(const struct quota *rule, int64_t now);

/* What of traffic counts.  Pure. */
uint64_t quota_count(const struct quota *rule, const struct measures *used);

/* Of @limit (0: none) at @warn percent.  Pure. */
enum quota_level quota_level(uint64_t used, uint64_t limit, unsigned warn);
const char *quota_level_name(enum quota_level level);

/* What is done about traffic of which @limit (0: any) is allowed: "none", "ok", "warned",
 * "over", "throttled", "suspended". */
const char *quota_state_name(const struct quota_record *record, uint64_t limit);

/* What is allowed: the definition's, and what was added in this period. */
uint64_t quota_limit(const struct vps *vps, const struct quota_record *record, int64_t now);

/* What the levels of @vps are now that it has used this; what it has to be throttled to
 * follows. Pure. */
void quota_decide(const struct vps *vps, uint64_t traffic, const struct total *total,
		  unsigned warn, int64_t now, struct quota_record *record);

/* What of its traffic counts in the period that @now is in. */
int quota_used(struct history *history, const struct vps *vps, int64_t key, int64_t now,
	       uint64_t *used, struct err *err);

/* Act on a sample that was stored. */
void quota_run(const struct node *node, struct history *history, const struct sample *sample,
	       void (*warn)(const char *what, void *arg), void *arg);

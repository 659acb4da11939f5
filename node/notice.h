/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "quota.h"

struct err;
struct node;
struct sampled;
struct vps;

#define NOTICE_TEXT 2048

/*
 * What a tenant reads in /run/vps/status.json: what he was sold, and has used of it.  @one is
 * his VPS as it was sampled at @now, NULL while it was not; of its traffic @used counts.  Pure.
 */
void notice_print(const struct vps *vps, const struct quota_record *record,
		  const struct sampled *one, uint64_t used, int64_t now, char *text,
		  size_t size);

/* The same for a VPS that is about to start, with its quota's record. */
void notice_begin(const struct vps *vps, int dir, char *text, size_t size);

/* Tell the tenant of a sample.  What keeps it from being told is the tenant's doing, and no
 * failure. */
void notice_tell(const struct node *node, const struct sampled *one,
		 const struct quota_record *record, uint64_t used, int64_t now);

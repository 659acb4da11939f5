/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroups.h"
#include "images.h"
#include "netns.h"

struct err;

/* Ids 1..28663; each has its own 65536 host ids from the range that systemd keeps for
 * containers (524288..1878982655, see systemd-nspawn(1)). */
#define VPS_ID_MAX  28663u
#define VPS_ID_SIZE 65536u
#define VPS_UID_MIN 524288u

#define VPS_NAMESERVERS 3

/* What happens when guest init ends without being asked to. */
enum vps_restart { VPS_RESTART_ON_CRASH, VPS_RESTART_NO };

/* Is the VPS started with the node? */
enum vps_onboot { VPS_ONBOOT_LAST, VPS_ONBOOT_YES, VPS_ONBOOT_NO };

/* What of its traffic counts against its quota, since when, and what happens when all of it is
 * used. */
enum quota_counts { QUOTA_SUM, QUOTA_IN, QUOTA_OUT, QUOTA_MAX };

#define QUOTA_MONTH   0u  /* period: of the calendar; 1 to 28: from that day of a month on */
#define QUOTA_ROLLING 30u /* the last 30 days */
#define QUOTA_NOTHING 0u  /* action; what is more than QUOTA_SUSPEND is bits a second */
#define QUOTA_SUSPEND 1u

struct quota {
	unsigned period;
	enum quota_counts count;
	uint64_t action;
};

/* What a VPS is: vps.conf(5), field by field (node/fields.c). */
struct vps {
	char name[64];
	unsigned id;
	char uuid[37];
	int64_t created; /* seconds since 1970 */
	char image[128]; /* the name it was made from */
	char digest[65]; /* the tree it runs on */
	char plan[64];
	char hostname[65];
	uint64_t overrides; /* a bit for each of vps_fields[] that is not the plan's */
	struct limits limits;
	uint64_t traffic; /* bytes a month; 0: no limit */
	struct quota quota;
	/* no part of the definition: what is done for its quota is used up, see node/quota.h */
	uint64_t throttle; /* bits a second in either direction; 0: none */
	bool suspended;
	struct volume volume;
	struct link link;
	struct address nameserver[VPS_NAMESERVERS]; /* family 0: the node's */
	char *ssh_keys;	       /* one a line, or NULL; freed by vps_free() */
	char init[128];	       /* path of guest init */
	char stop_signal[16];  /* "auto", or a name like SIGRTMIN+3 */
	unsigned stop_timeout; /* seconds */
	enum vps_restart restart;
	enum vps_onboot onboot;
	unsigned order;
};

void vps_free(struct vps *vps);

#define own_vps __attribute__((cleanup(vps_free))) struct vps

/* The enum limit bits that @vps asks for and this node, where cgroup_lacks() are @lacking,
 * cannot hold. */
unsigned vps_lacks(const struct vps *vps, unsigned lacking);

/* The first of the VPS's host ids; its guest root. */
static inline uid_t vps_base(unsigned id)
{
	return VPS_UID_MIN + id * VPS_ID_SIZE;
}

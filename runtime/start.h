/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cgroups.h"
#include "netns.h"

struct err;
struct place;
struct vps;

/* One end of a channel; see channel_go(). */
struct channel {
	int fd;	    /* or -1 */
	bool ended; /* the other one is closed: channel_wait() */
};

/*
 * One start under way.  The host side (runtime/start.c, rootfs.c) and the
 * guest side (guest.c) share it across clone3; each then has its own copy.
 */
struct start {
	const struct vps *vps;
	const struct place *place;

	/* instead of guest init: what to do in the root, and then be gone */
	int (*work)(void *arg, struct err *err);
	void *arg;

	bool fresh;		 /* the volume has never been started: write names and keys */
	bool unsynced;		 /* in the guest: a name was written */
	int host_mounts;	 /* the node's mount namespace, to go back to */
	int image;		 /* detached mount of the image's root */
	int volume;		 /* detached mount of the volume ... */
	struct channel disk;	 /* ... which another process sends over this */
	int notice;		 /* detached mount of its /run/vps, or -1 */
	int cgroup;		 /* the guest's cgroup2 directory */
	struct cgroup_door door; /* its groups on v1 */
	struct channel channel;	 /* host end, or in the guest its end */
	int pidfd;
	pid_t pid;
	int console;		/* master of the guest's console */
	struct inquiry inquiry; /* of its addresses, on the uplink */
};

/* The network of a VPS as it is to be in the kernel: what nobody gave settled, rates no higher
 * than a used-up quota leaves, and what the operator accepts that cannot be enforced.
 * network.c. */
struct link link_of(const struct vps *vps);

/*
 * The channel carries one kind of message, struct err: kind 0 is "go on", and
 * end-of-file is success because exec closed the guest's end.
 */
int channel_go(const struct channel *channel, int fd, struct err *err);

/* Wait for the peer; @fd may come with it.  -1 with the peer's own error, or when it is gone.
 */
int channel_wait(struct channel *channel, int *fd, struct err *err);

/* The host's half of the root: rootfs.c. */
int rootfs_prepare(struct start *start,
		   struct err *err); /* a mount namespace to build in, as cwd */
int rootfs_build(struct start *start,
		 struct err *err); /* "r" below cwd becomes the VPS's root */
int rootfs_leave(struct start *start, struct err *err); /* back to the node's mounts */

/* Act as the VPS's base uid with all capabilities, and as root again. */
int become_base(const struct vps *vps, struct err *err);
int become_root(struct err *err);

/* All that the guest does between clone3 and exec: guest.c.  Never returns. */
__attribute__((noreturn)) void guest_main(struct start *start);

/* The guest's own mounts below "r", and the move into it: mounts.c. */
int mounts_apply(struct start *start, struct err *err);
int mounts_pivot(struct start *start, struct err *err);
int mounts_mask(struct start *start, struct err *err);

/* hostname, hosts, resolv.conf, keys: names.c; what cannot be written is said on the console.
 */
int names_write(struct start *start, struct err *err);

/* The host keys of the first start; -1 when ssh-keygen is there and there can be no process. */
int names_keys(struct start *start, struct err *err);

/* All of that is on the disk. */
int names_sync(struct start *start, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* What is measured, in the order in which it happens. */
enum phase {
	PHASE_CGROUPS,
	PHASE_NAMESPACE,
	PHASE_VOLUME,
	PHASE_IDMAP,
	PHASE_OVERLAY,
	PHASE_CLONE,
	PHASE_JOIN,
	PHASE_MAPS,
	PHASE_LINK,
	PHASE_WAKE,
	PHASE_MOUNTS,
	PHASE_PIVOT,
	PHASE_SECCOMP,
	PHASE_EXEC,
	PHASE_START, /* all of the above */
	PHASE_KILL,
	PHASE_UNLINK,
	PHASE_UNMOUNT,
	PHASE_RMDIR,
	PHASE_STOP, /* the four above */
	PHASES
};

/* What is started, equal for all repetitions. */
struct floor {
	const char *image;	 /* root directory, ids from 0 */
	const char *const *argv; /* what is executed inside */
	char volume[64];	 /* ext4 with "up" and "work" */
	char name[16];		 /* of the cgroups and the link */
	uid_t base;
	bool filter;
	double *spent; /* microseconds by phase; the memory is shared with the guest */
};

/* Microseconds of CLOCK_MONOTONIC. */
double now_us(void);

/* The outer group with its limits and "guest" below it, in each hierarchy.  Returns the
 * guest's directory on cgroup2, for clone3. */
int groups_make(const char *name, struct err *err);

/*
 * Version 1 knows no CLONE_INTO_CGROUP.  The files are opened by the node's root, and the
 * guest writes "0" to them: a thread that moves itself, through "tasks", is the one case in
 * which the kernel does not stop all forks and wait for RCU, 5 ms for each hierarchy.
 */
#define GROUPS_JOINED 4
int groups_open(const char *name, int files[GROUPS_JOINED], struct err *err);
int groups_join(const int files[GROUPS_JOINED], struct err *err);
void groups_remove(const char *name);
void groups_kill(const char *name);

/* Mount the file through a loop device; a detached mount. */
int volume_attach(const char *file, struct err *err);

/* Wait until the kernel let go of it. */
void volume_detached(const char *file);

/* A user namespace that maps 0..65535 to @base, for idmapped mounts. */
int idmap_make(uid_t base, struct err *err);
int maps_write(pid_t pid, uid_t base, struct err *err);

/* Both layers below the working directory, and the overlay of them on "root". */
int layers_attach(const char *image, int volume, int userns, struct err *err);
int overlay_mount(uid_t base, struct err *err);

/* A pair of virtual interfaces, "eth0" in the network namespace of @pid. */
int link_make(const char *name, pid_t pid, struct err *err);
void link_remove(const char *name);

/* What the guest does until it is the guest's program; returns only on failure. */
int guest_run(const struct floor *floor, double start, struct err *err);

/* Once from nothing to exec and back. */
int floor_run(const struct floor *floor, struct err *err);

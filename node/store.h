/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/* The file in a VPS's directory that says that it is a self-test's. */
#define SELFTEST_MARK "selftest"

/* The file in its run directory that says that it was stopped for the node's sake: it stays
 * meant to run, and is not started again by a reboot that was under way. */
#define DOWN "down"

/* The same of one that is being restarted, or whose shutdown was cut off while it went on: it
 * stays meant to run should it power off, and its reboot brings it back. */
#define RETURNS "returns"

/* The same of one whose end was asked for: no crash of init, whatever its monitor saw. */
#define STOPPED "stopped"

struct err;
struct held;
struct node;
struct vps;

/* Save a definition into an open directory, whole and durably. */
int vps_save_at(int dir, const struct vps *vps, struct err *err);

/* The same in two steps: what takes its time, and the rename; dir_sync() is the caller's.  Who
 * does not get to the second takes the first back. */
int vps_stage(int dir, const struct vps *vps, struct err *err);
int vps_put(int dir, struct err *err);
void vps_unstage(int dir);

/* Write down the definition that a VPS is being started with, in its run directory: until it is
 * started anew or destroyed. */
int vps_started_save(const struct held *held, struct err *err);

/* Write there what it was started with, with the network that it has by now: what could be
 * changed live was. */
int vps_started_follow(const struct held *held, const struct vps *vps, struct err *err);

/*
 * Remember across boots and power cuts that a VPS is meant to run; what it was told last
 * counts.  One sync of its directory, and none when nothing changes.
 */
int running_mark(const struct held *held, bool running, struct err *err);

/*
 * While it is held no VPS comes into being or goes, and no image or plan that a new one may
 * use.  Everybody has it for milliseconds; who comes when many do waits until all had it.
 */
int naming_take(const struct node *node, const char *holder, struct err *err);

/* Is a VPS of that name being created right now? */
bool staging_is_alive(const struct node *node, const char *name);

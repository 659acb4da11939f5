/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;
struct held;
struct node;
struct vps;

/* The intent of a change of a running VPS; it names no process, for it is the monitor that is
 * to clean up when init ends meanwhile. */
#define CHANGE_INTENT "set"

/* Bring the disk of a VPS, in its directory @dir, to the size that its definition says: one
 * that is in use as far as that can be, else the next start does. */
int disk_settle(const struct vps *vps, int dir, bool runs, struct err *err);

/* A change was cut off: bring kernel and ledger to what the definition says.  What the kernel
 * refuses is noted in the event log, and tried again by the next command. */
void change_settle(const struct node *node, const struct held *held);

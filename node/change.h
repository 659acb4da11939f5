/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct held;
struct node;

/* The intent of a change of a running VPS; it names no process, for it is the monitor that is
 * to clean up when init ends meanwhile. */
#define CHANGE_INTENT "set"

/* A change was cut off: bring kernel and ledger to what the definition says.  What the kernel
 * refuses is noted in the event log, and tried again by the next command. */
void change_settle(const struct node *node, const struct held *held);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;

/*
 * A bound for the neighbour entries of a VPS, for which the kernel charges nobody
 * (neighbours.bpf.c).  Its programs are one for all nodes of the machine, pinned in
 * "/sys/fs/bpf/nodectl/neighbours".
 */

/* How the kernel holds it. */
enum neighbours_way { NEIGHBOURS_REFUSE, NEIGHBOURS_KILL, NEIGHBOURS_NONE };

/*
 * Load, attach and pin what is not there; later calls are one system call.  A kernel that can
 * only kill does that, and one that can do neither bounds nothing: net_facts() tells.  Needs
 * the BPF file system, which guard_ensure() mounts.
 */
int neighbours_ensure(struct err *err);

/* Are they counted on this node, and those of VPS @id, which runs, are not? */
bool neighbours_lack(unsigned id);

/* What this kernel can do, by doing it, with nothing pinned.  For trials. */
enum neighbours_way neighbours_try(void);

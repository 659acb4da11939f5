/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <sys/types.h>

#include "hierarchy.h"

/* What can be done about @device on this host, as enum disk_ability bits; 0 for none known. */
unsigned disk_abilities(const struct hierarchies *hierarchies, dev_t device);

/* The pure part: @scheduler is queue/scheduler of the disk, @qos io.cost.qos of the root group.
 */
unsigned disk_weighing(const char *scheduler, const char *qos, dev_t device);

/* The enum limit bits that cannot be enforced on a disk of these abilities. */
unsigned disk_lacks(unsigned abilities);

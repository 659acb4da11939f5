/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* What a MAC address has room for; the node gives out fewer. */
#define LINK_ID_MAX 0xffffff

/* "nv7" and "ni7", of IFNAMSIZ bytes: the near end, and what the VPS sends waits in. */
void near_name(unsigned id, char *name);
void wait_name(unsigned id, char *name);

/* Is @name that of either?  Then @id is its number. */
bool link_id(const char *name, unsigned *id);

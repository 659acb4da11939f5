/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* What a MAC address has room for; the node gives out fewer. */
#define LINK_ID_MAX 0xffffff

/* Is @name that of a near end, "nv7"?  Then @id is its number. */
bool near_id(const char *name, unsigned *id);

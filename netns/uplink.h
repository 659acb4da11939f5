/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

struct link_comparison;

/*
 * Make it a port of the bridge, which is there, and give it time to find its cable.  Without an
 * uplink there is nothing to do.
 */
int uplink_ensure(const struct bridge *bridge, struct err *err);

/* Take off the bridge what of ours was its uplink and is not any more. */
int uplink_leave(const struct bridge *bridge, struct err *err);

/* Is the uplink a port as it should be?  Without one there is nothing to compare. */
int uplink_compare(const struct bridge *bridge, const struct link_comparison *comparison,
		   struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "guard_map.h"

struct bridge;
struct link;

/* What the guard is told of a VPS.  Pure. */
void guard_port_fill(struct guard_port *port, unsigned id, const struct bridge *bridge,
		     const struct link *link);

/* Is what one says the same as what the other does, whatever their buckets hold? */
bool guard_port_is_equal(const struct guard_port *a, const struct guard_port *b);

/* Packets a second, about; 0: any. */
unsigned guard_port_rate(const struct guard_port *port);

/* The number by which the guard knows the node that has this bridge. */
uint32_t guard_node(const struct bridge *bridge);

/* The key of a free network. */
void guard_free_fill(struct guard_free *key, const struct bridge *bridge,
		     const struct address *network);

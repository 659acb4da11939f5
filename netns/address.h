/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* Length in bytes: 4 or 16. */
unsigned address_size(const struct address *address);

/* Is @address in the network of @network? */
bool address_is_in(const struct address *network, const struct address *address);

/* The same prefix with a host part of zero. */
void address_network(const struct address *address, struct address *network);

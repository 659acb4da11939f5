/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* Length in bytes: 4 or 16. */
unsigned address_size(const struct address *address);

/* Is the @n-th of link_allowed(), @prefix, in another of them, and says nothing new? */
bool link_repeats(const struct link *link, unsigned n, const struct address *prefix);

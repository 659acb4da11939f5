/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* Fill what connections_read() reads, one by one; they are sorted before anybody is looked up.
 */
void connections_add(struct connections *all, const struct address *from,
		     const struct address *to);
void connections_sort(struct connections *all);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct bridge;
struct err;
struct link;

/* From the addresses of @before to those of @after, which is of VPS @id, on the interface
 * @index, which may be gone. */
int guest_change(unsigned id, const struct bridge *bridge, uint32_t index,
		 const struct link *before, const struct link *after, int netns,
		 struct err *err);

/* Inside @netns: "lo" up, "eth0" with its addresses, up, and the default routes. */
int guest_configure(unsigned id, const struct bridge *bridge, const struct link *link,
		    int netns, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct bridge;
struct err;
struct link;

/* Inside @netns: "lo" up, "eth0" with its addresses, up, and the default routes. */
int guest_configure(const struct bridge *bridge, const struct link *link, int netns,
		    struct err *err);

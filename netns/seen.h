/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "nft_table.h"
#include "route.h"

/* What the node's table and its routes to VPSs were when they were read. */
struct network_seen {
	const struct bridge *bridge;
	struct nft_entries walls, forwards; /* ordered by owners */
	struct routes routes;
};

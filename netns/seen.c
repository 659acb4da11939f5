/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seen.h"

#include <stdlib.h>

#include "nat.h"
#include "own.h"
#include "str.h"
#include "wall.h"

int network_see(const struct bridge *bridge, struct network_seen **seen, struct err *err)
{
	own_seen now = xrealloc(NULL, sizeof(*now));
	own_table table = nft_table_none();

	*now = (struct network_seen){ .bridge = bridge };
	if (nft_table_open(&table, bridge, err) < 0 || wall_see(&table, &now->walls, err) < 0 ||
	    nat_see(&table, &now->forwards, err) < 0 || routes_see(&now->routes, err) < 0)
		return -1;
	*seen = now;
	now = NULL;
	return 0;
}

void network_seen_free(struct network_seen **seen)
{
	if (!*seen)
		return;
	nft_entries_free(&(*seen)->walls);
	nft_entries_free(&(*seen)->forwards);
	routes_free(&(*seen)->routes);
	free(*seen);
	*seen = NULL;
}

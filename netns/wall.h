/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"
#include "nft_table.h"

/* What may come in to VPSs is said by elements of sets. */
const char *wall_set_name(unsigned set);
bool wall_set_is_of_bridge(unsigned set);

/* Those of VPS @id, sorted; none meets another of the same set.  @usual: connections_usual();
 * with an @uplink also for what comes by it. */
void wall_fill(struct nft_entries *wall, unsigned id, const struct link *link, unsigned usual,
	       bool uplink);

/* Those of @a that are not in @b, which both are sorted. */
void wall_only(const struct nft_entries *a, const struct nft_entries *b,
	       struct nft_entries *only);

/* What an element says, for people: "tcp/22 of 10.77.0.2". */
void wall_print(const struct nft_entry *element, char *text, size_t size);

/* All that the kernel has: nft_table_read(). */
int wall_see(const struct nft_table *table, struct nft_entries *all, struct err *err);

/* Remove all of a VPS's that are there. */
int wall_remove(const struct nft_table *table, unsigned id, const struct link *link,
		struct err *err);

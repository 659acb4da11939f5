/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

struct nft_element;
struct nft_entries;
struct nft_table;

/* Forwarded ports, each once for each family that leads to the VPS. */
struct nat_entries {
	struct nat_entry *list;
	size_t count, room;
};

void nat_entries_free(struct nat_entries *entries);

#define own_entries __attribute__((cleanup(nat_entries_free))) struct nat_entries

/* Those of @link, behind what is there. */
void nat_entries_add(struct nat_entries *entries, unsigned id, const struct link *link);

/* Those of @a that are not in @b, behind what is in @only. */
void nat_entries_only(const struct nat_entries *a, const struct nat_entries *b,
		      struct nat_entries *only);

/* Key and data as nft has them, and back; family, protocol and family of @entry->publish.at,
 * which the map tells, are kept. */
void nat_element(const struct nat_entry *entry, struct nft_element *e);
void nat_entry_read(const struct nft_element *e, struct nat_entry *entry);

/* All that the kernel has: nft_table_read(). */
int nat_see(const struct nft_table *table, struct nft_entries *all, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

struct nft_element;

/* Every port once for each family that the VPS has. */
#define NAT_ENTRIES_MAX (2 * PUBLISH_MAX)

unsigned nat_entries(const struct link *link, struct nat_entry entries[NAT_ENTRIES_MAX]);

/* As nft has it, and back; family and protocol of @entry, which the map tells, are kept. */
void nat_element(const struct nat_entry *entry, struct nft_element *e);
void nat_entry_read(const struct nft_element *e, struct nat_entry *entry);

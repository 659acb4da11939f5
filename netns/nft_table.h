/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"
#include "nft_msg.h"

struct netlink_batch;

/* The node's table, and the way to it. */
struct nft_table {
	char name[BRIDGE_TABLE];
	int fd;
	bool uplink; /* then there is one of the family bridge, too, with the same name */
};

/* One that is not open. */
struct nft_table nft_table_none(void);
int nft_table_open(struct nft_table *table, const struct bridge *bridge, struct err *err);

/* Whoever closes it waits until the kernel has freed what was removed, an RCU grace period
 * later. */
void nft_table_close(struct nft_table *table);

#define own_table __attribute__((cleanup(nft_table_close))) struct nft_table

/* An element, and which it is of of the sets or maps that whoever uses them has numbered. */
struct nft_entry {
	unsigned set, owner; /* owner: id of a VPS, or 0 */
	struct nft_element e;
};

struct nft_entries {
	struct nft_entry *list;
	size_t count, room;
};

void nft_entries_free(struct nft_entries *entries);

#define own_nft_entries __attribute__((cleanup(nft_entries_free))) struct nft_entries

/* One more behind the others, of @set, in the name of VPS @owner. */
struct nft_entry *nft_entry_add(struct nft_entries *entries, unsigned set, unsigned owner);

void nft_entry_copy(struct nft_entries *entries, const struct nft_entry *entry);

/* Whose it is by its comment, which nft_entry_add() has made and `nft list` shows; 0: nobody's.
 */
unsigned nft_element_owner(const struct nft_element *e);

/* Those of one VPS, of entries that nft_table_read() has read: a part of their list. */
struct nft_entries nft_entries_of(const struct nft_entries *entries, unsigned owner);

/* Some sets, and what is said when something with them fails; each word completes
 * "cannot ...". */
struct nft_sets {
	const char *(*name)(unsigned set);
	bool (*is_of_bridge)(unsigned set); /* NULL: none is of the family bridge */
	unsigned count;
	const char *list, *change, *add, *remove;
};

/* The one with the key of @wanted, or the range that this is in.  1; 0: there is none, or not
 * even such a set; -1. */
int nft_table_find(const struct nft_table *table, const struct nft_sets *sets,
		   const struct nft_entry *wanted, struct nft_entry *found, struct err *err);

/* All elements of the sets, ordered by their owners; sets that are not there have none. */
int nft_table_read(const struct nft_table *table, const struct nft_sets *sets,
		   struct nft_entries *entries, struct err *err);

/* As messages of up to NFT_CHUNK elements each, all of one set. */
#define NFT_CHUNK 48
void nft_put_entries(struct netlink_batch *batch, const char *table,
		     const struct nft_sets *sets, const struct nft_entries *entries, bool add);

/* @out goes and @in comes, all or nothing; in each the entries of a set stand together. */
int nft_table_replace(const struct nft_table *table, const struct nft_sets *sets,
		      const struct nft_entries *out, const struct nft_entries *in,
		      struct err *err);

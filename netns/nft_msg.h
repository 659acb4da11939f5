/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * Builders of nf_tables messages about elements of the sets and maps in the table
 * "inet @table".  Changes stand between nft_put_begin() and nft_put_end(): the
 * kernel applies all or none.  Questions go without these two.
 */

/* One element: a key, or a range of them, and, in a map, its data, all as nft lays them out. */
struct nft_element {
	uint8_t key[32], end[32], data[32];
	size_t key_size, end_size, data_size; /* 0: no range; no data */
	char comment[24];		      /* shown by `nft list` */
	uint32_t connections; /* it matches when there are more; 0: whenever it is found */
};

void nft_put_begin(struct nlmsghdr *nlh);
void nft_put_end(struct nlmsghdr *nlh);
/* @e: the first of @count. */
void nft_put_elements_add(struct nlmsghdr *nlh, const char *table, const char *set,
			  const struct nft_element *e, unsigned count);
void nft_put_elements_delete(struct nlmsghdr *nlh, const char *table, const char *set,
			     const struct nft_element *e, unsigned count);
void nft_put_element_get(struct nlmsghdr *nlh, const char *table, const char *set,
			 const struct nft_element *e);
void nft_put_element_dump(struct nlmsghdr *nlh, const char *table, const char *set);
/* What was put is about the table "bridge @table" instead. */
void nft_of_bridge(struct nlmsghdr *nlh);

void nft_put_table_delete(struct nlmsghdr *nlh, const char *table);

/* The elements in one answer; those that do not fit struct nft_element are none of ours. */
void nft_elements_read(const struct nlmsghdr *nlh,
		       void (*each)(const struct nft_element *e, void *arg), void *arg);

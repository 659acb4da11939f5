/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft_table.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "err.h"
#include "netlink.h"
#include "own.h"
#include "str.h"

#define COMMENT "nodectl %u"

/* Room for a message with so many elements. */
#define MESSAGE_SIZE 8192

struct nft_table nft_table_none(void)
{
	return (struct nft_table){ .fd = -1 };
}

/* What is sent at once may be more than a socket usually takes. */
int nft_table_open(struct nft_table *table, const struct bridge *bridge, struct err *err)
{
	const int room = 1 << 20;

	bridge_table(bridge, table->name);
	table->uplink = bridge->uplink[0];
	table->fd = netlink_open(NETLINK_NETFILTER, err);
	if (table->fd < 0)
		return -1;
	(void)setsockopt(table->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return 0;
}

void nft_table_close(struct nft_table *table)
{
	own_close(&table->fd);
}

void nft_entries_free(struct nft_entries *entries)
{
	free(entries->list);
}

static struct nft_entry *entry_new(struct nft_entries *entries)
{
	entries->list =
	    xgrow(entries->list, entries->count, &entries->room, sizeof(entries->list[0]));
	return &entries->list[entries->count++];
}

struct nft_entry *nft_entry_add(struct nft_entries *entries, unsigned set, unsigned owner)
{
	struct nft_entry *entry = entry_new(entries);

	*entry = (struct nft_entry){ .set = set, .owner = owner };
	str_format(entry->e.comment, sizeof(entry->e.comment), COMMENT, owner);
	return entry;
}

void nft_entry_copy(struct nft_entries *entries, const struct nft_entry *entry)
{
	*entry_new(entries) = *entry;
}

unsigned nft_element_owner(const struct nft_element *e)
{
	unsigned id;

	return sscanf(e->comment, COMMENT, &id) == 1 ? id : 0;
}

static int owner_compare(const void *a, const void *b)
{
	const struct nft_entry *one = a, *two = b;

	return one->owner < two->owner ? -1 : one->owner > two->owner;
}

struct nft_entries nft_entries_of(const struct nft_entries *entries, unsigned owner)
{
	const struct nft_entry wanted = { .owner = owner };
	struct nft_entry *first = entries->count
				      ? bsearch(&wanted, entries->list, entries->count,
						sizeof(entries->list[0]), owner_compare)
				      : NULL;
	struct nft_entry *end = first;

	while (first && first > entries->list && first[-1].owner == owner)
		first--;
	while (end && end < entries->list + entries->count && end->owner == owner)
		end++;
	return (struct nft_entries){ .list = first, .count = (size_t)(end - first) };
}

static bool is_of_bridge(const struct nft_sets *sets, unsigned set)
{
	return sets->is_of_bridge && sets->is_of_bridge(set);
}

/* The elements of one answer. */
struct answer {
	struct nft_entries *entries;
	unsigned set;
};

static void element_seen(const struct nft_element *e, void *arg)
{
	const struct answer *answer = arg;

	*entry_new(answer->entries) =
	    (struct nft_entry){ .set = answer->set, .owner = nft_element_owner(e), .e = *e };
}

static void answer_seen(const struct nlmsghdr *nlh, void *arg)
{
	nft_elements_read(nlh, element_seen, arg);
}

int nft_table_find(const struct nft_table *table, const struct nft_sets *sets,
		   const struct nft_entry *wanted, struct nft_entry *found, struct err *err)
{
	own_nft_entries there = { 0 };
	struct answer answer = { &there, wanted->set };
	struct netlink_batch batch;

	netlink_start(&batch);
	struct nlmsghdr *nlh = netlink_next(&batch, sets->list, ENOENT);

	nft_put_element_get(nlh, table->name, sets->name(wanted->set), &wanted->e);
	if (is_of_bridge(sets, wanted->set))
		nft_of_bridge(nlh);
	if (netlink_run(table->fd, &batch, answer_seen, &answer, err) < 0)
		return -1;
	if (there.count != 1)
		return 0;
	*found = there.list[0];
	return 1;
}

int nft_table_read(const struct nft_table *table, const struct nft_sets *sets,
		   struct nft_entries *entries, struct err *err)
{
	struct netlink_batch batch;

	for (unsigned set = 0; set < sets->count; set++) {
		struct answer answer = { entries, set };

		if (is_of_bridge(sets, set) && !table->uplink)
			continue;
		netlink_start(&batch);
		struct nlmsghdr *nlh = netlink_next(&batch, sets->list, ENOENT);

		nft_put_element_dump(nlh, table->name, sets->name(set));
		if (is_of_bridge(sets, set))
			nft_of_bridge(nlh);
		if (netlink_run(table->fd, &batch, answer_seen, &answer, err) < 0)
			return -1;
	}
	if (entries->count)
		qsort(entries->list, entries->count, sizeof(entries->list[0]), owner_compare);
	return 0;
}

void nft_put_entries(struct netlink_batch *batch, const char *table,
		     const struct nft_sets *sets, const struct nft_entries *entries, bool add)
{
	struct nft_element chunk[NFT_CHUNK];

	for (size_t i = 0; i < entries->count;) {
		unsigned set = entries->list[i].set, count = 0;

		for (; i < entries->count && count < NFT_CHUNK && entries->list[i].set == set;
		     i++, count++)
			chunk[count] = entries->list[i].e;
		struct nlmsghdr *nlh = netlink_next(batch, add ? sets->add : sets->remove, 0);

		(add ? nft_put_elements_add
		     : nft_put_elements_delete)(nlh, table, sets->name(set), chunk, count);
		if (is_of_bridge(sets, set))
			nft_of_bridge(nlh);
	}
}

int nft_table_replace(const struct nft_table *table, const struct nft_sets *sets,
		      const struct nft_entries *out, const struct nft_entries *in,
		      struct err *err)
{
	/* two brackets, and of each set two that are not full */
	size_t messages = (out->count + in->count) / NFT_CHUNK + 2 * sets->count + 3;
	struct netlink_batch batch;

	if (out->count + in->count == 0)
		return 0;
	assert(messages <= NETLINK_BATCH_MAX);
	own_str data = xrealloc(NULL, messages * MESSAGE_SIZE);
	netlink_start_in(&batch, data, messages * MESSAGE_SIZE, MESSAGE_SIZE);
	nft_put_begin(netlink_next(&batch, sets->change, 0));
	nft_put_entries(&batch, table->name, sets, out, false);
	nft_put_entries(&batch, table->name, sets, in, true);
	nft_put_end(netlink_next(&batch, sets->change, 0));
	return netlink_run(table->fd, &batch, NULL, NULL, err);
}

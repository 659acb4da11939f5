/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct address;
struct err;
struct node;
struct publish;
struct vps;
struct wanted;

/*
 * A lease is one small file, made by link(2): the name is what is leased (an id, an
 * address, a port of the node), the content is the owner's name.  Taking, freeing and
 * looking up cost the same at any number of VPSs.
 */

/* Take @key for @owner.  @taken tells whether it was free (or already @owner's). */
int lease_take(int dir, const char *key, const char *owner, bool *taken, struct err *err);

/* Free it if it is @owner's; one that is not there is fine. */
int lease_free(int dir, const char *key, const char *owner, struct err *err);

/* Who has it?  Empty when nobody.  -1 when that cannot be told: then it is not free either, and
 * whoever has it may well run. */
int lease_owner(int dir, const char *key, char *owner, size_t size, struct err *err);

/* The next id that nobody has, beginning after the last one given: an id comes back as late as
 * possible. */
int lease_id(const struct node *node, struct vps *vps, struct err *err);

/* The addresses, prefixes and ports of @vps: those that are set, and those that the node is to
 * choose: the first free one from that which its id suggests, or of a pool. */
int lease_network(const struct node *node, struct vps *vps, const struct wanted *wanted,
		  struct err *err);

/* The name of the lease of its first port: "tcp-22001", "udp-203.0.113.5-53"; and back. */
void publish_key(const struct publish *publish, char *key, size_t size);
bool publish_key_parse(const char *key, struct publish *publish);

/* Does the definition @vps have what this lease is of? */
bool lease_is_of(const struct vps *vps, const char *key);

/* Who has the address @to, or to whom is the prefix @to routed?  In the same manner. */
int lease_owner_of(const struct node *node, const struct address *to, char *owner, size_t size,
		   struct err *err);

/* No gateway of a pool is an address of a VPS, given to it before there was that gateway:
 * ERR_ADDRESS.  With @name only that VPS is looked at. */
int lease_gateways_check(const struct node *node, const char *name, struct err *err);

/* What @after has and @before has not is taken, durably; what cannot be had is ERR_ADDRESS, and
 * then nothing is. */
int lease_change(const struct node *node, const struct vps *before, struct vps *after,
		 const struct wanted *wanted, struct err *err);

/* Free what @had and @has has not. */
int lease_shed(const struct node *node, const struct vps *had, const struct vps *has,
	       struct err *err);

/* Free all that @vps may have leased. */
int lease_free_all(const struct node *node, const struct vps *vps, struct err *err);

/* Make sure that all that @vps says it has is leased to it; for repair.  @missing counts. */
int lease_restore(const struct node *node, const struct vps *vps, bool dry, unsigned *missing,
		  struct err *err);

/* Fill in what @vps, of which only the name is known, has leased: id, addresses, host ports.
 * Looks at all leases of the node. */
int lease_left(const struct node *node, struct vps *vps, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bridge;
struct err;

/* Enough for the longest names and addresses. */
#define RULESET_MAX	  32768
#define RULESET_BOUND_MAX 2048

/*
 * The whole table of @bridge (bridge_table()) as text for nft: it may be loaded again and
 * again, and never takes an element out of the maps of forwards.  Returns the
 * fingerprint of the text, which is the one element of the set "loaded": where
 * that is in the kernel, so is all the rest.
 */
uint32_t ruleset_print(const struct bridge *bridge, char *text, size_t size);

/*
 * The part that bounds connections, which not every kernel can, in front of the rest: where it
 * fails the rest is loaded all the same.
 */
void ruleset_bound_print(const struct bridge *bridge, char *text, size_t size);

/* The group of interfaces (ip-link(8)) by which rules know this node's. */
uint32_t bridge_group(const struct bridge *bridge);

/* Load the table unless this very one is there. */
int ruleset_ensure(const struct bridge *bridge, struct err *err);

/* Is it?  -1: it cannot be found out. */
int ruleset_is_loaded(const struct bridge *bridge, struct err *err);

/*
 * Run commands in nft's language as one transaction.  ERR_KERNEL: this kernel, or libnftables,
 * cannot do that; whatever may pass is ERR_SYSTEM.
 */
int nft_run(const char *commands, struct err *err);

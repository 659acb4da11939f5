/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

#include "rtnl_msg.h"

/* Room for any of them, Ethernet header and all. */
#define NEIGHBOUR_FRAME 86

/*
 * Frames by which neighbours are asked and told, for a VPS that has @mac: ARP (RFC 5227) or
 * neighbour discovery (RFC 4862), by the family of @address.  Pure; return the length.
 *
 * Does anybody have the address?  Who is asked learns nothing from it.
 */
size_t neighbour_probe_put(uint8_t frame[NEIGHBOUR_FRAME], const struct mac *mac,
			   const struct address *address);

/* We have it: whoever knew otherwise forgets that. */
size_t neighbour_announce_put(uint8_t frame[NEIGHBOUR_FRAME], const struct mac *mac,
			      const struct address *address);

/* Does the sender of this frame, who is not @mac, have the address, or is about to?  Then
 * @holder is his. */
bool neighbour_claims(const uint8_t *frame, size_t size, const struct mac *mac,
		      const struct address *address, struct mac *holder);

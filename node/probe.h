/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What nodectl's self-test and nodectl-probe must both know.  The probe is the one file of the
 * image that the self-test's VPSs are made from: their init, and executed in them again as
 *
 *	/sbin/init VERB ARGUMENT...
 *
 * It prints lines "KEY VALUE", and the status is 0 when it got as far as measuring.  A verb
 * that stays prints "ready 1", and goes on until its standard input ends.
 *
 *	touch BYTES GAP	   a child takes BYTES, page by page: "touched", "signal" that ended it;
 *			   nanoseconds for PROBE_STEP bytes, "before" the end was near, and
 *			   "near" it, in the last GAP bytes of what it got
 *	hold BYTES	   stays, with BYTES of memory; then "intact 1" or 0
 *	cache BYTES	   stays, having read a file of BYTES; then "resident" bytes of it
 *	fork N		   children until none can be made, at most N: "made", "errno"
 *	spin N		   stays, with N busy processes
 *	fill BYTES	   a file until the disk is full, at most BYTES: "written", "errno",
 *			   and "total" and "free" of statfs(2) before
 *	files N		   files until none can be made, at most N: "made", "errno",
 *			   "total", "free" as above
 *	write MS BLOCK	   writes past the cache: "bytes", "usec", "errno"
 *	read MS BLOCK	   reads past the cache: the same
 *	open PATH...	   "opened PATH" for each that could be opened, "refused" how many not
 *	mknod		   "made WHAT" for each device node that could be made, "refused"
 *	reach		   "reached WHAT" for each limit that could be changed, "refused"
 *	receive PORT MS	   stays ready for one TCP connection, reads: "bytes", "usec"
 *	send PORT MS	   the same, writing
 *	forge MARK OWN GATEWAY	sends each of PROBE_FRAMES to everybody, as who has the IPv4
 *			   address OWN: "sent" how many; each ends with MARK, 8 bytes of the
 *			   node's order, and the number of its kind
 */
#define PROBE_PATH "/sbin/init"
#define PROBE_STEP (64u << 10)

/* Of a connection, the first moment says how much has piled up and not how fast it is. */
#define PROBE_PILED_MS 300u

/* The first is its own; another must not leave the VPS. */
#define PROBE_FRAMES                                                                           \
	"its own", "another MAC address", "another IPv4 address", "the gateway's address",     \
	    "ARP for another", "ARP for the gateway", "another IPv6 address",                  \
	    "a router's advertisement", "another neighbour's advertisement",                   \
	    "a DHCP server's reply", "a VLAN's tag", "an unknown protocol"
#define PROBE_MARK 8u

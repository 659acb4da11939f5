/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "claim.h"
#include "node.h"

struct err;

/*
 * The sums of what is promised, in ".ledger" of the run directory: a header, and a record for
 * each id.  It is a cache: made from the definitions when it is missing, of another boot or of
 * another storage, so that it is right once a boot and O(1) from then on.
 *
 * A change of a definition is written down before it is made:
 *	ledger_open(), ledger_admit(), ledger_begin(); rename the definition; ledger_end()
 * Who finds a change that was begun and not ended asks the definition which it is.  Before the
 * kernel is changed, which may take seconds, ledger_reserve() promises what the VPS has and
 *what it is to have, whichever is more, and lets the ledger go; ledger_open() then does not
 *touch it as long as the lock of the VPS is held.
 */
enum { LEDGER_CHANGES = 16 };

struct ledger_change {
	char name[64]; /* empty: none */
	uint32_t id;
	uint32_t reserved;  /* the ledger was let go; else its lock is held until the end */
	struct claim claim; /* that the sums contain for this id now */
};

struct ledger_header {
	char magic[8];
	char boot[40];
	uint64_t device, inode; /* of the definitions */
	uint64_t weight_of_cpu; /* the shares of the VPSs are counted in these */
	struct claim promised;
	struct ledger_change change[LEDGER_CHANGES];
};

struct ledger {
	const struct node *node;
	int lock, file;
	struct capacity capacity;
	struct ledger_header header;
	struct refusals forced; /* by the last ledger_admit() */
};

#define own_ledger __attribute__((cleanup(ledger_close))) struct ledger

struct ledger ledger_none(void);

/* Take its lock, make it if need be, and finish what was cut off. */
int ledger_open(struct ledger *ledger, const struct node *node, struct err *err);
void ledger_close(struct ledger *ledger);

/* May @vps be what it is now?  What it has already need not fit. */
int ledger_admit(struct ledger *ledger, const struct vps *vps, enum admission admission,
		 struct err *err);

/* The same for one that is to run: all of it must fit. */
int ledger_admit_whole(struct ledger *ledger, const struct vps *vps, enum admission admission,
		       struct err *err);

/* The definition of @vps is about to change, come or go. */
int ledger_begin(struct ledger *ledger, const struct vps *vps, struct err *err);

/* It has: it is what @vps says, or with @there false no more.  What cannot be written is
 * finished by the next. */
void ledger_end(struct ledger *ledger, const struct vps *vps, bool there);

/* Promise the larger of what it has and of what it is to have, until ledger_end(). */
int ledger_reserve(struct ledger *ledger, const struct vps *vps, struct err *err);

/* Go on as if @vps were so already; nothing is written. */
void ledger_suppose(struct ledger *ledger, const struct vps *vps);

/* Note what was forced in the event log of the VPS, which exists. */
void ledger_log(const struct ledger *ledger, const char *name);

/* What the sums contain for @id now. */
struct claim ledger_booked(struct ledger *ledger, unsigned id);

/* Call @each for every id that the sums contain something for, from the lowest on. */
void ledger_booked_each(struct ledger *ledger,
			void (*each)(unsigned id, const struct claim *claim, void *arg),
			void *arg);

/* Make it anew from the definitions; what is reserved stays so. */
int ledger_remake(struct ledger *ledger, struct err *err);

/* Compare it with all definitions; @found gets a line for each difference, which is corrected
 * unless @dry. */
int ledger_verify(const struct node *node, bool dry, void (*found)(const char *what, void *arg),
		  void *arg, struct err *err);

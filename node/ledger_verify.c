/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "err.h"
#include "ledger.h"
#include "own.h"
#include "str.h"

struct verify {
	struct ledger *ledger;
	void (*found)(const char *what, void *arg);
	void *arg;
	bool seen[VPS_ID_MAX + 1];
	struct claim sum; /* of the definitions and of what is reserved */
	unsigned count;	  /* differences */
};

static void __attribute__((format(printf, 2, 3)))
found(struct verify *verify, const char *fmt, ...)
{
	char line[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	verify->count++;
	verify->found(line, verify->arg);
}

/* @whose has @is, and @counted was in the sums. */
static void compare(struct verify *verify, const char *whose, const struct claim *is,
		    const struct claim *counted)
{
	const struct capacity *capacity = &verify->ledger->capacity;

	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		uint64_t max = claim_max(is, capacity, r);
		uint64_t counted_max = claim_max(counted, capacity, r);
		char a[24], b[24];

		if (is->guaranteed[r] != counted->guaranteed[r]) {
			resource_print(r, is->guaranteed[r], a, sizeof(a));
			resource_print(r, counted->guaranteed[r], b, sizeof(b));
			found(verify, "ledger: %s: %s guaranteed: %s, and %s was counted",
			      whose, resource_name(r), a, b);
		}
		if (max == counted_max && is->whole[r] != counted->whole[r])
			found(verify,
			      "ledger: %s: %s without limit: %" PRIu64 ", and %" PRIu64
			      " was counted",
			      whose, resource_name(r), is->whole[r], counted->whole[r]);
		if (max != counted_max) {
			resource_print(r, max, a, sizeof(a));
			resource_print(r, counted_max, b, sizeof(b));
			found(verify, "ledger: %s: %s at most: %s, and %s was counted", whose,
			      resource_name(r), a, b);
		}
	}
}

static bool is_reserved(const struct ledger *ledger, unsigned id)
{
	for (size_t i = 0; i < LEDGER_CHANGES; i++) {
		if (ledger->header.change[i].name[0] && ledger->header.change[i].id == id)
			return true;
	}
	return false;
}

static int definition_one(const struct vps *vps, const struct err *broken, void *arg,
			  struct err *err)
{
	struct verify *verify = arg;
	struct claim is, counted;

	(void)err;
	if (verify->seen[vps->id])
		return 0;
	verify->seen[vps->id] = true;
	counted = ledger_booked(verify->ledger, vps->id);
	/* one whose definition cannot be read has what it was counted with */
	if (broken || is_reserved(verify->ledger, vps->id))
		is = counted;
	else
		claim_of(vps, &is);
	if (claim_add(&verify->sum, &is, err) < 0) {
		found(verify, "ledger: %s: %s", vps->name, err->msg);
		verify->count--;
		is = (struct claim){ 0 };
	}
	compare(verify, vps->name, &is, &counted);
	return 0;
}

/* Counted though no definition has that id? */
static void stray(unsigned id, const struct claim *claim, void *arg)
{
	struct verify *verify = arg;

	(void)claim;
	if (id && (id > VPS_ID_MAX || !verify->seen[id]))
		found(verify, "ledger: id %u is counted, and no definition has it", id);
}

int ledger_verify(const struct node *node, bool dry,
		  void (*report)(const char *what, void *arg), void *arg, struct err *err)
{
	own_ledger ledger = ledger_none();
	struct verify verify = { .ledger = &ledger, .found = report, .arg = arg };

	if (ledger_open(&ledger, node, err) < 0 ||
	    vps_each(node, definition_one, &verify, err) < 0)
		return -1;
	ledger_booked_each(&ledger, stray, &verify);
	compare(&verify, "all", &verify.sum, &ledger.header.promised);
	return verify.count && !dry ? ledger_remake(&ledger, err) : 0;
}

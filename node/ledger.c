/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define FILE_NAME ".ledger"
#define LOCK_NAME ".ledger.lock"
#define LOCK_MS	  60000u

static const char magic[8] = "ledger1";
static const struct claim none;

/*
 * A process that is killed while it writes is stopped between two pages: what lies within one
 * is written whole or not at all.
 */
enum { PAGE = 4096, RECORD = 256 };
_Static_assert(sizeof(struct ledger_header) <= PAGE, "the header is written whole");
_Static_assert(sizeof(struct claim) <= RECORD, "a record lies within a page");

struct ledger ledger_none(void)
{
	return (struct ledger){ .lock = -1, .file = -1 };
}

void ledger_close(struct ledger *ledger)
{
	own_close(&ledger->file);
	own_close(&ledger->lock);
	ledger->file = ledger->lock = -1;
}

static int header_write(const struct ledger *ledger, struct err *err)
{
	if (pwrite(ledger->file, &ledger->header, sizeof(ledger->header), 0) !=
	    (ssize_t)sizeof(ledger->header))
		return fail(err, errno, "cannot write the ledger");
	return 0;
}

static int record_put(const struct ledger *ledger, unsigned id, const struct claim *claim,
		      struct err *err)
{
	if (pwrite(ledger->file, claim, sizeof(*claim), PAGE + (off_t)id * RECORD) !=
	    (ssize_t)sizeof(*claim))
		return fail(err, errno, "cannot write the ledger");
	return 0;
}

/* What lies beyond the end of the file is nothing. */
static struct claim record_get(const struct ledger *ledger, unsigned id)
{
	struct claim claim;

	if (pread(ledger->file, &claim, sizeof(claim), PAGE + (off_t)id * RECORD) !=
	    (ssize_t)sizeof(claim))
		claim = (struct claim){ 0 };
	return claim;
}

static struct ledger_change *change_of(struct ledger *ledger, unsigned id)
{
	for (size_t i = 0; i < LEDGER_CHANGES; i++) {
		struct ledger_change *change = &ledger->header.change[i];

		if (change->name[0] && change->id == id)
			return change;
	}
	return NULL;
}

static struct ledger_change *change_free(struct ledger *ledger)
{
	for (size_t i = 0; i < LEDGER_CHANGES; i++) {
		if (!ledger->header.change[i].name[0])
			return &ledger->header.change[i];
	}
	return NULL;
}

struct claim ledger_booked(struct ledger *ledger, unsigned id)
{
	const struct ledger_change *change = change_of(ledger, id);

	return change ? change->claim : record_get(ledger, id);
}

/* A definition that cannot be read is promised nothing that could be counted. */
static struct claim claim_of_name(const struct ledger *ledger, const char *name, unsigned id)
{
	struct claim claim = { 0 };
	own_vps vps = { 0 };
	struct err ignored;

	if (vps_load(ledger->node, name, &vps, &ignored) == 0 && vps.id == id)
		claim_of(&vps, &claim);
	return claim;
}

/* The change is over, and @claim is what came of it.  The record first: as long as the header
 * has the change, the record does not count. */
static int change_end(struct ledger *ledger, struct ledger_change *change,
		      const struct claim *claim, struct err *err)
{
	struct claim promised = ledger->header.promised;
	const struct ledger_header was = ledger->header;

	claim_subtract(&promised, &change->claim);
	/* only a definition written by hand can be too much to count */
	if (claim_add(&promised, claim, err) < 0)
		claim = &none;
	if (record_put(ledger, change->id, claim, err) < 0)
		return -1;
	ledger->header.promised = promised;
	change->name[0] = 0;
	if (header_write(ledger, err) == 0)
		return 0;
	ledger->header = was;
	return -1;
}

static bool is_under_way(const struct ledger *ledger, const struct ledger_change *change)
{
	struct err ignored;
	own_fd dir =
	    change->reserved ? dir_open(ledger->node->vps, change->name, &ignored) : -1;

	return dir >= 0 && lock_is_held(dir, "lock");
}

/* Whose ledger we have got is at none of its own changes: those that it had begun and not
 * ended were cut off, unless they were let go of on purpose. */
static int changes_finish(struct ledger *ledger, struct err *err)
{
	for (size_t i = 0; i < LEDGER_CHANGES; i++) {
		struct ledger_change *change = &ledger->header.change[i];
		struct claim claim;

		if (!change->name[0] || is_under_way(ledger, change))
			continue;
		claim = claim_of_name(ledger, change->name, change->id);
		if (change_end(ledger, change, &claim, err) < 0)
			return -1;
	}
	return 0;
}

static int count_one(const struct vps *vps, const struct err *broken, void *arg,
		     struct err *err)
{
	struct ledger *ledger = arg;
	struct claim claim = record_get(ledger, vps->id);

	/* two of one id: neither can be started but the one that has the lease */
	if (broken || !claim_is_equal(&claim, &none))
		return 0;
	claim_of(vps, &claim);
	if (claim_add(&ledger->header.promised, &claim, err) < 0)
		return 0;
	return record_put(ledger, vps->id, &claim, err);
}

/* The header comes last: without it the file is none. */
static int make(struct ledger *ledger, struct err *err)
{
	if (ftruncate(ledger->file, 0) < 0)
		return fail(err, errno, "cannot write the ledger");
	memset(&ledger->header.promised, 0, sizeof(ledger->header.promised));
	memset(ledger->header.change, 0, sizeof(ledger->header.change));
	if (vps_each(ledger->node, count_one, ledger, err) < 0)
		return -1;
	return header_write(ledger, err);
}

/* Of this boot, of these definitions, and counted in these CPUs? */
static int header_expect(const struct ledger *ledger, struct ledger_header *header,
			 struct err *err)
{
	const char *boot = boot_id(err);
	struct stat stat;

	memset(header, 0, sizeof(*header));
	memcpy(header->magic, magic, sizeof(magic));
	if (!boot)
		return -1;
	str_format(header->boot, sizeof(header->boot), "%s", boot);
	if (fstat(ledger->node->vps, &stat) < 0)
		return fail(err, errno, "cannot look at the definitions");
	header->device = stat.st_dev;
	header->inode = stat.st_ino;
	header->weight_of_cpu = cgroup_weight_of_cpu();
	return 0;
}

static int file_open(struct ledger *ledger, const struct ledger_header *expected,
		     struct err *err)
{
	ledger->file = openat(ledger->node->runs, FILE_NAME,
			      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ledger->file < 0)
		return fail(err, errno, "cannot open the ledger");
	if (pread(ledger->file, &ledger->header, sizeof(ledger->header), 0) ==
		(ssize_t)sizeof(ledger->header) &&
	    memcmp(&ledger->header, expected, offsetof(struct ledger_header, promised)) == 0)
		return changes_finish(ledger, err);
	ledger->header = *expected;
	return make(ledger, err);
}

int ledger_open(struct ledger *ledger, const struct node *node, struct err *err)
{
	struct ledger_header expected;
	char holder[64];

	*ledger = ledger_none();
	ledger->node = node;
	if (capacity_find(node, &ledger->capacity, err) < 0 ||
	    header_expect(ledger, &expected, err) < 0)
		return -1;
	str_format(holder, sizeof(holder), "'nodectl' (pid %d) at the ledger\n", getpid());
	ledger->lock = lock_take(node->runs, LOCK_NAME, holder, LOCK_MS, err);
	if (ledger->lock < 0 || file_open(ledger, &expected, err) < 0) {
		ledger_close(ledger);
		return -1;
	}
	return 0;
}

static int admit(struct ledger *ledger, const struct vps *vps, const struct claim *old,
		 enum admission admission, struct err *err)
{
	struct claim others = ledger->header.promised, mine = ledger_booked(ledger, vps->id);
	struct claim want, sum;

	claim_of(vps, &want);
	claim_subtract(&others, &mine);
	sum = others;
	if (claim_add(&sum, &want, err) < 0)
		return -1;
	if (admission == ADMIT_KNOWN)
		return 0;
	return claim_admit(&ledger->capacity, &others, old ? old : &mine, &want,
			   admission == ADMIT_FORCED ? &ledger->forced : NULL, err);
}

int ledger_admit(struct ledger *ledger, const struct vps *vps, enum admission admission,
		 struct err *err)
{
	return admit(ledger, vps, NULL, admission, err);
}

int ledger_admit_whole(struct ledger *ledger, const struct vps *vps, enum admission admission,
		       struct err *err)
{

	return admit(ledger, vps, &none, admission, err);
}

static struct ledger_change *change_take(struct ledger *ledger, const struct vps *vps,
					 struct err *err)
{
	struct ledger_change *change = change_of(ledger, vps->id);

	if (!change)
		change = change_free(ledger);
	if (!change) {
		fail_as(err, ERR_LOCKED,
			"%d changes of VPSs are under way; try again in a moment",
			LEDGER_CHANGES);
		return NULL;
	}
	memset(change, 0, sizeof(*change));
	memcpy(change->name, vps->name, sizeof(change->name));
	change->id = vps->id;
	return change;
}

int ledger_begin(struct ledger *ledger, const struct vps *vps, struct err *err)
{
	struct claim mine = ledger_booked(ledger, vps->id);
	struct ledger_change *change = change_take(ledger, vps, err);

	if (!change)
		return -1;
	change->claim = mine;
	return header_write(ledger, err);
}

void ledger_end(struct ledger *ledger, const struct vps *vps, bool there)
{
	struct ledger_change *change = change_of(ledger, vps->id);
	struct claim claim = none;
	struct err ignored;

	assert(change);
	if (there)
		claim_of(vps, &claim);
	(void)change_end(ledger, change, &claim, &ignored);
}

int ledger_reserve(struct ledger *ledger, const struct vps *vps, struct err *err)
{
	struct claim promised = ledger->header.promised, mine = ledger_booked(ledger, vps->id);
	struct claim want, larger;
	struct ledger_change *change;

	claim_of(vps, &want);
	larger = claim_larger(&mine, &want);
	claim_subtract(&promised, &mine);
	if (claim_add(&promised, &larger, err) < 0)
		return -1;
	change = change_take(ledger, vps, err);
	if (!change)
		return -1;
	change->reserved = 1;
	change->claim = larger;
	ledger->header.promised = promised;
	return header_write(ledger, err);
}

void ledger_booked_each(struct ledger *ledger,
			void (*each)(unsigned id, const struct claim *claim, void *arg),
			void *arg)
{
	enum { AT_ONCE = 256 };
	uint8_t records[AT_ONCE * RECORD];
	ssize_t size = sizeof(records);

	for (unsigned first = 0; size == sizeof(records); first += AT_ONCE) {
		size =
		    pread(ledger->file, records, sizeof(records), PAGE + (off_t)first * RECORD);
		if (size < 0)
			return;
		for (unsigned i = 0; i * RECORD + sizeof(struct claim) <= (size_t)size; i++) {
			const struct ledger_change *change = change_of(ledger, first + i);
			struct claim claim;

			memcpy(&claim, records + (size_t)i * RECORD, sizeof(claim));
			claim = change ? change->claim : claim;
			if (!claim_is_equal(&claim, &none))
				each(first + i, &claim, arg);
		}
	}
}

void ledger_suppose(struct ledger *ledger, const struct vps *vps)
{
	struct claim mine = ledger_booked(ledger, vps->id), want;
	struct err ignored;

	claim_of(vps, &want);
	claim_subtract(&ledger->header.promised, &mine);
	(void)claim_add(&ledger->header.promised, &want, &ignored);
}

int ledger_remake(struct ledger *ledger, struct err *err)
{
	const struct ledger_header was = ledger->header;

	if (make(ledger, err) < 0)
		return -1;
	/* what was let go of is still reserved */
	for (size_t i = 0; i < LEDGER_CHANGES; i++) {
		struct claim counted = record_get(ledger, was.change[i].id);

		if (!was.change[i].name[0])
			continue;
		claim_subtract(&ledger->header.promised, &counted);
		if (claim_add(&ledger->header.promised, &was.change[i].claim, err) < 0)
			return -1;
		ledger->header.change[i] = was.change[i];
	}
	return header_write(ledger, err);
}

void ledger_log(const struct ledger *ledger, const char *name)
{
	for (unsigned i = 0; i < ledger->forced.count; i++)
		vps_log(ledger->node, name, "forced: %s", ledger->forced.text[i]);
}

int node_promised(const struct node *node, struct claim *promised, struct err *err)
{
	own_ledger ledger = ledger_none();

	if (ledger_open(&ledger, node, err) < 0)
		return -1;
	*promised = ledger.header.promised;
	return 0;
}

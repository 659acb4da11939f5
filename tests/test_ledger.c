/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/ledger.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define M      (UINT64_C(1) << 20)

static struct err err;
static struct node node;

static void node_make(void)
{
	scratch_make();
	cr_assert_eq(node_parse(&node, "subnet = 10.77.0.1/16\n", &err), 0);
	node.dir = dup(scratch);
	node.vps = dir_make(scratch, "vps", 0700, &err);
	node.ids = dir_make(scratch, "ids", 0700, &err);
	node.runs = dir_make(scratch, "run", 0700, &err);
	cr_assert(node.vps >= 0 && node.runs >= 0);
	/* a quarter of what even a small machine has, so that numbers fit */
	node.promise.reserve_memory = 0;
}

static void node_end(void)
{
	node_close(&node);
	scratch_remove();
}

TestSuite(ledger, .init = node_make, .fini = node_end);

/* A definition on disk. */
static struct vps define(const char *name, unsigned id, unsigned megabytes)
{
	struct vps vps;

	vps_init(&vps);
	str_format(vps.name, sizeof(vps.name), "%s", name);
	strcpy(vps.digest, DIGEST);
	vps.id = id;
	vps.limits.memory = vps.limits.memory_guaranteed = megabytes * M;
	own_fd dir = dir_make(node.vps, name, 0700, &err);
	own_str text = vps_print(&vps);
	cr_assert_eq(file_replace(dir, "vps.conf", text, strlen(text), 0600, &err), 0);
	return vps;
}

static void opened(struct ledger *ledger)
{
	cr_assert_eq(ledger_open(ledger, &node, &err), 0, "%s", err.msg);
}

/* Megabytes that are guaranteed in all. */
static uint64_t promised(void)
{
	struct claim claim;

	cr_assert_eq(node_promised(&node, &claim, &err), 0, "%s", err.msg);
	return claim.guaranteed[RESOURCE_MEMORY] / M;
}

static void change(const struct vps *vps, bool there)
{
	own_ledger ledger = ledger_none();

	opened(&ledger);
	cr_assert_eq(ledger_begin(&ledger, vps, &err), 0, "%s", err.msg);
	ledger_end(&ledger, vps, there);
}

Test(ledger, is_made_from_the_definitions)
{
	define("a", 1, 5);
	define("b", 2, 7);
	cr_expect_eq(promised(), 12);
}

Test(ledger, of_no_definition_is_nothing)
{
	cr_expect_eq(promised(), 0);
}

Test(ledger, follows_what_comes_changes_and_goes)
{
	struct vps a, b;

	cr_expect_eq(promised(), 0);
	a = define("a", 1, 5);
	b = define("b", 28663, 7);
	change(&a, true);
	change(&b, true);
	cr_expect_eq(promised(), 12);
	b = define("b", 28663, 30);
	change(&b, true);
	cr_expect_eq(promised(), 35);
	change(&a, false);
	cr_expect_eq(promised(), 30);
	change(&b, false);
	cr_expect_eq(promised(), 0);
}

Test(ledger, asks_the_definition_what_became_of_a_change_that_was_cut_off)
{
	struct vps a = define("a", 1, 5);
	own_ledger ledger = ledger_none();

	cr_expect_eq(promised(), 5);
	opened(&ledger);
	cr_assert_eq(ledger_begin(&ledger, &a, &err), 0);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 5, "it was not made");

	opened(&ledger);
	cr_assert_eq(ledger_begin(&ledger, &a, &err), 0);
	define("a", 1, 50);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 50, "it was made");

	opened(&ledger);
	cr_assert_eq(ledger_begin(&ledger, &a, &err), 0);
	cr_assert_eq(tree_remove(node.vps, "a", &err), 0);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 0, "it is gone");
	cr_expect_eq(promised(), 0);
}

/* Between the record and the header, which the end of a change writes. */
Test(ledger, does_not_count_twice_what_was_cut_off_while_it_was_written)
{
	struct vps a = define("a", 1, 5);
	struct ledger_header before;
	own_ledger ledger = ledger_none();

	cr_expect_eq(promised(), 5);
	opened(&ledger);
	cr_assert_eq(ledger_begin(&ledger, &a, &err), 0);
	before = ledger.header;
	a = define("a", 1, 50);
	ledger_end(&ledger, &a, true);
	cr_assert_eq(pwrite(ledger.file, &before, sizeof(before), 0), sizeof(before));
	ledger_close(&ledger);
	cr_expect_eq(promised(), 50);
}

Test(ledger, of_another_name_with_the_same_id_counts_the_one_that_has_it)
{
	struct vps a = define("a", 1, 5);
	own_ledger ledger = ledger_none();

	opened(&ledger);
	cr_assert_eq(ledger_begin(&ledger, &a, &err), 0);
	cr_assert_eq(tree_remove(node.vps, "a", &err), 0);
	define("a", 2, 70);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 0, "the new one is counted by whoever makes it");
}

Test(ledger, promises_the_larger_while_a_change_is_under_way)
{
	struct vps a = define("a", 1, 50);
	own_ledger ledger = ledger_none();
	own_fd dir = dir_open(node.vps, "a", &err), lock = -1;

	cr_expect_eq(promised(), 50);
	lock = lock_take(dir, "lock", "'test'\n", 0, &err);
	cr_assert_geq(lock, 0);
	a.limits.memory_guaranteed = 5 * M;
	a.limits.tasks = 77;
	opened(&ledger);
	cr_assert_eq(ledger_reserve(&ledger, &a, &err), 0, "%s", err.msg);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 50, "what it has");
	a.limits.memory_guaranteed = 500 * M;
	opened(&ledger);
	cr_assert_eq(ledger_reserve(&ledger, &a, &err), 0, "%s", err.msg);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 500, "what it is to have");

	a = define("a", 1, 30);
	change(&a, true);
	cr_expect_eq(promised(), 30);
}

Test(ledger, gives_back_what_was_reserved_by_one_that_is_gone)
{
	struct vps a = define("a", 1, 5);
	own_ledger ledger = ledger_none();
	own_fd dir = dir_open(node.vps, "a", &err), lock = -1;

	lock = lock_take(dir, "lock", "'test'\n", 0, &err);
	a.limits.memory_guaranteed = 500 * M;
	opened(&ledger);
	cr_assert_eq(ledger_reserve(&ledger, &a, &err), 0, "%s", err.msg);
	ledger_close(&ledger);
	cr_expect_eq(promised(), 500);
	close(take_fd(&lock));
	cr_expect_eq(promised(), 5);
}

Test(ledger, has_room_for_so_many_changes_at_once_and_says_when_there_is_none)
{
	own_ledger ledger = ledger_none();
	struct vps vps;

	vps_init(&vps);
	opened(&ledger);
	for (unsigned i = 1; i <= LEDGER_CHANGES; i++) {
		vps.id = i;
		str_format(vps.name, sizeof(vps.name), "v%u", i);
		cr_assert_eq(ledger_begin(&ledger, &vps, &err), 0);
	}
	vps.id++;
	cr_expect_eq(ledger_begin(&ledger, &vps, &err), -1);
	cr_expect_eq(err.kind, ERR_LOCKED);
	ledger_close(&ledger);
	opened(&ledger);
	cr_expect_eq(ledger_begin(&ledger, &vps, &err), 0, "those were cut off");
}

Test(ledger, is_made_anew_for_other_definitions_and_after_a_boot)
{
	own_ledger ledger = ledger_none();

	define("a", 1, 5);
	cr_expect_eq(promised(), 5);
	define("b", 2, 7);
	cr_expect_eq(promised(), 5, "nobody has told it");
	opened(&ledger);
	ledger.header.boot[0] ^= 1;
	cr_assert_eq(pwrite(ledger.file, &ledger.header, sizeof(ledger.header), 0),
		     sizeof(ledger.header));
	ledger_close(&ledger);
	cr_expect_eq(promised(), 12);

	close(take_fd(&node.vps));
	node.vps = dir_make(scratch, "others", 0700, &err);
	define("c", 3, 9);
	cr_expect_eq(promised(), 9);
}

Test(ledger, that_is_not_whole_is_made_anew)
{
	own_fd file = -1;

	define("a", 1, 5);
	cr_expect_eq(promised(), 5);
	file = openat(node.runs, ".ledger", O_RDWR | O_CLOEXEC);
	cr_assert_eq(ftruncate(file, 100), 0);
	cr_expect_eq(promised(), 5);
}

Test(ledger, ignores_a_definition_that_cannot_be_read)
{
	own_fd dir = -1;

	define("a", 1, 5);
	dir = dir_make(node.vps, "broken", 0700, &err);
	scratch_put(dir, "vps.conf", "name = broken\nid = 2\nmemory = lots\n");
	cr_expect_eq(promised(), 5);
}

static char lines[2000];

static void note(const char *what, void *arg)
{
	(void)arg;
	strcat(lines, what);
	strcat(lines, "\n");
}

static void verified(bool dry, const char *expected)
{
	lines[0] = 0;
	cr_assert_eq(ledger_verify(&node, dry, note, NULL, &err), 0, "%s", err.msg);
	cr_expect_str_eq(lines, expected);
}

Test(ledger, is_verified_and_corrected)
{
	static const char differs[] = "ledger: b: memory guaranteed: 9M, and 7M was counted\n"
				      "ledger: b: memory at most: 9M, and 7M was counted\n"
				      "ledger: id 1 is counted, and no definition has it\n";

	define("a", 1, 5);
	define("b", 2, 7);
	verified(false, "");
	define("b", 2, 9);
	cr_assert_eq(tree_remove(node.vps, "a", &err), 0);
	lines[0] = 0;
	cr_assert_eq(ledger_verify(&node, true, note, NULL, &err), 0);
	cr_expect_eq(strncmp(lines, differs, strlen(differs)), 0, "%s", lines);
	cr_expect(strstr(lines, "ledger: all: memory guaranteed: 9M, and 12M was counted\n"));
	cr_expect(strstr(lines, "ledger: all: traffic without limit: 1, and 2 was counted\n"));
	cr_expect_eq(promised(), 12, "a dry run only looks");
	cr_assert_eq(ledger_verify(&node, false, note, NULL, &err), 0);
	cr_expect_eq(promised(), 9);
	verified(false, "");
}

Test(ledger, is_verified_to_its_last_id)
{
	static const unsigned ids[] = { 1, 255, 256, 257, 511, 512, 20000, VPS_ID_MAX };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char name[16], stray[80];

		str_format(name, sizeof(name), "v%u", ids[i]);
		str_format(stray, sizeof(stray),
			   "ledger: id %u is counted, and no definition has it\n", ids[i]);
		define(name, ids[i], 7);
		cr_assert_eq(ledger_verify(&node, false, note, NULL, &err), 0);
		cr_assert_eq(tree_remove(node.vps, name, &err), 0);
		lines[0] = 0;
		cr_assert_eq(ledger_verify(&node, false, note, NULL, &err), 0);
		cr_expect_eq(strncmp(lines, stray, strlen(stray)), 0, "%s", lines);
		verified(true, "");
	}
}

Test(ledger, that_is_corrected_keeps_what_is_reserved)
{
	struct vps a = define("a", 1, 5);
	own_ledger ledger = ledger_none();
	own_fd dir = dir_open(node.vps, "a", &err), lock = -1;

	lock = lock_take(dir, "lock", "'test'\n", 0, &err);
	opened(&ledger);
	a.limits.memory_guaranteed = 40 * M;
	cr_assert_eq(ledger_reserve(&ledger, &a, &err), 0);
	ledger_close(&ledger);
	verified(false, "");
	define("b", 2, 7);
	lines[0] = 0;
	cr_assert_eq(ledger_verify(&node, false, note, NULL, &err), 0);
	cr_expect(strstr(lines, "ledger: b: memory guaranteed: 7M, and 0B was counted"), "%s",
		  lines);
	cr_expect_eq(promised(), 47);
}

Test(ledger, admits_what_fits_beside_the_others)
{
	struct vps a = define("a", 1, 5), b = a;
	own_ledger ledger = ledger_none();

	opened(&ledger);
	ledger.capacity.has[RESOURCE_MEMORY] = 100 * M;
	ledger.capacity.ratio[RESOURCE_MEMORY] = 400;
	b.id = 2;
	b.limits.memory_guaranteed = b.limits.memory = 95 * M;
	cr_expect_eq(ledger_admit(&ledger, &b, ADMIT_CHECKED, &err), 0, "%s", err.msg);
	b.limits.memory_guaranteed = b.limits.memory = 96 * M;
	cr_expect_eq(ledger_admit(&ledger, &b, ADMIT_CHECKED, &err), -1);
	cr_expect_eq(err.kind, ERR_LEDGER);
	cr_expect_eq(ledger_admit(&ledger, &b, ADMIT_FORCED, &err), 0);
	cr_expect_eq(ledger.forced.count, 1);

	/* its own 5M are not the others' */
	a.limits.memory_guaranteed = a.limits.memory = 100 * M;
	cr_expect_eq(ledger_admit(&ledger, &a, ADMIT_CHECKED, &err), 0, "%s", err.msg);
}

Test(ledger, lets_a_vps_stay_what_it_is_but_not_start)
{
	struct vps a = define("a", 1, 5);
	own_ledger ledger = ledger_none();

	opened(&ledger);
	ledger.capacity.has[RESOURCE_MEMORY] = 4 * M;
	cr_expect_eq(ledger_admit(&ledger, &a, ADMIT_CHECKED, &err), 0, "%s", err.msg);
	cr_expect_eq(ledger_admit_whole(&ledger, &a, ADMIT_CHECKED, &err), -1);
	cr_expect_eq(ledger_admit_whole(&ledger, &a, ADMIT_KNOWN, &err), 0);
}

Test(ledger, refuses_what_cannot_be_counted_even_when_forced)
{
	struct vps a = define("a", 1, 5);
	own_ledger ledger = ledger_none();

	a.id = 2;
	a.volume.size = UINT64_MAX;
	define("a", 1, 5);
	opened(&ledger);
	ledger.header.promised.max[RESOURCE_DISK] = 1;
	cr_expect_eq(ledger_admit(&ledger, &a, ADMIT_FORCED, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

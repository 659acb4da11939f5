/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "knob.h"
#include "own.h"
#include "str.h"

/* Nobody holds the lock for longer than a few writes take. */
enum { LOCK_MS = 10000 };

/*
 * What the node itself weighs when all of it is busy: three slices of systemd's on v2.  On v1
 * the processes of the root group count one by one; as many as sixteen.
 */
enum { NODE_WEIGHT = 300, NODE_SHARES = 16 * 1024, SHARES_MOST = 102400 };

/*
 * So that of the node's own weight and the parent's, the parent's is the part of the CPUs that
 * is guaranteed.  Not more: if VPSs without a guarantee had all the weight there is, the
 * operator's own commands would take fifty times as long whenever one of them spins.
 */
uint64_t weight_of_parent(uint64_t weights, uint64_t most, uint64_t node)
{
	uint64_t least = most / 100, weight;

	if (weights >= most)
		return most;
	weight = node * weights / (most - weights);
	return weight < least ? least : weight > most ? most : weight;
}

static uint64_t minimum_of(uint64_t sum)
{
	return sum;
}

static uint64_t weight_of_sum(uint64_t sum)
{
	return weight_of_parent(sum, WEIGHT_MOST, NODE_WEIGHT);
}

static uint64_t shares_of_sum(uint64_t sum)
{
	return weight_of_parent(sum, SHARES_MOST, NODE_SHARES);
}

/*
 * @remembered is an attribute of the parent with the sum.  Its knob alone would not do: a
 * systemd that is told to change a property of nodectl-vps.service writes all of them, and the
 * next change of a VPS would be added to a 0.  @part is an attribute of a VPS's group with what
 * it has added; NULL: what its knob holds, which is nothing in a new group.
 */
static const struct row {
	enum sum sum;
	enum controller controller;
	unsigned version;
	const char *knob, *remembered, *part;
	uint64_t (*of)(uint64_t sum);
} rows[] = {
	{ SUM_MINIMUM, CONTROLLER_MEMORY, 2, "memory.min", "trusted.nodectl.minimum", NULL,
	  minimum_of },
	{ SUM_WEIGHT, CONTROLLER_CPU, 2, "cpu.weight", "trusted.nodectl.weight",
	  "trusted.nodectl.weight", weight_of_sum },
	{ SUM_WEIGHT, CONTROLLER_CPU, 1, "cpu.shares", "trusted.nodectl.shares",
	  "trusted.nodectl.shares", shares_of_sum },
};

/* How this host has it: NULL where it has not. */
static const struct row *row_of(const struct hierarchies *hierarchies, enum sum sum)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool on_v1 = hierarchies->v1[rows[i].controller][0];

		if (rows[i].sum == sum && on_v1 == (rows[i].version == 1) &&
		    (on_v1 || hierarchies->on_v2[rows[i].controller]))
			return &rows[i];
	}
	return NULL;
}

const char *sum_mount(const struct hierarchies *hierarchies, enum sum sum)
{
	const struct row *row = row_of(hierarchies, sum);

	if (!row)
		return NULL;
	return row->version == 1 ? hierarchies->v1[row->controller] : hierarchies->unified;
}

const char *sum_knob(const struct hierarchies *hierarchies, enum sum sum)
{
	const struct row *row = row_of(hierarchies, sum);

	return row ? row->knob : NULL;
}

/* ---- one group */

/* 1, or 0 and @value 0 where there is none; -1: that cannot be told. */
static int attribute_look(int dir, const char *name, uint64_t *value, struct err *err)
{
	char text[24];
	ssize_t len = fgetxattr(dir, name, text, sizeof(text) - 1);

	*value = 0;
	if (len < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ERANGE)
		return fail(err, errno, "cannot read '%s' of a group", name);
	if (len <= 0)
		return 0;
	text[len] = 0;
	*value = strtoull(text, NULL, 10);
	return 1;
}

/* One that is out of date is worse than none. */
static void attribute_write(int dir, const char *name, uint64_t value)
{
	char text[24];

	str_format(text, sizeof(text), "%" PRIu64, value);
	if (fsetxattr(dir, name, text, strlen(text), 0) < 0)
		(void)fremovexattr(dir, name);
}

static int number_set(const struct row *row, int dir, uint64_t value, struct err *err)
{
	static const struct limits none;
	struct knob knob = { .controller = row->controller, .name = row->knob };
	struct knob_group group = { .dir = dir, .version = row->version, .limits = &none };
	char old[KNOB_TEXT];

	str_format(knob.value, KNOB_TEXT, "%" PRIu64, value);
	return knob_set(&group, &knob, old, err);
}

/* What the open group of a VPS has added to the sum; one that goes at this moment has nothing
 * any more. */
static int part_look(const struct row *row, int dir, uint64_t *part, struct err *err)
{
	int result = row->part ? attribute_look(dir, row->part, part, err)
			       : number_get(dir, row->knob, part, err);

	if (result >= 0)
		return 0;
	*part = 0;
	return group_is_gone(err) ? 0 : -1;
}

/* ---- their parent */

static int parent_lock(int parent, struct err *err)
{
	unsigned long long end = now_ms() + LOCK_MS;
	const struct timespec pause = { .tv_nsec = 1000000 };

	/* a descriptor of its own: a lock belongs to the open file */
	own_fd fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, "cannot open the group of all VPSs");
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, errno, "cannot lock the group of all VPSs");
		if (now_ms() >= end)
			return fail_as(err, ERR_LOCKED, "the group of all VPSs is locked");
		nanosleep(&pause, NULL);
	}
	return take_fd(&fd);
}

struct adding {
	const struct row *row;
	uint64_t sum;
};

static int child_add(int parent, const char *name, void *arg, struct err *err)
{
	struct adding *adding = arg;
	uint64_t part;

	if (!group_id_of_name(name))
		return 0;
	own_fd dir = dir_open(parent, name, err);
	if (dir < 0)
		return group_is_gone(err) ? 0 : -1;
	if (part_look(adding->row, dir, &part, err) < 0)
		return -1;
	adding->sum += part;
	return 0;
}

/* All of them or none: what is left out would be taken from all VPSs. */
static int add_up(const struct row *row, int parent, uint64_t *sum, struct err *err)
{
	struct adding adding = { .row = row };

	if (group_children(parent, child_add, &adding, err) < 0)
		return -1;
	*sum = adding.sum;
	return 0;
}

/* What we have written down, or else what there is. */
static int sum_recall(const struct row *row, int parent, uint64_t *sum, struct err *err)
{
	int there = attribute_look(parent, row->remembered, sum, err);

	return there ? there < 0 ? -1 : 0 : add_up(row, parent, sum, err);
}

/* What all but this one have added. */
static int others_recall(const struct row *row, int parent, int dir, uint64_t *others,
			 struct err *err)
{
	uint64_t all, part;

	if (sum_recall(row, parent, &all, err) < 0 || part_look(row, dir, &part, err) < 0)
		return -1;
	*others = all > part ? all - part : 0;
	return 0;
}

static int parent_set(const struct row *row, int parent, uint64_t sum, struct err *err)
{
	if (number_set(row, parent, row->of(sum), err) < 0)
		return -1;
	attribute_write(parent, row->remembered, sum);
	return 0;
}

static int child_set(const struct row *row, int dir, uint64_t value, struct err *err)
{
	if (number_set(row, dir, value, err) < 0)
		return -1;
	if (row->part)
		attribute_write(dir, row->part, value);
	return 0;
}

/* Under the lock; @others is what all other VPSs have added. */
static int move(const struct row *row, int parent, int dir, uint64_t others, uint64_t value,
		struct err *err)
{
	uint64_t before, part;
	struct err ignored;
	int result;

	if (number_get(dir, row->knob, &before, err) < 0)
		return -1;
	if (value > before)
		result = parent_set(row, parent, others + value, err) < 0 ||
			 child_set(row, dir, value, err) < 0;
	else
		result = child_set(row, dir, value, err) < 0 ||
			 parent_set(row, parent, others + value, err) < 0;
	if (!result)
		return 0;
	(void)child_set(row, dir, before, &ignored);
	if (part_look(row, dir, &part, &ignored) == 0)
		(void)parent_set(row, parent, others + part, &ignored);
	return -1;
}

/* The parent and the outer group of a VPS, open. */
struct pair {
	int parent, dir;
};

static void pair_close(struct pair *pair)
{
	own_close(&pair->parent);
	own_close(&pair->dir);
}

#define own_pair __attribute__((cleanup(pair_close))) struct pair

static int pair_open(const char *mount, unsigned id, struct pair *pair, struct err *err)
{
	char name[16];

	str_format(name, sizeof(name), "%u", id);
	pair->parent = group_open_parent(mount, err);
	pair->dir = pair->parent < 0 ? -1 : dir_open(pair->parent, name, err);
	return pair->dir < 0 ? -1 : 0;
}

int sum_set(const struct hierarchies *hierarchies, enum sum sum, unsigned id, uint64_t value,
	    uint64_t *old, struct err *err)
{
	const struct row *row = row_of(hierarchies, sum);
	own_pair pair = { -1, -1 };
	uint64_t part, others;

	if (!row)
		return fail(err, ENOENT, "there is no such controller");
	if (pair_open(sum_mount(hierarchies, sum), id, &pair, err) < 0)
		return -1;
	if (faccessat(pair.dir, row->knob, F_OK, 0) < 0)
		return fail(err, errno, "cannot find '%s'", row->knob);
	if (number_get(pair.dir, row->knob, old, err) < 0 ||
	    part_look(row, pair.dir, &part, err) < 0)
		return -1;
	/* neither lock nor change: nobody else changes what is this VPS's */
	if (*old == value && part == value)
		return 0;

	own_fd locked = parent_lock(pair.parent, err);
	if (locked < 0 || others_recall(row, pair.parent, pair.dir, &others, err) < 0)
		return -1;
	return move(row, pair.parent, pair.dir, others, value, err);
}

int sum_leave(const struct hierarchies *hierarchies, enum sum sum, unsigned id, struct err *err)
{
	const struct row *row = row_of(hierarchies, sum);
	own_pair pair = { -1, -1 };
	uint64_t part, others;

	if (!row)
		return 0;
	if (pair_open(sum_mount(hierarchies, sum), id, &pair, err) < 0)
		return group_is_gone(err) ? 0 : -1;
	if (part_look(row, pair.dir, &part, err) < 0)
		return -1;
	if (part == 0)
		return 0;

	own_fd locked = parent_lock(pair.parent, err);
	if (locked < 0 || others_recall(row, pair.parent, pair.dir, &others, err) < 0)
		return -1;
	if (row->part)
		(void)fremovexattr(pair.dir, row->part);
	else if (number_set(row, pair.dir, 0, err) < 0)
		return -1;
	return parent_set(row, pair.parent, others, err);
}

int sum_compare(const struct hierarchies *hierarchies, enum sum sum, uint64_t *want,
		uint64_t *got, struct err *err)
{
	const struct row *row = row_of(hierarchies, sum);

	if (!row)
		return fail(err, ENOENT, "there is no such controller");
	own_fd parent = group_open_parent(sum_mount(hierarchies, sum), err);
	if (parent < 0)
		return -1;
	if (faccessat(parent, row->knob, F_OK, 0) < 0)
		return fail(err, errno, "cannot find '%s'", row->knob);
	own_fd locked = parent_lock(parent, err);
	if (locked < 0)
		return -1;
	if (add_up(row, parent, want, err) < 0 || number_get(parent, row->knob, got, err) < 0)
		return -1;
	*want = row->of(*want);
	return 0;
}

int sum_mend(const struct hierarchies *hierarchies, enum sum sum, struct err *err)
{
	const struct row *row = row_of(hierarchies, sum);

	own_fd parent = row ? group_open_parent(sum_mount(hierarchies, sum), err) : -1;
	if (parent < 0)
		return row && err->code != ENOENT ? -1 : 0;
	own_fd locked = parent_lock(parent, err);
	uint64_t all;
	if (locked < 0 || add_up(row, parent, &all, err) < 0)
		return -1;
	return parent_set(row, parent, all, err);
}

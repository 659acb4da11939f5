/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "minimum.h"

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

static const char minimum[] = "memory.min";

/*
 * The sum as we know it.  memory.min of the parent alone would not do: a systemd that is told
 * to change a property of nodectl-vps.service writes all of them, and the next change of a VPS
 * would be added to its 0.
 */
static const char remembered[] = "trusted.nodectl.memory.min";

/* Nobody holds the lock for longer than a few writes take. */
enum { LOCK_MS = 10000 };

int minimum_lock(int parent, struct err *err)
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

static int sum_add(int parent, const char *name, void *arg, struct err *err)
{
	uint64_t *sum = arg;
	char path[300];

	(void)err;
	if (!group_id_of_name(name))
		return 0;
	str_format(path, sizeof(path), "%s/%s", name, minimum);
	*sum += number_read(parent, path, 0);
	return 0;
}

uint64_t minimum_sum(int parent)
{
	struct err ignored;
	uint64_t sum = 0;

	(void)group_children(parent, sum_add, &sum, &ignored);
	return sum;
}

/* What we have written down, or else what there is. */
static uint64_t sum_recall(int parent)
{
	char text[24];
	ssize_t len = fgetxattr(parent, remembered, text, sizeof(text) - 1);

	if (len <= 0)
		return minimum_sum(parent);
	text[len] = 0;
	return strtoull(text, NULL, 10);
}

static int number_set(int dir, const char *name, uint64_t bytes, struct err *err)
{
	struct knob knob = { .controller = CONTROLLER_MEMORY, .name = name };
	static const struct limits none;
	struct knob_group group = { .dir = dir, .version = 2, .limits = &none };
	char old[KNOB_TEXT];

	str_format(knob.value, KNOB_TEXT, "%" PRIu64, bytes);
	return knob_set(&group, &knob, old, err);
}

static int sum_set(int parent, uint64_t bytes, struct err *err)
{
	char text[24];

	str_format(text, sizeof(text), "%" PRIu64, bytes);
	if (number_set(parent, minimum, bytes, err) < 0)
		return -1;
	/* a sum that is out of date is worse than none */
	if (fsetxattr(parent, remembered, text, strlen(text), 0) < 0)
		(void)fremovexattr(parent, remembered);
	return 0;
}

int minimum_move(int parent, const char *name, uint64_t bytes, uint64_t *old, struct err *err)
{
	char path[64];
	struct err ignored;

	str_format(path, sizeof(path), "%s/%s", name, minimum);
	if (faccessat(parent, path, F_OK, 0) < 0)
		return fail(err, errno, "cannot find '%s'", minimum);

	own_fd locked = minimum_lock(parent, err);
	if (locked < 0)
		return -1;
	uint64_t before = number_read(parent, path, 0);
	uint64_t sum = sum_recall(parent), others = sum > before ? sum - before : 0;
	int result;

	if (bytes > before)
		result = sum_set(parent, others + bytes, err) < 0 ||
			 number_set(parent, path, bytes, err) < 0;
	else
		result = number_set(parent, path, bytes, err) < 0 ||
			 sum_set(parent, others + bytes, err) < 0;
	if (result) {
		(void)number_set(parent, path, before, &ignored);
		(void)sum_set(parent, others + before, &ignored);
		return -1;
	}
	*old = before;
	return 0;
}

int minimum_mend(int parent, struct err *err)
{
	own_fd locked = minimum_lock(parent, err);

	return locked < 0 ? -1 : sum_set(parent, minimum_sum(parent), err);
}

int minimum_set(const char *mount, unsigned id, uint64_t bytes, uint64_t *old, struct err *err)
{
	char name[16], path[64];

	own_fd parent = group_open_parent(mount, err);
	if (parent < 0)
		return -1;
	str_format(name, sizeof(name), "%u", id);
	str_format(path, sizeof(path), "%s/%s", name, minimum);
	/* what needs neither lock nor change: most VPSs that go had no guarantee */
	if (number_read(parent, path, UINT64_MAX) == bytes) {
		*old = bytes;
		return 0;
	}
	return minimum_move(parent, name, bytes, old, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "images.h"
#include "io.h"
#include "lab.h"
#include "node.h"
#include "own.h"
#include "store.h"
#include "str.h"

/* On a directory that is there anyway: a lock that leaves no file. */
int selftest_lock(const struct node *node, unsigned wait_ms, struct err *err)
{
	unsigned long long end = now_ms() + wait_ms;
	own_fd fd = openat(node->vps, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(err, errno, "cannot open the storage");
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, errno, "cannot lock the storage");
		if (now_ms() >= end)
			return fail_as(err, ERR_LOCKED, "another self-test is under way");
		usleep(20000);
	}
	return take_fd(&fd);
}

struct sweep {
	const struct node *node;
	bool dry;
	void (*found)(const char *what, void *arg);
	void *arg;
	char (*names)[64];
	size_t count;
};

static void sweep_found(const struct sweep *sweep, const char *name, const char *what)
{
	char line[160];

	str_format(line, sizeof(line), "%s: %s of a self-test that was cut off", name, what);
	if (sweep->found)
		sweep->found(line, sweep->arg);
}

static void sweep_note(struct sweep *sweep, const char *name)
{
	sweep->names = xrealloc(sweep->names, (sweep->count + 1) * sizeof(*sweep->names));
	str_format(sweep->names[sweep->count++], sizeof(*sweep->names), "%s", name);
}

static int sweep_vps(const struct vps *vps, const struct err *broken, void *arg,
		     struct err *err)
{
	struct sweep *sweep = arg;
	own_fd dir = broken ? -1 : vps_dir(sweep->node, vps->name, err);

	if (dir < 0 || faccessat(dir, SELFTEST_MARK, F_OK, 0) < 0)
		return 0;
	sweep_found(sweep, vps->name, "a VPS");
	sweep_note(sweep, vps->name);
	return 0;
}

static int sweep_image(const struct image *image, void *arg, struct err *err)
{
	struct sweep *sweep = arg;

	(void)err;
	if (strcmp(image->source, LAB_SOURCE) != 0 || strlen(image->name) > 63)
		return 0;
	sweep_found(sweep, image->name, "the image");
	sweep_note(sweep, image->name);
	return 0;
}

static int sweep_remove(const struct sweep *sweep, size_t i, bool is_vps, struct err *err)
{
	struct image image;

	if (is_vps)
		return lab_discard(sweep->node, sweep->names[i], err);
	if (node_image_remove(sweep->node, sweep->names[i], &image, err) == 0)
		return 0;
	return err->kind == ERR_NO_IMAGE ? 0 : -1;
}

static int sweep_all(struct sweep *sweep, struct err *err)
{
	size_t count;

	if (vps_each(sweep->node, sweep_vps, sweep, err) < 0)
		return -1;
	count = sweep->count;
	if (image_each(sweep->node->images, sweep_image, sweep, err) < 0)
		return -1;
	for (size_t i = 0; i < sweep->count && !sweep->dry; i++) {
		if (sweep_remove(sweep, i, i < count, err) < 0)
			return fail_in(err, "%s", sweep->names[i]);
	}
	if (faccessat(sweep->node->templates, LAB_TEMPLATES, F_OK, 0) < 0)
		return 0;
	sweep_found(sweep, "templates/" LAB_TEMPLATES, "what was made for VPSs");
	return sweep->dry ? 0 : tree_remove(sweep->node->templates, LAB_TEMPLATES, err);
}

int lab_sweep(const struct node *node, bool dry, void (*found)(const char *what, void *arg),
	      void *arg, struct err *err)
{
	struct sweep sweep = { .node = node, .dry = dry, .found = found, .arg = arg };
	int result = sweep_all(&sweep, err);

	free(sweep.names);
	return result;
}

int selftest_sweep(const struct node *node, bool dry,
		   void (*found)(const char *what, void *arg), void *arg, struct err *err)
{
	own_fd lock = selftest_lock(node, 0, err);

	if (lock < 0)
		return err->kind == ERR_LOCKED ? 0 : -1;
	return lab_sweep(node, dry, found, arg, err);
}

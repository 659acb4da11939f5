/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "knob.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define own_cgroup __attribute__((cleanup(cgroup_free))) struct cgroup *

/* Files with a line for each device grow with the machine. */
enum { FILE_TEXT = 8192 };

bool host_has_swap(void)
{
	char text[4096];
	struct err err;
	ssize_t len = file_read(AT_FDCWD, "/proc/swaps", text, sizeof(text), &err);

	/* a heading, then a line each; many areas do not fit, and are certainly some */
	if (len < 0)
		return err.code == EFBIG;

	const char *heading_end = strchr(text, '\n');
	return heading_end && heading_end[1];
}

int number_get(int dir, const char *name, uint64_t *number, struct err *err)
{
	char text[64];

	if (file_read(dir, name, text, sizeof(text), err) < 0)
		return -1;
	text[strcspn(text, "\n")] = 0;
	*number = knob_bytes(text);
	return 0;
}

uint64_t number_read(int dir, const char *name, uint64_t otherwise)
{
	struct err ignored;
	uint64_t number;

	return number_get(dir, name, &number, &ignored) < 0 ? otherwise : number;
}

int knob_read(int dir, const struct knob *knob, char text[KNOB_TEXT], struct err *err)
{
	char file[FILE_TEXT];

	if (file_read(dir, knob->name, file, sizeof(file), err) < 0)
		return -1;
	knob_text(knob, file, text, KNOB_TEXT);
	return 0;
}

bool knob_is_needless(const struct knob *knob, const struct limits *limits)
{
	if (!(cgroup_asked(limits) & ~limits->accepted & knob->limits))
		return true;
	/* without swap space any limit of it is kept; doctor tells what a later swapon breaks
	 */
	return knob->limits == LIMIT_SWAP && !host_has_swap();
}

int knob_absent(const struct knob *knob, const struct limits *limits, struct err *err)
{
	unsigned missed = cgroup_asked(limits) & ~limits->accepted & knob->limits;

	if (knob_is_needless(knob, limits))
		return 0;
	return fail_as(err, ERR_KERNEL, "this host cannot enforce the limit of %s: no '%s'",
		       limit_name((enum limit)(missed & -missed)), knob->name);
}

/* @fd stands on a knob: has it that value?  What it has is in @got. */
static bool knob_is(int fd, const struct knob *knob, char got[KNOB_TEXT])
{
	char file[FILE_TEXT];
	ssize_t len = pread(fd, file, sizeof(file) - 1, 0);

	file[len > 0 ? len : 0] = 0;
	knob_text(knob, file, got, KNOB_TEXT);
	return knob_matches(knob, got);
}

/*
 * Through libcgroup.  Nothing is returned: whoever looks at the knob afterwards sees whether it
 * was taken, and why not, which the library does not tell.  It knows no group but the one.
 */
static void library_write(const struct knob_group *group, const struct knob *knob)
{
	own_cgroup cgroup = cgroup_new_cgroup(group->library);
	struct cgroup_controller *controller =
	    cgroup ? cgroup_add_controller(cgroup,
					   controller_name(knob->controller, group->version))
		   : NULL;

	if (controller && cgroup_add_value_string(controller, knob->name, knob->value) == 0)
		(void)cgroup_modify_cgroup(cgroup);
}

/* With an end of line: no text at all would be no write at all. */
static bool text_write(int fd, const char *text)
{
	char line[KNOB_TEXT + 1];
	ssize_t len = (ssize_t)strlen(text) + 1;

	memcpy(line, text, (size_t)len - 1);
	line[len - 1] = '\n';
	return pwrite(fd, line, (size_t)len, 0) == len;
}

int knob_set(const struct knob_group *group, const struct knob *knob, char old[KNOB_TEXT],
	     struct err *err)
{
	char got[KNOB_TEXT];

	own_fd fd = openat(group->dir, knob->name, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return knob_absent(knob, group->limits, err);
	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", knob->name);
	if (knob_is(fd, knob, old))
		return 0;

	if (group->library && *knob->value && !knob_is_guests(knob))
		library_write(group, knob);
	if (group->library && knob_is(fd, knob, got))
		return 1;
	if (!text_write(fd, knob->value))
		return fail(err, errno, "cannot change '%s' from '%s' to '%s'", knob->name, old,
			    knob->value);
	if (knob_is(fd, knob, got))
		return 1;
	return fail_as(err, ERR_KERNEL, "'%s' is '%s' after it was set to '%s'", knob->name,
		       got, knob->value);
}

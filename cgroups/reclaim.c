/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"

int cgroup_reclaim(uint64_t bytes, struct err *err)
{
	struct hierarchies hierarchies;
	char text[32];

	if (hierarchies_find(&hierarchies, err) < 0)
		return -1;
	own_fd parent = group_open_parent(hierarchies.unified, err);
	if (parent < 0)
		return -1;
	if (faccessat(parent, "memory.reclaim", F_OK, 0) < 0)
		return fail_as(err, ERR_KERNEL,
			       "this kernel has no memory.reclaim (Linux 5.19, cgroup v2)");
	str_format(text, sizeof(text), "%" PRIu64, bytes);
	/* it took what it could get */
	if (file_write(parent, "memory.reclaim", text, err) < 0 && err->code != EAGAIN)
		return -1;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups.h"
#include "err.h"
#include "images.h"
#include "runtime.h"
#include "vps.h"

#define IO (LIMIT_IO_READ | LIMIT_IO_WRITE | LIMIT_IO_WEIGHT)

int runtime_limits(const struct vps *vps, const struct place *place, struct limits *limits,
		   struct err *err)
{
	unsigned asked = cgroup_asked(&vps->limits) & ~vps->limits.accepted & IO;
	dev_t device = 0;

	if (volume_device(place->dir, &device, err) < 0 && asked)
		return fail_in(err, "%s", limit_name((enum limit)(asked & -asked)));
	*limits = vps->limits;
	limits->device = device;
	return 0;
}

int runtime_limit(const struct vps *vps, const struct place *place, struct err *err)
{
	struct limits limits;

	if (runtime_limits(vps, place, &limits, err) < 0)
		return -1;
	return cgroup_limit(vps->id, &limits, err);
}

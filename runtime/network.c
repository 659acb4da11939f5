/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network of a VPS that runs, as it is changed and compared; a start makes it (start.c). */
#include <errno.h>
#include <sys/pidfd.h>

#include "err.h"
#include "guard.h"
#include "netns.h"
#include "own.h"
#include "runtime.h"
#include "start.h"
#include "vps.h"

/* What a used-up quota leaves of a rate; 0 is no limit. */
static uint64_t throttled(uint64_t rate, uint64_t throttle)
{
	return throttle && (!rate || throttle < rate) ? throttle : rate;
}

struct link link_of(const struct vps *vps)
{
	struct link link = vps->link;

	link_settle(&link);
	link.rate_in = throttled(link.rate_in, vps->throttle);
	link.rate_out = throttled(link.rate_out, vps->throttle);
	link.accepted = (vps->limits.accepted & LIMIT_RATE_IN ? LINK_RATE_IN : 0) |
			(vps->limits.accepted & LIMIT_RATE_OUT ? LINK_RATE_OUT : 0);
	return link;
}

/*
 * The root of a VPS may remove its interface, and this end goes with it.  What is set meanwhile
 * is set for the next start, which makes both: nothing passes until then, and he does not keep
 * the operator from changing all else.
 */
static bool link_find(const struct vps *vps, struct link *link)
{
	*link = link_of(vps);
	return link_is_wanted(link) && link_exists(vps->id);
}

int runtime_shape(const struct vps *vps, struct err *err)
{
	struct link link;

	return link_find(vps, &link) ? link_shape(vps->id, &link, err) : 0;
}

int runtime_guard(const struct vps *vps, const struct place *place, struct err *err)
{
	struct status status;
	struct link link;

	if (!link_find(vps, &link))
		return 0;
	/* one that an older nodectl started has no bound */
	runtime_status(vps->id, place->run, &status);
	if (status.init && link_neighbours_bound(vps->id, status.init, err) < 0)
		return -1;
	return link_guard(vps->id, place->bridge, &link, err);
}

int runtime_guard_diff(const struct vps *vps, const struct bridge *bridge,
		       int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	struct link link = link_of(vps);

	return link_is_wanted(&link) ? link_guard_diff(vps->id, bridge, &link, each, arg, err)
				     : 0;
}

int runtime_shape_diff(const struct vps *vps,
		       int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	struct link link = link_of(vps);

	return link_is_wanted(&link) ? link_diff(vps->id, &link, each, arg, err) : 0;
}

/* The network namespace of guest init, by what cannot become another process. */
static int netns_open(const struct vps *vps, const struct place *place, struct err *err)
{
	struct status status, again;

	runtime_status(vps->id, place->run, &status);
	own_fd pidfd = status.init ? pidfd_open(status.init, 0) : -1;
	runtime_status(vps->id, place->run, &again);
	if (pidfd < 0 || again.init != status.init)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running any more");
	return take_fd(&pidfd);
}

static int addresses_apply(const struct vps *vps, const struct link *before,
			   const struct link *after, const struct place *place, struct err *err)
{
	own_fd netns = netns_open(vps, place, err);
	struct inquiry inquiry = inquiry_none();

	if (netns < 0)
		return -1;
	/* what it had before is its own */
	if (before && !place->unasked &&
	    (inquiry_begin(&inquiry, vps->id, place->bridge, before, after, err) < 0 ||
	     inquiry_end(&inquiry, err) < 0))
		return -1;
	if (link_change(vps->id, place->bridge, before, after, netns, err) < 0)
		return -1;
	return link_announce(vps->id, place->bridge, before, after, err);
}

static bool has_same_addresses(const struct link *a, const struct link *b)
{
	struct address one, other;

	for (unsigned n = 0;; n++) {
		bool more = link_allowed(a, n, &one);

		if (more != link_allowed(b, n, &other))
			return false;
		if (!more)
			return true;
		if (!address_is_equal(&one, &other))
			return false;
	}
}

/* What may come in is closed before a forward is opened. */
static int forwards_apply(unsigned id, const struct link *before, const struct link *after,
			  const struct place *place, struct err *err)
{
	if (before && wall_change(id, place->bridge, before, after, err) == 0 &&
	    nat_change(id, place->bridge, before, after, err) == 0)
		return 0;
	/* the table may be gone */
	if (before && err->code != ENOENT)
		return -1;
	if (bridge_ensure(place->bridge, false, err) < 0 ||
	    wall_mend(id, place->bridge, after, err) < 0)
		return -1;
	return nat_mend(id, place->bridge, after, err);
}

int runtime_network(const struct vps *before, const struct vps *after,
		    const struct place *place, struct err *err)
{
	struct link was = before ? link_of(before) : (struct link){ 0 }, is = link_of(after);
	bool has = link_is_wanted(&is), had = link_is_wanted(&was);

	if (!before)
		had = place->was ? link_is_wanted(place->was) : link_exists(after->id);
	if (had != has)
		return fail_as(err, ERR_RUNNING,
			       "%s address is for a VPS that is stopped: stop it first",
			       has ? "its first" : "taking away the last");
	if (!has)
		return 0;
	if ((!before || !has_same_addresses(&was, &is)) &&
	    addresses_apply(after, before ? &was : NULL, &is, place, err) < 0)
		return -1;
	return forwards_apply(after->id, before ? &was : NULL, &is, place, err);
}

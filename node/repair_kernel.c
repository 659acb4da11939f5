/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "io.h"
#include "lease.h"
#include "meter.h"
#include "netns.h"
#include "node.h"
#include "own.h"
#include "repair.h"
#include "runtime.h"
#include "str.h"

static bool id_is_ours(const struct repair *repair, unsigned id)
{
	return id >= repair->node->range.first && id <= repair->node->range.last;
}

/* The VPS that has @id; empty when it is nobody's.  -1 when that cannot be told: what was not
 * seen to be garbage is none. */
static int id_owner(const struct repair *repair, unsigned id, char *name, size_t size)
{
	struct err ignored;
	char key[16];

	str_format(key, sizeof(key), "%u", id);
	if (lease_owner(repair->node->ids, key, name, size, &ignored) < 0)
		return -1;
	int there = *name ? name_look(repair->node->vps, name, &ignored) : 0;
	if (!there)
		*name = 0;
	return there < 0 ? -1 : 0;
}

/* So that nobody starts it meanwhile, or gives what is nobody's (an empty @name) to a new one.
 */
static int owner_lock(const struct repair *repair, const char *name, struct err *err)
{
	return name[0] ? repair_lock(repair, name, err) : repair_naming(repair, err);
}

static bool id_runs(const struct repair *repair, unsigned id, const char *name)
{
	struct status status;
	struct err err;
	own_fd run = dir_open(repair->node->runs, name, &err);

	if (run < 0 && err.code != ENOENT)
		return true;
	runtime_status(id, run, &status);
	return status.init || status.lost;
}

/* Two nodes of one machine that were given the same ids would end each other's VPSs. */
static bool is_elsewhere(struct repair *repair, unsigned id)
{
	if (!runtime_is_watched(id))
		return false;
	if (!repair->told[id])
		repair_found(repair,
			     "id %u: a VPS of another node runs with it; "
			     "give each node of this machine ids of its own ('ids' in %s)",
			     id, repair->node->config);
	repair->told[id] = true;
	return true;
}

/*
 * Is what carries @id garbage?  *@lock becomes the lock under which that stays so: none with
 * that id is started, or is just between stop and start, while it is removed.
 */
static bool id_is_dead(struct repair *repair, unsigned id, int *lock)
{
	char name[80], again[80];
	struct err err;

	if (id_owner(repair, id, name, sizeof(name)) < 0 ||
	    (name[0] && id_runs(repair, id, name)))
		return false;
	*lock = owner_lock(repair, name, &err);
	if (*lock < 0)
		return repair_passed_over(repair, &err);
	return id_owner(repair, id, again, sizeof(again)) == 0 && strcmp(name, again) == 0 &&
	       (!name[0] || !id_runs(repair, id, name)) && !is_elsewhere(repair, id);
}

static int group_one(unsigned id, void *arg, struct err *err)
{
	struct repair *repair = arg;
	own_fd lock = -1;

	if (!id_is_ours(repair, id) || !id_is_dead(repair, id, &lock) || !cgroup_exists(id))
		return 0;
	repair_found(repair, "control group of id %u: no VPS with it runs", id);
	if (!repair->dry && (cgroup_kill(id, 10000, err) < 0 || cgroup_remove(id, err) < 0))
		return repair_failed(repair, err);
	return 0;
}

static int link_one(unsigned id, void *arg, struct err *err)
{
	struct repair *repair = arg;
	own_fd lock = -1;

	if (!id_is_ours(repair, id) || !id_is_dead(repair, id, &lock) || !link_is_left(id))
		return 0;
	repair_found(repair, "interface of id %u: no VPS with it runs", id);
	if (!repair->dry && link_remove(id, err) < 0)
		return repair_failed(repair, err);
	return 0;
}

/* What was counted for a VPS that is no more. */
static int meter_one(unsigned id, void *arg, struct err *err)
{
	struct repair *repair = arg;
	char name[80];

	if (!id_is_ours(repair, id))
		return 0;
	own_fd lock = repair_naming(repair, err);
	if (lock < 0)
		return repair_passed_over(repair, err);
	/* or forgotten since we have seen it, with its VPS */
	if (id_owner(repair, id, name, sizeof(name)) < 0 || name[0] || !meter_has(id) ||
	    is_elsewhere(repair, id))
		return 0;
	repair_found(repair, "meter of id %u: there is no VPS with it", id);
	if (!repair->dry && meter_forget(id, err) < 0)
		return repair_failed(repair, err);
	return 0;
}

static int nat_one(const struct nat_entry *entry, void *arg, struct err *err)
{
	struct repair *repair = arg;
	char address[ADDRESS_TEXT], publish[PUBLISH_TEXT];
	own_fd lock = -1;

	if (!id_is_ours(repair, entry->id) || !id_is_dead(repair, entry->id, &lock) ||
	    !nat_entry_exists(&repair->node->bridge, entry))
		return 0;
	address_print(&entry->to, false, address, sizeof(address));
	publish_print(&entry->publish, publish, sizeof(publish));
	repair_found(repair, "forward %s to %s: no VPS with it runs", publish, address);
	if (!repair->dry && nat_entry_remove(&repair->node->bridge, entry, err) < 0)
		return repair_failed(repair, err);
	return 0;
}

/* What may come in to a VPS that does not run. */
static int wall_one(unsigned id, void *arg, struct err *err)
{
	struct repair *repair = arg;
	own_fd lock = -1;

	if (!id_is_ours(repair, id) || !id_is_dead(repair, id, &lock) ||
	    !wall_is_left(id, &repair->node->bridge))
		return 0;
	repair_found(repair, "firewall of id %u: no VPS with it runs", id);
	if (!repair->dry && wall_mend(id, &repair->node->bridge, NULL, err) < 0)
		return repair_failed(repair, err);
	return 0;
}

/* Who has what the route leads to, where it leads; empty when nobody.  -1 as id_owner(). */
static int route_owner(const struct repair *repair, const struct link_route *route, char *name,
		       size_t size)
{
	struct err ignored;

	if (route->id)
		return id_owner(repair, route->id, name, size);
	return lease_owner_of(repair->node, &route->to, name, size, &ignored);
}

/* Does the VPS @name run?  Then @id and @link are what it runs with. */
static bool runs_with(const struct repair *repair, const char *name, unsigned *id,
		      struct link *link)
{
	own_vps vps = { 0 }, started = { 0 };
	struct err ignored;

	if (!name[0] || vps_load(repair->node, name, &vps, &ignored) < 0 ||
	    !id_runs(repair, vps.id, name))
		return false;
	bool known = vps_started_load(repair->node, name, &started, &ignored) == 0;
	struct vps running = vps_as_running(&vps, known ? &started.link : NULL);
	*id = running.id;
	*link = running.link;
	return true;
}

/* Does the VPS @name run, with that route? */
static bool route_is_needed(const struct repair *repair, const char *name,
			    const struct link_route *route)
{
	struct link link;
	unsigned id;

	return runs_with(repair, name, &id, &link) &&
	       link_needs_route(id, &repair->node->bridge, &link, route);
}

static bool neighbour_is_needed(const struct repair *repair, const char *name,
				const struct link_neighbour *neighbour)
{
	struct link link;
	unsigned id;

	return runs_with(repair, name, &id, &link) && link_needs_neighbour(&link, neighbour);
}

/* Who has the address next may be a machine of somebody else, which the node would not find. */
static int neighbour_one(const struct link_neighbour *neighbour, void *arg, struct err *err)
{
	struct repair *repair = arg;
	char name[80], again[80], text[ADDRESS_TEXT];

	if (!id_is_ours(repair, neighbour->id) ||
	    id_owner(repair, neighbour->id, name, sizeof(name)) < 0 ||
	    neighbour_is_needed(repair, name, neighbour))
		return 0;
	own_fd lock = owner_lock(repair, name, err);
	if (lock < 0)
		return repair_passed_over(repair, err);
	if (id_owner(repair, neighbour->id, again, sizeof(again)) < 0 ||
	    strcmp(name, again) != 0 || neighbour_is_needed(repair, name, neighbour) ||
	    !link_neighbour_exists(&repair->node->bridge, neighbour))
		return 0;
	address_print(&neighbour->address, false, text, sizeof(text));
	repair_found(repair, "neighbour %s of id %u: no VPS with it runs", text, neighbour->id);
	if (!repair->dry && link_neighbour_remove(&repair->node->bridge, neighbour, err) < 0)
		return repair_failed(repair, err);
	return 0;
}

/* Whoever gives an address to a VPS holds its lock until the definition says so. */
static int route_one(const struct link_route *route, void *arg, struct err *err)
{
	struct repair *repair = arg;
	char name[80], again[80], to[ADDRESS_TEXT];

	if (route->id && !id_is_ours(repair, route->id))
		return 0;
	if (route_owner(repair, route, name, sizeof(name)) < 0 ||
	    route_is_needed(repair, name, route))
		return 0;
	own_fd lock = owner_lock(repair, name, err);
	if (lock < 0)
		return repair_passed_over(repair, err);
	if (route_owner(repair, route, again, sizeof(again)) < 0 || strcmp(name, again) != 0 ||
	    route_is_needed(repair, name, route) ||
	    !link_route_exists(&repair->node->bridge, route))
		return 0;
	address_print(&route->to, true, to, sizeof(to));
	repair_found(repair, "route to %s: no VPS with it runs", to);
	if (!repair->dry && link_route_remove(&repair->node->bridge, route, err) < 0)
		return repair_failed(repair, err);
	return 0;
}

/* One that has ended and waits for its parent is no process any more. */
static bool is_zombie(int proc, const char *entry)
{
	char path[32], line[1024];
	const char *state;
	struct err ignored;

	str_format(path, sizeof(path), "%.16s/stat", entry);
	if (file_read(proc, path, line, sizeof(line), &ignored) < 0)
		return true;
	state = strrchr(line, ')');
	return state && (state[2] == 'Z' || state[2] == 'X');
}

/* The id whose host ids a process has; 0 when it has none of ours, or has ended. */
static unsigned id_of_process(const struct repair *repair, int proc, const char *entry)
{
	struct stat stat;
	unsigned id;

	if (fstatat(proc, entry, &stat, 0) < 0 || stat.st_uid < VPS_UID_MIN + VPS_ID_SIZE)
		return 0;
	id = (stat.st_uid - VPS_UID_MIN) / VPS_ID_SIZE;
	if (id > VPS_ID_MAX || !id_is_ours(repair, id) || is_zombie(proc, entry))
		return 0;
	return id;
}

/* Whoever runs with host ids of a VPS that does not run got out of its control groups. */
static int process_one(int proc, const char *entry, void *arg, struct err *err)
{
	struct repair *repair = arg;
	pid_t pid = (pid_t)strtol(entry, NULL, 10);
	unsigned id = pid > 0 ? id_of_process(repair, proc, entry) : 0;
	own_fd lock = -1;

	if (!id || !id_is_dead(repair, id, &lock))
		return 0;

	/* what we hold is no other any more */
	own_fd pidfd = pidfd_open(pid, 0);
	if (pidfd < 0 || id_of_process(repair, proc, entry) != id)
		return 0;
	repair_found(repair, "process %d with the ids of id %u: no VPS with it runs", pid, id);
	if (repair->dry || pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0 || errno == ESRCH)
		return 0;
	fail(err, errno, "cannot kill process %d", pid);
	return repair_failed(repair, err);
}

static int processes(struct repair *repair, struct err *err)
{
	own_fd proc = dir_open(AT_FDCWD, "/proc", err);

	return proc < 0 ? -1 : dir_each(proc, process_one, repair, err);
}

/* What else differs of the bridge `diff` tells, and the next start mends. */
static int bridge_one(const struct link_knob *knob, void *arg, struct err *err)
{
	struct repair *repair = arg;
	const struct bridge *bridge = &repair->node->bridge;

	if (knob->equal || strcmp(knob->name, "uplink") != 0)
		return 0;
	repair_found(repair, "uplink %s: it is %s, not %s", knob->device, knob->got,
		     knob->want);
	if (repair->dry || bridge_ensure(bridge, true, err) == 0)
		return 0;
	return repair_failed(repair, err);
}

void repair_kernel(struct repair *repair)
{
	struct err err;

	if (bridge_diff(&repair->node->bridge, bridge_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);

	if (processes(repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (cgroup_each(group_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (link_each(link_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (meter_ids(meter_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (nat_each(&repair->node->bridge, nat_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (wall_each(&repair->node->bridge, wall_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (link_routes_each(&repair->node->bridge, route_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	if (link_neighbours_each(&repair->node->bridge, neighbour_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
	int hurry = guard_hurry_left(repair->dry, &err);
	if (hurry > 0)
		repair_found(repair, "rcu_expedited: somebody who was killed has left it on");
	if (hurry < 0)
		(void)repair_failed(repair, &err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "lease.h"
#include "ledger.h"
#include "netns.h"
#include "node.h"
#include "own.h"
#include "runtime.h"
#include "selftest.h"
#include "store.h"
#include "str.h"
#include "view.h"

#define VOLUME_MS   15000u /* for the last mount of a volume to be gone */
#define PATIENCE_MS 500	   /* for all together that are at work */
#define PAUSE_MS    5

/*
 * Everything that nodectl makes carries a VPS's id or name.  So repair goes
 * through each place where such things can be, asks who owns each, and removes
 * what nobody does.  What belongs to a VPS whose lock is held is work under way.
 */
struct repair {
	const struct node *node;
	bool dry;
	void (*found)(const char *what, void *arg);
	void *arg;
	unsigned patience; /* ms left for who may just be dying */
};

static void __attribute__((format(printf, 2, 3)))
found(const struct repair *repair, const char *fmt, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	repair->found(line, repair->arg);
}

static bool is_busy(const struct repair *repair, const char *name)
{
	struct err ignored;
	own_fd dir = dir_open(repair->node->vps, name, &ignored);

	return (dir >= 0 && lock_is_held(dir, "lock")) || staging_is_alive(repair->node, name);
}

static bool exists(const struct repair *repair, const char *name)
{
	return faccessat(repair->node->vps, name, F_OK, 0) == 0;
}

/* May something that carries @id be in the kernel: does it run, or is it being worked on? */
static bool id_is_live(const struct repair *repair, unsigned id)
{
	char key[16], name[80];
	struct status status;
	struct err ignored;

	str_format(key, sizeof(key), "%u", id);
	lease_owner(repair->node->ids, key, name, sizeof(name));
	if (!name[0])
		return false;
	if (is_busy(repair, name))
		return true;

	own_fd run = dir_open(repair->node->runs, name, &ignored);
	runtime_status(id, run, &status);
	return status.init || status.lost;
}

/*
 * Is what carries @id garbage?  *@lock becomes the lock of the VPS that has it, so that none is
 * started, or is just between stop and start, while it is removed.
 */
static bool id_is_dead(const struct repair *repair, unsigned id, int *lock)
{
	char key[16], name[80];
	struct status status;
	struct err ignored;

	if (id_is_live(repair, id))
		return false;
	str_format(key, sizeof(key), "%u", id);
	lease_owner(repair->node->ids, key, name, sizeof(name));
	if (!name[0] || !exists(repair, name))
		return true;

	own_fd run = -1;
	own_fd dir = dir_open(repair->node->vps, name, &ignored);
	*lock = dir < 0 ? -1 : lock_take(dir, "lock", "'nodectl repair'\n", 0, &ignored);
	if (*lock < 0)
		return false;
	run = dir_open(repair->node->runs, name, &ignored);
	runtime_status(id, run, &status);
	return !status.init && !status.lost;
}

static bool id_is_ours(const struct repair *repair, unsigned id)
{
	return id >= repair->node->first_id && id <= repair->node->last_id;
}

static int volume_mend(const struct repair *repair, const struct vps *vps, bool runs,
		       struct err *err)
{
	own_held held = held_none();

	if (vps_hold(repair->node, vps->name, "repair", &held, err) < 0)
		return -1;
	return runs ? volume_grow(held.place.dir, &held.vps.volume, err)
		    : volume_settle(held.place.dir, &held.vps.volume, VOLUME_MS, err);
}

/* A disk that is not of the size that its definition says.  One in use may have to wait for its
 * next start. */
static void volume_one(const struct repair *repair, const struct vps *vps, bool runs)
{
	struct err err;
	own_fd dir = vps_dir(repair->node, vps->name, &err);
	int settled = 1;

	if (dir >= 0 && (!runs || volume_grows_live()))
		settled = volume_is_settled(dir, &vps->volume, &err);
	if (settled == 0) {
		found(repair, "%s: its disk is not of the size that it should have", vps->name);
		if (!repair->dry)
			settled = volume_mend(repair, vps, runs, &err);
	}
	if (settled < 0)
		found(repair, "%s: %s", vps->name, err.msg);
}

struct records {
	const struct repair *repair;
	const char *vps;
};

/* ".NAME.PID" is a record being written (file_replace()); its writer lives or it is left. */
static int record_one(int dir, const char *entry, void *arg, struct err *err)
{
	const struct records *records = arg;
	const char *pid = strrchr(entry, '.');

	if (entry[0] != '.' || pid == entry || !pid[1] ||
	    pid[1 + strspn(pid + 1, "0123456789")] || kill(atoi(pid + 1), 0) == 0)
		return 0;
	found(records->repair, "%s: '%s' was never written whole", records->vps, entry);
	if (!records->repair->dry && unlinkat(dir, entry, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot remove '%s'", entry);
	return 0;
}

static void records_sweep(const struct repair *repair, const struct vps *vps)
{
	struct records records = { repair, vps->name };
	struct err err;
	own_fd dir = vps_dir(repair->node, vps->name, &err);
	own_fd run = dir_open(repair->node->runs, vps->name, &err);

	if ((dir >= 0 && dir_each(dir, record_one, &records, &err) < 0) ||
	    (run >= 0 && dir_each(run, record_one, &records, &err) < 0))
		found(repair, "%s: %s", vps->name, err.msg);
}

/* Who was killed a moment ago holds its locks until what it asked of the disk is done. */
static bool is_at_work(struct repair *repair, const char *name)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };

	for (; is_busy(repair, name); repair->patience -= PAUSE_MS) {
		if (repair->patience < PAUSE_MS)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* An operation that was cut off: taking hold of the VPS settles it. */
static int settle_one(const struct vps *vps, const struct err *broken, void *arg,
		      struct err *err)
{
	struct repair *repair = arg;
	own_held held = held_none();
	struct status status;
	unsigned missing = 0;
	bool blind;

	if (broken) {
		found(repair, "%s", broken->msg);
		return 0;
	}
	if (is_at_work(repair, vps->name))
		return 0;
	vps_status(repair->node, vps, &status);
	if (status.crashed)
		found(repair, "%s: an operation was cut off", vps->name);
	if (status.lost)
		found(repair, "%s: its run record is damaged", vps->name);
	if (status.init && !status.monitor)
		found(repair, "%s: its monitor is gone", vps->name);
	/* one that cannot be mended does not keep the others from it */
	if (lease_restore(repair->node, vps, repair->dry, &missing, err) < 0)
		found(repair, "%s", err->msg);
	else if (missing)
		found(repair, "%s: %u leases were missing", vps->name, missing);
	blind = view_is_lost(repair->node, vps, &status);
	if (blind)
		found(repair, "%s: it has no view of itself in /proc", vps->name);
	if (!repair->dry &&
	    (blind || status.crashed || status.lost || (status.init && !status.monitor)) &&
	    (vps_hold(repair->node, vps->name, "repair", &held, err) < 0 ||
	     (blind && view_mend(repair->node, &held, err) < 0)))
		found(repair, "%s: %s", vps->name, err->msg);
	vps_release(&held);
	held = held_none();
	volume_one(repair, vps, status.init || status.lost);
	records_sweep(repair, vps);
	return 0;
}

static int staging_one(int dir, const char *entry, void *arg, struct err *err)
{
	const struct repair *repair = arg;
	size_t len = strlen(entry);
	char name[80];

	if (entry[0] != '.' || len < 6 || strcmp(entry + len - 4, ".new") != 0)
		return 0;
	str_format(name, sizeof(name), "%.*s", (int)(len - 5 < 79 ? len - 5 : 79), entry + 1);
	if (staging_is_alive(repair->node, name))
		return 0;
	found(repair, "%s: it was never created whole", name);
	return repair->dry ? 0 : tree_remove(dir, entry, err);
}

static int trash_one(int dir, const char *entry, void *arg, struct err *err)
{
	const struct repair *repair = arg;
	struct err ignored;
	own_fd grave = dir_open(dir, entry, &ignored);

	if (grave >= 0 && lock_is_held(grave, "lock"))
		return 0;
	found(repair, "trash: %s", entry);
	return repair->dry ? 0 : tree_remove(dir, entry, err);
}

static int run_one(int dir, const char *name, void *arg, struct err *err)
{
	const struct repair *repair = arg;

	if (strncmp(name, ".ledger", 7) == 0 ||
	    (strcmp(name, ".view") == 0 && !view_is_left(repair->node)))
		return 0;
	if (exists(repair, name) || staging_is_alive(repair->node, name))
		return 0;
	found(repair, "%s/%s: there is no such VPS", repair->node->run, name);
	return repair->dry ? 0 : tree_remove(dir, name, err);
}

/* Does the owner of a lease have it in its definition? */
static bool is_rightful(const struct repair *repair, const char *key, const char *owner)
{
	own_vps vps = { 0 };
	struct err ignored;
	char text[ADDRESS_TEXT];

	if (vps_load(repair->node, owner, &vps, &ignored) < 0)
		return exists(repair, owner);
	str_format(text, sizeof(text), "%u", vps.id);
	if (strcmp(text, key) == 0)
		return true;
	for (int i = 0; i < 2; i++) {
		const struct address *address = i ? &vps.link.ipv6 : &vps.link.ipv4;

		if (!address->family)
			continue;
		address_print(address, false, text, sizeof(text));
		if (strcmp(text, key) == 0)
			return true;
	}
	for (unsigned i = 0; i < vps.link.publish_count; i++) {
		publish_key(&vps.link.publish[i], text, sizeof(text));
		if (strcmp(text, key) == 0)
			return true;
	}
	return false;
}

static int lease_one(int dir, const char *key, void *arg, struct err *err)
{
	const struct repair *repair = arg;
	char owner[80];

	if (strcmp(key, ".last") == 0)
		return 0;
	lease_owner(dir, key, owner, sizeof(owner));
	/* ".KEY.PID" is one being written; its writer lives or it is left over */
	if (key[0] == '.') {
		const char *pid = strrchr(key, '.');

		if (pid > key && kill(atoi(pid + 1), 0) == 0)
			return 0;
	} else if (owner[0] &&
		   (staging_is_alive(repair->node, owner) || is_rightful(repair, key, owner))) {
		return 0;
	}
	found(repair, "lease %s of '%s': nobody has it", key, owner);
	if (!repair->dry && unlinkat(dir, key, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot free lease '%s'", key);
	return 0;
}

static int cgroup_one(unsigned id, void *arg, struct err *err)
{
	const struct repair *repair = arg;

	own_fd lock = -1;

	if (!id_is_ours(repair, id) || !id_is_dead(repair, id, &lock))
		return 0;
	found(repair, "control group of id %u: no VPS with it runs", id);
	if (repair->dry)
		return 0;
	if (cgroup_kill(id, 10000, err) < 0)
		return -1;
	return cgroup_remove(id, err);
}

static int link_one(unsigned id, void *arg, struct err *err)
{
	const struct repair *repair = arg;

	own_fd lock = -1;

	if (!id_is_ours(repair, id) || !id_is_dead(repair, id, &lock))
		return 0;
	found(repair, "interface of id %u: no VPS with it runs", id);
	return repair->dry ? 0 : link_remove(id, err);
}

static int nat_one(const struct nat_entry *entry, void *arg, struct err *err)
{
	const struct repair *repair = arg;
	char address[ADDRESS_TEXT], publish[40];
	own_fd lock = -1;

	if (!id_is_ours(repair, entry->id) || !id_is_dead(repair, entry->id, &lock))
		return 0;
	address_print(&entry->to, false, address, sizeof(address));
	publish_print(&entry->publish, publish, sizeof(publish));
	found(repair, "forward %s to %s: no VPS with it runs", publish, address);
	return repair->dry ? 0 : nat_entry_remove(entry, err);
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

/* Whoever runs with host ids of a VPS that does not run got out of its control groups. */
static int process_one(const struct repair *repair, pid_t pid, int proc, const char *entry,
		       struct err *err)
{
	struct stat stat;
	own_fd lock = -1;
	unsigned id;

	if (fstatat(proc, entry, &stat, 0) < 0 || stat.st_uid < VPS_UID_MIN + VPS_ID_SIZE)
		return 0;
	id = (stat.st_uid - VPS_UID_MIN) / VPS_ID_SIZE;
	if (id > VPS_ID_MAX || !id_is_ours(repair, id) || is_zombie(proc, entry) ||
	    !id_is_dead(repair, id, &lock))
		return 0;
	found(repair, "process %d with the ids of id %u: no VPS with it runs", pid, id);
	if (repair->dry)
		return 0;

	own_fd pidfd = pidfd_open(pid, 0);
	if (pidfd >= 0 && fstatat(proc, entry, &stat, 0) == 0 &&
	    (stat.st_uid - VPS_UID_MIN) / VPS_ID_SIZE == id &&
	    pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return fail(err, errno, "cannot kill process %d", pid);
	return 0;
}

static int process_each(int proc, const char *entry, void *arg, struct err *err)
{
	pid_t pid = (pid_t)strtol(entry, NULL, 10);

	return pid > 0 ? process_one(arg, pid, proc, entry, err) : 0;
}

static int processes(struct repair *repair, struct err *err)
{
	own_fd proc = dir_open(AT_FDCWD, "/proc", err);

	return proc < 0 ? -1 : dir_each(proc, process_each, repair, err);
}

int node_repair(const struct node *node, bool dry, void (*report)(const char *what, void *arg),
		void *arg, struct err *err)
{
	struct repair repair = { node, dry, report, arg, PATIENCE_MS };

	/* VPSs first: what they own then is known; and of those, the ones that nobody misses */
	if (selftest_sweep(node, dry, report, arg, err) < 0 ||
	    vps_each(node, settle_one, &repair, err) < 0 ||
	    repair_limits(node, dry, report, arg, err) < 0 ||
	    dir_each(node->vps, staging_one, &repair, err) < 0 ||
	    dir_each(node->trash, trash_one, &repair, err) < 0 ||
	    dir_each(node->runs, run_one, &repair, err) < 0 ||
	    dir_each(node->ids, lease_one, &repair, err) < 0 ||
	    dir_each(node->addresses, lease_one, &repair, err) < 0 ||
	    processes(&repair, err) < 0 || cgroup_each(cgroup_one, &repair, err) < 0 ||
	    link_each(link_one, &repair, err) < 0 || nat_each(nat_one, &repair, err) < 0 ||
	    ledger_verify(node, dry, report, arg, err) < 0)
		return -1;
	return image_sweep(node->images, dry, report, arg, err) < 0 ? -1 : 0;
}

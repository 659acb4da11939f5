/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "change.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "lease.h"
#include "ledger.h"
#include "node.h"
#include "own.h"
#include "runtime.h"
#include "selftest.h"
#include "store.h"
#include "str.h"
#include "view.h"

#define PATIENCE_MS 500 /* for all together that are at work */
#define PAUSE_MS    5
#define PID_DIGITS  7 /* PID_MAX_LIMIT is 4194304 */
#define SKELETON    ".skeleton."

static const char holder[] = "'nodectl repair'\n";

void repair_found(const struct repair *repair, const char *fmt, ...)
{
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	repair->found(line, repair->arg);
}

int repair_failed(struct repair *repair, const struct err *err)
{
	repair_found(repair, "%s", err->msg);
	repair->failed++;
	return 0;
}

/* One that cannot be looked at is there: what was not seen to be nobody's is not taken away. */
static bool exists(const struct repair *repair, const char *name)
{
	struct err ignored;

	return name_look(repair->node->vps, name, &ignored) != 0;
}

/* Is a VPS, or the making of one, at work? */
static bool is_busy(const struct repair *repair, const char *name)
{
	struct err ignored;
	own_fd dir = dir_open(repair->node->vps, name, &ignored);

	return (dir >= 0 && lock_is_held(dir, "lock")) || staging_is_alive(repair->node, name);
}

int repair_lock(const struct repair *repair, const char *name, struct err *err)
{
	struct stat held, now;
	own_fd dir = dir_open(repair->node->vps, name, err);
	own_fd lock = dir < 0 ? -1 : lock_take(dir, "lock", holder, 0, err);

	if (lock < 0)
		return err->kind == ERR_LOCKED || err->code == ENOENT
			   ? -1
			   : fail_in(err, "%s: cannot be looked at", name);
	if (fstat(dir, &held) < 0 || fstatat(repair->node->vps, name, &now, 0) < 0)
		return fail(err, errno, "%s: cannot be looked at", name);
	/* one of that name may have been destroyed since, and another made */
	if (held.st_ino != now.st_ino)
		return fail_as(err, ERR_LOCKED, "%s: another was made", name);
	return take_fd(&lock);
}

int repair_passed_over(struct repair *repair, const struct err *err)
{
	return err->kind == ERR_LOCKED || err->code == ENOENT ? 0 : repair_failed(repair, err);
}

int repair_naming(const struct repair *repair, struct err *err)
{
	return naming_take(repair->node, holder, err);
}

/* Take hold of a VPS, which settles it, also one whose definition cannot be read.  1: somebody
 * else has it, or has destroyed it. */
static int hold(const struct repair *repair, const char *name, struct held *held,
		struct err *err)
{
	*held = held_none();
	if (vps_hold_left(repair->node, name, "repair", held, err) == 0)
		return 0;
	if (held->place.lock < 0 && (err->kind == ERR_LOCKED || err->kind == ERR_NO_VPS))
		return 1;
	return strncmp(err->msg, name, strlen(name)) == 0 ? -1 : fail_in(err, "%s", name);
}

static int volume_mend(const struct repair *repair, const struct vps *vps, bool runs,
		       struct err *err)
{
	own_held held = held_none();
	int result = hold(repair, vps->name, &held, err);

	if (result)
		return result < 0 ? -1 : 0;
	result = disk_settle(&held.vps, held.place.dir, runs, err);
	return result < 0 ? fail_in(err, "%s", vps->name) : 0;
}

/* Is the disk of the size that its definition says?  One in use may have to wait for its next
 * start. */
static int volume_look(const struct repair *repair, const struct vps *vps, bool runs,
		       struct err *err)
{
	own_fd dir = vps_dir(repair->node, vps->name, err);

	if (dir < 0 || (runs && !volume_grows_live()))
		return 1;
	int settled = volume_is_settled(dir, &vps->volume, err);
	return settled < 0 ? fail_in(err, "%s", vps->name) : settled;
}

struct records {
	struct repair *repair;
	const char *of;
	const char *only; /* records of that name, or NULL: all */
	bool silent;	  /* nobody has promised anything of these: they end with the boot */
};

/* ".NAME.PID" is a record being written (file_replace()), or what something is made from; its
 * writer lives, or has just ended and taken it along, or it is left. */
static int record_one(int dir, const char *entry, void *arg, struct err *err)
{
	const struct records *records = arg;
	const char *pid = strrchr(entry, '.');

	if (entry[0] != '.' || pid == entry || !pid[1] ||
	    pid[1 + strspn(pid + 1, "0123456789")] || strlen(pid + 1) > PID_DIGITS ||
	    (records->only && (strncmp(entry + 1, records->only, strlen(records->only)) != 0 ||
			       pid != entry + 1 + strlen(records->only))) ||
	    kill(atoi(pid + 1), 0) == 0 || faccessat(dir, entry, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!records->silent)
		repair_found(records->repair, "%s: '%s' was never written whole", records->of,
			     entry);
	if (records->repair->dry)
		return 0;
	/* what is made from a directory */
	if (strncmp(entry, SKELETON, strlen(SKELETON)) == 0)
		return tree_remove(dir, entry, err);
	if (unlinkat(dir, entry, 0) < 0 && errno != ENOENT)
		return fail(err, errno, "cannot remove '%s'", entry);
	return 0;
}

/* The same of what is the node's own: in the directory @path, if it is there. */
static void node_records(struct repair *repair, int at, const char *path, const char *only,
			 bool silent)
{
	struct records records = { repair, "the node", only, silent };
	struct err err;
	own_fd dir = dir_open(at, path, &err);

	if (dir < 0 && (err.code == ENOENT || err.code == ENOTDIR || err.code == ELOOP))
		return;
	if (dir < 0 || dir_each(dir, record_one, &records, &err) < 0)
		(void)repair_failed(repair, &err);
}

static int report_one(int dir, const char *period, void *arg, struct err *err)
{
	(void)err;
	node_records(arg, dir, period, NULL, false);
	return 0;
}

static void node_records_sweep(struct repair *repair)
{
	const struct node *node = repair->node;
	char config[sizeof(node->config)], place[sizeof(node->config)];
	struct err err;

	/* beside it is what is not ours */
	str_format(config, sizeof(config), "%s", node->config);
	str_format(place, sizeof(place), "%s", node->config);
	node_records(repair, AT_FDCWD, dirname(place), basename(config), false);
	node_records(repair, AT_FDCWD, node->plans, NULL, false);
	node_records(repair, node->dir, ".", NULL, false);
	node_records(repair, node->dir, "networks", NULL, false);
	node_records(repair, node->templates, ".", NULL, false);
	node_records(repair, node->runs, ".view", NULL, true);
	own_fd reports = dir_open(node->dir, "reports", &err);
	if (reports >= 0 && dir_each(reports, report_one, repair, &err) < 0)
		(void)repair_failed(repair, &err);
}

static void records_sweep(struct repair *repair, const struct vps *vps)
{
	struct records kept = { repair, vps->name, NULL, false };
	struct records passing = { repair, vps->name, NULL, true };
	struct err err;
	own_fd dir = vps_dir(repair->node, vps->name, &err);
	own_fd run = dir_open(repair->node->runs, vps->name, &err);

	if ((dir >= 0 && dir_each(dir, record_one, &kept, &err) < 0) ||
	    (run >= 0 && dir_each(run, record_one, &passing, &err) < 0))
		(void)repair_failed(repair, &err);
}

/* Who was killed a moment ago holds its locks until what it asked of the disk is done. */
static int lock_patiently(struct repair *repair, const char *name, struct err *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };

	for (;;) {
		int lock = repair_lock(repair, name, err);

		if (lock >= 0 || err->kind != ERR_LOCKED || repair->patience < PAUSE_MS)
			return lock;
		repair->patience -= PAUSE_MS;
		nanosleep(&pause, NULL);
	}
}

/* What is wrong with one VPS, as seen under its lock. */
struct findings {
	struct err broken;
	struct status status;
	bool blind, astray;
	int disk; /* 1: as it should be */
};

static bool has_to_settle(const struct findings *findings)
{
	const struct status *status = &findings->status;

	return findings->blind || findings->astray || status->crashed || status->lost ||
	       (status->init && !status->monitor);
}

static void findings_make(struct repair *repair, const struct vps *vps,
			  struct findings *findings, struct err *err)
{
	struct status *status = &findings->status;
	unsigned missing = 0;

	findings->disk = 1;
	findings->blind = findings->astray = false;
	if (findings->broken.kind)
		(void)repair_failed(repair, &findings->broken);
	vps_status(repair->node, vps, status);
	if (status->crashed)
		repair_found(repair, "%s: an operation was cut off", vps->name);
	if (status->lost)
		repair_found(repair, "%s: its run record is damaged", vps->name);
	if (status->init && !status->monitor)
		repair_found(repair, "%s: its monitor is gone", vps->name);
	findings->astray = status->init && !status->crashed && !vps_returns(repair->node, vps);
	if (findings->astray)
		repair_found(repair, "%s: it runs, and would not be started again", vps->name);
	/* the rest is by the definition */
	if (findings->broken.kind)
		return;
	if (lease_restore(repair->node, vps, repair->dry, &missing, err) < 0)
		(void)repair_failed(repair, err);
	else if (missing)
		repair_found(repair, "%s: %u leases were missing", vps->name, missing);
	findings->blind = view_is_lost(repair->node, vps, status);
	if (findings->blind)
		repair_found(repair, "%s: it has no view of itself in /proc", vps->name);
	findings->disk = volume_look(repair, vps, status->init || status->lost, err);
	if (findings->disk < 0)
		(void)repair_failed(repair, err);
	if (findings->disk == 0)
		repair_found(repair, "%s: its disk is not of the size that it should have",
			     vps->name);
}

/* Taking hold of the VPS does most of it. */
static int settle(const struct repair *repair, const struct vps *vps,
		  const struct findings *findings, struct held *held, struct err *err)
{
	int result = hold(repair, vps->name, held, err);
	struct status status;

	if (result)
		return result < 0 ? -1 : 0;
	vps_status(repair->node, vps, &status);
	if (findings->status.crashed && status.crashed)
		return fail_as(err, ERR_SYSTEM,
			       "%s: what was cut off cannot be finished; its log says why",
			       vps->name);
	if (findings->astray) {
		if (status.init && !vps_returns(repair->node, vps))
			return fail_as(err, ERR_SYSTEM,
				       "%s: that it is to run cannot be written down",
				       vps->name);
	}
	if (!findings->blind)
		return 0;
	return view_mend(repair->node, held, err) < 0 ? fail_in(err, "%s", vps->name) : 0;
}

static int vps_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct repair *repair = arg;
	own_held held = held_none();
	struct findings findings;
	own_vps now = { 0 };

	/* nobody changes what is written there now */
	own_fd lock = lock_patiently(repair, vps->name, err);
	if (lock < 0)
		return repair_passed_over(repair, err);
	(void)broken;
	if (vps_look(repair->node, vps->name, &now, &findings.broken, err) < 0)
		return repair_failed(repair, err);
	findings_make(repair, &now, &findings, err);
	records_sweep(repair, &now);
	close(take_fd(&lock));
	if (repair->dry)
		return 0;

	if (has_to_settle(&findings) && settle(repair, &now, &findings, &held, err) < 0)
		(void)repair_failed(repair, err);
	vps_release(&held);
	held = held_none();
	if (findings.disk == 0 &&
	    volume_mend(repair, &now, findings.status.init || findings.status.lost, err) < 0)
		(void)repair_failed(repair, err);
	return 0;
}

/* Remove what was just seen, under a lock, to be nobody's. */
static int entry_remove(struct repair *repair, int dir, const char *name, struct err *err)
{
	if (repair->dry || tree_remove(dir, name, err) == 0)
		return 0;
	return repair_failed(repair, err);
}

static int staging_one(int dir, const char *entry, void *arg, struct err *err)
{
	struct repair *repair = arg;
	size_t len = strlen(entry);
	char name[80];

	if (entry[0] != '.' || len < 6 || strcmp(entry + len - 4, ".new") != 0)
		return 0;
	str_format(name, sizeof(name), "%.*s", (int)(len - 5 < 79 ? len - 5 : 79), entry + 1);
	if (staging_is_alive(repair->node, name))
		return 0;
	own_fd naming = repair_naming(repair, err);
	if (naming < 0)
		return repair_failed(repair, err);
	if (faccessat(dir, entry, F_OK, 0) < 0 || staging_is_alive(repair->node, name))
		return 0;
	repair_found(repair, "%s: it was never created whole", name);
	return entry_remove(repair, dir, entry, err);
}

static int trash_one(int dir, const char *entry, void *arg, struct err *err)
{
	struct repair *repair = arg;
	struct err ignored;
	own_fd grave = dir_open(dir, entry, &ignored);

	/* whoever destroys it has it locked, until it is gone */
	if (grave >= 0 && (flock(grave, LOCK_EX | LOCK_NB) < 0 || lock_is_held(grave, "lock")))
		return 0;
	if (faccessat(dir, entry, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	repair_found(repair, "trash: %s", entry);
	return entry_remove(repair, dir, entry, err);
}

static bool is_nobodys(const struct repair *repair, const char *name)
{
	return !exists(repair, name) && !staging_is_alive(repair->node, name);
}

static int run_one(int dir, const char *name, void *arg, struct err *err)
{
	struct repair *repair = arg;

	if (strncmp(name, ".ledger", 7) == 0 || !is_nobodys(repair, name) ||
	    (strcmp(name, ".view") == 0 && !view_is_left(repair->node)))
		return 0;
	own_fd naming = repair_naming(repair, err);
	if (naming < 0)
		return repair_failed(repair, err);
	if (!is_nobodys(repair, name) || faccessat(dir, name, F_OK, 0) < 0)
		return 0;
	repair_found(repair, "%s/%s: %s", repair->node->run, name,
		     name[0] == '.' ? "its keeper is gone" : "there is no such VPS");
	return entry_remove(repair, dir, name, err);
}

/* Does the owner of a lease have it in its definition? */
static bool is_rightful(const struct repair *repair, const char *key, const char *owner)
{
	own_vps vps = { 0 };
	struct err ignored;

	if (vps_load(repair->node, owner, &vps, &ignored) < 0)
		return exists(repair, owner);
	return lease_is_of(&vps, key);
}

/* ".KEY.PID" is one being written; its writer lives or it is left over. */
static bool is_being_written(const char *key)
{
	const char *pid = strrchr(key, '.');

	return pid > key && kill(atoi(pid + 1), 0) == 0;
}

static bool lease_is_free(const struct repair *repair, int dir, const char *key, char *owner,
			  size_t size)
{
	struct err ignored;

	if (lease_owner(dir, key, owner, size, &ignored) < 0)
		return false;
	if (key[0] == '.')
		return !is_being_written(key);
	/* one who is at work may be taking or giving back what is not in its definition */
	return !owner[0] || (!is_rightful(repair, key, owner) && !is_busy(repair, owner));
}

static int lease_one(int dir, const char *key, void *arg, struct err *err)
{
	struct repair *repair = arg;
	char owner[80];

	if (strcmp(key, ".last") == 0 || !lease_is_free(repair, dir, key, owner, sizeof(owner)))
		return 0;
	own_fd naming = repair_naming(repair, err);
	if (naming < 0)
		return repair_failed(repair, err);
	if (faccessat(dir, key, F_OK, 0) < 0 ||
	    !lease_is_free(repair, dir, key, owner, sizeof(owner)))
		return 0;
	repair_found(repair, "lease %s of '%s': nobody has it", key, owner);
	if (repair->dry || unlinkat(dir, key, 0) == 0 || errno == ENOENT)
		return 0;
	fail(err, errno, "cannot free lease '%s'", key);
	return repair_failed(repair, err);
}

int node_repair(const struct node *node, bool dry, void (*report)(const char *what, void *arg),
		void *arg, struct err *err)
{
	struct repair repair = {
		.node = node, .dry = dry, .found = report, .arg = arg, .patience = PATIENCE_MS
	};
	const struct {
		int dir;
		int (*each)(int dir, const char *name, void *arg, struct err *err);
	} places[] = {
		{ node->vps, staging_one },	{ node->trash, trash_one },
		{ node->runs, run_one },	{ node->ids, lease_one },
		{ node->addresses, lease_one },
	};

	/* VPSs first: what they own then is known; and of those, the ones that nobody misses */
	if (selftest_sweep(node, dry, report, arg, err) < 0)
		(void)repair_failed(&repair, err);
	if (vps_each(node, vps_one, &repair, err) < 0)
		(void)repair_failed(&repair, err);
	repair_plans(&repair);
	repair_limits(&repair);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (dir_each(places[i].dir, places[i].each, &repair, err) < 0)
			(void)repair_failed(&repair, err);
	}
	node_records_sweep(&repair);
	repair_kernel(&repair);
	if (ledger_verify(node, dry, report, arg, err) < 0)
		(void)repair_failed(&repair, err);
	if (image_sweep(node->images, dry, report, arg, err) < 0)
		(void)repair_failed(&repair, err);
	if (!repair.failed)
		return 0;
	return dry ? fail_as(err, ERR_SYSTEM, "%u of these could not be looked at",
			     repair.failed)
		   : fail_as(err, ERR_SYSTEM, "%u of these could not be mended", repair.failed);
}

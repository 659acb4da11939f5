/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "again.h"
#include "err.h"
#include "io.h"
#include "lease.h"
#include "ledger.h"
#include "meter.h"
#include "node.h"
#include "notice.h"
#include "own.h"
#include "plan.h"
#include "pool.h"
#include "store.h"
#include "str.h"
#include "view.h"

/* Of the run directory, that a start takes. */
#define RUN_ROOM 16384

/* Seconds after the time it was given by which what was asked to stop, and whose stop was cut
 * off, has stopped. */
#define CUT_OFF_SPAN 600

/* The longest pause, in seconds, before what keeps one from starting again is looked at again.
 */
#define PATIENCE_S 300

/* RFC 9562, version 4. */
static void uuid_make(char *text, size_t size)
{
	uint8_t b[16] = { 0 };

	(void)!getrandom(b, sizeof(b), 0);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	str_format(text, size,
		   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		   b[13], b[14], b[15]);
}

/* Volumes grow as they are written to: what is left of the disk now is no promise, but without
 * it a new one cannot even be made. */
static int disk_check(const struct node *node, struct err *err)
{
	struct capacity capacity;
	char has[24], reserve[24];

	if (capacity_find(node, &capacity, err) < 0)
		return -1;
	if (capacity.disk_left > node->promise.reserve_disk)
		return 0;
	size_human(capacity.disk_left, has, sizeof(has));
	size_human(node->promise.reserve_disk, reserve, sizeof(reserve));
	return fail_as(err, ERR_NO_SPACE,
		       "%s has %s left, and the node keeps %s (reserve-disk)", node->storage,
		       has, reserve);
}

static void staging_name(const char *name, char *staging, size_t size)
{
	str_format(staging, size, ".%s.new", name);
}

bool staging_is_alive(const struct node *node, const char *name)
{
	char staging[80];
	struct err error;

	staging_name(name, staging, sizeof(staging));
	own_fd dir = dir_open(node->vps, staging, &error);
	/* one that cannot be looked at is not said to be dead */
	return dir >= 0 ? lock_is_held(dir, "lock")
			: error.code != ENOENT && error.code != ENOTDIR;
}

/*
 * Take the name: the staging directory, locked by us.  One lock of the node
 * covers looking and making, for as long as it takes to make a directory.
 */
static int name_take(const struct node *node, const char *name, int *lock, struct err *err)
{
	char staging[80], holder[64];

	own_fd naming = naming_take(node, "'nodectl create'\n", err);
	if (naming < 0)
		return -1;
	int there = name_look(node->vps, name, err);
	if (there)
		return there < 0 ? -1 : fail_as(err, ERR_EXISTS, "'%s' exists already", name);
	if (staging_is_alive(node, name))
		return fail_as(err, ERR_LOCKED, "'%s' is being created by another command",
			       name);

	staging_name(name, staging, sizeof(staging));
	/* nor is what one of that name has left in the run directory the new one's */
	if (tree_remove(node->vps, staging, err) < 0 || tree_remove(node->runs, name, err) < 0)
		return -1;
	own_fd dir = dir_make(node->vps, staging, 0700, err);
	if (dir < 0)
		return -1;
	str_format(holder, sizeof(holder), "'nodectl create' (pid %d)\n", getpid());
	*lock = lock_take(dir, "lock", holder, 0, err);
	return *lock < 0 ? -1 : take_fd(&dir);
}

static int staging_fill(const struct node *node, struct vps *vps, const struct wanted *wanted,
			int dir, struct err *err)
{
	if (lease_id(node, vps, err) < 0)
		return -1;
	if (!wanted->publish && node->ssh_port && vps->link.mode != LINK_NONE &&
	    (wanted->auto4 || wanted->auto6 || wanted->more_count ||
	     link_address(&vps->link, 0)))
		vps->link.publish[vps->link.publish_count++] = (struct publish){
			.host = (uint16_t)(node->ssh_port + vps->id),
			.guest = 22,
			.protocol = IPPROTO_TCP,
		};
	if (lease_network(node, vps, wanted, err) < 0)
		return -1;
	if (volume_create(dir, node->templates, &vps->volume, err) < 0)
		return fail_in(err, "volume");
	if (file_replace(dir, "fresh", "", 0, 0600, err) < 0)
		return -1;
	/* there before the VPS is, so that none can ever be taken for an operator's */
	if (wanted->selftest && file_replace(dir, SELFTEST_MARK, "", 0, 0600, err) < 0)
		return -1;
	return vps_save_at(dir, vps, err);
}

/*
 * From the rename on there is such a VPS.  Under the lock that node_image_remove(),
 * plan_remove() and node_network_remove() take: image, plan and network are there until we are
 * a definition that uses them.
 */
static int commit(const struct node *node, const struct vps *vps, const struct wanted *wanted,
		  const char *staging, struct err *err)
{
	struct image image;
	own_ledger ledger = ledger_none();
	own_fd naming = naming_take(node, "'nodectl create'\n", err);

	if (naming < 0 || image_find(node->images, vps->digest, &image, err) < 0 ||
	    (wanted->plan && plan_is_current(node, vps, err) < 0) ||
	    node_network_check(node, &vps->link.network, err) < 0 ||
	    ledger_open(&ledger, node, err) < 0 ||
	    ledger_admit(&ledger, vps, wanted->admission, err) < 0 ||
	    ledger_begin(&ledger, vps, err) < 0)
		return -1;
	if (renameat(node->vps, staging, node->vps, vps->name) < 0)
		return fail(err, errno, "cannot create '%s'", vps->name);
	ledger_end(&ledger, vps, true);
	/* there is no way back: who takes its leases away gives them to two */
	if (fsync(node->vps) < 0)
		vps_log(node, vps->name, "cannot sync the storage (%s): see to its disk",
			strerror(errno));
	vps_log(node, vps->name, "created with id %u from image '%s'", vps->id, vps->image);
	ledger_log(&ledger, vps->name);
	return 0;
}

int node_create(const struct node *node, struct vps *vps, const struct wanted *wanted,
		struct err *err)
{
	char staging[80];
	struct image image;
	struct err again;
	own_fd lock = -1;

	if (image_find(node->images, vps->image, &image, err) < 0)
		return -1;
	strcpy(vps->digest, image.digest);
	if (!vps->hostname[0])
		strcpy(vps->hostname, vps->name);
	uuid_make(vps->uuid, sizeof(vps->uuid));
	vps->created = time(NULL);
	/* what is refused now need not be made first; commit() decides */
	if (vps_check(node, vps, err) < 0 || disk_check(node, err) < 0 ||
	    node_change_check(node, vps, wanted->admission, err) < 0)
		return -1;

	own_fd dir = name_take(node, vps->name, &lock, err);
	if (dir < 0)
		return -1;
	staging_name(vps->name, staging, sizeof(staging));

	if (staging_fill(node, vps, wanted, dir, err) < 0 || meter_forget(vps->id, err) < 0 ||
	    commit(node, vps, wanted, staging, err) < 0) {
		(void)lease_free_all(node, vps, &again);
		(void)tree_remove(node->vps, staging, &again);
		return -1;
	}
	return 0;
}

/* All that its definition says, and when that cannot be read, all that is in its name. */
static int leases_free(const struct node *node, const struct held *held, struct err *err)
{
	own_vps left = { 0 };

	if (!held->broken[0])
		return lease_free_all(node, &held->vps, err);
	vps_init(&left);
	strcpy(left.name, held->vps.name);
	return lease_left(node, &left, err) < 0 ? -1 : lease_free_all(node, &left, err);
}

/* What a VPS that is no more has beside its directory: as much of it as can be; the first
 * failure is told. */
static int left_remove(const struct node *node, const struct held *held, struct err *err)
{
	struct failures failures = { 0 };

	failures_note(&failures, meter_forget(held->vps.id, err), err);
	failures_note(&failures, leases_free(node, held, err), err);
	failures_note(&failures, tree_remove(node->runs, held->vps.name, err), err);
	return failures_tell(&failures, err);
}

int node_destroy(const struct node *node, struct held *held, struct err *err)
{
	const struct vps *vps = &held->vps;
	struct failures failures = { 0 };
	struct status status;
	own_ledger ledger = ledger_none();
	char grave[128], uuid[37];

	if (held_status(held, &status, err) < 0)
		return -1;
	if (status.init)
		return fail_as(err, ERR_RUNNING,
			       "it is running; stop it first, or use --force");

	/* What follows goes by the name: until it is done nobody may create the next of it. */
	own_fd naming = naming_take(node, "'nodectl destroy'\n", err);
	if (naming < 0 || ledger_open(&ledger, node, err) < 0 ||
	    ledger_begin(&ledger, vps, err) < 0)
		return -1;
	/* repair sees that somebody is at it, until the last of it is gone */
	(void)flock(held->place.dir, LOCK_EX | LOCK_NB);
	/* Commit: from this rename on there is no such VPS. */
	uuid_make(uuid, sizeof(uuid));
	str_format(grave, sizeof(grave), "%s.%s", vps->name, vps->uuid[0] ? vps->uuid : uuid);
	if (renameat(node->vps, vps->name, node->trash, grave) < 0)
		return fail(err, errno, "cannot move it to the trash");
	ledger_end(&ledger, vps, false);
	ledger_close(&ledger);
	/* it may be there again after a power cut: then what it has is still its own */
	if (fsync(node->vps) < 0 || fsync(node->trash) < 0)
		return fail(err, errno, "cannot sync the storage");
	failures_note(&failures, left_remove(node, held, err), err);
	close(take_fd(&naming));
	failures_note(&failures, tree_remove(node->trash, grave, err), err);
	return failures_tell(&failures, err);
}

/* Is it meant to run?  One that cannot be looked at is. */
static bool is_wanted(const struct held *held)
{
	struct err ignored;

	return name_look(held->place.dir, "running", &ignored) != 0;
}

/*
 * Does what is promised still fit the node, which may have less than it had?  What was edited
 * by hand is counted from now on.
 */
static int start_admit(const struct node *node, const struct vps *vps, enum admission admission,
		       struct err *err)
{
	own_ledger ledger = ledger_none();
	struct claim claim, counted;

	if (admission == ADMIT_KNOWN)
		return 0;
	if (ledger_open(&ledger, node, err) < 0 ||
	    ledger_admit_whole(&ledger, vps, admission, err) < 0)
		return -1;
	claim_of(vps, &claim);
	counted = ledger_booked(&ledger, vps->id);
	if (!claim_is_equal(&claim, &counted)) {
		if (ledger_begin(&ledger, vps, err) < 0)
			return -1;
		ledger_end(&ledger, vps, true);
	}
	ledger_log(&ledger, vps->name);
	return 0;
}

/* One that comes from another node, say, finds its network here, and not one of that name; one
 * that was written by hand has a name only. */
static int network_settle(const struct node *node, struct held *held, struct err *err)
{
	struct network *network = &held->vps.link.network;
	uint32_t before = network->number;

	if (node_network_number(node, network, err) < 0)
		return -1;
	return network->number == before ? 0 : vps_save_at(held->place.dir, &held->vps, err);
}

static int started_mark(void *arg, struct err *err)
{
	return running_mark(arg, true, err);
}

static int start(struct held *held, struct err *err)
{
	return runtime_start(&held->vps, &held->place, started_mark, held, err);
}

/* What kept it from running is over. */
static void restarted(void *arg)
{
	const struct held *held = arg;

	(void)unlinkat(held->place.run, "error", 0);
	(void)unlinkat(held->place.run, RETURNS, 0);
}

static int restart(struct held *held, struct err *err)
{
	return runtime_restart(&held->vps, &held->place, restarted, held, err);
}

/* Start it by @how, with a first notice and the view that was asked for. */
static int start_by(struct held *held, struct view_offer *view,
		    int (*how)(struct held *held, struct err *err), struct err *err)
{
	char notice[NOTICE_TEXT];
	int result;

	notice_begin(&held->vps, held->place.dir, notice, sizeof(notice));
	held->place.notice = notice;
	held->place.view = view;
	result = vps_started_save(held, err) < 0 ? -1 : how(held, err);
	held->place.notice = NULL;
	held->place.view = NULL;
	return result;
}

/* Of one that is stopped and stays meant to run: DOWN or RETURNS, dated when its time is up. */
static void wanted_mark(int run, const char *name, unsigned timeout)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_sec = time(NULL) + (time_t)timeout } };
	struct err ignored;

	(void)file_replace_volatile(run, name, "", 0, 0600, &ignored);
	(void)utimensat(run, name, times, 0);
}

/* A start that failed leaves nothing that runs, not even when it failed after the guest's exec;
 * one that a boot was to start (@marked) is tried again by the next. */
static void started_undo(struct held *held, bool marked)
{
	struct status status;
	struct err ignored;
	bool forced;

	runtime_status(held->vps.id, held->place.run, &status);
	if (status.init && marked)
		wanted_mark(held->place.run, RETURNS, 0);
	if (status.init && runtime_stop(&held->vps, &held->place, 0, &forced, &ignored) == 0)
		(void)runtime_clean(&held->vps, &held->place, &ignored);
}

int node_start(const struct node *node, struct held *held, enum admission admission,
	       struct err *err)
{
	bool marked = is_wanted(held);
	own_view view = view_none();
	struct status status;
	struct err again;

	if (held_status(held, &status, err) < 0)
		return -1;
	if (status.init)
		return fail_as(err, ERR_RUNNING, "it is already running");
	if (held->vps.suspended)
		return fail_as(
		    err, ERR_DISABLED,
		    "it is suspended, for its traffic quota is used up: give it more "
		    "with 'nodectl traffic add %s SIZE'",
		    held->vps.name);
	if (held->place.image < 0) {
		held->place.image = image_open(node->images, held->vps.digest, err);
		if (held->place.image < 0)
			return fail_in(err, "image '%s'", held->vps.image);
	}
	if (network_settle(node, held, err) < 0)
		return -1;
	if (start_admit(node, &held->vps, admission, err) < 0)
		return fail_in(err, "start");
	if (lease_gateways_check(node, held->vps.name, err) < 0)
		return fail_in(err, "start");
	view_begin(node, &view);
	own_fd sysctls = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pools_raise(sysctls);
	if (bridge_ensure(&node->bridge, link_has_uplink(&node->bridge, &held->vps.link), err) <
	    0)
		return -1;
	(void)unlinkat(held->place.run, "error", 0);
	/* somebody has looked at it */
	again_forget(held->place.run);
	runtime_tokens_renew(held->place.run);
	(void)unlinkat(held->place.run, STOPPED, 0);
	(void)unlinkat(held->place.run, DOWN, 0);
	(void)unlinkat(held->place.run, RETURNS, 0);
	if (start_by(held, &view, start, err) < 0) {
		started_undo(held, marked);
		if (!marked)
			(void)running_mark(held, false, &again);
		return fail_in(err, "start");
	}
	view_log(node, held);
	vps_log(node, held->vps.name, "started");
	return 0;
}

int node_stop(const struct node *node, struct held *held, const struct stopping *how,
	      bool *forced, struct err *err)
{
	struct status status;
	struct err ignored;
	bool keep = how->shutdown || how->restart;

	*forced = false;
	if (held_status(held, &status, err) < 0)
		return -1;
	/* for who may just be about to start it again */
	if (how->shutdown)
		wanted_mark(held->place.run, DOWN, how->timeout);
	if (how->restart && status.init)
		wanted_mark(held->place.run, RETURNS, how->timeout);
	/* what an earlier one of those has left is over */
	if (!keep) {
		(void)unlinkat(held->place.run, DOWN, 0);
		(void)unlinkat(held->place.run, RETURNS, 0);
	}
	if (!status.init) {
		/* one that waits to be started again after a crash is stopped by taking that
		 * away; but the next boot starts it */
		if (status.state == STATE_ERROR && !how->shutdown) {
			(void)unlinkat(held->place.run, "error", 0);
			return keep ? 0 : running_mark(held, false, err);
		}
		/* nor is it to be started again by a reboot that was under way */
		if (!keep && running_mark(held, false, err) < 0)
			return -1;
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	}
	if (runtime_stop(&held->vps, &held->place, how->timeout, forced, err) < 0)
		return fail_in(err, "stop");
	/* while the intent is there: cut off between, whoever finds it does this */
	bool marked = !keep && running_mark(held, false, &ignored) < 0;
	if ((how->whole ? runtime_clean : runtime_clean_soon)(&held->vps, &held->place, err) <
	    0)
		return fail_in(err, "stop");
	vps_log(node, held->vps.name, *forced ? "killed" : "stopped");
	/* with the intent gone nobody else would; or it is gone, and not yet from the disk */
	if (marked &&
	    (running_mark(held, false, err) < 0 || dir_sync(held->place.dir, ".", err) < 0))
		return fail_in(err, "it is stopped, but would start again with the node");
	return 0;
}

int node_can_write(const struct held *held, struct err *err)
{
	/* a journal that was given up lets files be opened, and none be made */
	own_fd probe = openat(held->place.dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	bool full = probe < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EOPNOTSUPP ||
				  errno == EISDIR);

	if (full)
		probe = openat(held->place.dir, "lock", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	own_fd room = openat(held->place.run, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	int code = room < 0 ? errno : posix_fallocate(room, 0, RUN_ROOM);
	struct statvfs disk;

	if (probe < 0)
		return fail(err, errno, "cannot write in the VPS's directory");
	/* its volume has holes, and what is not in its journal yet may have to go into one */
	if (fstatvfs(held->place.dir, &disk) == 0 && disk.f_blocks && !disk.f_bavail)
		return fail_as(err, ERR_NO_SPACE, "the storage is full");
	return code ? fail(err, code, "cannot write in the VPS's run directory") : 0;
}

static void error_write(int run, const char *text)
{
	struct err ignored;

	(void)file_replace_volatile(run, "error", text, strlen(text), 0600, &ignored);
}

bool vps_returns(const struct node *node, const struct vps *vps)
{
	struct err ignored;
	own_fd dir = vps_dir(node, vps->name, &ignored);
	own_fd run = dir < 0 ? -1 : dir_open(node->runs, vps->name, &ignored);

	return run >= 0 && faccessat(dir, "running", F_OK, 0) == 0 &&
	       faccessat(run, DOWN, F_OK, 0) < 0;
}

/* Is it meant to run, and can it? */
static bool can_again(const struct held *held)
{
	/* has the operator stopped it, after it had ended and before we came to look? */
	if (!is_wanted(held))
		return false;
	/* as it was started it can be started again; by its leases alone it cannot */
	if (!held->vps.digest[0])
		error_write(held->place.run, held->broken);
	return held->vps.digest[0] != 0;
}

/* A tenant may reboot without end: its log keeps other things, too, and gets one line for each
 * pause. */
static int reboot_pause(const struct node *node, const struct held *held, const char *how)
{
	unsigned count = again_note(held->place.run, AGAIN_REBOOTED, time(NULL));
	int pause = again_pause(AGAIN_REBOOTED, count);
	char text[100];

	if (pause == 0) {
		vps_log(node, held->vps.name, "init ended: %s", how);
		return 0;
	}
	str_format(text, sizeof(text),
		   "init rebooted %u times in %d minutes; it will be started again within %d s",
		   count, AGAIN_REBOOT_MINUTES, pause);
	error_write(held->place.run, text);
	vps_log(node, held->vps.name, "%s", text);
	return pause;
}

static int crash_pause(const struct node *node, const struct held *held)
{
	int pause;

	if (held->vps.restart == VPS_RESTART_NO) {
		error_write(held->place.run, "init crashed");
		return -1;
	}
	pause =
	    again_pause(AGAIN_CRASHED, again_note(held->place.run, AGAIN_CRASHED, time(NULL)));
	if (pause > 0)
		error_write(held->place.run,
			    "init crashed; it will be started again in a moment");
	if (pause < 0) {
		error_write(held->place.run, "init crashed too often");
		vps_log(node, held->vps.name, "init crashed too often; left stopped");
	}
	return pause;
}

/* Should it be up again?  The time to wait is spent without the lock. */
static int again_allowed(const struct node *node, const struct held *held, const char *how)
{
	bool asked = faccessat(held->place.run, STOPPED, F_OK, 0) == 0;
	bool can = can_again(held);

	if (can && (strcmp(how, "reboot") == 0 || (strcmp(how, "unknown") == 0 && !asked)))
		return reboot_pause(node, held, how);
	vps_log(node, held->vps.name, "init ended: %s", how);
	if (!can || strcmp(how, "crash") != 0 || asked)
		return -1;
	return crash_pause(node, held);
}

/* Who stops or starts it meanwhile, or destroys it, takes its error away. */
static bool pause_spend(int run, int seconds)
{
	for (; seconds > 0; seconds--) {
		if (faccessat(run, "error", F_OK, 0) < 0 || faccessat(run, DOWN, F_OK, 0) == 0)
			return false;
		sleep(1);
	}
	return true;
}

/* Whoever has the VPS now lets it go one day, and what the node lacks at this moment it has
 * again in a while; nobody else will start the VPS again. */
static int hold_patiently(const struct node *node, const char *name, const char *what,
			  struct held *held, struct err *err)
{
	for (unsigned pause = 1;;) {
		if (vps_hold_left(node, name, what, held, err) == 0)
			return 0;
		if (err->kind == ERR_LOCKED && held->place.lock < 0)
			continue;
		vps_release(held);
		*held = held_none();
		if (err->kind == ERR_NO_VPS || err->kind == ERR_VALUE || pause > PATIENCE_S)
			break;
		sleep(pause);
		pause *= 2;
	}
	if (err->kind != ERR_NO_VPS)
		vps_log(node, name, "%s: given up: %s", what, err->msg);
	return -1;
}

/* Whoever edits node.conf may be half through; and nobody else will see to this VPS. */
static int open_patiently(struct node *node, const char *config, const char *name,
			  struct err *err)
{
	for (unsigned pause = 1; node_open(node, config, err) < 0; pause *= 2) {
		node_close(node);
		*node = node_none();
		if (pause > PATIENCE_S) {
			/* without a node there is no log of the VPS */
			openlog("nodectl", LOG_PID, LOG_DAEMON);
			syslog(LOG_ERR, "%s: its init ended, and it is left as it is: %s", name,
			       err->msg);
			return -1;
		}
		sleep(pause);
	}
	return 0;
}

/* After a pause if it @waited, of which its log may have told.  0: not to be done; 1: it
 * failed, and may not the next time. */
static int start_again(const struct node *node, const char *name, bool waited, bool told,
		       struct err *err)
{
	own_held held = held_none();
	own_view view = view_none();
	struct status status;

	if (hold_patiently(node, name, "reboot", &held, err) < 0)
		return -1;
	runtime_status(held.vps.id, held.place.run, &status);
	/* started, or stopped, by the operator meanwhile */
	if (status.init || status.lost || !is_wanted(&held) || held.vps.suspended ||
	    faccessat(held.place.run, DOWN, F_OK, 0) == 0 ||
	    (waited && status.state != STATE_ERROR))
		return 0;
	/* its addresses were its own until a moment ago */
	held.place.unasked = true;
	(void)unlinkat(held.place.run, STOPPED, 0);
	if (!told)
		vps_log(node, name, "starting again");
	view_begin(node, &view);
	view_accept(&view, held.place.run);
	view_log(node, &held);
	/* and then this is the monitor */
	if (bridge_ensure(&node->bridge, false, err) == 0)
		(void)start_by(&held, &view, restart, err);
	vps_log(node, name, "cannot start: %s", err->msg);
	error_write(held.place.run, err->msg);
	return is_passing(err->code) || err->kind == ERR_LOCKED ? 1 : -1;
}

/* One that was stopped for the node's sake stays meant to run, or was about to: what its tenant
 * powers off long after that is not. */
static bool stays_wanted(const struct held *held)
{
	time_t since = time(NULL) - CUT_OFF_SPAN;
	struct stat returns;

	if (faccessat(held->place.run, DOWN, F_OK, 0) == 0)
		return true;
	return fstatat(held->place.run, RETURNS, &returns, 0) == 0 && returns.st_mtime >= since;
}

int node_ended(const char *config, const char *name, const char *how, struct err *err)
{
	own_node node = node_none();
	own_held held = held_none();
	struct status status;
	int pause;

	if (open_patiently(&node, config, name, err) < 0)
		return -1;

	/* A command that waits for the VPS, or an operator's start, may have been faster. */
	if (hold_patiently(&node, name, "ended", &held, err) < 0)
		return -1;
	runtime_status(held.vps.id, held.place.run, &status);
	if (status.init || status.lost) {
		vps_log(&node, name, "init ended: %s", how);
		return 0;
	}

	pause = again_allowed(&node, &held, how);
	if (pause < 0 && !stays_wanted(&held) && running_mark(&held, false, err) < 0)
		vps_log(&node, name, "it would start again with the node: %s", err->msg);
	own_fd run = take_fd(&held.place.run);
	vps_release(&held);
	held = held_none();
	if (pause < 0 || !pause_spend(run, pause))
		return 0;
	bool told = pause > 0 && strcmp(how, "crash") != 0;

	for (unsigned wait = 1;; wait *= 2) {
		int result = start_again(&node, name, pause > 0, told, err);

		if (result <= 0 || wait > PATIENCE_S)
			return result ? -1 : 0;
		sleep(wait);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "change.h"
#include "err.h"
#include "io.h"
#include "lease.h"
#include "node.h"
#include "own.h"
#include "quota.h"
#include "runtime.h"
#include "store.h"
#include "str.h"

#define LOCK_MS	   5000u
#define NAMING_MS  60000u /* there is no order among those who wait */
#define LOG_MAX	   (1024 * 1024)
#define DEFINITION 65536u

int naming_take(const struct node *node, const char *holder, struct err *err)
{
	return lock_take(node->vps, ".naming", holder, NAMING_MS, err);
}

/* A target is a name or an id; the id's lease knows the name. */
static int name_of(const struct node *node, const char *target, char *name, size_t size,
		   struct err *err)
{
	if (strspn(target, "0123456789") == strlen(target) && *target && strlen(target) < 8) {
		if (lease_owner(node->ids, target, name, size, err) < 0)
			return -1;
		if (*name)
			return 0;
		return fail_as(err, ERR_NO_VPS, "there is no VPS with id %s", target);
	}
	if (!name_is_valid(target))
		return fail_as(err, ERR_VALUE, "'%s' is not the name of a VPS", target);
	return str_copy(name, size, target, err);
}

int vps_dir(const struct node *node, const char *name, struct err *err)
{
	int dir = dir_open(node->vps, name, err);

	if (dir < 0 && err->code == ENOENT)
		return fail_as(err, ERR_NO_VPS, "there is no VPS '%s'", name);
	return dir;
}

static int load_from(int dir, const char *name, struct vps *vps, struct err *err)
{
	own_str text = file_slurp(dir, "vps.conf", DEFINITION, err);
	struct quota_record quota;

	if (!text)
		return fail_in(err, "%s", name);
	if (vps_parse(vps, text, err) < 0)
		return fail_in(err, "%s: vps.conf", name);
	if (quota_read(dir, &quota, err) < 0) {
		vps_free(vps);
		return fail_in(err, "%s", name);
	}
	vps->throttle = quota.throttle;
	vps->suspended = quota.suspended;
	if (strcmp(vps->name, name) != 0) {
		vps_free(vps);
		return fail_as(err, ERR_VALUE, "%s: vps.conf: it says that it is another one",
			       name);
	}
	return 0;
}

/* All that a VPS has in the kernel goes by its id: with that of another, stopping it would be
 * stopping the other. */
static int id_check(const struct node *node, const struct vps *vps, struct err *err)
{
	char key[16], owner[80];

	str_format(key, sizeof(key), "%u", vps->id);
	/* a lease that cannot be read is repair's business, and no other's */
	if (lease_owner(node->ids, key, owner, sizeof(owner), err) == 0 && owner[0] &&
	    strcmp(owner, vps->name) != 0)
		return fail_as(err, ERR_VALUE, "%s: vps.conf: id %u is that of '%s'", vps->name,
			       vps->id, owner);
	return 0;
}

/* The definition itself; one that says what cannot be is left alone as one that cannot be read.
 */
static int load(const struct node *node, int dir, const char *name, struct vps *vps,
		struct err *err)
{
	if (load_from(dir, name, vps, err) < 0)
		return -1;
	if (id_check(node, vps, err) == 0)
		return 0;
	vps_free(vps);
	return -1;
}

int vps_load(const struct node *node, const char *target, struct vps *vps, struct err *err)
{
	char name[80];

	if (name_of(node, target, name, sizeof(name), err) < 0)
		return -1;

	own_fd dir = vps_dir(node, name, err);
	if (dir < 0)
		return -1;
	return load(node, dir, name, vps, err);
}

/*
 * What is known of a VPS whose definition cannot be read: the one that it was started with, or
 * else its id and its network, by its leases.  false: not even its id.  @vps is to be freed.
 */
static bool vps_left(const struct node *node, const char *name, struct vps *vps)
{
	struct err ignored;
	own_fd run = dir_open(node->runs, name, &ignored);

	vps_init(vps);
	if (run >= 0 && load(node, run, name, vps, &ignored) == 0)
		return true;
	vps_init(vps);
	(void)str_copy(vps->name, sizeof(vps->name), name, &ignored);
	return lease_left(node, vps, &ignored) == 0 && vps->id;
}

void vps_way_out(const struct node *node, const char *name, char *text, size_t size)
{
	own_vps started = { 0 };
	struct err ignored;
	own_fd run = dir_open(node->runs, name, &ignored);

	if (run >= 0 && load(node, run, name, &started, &ignored) == 0)
		snprintf(text, size,
			 "%s: 'nodectl stop', 'kill' and 'destroy' still work; it was started "
			 "with %s/%s/vps.conf, which can take the place of %s/vps/%s/vps.conf",
			 name, node->run, name, node->storage, name);
	else
		snprintf(text, size,
			 "%s: 'nodectl stop', 'kill' and 'destroy' still work; for all else "
			 "mend %s/vps/%s/vps.conf",
			 name, node->storage, name);
}

int vps_look(const struct node *node, const char *target, struct vps *vps, struct err *broken,
	     struct err *err)
{
	char name[80];

	*broken = (struct err){ 0 };
	if (name_of(node, target, name, sizeof(name), err) < 0)
		return -1;
	own_fd dir = vps_dir(node, name, err);
	if (dir < 0)
		return -1;
	if (load(node, dir, name, vps, broken) == 0)
		*broken = (struct err){ 0 };
	else
		(void)vps_left(node, name, vps);
	return 0;
}

int vps_save_at(int dir, const struct vps *vps, struct err *err)
{
	own_str text = vps_print(vps);

	return file_replace(dir, "vps.conf", text, strlen(text), 0600, err);
}

/* Named like the records of file_replace(): repair knows one whose writer was killed. */
static void staged_name(char name[32])
{
	str_format(name, 32, ".vps.conf.%d", getpid());
}

int vps_stage(int dir, const struct vps *vps, struct err *err)
{
	own_str text = vps_print(vps);
	char name[32];

	staged_name(name);
	return file_stage(dir, name, text, strlen(text), 0600, err);
}

int vps_put(int dir, struct err *err)
{
	char name[32];

	staged_name(name);
	if (renameat(dir, name, dir, "vps.conf") < 0)
		return fail(err, errno, "cannot write 'vps.conf'");
	return 0;
}

void vps_unstage(int dir)
{
	char name[32];

	staged_name(name);
	(void)unlinkat(dir, name, 0);
}

struct each {
	const struct node *node;
	int (*each)(const struct vps *vps, const struct err *broken, void *arg,
		    struct err *err);
	void *arg;
};

static int each_entry(int dir, const char *name, void *arg, struct err *err)
{
	const struct each *each = arg;
	own_vps vps = { 0 };
	struct stat found;
	struct err broken;

	/* ".name.new" is one that is being created */
	if (name[0] == '.')
		return 0;
	own_fd entry = dir_open(dir, name, &broken);
	if (entry >= 0 && load(each->node, entry, name, &vps, &broken) == 0)
		return each->each(&vps, NULL, each->arg, err);
	/* destroyed while we look; or an operator's file */
	if ((broken.code == ENOENT && faccessat(dir, name, F_OK, 0) < 0) ||
	    (broken.code == ENOTDIR && fstatat(dir, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	     S_ISREG(found.st_mode)))
		return 0;
	vps_left(each->node, name, &vps);
	return each->each(&vps, &broken, each->arg, err);
}

int vps_each(const struct node *node,
	     int (*each)(const struct vps *vps, const struct err *broken, void *arg,
			 struct err *err),
	     void *arg, struct err *err)
{
	struct each call = { node, each, arg };

	return dir_each(node->vps, each_entry, &call, err);
}

void vps_status(const struct node *node, const struct vps *vps, struct status *status)
{
	struct err ignored;
	own_fd run = dir_open(node->runs, vps->name, &ignored);

	runtime_status(vps->id, run, status);
}

int held_status(const struct held *held, struct status *status, struct err *err)
{
	runtime_status(held->vps.id, held->place.run, status);
	/* whoever has taken hold of it has mended a record that was damaged */
	return status->lost ? fail_as(err, ERR_SYSTEM, "its run record cannot be read") : 0;
}

int vps_started_save(const struct held *held, struct err *err)
{
	own_str text = vps_print(&held->vps);

	return file_replace_volatile(held->place.run, "vps.conf", text, strlen(text), 0600,
				     err);
}

int vps_started_follow(const struct held *held, const struct vps *vps, struct err *err)
{
	own_vps started = { 0 };

	if (load_from(held->place.run, vps->name, &started, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	enum link_mode mode = started.link.mode;
	started.link = vps->link;
	started.link.mode = mode;
	own_str text = vps_print(&started);
	return file_replace_volatile(held->place.run, "vps.conf", text, strlen(text), 0600,
				     err);
}

int vps_started_load(const struct node *node, const char *name, struct vps *vps,
		     struct err *err)
{
	own_fd run = dir_open(node->runs, name, err);

	return run < 0 ? -1 : load_from(run, name, vps, err);
}

struct vps vps_as_running(const struct vps *vps, const struct link *was)
{
	struct vps running = *vps;

	if (was)
		running.link.mode = was->mode;
	link_settle(&running.link);
	return running;
}

int vps_pending(const struct node *node, const struct vps *vps,
		void (*each)(const struct field *field, const char *now, const char *then,
			     void *arg),
		void *arg, struct err *err)
{
	own_vps started = { 0 };
	struct err none;
	own_fd run = dir_open(node->runs, vps->name, &none);

	if (run < 0 || faccessat(run, "vps.conf", F_OK, 0) < 0)
		return 0;
	if (load_from(run, vps->name, &started, err) < 0)
		return -1;
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str now = field_text(&started, &vps_fields[i]);
		own_str then = field_text(vps, &vps_fields[i]);

		if (field_waits(&vps_fields[i]) && strcmp(now, then) != 0)
			each(&vps_fields[i], now, then, arg);
	}
	return 0;
}

int running_mark(const struct held *held, bool running, struct err *err)
{
	struct err ignored;

	/* one that cannot be looked at is made, or removed, all the same */
	if (name_look(held->place.dir, "running", &ignored) == running)
		return 0;
	if (running) {
		own_fd fd = openat(held->place.dir, "running",
				   O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return fail(err, errno, "cannot write 'running'");
	} else if (unlinkat(held->place.dir, "running", 0) < 0 && errno != ENOENT) {
		return fail(err, errno, "cannot remove 'running'");
	}
	if (fsync(held->place.dir) < 0) {
		fail(err, errno, "cannot sync the VPS's directory");
		if (running)
			(void)unlinkat(held->place.dir, "running", 0);
		return -1;
	}
	return 0;
}

bool vps_wants_boot(const struct node *node, const struct vps *vps)
{
	struct err err;
	own_fd dir = -1;

	if (vps->suspended)
		return false;
	switch (vps->onboot) {
	case VPS_ONBOOT_YES:
		return true;
	case VPS_ONBOOT_NO:
		return false;
	case VPS_ONBOOT_LAST:
		break;
	}
	/* one that cannot be looked at is asked again when it is held */
	dir = vps_dir(node, vps->name, &err);
	return dir < 0 ? err.kind != ERR_NO_VPS : name_look(dir, "running", &err) != 0;
}

/* The lock of a directory that is still the VPS's: it may have been destroyed while we waited.
 */
static int lock_entry(const struct node *node, const char *name, const char *what, int *dir,
		      struct err *err)
{
	char holder[128];

	str_format(holder, sizeof(holder), "'nodectl %s' (pid %d)\n", what, getpid());
	for (;;) {
		struct stat held, now;
		own_fd entry = vps_dir(node, name, err);
		own_fd lock = entry < 0 ? -1 : lock_take(entry, "lock", holder, LOCK_MS, err);

		if (lock < 0)
			return -1;
		bool there = fstatat(node->vps, name, &now, 0) == 0;
		if ((!there && errno != ENOENT) || fstat(entry, &held) < 0)
			return fail(err, errno, "cannot look at '%s'", name);
		if (there && held.st_ino == now.st_ino) {
			*dir = take_fd(&entry);
			return take_fd(&lock);
		}
	}
}

/* A run record that cannot be used is written anew. */
static int record_settle(const struct node *node, const struct held *held,
			 struct status *status, struct err *err)
{
	if (!status->lost)
		return 0;
	if (runtime_find(&held->vps, &held->place, err) == 0)
		vps_log(node, held->vps.name, "wrote the damaged run record anew");
	/* or it has ended meanwhile */
	runtime_status(held->vps.id, held->place.run, status);
	return status->lost ? fail_as(err, ERR_SYSTEM,
				      "its run record is damaged, and cannot be written anew")
			    : 0;
}

/*
 * A stop was cut off, and init has ended.  For the monitor, which may come to look only when
 * the intent is gone: that is no crash of init.  After a `stop` it is not to run any more; what
 * a `shutdown` or a `restart` has stopped is, and its reboot brings it back.  A monitor that
 * lives knows how init ended, which may be long after the stop, and decides (node_ended()).
 */
static int stop_settle(const struct held *held, bool watched, struct err *err)
{
	struct err ignored;

	(void)file_replace_volatile(held->place.run, STOPPED, "", 0, 0600, &ignored);
	if (watched || name_look(held->place.run, DOWN, &ignored) != 0 ||
	    name_look(held->place.run, RETURNS, &ignored) != 0)
		return 0;
	return running_mark(held, false, err);
}

/* Init has ended, and nobody has cleaned up: @intent is what was cut off, or empty.  What
 * cannot be finished keeps @left from nothing: who may be at a VPS as it is. */
static int end_settle(const struct node *node, struct held *held, const char *intent,
		      pid_t monitor, bool left, struct err *err)
{
	struct err unmarked, ignored;
	bool is_stop = strncmp(intent, "stop", 4) == 0 || strncmp(intent, "kill", 4) == 0;
	bool undone =
	    is_stop && stop_settle(held, runtime_monitor_tells(monitor), &unmarked) < 0;

	/* nobody is at a shutdown of it, for we hold it */
	(void)renameat(held->place.run, DOWN, held->place.run, RETURNS);
	if (runtime_clean(&held->vps, &held->place, err) < 0) {
		/* the next command does not try again: it may be one that goes without, and
		 * repair finds by the id what is left */
		(void)unlinkat(held->place.run, "intent", 0);
		return fail_in(err, "cannot clean up");
	}
	if (undone) {
		/* it would be started by the next boot: whoever comes next tries again */
		(void)file_replace_volatile(held->place.run, "intent", intent, strlen(intent),
					    0600, &ignored);
		vps_log(node, held->vps.name, "cannot finish a stop: %s", unmarked.msg);
		*err = unmarked;
		return left ? 0 : fail_in(err, "cannot finish a stop");
	}
	if (*intent)
		vps_log(node, held->vps.name, "cleaned up after an operation that was cut off");
	return 0;
}

/* What an operation that was cut off was at is finished or undone. */
static int operation_settle(const struct node *node, struct held *held, struct status *status,
			    bool left, struct err *err)
{
	pid_t monitor = status->monitor;
	char intent[64] = "";
	struct err ignored;
	bool forced;

	if (!status->crashed)
		return 0;
	(void)file_read(held->place.run, "intent", intent, sizeof(intent), &ignored);
	/* a kill may be on its way: there is no going back from it */
	if (strncmp(intent, "kill", 4) == 0 && status->init) {
		if (runtime_stop(&held->vps, &held->place, 0, &forced, err) < 0)
			return fail_in(err, "cannot finish a stop");
		runtime_status(held->vps.id, held->place.run, status);
	}
	if (status->crashed && !status->init)
		return end_settle(node, held, intent, monitor, left, err);
	if (strncmp(intent, CHANGE_INTENT, strlen(CHANGE_INTENT)) == 0)
		change_settle(node, held);
	else if (status->crashed)
		(void)unlinkat(held->place.run, "intent", 0);
	return 0;
}

/* What runs is meant to, and is watched. */
static void monitor_settle(const struct node *node, struct held *held,
			   const struct status *status)
{
	struct err err;

	if (!status->init)
		return;
	/* what a `shutdown` or a `start` that was cut off has left: its reboot brings it back;
	 * but it may have been asked to power off */
	(void)renameat(held->place.run, DOWN, held->place.run, RETURNS);
	(void)running_mark(held, true, &err);
	if (status->monitor)
		return;
	/* whoever wants to stop it needs none */
	if (runtime_adopt(&held->vps, &held->place, &err) < 0)
		vps_log(node, held->vps.name, "the monitor died; no new one: %s", err.msg);
	else
		vps_log(node, held->vps.name, "the monitor had died; a new one watches");
}

/* Whatever a crash left is put in order before anything else is done with the VPS. */
static int settle(const struct node *node, struct held *held, bool left, struct err *err)
{
	struct status status;

	runtime_status(held->vps.id, held->place.run, &status);
	if (record_settle(node, held, &status, err) < 0 ||
	    operation_settle(node, held, &status, left, err) < 0)
		return -1;
	monitor_settle(node, held, &status);
	return 0;
}

struct held held_none(void)
{
	return (struct held){ .place = { .dir = -1, .run = -1, .image = -1, .lock = -1 } };
}

/* The definition, or what is left of it when @left allows that. */
static int definition_take(const struct node *node, const char *name, bool left,
			   struct held *held, struct err *err)
{
	if (load(node, held->place.dir, name, &held->vps, err) == 0)
		return 0;
	/* not the definition's fault */
	if (err->code == EMFILE || err->code == ENFILE || err->code == ENOMEM)
		return -1;
	str_format(held->broken, sizeof(held->broken), "%s", err->msg);
	if (left && vps_left(node, name, &held->vps))
		return 0;
	/* looking for what is left has told nothing that matters more */
	return fail_as(err, ERR_VALUE, "%s; see 'nodectl status %s'", held->broken, name);
}

/* Whoever changes a definition by hand does not change what the kernel has to forget. */
static void was_take(struct held *held, const char *name)
{
	own_vps started = { 0 };
	struct err ignored;

	if (load_from(held->place.run, name, &started, &ignored) < 0)
		return;
	held->was = started.link;
	held->place.was = &held->was;
}

static int hold(const struct node *node, const char *target, const char *what, bool left,
		struct held *held, struct err *err)
{
	char name[80];

	*held = held_none();
	held->place.config = node->config;
	held->place.bridge = &node->bridge;
	held->place.nameservers = node->nameserver;
	if (name_of(node, target, name, sizeof(name), err) < 0)
		return -1;
	held->place.lock = lock_entry(node, name, what, &held->place.dir, err);
	if (held->place.lock < 0)
		return -1;
	if (definition_take(node, name, left, held, err) < 0)
		return -1;
	held->place.run = dir_make(node->runs, name, 0700, err);
	if (held->place.run < 0)
		return -1;
	was_take(held, name);
	/* without its image a VPS cannot start, but be stopped and destroyed it can */
	held->place.image = image_open(node->images, held->vps.digest, err);
	return settle(node, held, left, err);
}

int vps_hold(const struct node *node, const char *target, const char *what, struct held *held,
	     struct err *err)
{
	return hold(node, target, what, false, held, err);
}

int vps_hold_left(const struct node *node, const char *target, const char *what,
		  struct held *held, struct err *err)
{
	return hold(node, target, what, true, held, err);
}

void vps_release(struct held *held)
{
	own_close(&held->place.dir);
	own_close(&held->place.run);
	own_close(&held->place.image);
	own_close(&held->place.lock);
	vps_free(&held->vps);
}

void vps_log(const struct node *node, const char *name, const char *fmt, ...)
{
	char text[400], line[500], when[32];
	struct err ignored;
	struct stat stat;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	time_print(time(NULL), when, sizeof(when));
	str_format(line, sizeof(line), "%s %.*s\n", when, 440, text);

	/* the log is for people: that it cannot be written stops nothing */
	own_fd dir = vps_dir(node, name, &ignored);
	own_fd log =
	    dir < 0 ? -1 : openat(dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return;
	(void)!write(log, line, strlen(line));
	if (fstat(log, &stat) == 0 && stat.st_size > LOG_MAX)
		(void)renameat(dir, "log", dir, "log.old");
}

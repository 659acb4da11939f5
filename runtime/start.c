/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "creds.h"
#include "err.h"
#include "handover.h"
#include "images.h"
#include "io.h"
#include "lxcfs.h"
#include "netns.h"
#include "notice.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "steps.h"
#include "str.h"
#include "vps.h"

#define STOP_MS	  10000u /* for what was killed to be gone */
#define VOLUME_MS 15000u /* for the last mount of the volume to be gone */

static int intent_apply(struct start *start, struct err *err)
{
	return intent_write(start->place->run, "start", err);
}

static int intent_undo(struct start *start, struct err *err)
{
	return intent_remove(start->place->run, err);
}

/* The answers have as long as the start takes. */
static int inquiry_apply(struct start *start, struct err *err)
{
	struct link link = link_of(start->vps);

	return start->place->unasked ? 0
				     : inquiry_begin(&start->inquiry, start->vps->id,
						     start->place->bridge, NULL, &link, err);
}

static int inquiry_undo(struct start *start, struct err *err)
{
	(void)err;
	inquiry_close(&start->inquiry);
	return 0;
}

static int cgroup_apply(struct start *start, struct err *err)
{
	const struct vps *vps = start->vps;
	struct limits limits;

	if (runtime_limits(vps, start->place, &limits, err) < 0)
		return -1;
	start->cgroup = cgroup_create(vps->id, &limits, vps_base(vps->id), err);
	return start->cgroup < 0 ? -1 : cgroup_door_open(vps->id, &start->door, err);
}

static int cgroup_undo(struct start *start, struct err *err)
{
	return cgroup_remove(start->vps->id, err);
}

/* A change of its size that was cut off, or had to wait for this moment, comes first. */
static int volume_open(const struct vps *vps, const struct place *place, struct err *err)
{
	if (volume_settle(place->dir, &vps->volume, VOLUME_MS, err) < 0)
		return -1;
	return volume_mount(place->dir, "vda", VOLUME_MS, err);
}

static int volume_apply(struct start *start, struct err *err)
{
	start->fresh = faccessat(start->place->dir, "fresh", F_OK, 0) == 0;
	if (start->disk.fd >= 0)
		return 0;
	start->volume = volume_open(start->vps, start->place, err);
	return start->volume < 0 ? -1 : 0;
}

/* What volume_bring() mounted meanwhile. */
static int volume_take(struct start *start, struct err *err)
{
	if (start->disk.fd < 0)
		return 0;
	if (channel_wait(&start->disk, &start->volume, err) < 0)
		return -1;
	return start->volume < 0 ? fail(err, EBADMSG, "cannot get the volume") : 0;
}

/* A mount that is on its way, or lies unread: it would wait for us, and we for it. */
static void volume_refuse(struct start *start)
{
	struct err unread;

	/* what comes with a message that has no room for it is closed */
	(void)shutdown(start->disk.fd, SHUT_RD);
	while (recv(start->disk.fd, &unread, sizeof(unread), 0) > 0)
		;
}

static int volume_undo(struct start *start, struct err *err)
{
	if (start->volume >= 0)
		close(take_fd(&start->volume));
	else if (start->disk.fd >= 0)
		volume_refuse(start);
	return volume_wait(start->place->dir, VOLUME_MS, err);
}

static int notice_apply(struct start *start, struct err *err)
{
	if (!start->place->notice)
		return 0;
	start->notice = notice_make(start->vps->id, start->place->notice, err);
	return start->notice < 0 ? -1 : 0;
}

/* From here the guest, whose copy of our memory it will be, has the files. */
static int view_apply(struct start *start, struct err *err)
{
	(void)err;
	if (start->place->view)
		view_accept(start->place->view, start->place->run);
	return 0;
}

/* We become the VPS's base for this one call: the kernel counts a user namespace, and
 * what is counted per user in it, against whoever makes it. */
static int clone_guest(struct start *start, struct err *err)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			 CLONE_NEWUTS | CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)&start->pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)start->cgroup,
	};
	struct err again;
	int code;

	if (become_base(start->vps, err) < 0)
		return -1;
	start->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	code = errno;
	if (start->pid == 0)
		return 0;
	if (become_root(&again) < 0) {
		*err = again;
		return -1;
	}
	if (start->pid < 0)
		return fail(err, code, "cannot make the namespaces");
	return 0;
}

static int spawn_apply(struct start *start, struct err *err)
{
	int pair[2];

	if (rlimits_apply(err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(err, errno, "cannot make the channel");
	start->channel.fd = pair[0];
	own_fd theirs = pair[1];

	if (clone_guest(start, err) < 0)
		return -1;
	if (start->pid == 0) {
		close(take_fd(&start->channel.fd));
		start->channel.fd = theirs;
		guest_main(start);
	}
	cgroup_door_close(&start->door);
	own_close(&start->notice);
	start->notice = -1;
	return 0;
}

static int spawn_undo(struct start *start, struct err *err)
{
	if (start->channel.fd >= 0)
		close(take_fd(&start->channel.fd));
	if (cgroup_kill(start->vps->id, STOP_MS, err) < 0)
		return -1;
	if (start->pid > 0) {
		kill(start->pid, SIGKILL);
		(void)waitpid(start->pid, NULL, 0);
		start->pid = 0;
	}
	return 0;
}

static int map_write(pid_t pid, const char *which, uid_t base, struct err *err)
{
	char path[48], map[48];

	str_format(path, sizeof(path), "/proc/%d/%s", pid, which);
	str_format(map, sizeof(map), "0 %u %u", base, VPS_ID_SIZE);
	return file_write(AT_FDCWD, path, map, err);
}

static int idmap_apply(struct start *start, struct err *err)
{
	uid_t base = vps_base(start->vps->id);

	/* not by itself: it is not dumpable, and its proc files are the node's root's.  The
	 * monitor that starts it again after a reboot is spared, and it is not. */
	oom_score_set(start->pid, OOM_SCORE_VPS);
	if (map_write(start->pid, "gid_map", base, err) < 0)
		return -1;
	return map_write(start->pid, "uid_map", base, err);
}

static int rootfs_apply(struct start *start, struct err *err)
{
	if (rootfs_build(start, err) < 0)
		return -1;
	/* from here the guest mounts and pivots while we make its network */
	return channel_go(&start->channel, -1, err);
}

/* A guest side that has given up says why, and that is why we cannot go on. */
static int guest_reason(struct start *start, struct err *err)
{
	struct pollfd heard = { .fd = start->channel.fd, .events = POLLIN };
	struct err told;

	while (poll(&heard, 1, 0) > 0) {
		own_fd sent = -1;

		if (channel_wait(&start->channel, &sent, &told) == 0)
			continue;
		if (!start->channel.ended)
			*err = told;
		break;
	}
	return -1;
}

static int network_apply(struct start *start, struct err *err)
{
	char path[48];

	str_format(path, sizeof(path), "/proc/%d/ns/net", start->pid);
	own_fd netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0) {
		fail(err, errno, "cannot open the guest's network namespace");
		return guest_reason(start, err);
	}
	if (link_neighbours_bound(start->vps->id, start->pid, err) < 0)
		return guest_reason(start, err);
	struct link link = link_of(start->vps);
	return link_create(start->vps->id, start->place->bridge, &link, netns, err);
}

static int network_undo(struct start *start, struct err *err)
{
	const struct link *was = start->place->was;
	unsigned id = start->vps->id;
	struct err ignored;

	if (was && memcmp(was, &start->vps->link, sizeof(*was)) != 0)
		(void)network_forget(id, start->place->bridge, was, &ignored);
	return network_remove(id, start->place->bridge, &start->vps->link, err);
}

/* The record is written before any code of the tenant's runs: a crash from here on
 * leaves a process that repair knows. */
static int record_apply(struct start *start, struct err *err)
{
	struct record record = {
		.id = start->vps->id,
		.init = start->pid,
		.monitor = getpid(),
	};

	if (channel_wait(&start->channel, &start->console, err) < 0)
		return -1;
	return record_write(start->place->run, &record, err);
}

static int record_undo(struct start *start, struct err *err)
{
	return record_remove(start->place->run, err);
}

static int publish_apply(struct start *start, struct err *err)
{
	struct link link = link_of(start->vps);

	if (!link_is_wanted(&link))
		return 0;
	if (inquiry_end(&start->inquiry, err) < 0)
		return -1;
	if (wall_change(start->vps->id, start->place->bridge, NULL, &link, err) < 0 ||
	    nat_add(start->vps->id, start->place->bridge, &link, err) < 0)
		return -1;
	if (link_up(start->vps->id, start->place->bridge, &link, err) < 0)
		return -1;
	return link_announce(start->vps->id, start->place->bridge, NULL, &link, err);
}

/* Commit: end-of-file on the channel is the guest's exec, anything else its reason; but work is
 * done when it says so. */
static int go_apply(struct start *start, struct err *err)
{
	if (channel_go(&start->channel, -1, err) < 0)
		return -1;
	bool heard = channel_wait(&start->channel, NULL, err) == 0;
	if (start->work && !heard)
		return start->channel.ended
			   ? fail_as(err, ERR_SYSTEM, "what was to do it inside was killed")
			   : -1;
	if (!start->work && (heard || !start->channel.ended))
		return -1;
	close(take_fd(&start->channel.fd));
	if (!start->work)
		(void)unlinkat(start->place->dir, "fresh", 0);
	return 0;
}

static const struct step host_steps[] = {
	{ "intent", intent_apply, intent_undo, SLOW }, /* a crash from here on has an owner */
	{ "inquiry", inquiry_apply, inquiry_undo, FAST },  /* who else has its addresses? */
	{ "cgroup", cgroup_apply, cgroup_undo, FAST },	   /* limits before the first process */
	{ "volume", volume_apply, volume_undo, FAST },	   /* one mount at a time, ever */
	{ "scratch", rootfs_prepare, rootfs_leave, FAST }, /* only we and the guest see it */
	{ "notice", notice_apply, NULL, FAST },		   /* what its tenant is told */
	{ "view", view_apply, NULL, FAST },		   /* lxcfs has had its time */
	{ "spawn", spawn_apply, spawn_undo, FAST },	   /* clone3 into that cgroup */
	{ "idmap", idmap_apply, NULL, FAST },		   /* only its parent may map it */
	{ "volume", volume_take, NULL, FAST },		   /* mounted by now */
	{ "rootfs", rootfs_apply, NULL, FAST },		   /* layers in the guest's ids */
	{ "network", network_apply, network_undo, SLOW },  /* far end inside, near end down */
	{ "record", record_apply, record_undo,
	  FAST },				  /* before the tenant's first instruction */
	{ "publish", publish_apply, NULL, FAST }, /* the last that can be refused */
	{ "go", go_apply, NULL, FAST },		  /* its exec, or its struct err */
};

static int console_apply(struct start *start, struct err *err)
{
	return channel_wait(&start->channel, &start->console, err);
}

/* For work in a VPS that is stopped: no network, and nobody needs to find it. */
static const struct step offline_steps[] = {
	{ "intent", intent_apply, intent_undo, FAST },
	{ "cgroup", cgroup_apply, cgroup_undo, FAST },
	{ "volume", volume_apply, volume_undo, FAST },
	{ "scratch", rootfs_prepare, rootfs_leave, FAST },
	{ "spawn", spawn_apply, spawn_undo, FAST },
	{ "idmap", idmap_apply, NULL, FAST },
	{ "rootfs", rootfs_apply, NULL, FAST },
	{ "console", console_apply, NULL, FAST },
	{ "go", go_apply, NULL, FAST },
};

static struct start start_of(const struct vps *vps, const struct place *place)
{
	return (struct start){
		.vps = vps,
		.place = place,
		.host_mounts = -1,
		.image = -1,
		.volume = -1,
		.disk = { .fd = -1 },
		.notice = -1,
		.cgroup = -1,
		.channel = { .fd = -1 },
		.pidfd = -1,
		.console = -1,
		.door = cgroup_door_none(),
		.inquiry = inquiry_none(),
	};
}

/* Nothing of the operator's session may hold the VPS, or end with it. */
static int session_leave(struct err *err)
{
	own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return fail(err, errno, "cannot open /dev/null");
	(void)setsid();
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	return 0;
}

int runtime_clean(const struct vps *vps, const struct place *place, struct err *err)
{
	struct start start = start_of(vps, place);

	return steps_undo(host_steps, ARRAY_SIZE(host_steps), &start, err);
}

int runtime_clean_soon(const struct vps *vps, const struct place *place, struct err *err)
{
	struct start start = start_of(vps, place);
	pid_t pid;

	if (steps_undo_fast(host_steps, ARRAY_SIZE(host_steps), &start, err) < 0)
		return -1;
	/* The lock is held until its last copy is closed, and the child has one. */
	pid = fork();
	if (pid < 0)
		return runtime_clean(vps, place, err);
	if (pid == 0) {
		if (session_leave(err) == 0)
			(void)runtime_clean(vps, place, err);
		_exit(0);
	}
	return 0;
}

/* Undoing a start of what runs already would end it. */
static int populated_check(const struct vps *vps, struct err *err)
{
	if (!cgroup_is_populated(vps->id))
		return 0;
	return fail_as(err, ERR_RUNNING, "processes of it run; 'nodectl repair' finds out why");
}

/*
 * The last step is not in the table: there is no undo once the VPS runs.  @started is called
 * when it does: what follows waits for RCU, and if it failed the next command would give the
 * VPS a new monitor.  @disk brings the volume, or is -1.
 */
static int start_here(const struct vps *vps, const struct place *place, int disk,
		      void (*started)(void *arg), void *arg, struct err *err)
{
	struct start start = start_of(vps, place);

	start.disk.fd = disk;
	own_fd monitor = handover_open(err);
	if (monitor < 0 || populated_check(vps, err) < 0)
		return -1;
	if (steps_apply(host_steps, ARRAY_SIZE(host_steps), &start, err) < 0)
		return -1;

	if (intent_remove(place->run, err) < 0)
		return -1;
	started(arg);
	if (rootfs_leave(&start, err) < 0)
		return -1;
	return handover(monitor, vps, place, start.pidfd, start.console, err);
}

int runtime_restart(const struct vps *vps, const struct place *place,
		    void (*started)(void *arg), void *arg, struct err *err)
{
	return start_here(vps, place, -1, started, arg, err);
}

static void started_tell(void *answer)
{
	struct err done = { 0 };

	(void)write_all(*(int *)answer, &done, sizeof(done));
}

static void no_memory(int answer, const char *what)
{
	struct err err;

	fail(&err, 0, "%s; 'nodectl repair' cleans up", what);
	(void)write_all(answer, &err, sizeof(err));
}

/* In a process of its own: it changes namespaces, and then becomes the monitor. */
static __attribute__((noreturn)) void host_main(const struct vps *vps,
						const struct place *place, int answer)
{
	struct err err;

	no_memory_tell(no_memory, answer);
	if (session_leave(&err) == 0)
		(void)start_here(vps, place, answer, started_tell, &answer, &err);
	(void)write_all(answer, &err, sizeof(err));
	_exit(1);
}

/*
 * Mounting the volume is mostly waiting for the disk, and we only wait for the host side, so
 * we do it for that one, which makes the groups and namespaces meanwhile.  A mount that nobody
 * takes is gone when it is closed.
 */
static void volume_bring(const struct vps *vps, const struct place *place, int to)
{
	const struct channel channel = { .fd = to };
	struct err err;

	own_fd volume = volume_open(vps, place, &err);
	if (volume >= 0 && channel_go(&channel, volume, &err) == 0)
		return;
	/* whom not even the reason reaches hears that nothing will come */
	if (send(to, &err, sizeof(err), MSG_NOSIGNAL) < 0)
		(void)shutdown(to, SHUT_WR);
}

/* Who says nothing may have ended, or have become the monitor, and that one does not end. */
static bool has_ended(pid_t pid)
{
	own_fd pidfd = pidfd_open(pid, 0);

	return pidfd >= 0 && process_wait(pidfd, STOP_MS) && waitpid(pid, NULL, WNOHANG) == pid;
}

/* Whatever the forked host side has to say comes back as one struct err. */
static int answer_wait(int answer, pid_t pid, bool reap, struct err *err)
{
	struct err got;

	/* the volume that one never took which failed early comes back first, as a reset */
	if (read_all(answer, &got, sizeof(got)) < 0 &&
	    (errno != ECONNRESET || read_all(answer, &got, sizeof(got)) < 0)) {
		int code = errno == EPIPE ? 0 : errno;

		if (!has_ended(pid))
			return fail(err, code,
				    "cannot hear how it went; 'nodectl status' tells");
		return fail(err, 0,
			    "the starting process was killed; 'nodectl repair' cleans up");
	}
	if (got.kind || reap)
		(void)waitpid(pid, NULL, 0);
	if (!got.kind)
		return 0;
	*err = got;
	return -1;
}

int runtime_start(const struct vps *vps, const struct place *place,
		  int (*meanwhile)(void *arg, struct err *err), void *arg, struct err *err)
{
	struct err other;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(err, errno, "cannot make a channel");
	own_fd answer = pair[0], theirs = pair[1];
	pid = monitor_fork();
	if (pid == 0) {
		close(take_fd(&answer));
		host_main(vps, place, theirs);
	}
	if (pid < 0)
		return fail(err, errno, "cannot fork");
	close(take_fd(&theirs));
	volume_bring(vps, place, answer);
	int result = meanwhile(arg, &other);
	if (answer_wait(answer, pid, false, err) < 0)
		return -1;
	if (result < 0)
		*err = other;
	return result;
}

static int offline_here(const struct vps *vps, const struct place *place,
			int (*work)(void *arg, struct err *err), void *arg, struct err *err)
{
	struct start start = start_of(vps, place);
	struct err undo;

	start.work = work;
	start.arg = arg;
	if (populated_check(vps, err) < 0)
		return -1;
	if (steps_apply(offline_steps, ARRAY_SIZE(offline_steps), &start, err) < 0)
		return -1;
	if (steps_undo(offline_steps, ARRAY_SIZE(offline_steps), &start, &undo) < 0) {
		*err = undo;
		return -1;
	}
	return 0;
}

int runtime_offline(const struct vps *vps, const struct place *place,
		    int (*work)(void *arg, struct err *err), void *arg, struct err *err)
{
	struct err done = { 0 };
	int pipe[2];
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		if (offline_here(vps, place, work, arg, &done) == 0)
			done = (struct err){ 0 };
		(void)write_all(pipe[1], &done, sizeof(done));
		_exit(0);
	}
	close(pipe[1]);
	own_fd answer = pipe[0];
	if (pid < 0)
		return fail(err, errno, "cannot fork");
	return answer_wait(answer, pid, true, err);
}

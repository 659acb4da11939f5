/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"

double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* What is left of the phase that ends here. */
static double lap(double *spent, enum phase phase, double from)
{
	double now = now_us();

	spent[phase] = now - from;
	return now;
}

/* A namespace that the node never sees, with a tmpfs to work in. */
static int scratch_enter(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("floor", "/mnt", "tmpfs", 0, "mode=0755") < 0 || chdir("/mnt") < 0)
		return fail(err, errno, "cannot make a mount namespace");
	return 0;
}

struct guest {
	pid_t pid;
	int pidfd;
	int go;	    /* a byte sends it off */
	int answer; /* its failure, or nothing when it was executed */
	int groups[GROUPS_JOINED];
};

static int guest_start(const struct floor *floor, const int *groups, int go, struct err *err)
{
	double *spent = floor->spent, now = now_us();
	char byte;

	/* whoever started us may die while we wait */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (groups_join(groups, err) < 0)
		return -1;
	lap(spent, PHASE_JOIN, now);

	if (read_all(go, &byte, 1) < 0)
		return fail(err, errno, "cannot wait");
	return guest_run(floor, lap(spent, PHASE_WAKE, spent[PHASE_WAKE]), err);
}

static void guest_main(const struct floor *floor, const int *groups, int go, int answer)
{
	struct err err = { 0 };

	(void)guest_start(floor, groups, go, &err);
	(void)write_all(answer, &err, sizeof(err));
	_exit(1);
}

static int guest_clone(const struct floor *floor, int group, struct guest *guest,
		       struct err *err)
{
	int go[2], answer[2];
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
			 CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PIDFD |
			 CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)(uintptr_t)&guest->pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)group,
	};

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	guest->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (guest->pid == 0) {
		close(go[1]);
		guest_main(floor, guest->groups, go[0], answer[1]);
	}
	close(go[0]);
	close(answer[1]);
	guest->go = go[1];
	guest->answer = answer[0];
	return guest->pid < 0 ? fail(err, errno, "cannot clone") : 0;
}

static int guest_go(const struct floor *floor, const struct guest *guest, struct err *err)
{
	floor->spent[PHASE_WAKE] = now_us();
	if (write_all(guest->go, "", 1) < 0)
		return fail(err, errno, "cannot wake the guest");
	return read_all(guest->answer, err, sizeof(*err)) == 0 ? -1 : 0;
}

static int start(const struct floor *floor, struct guest *guest, struct err *err)
{
	double *spent = floor->spent, begin = now_us(), now = begin;

	own_fd group = groups_make(floor->name, err);
	if (group < 0 || groups_open(floor->name, guest->groups, err) < 0)
		return -1;
	now = lap(spent, PHASE_CGROUPS, now);

	if (scratch_enter(err) < 0)
		return -1;
	now = lap(spent, PHASE_NAMESPACE, now);

	own_fd volume = volume_attach(floor->volume, err);
	if (volume < 0)
		return -1;
	now = lap(spent, PHASE_VOLUME, now);

	own_fd userns = idmap_make(floor->base, err);
	if (userns < 0)
		return -1;
	now = lap(spent, PHASE_IDMAP, now);

	if (layers_attach(floor->image, volume, userns, err) < 0 ||
	    overlay_mount(floor->base, err) < 0)
		return -1;
	now = lap(spent, PHASE_OVERLAY, now);

	if (guest_clone(floor, group, guest, err) < 0)
		return -1;
	now = lap(spent, PHASE_CLONE, now);

	if (maps_write(guest->pid, floor->base, err) < 0)
		return -1;
	now = lap(spent, PHASE_MAPS, now);

	if (link_make(floor->name, guest->pid, err) < 0)
		return -1;
	lap(spent, PHASE_LINK, now);

	if (guest_go(floor, guest, err) < 0)
		return -1;
	lap(spent, PHASE_EXEC, spent[PHASE_EXEC]);
	lap(spent, PHASE_START, begin);
	return 0;
}

/* Everything by name, so that it also removes what a failed start left. */
static void stop(const struct floor *floor, struct guest *guest)
{
	double *spent = floor->spent, begin = now_us(), now = begin;

	groups_kill(floor->name);
	if (guest->pid > 0)
		(void)waitpid(guest->pid, NULL, 0);
	now = lap(spent, PHASE_KILL, now);

	link_remove(floor->name);
	now = lap(spent, PHASE_UNLINK, now);

	(void)!chdir("/");
	(void)umount2("/mnt", MNT_DETACH);
	volume_detached(floor->volume);
	now = lap(spent, PHASE_UNMOUNT, now);

	groups_remove(floor->name);
	now = lap(spent, PHASE_RMDIR, now);
	spent[PHASE_STOP] = now - begin;
}

/* In a process of its own: nothing of what it turns into can be taken back. */
int floor_run(const struct floor *floor, struct err *err)
{
	struct guest guest = { .pid = -1, .pidfd = -1, .go = -1, .answer = -1 };
	int pipe[2], result;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");

	pid_t pid = fork();
	if (pid == 0) {
		result = start(floor, &guest, err);
		if (result < 0)
			(void)write_all(pipe[1], err, sizeof(*err));
		stop(floor, &guest);
		_exit(result < 0);
	}
	close(pipe[1]);
	own_fd answer = pipe[0];
	if (pid < 0)
		return fail(err, errno, "cannot fork");
	result = read_all(answer, err, sizeof(*err)) == 0 ? -1 : 0;
	(void)waitpid(pid, NULL, 0);
	return result;
}

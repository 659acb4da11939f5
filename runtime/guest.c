/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "creds.h"
#include "err.h"
#include "own.h"
#include "runtime.h"
#include "start.h"
#include "str.h"
#include "vps.h"

/*
 * From clone3 to exec.  We are pid 1 of the VPS and root of its user namespace,
 * with no host identity left but the base uid; the host side waits on the channel.
 */

/* Our memory still holds the node's secrets and our binary is the node's: until
 * exec nobody inside may trace us, and we do not outlive the host side. */
static int enter_apply(struct start *start, struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(err, errno, "cannot protect the guest side");
	if (setsid() < 0)
		return fail(err, errno, "cannot make a session");
	if (cgroup_enter(&start->door, err) < 0)
		return -1;
	cgroup_door_close(&start->door);
	if (channel_wait(&start->channel, NULL, err) < 0)
		return -1;

	/* Only now are we in all our control groups, v1 ones too, and is the root built. */
	if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP) < 0)
		return fail(err, errno, "cannot unshare mounts and cgroups");
	return 0;
}

static int credentials_apply(struct start *start, struct err *err)
{
	(void)start;
	if (credentials_drop(err) < 0)
		return -1;
	/* a change of ids forgets both */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(err, errno, "cannot protect the guest side");
	return 0;
}

/* Nothing of the node is open any more when a path of the tenant's is resolved. */
static int descriptors_apply(struct start *start, struct err *err)
{
	const int keep[] = { start->channel.fd, start->console };

	return descriptors_close(keep, ARRAY_SIZE(keep), err);
}

/* Root of the namespace first: what the mounts make belongs to it. */
static int root_apply(struct start *start, struct err *err)
{
	(void)start;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return fail(err, errno, "cannot become root of the user namespace");
	return 0;
}

static int ready_apply(struct start *start, struct err *err)
{
	return channel_go(&start->channel, start->console, err);
}

static int go_apply(struct start *start, struct err *err)
{
	return channel_wait(&start->channel, NULL, err);
}

static int session_apply(struct start *start, struct err *err)
{
	(void)start;
	if (session_reset(err) < 0)
		return -1;

	own_fd console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (console < 0)
		return fail(err, errno, "cannot open the console");
	if (dup2(console, 0) < 0 || dup2(console, 1) < 0 || dup2(console, 2) < 0)
		return fail(err, errno, "cannot set standard input and output");
	if (chdir("/") < 0)
		return fail(err, errno, "cannot enter '/'");

	/* exec closes every other descriptor, the channel with them, and that is how the host
	 * side learns that it succeeded */
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(err, errno, "cannot close descriptors");
	return 0;
}

static int filter_apply(struct start *start, struct err *err)
{
	(void)start;
	return filter_load(err);
}

static int exec_apply(struct start *start, struct err *err)
{
	const char *const argv[] = { start->vps->init, NULL };
	char **env = environment_make(start->vps->uuid, "linux", NULL);

	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return fail(err, errno, "cannot let go of the host side");
	if (start->work) {
		if (start->work(start->arg, err) < 0)
			return -1;
		/* said, not only ended: who is killed ends, too */
		_exit(channel_go(&start->channel, -1, err) < 0);
	}
	execve(argv[0], (char *const *)argv, env);
	fail(err, errno, "cannot execute '%s'", argv[0]);
	if (err->code == ENOENT || err->code == EACCES || err->code == ENOEXEC)
		err->kind = ERR_NOT_SYSTEM;
	return -1;
}

static const struct {
	const char *name;
	int (*apply)(struct start *start, struct err *err);
} guest_steps[] = {
	{ "enter", enter_apply },   /* wait until maps, limits and root are there */
	{ "root", root_apply },	    /* uid 0 of the namespace */
	{ "mounts", mounts_apply }, /* proc, sys, dev/pts, …: before leaving the host tree */
	{ "pivot", mounts_pivot },  /* from here no host path can be named */
	{ "descriptors", descriptors_apply }, /* nor be reached by /proc/self/fd */
	{ "masks", mounts_mask },	      /* after pivot: paths are the VPS's */
	{ "names", names_write }, /* written by the tenant's root, into its own tree */
	{ "credentials", credentials_apply }, /* after the last privileged mount */
	{ "keys", names_keys },	      /* runs the image's ssh-keygen: capabilities are gone */
	{ "sync", names_sync },	      /* no other start would write it again */
	{ "ready", ready_apply },     /* what is left cannot be refused by the image */
	{ "session", session_apply }, /* descriptors, keyring, signals */
	{ "filter", filter_apply },   /* after the last keyctl */
	{ "go", go_apply },	      /* the host has recorded us: tenant code may run */
	{ "exec", exec_apply },
};

/* Or the end of the channel would be taken for that of a start that succeeded. */
static void no_memory(int channel, const char *what)
{
	struct err err;

	fail(&err, 0, "%s", what);
	(void)!write(channel, &err, sizeof(err));
}

void guest_main(struct start *start)
{
	struct err err = { 0 };

	no_memory_tell(no_memory, start->channel.fd);
	for (size_t i = 0; i < ARRAY_SIZE(guest_steps); i++) {
		if (guest_steps[i].apply(start, &err) < 0) {
			fail_in(&err, "%s", guest_steps[i].name);
			break;
		}
	}
	(void)!write(start->channel.fd, &err, sizeof(err));
	_exit(1);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "filter.h"
#include "own.h"
#include "str.h"

#define QUIET (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct {
	const char *type, *target;
	unsigned long flags;
	const char *data;
	bool make;
} mounts[] = {
	{ "proc", "root/proc", QUIET, NULL, false },
	{ "sysfs", "root/sys", QUIET, NULL, false },
	{ "cgroup2", "root/sys/fs/cgroup", QUIET, NULL, false },
	{ "tmpfs", "root/dev", MS_NOSUID | MS_NOEXEC, "mode=755,size=1m", false },
	{ "devpts", "root/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=666", true },
	{ "mqueue", "root/dev/mqueue", QUIET, NULL, true },
	{ "tmpfs", "root/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true },
};

static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };

/* We are root of the guest's user namespace, but still see the node's tree. */
static int mounts_make(struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (mounts[i].make && mkdir(mounts[i].target, 0755) < 0)
			return fail(err, errno, "cannot make '%s'", mounts[i].target);
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			  mounts[i].data) < 0)
			return fail(err, errno, "cannot mount '%s'", mounts[i].target);
	}
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		char from[32], to[32];

		str_format(from, sizeof(from), "/dev/%s", devices[i]);
		str_format(to, sizeof(to), "root/dev/%s", devices[i]);
		own_fd node = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
		if (node < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
			return fail(err, errno, "cannot bind '%s'", to);
	}
	return 0;
}

/* An inherited mount is locked and cannot become the root; one on top of it can. */
static int root_enter(struct err *err)
{
	if (mount("root", "root", NULL, MS_BIND | MS_REC, NULL) < 0 || chdir("root") < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return fail(err, errno, "cannot change the root");
	return 0;
}

static int filter_load(struct err *err)
{
	const struct sock_fprog program = { .len = FILTER_LENGTH,
					    .filter = (struct sock_filter *)filter_program };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return fail(err, errno, "cannot load the filter");
	return 0;
}

int guest_run(const struct floor *floor, double woken, struct err *err)
{
	static char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
					     (char *)"container=floor", NULL };
	double *spent = floor->spent;
	sigset_t none;
	double now;

	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return fail(err, errno, "cannot become root");
	if (mounts_make(err) < 0)
		return -1;
	now = now_us();
	spent[PHASE_MOUNTS] = now - woken;

	if (root_enter(err) < 0)
		return -1;
	spent[PHASE_PIVOT] = now_us() - now;

	own_fd null = open("/dev/null", O_RDWR);
	sigemptyset(&none);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return fail(err, errno, "cannot set up the process");

	now = now_us();
	if (floor->filter && filter_load(err) < 0)
		return -1;
	spent[PHASE_SECCOMP] = now_us() - now;

	spent[PHASE_EXEC] = now_us();
	execve(floor->argv[0], (char *const *)floor->argv, environment);
	return fail(err, errno, "cannot execute '%s'", floor->argv[0]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "jail.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "err.h"
#include "own.h"

#define LOAD_S 5

/* Files of any owner and mode, in directories of any owner and mode. */
static const cap_value_t kept[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP,
};

static const struct {
	int resource;
	rlim_t limit;
} rlimits[] = {
	{ RLIMIT_AS, 1 << 30 }, /* a dictionary of 128 MiB, and the names of 2 million files */
	{ RLIMIT_NOFILE, 1024 },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_NPROC, 0 },
};

/* sysinfo: qsort(3) asks how much memory there is. */
static const int calls[] = {
	/* files that are open */
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(lseek),
	SCMP_SYS(ftruncate), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fcntl),
	SCMP_SYS(getdents64), SCMP_SYS(fsetxattr), SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr),
	SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(close),
	/* names beneath them */
	SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(newfstatat), SCMP_SYS(readlinkat),
	SCMP_SYS(mkdirat), SCMP_SYS(mknodat), SCMP_SYS(linkat), SCMP_SYS(symlinkat),
	SCMP_SYS(fchmodat), SCMP_SYS(fchownat), SCMP_SYS(utimensat),
	/* memory, time and the end */
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
	SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime),
	SCMP_SYS(sysinfo), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(tgkill), SCMP_SYS(setitimer), SCMP_SYS(exit),
	SCMP_SYS(exit_group)
};

static int limits_set(struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimits); i++) {
		struct rlimit limit = { rlimits[i].limit, rlimits[i].limit };

		if (setrlimit((__rlimit_resource_t)rlimits[i].resource, &limit) < 0)
			return fail(err, errno, "cannot limit the reader of archives");
	}
	return 0;
}

/* The bounding set first: dropping from it takes CAP_SETPCAP. */
static int capabilities_drop(struct err *err)
{
	cap_t caps = cap_init();
	int failed = !caps;

	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
		(void)cap_drop_bound(cap);
	failed = failed ||
		 cap_set_flag(caps, CAP_PERMITTED, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		 cap_set_flag(caps, CAP_EFFECTIVE, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		 cap_set_proc(caps) < 0;
	(void)cap_free(caps);
	return failed ? fail(err, errno, "cannot drop capabilities") : 0;
}

/* Where libseccomp 2.5 gets no memory it goes round for ever: it has so many seconds of CPU. */
static void patience(int seconds)
{
	const struct itimerval end = { .it_value.tv_sec = seconds };

	(void)setitimer(ITIMER_VIRTUAL, &end, NULL);
}

/* Anything else ends the process: it would be the work of an archive that took it over. */
static int filter_load(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int code = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && code == 0; i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	patience(LOAD_S);
	if (code == 0)
		code = seccomp_load(filter);
	patience(0);
	seccomp_release(filter);
	return code < 0 ? fail(err, -code, "cannot load a system call filter") : 0;
}

int jail_enter(int root, struct err *err)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0)
		return fail(err, errno, "cannot leave the network");
	if (fchdir(root) < 0 || chroot(".") < 0)
		return fail(err, errno, "cannot enter the staging directory");
	if (limits_set(err) < 0 || capabilities_drop(err) < 0)
		return -1;
	/* loads with no_new_privs set */
	return filter_load(err);
}

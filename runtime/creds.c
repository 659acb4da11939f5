/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "creds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "filter.h"
#include "io.h"
#include "own.h"
#include "str.h"

static const struct {
	int resource;
	rlim_t soft, hard;
} rlimits[] = {
	{ RLIMIT_NOFILE, 1024, 524288 },
	{ RLIMIT_MEMLOCK, 8 << 20, 64 << 20 },
	{ RLIMIT_MSGQUEUE, 819200, 819200 },
	{ RLIMIT_CORE, 0, RLIM_INFINITY },
	{ RLIMIT_STACK, 8 << 20, RLIM_INFINITY },
	{ RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_NICE, 0, 0 },
	{ RLIMIT_RTPRIO, 0, 0 },
};

int rlimits_apply(struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimits); i++) {
		struct rlimit limit = { rlimits[i].soft, rlimits[i].hard }, host;

		if (setrlimit(rlimits[i].resource, &limit) == 0)
			continue;
		/* Raising a hard limit needs CAP_SYS_RESOURCE, which not every node's root has.
		 */
		if (errno != EPERM || getrlimit(rlimits[i].resource, &host) < 0)
			return fail(err, errno, "cannot set rlimit %d", rlimits[i].resource);
		limit.rlim_max = host.rlim_max;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit(rlimits[i].resource, &limit) < 0)
			return fail(err, errno, "cannot set rlimit %d", rlimits[i].resource);
	}
	return 0;
}

/*
 * None of these can do anything to what the initial user namespace owns; without
 * them failures are early and the same everywhere.  No security rests on it: a
 * nested user namespace has them all again.
 */
static const cap_value_t dropped[] = {
	CAP_SYS_MODULE,
	CAP_SYS_RAWIO,
	CAP_SYS_TIME,
	CAP_MAC_ADMIN,
	CAP_MAC_OVERRIDE,
	CAP_BPF,
	CAP_PERFMON,
	CAP_SYSLOG,
	CAP_AUDIT_CONTROL,
	CAP_AUDIT_READ,
	CAP_WAKE_ALARM,
	CAP_BLOCK_SUSPEND,
	CAP_CHECKPOINT_RESTORE,
	CAP_LINUX_IMMUTABLE,
	CAP_MKNOD,
};

int credentials_drop(struct err *err)
{
	/* our uid may be one that the namespace does not map; 0 is its root */
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return fail(err, errno, "cannot become root of the user namespace");

	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		if (cap_drop_bound(dropped[i]) < 0)
			return fail(err, errno, "cannot drop capability %d", dropped[i]);
	}
	if (cap_reset_ambient() < 0)
		return fail(err, errno, "cannot reset the ambient capabilities");

	cap_t caps = cap_get_proc();
	if (!caps || cap_clear_flag(caps, CAP_INHERITABLE) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, ARRAY_SIZE(dropped), dropped, CAP_CLEAR) < 0 ||
	    cap_set_flag(caps, CAP_PERMITTED, ARRAY_SIZE(dropped), dropped, CAP_CLEAR) < 0 ||
	    cap_set_proc(caps) < 0) {
		fail(err, errno, "cannot set the capabilities");
		cap_free(caps);
		return -1;
	}
	cap_free(caps);
	return 0;
}

int descriptors_close(const int *keep, size_t count, struct err *err)
{
	for (unsigned from = 3;;) {
		unsigned next = ~0u;

		for (size_t i = 0; i < count; i++) {
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		}
		if (next > from && close_range(from, next == ~0u ? next : next - 1, 0) < 0)
			return fail(err, errno, "cannot close descriptors");
		if (next == ~0u)
			return 0;
		from = next + 1;
	}
}

int stdio_null(struct err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++) {
		if (null < 0 || dup2(null, i) < 0)
			return fail(err, errno, "cannot open '/dev/null'");
	}
	return 0;
}

int session_reset(struct err *err)
{
	sigset_t none;

	/* By the raw call: glibc's keeps two signals for itself and would leave them ignored.
	 */
	for (int signal = 1; signal < _NSIG; signal++) {
		const struct {
			unsigned long handler, flags, restorer, mask;
		} standard = { 0 };

		(void)syscall(SYS_rt_sigaction, signal, &standard, NULL, sizeof(standard.mask));
	}
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return fail(err, errno, "cannot reset the signal mask");

	/* The operator's session keyring must not be inherited: possession is all a key asks
	 * for. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS &&
	    errno != EDQUOT)
		return fail(err, errno, "cannot join a new session keyring");
	umask(022);
	(void)personality(0);
	return 0;
}

void oom_score_set(pid_t pid, int score)
{
	char path[48] = "/proc/self/oom_score_adj", text[16];
	struct err ignored;

	if (pid)
		str_format(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	str_format(text, sizeof(text), "%d", score);
	(void)file_write(AT_FDCWD, path, text, &ignored);
}

int filter_load(struct err *err)
{
	const struct sock_fprog program = {
		.len = ARRAY_SIZE(filter_program),
		.filter = (struct sock_filter *)filter_program,
	};

	/* No no_new_privs: sudo and su must work inside.  CAP_SYS_ADMIN of our own user
	 * namespace allows the filter without it. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return fail(err, errno, "cannot load the system call filter");
	return 0;
}

char **environment_make(const char *uuid, const char *term, const char *const *more)
{
	size_t count = 0, used = 0;
	char **env;

	while (more && more[count])
		count++;
	env = xcalloc(count + 7, sizeof(*env));
	env[used++] =
	    xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env[used++] = xstrdup("container=nodectl");
	if (uuid)
		env[used++] = xasprintf("container_uuid=%s", uuid);
	else
		env[used++] = xstrdup("HOME=/root");
	if (!uuid)
		env[used++] = xstrdup("USER=root");
	if (term)
		env[used++] = xasprintf("TERM=%s", term);
	for (size_t i = 0; i < count; i++)
		env[used++] = xstrdup(more[i]);
	return env;
}

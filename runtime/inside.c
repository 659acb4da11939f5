/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "creds.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "str.h"

#define ALL_NAMESPACES                                                                         \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |            \
	 CLONE_NEWUTS | CLONE_NEWCGROUP)

#define ENTER_MS 10000u
#define TRY_MS	 2000u /* where the guest may be in the way */

/* What the processes of one entry tell each other and us. */
struct hello {
	struct err err;
	pid_t pid;
};

static int tell(int channel, const struct err *err, pid_t pid)
{
	struct hello hello = { .err = *err, .pid = pid };

	return send(channel, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static void no_memory(int channel, const char *what)
{
	struct err err;

	fail(&err, 0, "%s", what);
	(void)tell(channel, &err, 0);
}

/*
 * End when our parent does, which alone has the other end of @channel.  Had it ended before,
 * getppid() would not tell: both it and who adopts us are outside.
 */
static int end_with_asker(int channel, struct err *err)
{
	struct pollfd other = { .fd = channel };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(err, errno, "cannot protect ourselves");
	if (poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR)))
		return fail_as(err, ERR_SYSTEM, "who has asked for it is gone");
	return 0;
}

static int go_wait(int channel, struct err *err)
{
	char go;
	ssize_t len = recv(channel, &go, sizeof(go), 0);

	if (len < 0)
		return fail(err, errno, "cannot wait inside");
	/* given up, and then another does what we would */
	if (len == 0)
		_exit(1);
	return 0;
}

static __attribute__((noreturn)) void inside_main(const struct inside_work *work, int channel)
{
	struct err err = { 0 };
	int keep[8] = { channel };
	int result;

	assert(work->keep_count < ARRAY_SIZE(keep));
	for (size_t i = 0; i < work->keep_count; i++)
		keep[i + 1] = work->keep[i];

	/* a parent that dies takes us with it, from now on, for the tenant can stop us at any
	 * moment; a change of ids forgets that, so again afterwards */
	result = end_with_asker(channel, &err);
	if (result == 0)
		result = go_wait(channel, &err);
	/* or /dev/tty inside would be the terminal of whoever has called us: to be read,
	 * written, and typed into (TIOCSTI) */
	if (result == 0 && setsid() < 0)
		result = fail(&err, errno, "cannot make a session");
	if (result == 0)
		result = credentials_drop(&err);
	if (result == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		result = fail(&err, errno, "cannot protect ourselves");
	if (result == 0)
		result = end_with_asker(channel, &err);
	if (result == 0)
		result = descriptors_close(keep, work->keep_count + 1, &err);
	if (result == 0)
		result = work->work(work->arg, &err);
	if (result == 0)
		err = (struct err){ 0 };
	(void)tell(channel, &err, 0);
	_exit(result == 0 ? 0 : 1);
}

/* In the VPS's control groups, still in the node's namespaces: enter, and make the child that
 * is inside.  CLONE_PARENT: it is our parent's to wait for. */
static __attribute__((noreturn)) void enter_main(int pidfd, const struct cgroup_door *door,
						 const struct inside_work *work, int channel)
{
	struct err err = { 0 };
	pid_t pid;

	no_memory_tell(no_memory, channel);
	/* nobody inside may look into us: we still hold the node's memory; nor is our standard
	 * input and output there for a link to /proc/self/fd */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		fail(&err, errno, "cannot protect ourselves");
	if (err.kind || stdio_null(&err) < 0 || cgroup_enter(door, &err) < 0 ||
	    rlimits_apply(&err) < 0) {
		(void)tell(channel, &err, 0);
		_exit(1);
	}
	oom_score_set(0, OOM_SCORE_VPS);
	if (setns(pidfd, ALL_NAMESPACES) < 0) {
		fail(&err, errno, "cannot enter the namespaces");
		(void)tell(channel, &err, 0);
		_exit(1);
	}
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		inside_main(work, channel);
	if (pid < 0)
		fail(&err, errno, "cannot make a process inside");
	/* what is inside holds the channel, too: nobody would learn that there is no answer */
	if (tell(channel, &err, pid) < 0)
		(void)shutdown(channel, SHUT_RDWR);
	_exit(pid < 0);
}

/* Everything inside can be stopped or frozen by the tenant: 0, or -1 when nothing has come
 * within
 * @wait_ms (0: wait on).  An empty message is end-of-file. */
static int hello_wait(int channel, struct hello *hello, unsigned wait_ms, ssize_t *len)
{
	unsigned long long end = now_ms() + wait_ms;

	do {
		struct pollfd answer = { .fd = channel, .events = POLLIN };
		unsigned long long now = now_ms();
		int left = !wait_ms ? -1 : now < end ? (int)(end - now) : 0;
		int ready = poll(&answer, 1, left);

		*len = ready > 0 ? recv(channel, hello, sizeof(*hello), 0) : -1;
		if (ready == 0)
			return -1;
	} while (*len < 0 && errno == EINTR);
	return 0;
}

static pid_t spawn(int cgroup, struct err *err)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return fail(err, errno, "cannot make a process in the VPS's control group");
	return pid;
}

/* By the group @entry; the pid of the process inside, which waits for a byte to go on. */
static pid_t enter(unsigned id, enum cgroup_entry entry, int pidfd,
		   const struct inside_work *work, int *channel, struct err *err)
{
	struct hello hello = { 0 };
	int pair[2];
	ssize_t len;
	pid_t pid;

	own_door door = cgroup_door_none();
	own_fd cgroup = cgroup_open(id, entry, &door, err);
	if (cgroup < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(err, errno, "cannot make a channel");
	own_fd ours = pair[0], theirs = pair[1];

	pid = spawn(cgroup, err);
	if (pid < 0)
		return -1;
	if (pid == 0) {
		close(ours);
		enter_main(pidfd, &door, work, theirs);
	}
	close(take_fd(&theirs));
	int late = hello_wait(ours, &hello, entry == CGROUP_GUEST ? TRY_MS : ENTER_MS, &len);
	/* it has nothing more to do, and frozen it would not even end */
	process_bury(pid);
	if (late < 0)
		return fail(err, ETIMEDOUT, "cannot enter it");
	if (len != sizeof(hello))
		return fail_as(err, ERR_NOT_RUNNING, "it stopped");
	if (hello.err.kind) {
		*err = hello.err;
		return -1;
	}
	/* never one that kill(2) takes for a group */
	assert(hello.pid > 0);
	*channel = take_fd(&ours);
	return hello.pid;
}

pid_t inside_start(unsigned id, pid_t init, const struct inside_work *work, int *channel,
		   struct err *err)
{
	const char go = 0;
	pid_t pid = -1;

	/* as long as we do not reap what has ended inside, its pid namespace, and with it the
	 * VPS, cannot end: from here on the shell's ^Z and '&' do not stop us */
	(void)signal(SIGTSTP, SIG_IGN);
	(void)signal(SIGTTIN, SIG_IGN);
	(void)signal(SIGTTOU, SIG_IGN);
	own_fd pidfd = pidfd_open(init, 0);
	if (pidfd < 0)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	/* what we hold is no other any more; but it may have become one before */
	if (cgroup_of(init) != id)
		return fail_as(err, ERR_NOT_RUNNING,
			       "its init (process %d) is not in its control group", init);

	if (work->guest)
		pid = enter(id, CGROUP_GUEST, pidfd, work, channel, err);
	if (pid < 0)
		pid = enter(id, CGROUP_COMMANDS, pidfd, work, channel, err);
	if (pid < 0)
		return -1;
	/* one that has ended has left its reason to be received */
	if (send(*channel, &go, sizeof(go), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET) {
		fail(err, errno, "cannot reach the process inside");
		kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return -1;
	}
	return pid;
}

int inside_answer(int channel, unsigned wait_ms, bool *executed, struct err *err)
{
	struct hello hello;
	ssize_t len;

	*executed = false;
	if (hello_wait(channel, &hello, wait_ms, &len) < 0)
		return fail(err, ETIMEDOUT, "what was started inside does not answer");
	/* killed before it read that it may go on: ECONNRESET (unix(7)), not end-of-file */
	if (len < 0)
		return fail_as(err, ERR_NOT_RUNNING, "what was started inside was killed");
	*executed = len == 0;
	if (len == sizeof(hello) && hello.err.kind) {
		*err = hello.err;
		return -1;
	}
	return 0;
}

int runtime_inside(unsigned id, pid_t init, const struct inside_work *work, struct err *err)
{
	own_fd channel = -1;
	bool executed;
	pid_t pid = inside_start(id, init, work, &channel, err);
	int result;

	if (pid < 0)
		return -1;
	result = inside_answer(channel, work->wait_ms, &executed, err);
	process_bury(pid);
	if (result == 0 && executed)
		return fail_as(err, ERR_NOT_RUNNING, "what was started inside was killed");
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "creds.h"
#include "err.h"
#include "inside.h"
#include "io.h"
#include "own.h"
#include "runtime.h"
#include "str.h"
#include "terminal.h"

/* What the process inside needs; made before it exists. */
struct job {
	const struct inside *inside;
	int stdio[3]; /* what becomes 0, 1, 2 */
	int tty;      /* socket on which the master goes back, or -1 */
	struct winsize window;
};

/*
 * A terminal of the VPS's own: the operator's must never be reachable from
 * inside (TIOCSTI).  The path is the tenant's, so the descriptor must prove
 * that it is a devpts master; the slave comes from it and not from a path.
 */
static int tty_make(struct job *job, struct err *err)
{
	struct statfs fs;
	int unlock = 0;
	own_fd master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (master < 0 || fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC ||
	    ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(err, errno ? errno : ENOTTY, "cannot make a terminal inside");

	/* before the command can ask for it */
	(void)ioctl(master, TIOCSWINSZ, &job->window);
	own_fd slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0 || fd_send(job->tty, master) < 0)
		return fail(err, errno, "cannot make a terminal inside");
	job->stdio[0] = job->stdio[1] = job->stdio[2] = take_fd(&slave);
	return 0;
}

static int command_exec(void *arg, struct err *err)
{
	struct job *job = arg;
	const struct inside *inside = job->inside;
	const char *term = job->tty >= 0 ? getenv("TERM") : NULL;
	char **env = environment_make(NULL, term ? term : "dumb", inside->env);

	if (chdir(inside->cwd ? inside->cwd : "/root") < 0 && (inside->cwd || chdir("/") < 0))
		return fail(err, errno, "cannot enter '%s'", inside->cwd ? inside->cwd : "/");
	if (session_reset(err) < 0 || (job->tty >= 0 && tty_make(job, err) < 0))
		return -1;
	for (int i = 0; i < 3; i++) {
		/* above the standard three first, so that none overwrites another */
		int high = fcntl(job->stdio[i], F_DUPFD_CLOEXEC, 10);

		if (high < 0)
			return fail(err, errno, "cannot pass descriptor %d", i);
		job->stdio[i] = high;
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(job->stdio[i], i) < 0)
			return fail(err, errno, "cannot pass descriptor %d", i);
	}
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || filter_load(err) < 0)
		return fail(err, errno, "cannot close descriptors");

	/* execvpe() would look in the operator's PATH */
	environ = env;
	execvp(inside->argv[0], (char *const *)inside->argv);
	fail(err, errno, "cannot execute '%s'", inside->argv[0]);
	err->kind =
	    err->code == ENOENT || err->code == ENOTDIR ? ERR_NOT_FOUND : ERR_CANNOT_RUN;
	return -1;
}

static int to_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void window_copy(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(master, TIOCSWINSZ, &size);
}

/*
 * Our streams that are terminals or files reach the command through pipes.  What the command
 * does not take yet is held and not waited for: it may itself be waiting for us to take what
 * it prints.
 */
struct relay {
	int from, to;
	size_t start, end;
	char held[16384];
};

static struct pollfd relay_awaits(const struct relay *relay)
{
	bool holds = relay->start < relay->end;

	return (struct pollfd){ .fd = relay->from < 0 ? -1
				      : holds	      ? relay->to
						      : relay->from,
				.events = holds ? POLLOUT : POLLIN };
}

/* One direction, as far as it goes: false when it has ended. */
static bool copy(struct relay *relay)
{
	if (relay->start == relay->end) {
		ssize_t len = read(relay->from, relay->held, sizeof(relay->held));

		if (len <= 0)
			return len < 0 && (errno == EAGAIN || errno == EINTR);
		relay->start = 0;
		relay->end = (size_t)len;
	}
	while (relay->start < relay->end) {
		ssize_t len =
		    write(relay->to, relay->held + relay->start, relay->end - relay->start);

		if (len < 0)
			return errno == EAGAIN || errno == EINTR;
		relay->start += (size_t)len;
	}
	return true;
}

/* Signals for us are signals for the command, except what a terminal turns into keys. */
static void signals_pass(int signals, pid_t pid, int master, bool *ended, int *status)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && master >= 0)
			window_copy(master);
		else if (info.ssi_signo == SIGCHLD)
			*ended = *ended || waitpid(pid, status, WNOHANG) == pid;
		else if (info.ssi_signo != SIGWINCH && !*ended) {
			/* what is typed is for all that the command has started, too */
			pid_t to = info.ssi_code == SI_KERNEL ? -pid : pid;

			kill(to, (int)info.ssi_signo);
			/* one that is stopped would not hear it */
			kill(to, SIGCONT);
		}
	}
}

/* End of our input is end of the command's, and whoever does not hear us is not written to; a
 * terminal is left to the command. */
static void relay_end(struct relay *relay, int master)
{
	if (relay->to > 2 && relay->to != master)
		close(relay->to);
	if (relay->from > 2 && relay->from != master)
		close(relay->from);
	relay->from = -1;
}

static int relay_wait(pid_t pid, int signals, int master, struct relay *relays, size_t count)
{
	int status = 0;
	bool ended = waitpid(pid, &status, WNOHANG) == pid;

	signal(SIGPIPE, SIG_IGN);

	while (!ended) {
		struct pollfd fds[4] = { { .fd = signals, .events = POLLIN } };

		for (size_t i = 0; i < count; i++)
			fds[i + 1] = relay_awaits(&relays[i]);
		if (poll(fds, count + 1, -1) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < count; i++) {
			if (fds[i + 1].revents && !copy(&relays[i]))
				relay_end(&relays[i], master);
		}
		signals_pass(signals, pid, master, &ended, &status);
	}

	/* what it printed last is still on its way */
	for (size_t i = 0; i < count; i++) {
		struct pollfd rest;

		if (relays[i].to > 2)
			continue;
		do {
			rest = relay_awaits(&relays[i]);
		} while (rest.fd >= 0 && poll(&rest, 1, rest.events == POLLOUT ? -1 : 0) > 0 &&
			 (rest.revents & rest.events) && copy(&relays[i]));
	}
	return to_status(status);
}

static int exec_tty(unsigned id, pid_t init, const struct inside *inside, int *status,
		    struct err *err)
{
	own_terminal terminal = { 0 };
	struct job job = { .inside = inside };
	struct inside_work work = { .work = command_exec, .arg = &job, .keep_count = 1 };
	struct relay relays[2];
	int pair[2];
	own_fd channel = -1;
	bool executed;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(err, errno, "cannot make a channel");
	own_fd ours = pair[0], theirs = pair[1];

	job.tty = theirs;
	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &job.window);
	work.keep = &job.tty;
	pid_t pid = inside_start(id, init, &work, &channel, err);
	if (pid < 0)
		return -1;
	close(take_fd(&theirs));
	own_fd master = fd_receive(ours);
	if (master >= 0)
		window_copy(master);
	/* until then a signal just ends us, and what we made ends with us */
	if (inside_answer(channel, 0, &executed, err) < 0) {
		(void)waitpid(pid, NULL, 0);
		return -1;
	}
	own_fd signals = terminal_signals(err);
	if (signals < 0 || terminal_raw(&terminal, err) < 0)
		return -1;
	relays[0] = (struct relay){ .from = STDIN_FILENO, .to = master };
	relays[1] = (struct relay){ .from = master, .to = STDOUT_FILENO };
	*status = relay_wait(pid, signals, master, relays, 2);
	return 0;
}

/*
 * May the command have this descriptor itself?  A pipe says nothing of the node; a terminal
 * could be written to as if by its user (TIOCSTI), and the path of a file or a named pipe is
 * shown in /proc/PID/fd.  A socket belongs to the node's network: one of TCP could be connected
 * anew, to what listens on 127.0.0.1 there.
 */
static bool is_plain(int fd)
{
	int family = 0, type = 0;
	socklen_t size = sizeof(int);
	struct statfs fs;
	struct stat stat;

	if (fstat(fd, &stat) < 0 || fstatfs(fd, &fs) < 0)
		return false;
	if (S_ISFIFO(stat.st_mode))
		return fs.f_type == PIPEFS_MAGIC;
	if (S_ISSOCK(stat.st_mode))
		return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 &&
		       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		       family == AF_UNIX && type == SOCK_STREAM;
	return S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(1, 3);
}

/* "> log 2>&1", or both the terminal: through one pipe, or their order would be lost. */
static bool is_same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* What it must not have is replaced by a pipe: @theirs for the command, a relay for us. */
static int stream_make(int i, int fd, int *theirs, struct relay *relays, size_t *count,
		       struct err *err)
{
	int pipe[2];

	if (fd < 0 || is_plain(fd)) {
		*theirs = fd < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC)
				 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return *theirs < 0 ? fail(err, errno, "cannot pass descriptor %d", i) : 0;
	}
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	*theirs = pipe[i == 0 ? 0 : 1];
	if (i == 0 && fcntl(pipe[1], F_SETFL, O_NONBLOCK) < 0)
		return fail(err, errno, "cannot make a pipe");
	relays[(*count)++] = i == 0 ? (struct relay){ .from = fd, .to = pipe[1] }
				    : (struct relay){ .from = pipe[0], .to = fd };
	return 0;
}

static int exec_plain(unsigned id, pid_t init, const struct inside *inside, int *status,
		      struct err *err)
{
	struct job job = { .inside = inside, .tty = -1 };
	const struct inside_work work = {
		.work = command_exec, .arg = &job, .keep = job.stdio, .keep_count = 3
	};
	const int fds[] = { inside->in, inside->out, inside->err };
	struct relay relays[3];
	size_t count = 0;
	own_fd channel = -1;
	bool executed;

	for (int i = 0; i < 3; i++) {
		if (i == 2 && is_same(fds[1], fds[2])) {
			job.stdio[2] = fcntl(job.stdio[1], F_DUPFD_CLOEXEC, 3);
			if (job.stdio[2] < 0)
				return fail(err, errno, "cannot pass descriptor %d", i);
		} else if (stream_make(i, fds[i], &job.stdio[i], relays, &count, err) < 0)
			return -1;
	}

	pid_t pid = inside_start(id, init, &work, &channel, err);
	for (int i = 0; i < 3; i++)
		close(job.stdio[i]);
	if (pid < 0)
		return -1;
	/* until then a signal just ends us, and what we made ends with us */
	if (inside_answer(channel, 0, &executed, err) < 0) {
		(void)waitpid(pid, NULL, 0);
		return -1;
	}
	own_fd signals = terminal_signals(err);
	if (signals < 0)
		return -1;
	*status = relay_wait(pid, signals, -1, relays, count);
	return 0;
}

int runtime_exec(unsigned id, pid_t init, const struct inside *inside, int *status,
		 struct err *err)
{
	sigset_t before;
	int result;

	(void)sigprocmask(SIG_BLOCK, NULL, &before);
	result = inside->tty ? exec_tty(id, init, inside, status, err)
			     : exec_plain(id, init, inside, status, err);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}

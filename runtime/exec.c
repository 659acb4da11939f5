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
#include "record.h"
#include "relay.h"
#include "runtime.h"
#include "str.h"
#include "terminal.h"
#include "vps.h"

#define STREAMS 3
#define LATE_MS 250u /* for what is written by others than the command itself */

/* What the process inside needs; made before it exists. */
struct job {
	const struct inside *inside;
	int stdio[STREAMS]; /* what becomes 0, 1, 2 */
	int tty;	    /* socket on which the master goes back, or -1 */
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
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(err, errno, "cannot close descriptors");
	if (filter_load(err) < 0)
		return -1;

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

/* Signals for us are signals for the command, except what a terminal turns into keys.  -1: they
 * cannot be read, errno. */
static int signals_pass(int signals, pid_t pid, int master, bool *ended, int *status)
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
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* Is there anything that the command has written and we have not? */
static bool are_owing(struct relay *relays, size_t count)
{
	bool owing = false;

	for (size_t i = 0; i < count; i++)
		owing = relay_is_owing(&relays[i]) || owing;
	return owing;
}

static bool are_open(const struct relay *relays, size_t count)
{
	bool open = false;

	for (size_t i = 0; i < count; i++)
		open = open || relays[i].from >= 0;
	return open;
}

/* Wait until something can go on, @wait_ms at most (-1: for ever), and let it; -1: errno. */
static int relays_turn(int signals, struct relay *relays, size_t count, int wait_ms)
{
	struct pollfd fds[1 + 2 * STREAMS] = { { .fd = signals, .events = POLLIN } };

	for (size_t i = 0; i < count; i++)
		relay_awaits(&relays[i], fds + 1 + 2 * i);
	int ready = poll(fds, 1 + 2 * count, wait_ms);
	if (ready < 0 && errno != EINTR)
		return -1;
	for (size_t i = 0; i < count && ready > 0; i++)
		relay_go(&relays[i], fds + 1 + 2 * i);
	return 0;
}

/*
 * What the command had written before it ended is delivered, however long that takes.  The end
 * of its streams is not waited for, as somebody whom it has left behind may keep them; but a
 * pipeline may end a little after the shell that has made it.
 */
static int relays_finish(int signals, struct relay *relays, size_t count)
{
	unsigned long long end = now_ms() + LATE_MS;
	struct signalfd_siginfo info;

	for (size_t i = 0; i < count; i++)
		relay_owe(&relays[i]);
	while (are_open(relays, count)) {
		bool owing = are_owing(relays, count);
		unsigned long long now = now_ms();

		if (!owing && now >= end)
			break;
		if (relays_turn(signals, relays, count, owing ? 1000 : (int)(end - now)) < 0)
			return -1;
		/* nobody is left to be told but us */
		if (read(signals, &info, sizeof(info)) != sizeof(info)) {
			if (errno != EAGAIN && errno != EINTR)
				return -1;
		} else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCHLD) {
			break;
		}
	}
	return 0;
}

static const char *const stream_names[STREAMS] = { "standard input", "standard output",
						   "standard error" };

/* A command whose output is lost, or whose input ends too early, has not done its work. */
static int relays_check(const struct relay *relays, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (relays[i].failed)
			return fail(err, relays[i].failed, "cannot %s %s",
				    i == 0 ? "read" : "write", stream_names[i]);
	}
	return 0;
}

/* Until the command has ended and what it has printed is through.  relays[0] is its input. */
static int relays_run(pid_t pid, int signals, int *master, struct relay *relays, size_t count,
		      int *result, struct err *err)
{
	int status = 0, done = 0;
	bool ended = waitpid(pid, &status, WNOHANG) == pid;
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);

	while (!ended && done == 0) {
		if (relays_turn(signals, relays, count, -1) < 0 ||
		    signals_pass(signals, pid, *master, &ended, &status) < 0)
			done = fail(err, errno, "cannot follow the command");
		/* nobody reads what a terminal shows: a pipe would tell that, but this would
		 * just be full, so it is hung up */
		if (*master >= 0 && relays[1].from < 0) {
			relay_end(&relays[0]);
			close(take_fd(master));
		}
	}
	relay_end(&relays[0]);
	if (done == 0 && relays_finish(signals, relays + 1, count - 1) < 0)
		done = fail(err, errno, "cannot follow the command");
	if (done == 0)
		done = relays_check(relays, count, err);
	(void)signal(SIGPIPE, before);
	*result = to_status(status);
	return done;
}

static int exec_tty(unsigned id, pid_t init, const struct inside *inside, int *status,
		    struct err *err)
{
	own_terminal terminal = { 0 };
	struct job job = { .inside = inside };
	struct inside_work work = {
		.work = command_exec, .arg = &job, .keep_count = 1, .guest = true
	};
	struct relay relays[2];
	int pair[2];
	own_fd channel = -1;
	bool executed;
	int result;

	/* it would be taken from whoever has it */
	if (tcgetpgrp(STDIN_FILENO) >= 0 && tcgetpgrp(STDIN_FILENO) != getpgrp())
		return fail_as(err, ERR_USAGE,
			       "it is in the background, and has no terminal there");
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
		process_bury(pid);
		return -1;
	}
	if (master < 0) {
		process_bury(pid);
		return fail(err, EBADMSG, "cannot get the terminal that was made inside");
	}
	own_fd signals = terminal_signals(err);
	if (signals < 0 || terminal_raw(&terminal, err) < 0)
		return -1;
	relay_terminal(&relays[0], STDIN_FILENO, master);
	relay_terminal(&relays[1], master, STDOUT_FILENO);
	result = relays_run(pid, signals, &master, relays, ARRAY_SIZE(relays), status, err);
	relay_end(&relays[1]);
	return result;
}

/* "> log 2>&1", or both the terminal: through one pipe, or their order would be lost. */
static bool is_same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/*
 * The command gets pipes of our own and nothing of the caller's: a terminal could be typed
 * into, the path of a file is told by /proc/PID/fd, a socket belongs to the node's network, and
 * a pipe of his would stay open for as long as what the command leaves behind.  They belong to
 * the VPS's root, so that /dev/stdout can be opened inside.
 */
static int stream_make(unsigned id, int ours, int *theirs, struct err *err)
{
	uid_t base = vps_base(id);
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	own_fd keep = pipe[ours], give = pipe[1 - ours];
	if (fcntl(keep, F_SETFL, O_NONBLOCK) < 0 || fchown(give, base, base) < 0)
		return fail(err, errno, "cannot make a pipe");
	*theirs = take_fd(&give);
	return take_fd(&keep);
}

/* Three pipes, but no more than two outputs of which one may be both. */
struct streams {
	int theirs[STREAMS];
	struct relay relays[STREAMS];
	size_t count;
	int null;
};

static void streams_close(struct streams *streams)
{
	own_close(&streams->null);
	for (int i = 0; i < STREAMS; i++) {
		own_close(&streams->theirs[i]);
		streams->theirs[i] = -1;
	}
	for (size_t i = 0; i < streams->count; i++)
		relay_end(&streams->relays[i]);
}

static int streams_make(struct streams *streams, unsigned id, const struct inside *inside,
			struct err *err)
{
	const int fds[STREAMS] = { inside->in, inside->out, inside->err };

	for (int i = 0; i < STREAMS; i++) {
		struct relay *relay = &streams->relays[streams->count];
		int fd = fds[i] < 0 ? streams->null : fds[i], pipe;

		if (i == 2 && is_same(fds[1], fds[2])) {
			streams->theirs[2] = fcntl(streams->theirs[1], F_DUPFD_CLOEXEC, 3);
			return streams->theirs[2] < 0
				   ? fail(err, errno, "cannot pass descriptor %d", i)
				   : 0;
		}
		pipe = stream_make(id, i == 0 ? 1 : 0, &streams->theirs[i], err);
		if (pipe < 0)
			return -1;
		if (i == 0)
			relay_in(relay, fd, pipe);
		else
			relay_out(relay, pipe, fd);
		streams->count++;
	}
	return 0;
}

static int exec_plain(unsigned id, pid_t init, const struct inside *inside, int *status,
		      struct err *err)
{
	__attribute__((cleanup(streams_close))) struct streams streams = {
		.theirs = { -1, -1, -1 },
		.null = open("/dev/null", O_RDWR | O_CLOEXEC),
	};
	struct job job = { .inside = inside, .tty = -1 };
	const struct inside_work work = { .work = command_exec,
					  .arg = &job,
					  .keep = job.stdio,
					  .keep_count = STREAMS,
					  .guest = true };
	own_fd channel = -1;
	int none = -1;
	bool executed;

	if (streams.null < 0)
		return fail(err, errno, "cannot open '/dev/null'");
	if (streams_make(&streams, id, inside, err) < 0)
		return -1;
	memcpy(job.stdio, streams.theirs, sizeof(job.stdio));
	pid_t pid = inside_start(id, init, &work, &channel, err);
	if (pid < 0)
		return -1;
	for (int i = 0; i < STREAMS; i++)
		close(take_fd(&streams.theirs[i]));
	/* until then a signal just ends us, and what we made ends with us */
	if (inside_answer(channel, 0, &executed, err) < 0) {
		process_bury(pid);
		return -1;
	}
	own_fd signals = terminal_signals(err);
	if (signals < 0)
		return -1;
	return relays_run(pid, signals, &none, streams.relays, streams.count, status, err);
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

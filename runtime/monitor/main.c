/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../monitor.h"
#include "limits.h"

/*
 * The monitor: parent of one guest init, keeper of its console.  Static, no
 * allocation, nothing of nodectl linked in; what it must do when init has ended
 * it leaves to nodectl, by executing it.
 */

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define CLIENTS	   8
#define FLOOD	   (256 * 1024) /* bytes a second that a console may print */
#define TICK_MS	   50
#define PATIENCE_S 60	 /* for nodectl to be there again */
#define BOOT_MS	   10000 /* init has started by then what it starts at boot */

/* <linux/pidfd.h> of Linux 6.15; Debian 12 has older headers. */
struct pidfd_info_615 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define INFO_EXIT (1u << 3)
#define INFO_GET  _IOWR(0xff, 11, struct pidfd_info_615)

struct monitor {
	const char *name, *nodectl, *config;
	struct ring *ring;
	int listener;
	int client[CLIENTS];
	unsigned budget; /* bytes that may still be read in this tick */
	long long tick;
	int peer;  /* the console's other end, held so that it is never hung up */
	bool hung; /* it is, and could not be held: look again later */
	bool deaf; /* nobody can be let in, in this tick */
	struct limits limits;
	long long spare; /* when init_spare() is due; 0: done */
};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static char *ring_bytes(const struct monitor *monitor)
{
	return (char *)monitor->ring + RING_HEADER;
}

static int ring_open(struct monitor *monitor)
{
	int fd = openat(MONITOR_RUN, "console.ring", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			0600);

	/* all of it now: on a full file system a page that is first written to later would be
	 * our end (SIGBUS) */
	if (fd < 0 || ftruncate(fd, RING_HEADER + RING_SIZE) < 0 ||
	    posix_fallocate(fd, 0, RING_HEADER + RING_SIZE) != 0) {
		close(fd);
		return -1;
	}
	monitor->ring =
	    mmap(NULL, RING_HEADER + RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return monitor->ring == MAP_FAILED ? -1 : 0;
}

static int listener_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/console",
		 MONITOR_RUN);
	(void)unlinkat(MONITOR_RUN, "console", 0);
	umask(0177);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, CLIENTS) < 0)
		return -1;
	umask(022);
	return fd;
}

static void client_drop(struct monitor *monitor, int i)
{
	close(monitor->client[i]);
	monitor->client[i] = -1;
}

/* A client that does not read loses its connection, never the VPS its console. */
static bool client_send(struct monitor *monitor, int i, const void *data, size_t len)
{
	if (send(monitor->client[i], data, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len)
		return true;
	client_drop(monitor, i);
	return false;
}

static void client_attach(struct monitor *monitor, int i, uint64_t from)
{
	uint64_t total = monitor->ring->total;
	uint64_t oldest = total > RING_SIZE ? total - RING_SIZE : 0;

	if (from < oldest || from > total)
		from = oldest;
	if (!client_send(monitor, i, &from, sizeof(from)))
		return;
	while (from < total) {
		size_t at = from % RING_SIZE;
		size_t len = RING_SIZE - at;

		if (len > total - from)
			len = (size_t)(total - from);
		if (len > 8192)
			len = 8192;
		if (!client_send(monitor, i, ring_bytes(monitor) + at, len))
			return;
		from += len;
	}
}

static void client_accept(struct monitor *monitor)
{
	int fd = accept4(monitor->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const int room = 2 * RING_SIZE + 65536;

	/* the node has too many files open: not before the next tick, and not all the time */
	monitor->deaf = fd < 0 && errno != EAGAIN && errno != ECONNABORTED;
	if (fd < 0)
		return;
	/* the whole ring must fit, or attaching would already be "does not read" */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	for (int i = 0; i < CLIENTS; i++) {
		if (monitor->client[i] < 0) {
			monitor->client[i] = fd;
			return;
		}
	}
	close(fd);
}

static void client_read(struct monitor *monitor, int i)
{
	union {
		char type;
		char keys[2048];
		struct console_attach attach;
		struct console_window window;
	} in;
	ssize_t len = recv(monitor->client[i], &in, sizeof(in), 0);

	if (len <= 0) {
		if (len == 0 || errno != EAGAIN)
			client_drop(monitor, i);
	} else if (in.type == CONSOLE_ATTACH && len == sizeof(in.attach)) {
		client_attach(monitor, i, in.attach.from);
	} else if (in.type == CONSOLE_WINDOW && len == sizeof(in.window)) {
		struct winsize size = { .ws_row = in.window.rows, .ws_col = in.window.columns };

		(void)ioctl(MONITOR_CONSOLE, TIOCSWINSZ, &size);
	} else if (in.type == CONSOLE_KEYS) {
		/* a console that nobody reads fills up: keys are lost, not the monitor */
		(void)!write(MONITOR_CONSOLE, in.keys + 1, (size_t)len - 1);
	}
}

static void peer_hold(struct monitor *monitor)
{
	if (monitor->peer >= 0)
		close(monitor->peer);
	monitor->peer = ioctl(MONITOR_CONSOLE, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	monitor->hung = monitor->peer < 0;
}

static bool console_read(struct monitor *monitor)
{
	char buf[4096];
	ssize_t len = read(MONITOR_CONSOLE, buf, sizeof(buf));

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (len <= 0) {
		/* EIO: no process has the other end open, for the last one closed it, or a
		 * getty hung it up, ours too */
		if (len == 0 || errno == EIO)
			peer_hold(monitor);
		else
			monitor->hung = true;
		return false;
	}
	for (ssize_t done = 0; done < len;) {
		size_t at = monitor->ring->total % RING_SIZE;
		size_t part = RING_SIZE - at;

		if (part > (size_t)(len - done))
			part = (size_t)(len - done);
		memcpy(ring_bytes(monitor) + at, buf + done, part);
		monitor->ring->total += part;
		done += (ssize_t)part;
	}
	for (int i = 0; i < CLIENTS; i++) {
		if (monitor->client[i] >= 0)
			(void)client_send(monitor, i, buf, (size_t)len);
	}
	monitor->budget -= (size_t)len < monitor->budget ? (unsigned)len : monitor->budget;
	return true;
}

static size_t small_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = 0;
	return len > 0 ? (size_t)len : 0;
}

enum intent { INTENT_NONE, INTENT_CUT_OFF, INTENT_ALIVE };

/* When process @pid began, in the kernel's ticks; 0: it has ended, whether its parent knows or
 * not. */
static unsigned long long start_of(int pid)
{
	unsigned long long start = 0;
	char path[32], text[1024], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	/* behind its name, which may be anything, it is the twentieth */
	if (small_read(path, text, sizeof(text)) && (at = strrchr(text, ')')) && at[1] == ' ' &&
	    at[2] != 'Z' && at[2] != 'X') {
		for (int i = 0; at && i < 20; i++)
			at = strchr(at + 1, ' ');
		start = at ? strtoull(at, NULL, 10) : 0;
	}
	return start;
}

/* Has a command said that it will clean up?  "stop PID START" or "kill PID START" in "intent":
 * another process may have got its number. */
static enum intent intent_look(void)
{
	char text[64] = "", *pid, *start;
	unsigned long long began;
	int fd = openat(MONITOR_RUN, "intent", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return INTENT_NONE;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	pid = strchr(text, ' ');
	if (!pid || atoi(pid + 1) <= 0)
		return INTENT_NONE;
	start = strchr(pid + 1, ' ');
	began = start ? strtoull(start, NULL, 10) : 0;
	return began && start_of(atoi(pid + 1)) == began ? INTENT_ALIVE : INTENT_CUT_OFF;
}

/* How init ended.  A pid namespace's reboot(2) ends its init by a signal (pid_namespaces(7)).
 */
static const char *how_of(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP)
		return "reboot";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
		return "poweroff";
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return "poweroff";
	return "crash";
}

/* Init's process number, or 0. */
static int init_pid(void)
{
	char path[64], text[1024], *at;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", MONITOR_PIDFD);
	if (!small_read(path, text, sizeof(text)) || !(at = strstr(text, "\nPid:")))
		return 0;
	return atoi(at + 5);
}

/*
 * What init has started by now has inherited an oom_score_adj that is higher than the node's
 * own processes have (OOM_SCORE_VPS, runtime/creds.h).  Init alone gets theirs, so that of the
 * VPS it is killed last.  Not lower: what it starts from now on inherits it too, and nothing of
 * a tenant's may be safer than the node.
 */
static void init_spare(void)
{
	struct pollfd init = { .fd = MONITOR_PIDFD, .events = POLLIN };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", init_pid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* it is still alive, so that this was its number when we opened it */
	if (fd >= 0 && poll(&init, 1, 0) == 0)
		(void)!write(fd, "0", 1);
	if (fd >= 0)
		close(fd);
}

/* The exit status of a process that has ended and is not yet reaped: the last field but
 * none of proc_pid_stat(5), the 52nd. */
static bool zombie_status(int *status)
{
	char path[64], text[1024], *at;
	int pid = init_pid();

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid <= 0 || !small_read(path, text, sizeof(text)) || !(at = strrchr(text, ')')) ||
	    at[1] != ' ' || at[2] != 'Z')
		return false;
	at = strrchr(at, ' ');
	*status = atoi(at + 1);
	return true;
}

static const char *reap(void)
{
	int status;
	struct pidfd_info_615 info = { .mask = INFO_EXIT };
	siginfo_t child = { 0 };

	if (waitid(P_PIDFD, MONITOR_PIDFD, &child, WEXITED) == 0) {
		if (child.si_code == CLD_EXITED)
			return how_of(child.si_status << 8);
		return how_of(child.si_status);
	}
	/* An adopted init is not our child.  As long as its new parent has not reaped it, proc
	 * shows how it ended; afterwards Linux 6.15 does. */
	if (zombie_status(&status))
		return how_of(status);
	for (int i = 0; i < 200; i++) {
		const struct timespec pause = { .tv_nsec = 5000000 };

		info.mask = INFO_EXIT;
		if (ioctl(MONITOR_PIDFD, INFO_GET, &info) < 0)
			break;
		if (info.mask & INFO_EXIT)
			return how_of(info.exit_code);
		nanosleep(&pause, NULL);
	}
	return "unknown";
}

/* The monitor has one process beside init at most, and none that is not asked for. */
static void event_tell(struct monitor *monitor)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* the standard ones are /dev/null; nothing else is for nodectl */
		for (int fd = MONITOR_RUN; fd < MONITOR_FDS + CLIENTS + 8; fd++)
			close(fd);
		execl(monitor->nodectl, "nodectl", "--config", monitor->config, MONITOR_EVENT,
		      monitor->name, NULL);
		_exit(127);
	}
	monitor->limits.teller = pid > 0 ? pid : 0;
}

static void event_reap(struct monitor *monitor)
{
	if (monitor->limits.teller && waitpid(monitor->limits.teller, NULL, WNOHANG) != 0)
		monitor->limits.teller = 0;
}

/* What init died of is to be told while its group is there; but nothing waits for long. */
static void event_last(struct monitor *monitor)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	limits_look(&monitor->limits, now_ms(), NULL);
	for (int i = 0; i < 100; i++) {
		event_reap(monitor);
		if (!monitor->limits.teller && !monitor->limits.news)
			return;
		if (!monitor->limits.teller) {
			monitor->limits.news = false;
			event_tell(monitor);
		}
		nanosleep(&pause, NULL);
	}
}

/* In milliseconds, -1 for ever. */
static int sooner(int one, int other)
{
	if (one < 0 || other < 0)
		return one < 0 ? other : one;
	return one < other ? one : other;
}

static int timeout_of(const struct monitor *monitor, bool quiet)
{
	int console = monitor->hung ? 1000 : quiet || monitor->deaf ? TICK_MS : -1;
	long long left = monitor->spare - now_ms();
	int spare = !monitor->spare ? -1 : left > 0 ? (int)left : 0;

	return sooner(sooner(console, spare), limits_timeout(&monitor->limits, now_ms()));
}

/* As far as can be told without poll(2). */
static bool init_has_ended(void)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, MONITOR_PIDFD, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid != 0;
	/* a successor's child it is not */
	return syscall(SYS_pidfd_send_signal, MONITOR_PIDFD, 0, NULL, 0) < 0 && errno == ESRCH;
}

static void watch(struct monitor *monitor)
{
	const struct timespec pause = { .tv_nsec = TICK_MS * 1000000l };
	enum { INIT, CONSOLE, LISTENER, LIMITS, FIRST = LIMITS + LIMITS_POLL };

	for (;;) {
		struct pollfd fds[FIRST + CLIENTS];
		bool quiet;

		if (now_ms() - monitor->tick >= TICK_MS) {
			monitor->tick = now_ms();
			monitor->budget = FLOOD / (1000 / TICK_MS);
			monitor->hung = false;
			monitor->deaf = false;
		}
		quiet = monitor->hung || monitor->budget == 0;
		fds[INIT] = (struct pollfd){ .fd = MONITOR_PIDFD, .events = POLLIN };
		fds[CONSOLE] =
		    (struct pollfd){ .fd = quiet ? -1 : MONITOR_CONSOLE, .events = POLLIN };
		fds[LISTENER] = (struct pollfd){ .fd = monitor->deaf ? -1 : monitor->listener,
						 .events = POLLIN };
		limits_poll(&monitor->limits, now_ms(), &fds[LIMITS]);
		for (int i = 0; i < CLIENTS; i++)
			fds[FIRST + i] =
			    (struct pollfd){ .fd = monitor->client[i], .events = POLLIN };

		if (poll(fds, FIRST + CLIENTS, timeout_of(monitor, quiet)) < 0) {
			if (errno != EINTR && init_has_ended())
				return;
			nanosleep(&pause, NULL);
			continue;
		}
		if (monitor->spare && now_ms() >= monitor->spare) {
			init_spare();
			monitor->spare = 0;
		}
		if (fds[CONSOLE].revents)
			(void)console_read(monitor);
		if (fds[LISTENER].revents)
			client_accept(monitor);
		for (int i = 0; i < CLIENTS; i++) {
			if (fds[FIRST + i].revents && monitor->client[i] >= 0)
				client_read(monitor, i);
		}
		if (fds[INIT].revents)
			return;
		event_reap(monitor);
		limits_look(&monitor->limits, now_ms(), &fds[LIMITS]);
		if (limits_tell(&monitor->limits, now_ms())) {
			limits_keep(&monitor->limits, &monitor->ring->tokens);
			event_tell(monitor);
		}
	}
}

/* What is about to be replaced may for a moment not be there, or be open for writing: a VPS
 * that reboots just then would stay down. */
static void successor_execute(const struct monitor *monitor, const char *how)
{
	const struct timespec pause = { .tv_nsec = 200000000 };

	for (int i = 0; i < PATIENCE_S * 5; i++) {
		execl(monitor->nodectl, "nodectl", "--config", monitor->config, MONITOR_ENDED,
		      monitor->name, how, NULL);
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char *argv[])
{
	struct monitor monitor = { .tick = LLONG_MIN / 2,
				   .peer = -1,
				   .spare = now_ms() + BOOT_MS };
	enum intent intent;
	const char *how;

	if (argc != 4) {
		fputs("nodectl-monitor is executed by nodectl, not by people\n", stderr);
		return 2;
	}
	monitor.name = argv[1];
	monitor.nodectl = argv[2];
	monitor.config = argv[3];
	for (int i = 0; i < CLIENTS; i++)
		monitor.client[i] = -1;
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	/* before anything is opened, which might get the number of what was not handed over */
	limits_open(&monitor.limits, now_ms());
	(void)fcntl(MONITOR_CONSOLE, F_SETFL, O_RDWR | O_NONBLOCK);

	/* without console or ring the VPS is still worth watching */
	(void)ring_open(&monitor);
	monitor.listener = listener_open();
	if (monitor.ring == MAP_FAILED || !monitor.ring) {
		static char instead[RING_HEADER + RING_SIZE] __attribute__((aligned(8)));

		monitor.ring = (struct ring *)(void *)instead;
	}

	peer_hold(&monitor);
	limits_resume(&monitor.limits, &monitor.ring->tokens, now_ms());
	/* as a successor we do not know what the monitor before us has told: nodectl does */
	limits_look(&monitor.limits, now_ms(), NULL);
	watch(&monitor);
	while (monitor.budget && console_read(&monitor))
		;
	how = reap();
	(void)unlinkat(MONITOR_RUN, "console", 0);
	intent = intent_look();
	if (intent == INTENT_ALIVE)
		return 0;
	event_last(&monitor);
	/* killed by a stop that was itself killed then: it was to stop, and did not crash */
	if (intent == INTENT_CUT_OFF &&
	    (strcmp(how, "crash") == 0 || strcmp(how, "unknown") == 0))
		how = "poweroff";

	successor_execute(&monitor, how);
	return 1;
}

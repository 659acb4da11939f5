/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "str.h"

#define SPLICE_MAX (1u << 20)

static void relay_init(struct relay *relay, int from, int to)
{
	struct stat stat;

	/* not the buffer */
	relay->from = from;
	relay->to = to;
	relay->pipe = relay->given = relay->owns = -1;
	relay->readable = relay->spliced = relay->socket = false;
	relay->failed = relay->owed = 0;
	relay->start = relay->end = 0;
	relay->most = sizeof(relay->held);
	if (fstat(to, &stat) < 0)
		return;
	relay->socket = S_ISSOCK(stat.st_mode);
	/* so much goes into a pipe that has room without waiting */
	if (S_ISFIFO(stat.st_mode))
		relay->most = PIPE_BUF;
}

/*
 * Through our memory: a page of a file of the node's that was spliced would be in the tenant's
 * hands itself, and one mistake of the kernel's (CVE-2022-0847) away from being written to.
 */
void relay_in(struct relay *relay, int from, int to)
{
	relay_init(relay, from, to);
	relay->pipe = to;
	relay->given = from;
	relay->most = sizeof(relay->held);
}

/* A terminal whose output is stopped must not stop us, and O_NONBLOCK is for all who have it
 * from the same open(2): so we open it once more. */
static void terminal_reopen(struct relay *relay)
{
	char path[32];
	int number;

	/* opening the master of one would make another */
	if (!isatty(relay->to) || ioctl(relay->to, TIOCGPTN, &number) == 0)
		return;
	str_format(path, sizeof(path), "/proc/self/fd/%d", relay->to);
	relay->owns = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (relay->owns >= 0)
		relay->to = relay->owns;
}

void relay_out(struct relay *relay, int from, int to)
{
	relay_init(relay, from, to);
	relay->pipe = from;
	/* on standard error we may have something to say ourselves */
	relay->given = to == STDERR_FILENO ? -1 : to;
	relay->spliced = !relay->socket;
	terminal_reopen(relay);
}

void relay_terminal(struct relay *relay, int from, int to)
{
	relay_init(relay, from, to);
	terminal_reopen(relay);
}

/* As if there were nobody between the caller's stream and the command's: whoever is at the
 * other end of it learns that it has ended. */
void relay_end(struct relay *relay)
{
	if (relay->from < 0)
		return;
	own_close(&relay->owns);
	own_close(&relay->pipe);
	if (relay->given >= 0) {
		own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null >= 0)
			(void)dup2(null, relay->given);
	}
	relay->from = relay->pipe = relay->owns = relay->given = -1;
	relay->start = relay->end = 0;
}

static bool holds(const struct relay *relay)
{
	return relay->start < relay->end;
}

void relay_awaits(const struct relay *relay, struct pollfd fds[2])
{
	bool full = holds(relay) || relay->readable;

	fds[0] = (struct pollfd){ .fd = full ? -1 : relay->from, .events = POLLIN };
	/* that nobody is there any more is told unasked */
	fds[1] = (struct pollfd){ .fd = relay->from < 0 ? -1 : relay->to,
				  .events = full ? POLLOUT : 0 };
}

static bool is_for_later(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* One who does not listen any more, or a terminal that was hung up, is no failure. */
static bool is_failure(int fd, int code)
{
	if (code == EIO)
		return !isatty(fd);
	return code != EPIPE && code != ECONNRESET;
}

/* @result is what reading or writing @fd gave. */
static void stop(struct relay *relay, int fd, ssize_t result)
{
	int code = errno;

	if (result < 0 && is_failure(fd, code))
		relay->failed = code;
	relay_end(relay);
}

static void count(struct relay *relay, ssize_t len)
{
	relay->owed -= (int)len < relay->owed ? (int)len : relay->owed;
}

static void put(struct relay *relay)
{
	const char *at = relay->held + relay->start;
	size_t left = relay->end - relay->start;
	size_t size = left < relay->most ? left : relay->most;
	ssize_t len = relay->socket ? send(relay->to, at, size, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(relay->to, at, size);

	if (len >= 0)
		relay->start += (size_t)len;
	else if (!is_for_later(len))
		stop(relay, relay->to, len);
}

static void take(struct relay *relay)
{
	ssize_t len = read(relay->from, relay->held, sizeof(relay->held));

	relay->readable = false;
	if (len > 0) {
		count(relay, len);
		relay->start = 0;
		relay->end = (size_t)len;
	} else if (!is_for_later(len)) {
		stop(relay, relay->from, len);
	}
}

/* Not every file can: one opened for appending, some devices. */
static void splice_over(struct relay *relay)
{
	ssize_t len = splice(relay->from, NULL, relay->to, NULL, SPLICE_MAX,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (len > 0)
		count(relay, len);
	else if (len < 0 && errno == EINVAL)
		relay->spliced = false;
	else if (!is_for_later(len))
		stop(relay, relay->to, len);
	relay->readable = false;
}

void relay_go(struct relay *relay, const struct pollfd fds[2])
{
	if (relay->from < 0)
		return;
	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL) || fds[0].revents & POLLNVAL) {
		relay_end(relay);
		return;
	}
	if (relay->spliced) {
		/* what it goes to may be full: then look only at that, until it is not */
		if (fds[1].revents & POLLOUT)
			splice_over(relay);
		else if (fds[0].revents)
			relay->readable = true;
		return;
	}
	if (holds(relay) && fds[1].revents)
		put(relay);
	else if (fds[0].revents || relay->readable)
		take(relay);
}

static int waiting_in(int fd)
{
	int waiting = 0;

	return ioctl(fd, FIONREAD, &waiting) == 0 ? waiting : 0;
}

void relay_owe(struct relay *relay)
{
	if (relay->from >= 0)
		relay->owed = waiting_in(relay->from);
}

bool relay_is_owing(struct relay *relay)
{
	if (relay->from < 0)
		return false;
	/* or somebody inside has taken it back */
	if (relay->owed && !waiting_in(relay->from))
		relay->owed = 0;
	return holds(relay) || relay->owed;
}

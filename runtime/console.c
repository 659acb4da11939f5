/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "monitor.h"
#include "own.h"
#include "runtime.h"
#include "str.h"
#include "terminal.h"

#define ESCAPE	   1 /* Ctrl-a */
#define PATIENCE_S 10

static int console_connect(int run)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	own_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	/* by descriptor: a socket's path may have 107 bytes only */
	str_format(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/console", run);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return take_fd(&fd);
}

/* A VPS that does not run, or is just between two boots: nobody is there, or he has just gone.
 */
static bool is_absent(int code)
{
	return code == ENOENT || code == ECONNREFUSED || code == ECONNRESET || code == EPIPE;
}

static void window_send(int socket)
{
	struct winsize size;
	struct console_window window = { .type = CONSOLE_WINDOW };

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	window.rows = size.ws_row;
	window.columns = size.ws_col;
	(void)send(socket, &window, sizeof(window), MSG_NOSIGNAL);
}

/* Keys to the VPS, but for Ctrl-a q.  True when the user wants to leave. */
static bool keys_send(int socket, bool *escaped)
{
	char in[512], out[sizeof(in) * 2 + 1] = { CONSOLE_KEYS };
	ssize_t len = read(STDIN_FILENO, in, sizeof(in));
	size_t used = 1;

	if (len <= 0)
		return len == 0 || errno != EINTR;
	for (ssize_t i = 0; i < len; i++) {
		if (*escaped) {
			*escaped = false;
			if (in[i] == 'q')
				return true;
			/* Ctrl-a twice is one Ctrl-a for the VPS */
			if (in[i] != ESCAPE)
				out[used++] = ESCAPE;
			out[used++] = in[i];
		} else if (in[i] == ESCAPE) {
			*escaped = true;
		} else {
			out[used++] = in[i];
		}
	}
	if (used > 1 && socket >= 0)
		(void)send(socket, out, used, MSG_NOSIGNAL);
	return false;
}

/* Whoever has the same terminal may have made it one that does not wait. */
static int show(const char *text, size_t size)
{
	struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (size) {
		ssize_t len = write(STDOUT_FILENO, text, size);

		if (len < 0 && errno == EAGAIN)
			len = poll(&room, 1, -1) < 0 ? -1 : 0;
		if (len < 0 && errno != EINTR)
			return -1;
		if (len > 0) {
			text += len;
			size -= (size_t)len;
		}
	}
	return 0;
}

/* What has come goes out; @socket ends with who is at its other end. */
static int output_receive(int *socket, uint64_t *at, struct err *err)
{
	char buf[32768];
	ssize_t len = recv(*socket, buf, sizeof(buf), 0);

	if (len < 0 && errno == EINTR)
		return 0;
	if (len <= 0) {
		close(take_fd(socket));
		return 0;
	}
	*at += (uint64_t)len;
	return show(buf, (size_t)len) < 0 ? fail(err, errno, "cannot write standard output")
					  : 0;
}

/* 0, and @socket is -1 when there is nobody. */
static int attach(int run, int *socket, uint64_t *at, struct err *err)
{
	struct console_attach hello = { .type = CONSOLE_ATTACH, .from = *at };
	own_fd fd = console_connect(run);
	ssize_t len = -1;

	*socket = -1;
	if (fd >= 0 && send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) >= 0)
		len = recv(fd, at, sizeof(*at), 0);
	if (len < 0 && !is_absent(errno))
		return fail(err, errno == EAGAIN ? ETIMEDOUT : errno,
			    "cannot reach its console");
	if (len != sizeof(*at))
		return 0;
	window_send(fd);
	*socket = take_fd(&fd);
	return 0;
}

int runtime_console(const char *name, int run, struct err *err)
{
	own_terminal terminal = { 0 };
	bool escaped = false, told = false, tty = isatty(STDIN_FILENO);
	uint64_t at = UINT64_MAX;
	own_fd socket = -1;
	own_fd signals = terminal_signals(err);

	if (signals < 0 || (tty && terminal_raw(&terminal, err) < 0))
		return -1;
	fprintf(stderr, "console of '%s'; Ctrl-a q leaves it\r\n", name);

	for (;;) {
		struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN },
					 { .fd = signals, .events = POLLIN },
					 { .events = POLLIN } };
		struct signalfd_siginfo info;

		if (socket < 0 && attach(run, &socket, &at, err) < 0)
			return -1;
		if (socket < 0 && !told)
			fprintf(stderr, "'%s' is not running; waiting\r\n", name);
		told = socket < 0;

		fds[2].fd = socket;
		if (poll(fds, 3, socket < 0 ? 100 : -1) < 0 && errno != EINTR)
			return fail(err, errno, "cannot wait for the console");
		if (read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCHLD)
				return 0;
			if (socket >= 0)
				window_send(socket);
		} else if (errno != EAGAIN && errno != EINTR) {
			return fail(err, errno, "cannot read signals");
		}
		if (fds[0].revents && keys_send(socket, &escaped))
			return 0;
		if (fds[2].revents && output_receive(&socket, &at, err) < 0)
			return -1;
	}
}

int runtime_console_log(int run, int out, struct err *err)
{
	struct ring ring;
	char buf[RING_SIZE];
	own_fd fd = openat(run, "console.ring", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : fail(err, errno, "cannot open the console's ring");
	if (pread(fd, &ring, sizeof(ring), 0) != sizeof(ring) ||
	    pread(fd, buf, sizeof(buf), RING_HEADER) != sizeof(buf))
		return fail(err, EIO, "cannot read the console's ring");

	size_t start = ring.total > RING_SIZE ? ring.total % RING_SIZE : 0;
	size_t count = ring.total > RING_SIZE ? RING_SIZE : (size_t)ring.total;
	char text[RING_SIZE], safe[2 * RING_SIZE];
	const char *shown = text;

	for (size_t i = 0; i < count; i++)
		text[i] = buf[(start + i) % RING_SIZE];
	if (isatty(out)) {
		count = str_visible(text, count, safe);
		shown = safe;
	}
	if (write_all(out, shown, count) < 0 ||
	    (shown == safe && write_all(out, "\033[0m", 4) < 0))
		return fail(err, errno, "cannot print the console's ring");
	return 0;
}

void runtime_tokens_renew(int run)
{
	const struct tokens none = { 0 };
	own_fd fd = openat(run, "console.ring", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	/* what was printed stays */
	if (fd >= 0)
		(void)!pwrite(fd, &none, sizeof(none), offsetof(struct ring, tokens));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "boot.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "io.h"
#include "netns.h"
#include "own.h"
#include "str.h"

#define ASK_S 5u

/* In the network of guest init: what may come in from here need not be what it listens to. */
static int socket_inside(pid_t init, int family)
{
	own_fd home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	char path[48];
	int fd;

	str_format(path, sizeof(path), "/proc/%d/ns/net", init);
	own_fd netns = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || netns < 0 || setns(netns, CLONE_NEWNET) < 0)
		return -1;
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_home(home);
	return fd;
}

/* @init: ask from inside of it; 0: from the node. */
static bool port_answers(const struct address *address, pid_t init)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to = { .any.sa_family = (sa_family_t)address->family };
	struct pollfd ready = { .events = POLLOUT };
	int failed = 0;
	socklen_t size = sizeof(failed);

	if (address->family == AF_INET) {
		memcpy(&to.in.sin_addr, address->bytes, 4);
		to.in.sin_port = htons(22);
	} else {
		memcpy(&to.in6.sin6_addr, address->bytes, 16);
		to.in6.sin6_port = htons(22);
	}
	own_fd fd =
	    init ? socket_inside(init, address->family)
		 : socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	(void)connect(fd, &to.any, sizeof(to));
	ready.fd = fd;
	return poll(&ready, 1, 200) > 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0;
}

/* systemctl exits 0 for "running" and 1 for "degraded", which is booted too, and for all
 * before; the word decides. */
static bool systemd_is_up(const struct vps *vps, pid_t init)
{
	static const char *const argv[] = { "systemctl", "is-system-running", NULL };
	int pipe[2], status;
	char word[32] = "";
	struct err ignored;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return false;
	own_fd in = pipe[0], out = pipe[1];
	own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct inside inside = { .argv = argv, .in = null, .out = out, .err = null };
	if (runtime_exec(vps->id, init, &inside, &status, &ignored) < 0)
		return false;
	close(take_fd(&out));
	(void)!read(in, word, sizeof(word) - 1);
	return strncmp(word, "running", 7) == 0 || strncmp(word, "degraded", 8) == 0;
}

/* The program is the tenant's: it may hang, or leave somebody behind who keeps our pipe. */
static bool systemd_is_up_soon(const struct vps *vps, pid_t init)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(ASK_S);
		_exit(systemd_is_up(vps, init) ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool is_up(const struct vps *vps, pid_t init)
{
	if (strcmp(vps->init, "/sbin/init") == 0 && init_kind_of(init)->program &&
	    strcmp(init_kind_of(init)->program, "systemd") == 0)
		return systemd_is_up_soon(vps, init);
	if (!link_is_wanted(&vps->link))
		return true;
	pid_t from = vps->link.allow_in.some ? init : 0;
	if (vps->link.ipv4.family)
		return port_answers(&vps->link.ipv4, from);
	if (vps->link.ipv6.family)
		return port_answers(&vps->link.ipv6, from);
	return true;
}

int boot_wait(const struct cli *cli, const struct node *node, struct held *held,
	      struct err *err)
{
	const struct vps *vps = &held->vps;
	unsigned seconds;
	unsigned long long end;

	if (cli_seconds(cli, "wait", 0, &seconds, err) < 0)
		return -1;
	end = now_ms() + seconds * 1000ull;
	if (!seconds)
		return 0;
	/* it may reboot meanwhile, or be stopped */
	own_close(&held->place.lock);
	held->place.lock = -1;
	for (;;) {
		const struct timespec pause = { .tv_nsec = 50000000 };
		struct status status;

		vps_status(node, vps, &status);
		if (status.init && is_up(vps, status.init))
			return 0;
		if (now_ms() >= end)
			return fail_as(err, ERR_WAITED, "it has not booted within %u seconds",
				       seconds);
		nanosleep(&pause, NULL);
	}
}

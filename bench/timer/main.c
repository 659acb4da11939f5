/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "own.h"

/*
 * How long a command takes, as its user sees it: from before it exists until it
 * has ended, in microseconds.  With -s, also how long until an ssh server greets
 * at that address.
 */

#define SSH_PORT 22
#define PATIENCE 20e6 /* for a server that does not come */

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* vfork: no page table is copied, which would be counted as the command's. */
static int run(char *argv[])
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return status == 0 ? 0 : -1;
}

static bool greets(const struct sockaddr_in *to)
{
	struct pollfd ready = { .events = POLLOUT };
	char greeting[4] = "";

	own_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ready.fd = fd;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS)
		return false;
	if (poll(&ready, 1, 1000) <= 0 || ready.revents & (POLLERR | POLLHUP))
		return false;
	ready.events = POLLIN;
	return poll(&ready, 1, 5000) > 0 &&
	       read(fd, greeting, sizeof(greeting)) == sizeof(greeting) &&
	       memcmp(greeting, "SSH-", sizeof(greeting)) == 0;
}

static int ssh_wait(const char *address, double begin)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(SSH_PORT) };

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	while (!greets(&to)) {
		if (now_us() - begin > PATIENCE)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int main(int argc, char *argv[])
{
	const char *ssh = NULL;
	double begin, end;
	int option;

	while ((option = getopt(argc, argv, "+s:")) != -1) {
		if (option != 's')
			return 2;
		ssh = optarg;
	}
	if (optind >= argc) {
		fprintf(stderr, "usage: timer [-s address] command [argument ...]\n");
		return 2;
	}

	/* what it says is not for us; of the descriptors, only these two are ours to change */
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (out < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return 2;

	begin = now_us();
	if (run(argv + optind) < 0) {
		fprintf(stderr, "timer: '%s' failed\n", argv[optind]);
		return 1;
	}
	end = now_us();
	dprintf(out, "%.0f", end - begin);
	if (ssh) {
		if (ssh_wait(ssh, begin) < 0) {
			fprintf(stderr, "timer: no ssh server greets at %s\n", ssh);
			return 1;
		}
		dprintf(out, " %.0f", now_us() - begin);
	}
	dprintf(out, "\n");
	return 0;
}

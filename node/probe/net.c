/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../probe.h"
#include "probe.h"

#define PATIENCE_MS 10000

/* The one connection, or -1. */
static int connection(uint16_t port)
{
	const struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(port) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct pollfd knock = { .fd = listener, .events = POLLIN };

	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listener, (const struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(listener, 1) < 0)
		return -1;
	say("ready", 1);
	int fd = poll(&knock, 1, PATIENCE_MS) > 0 ? accept(listener, NULL, NULL) : -1;

	close(listener);
	return fd;
}

/* From the first byte on, for @ms or until the other side ends it. */
static int transfer(char *argv[], int sends)
{
	static char block[PROBE_STEP];
	uint64_t ms = number(argv[1]), bytes = 0, first, began, now;
	int fd = connection((uint16_t)number(argv[0]));

	if (fd < 0)
		return 1;
	first = began = now = now_ns();
	while (now - first < (ms + PROBE_PILED_MS) * 1000000u) {
		ssize_t len = sends ? send(fd, block, sizeof(block), MSG_NOSIGNAL)
				    : recv(fd, block, sizeof(block), 0);

		if (len <= 0)
			break;
		now = now_ns();
		bytes += (uint64_t)len;
		if (now - first < PROBE_PILED_MS * 1000000u) {
			began = now;
			bytes = 0;
		}
	}
	say("bytes", bytes);
	say("usec", (now - began) / 1000);
	close(fd);
	return 0;
}

int probe_receive(char *argv[])
{
	return transfer(argv, 0);
}

int probe_send(char *argv[])
{
	return transfer(argv, 1);
}

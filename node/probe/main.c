/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

/*
 * nodectl-probe: what the self-test runs in its VPSs.  Static and small, so that a VPS with
 * next to no memory, tasks or disk has room for it.
 */

static const struct {
	const char *name;
	int arguments; /* at least */
	int (*run)(char *argv[]);
} verbs[] = {
	{ "touch", 2, probe_touch },	 { "hold", 1, probe_hold },
	{ "cache", 1, probe_cache },	 { "fork", 1, probe_fork },
	{ "spin", 1, probe_spin },	 { "fill", 1, probe_fill },
	{ "files", 1, probe_files },	 { "write", 2, probe_write },
	{ "read", 2, probe_read },	 { "open", 1, probe_open },
	{ "mknod", 0, probe_mknod },	 { "reach", 0, probe_reach },
	{ "receive", 2, probe_receive }, { "send", 2, probe_send },
	{ "forge", 3, probe_forge },
};

void say_text(const char *key, const char *text)
{
	printf("%s %s\n", key, text);
	fflush(stdout);
}

void say(const char *key, uint64_t value)
{
	printf("%s %" PRIu64 "\n", key, value);
	fflush(stdout);
}

void stay(void)
{
	char byte;

	say("ready", 1);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* As init: wait for whoever is left to us, and end when asked to. */
static int init_main(void)
{
	sigset_t all;
	int signal;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;) {
		if (sigwait(&all, &signal) != 0)
			continue;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (signal == SIGPWR || signal == SIGTERM)
			return 0;
	}
}

int main(int argc, char *argv[])
{
	if (getpid() == 1)
		return init_main();
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, argv[1]) == 0 && argc - 2 >= verbs[i].arguments)
			return verbs[i].run(argv + 2);
	}
	fputs("usage: nodectl-probe VERB ARGUMENT...; it is run by 'nodectl selftest'\n",
	      stderr);
	return 2;
}

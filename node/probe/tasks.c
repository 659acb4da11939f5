/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../probe.h"
#include "probe.h"
#include "program.h"

static void children_end(const pid_t *pids, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		(void)kill(pids[i], SIGKILL);
	for (uint64_t i = 0; i < count; i++)
		(void)waitpid(pids[i], NULL, 0);
}

/* Like fork(), for a child that ends with us. */
static pid_t child_make(void (*run)(uint64_t number), uint64_t number)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		if (end_with(parent))
			run(number);
		_exit(0);
	}
	return pid;
}

static void wait_for_ever(uint64_t number)
{
	(void)number;
	for (;;)
		pause();
}

/*
 * Each on a processor of its own, as far as there are: where the kernel's balancing moves busy
 * processes to and fro between processors, shares are uneven for seconds.
 */
static void spin_for_ever(uint64_t number)
{
	cpu_set_t all, one;
	int cpu = -1;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) == 0 && CPU_COUNT(&all)) {
		number %= (uint64_t)CPU_COUNT(&all);
		do {
			cpu++;
		} while (!CPU_ISSET(cpu, &all) || number-- > 0);
		CPU_SET(cpu, &one);
		(void)sched_setaffinity(0, sizeof(one), &one);
	}
	for (volatile unsigned n = 0;; n++)
		;
}

int probe_fork(char *argv[])
{
	uint64_t most = number(argv[0]), made = 0;
	pid_t *pids = calloc(most, sizeof(*pids));
	int code = 0;

	if (!pids)
		return 1;
	while (made < most) {
		pid_t pid = child_make(wait_for_ever, made);

		if (pid < 0) {
			code = errno;
			break;
		}
		pids[made++] = pid;
	}
	say("made", made);
	say("errno", (unsigned)code);
	stay();
	children_end(pids, made);
	free(pids);
	return 0;
}

int probe_spin(char *argv[])
{
	pid_t pids[1024];
	uint64_t most = number(argv[0]), made = 0;

	while (made < most && made < sizeof(pids) / sizeof(pids[0])) {
		pids[made] = child_make(spin_for_ever, made);
		if (pids[made] < 0)
			break;
		made++;
	}
	if (made)
		stay();
	children_end(pids, made);
	return made ? 0 : 1;
}

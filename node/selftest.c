/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "lab.h"
#include "node.h"
#include "own.h"
#include "program.h"
#include "str.h"

#define RETRY_MS    32000u /* from its beginning; after that nothing is measured again */
#define TICK_MS	    200
#define LOCK_MS	    2000u
#define PROOFS_MOST 32u

/*
 * The tests, with the proofs that each must give: one that does not come is a failure.  They
 * run one after the other, since most have the same VPS, whose tasks or memory would be used
 * up; but what waits for the disk does so beside those of the processors that have VPSs of
 * their own.
 */
static const struct test {
	void (*run)(struct lab *lab);
	const char *proofs[4];
	bool beside; /* the one before it goes on meanwhile */
} tests[] = {
	{ prove_memory, { "memory", "memory-high" }, false },
	{ prove_memory_guarantee, { "memory-guarantee" }, false },
	{ prove_tasks, { "tasks" }, false },
	{ prove_reach, { "devices", "mknod", "reach" }, false },
	{ prove_disk, { "disk", "inodes" }, false },
	{ prove_spoof, { "spoof" }, false },
	{ prove_cpu_cap, { "cpu-cap" }, false },
	{ prove_cpu_shares, { "cpu-weight", "cpu-guarantee" }, false },
	{ prove_io, { NULL }, false },
	{ prove_net, { NULL }, true },
};
#define TESTS ARRAY_SIZE(tests)

/* As they are told, whatever order they come in. */
static const char *const order[] = {
	"cpu-cap",	    "cpu-weight",  "cpu-guarantee", "memory",  "memory-high",
	"memory-guarantee", "tasks",	   "disk",	    "inodes",  "io-read",
	"io-write",	    "io-read-ops", "io-write-ops",  "rate-in", "rate-out",
	"devices",	    "mknod",	   "reach",	    "spoof",
};

struct run {
	const struct selftest *selftest;
	struct lab lab;
	int signals;
	pid_t pid[TESTS];
	int from[TESTS]; /* their proofs; -1: it has ended, or not begun */
	struct proof proofs[PROOFS_MOST];
	unsigned count, total;
};

void lab_prove(struct lab *lab, struct proof *proof, enum verdict verdict, const char *fmt, ...)
{
	struct proof told = *proof;
	va_list ap;

	told.verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(told.reason, sizeof(told.reason), fmt, ap);
	va_end(ap);
	(void)write_all(lab->out, &told, sizeof(told));
}

static const struct proof *proof_find(const struct run *run, const char *name)
{
	for (unsigned i = 0; i < run->count; i++) {
		if (strcmp(run->proofs[i].name, name) == 0)
			return &run->proofs[i];
	}
	return NULL;
}

static void proof_keep(struct run *run, const struct proof *proof)
{
	if (run->count < PROOFS_MOST && !proof_find(run, proof->name))
		run->proofs[run->count++] = *proof;
}

static int test_start(struct run *run, size_t i, struct err *err)
{
	pid_t parent = getpid();
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	run->from[i] = pipe[0];
	own_fd to = pipe[1];
	run->pid[i] = fork();
	if (run->pid[i] == 0) {
		if (!end_with(parent))
			_exit(1);
		run->lab.out = to;
		tests[i].run(&run->lab);
		_exit(0);
	}
	return run->pid[i] < 0 ? fail(err, errno, "cannot fork") : 0;
}

/* What it has not told, it has failed to prove. */
static void test_end(struct run *run, size_t i)
{
	close(run->from[i]);
	run->from[i] = -1;
	(void)waitpid(run->pid[i], NULL, 0);
	for (size_t p = 0; p < ARRAY_SIZE(tests[i].proofs) && tests[i].proofs[p]; p++) {
		struct proof lost = proof_of(tests[i].proofs[p], NAN, NAN, "");

		lost.verdict = VERDICT_FAIL;
		strcpy(lost.reason, "its test was ended before it could tell");
		proof_keep(run, &lost);
	}
}

static void tests_kill(struct run *run)
{
	for (size_t i = 0; i < TESTS; i++) {
		if (run->from[i] < 0)
			continue;
		kill(run->pid[i], SIGKILL);
		test_end(run, i);
	}
}

static void progress(const struct run *run, const char *what)
{
	if (run->selftest->progress)
		run->selftest->progress(what, run->count, run->total, run->selftest->arg);
}

static int interrupted(const struct run *run, int wait_ms, struct err *err)
{
	struct pollfd signal = { .fd = run->signals, .events = POLLIN };
	struct signalfd_siginfo info;

	/* taken, lest it ends us when we let signals through again */
	if (poll(&signal, 1, wait_ms) <= 0)
		return 0;
	if (read(run->signals, &info, sizeof(info)) != sizeof(info))
		return errno == EAGAIN || errno == EINTR
			   ? 0
			   : fail(err, errno, "cannot read signals");
	return fail_as(err, ERR_SYSTEM, "interrupted");
}

/* Until all that have been started are done. */
static int tests_wait(struct run *run, const char *what, struct err *err)
{
	for (;;) {
		struct pollfd fds[TESTS];
		size_t alive = 0;

		for (size_t i = 0; i < TESTS; i++) {
			fds[i] = (struct pollfd){ .fd = run->from[i], .events = POLLIN };
			alive += run->from[i] >= 0;
		}
		if (!alive)
			return 0;
		progress(run, what);
		if (interrupted(run, 0, err) < 0)
			return -1;
		if (poll(fds, TESTS, TICK_MS) < 0 && errno != EINTR)
			return fail(err, errno, "cannot wait for the proofs");
		for (size_t i = 0; i < TESTS; i++) {
			struct proof proof;

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (read_all(fds[i].fd, &proof, sizeof(proof)) == 0)
				proof_keep(run, &proof);
			else
				test_end(run, i);
		}
	}
}

static int tests_run(struct run *run, struct err *err)
{
	for (size_t i = 0; i < TESTS; i++) {
		const char *what = tests[i].proofs[0] ? tests[i].proofs[0] : "io, rates";
		bool more = i + 1 < TESTS && tests[i + 1].beside;

		if (test_start(run, i, err) < 0 || (!more && tests_wait(run, what, err) < 0))
			return -1;
	}
	return 0;
}

/* Whoever wants to look at the VPSs first has them now. */
static int hold(const struct run *run, struct err *err)
{
	const struct selftest *selftest = run->selftest;
	const char *names[ROLE_COUNT];
	size_t count = 0;

	if (!selftest->hold)
		return 0;
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		if (run->lab.subjects[role].init)
			names[count++] = run->lab.subjects[role].vps.name;
	}
	selftest->hold(names, count, selftest->arg);
	for (;;) {
		struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
					{ .fd = run->signals, .events = POLLIN } };
		char byte;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return fail(err, errno, "cannot wait");
		if (interrupted(run, 0, err) < 0)
			return -1;
		if (fds[0].revents && (read(STDIN_FILENO, &byte, 1) <= 0 || byte == '\n'))
			return 0;
	}
}

static int measure(struct run *run, struct err *err)
{
	int result;

	run->lab.end = now_ms() + RETRY_MS;
	progress(run, "starting VPSs");
	if (lab_make(&run->lab, run->selftest->plan, err) < 0 || interrupted(run, 0, err) < 0 ||
	    hold(run, err) < 0)
		return -1;
	if (run->selftest->hold)
		run->lab.end = now_ms() + RETRY_MS;
	result = tests_run(run, err);
	tests_kill(run);
	return result;
}

static void proofs_tell(const struct run *run)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct proof *proof = proof_find(run, order[i]);

		if (proof)
			run->selftest->proof(proof, run->selftest->arg);
	}
}

static int signals_open(sigset_t *before, struct err *err)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, before);
	int fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? fail(err, errno, "cannot wait for signals") : fd;
}

int node_selftest(const struct node *node, const struct selftest *selftest, struct err *err)
{
	struct run run = { .selftest = selftest, .lab = { .node = node, .out = -1 } };
	struct err undo;
	sigset_t before;
	int result;

	own_fd lock = selftest_lock(node, LOCK_MS, err);
	if (lock < 0 || lab_sweep(node, false, NULL, NULL, err) < 0)
		return -1;
	own_fd signals = signals_open(&before, err);
	if (signals < 0)
		return -1;
	run.signals = signals;
	for (size_t i = 0; i < TESTS; i++) {
		run.from[i] = -1;
		for (size_t p = 0; p < ARRAY_SIZE(tests[i].proofs) && tests[i].proofs[p]; p++)
			run.total++;
	}

	result = measure(&run, err);
	progress(&run, "removing VPSs");
	if (lab_remove(&run.lab, &undo) < 0 && result == 0) {
		*err = undo;
		result = fail_in(err, "cannot remove what was made; 'nodectl repair' does");
	}
	if (result == 0)
		proofs_tell(&run);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}

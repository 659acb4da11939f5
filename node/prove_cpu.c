/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "io.h"
#include "lab.h"
#include "own.h"

#define WINDOW_NS   3000000000ull
#define PERIOD_NS   100000000ull /* of a cap: a window is a whole number of them */
#define SETTLE_NS   300000000ull
#define LATE_NS	    3000000ull
#define SPINNERS    1000u
#define USEC_PER_NS 1000.0

/* The counters at one moment. */
struct moment {
	uint64_t ns;
	struct cgroup_usage usage[ROLE_COUNT];
	double idle; /* seconds that all processors of the node had nothing to do */
};

static uint64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/*
 * "cpu  user nice system idle iowait ...", in ticks (proc(5)).  Idle time is exact; of the rest
 * what a hypervisor took, or interrupts, may be in no other column.
 */
static double node_idle(void)
{
	unsigned long long idle = 0, waiting = 0;
	char text[256];
	own_fd fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = 0;
	(void)sscanf(text, "cpu %*u %*u %*u %llu %llu", &idle, &waiting);
	return (double)(idle + waiting) / (double)sysconf(_SC_CLK_TCK);
}

static int moment_take(const struct lab *lab, struct moment *moment, struct err *err)
{
	moment->ns = now();
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		moment->usage[role] = (struct cgroup_usage){ 0 };
		if (lab->subjects[role].init &&
		    cgroup_usage(lab->subjects[role].vps.id, USAGE_CPU, &moment->usage[role],
				 err) < 0)
			return -1;
	}
	moment->idle = node_idle();
	return 0;
}

/*
 * The counters at @at.  A cap is given anew in each period: a window that is longer than it
 * should be by a part of one would have too much, so who is late takes the next.
 */
static int moment_await(const struct lab *lab, uint64_t at, struct moment *moment,
			struct err *err)
{
	for (unsigned tries = 0; tries < 20; tries++, at += PERIOD_NS) {
		struct timespec until = { (time_t)(at / 1000000000u),
					  (long)(at % 1000000000u) };

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
			;
		if (moment_take(lab, moment, err) < 0)
			return -1;
		if (now() - at < LATE_NS)
			return 0;
	}
	return 0;
}

static double cores_of(const struct moment *from, const struct moment *to, enum role role)
{
	uint64_t usec = to->usage[role].cpu_usec - from->usage[role].cpu_usec;

	return (double)usec * USEC_PER_NS / (double)(to->ns - from->ns);
}

/* What was there, was not idle, and no VPS of ours had, others took. */
static double rest_of(const struct lab *lab, const struct moment *from, const struct moment *to)
{
	double rest =
	    lab->cpus / 100.0 - (to->idle - from->idle) * 1e9 / (double)(to->ns - from->ns);

	for (enum role role = 0; role < ROLE_COUNT; role++)
		rest -= cores_of(from, to, role);
	return rest > 0 ? rest : 0;
}

static struct cpu_seen seen_of(const struct lab *lab, const struct moment *from,
			       const struct moment *to, enum role one, enum role other)
{
	const struct cgroup_usage *then = &from->usage[one], *after = &to->usage[one];
	uint64_t periods = after->periods - then->periods;
	struct cpu_seen seen = {
		.one = cores_of(from, to, one),
		.other = one == other ? 0 : cores_of(from, to, other),
		.rest = rest_of(lab, from, to),
		.held = periods ? (double)(after->throttled - then->throttled) / (double)periods
				: 0,
	};

	return seen;
}

/* As many busy processes as the VPS could have use for. */
static int spin_start(const struct lab *lab, enum role role, struct probe *probe,
		      struct err *err)
{
	unsigned count = lab->cpus / 100;

	if (probe_start(probe, &lab->subjects[role], err, "spin %u",
			count < SPINNERS ? count : SPINNERS) < 0)
		return -1;
	return probe_ready(probe, err);
}

/* Both take what they can get for three seconds; @other may be @one. */
static int window_measure(const struct lab *lab, enum role one, enum role other,
			  struct cpu_seen *seen, struct err *err)
{
	own_probe first = probe_none(), second = probe_none();
	struct moment from, to;

	if (spin_start(lab, one, &first, err) < 0 ||
	    (other != one && spin_start(lab, other, &second, err) < 0))
		return -1;
	/* who looks must be on time; and he alone, for the others would inherit it */
	(void)setpriority(PRIO_PROCESS, 0, -20);
	int result = moment_await(lab, now() + SETTLE_NS, &from, err);
	if (result == 0)
		result = moment_await(lab, from.ns + WINDOW_NS, &to, err);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	if (result < 0)
		return -1;
	*seen = seen_of(lab, &from, &to, one, other);
	if (probe_finish(&first, err) < 0)
		return -1;
	return other == one ? 0 : probe_finish(&second, err);
}

/* Measured again when something came between. */
static void cpu_prove(struct lab *lab, enum role one, enum role other, double promised,
		      struct proof (*judge)(double promised, const struct cpu_seen *seen))
{
	struct proof proofs[LAB_ATTEMPTS], best;
	struct cpu_seen seen = { 0 };
	unsigned count = 0;
	struct err err;

	do {
		if (window_measure(lab, one, other, &seen, &err) < 0) {
			best = judge(promised, &seen);
			lab_prove(lab, &best, VERDICT_FAIL, "%s", err.msg);
			return;
		}
		proofs[count++] = judge(promised, &seen);
		best = proof_best(proofs, count);
	} while (best.verdict != VERDICT_PASS && count < LAB_ATTEMPTS && now_ms() < lab->end);
	lab_prove(lab, &best, best.verdict, "%s", best.reason);
}

/* Is this a limit that this node has at all? */
static bool node_has(struct lab *lab, const char *name, double promised, unsigned limit)
{
	struct proof proof = proof_of(name, promised, NAN, "");

	if (!(lab->lacks & limit))
		return true;
	lab_prove(lab, &proof, VERDICT_UNSUPPORTED, "this node cannot enforce '%s'",
		  limit_name((enum limit)(lab->lacks & limit)));
	return false;
}

void prove_cpu_cap(struct lab *lab)
{
	double cap = lab->subjects[ROLE_MAIN].vps.limits.cpus / 100.0;
	struct proof none = proof_of("cpu-cap", NAN, NAN, "cores");

	if (!lab_has(lab, ROLE_MAIN, "cpu-cap") || !node_has(lab, "cpu-cap", cap, LIMIT_CPU))
		return;
	if (cap <= 0 || cap >= lab->cpus / 100.0)
		lab_prove(lab, &none, VERDICT_UNSUPPORTED,
			  "the plan has no cap below the cores of this node, %u",
			  lab->cpus / 100);
	else
		cpu_prove(lab, ROLE_MAIN, ROLE_MAIN, cap, cpu_cap_judge);
}

static void weight_prove(struct lab *lab)
{
	if (lab_has(lab, ROLE_ONE, "cpu-weight") && lab_has(lab, ROLE_THREE, "cpu-weight") &&
	    node_has(lab, "cpu-weight", 3, LIMIT_WEIGHT))
		cpu_prove(lab, ROLE_ONE, ROLE_THREE,
			  (double)lab->subjects[ROLE_THREE].vps.limits.weight /
			      lab->subjects[ROLE_ONE].vps.limits.weight,
			  cpu_weight_judge);
}

static void guarantee_prove(struct lab *lab)
{
	double guarantee = lab->subjects[ROLE_GUARANTEED].vps.limits.cpus_guaranteed / 100.0;
	struct proof none = proof_of("cpu-guarantee", NAN, NAN, "cores");

	if (!lab_has(lab, ROLE_GUARANTEED, "cpu-guarantee") ||
	    !lab_has(lab, ROLE_HOG, "cpu-guarantee") ||
	    !node_has(lab, "cpu-guarantee", guarantee, LIMIT_CPU_GUARANTEE))
		return;
	if (guarantee <= 0)
		lab_prove(lab, &none, VERDICT_UNSUPPORTED, "the plan guarantees no CPU");
	else
		cpu_prove(lab, ROLE_GUARANTEED, ROLE_HOG, guarantee, cpu_guarantee_judge);
}

void prove_cpu_shares(struct lab *lab)
{
	weight_prove(lab);
	guarantee_prove(lab);
}

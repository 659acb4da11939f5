/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include "cgroups.h"
#include "lab.h"
#include "own.h"

#define MEBI	  (UINT64_C(1) << 20)
#define HELD	  (8 * MEBI) /* what the neighbour has meanwhile */
#define SLOWER	  2.0	     /* so much, at least, is above memory.high */
#define GUARANTEE 0.97	     /* so much, at least, of what is guaranteed must stay */

struct wanted_knob {
	const char *name;
	bool found;
};

static int knob_look(const struct cgroup_knob *knob, void *arg, struct err *err)
{
	struct wanted_knob *wanted = arg;

	(void)err;
	wanted->found = wanted->found || (knob->got && strcmp(knob->name, wanted->name) == 0);
	return 0;
}

/* cgroup v1 has neither memory.high nor memory.min. */
static bool has_knob(const struct subject *subject, const char *name)
{
	struct wanted_knob wanted = { .name = name };
	struct err ignored;

	(void)cgroup_diff(subject->vps.id, &subject->vps.limits, knob_look, &wanted, &ignored);
	return wanted.found;
}

/* What one look at a VPS tells of its memory. */
struct look {
	uint64_t used, peak, kills, highs;
};

static uint64_t figure(uint64_t value)
{
	return value == FIGURE_UNKNOWN ? 0 : value;
}

static int look(const struct subject *subject, struct look *look, struct err *err)
{
	struct cgroup_usage usage;

	if (cgroup_usage(subject->vps.id, USAGE_MEMORY | USAGE_EVENTS, &usage, err) < 0)
		return -1;
	*look = (struct look){ figure(usage.memory), figure(usage.memory_peak),
			       figure(usage.oom_kills), figure(usage.highs) };
	return 0;
}

struct met {
	struct look before, after, neighbour_before, neighbour_after;
	bool intact;	  /* what the neighbour had in its memory */
	bool killed;	  /* the one that took too much was killed */
	uint64_t touched; /* how much it got */
	double slower;	  /* how many times, near its end */
};

/* A process takes more than there is, while a neighbour holds what it has. */
static int limit_meet(const struct lab *lab, struct met *met, struct err *err)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	const struct subject *neighbour = &lab->subjects[ROLE_NEIGHBOUR];
	uint64_t limit = main->vps.limits.memory;
	own_probe taker = probe_none(), holder = probe_none();

	if (probe_start(&holder, neighbour, err, "hold %" PRIu64, HELD) < 0 ||
	    probe_ready(&holder, err) < 0 || look(main, &met->before, err) < 0 ||
	    look(neighbour, &met->neighbour_before, err) < 0)
		return -1;
	/* half as much again, lest a limit that does not hold costs the node more than that */
	if (probe_start(&taker, main, err, "touch %" PRIu64 " %" PRIu64, limit + limit / 2,
			limit / 64) < 0 ||
	    probe_finish(&taker, err) < 0 || probe_finish(&holder, err) < 0)
		return -1;
	if (look(main, &met->after, err) < 0 || look(neighbour, &met->neighbour_after, err) < 0)
		return -1;
	met->intact = probe_number(&holder, "intact") == 1;
	met->killed = probe_number(&taker, "signal") == SIGKILL;
	met->touched = probe_number(&taker, "touched");
	met->slower =
	    (double)probe_number(&taker, "near") / (double)(probe_number(&taker, "before") + 1);
	return 0;
}

static void memory_judge(struct lab *lab, const struct met *met)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	uint64_t limit = main->vps.limits.memory;
	uint64_t most = met->after.peak > met->touched ? met->after.peak : met->touched;
	struct proof proof = proof_of("memory", (double)limit, (double)most, "bytes");

	if (most > limit)
		lab_prove(lab, &proof, VERDICT_FAIL, "it got more than its limit");
	else if (!met->killed || met->after.kills == met->before.kills)
		lab_prove(lab, &proof, VERDICT_FAIL, "nothing was killed for it in the VPS");
	else if (kill(main->init, 0) < 0)
		lab_prove(lab, &proof, VERDICT_FAIL, "the VPS's init was killed for it");
	else if (!met->intact || met->neighbour_after.kills != met->neighbour_before.kills)
		lab_prove(lab, &proof, VERDICT_FAIL, "its neighbour was harmed");
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

void prove_memory(struct lab *lab)
{
	static const char *const names[] = { "memory", "memory-high" };
	uint64_t limit = lab->subjects[ROLE_MAIN].vps.limits.memory;
	struct met met;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct proof none = proof_of(names[i], NAN, NAN, "");

		if (!lab_has(lab, ROLE_MAIN, names[i]) ||
		    !lab_has(lab, ROLE_NEIGHBOUR, names[i]))
			continue;
		if (lab->lacks & LIMIT_MEMORY)
			lab_prove(lab, &none, VERDICT_UNSUPPORTED,
				  "this node cannot enforce 'memory'");
		else if (!limit)
			lab_prove(lab, &none, VERDICT_UNSUPPORTED,
				  "the plan has no limit of memory");
	}
	if (!lab->subjects[ROLE_MAIN].init || !lab->subjects[ROLE_NEIGHBOUR].init || !limit ||
	    lab->lacks & LIMIT_MEMORY)
		return;

	struct proof high = proof_of("memory-high", SLOWER, NAN, "times");
	if (limit_meet(lab, &met, &err) < 0) {
		struct proof proof = proof_of("memory", (double)limit, NAN, "bytes");

		lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
		lab_prove(lab, &high, VERDICT_FAIL, "%s", err.msg);
		return;
	}
	memory_judge(lab, &met);
	high.measured = met.slower;
	if (!has_knob(&lab->subjects[ROLE_MAIN], "memory.high")) {
		high.promised = high.measured = NAN;
		lab_prove(lab, &high, VERDICT_UNSUPPORTED,
			  "memory is on cgroup v1, which has no memory.high");
	} else if (met.after.highs == met.before.highs) {
		lab_prove(lab, &high, VERDICT_FAIL, "the kernel held nothing back above it");
	} else if (met.slower < SLOWER) {
		lab_prove(lab, &high, VERDICT_FAIL, "near its limit it is not slowed down");
	} else {
		lab_prove(lab, &high, VERDICT_PASS, "%s", "");
	}
}

/*
 * Both have a file in the page cache, which goes first.  Then so much is taken from all VPSs
 * together as both have beyond the guarantee: without it the loss would be shared.
 */
static int squeeze(struct lab *lab, struct look *before, struct look *after, struct err *err)
{
	struct subject *one = &lab->subjects[ROLE_GUARANTEED];
	struct subject *other = &lab->subjects[ROLE_NEIGHBOUR];
	uint64_t guarantee = one->vps.limits.memory_guaranteed;
	uint64_t victim = other->vps.limits.memory / 2;
	own_probe keeper = probe_none(), loser = probe_none();

	if (probe_start(&keeper, one, err, "cache %" PRIu64, guarantee) < 0 ||
	    probe_start(&loser, other, err, "cache %" PRIu64, victim) < 0 ||
	    probe_ready(&keeper, err) < 0 || probe_ready(&loser, err) < 0 ||
	    look(one, &before[0], err) < 0 || look(other, &before[1], err) < 0)
		return -1;
	if (cgroup_reclaim(before[0].used + before[1].used - guarantee, err) < 0 ||
	    look(one, &after[0], err) < 0 || look(other, &after[1], err) < 0)
		return -1;
	return probe_finish(&keeper, err) < 0 ? -1 : probe_finish(&loser, err);
}

void prove_memory_guarantee(struct lab *lab)
{
	const struct subject *one = &lab->subjects[ROLE_GUARANTEED];
	uint64_t guarantee = one->vps.limits.memory_guaranteed;
	struct proof proof = proof_of("memory-guarantee", (double)guarantee, NAN, "bytes");
	struct look before[2], after[2];
	struct err err;

	if (!lab_has(lab, ROLE_GUARANTEED, proof.name) ||
	    !lab_has(lab, ROLE_NEIGHBOUR, proof.name))
		return;
	if (!guarantee || !has_knob(one, "memory.min")) {
		lab_prove(lab, &proof, VERDICT_UNSUPPORTED, "%s",
			  guarantee ? "memory is on cgroup v1, which has no memory.min"
				    : "the plan guarantees no memory");
		return;
	}
	if (squeeze(lab, before, after, &err) < 0) {
		lab_prove(lab, &proof,
			  err.kind == ERR_KERNEL ? VERDICT_UNSUPPORTED : VERDICT_FAIL, "%s",
			  err.msg);
		return;
	}
	proof.measured = (double)after[0].used;
	if (before[0].used < guarantee)
		lab_prove(lab, &proof, VERDICT_FAIL, "it could not use all of it");
	else if (proof.measured < GUARANTEE * (double)guarantee)
		lab_prove(lab, &proof, VERDICT_FAIL,
			  "%.0f MiB were taken from it, and %.0f MiB from its neighbour",
			  ((double)before[0].used - (double)after[0].used) / MEBI,
			  ((double)before[1].used - (double)after[1].used) / MEBI);
	else if (after[1].used > before[1].used / 2)
		lab_prove(lab, &proof, VERDICT_UNSUPPORTED,
			  "other VPSs had so much that could be taken that nothing was put to "
			  "the test");
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

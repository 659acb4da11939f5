/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "lab.h"
#include "own.h"
#include "str.h"

/* How exact a promise of CPU time is. */
#define CAP_TOLERANCE	    0.03
#define WEIGHT_TOLERANCE    0.05
#define GUARANTEE_TOLERANCE 0.03

/* Less than this part of a speed is not the limit's doing. */
#define SLOW 0.80

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_PASS:
		return "PASS";
	case VERDICT_FAIL:
		return "FAIL";
	case VERDICT_UNSUPPORTED:
		return "UNSUPPORTED";
	}
	return "";
}

struct proof proof_of(const char *name, double promised, double measured, const char *unit)
{
	struct proof proof = { .promised = promised > 0 ? promised : NAN,
			       .measured = measured };

	str_format(proof.name, sizeof(proof.name), "%s", name);
	str_format(proof.unit, sizeof(proof.unit), "%s", unit);
	return proof;
}

static struct proof __attribute__((format(printf, 3, 4)))
judged(struct proof proof, enum verdict verdict, const char *fmt, ...)
{
	va_list ap;

	proof.verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(proof.reason, sizeof(proof.reason), fmt, ap);
	va_end(ap);
	return proof;
}

static struct proof busy(struct proof proof, const struct cpu_seen *seen)
{
	return judged(proof, VERDICT_UNSUPPORTED,
		      "the node is too busy to measure: others took %.2f cores meanwhile",
		      seen->rest);
}

struct proof cpu_cap_judge(double cap, const struct cpu_seen *seen)
{
	struct proof proof = proof_of("cpu-cap", cap, seen->one, "cores");
	double less = cap - seen->one;

	/* nothing but the cap keeps it below, so nothing else can be to blame */
	if (-less > cap * CAP_TOLERANCE)
		return judged(proof, VERDICT_FAIL, "%.1f %% more than its cap",
			      -100 * less / cap);
	if (less <= cap * CAP_TOLERANCE)
		return judged(proof, VERDICT_PASS, "%s", "");
	/* a period in which the cap stopped it had all that the cap gives; of the others, busy
	 * neighbours may have taken all: what is missing beyond that is the cap's */
	if (less > cap * (1 - seen->held + CAP_TOLERANCE) || seen->rest < less / 2)
		return judged(proof, VERDICT_FAIL,
			      "%.1f %% less than its cap, with %.2f cores taken by others",
			      100 * less / cap, seen->rest);
	return busy(proof, seen);
}

/*
 * Both were there to take all they could get.  What others took may have been taken from one of
 * them alone; more than that cannot be blamed on them.
 */
struct proof cpu_weight_judge(double ratio, const struct cpu_seen *seen)
{
	double both = seen->one + seen->other, fair = both * ratio / (1 + ratio);
	double measured = seen->one > 0 ? seen->other / seen->one : 0;
	struct proof proof = proof_of("cpu-weight", ratio, measured, "ratio");

	if (fabs(measured / ratio - 1) <= WEIGHT_TOLERANCE)
		return judged(proof, VERDICT_PASS, "%s", "");
	if (fabs(seen->other - fair) > seen->rest)
		return judged(proof, VERDICT_FAIL,
			      "%.2f and %.2f cores, with %.2f taken by others", seen->one,
			      seen->other, seen->rest);
	return busy(proof, seen);
}

struct proof cpu_guarantee_judge(double guarantee, const struct cpu_seen *seen)
{
	struct proof proof = proof_of("cpu-guarantee", guarantee, seen->one, "cores");
	double less = guarantee - seen->one;

	if (less <= guarantee * GUARANTEE_TOLERANCE)
		return judged(proof, VERDICT_PASS, "%s", "");
	if (less > seen->rest)
		return judged(
		    proof, VERDICT_FAIL,
		    "%.1f %% of it, beside one that took %.2f cores and %.2f taken by others",
		    100 * seen->one / guarantee, seen->other, seen->rest);
	return busy(proof, seen);
}

struct proof speed_judge(const struct proof *measured, double tolerance, const char *what)
{
	if (measured->measured > (1 + tolerance) * measured->promised)
		return judged(*measured, VERDICT_FAIL, "faster than it may be");
	if (measured->measured < SLOW * measured->promised)
		return judged(*measured, VERDICT_UNSUPPORTED,
			      "this %s is too slow, or too busy, to show the limit", what);
	return judged(*measured, VERDICT_PASS, "%s", "");
}

struct proof proof_best(const struct proof *proofs, unsigned count)
{
	const struct proof *best = &proofs[0];

	assert(count);
	for (unsigned i = 0; i < count; i++) {
		if (proofs[i].verdict == VERDICT_PASS)
			return proofs[i];
		if (proofs[i].verdict == VERDICT_UNSUPPORTED)
			best = &proofs[i];
	}
	return *best;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct node;

/*
 * The promises of this node, proven on this kernel and file system: throw-away VPSs are made,
 * each limit is run into from inside, and what happens is measured from outside.
 */

enum verdict {
	VERDICT_PASS,
	VERDICT_FAIL,	     /* a promise that this node does not keep */
	VERDICT_UNSUPPORTED, /* cannot be had, or not be measured, here and now */
};

/* "PASS", "FAIL", "UNSUPPORTED" */
const char *verdict_name(enum verdict verdict);

struct proof {
	char name[24]; /* "cpu-cap" */
	enum verdict verdict;
	double promised, measured; /* NAN where it is no matter of numbers */
	char unit[16];		   /* "bytes", "cores", "tasks", ... */
	char reason[200];	   /* empty for one that passed */
};

/* A run, and who hears of it; the calls come from the calling process. */
struct selftest {
	const char *plan; /* whose promises; NULL: small ones of its own */

	/* NULL, or: the VPSs run, nothing is measured until a line comes on standard input. */
	void (*hold)(const char *const *names, size_t count, void *arg);
	/* Some times a second: @done proofs of @total, @what are under way. */
	void (*progress)(const char *what, unsigned done, unsigned total, void *arg);
	/* Each proof, in the order of the manual. */
	void (*proof)(const struct proof *proof, void *arg);
	void *arg;
};

/*
 * Run it: under a minute.  A failed proof is no failure of the run.  Whatever happens, also
 * SIGINT, SIGTERM and SIGHUP, nothing stays of it; what SIGKILL leaves, repair and the next run
 * remove.  A second one at the same time is ERR_LOCKED.
 */
int node_selftest(const struct node *node, const struct selftest *selftest, struct err *err);

/*
 * Remove what a run that was killed has left, with a line to @found for each; @dry only looks.
 * One that is under way is left alone.
 */
int selftest_sweep(const struct node *node, bool dry,
		   void (*found)(const char *what, void *arg), void *arg, struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "selftest.h"
#include "vps.h"

struct node;

/* The source of the image of a run, and the directory of its templates: marks of what is ours,
 * as SELFTEST_MARK is one of a VPS. */
#define LAB_SOURCE    "nodectl selftest"
#define LAB_TEMPLATES ".selftest"

/* The VPSs of a run, and what they are for. */
enum role {
	ROLE_MAIN,	 /* has all the limits that are run into */
	ROLE_NEIGHBOUR,	 /* must not notice */
	ROLE_ONE,	 /* weight 100 */
	ROLE_THREE,	 /* weight 300 */
	ROLE_GUARANTEED, /* CPU and memory are guaranteed to it */
	ROLE_HOG,	 /* and all other CPU to this one, which takes what it can */
	ROLE_COUNT,
};

struct subject {
	struct vps vps;
	pid_t init;	    /* 0: it could not be had */
	struct err refused; /* why */
};

/* One run. */
struct lab {
	const struct node *node;
	struct subject subjects[ROLE_COUNT];
	unsigned lacks;		/* enum limit bits that this node does not have */
	unsigned rates_lacking; /* enum link_rate bits likewise */
	char io_lacks[200];	/* why the disk of this node cannot be limited; or empty */
	char net_lacks[200];	/* why there is no network whose speed could be limited */
	char image[64];		/* its name; empty when there is none */
	unsigned cpus;		/* hundredths that this node has */
	int out;		/* in a test: where its proofs go */
	unsigned long long end; /* now_ms() after which nothing is measured again */
};

/* What was measured belongs to the VPS @role: is it there?  If not, @name is UNSUPPORTED. */
bool lab_has(struct lab *lab, enum role role, const char *name);

/* Make and start the VPSs, with their image.  One that this node has no room for, or cannot
 * limit, is refused in its subject and no failure. */
int lab_make(struct lab *lab, const char *plan, struct err *err);

/* Remove all that lab_make() made. */
int lab_remove(struct lab *lab, struct err *err);

/* Stop and remove a VPS, whatever it does; one that is not there is fine. */
int lab_discard(const struct node *node, const char *name, struct err *err);

/* One run at a time on a node; the lock ends with its descriptor. */
int selftest_lock(const struct node *node, unsigned wait_ms, struct err *err);

/* As selftest_sweep(), for who has the lock. */
int lab_sweep(const struct node *node, bool dry, void (*found)(const char *what, void *arg),
	      void *arg, struct err *err);

/* A proof of a test, on its way to whoever runs the test. */
__attribute__((format(printf, 4, 5))) void
lab_prove(struct lab *lab, struct proof *proof, enum verdict verdict, const char *fmt, ...);

/* "cpu-cap" with what was promised (nothing, where that is 0) and measured, in @unit. */
struct proof proof_of(const char *name, double promised, double measured, const char *unit);

/*
 * A command of the probe in a VPS; see probe.h.
 */
struct probe {
	pid_t pid;
	int in, out;
	size_t used;
	char text[8192]; /* what it has printed */
};

struct probe probe_none(void);
void probe_free(struct probe *probe); /* it ends */
#define own_probe __attribute__((cleanup(probe_free))) struct probe

/* Start it; the arguments are separated by blanks. */
__attribute__((format(printf, 4, 5))) int probe_start(struct probe *probe,
						      const struct subject *subject,
						      struct err *err, const char *fmt, ...);

/* Wait until it is ready; with its error when it ends before. */
int probe_ready(struct probe *probe, struct err *err);

/* Let it finish, and wait for that. */
int probe_finish(struct probe *probe, struct err *err);

/* A number that it has printed; 0 when it has not. */
uint64_t probe_number(const struct probe *probe, const char *key);

/* The words that it has printed behind @key, with commas. */
void probe_words(const struct probe *probe, const char *key, char *words, size_t size);

/*
 * The tests: each is a process of its own, and tells its proofs with lab_prove().
 */
void prove_memory(struct lab *lab);
void prove_memory_guarantee(struct lab *lab);
void prove_tasks(struct lab *lab);
void prove_disk(struct lab *lab);
void prove_io(struct lab *lab);
void prove_net(struct lab *lab);
void prove_reach(struct lab *lab);
void prove_spoof(struct lab *lab);
void prove_cpu_cap(struct lab *lab);
void prove_cpu_shares(struct lab *lab);

/*
 * What was seen of CPU time, in cores, in a window; and what follows (verdict.c).
 */
struct cpu_seen {
	double one, other; /* the VPSs that were looked at */
	double rest;	   /* everybody else on this node, and what its host took from it */
	double held;	   /* part of the periods in which its cap stopped the first one */
};

struct proof cpu_cap_judge(double cap, const struct cpu_seen *seen);
struct proof cpu_weight_judge(double ratio, const struct cpu_seen *seen);
struct proof cpu_guarantee_judge(double guarantee, const struct cpu_seen *seen);

/* What bytes, bits or operations a second came to; up to @tolerance more are forgiven. */
struct proof speed_judge(const struct proof *measured, double tolerance, const char *what);

/* How often what is measured may be measured. */
#define LAB_ATTEMPTS 3u

/* Of several attempts: the first that passed; FAIL only when all of them failed. */
struct proof proof_best(const struct proof *proofs, unsigned count);

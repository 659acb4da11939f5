/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups.h"
#include "hierarchy.h"

enum { KNOB_MAX = 24, KNOB_TEXT = 1024 };

/* cpu.weight and io.weight are 1..10000. */
enum { WEIGHT_MOST = 10000 };

/* How its text reads. */
enum knob_kind {
	KNOB_PLAIN,
	KNOB_BYTES,   /* of v1, where -1 is no limit and shows as a very high number */
	KNOB_DEFAULT, /* "default N", then lines for devices; written as N */
	KNOB_CPUS,    /* where nothing at all stands for all there are */
	KNOB_DEVICE,  /* a line "254:0 ..." for each device that has a limit */
};

/* One cgroup file and the text that expresses a limit in it. */
struct knob {
	unsigned
	    limits; /* enum limit bits that it carries; 0: none that an operator asks for */
	enum controller controller;
	enum knob_kind kind;
	const char *name; /* below the outer group: "memory.max", "guest/memory.min" */
	char value[KNOB_TEXT];
};

/* What can be done about the disk of a VPS, as bits. */
enum disk_ability {
	DISK_KNOWN = 1 << 0,  /* it has one, and limits of speed hold for it */
	DISK_BFQ = 1 << 1,    /* its requests are ordered by weight: by its scheduler ... */
	DISK_IOCOST = 1 << 2, /* ... or by their estimated cost (io.cost.qos) */
};

/* What the values of a VPS's knobs follow from. */
struct basis {
	const struct limits *limits;
	unsigned weight_of_cpu;	  /* cgroup_weight_of_cpu() */
	unsigned disk;		  /* enum disk_ability bits of limits->device */
	char all_cpus[KNOB_TEXT]; /* "0-3,8" */
	char cpus[KNOB_TEXT];	  /* those that it may run on */
	char mems[KNOB_TEXT];	  /* NUMA nodes, on v1 */
};

/*
 * The knobs of @controller that express @basis, in the order in which they are written when
 * memory gets less.  @version is that of the hierarchy, 1 or 2.  Returns how many (<=
 * KNOB_MAX).
 */
unsigned knobs_plan(const struct basis *basis, enum controller controller, unsigned version,
		    struct knob *knobs);

/*
 * No moment of a change may break min <= high <= max (v2) or memory <= memory + swap (v1), give
 * more than the larger of old and new, or take what nobody wanted taken.  So the limit that
 * holds all others goes last when it is lowered and first when it is raised above what is
 * @in_force: memory.max, or memory.memsw.limit_in_bytes.
 */
void knobs_order(struct knob *knobs, unsigned count, uint64_t in_force);

/* Is it one of the guest's group, which is there last? */
bool knob_is_guests(const struct knob *knob);

/* The knob whose value knobs_order() compares with what is in force, or NULL. */
const char *knob_in_force(enum controller controller, unsigned version);

/* What @got, a whole file as read, says where @knob has its value, in the form of that value.
 */
void knob_text(const struct knob *knob, const char *got, char *text, size_t size);

/* Is @got, as knob_text() gave it, what writing @knob's value leaves behind? */
bool knob_matches(const struct knob *knob, const char *got);

/* "-1" and "max" are UINT64_MAX. */
uint64_t knob_bytes(const char *text);

/* cgroup_weight() where a whole CPU has the weight @of_cpu. */
unsigned weight_of(const struct limits *limits, unsigned of_cpu);

/* cpu.weight (1..10000) as cpu.shares, systemd's way: 100 is 1024. */
unsigned shares_of_weight(unsigned weight);

/* io.weight (1..10000) as bfq's (1..1000), systemd's way: 100 is 100. */
unsigned bfq_of_weight(unsigned weight);

/* Where reclaim starts for a memory limit; see knobs.c. */
uint64_t high_of_memory(uint64_t memory);

/* What the kernel makes of a number of bytes: whole pages, at least one. */
uint64_t page_round(uint64_t bytes);

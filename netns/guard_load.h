/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct err;

/*
 * What the guard has in the kernel, pinned in a directory of the BPF file system, one for each
 * network namespace that has nodes (an interface is known by its number there): the programs,
 * which are loaded once a boot, their maps, and what they are attached by.
 */
/* From the VPS, and to it. */
enum guard_way { GUARD_FROM, GUARD_TO };
#define GUARD_WAYS 2u

/*
 * Load and pin what is not there, and mount the BPF file system where it is not.  Not to be
 * called from a mount namespace of one's own, with which such a mount would go.
 */
int guard_ensure(struct err *err);

/* Loaded for whoever asks, and pinned nowhere: descriptors of both programs.  For trials. */
int guard_load(int programs[GUARD_WAYS], struct err *err);

/* A descriptor of a pinned map; -1 with ENOENT in err->code when nothing is loaded. */
int guard_map_open(const char *name, struct err *err);

/* A descriptor of a program as this nodectl has it, and its number in the kernel. */
int guard_program_open(enum guard_way way, unsigned *number, struct err *err);

/* Below it lies what nodectl has in the BPF file system. */
#define GUARD_TOP "/sys/fs/bpf/nodectl"

/* Room for the path of a pin. */
#define GUARD_PATH 96

/* "/sys/fs/bpf/nodectl/4026531840/NAME" */
__attribute__((format(printf, 2, 3))) void guard_path(char path[GUARD_PATH], const char *name,
						      ...);

/* Where the link of VPS @id is pinned. */
void guard_link_path(unsigned id, enum guard_way way, char path[GUARD_PATH]);

/* Note the number of VPS @id's interface, which may be gone before its guard; and find it, 0
 * when there is none. */
int guard_index_note(unsigned id, uint32_t index, struct err *err);
uint32_t guard_index_find(unsigned id);
void guard_index_forget(unsigned id);

/* Call @each for each id that has such a note. */
void guard_index_each(void (*each)(unsigned id, void *arg), void *arg);

/*
 * Attaching and detaching wait for readers of the kernel's lists, some 10 ms each time, and
 * hold the lock of all interfaces meanwhile.  The kernel's own changes of interfaces do not
 * wait so long ("expedited"), and in a hurry ours do not either.  One at a time, machine-wide.
 */
struct guard_hurry {
	int fd;
	int set; /* we have set it */
};

/* Begin with { .fd = -1 }; who is in a hurry already stays so. */
void guard_hurry_begin(struct guard_hurry *hurry);
void guard_hurry_end(struct guard_hurry *hurry);

#define own_hurry __attribute__((cleanup(guard_hurry_end))) struct guard_hurry

/* Bring the free networks to those of @bridge, if they are others; cheap when they are not. */
struct bridge;
int guard_free_ensure(const struct bridge *bridge, struct err *err);

/* Take from VPS @id's link what guards it, which must be down or about to go; absent is fine.
 */
void guard_remove(unsigned id);

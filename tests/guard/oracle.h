/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../netns/guard_port.h"
#include "model.h"

/*
 * The guard as the kernel runs it (BPF_PROG_TEST_RUN) against the model.  As root; nothing is
 * attached or pinned.
 */

#define ORACLE_ID 7

struct oracle {
	struct owner owner; /* for whom frames are made */
	struct link link;   /* the same, as nodectl knows it */
	struct bpf_object *object;
	int program, ports, meter;
	struct guard_port port;
	uint64_t dropped[GUARD_REASONS]; /* so far */
};

/* Load the guard, for one VPS with a few addresses; -1 with errno. */
int oracle_open(struct oracle *oracle);

/* May it send mail? */
void oracle_smtp(struct oracle *oracle, bool smtp);

/* A test run takes no packet without a whole header; the kernel's own way does, in live tests.
 */
bool oracle_takes(const uint8_t *frame, size_t size);

/* Ask both.  @said: why each drops it, NULL for one that lets it pass.  Are they of one mind?
 */
bool oracle_ask(struct oracle *oracle, const uint8_t *frame, size_t size, const char *said[2]);

/* A frame of which they are not, for people. */
void oracle_tell(const uint8_t *frame, size_t size, const char *const said[2]);

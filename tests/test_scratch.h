/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The directory of one test, made before it and removed after it (TestSuite .init and .fini).
 */
extern int scratch;
extern char scratch_path[64];

void scratch_make(void);
void scratch_remove(void);

/* Write a file as it is; read it back and compare; how many names a directory holds. */
void scratch_put(int dir, const char *name, const char *text);
bool scratch_holds(int dir, const char *name, const char *text);
unsigned scratch_count(int dir);

/* Numbers that look random and are the same in each run (xorshift64*). */
uint64_t random_next(uint64_t *seed);

/* Text of at most @size - 1 bytes, mostly of @alphabet, now and then of any byte but 0. */
void random_text(uint64_t *seed, const char *alphabet, char *text, size_t size);

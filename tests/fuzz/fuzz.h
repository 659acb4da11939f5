/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A target for libFuzzer: what it is given is hostile, and it must not crash, hang, nor take
 * what it would print in another way than it was read.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The end of this input's run, with what was wrong. */
#define WRONG(...)                                                                             \
	do {                                                                                   \
		fprintf(stderr, "wrong: " __VA_ARGS__);                                        \
		fputc('\n', stderr);                                                           \
		abort();                                                                       \
	} while (0)

/* @data as text, which ends at its first zero; to be freed. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	return text;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the model knows of a VPS. */
struct owner {
	uint8_t mac[6];
	bool smtp;
	struct {
		bool v6;
		uint8_t bytes[16];
		unsigned prefix;
	} own[8];
	unsigned count;
};

/* The name of the reason why the VPS may not send this frame, or NULL when it may. */
const char *model_verdict(const struct owner *owner, const uint8_t *frame, size_t size);

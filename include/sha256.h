/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

#define SHA256_TEXT 65

/* SHA-256 (FIPS 180-4) of @data as 64 hexadecimal digits, for a text now and then. */
void sha256_text(const void *data, size_t size, char text[SHA256_TEXT]);

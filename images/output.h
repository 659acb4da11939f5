/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;

/* Run a program and return what it wrote to its standard output, to free; NULL on failure. */
char *output_read(const char *const *argv, struct err *err);

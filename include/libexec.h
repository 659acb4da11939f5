/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

struct err;

/*
 * The path of one of our own helper programs: beside the running program when it is there
 * (the build tree), else the directory it is installed in.  A helper that is in neither place
 * is an error here, so that the message names the place where it should be.
 */
int libexec_path(const char *program, char *path, size_t size, struct err *err);

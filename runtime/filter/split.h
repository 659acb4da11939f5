/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <seccomp.h>
#include <stdint.h>

/*
 * Add the rules for system call @nr, which the table calls @name, to @filter: one
 * unconditional rule, or rules that divide the space of the arguments into parts that do not
 * overlap.  0, or libseccomp's negative errno.
 */
int split_call(scmp_filter_ctx filter, int nr, const char *name);

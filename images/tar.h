/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Write a tar archive (ustar), all of it root's and of the year 1970: only for trees that we
 * make up ourselves, so names must fit (100 bytes) and that is asserted.  Errors of the file
 * stay in ferror().
 */
void tar_dir(FILE *out, const char *path, mode_t mode);
void tar_file(FILE *out, const char *path, mode_t mode, const void *data, size_t len);
void tar_symlink(FILE *out, const char *path, const char *target);
void tar_end(FILE *out);

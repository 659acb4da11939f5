/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Local owners.  Declare with a value (-1 or NULL); the resource is released
 * when the variable leaves its scope, unless it was taken from it first.
 */
#define own_fd	 __attribute__((cleanup(own_close))) int
#define own_str	 __attribute__((cleanup(own_free))) char *
#define own_file __attribute__((cleanup(own_fclose))) FILE *
#define own_dir	 __attribute__((cleanup(own_closedir))) DIR *

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static inline void own_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void own_free(char **str)
{
	free(*str);
}

static inline void own_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void own_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Move the descriptor out of its owner, to return or to store it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

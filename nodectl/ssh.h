/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

/*
 * The command line of OpenSSH's client for `nodectl ssh`: @rest, @count words, are what its
 * user has given, options of ssh first and then a command.  Ends with NULL; the caller frees
 * the array, not the words.
 */
const char **ssh_argv(char *const *rest, size_t count, const char *known, const char *target);

/* "UserKnownHostsFile=..." for ssh_config(5), which would split @path at blanks and expand its
 * percent signs; the caller's to free. */
char *ssh_known_hosts(const char *path);

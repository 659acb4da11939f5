/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct err;

/*
 * Our text files: "key = value" lines, '#' starts a comment line, blank lines do not count.
 * Calls
 * @set for each; its failure is returned with the line's number in front.  A line without '=',
 * or with a control byte, is ERR_VALUE.  @text is not changed.
 */
int conf_parse(const char *text,
	       int (*set)(const char *key, const char *value, void *arg, struct err *err),
	       void *arg, struct err *err);

/*
 * Put "key = value" where @text, from the heap, has that key, keeping all else as it is; at its
 * end when it has not.  With @commented a line "#key = ..." is such a place too.  Returns the
 * new text and frees the old one.
 */
char *conf_put(char *text, const char *key, const char *value, bool commented);

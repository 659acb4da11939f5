/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf.h"

#include <ctype.h>
#include <string.h>

#include "err.h"
#include "own.h"
#include "str.h"

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len && strchr(" \t\r", text[len - 1]))
		text[--len] = 0;
	return text;
}

static int line_parse(char *line,
		      int (*set)(const char *key, const char *value, void *arg,
				 struct err *err),
		      void *arg, struct err *err)
{
	char *equals;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	for (const char *c = line; *c; c++) {
		if (iscntrl((unsigned char)*c) && *c != '\t')
			return fail_as(err, ERR_VALUE, "control character in the text");
	}
	equals = strchr(line, '=');
	if (!equals)
		return fail_as(err, ERR_VALUE, "'%.60s' is not 'key = value'", line);
	*equals = 0;
	return set(trim(line), trim(equals + 1), arg, err);
}

int conf_parse(const char *text,
	       int (*set)(const char *key, const char *value, void *arg, struct err *err),
	       void *arg, struct err *err)
{
	own_str copy = xstrdup(text);
	char *rest = copy;
	unsigned number = 0;

	while (rest) {
		char *line = strsep(&rest, "\n");

		number++;
		if (line_parse(line, set, arg, err) < 0)
			return fail_in(err, "line %u", number);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf.h"

#include <ctype.h>
#include <stdlib.h>
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

/* Is this line, which ends with a new line or the text, about @key? */
static bool line_has(const char *line, const char *key, bool commented)
{
	size_t len = strlen(key);

	if (commented && *line == '#')
		line++;
	line += strspn(line, " \t");
	return strncmp(line, key, len) == 0 && line[len + strspn(line + len, " \t")] == '=';
}

char *conf_put(char *text, const char *key, const char *value, bool commented)
{
	size_t size = strlen(text);
	char *result;

	for (char *line = text; *line;) {
		char *end = line + strcspn(line, "\n");

		if (line_has(line, key, commented)) {
			result = xasprintf("%.*s%s = %s%s", (int)(line - text), text, key,
					   value, end);
			free(text);
			return result;
		}
		line = end + (*end == '\n');
	}
	result = xasprintf("%s%s%s = %s\n", text, size && text[size - 1] != '\n' ? "\n" : "",
			   key, value);
	free(text);
	return result;
}

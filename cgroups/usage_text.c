/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usage.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hierarchy.h"
#include "own.h"

void figures_parse(const char *text, const struct figure *figures, struct cgroup_usage *usage)
{
	for (; figures->divisor; figures++) {
		uint64_t value, *to = (uint64_t *)((char *)usage + figures->offset);

		if (figures->key ? !flat_value(text, figures->key, &value) : !isdigit(*text))
			continue;
		if (!figures->key)
			value = strtoull(text, NULL, 10);
		value /= figures->divisor;
		/* two lines may add up to one figure */
		*to = *to == FIGURE_UNKNOWN ? value : *to + value;
	}
}

void pressure_parse(const char *text, struct pressure *pressure)
{
	while (text && *text) {
		char kind[8];
		unsigned whole, part;
		unsigned long long total;

		if (sscanf(text, "%7s avg10=%u.%2u avg60=%*s avg300=%*s total=%llu", kind,
			   &whole, &part, &total) == 4) {
			bool some = strcmp(kind, "some") == 0;

			*(some ? &pressure->some_avg10 : &pressure->full_avg10) =
			    whole * 100ull + part;
			*(some ? &pressure->some_usec : &pressure->full_usec) = total;
		}
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
}

static void add(uint64_t *to, uint64_t value)
{
	*to = (*to == FIGURE_UNKNOWN ? 0 : *to) + value;
}

/* The word at @text, which ends at white space; returns what follows it, or NULL. */
static const char *word_next(const char *text, char *word, size_t size)
{
	size_t len;

	text += strspn(text, " \n");
	len = strcspn(text, " \n");
	if (!len)
		return NULL;
	snprintf(word, size, "%.*s", (int)len, text);
	return text + len;
}

/*
 * Kernels have been seen to print a device without figures and the next on the same line: a
 * figure belongs to the device that was named last.
 */
void io_stat_parse(const char *text, const struct disk_filter *filter,
		   struct cgroup_usage *usage)
{
	const struct {
		const char *key;
		uint64_t *to;
	} keys[] = {
		{ "rbytes=", &usage->read.bytes },
		{ "wbytes=", &usage->written.bytes },
		{ "rios=", &usage->read.ops },
		{ "wios=", &usage->written.ops },
	};
	char word[64];
	bool counts = false;

	/* cgroup2 counts from the beginning: no line is no byte */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add(keys[i].to, 0);
	while ((text = word_next(text, word, sizeof(word)))) {
		unsigned major, minor;

		if (sscanf(word, "%u:%u", &major, &minor) == 2) {
			counts = filter->counts(major, minor, filter->arg);
			continue;
		}
		for (size_t i = 0; counts && i < ARRAY_SIZE(keys); i++) {
			size_t len = strlen(keys[i].key);

			if (strncmp(word, keys[i].key, len) == 0)
				add(keys[i].to, strtoull(word + len, NULL, 10));
		}
	}
}

void blkio_parse(const char *text, const struct disk_filter *filter, uint64_t *read,
		 uint64_t *written)
{
	while (text && *text) {
		unsigned major, minor;
		unsigned long long value;
		char what[16];

		if (sscanf(text, "%u:%u %15s %llu", &major, &minor, what, &value) == 4 &&
		    filter->counts(major, minor, filter->arg)) {
			if (strcmp(what, "Read") == 0)
				add(read, value);
			else if (strcmp(what, "Write") == 0)
				add(written, value);
		}
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
}

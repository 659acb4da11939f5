/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "str.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "own.h"

static const char no_memory[] = "out of memory";

static struct {
	void (*tell)(int fd, const char *what);
	int fd;
} listener;

void no_memory_tell(void (*tell)(int fd, const char *what), int fd)
{
	listener.tell = tell;
	listener.fd = fd;
}

void *or_exit(void *memory)
{
	if (memory)
		return memory;
	if (listener.tell)
		listener.tell(listener.fd, no_memory);
	else
		fprintf(stderr, "nodectl: %s\n", no_memory);
	_exit(ERR_SYSTEM);
}

void *xmalloc(size_t size)
{
	return or_exit(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return or_exit(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return or_exit(realloc(old, size ? size : 1));
}

void *xgrow(void *list, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return list;
	*room = *room ? *room * 2 : 64;
	return xrealloc(list, *room * size);
}

char *xstrdup(const char *text)
{
	return or_exit(strdup(text));
}

char *xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return or_exit(text);
}

struct memory {
	char **text;
	size_t *size;
};

static ssize_t memory_write(void *cookie, const char *data, size_t len)
{
	const struct memory *memory = cookie;
	size_t size = *memory->size;
	char *text = xrealloc(*memory->text, size + len + 1);

	memcpy(text + size, data, len);
	text[size + len] = 0;
	*memory->size = size + len;
	*memory->text = text;
	return (ssize_t)len;
}

static int memory_close(void *cookie)
{
	free(cookie);
	return 0;
}

FILE *xmemstream(char **text, size_t *size)
{
	const cookie_io_functions_t functions = { .write = memory_write,
						  .close = memory_close };
	struct memory *memory = xmalloc(sizeof(*memory));

	*memory = (struct memory){ text, size };
	*text = xcalloc(1, 1);
	*size = 0;
	return or_exit(fopencookie(memory, "w", functions));
}

FILE *xfmemopen(char *text, size_t size)
{
	return or_exit(fmemopen(text, size, "w"));
}

int str_copy(char *to, size_t size, const char *from, struct err *err)
{
	size_t len = strlen(from);

	if (len >= size)
		return fail_as(err, ERR_VALUE, "'%.40s...' is longer than %zu bytes", from,
			       size - 1);
	memcpy(to, from, len + 1);
	return 0;
}

void str_format(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(to, size, fmt, ap);
	va_end(ap);
	assert(len >= 0 && (size_t)len < size);
	(void)len;
}

/* The digits at the start of @text; false when there is none.  More than a number holds is
 * still one, and too large for whoever asked. */
static bool digits_parse(const char *text, uint64_t *number, bool *huge, const char **rest)
{
	uint64_t value = 0;

	*huge = false;
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		*huge = *huge || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value);
	*number = value;
	*rest = text;
	return true;
}

/* One letter of @units, each a factor @step more than the one before; none is 1. */
static bool unit_parse(const char **text, const char *units, uint64_t step, uint64_t *factor)
{
	const char *unit;

	*factor = 1;
	if (!**text)
		return true;
	unit = strchr(units, **text);
	if (!unit)
		return false;
	for (const char *u = units; u <= unit; u++)
		*factor *= step;
	(*text)++;
	return true;
}

int size_parse(const char *text, uint64_t *bytes, struct err *err)
{
	const char *rest;
	uint64_t number, factor;
	bool huge;

	if (!digits_parse(text, &number, &huge, &rest))
		return fail_as(err, ERR_VALUE, "'%s' is not a size (like 512M or 10G)", text);
	if (!unit_parse(&rest, "KMGTP", 1024, &factor) ||
	    (*rest && strcmp(rest, "iB") != 0 && strcmp(rest, "B") != 0) ||
	    (*rest && factor == 1))
		return fail_as(err, ERR_VALUE, "'%s' has an unknown unit (K, M, G, T or P)",
			       text);
	if (huge || __builtin_mul_overflow(number, factor, &number) || number > INT64_MAX)
		return fail_as(err, ERR_VALUE, "'%s' is too large (at most 8191P)", text);
	*bytes = number;
	return 0;
}

int rate_parse(const char *text, uint64_t *bits, struct err *err)
{
	const char *rest;
	uint64_t number, factor;
	bool huge;

	if (!digits_parse(text, &number, &huge, &rest))
		return fail_as(err, ERR_VALUE,
			       "'%s' is not a rate (like 100M, in bits a second)", text);
	if (!unit_parse(&rest, "kMGT", 1000, &factor) || (*rest && strcmp(rest, "bit") != 0))
		return fail_as(err, ERR_VALUE, "'%s' has an unknown unit (k, M, G or T)", text);
	if (huge || __builtin_mul_overflow(number, factor, &number))
		return fail_as(err, ERR_VALUE, "'%s' is too large (at most 18446744T)", text);
	*bits = number;
	return 0;
}

int cpus_parse(const char *text, unsigned *hundredths, struct err *err)
{
	const char *rest;
	uint64_t whole;
	unsigned part = 0;
	bool huge;

	if (!digits_parse(text, &whole, &huge, &rest))
		return fail_as(err, ERR_VALUE, "'%s' is not a number of CPUs (like 1.5)", text);
	if (*rest == '.') {
		unsigned weight = 10;

		for (rest++; *rest >= '0' && *rest <= '9' && weight; rest++, weight /= 10)
			part += (unsigned)(*rest - '0') * weight;
	}
	if (*rest || rest[-1] == '.')
		return fail_as(err, ERR_VALUE, "'%s' is not a number of CPUs (like 1.5)", text);
	if (huge || whole > 4096)
		return fail_as(err, ERR_VALUE, "'%s' is not a number of CPUs from 0 to 4096",
			       text);
	*hundredths = (unsigned)whole * 100 + part;
	return 0;
}

int seconds_parse(const char *text, unsigned *seconds, struct err *err)
{
	static const struct {
		char unit;
		unsigned factor;
	} units[] = { { 0, 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *rest;
	uint64_t number;
	bool huge;

	if (!digits_parse(text, &number, &huge, &rest))
		return fail_as(err, ERR_VALUE, "'%s' is not a time (like 90, 10m, 2h or 7d)",
			       text);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (*rest != units[i].unit || (*rest && rest[1]))
			continue;
		if (huge || number > 365 * 86400u / units[i].factor)
			return fail_as(err, ERR_VALUE, "'%s' is more than a year (365d)", text);
		*seconds = (unsigned)number * units[i].factor;
		return 0;
	}
	return fail_as(err, ERR_VALUE, "'%s' has an unknown unit (s, m, h or d)", text);
}

int number_parse(const char *text, unsigned long min, unsigned long max, unsigned long *number,
		 struct err *err)
{
	const char *rest;
	uint64_t value;
	bool huge;

	if (!digits_parse(text, &value, &huge, &rest) || *rest || huge || value < min ||
	    value > max)
		return fail_as(err, ERR_VALUE, "'%s' is not a number from %lu to %lu", text,
			       min, max);
	*number = value;
	return 0;
}

void size_print(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "KMGTP";
	int unit = -1;

	while (bytes && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	if (unit < 0)
		str_format(text, size, "%" PRIu64, bytes);
	else
		str_format(text, size, "%" PRIu64 "%c", bytes, units[unit]);
}

void rate_print(uint64_t bits, char *text, size_t size)
{
	static const char units[] = "kMGT";
	int unit = -1;

	while (bits && bits % 1000 == 0 && unit < 3) {
		bits /= 1000;
		unit++;
	}
	if (unit < 0)
		str_format(text, size, "%" PRIu64, bits);
	else
		str_format(text, size, "%" PRIu64 "%c", bits, units[unit]);
}

void cpus_print(unsigned hundredths, char *text, size_t size)
{
	if (hundredths % 100 == 0)
		str_format(text, size, "%u", hundredths / 100);
	else if (hundredths % 10 == 0)
		str_format(text, size, "%u.%u", hundredths / 100, hundredths % 100 / 10);
	else
		str_format(text, size, "%u.%02u", hundredths / 100, hundredths % 100);
}

void size_human(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	int unit = 0;

	while (value >= 999.5 && unit < 6) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		str_format(text, size, "%.0f%c", value, units[unit]);
	else if (value < 9.95 && value != (double)(uint64_t)value)
		str_format(text, size, "%.1f%c", value, units[unit]);
	else
		str_format(text, size, "%.0f%c", value, units[unit]);
}

void seconds_human(uint64_t seconds, char *text, size_t size)
{
	if (seconds < 60)
		str_format(text, size, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		str_format(text, size, "%" PRIu64 "m %" PRIu64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		str_format(text, size, "%" PRIu64 "h %" PRIu64 "m", seconds / 3600,
			   seconds / 60 % 60);
	else
		str_format(text, size, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400,
			   seconds / 3600 % 24);
}

bool name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 63 || name[0] == '-' || name[len - 1] == '-')
		return false;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return false;
	return strspn(name, "0123456789") != len;
}

void str_escape(const char *text, char *to, size_t size)
{
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c != 0x7f && c < 0x80;

		if (used + (plain ? 1 : 4) >= size)
			break;
		if (plain)
			to[used++] = (char)c;
		else
			used += (size_t)sprintf(to + used, "\\x%02x", c);
	}
	to[used] = 0;
}

/* "ESC [ 0;32 m": how long it is, or 0. */
static size_t colour_length(const char *text, size_t len)
{
	size_t at = 2;

	if (len < 3 || text[0] != 033 || text[1] != '[')
		return 0;
	while (at < len && (text[at] == ';' || (text[at] >= '0' && text[at] <= '9')))
		at++;
	return at < len && text[at] == 'm' ? at + 1 : 0;
}

size_t str_visible(const char *text, size_t len, char *to)
{
	size_t used = 0, more = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t colour = colour_length(text + i, len - i);
		bool inner = more && c >= 0x80 && c < 0xc0;

		/* U+0080 to U+009F are controls too, in UTF-8 and as single bytes */
		if (inner && (unsigned char)text[i - 1] == 0xc2 && c < 0xa0) {
			used--;
			inner = false;
		}
		more = inner ? more - 1 : c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		if (colour) {
			memcpy(to + used, text + i, colour);
			used += colour;
			i += colour - 1;
		} else if (c == '\t' || c == '\n' || c == '\r' || inner || c >= 0xc0 ||
			   (c >= 0x20 && c < 0x7f)) {
			to[used++] = (char)c;
		} else {
			to[used++] = '^';
			to[used++] = c < 0x80 ? (char)(c ^ 0x40) : '?';
		}
	}
	return used;
}

void time_print(int64_t seconds, char *text, size_t size)
{
	time_t when = seconds;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		str_format(text, size, "-");
}

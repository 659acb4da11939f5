/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "own.h"
#include "str.h"

static const struct {
	const char *name;
	uint8_t protocol;
} protocols[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "icmp", IPPROTO_ICMP },
};

static const char *protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	}
	return "";
}

/* "tcp" or "tcp/22": *@rest is what is behind, NULL when nothing is.  0: not of a protocol. */
static uint8_t protocol_take(char *word, char **rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		size_t len = strlen(protocols[i].name);

		if (strncmp(word, protocols[i].name, len) != 0 ||
		    (word[len] && (word[len] != '/' || protocols[i].protocol == IPPROTO_ICMP)))
			continue;
		*rest = word[len] ? word + len + 1 : NULL;
		return protocols[i].protocol;
	}
	return 0;
}

/* "80" or "8000-8010". */
static int range_parse(char *text, struct port_range *range, struct err *err)
{
	char *dash = strchr(text, '-');
	unsigned long first, last;

	if (dash)
		*dash = 0;
	if (number_parse(text, 1, UINT16_MAX, &first, err) < 0)
		return -1;
	last = first;
	if (dash && number_parse(dash + 1, 1, UINT16_MAX, &last, err) < 0)
		return -1;
	if (last < first)
		return fail_as(err, ERR_VALUE, "the range ends before it begins");
	range->first = (uint16_t)first;
	range->last = (uint16_t)last;
	return 0;
}

static int range_compare(const void *a, const void *b)
{
	const struct port_range *one = a, *two = b;

	if (one->protocol != two->protocol)
		return (int)one->protocol - two->protocol;
	return (int)one->first - two->first;
}

/* All ports, for nobody listens at 0; or what has none. */
static bool is_whole(const struct port_range *range)
{
	return range->first <= 1 && range->last == UINT16_MAX;
}

/* Sorted, and what meets or follows at once is one. */
static unsigned ranges_merge(struct port_range *list, unsigned count)
{
	unsigned kept = 0;

	qsort(list, count, sizeof(list[0]), range_compare);
	for (unsigned i = 0; i < count; i++) {
		struct port_range *last = kept ? &list[kept - 1] : NULL;

		if (last && last->protocol == list[i].protocol &&
		    list[i].first <= last->last + 1)
			last->last = list[i].last > last->last ? list[i].last : last->last;
		else
			list[kept++] = list[i];
	}
	return kept;
}

static int word_parse(char *word, uint8_t *protocol, struct port_range *range, struct err *err)
{
	char *rest = word;
	uint8_t named = protocol_take(word, &rest);

	*protocol = named ? named : *protocol;
	*range = (struct port_range){ *protocol, 0, UINT16_MAX };
	if (named && !rest)
		return 0;
	if (!named && (*word < '0' || *word > '9'))
		return fail_as(err, ERR_VALUE, "it has no protocol that is tcp, udp or icmp");
	if (!*protocol || *protocol == IPPROTO_ICMP)
		return fail_as(err, ERR_VALUE, "a port is of tcp or udp, like tcp/%.20s", word);
	return range_parse(rest, range, err);
}

static int list_parse(char *text, struct ports *ports, struct err *err)
{
	struct port_range list[2 * PORT_RANGES_MAX];
	uint8_t protocol = 0;
	unsigned count = 0;
	char *word;

	while ((word = strsep(&text, ", \t"))) {
		if (!*word)
			continue;
		if (count == ARRAY_SIZE(list))
			return fail_as(err, ERR_VALUE, "more than %d ports or ranges",
				       PORT_RANGES_MAX);
		if (word_parse(word, &protocol, &list[count++], err) < 0)
			return -1;
	}
	count = ranges_merge(list, count);
	for (unsigned i = 0; i < count; i++)
		list[i].first = is_whole(&list[i]) ? 0 : list[i].first;
	if (!count)
		return fail_as(err, ERR_VALUE, "it names no port; 'none' does");
	if (count > PORT_RANGES_MAX)
		return fail_as(err, ERR_VALUE, "more than %d ports or ranges", PORT_RANGES_MAX);
	ports->count = count;
	memcpy(ports->list, list, count * sizeof(list[0]));
	return 0;
}

int ports_parse(const char *text, struct ports *ports, struct err *err)
{
	struct ports parsed = { .some = strcmp(text, "all") != 0 };
	own_str copy = xstrdup(text);
	char cause[160];

	if (parsed.some && strcmp(text, "none") != 0 && list_parse(copy, &parsed, err) < 0) {
		str_format(cause, sizeof(cause), "%.159s", err->msg);
		return fail_as(err, ERR_VALUE, "'%.80s' is not tcp/22,80,udp/53,icmp or so: %s",
			       text, cause);
	}
	*ports = parsed;
	return 0;
}

void ports_print(const struct ports *ports, char *text, size_t size)
{
	size_t used = 0;
	uint8_t protocol = 0;

	str_format(text, size, "%s", !ports->some ? "all" : "none");
	for (unsigned i = 0; i < ports->count && used < size; i++) {
		const struct port_range *range = &ports->list[i];
		bool whole = is_whole(range);
		char port[16] = "", slash[8] = "";

		if (range->protocol != protocol)
			str_format(slash, sizeof(slash), "%s%s", protocol_name(range->protocol),
				   whole ? "" : "/");
		protocol = range->protocol;
		if (!whole)
			str_format(port, sizeof(port),
				   range->first == range->last ? "%u" : "%u-%u", range->first,
				   range->last);
		used += (size_t)snprintf(text + used, size - used, "%s%s%s", i ? "," : "",
					 slash, port);
	}
}

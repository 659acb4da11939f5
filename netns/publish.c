/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "own.h"
#include "str.h"

static const struct {
	const char *suffix;
	uint8_t protocol;
} protocols[] = {
	{ "", IPPROTO_TCP },
	{ "/tcp", IPPROTO_TCP },
	{ "/udp", IPPROTO_UDP },
};

static int protocol_parse(const char *suffix, uint8_t *protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!strcmp(protocols[i].suffix, suffix)) {
			*protocol = protocols[i].protocol;
			return 0;
		}
	}
	return -1;
}

static int port_parse(const char *text, uint16_t *port, struct err *err)
{
	unsigned long number;

	if (number_parse(text, 1, UINT16_MAX, &number, err) < 0)
		return -1;
	*port = (uint16_t)number;
	return 0;
}

/* "8000" or "8000-8010". */
static int range_parse(char *text, struct publish *publish, struct err *err)
{
	char *dash = strchr(text, '-');
	uint16_t last;

	if (dash)
		*dash = 0;
	if (port_parse(text, &publish->host, err) < 0)
		return -1;
	if (!dash)
		return 0;
	if (port_parse(dash + 1, &last, err) < 0)
		return -1;
	if (last < publish->host)
		return fail_as(err, ERR_VALUE, "the range ends before it begins");
	publish->more = (uint16_t)(last - publish->host);
	return 0;
}

/* "203.0.113.5" or "[2001:db8::5]": without the brackets nobody sees where it ends. */
static int at_parse(char *text, struct address *at, struct err *err)
{
	size_t len = strlen(text);
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text[len - 1] = 0;
		text++;
	}
	if (strchr(text, '/') || bracketed != (strchr(text, ':') != NULL))
		return fail_as(err, ERR_VALUE, "'%s' is not an address of the node", text);
	return address_parse(text, at, err);
}

/* The text without its protocol, which is taken apart. */
static int body_parse(char *body, struct publish *publish, struct err *err)
{
	char *guest = strrchr(body, ':'), *host;

	if (!guest)
		return fail_as(err, ERR_VALUE, "there is no port of the VPS");
	*guest = 0;
	host = strrchr(body, ':');
	if (host) {
		*host = 0;
		if (at_parse(body, &publish->at, err) < 0)
			return -1;
	}
	if (range_parse(host ? host + 1 : body, publish, err) < 0 ||
	    port_parse(guest + 1, &publish->guest, err) < 0)
		return -1;
	if (publish->more >= PUBLISH_PORTS_MAX)
		return fail_as(err, ERR_VALUE, "more than %d ports", PUBLISH_PORTS_MAX);
	if (publish->guest + publish->more > UINT16_MAX)
		return fail_as(err, ERR_VALUE, "it goes beyond port 65535 of the VPS");
	return 0;
}

int publish_parse(const char *text, struct publish *publish, struct err *err)
{
	const char *suffix = text + strcspn(text, "/");
	struct publish parsed = { 0 };
	char body[80];
	char cause[200];

	if (suffix - text >= (ptrdiff_t)sizeof(body) ||
	    protocol_parse(suffix, &parsed.protocol) < 0 || !strchr(text, ':'))
		return fail_as(err, ERR_VALUE,
			       "'%.80s' is not [IP:]HOST-PORT[-END]:PORT[/tcp|/udp]", text);
	str_format(body, sizeof(body), "%.*s", (int)(suffix - text), text);
	if (body_parse(body, &parsed, err) < 0) {
		str_format(cause, sizeof(cause), "%.199s", err->msg);
		return fail_as(err, ERR_VALUE, "'%.80s': %s", text, cause);
	}
	*publish = parsed;
	return 0;
}

/* The part in front of the VPS's port. */
static void host_print(const struct publish *publish, char *text, size_t size)
{
	char at[ADDRESS_TEXT] = "", last[8] = "";
	bool v6 = publish->at.family == AF_INET6;

	address_print(&publish->at, false, at, sizeof(at));

	if (publish->more)
		str_format(last, sizeof(last), "-%u", publish->host + publish->more);
	str_format(text, size, "%s%s%s%s%u%s", v6 ? "[" : "", at, v6 ? "]" : "", *at ? ":" : "",
		   publish->host, last);
}

void publish_print(const struct publish *publish, char *text, size_t size)
{
	char host[PUBLISH_TEXT];

	host_print(publish, host, sizeof(host));
	str_format(text, size, "%s:%u%s", host, publish->guest,
		   publish->protocol == IPPROTO_UDP ? "/udp" : "");
}

bool publish_is_named(const struct publish *publish, const char *text)
{
	char whole[PUBLISH_TEXT], host[PUBLISH_TEXT], named[PUBLISH_TEXT + 8];
	const char *suffix = publish->protocol == IPPROTO_UDP ? "/udp" : "";
	struct publish given;
	struct err ignored;

	if (publish_parse(text, &given, &ignored) == 0) {
		publish_print(&given, host, sizeof(host));
		publish_print(publish, whole, sizeof(whole));
		return strcmp(host, whole) == 0;
	}
	host_print(publish, host, sizeof(host));
	str_format(named, sizeof(named), "%s%s", host, suffix);
	return strcmp(text, named) == 0 ||
	       (!*suffix && strncmp(text, host, strlen(host)) == 0 &&
		strcmp(text + strlen(host), "/tcp") == 0);
}

bool publish_meets(const struct publish *a, const struct publish *b)
{
	return a->protocol == b->protocol && a->at.family == b->at.family &&
	       memcmp(a->at.bytes, b->at.bytes, sizeof(a->at.bytes)) == 0 &&
	       a->host <= b->host + b->more && b->host <= a->host + a->more;
}

unsigned publish_ports(const struct link *link)
{
	unsigned count = 0;

	for (unsigned i = 0; i < link->publish_count; i++)
		count += link->publish[i].more + 1u;
	return count;
}

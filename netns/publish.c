/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns.h"

#include <netinet/in.h>
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

/* The first @len bytes of @text as a port. */
static int port_parse(const char *text, size_t len, uint16_t *port, struct err *err)
{
	char digits[16];
	unsigned long number;

	if (len >= sizeof(digits))
		return fail_as(err, ERR_VALUE, "'%.*s' is not a number from 1 to 65535",
			       (int)len, text);
	memcpy(digits, text, len);
	digits[len] = '\0';

	if (number_parse(digits, 1, UINT16_MAX, &number, err) < 0)
		return -1;
	*port = (uint16_t)number;
	return 0;
}

int publish_parse(const char *text, struct publish *publish, struct err *err)
{
	const char *colon = strchr(text, ':');
	const char *suffix = text + strcspn(text, "/");
	struct publish parsed;

	if (strlen(text) > 64 || !colon || colon > suffix ||
	    protocol_parse(suffix, &parsed.protocol) < 0)
		return fail_as(err, ERR_VALUE, "'%.64s' is not HOST-PORT:PORT[/tcp|/udp]",
			       text);

	if (port_parse(text, (size_t)(colon - text), &parsed.host, err) < 0 ||
	    port_parse(colon + 1, (size_t)(suffix - colon - 1), &parsed.guest, err) < 0)
		return fail_in(err, "'%s'", text);

	*publish = parsed;
	return 0;
}

void publish_print(const struct publish *publish, char *text, size_t size)
{
	str_format(text, size, "%u:%u%s", publish->host, publish->guest,
		   publish->protocol == IPPROTO_UDP ? "/udp" : "");
}

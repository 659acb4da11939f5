/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include "../../node/lease.h"
#include "../../nodectl/command.h"
#include "../../nodectl/top.h"
#include "err.h"
#include "netns.h"
#include "node.h"
#include "own.h"
#include "report.h"
#include "runtime.h"
#include "str.h"
#include "vps.h"

/* What a person or a panel writes on the command line. */

static void sizes(const char *text)
{
	uint64_t value, again;
	char printed[32];
	struct err err;

	if (size_parse(text, &value, &err) == 0) {
		size_print(value, printed, sizeof(printed));
		if (size_parse(printed, &again, &err) < 0 || again != value)
			WRONG("size %s is printed as %s", text, printed);
	}
	if (rate_parse(text, &value, &err) == 0) {
		rate_print(value, printed, sizeof(printed));
		if (rate_parse(printed, &again, &err) < 0 || again != value)
			WRONG("rate %s is printed as %s", text, printed);
	}
}

static void numbers(const char *text)
{
	unsigned long number;
	unsigned value;
	struct err err;
	int signal;

	(void)cpus_parse(text, &value, &err);
	(void)seconds_parse(text, &value, &err);
	(void)number_parse(text, 1, 4096, &number, &err);
	(void)signal_parse(text, &signal, &err);
}

static void addresses(const char *text)
{
	struct address address, network, again;
	char printed[ADDRESS_TEXT];
	struct err err;

	if (address_parse(text, &address, &err) < 0)
		return;
	address_print(&address, true, printed, sizeof(printed));
	if (address_parse(printed, &again, &err) < 0 || !address_is_equal(&address, &again))
		WRONG("address %s is printed as %s", text, printed);
	address_network(&address, &network);
	if (!address_is_in(&address, &network) || !network_is_in(&network, &address))
		WRONG("%s is not in its own network", text);
	(void)address_nth(&network, 7, &again);
	(void)address_is_usable(&network, &address);
}

static void forwards(const char *text)
{
	struct publish publish, again;
	char printed[PUBLISH_TEXT], key[PUBLISH_TEXT];
	struct err err;

	if (publish_key_parse(text, &publish)) {
		publish_key(&publish, key, sizeof(key));
		if (!publish_key_parse(key, &again) || !publish_meets(&publish, &again))
			WRONG("the lease %s becomes %s", text, key);
	}
	if (publish_parse(text, &publish, &err) < 0)
		return;
	publish_print(&publish, printed, sizeof(printed));
	if (publish_parse(printed, &again, &err) < 0 || !publish_meets(&publish, &again) ||
	    !publish_is_named(&publish, printed))
		WRONG("forward %s is printed as %s", text, printed);
}

static void doors(const char *text)
{
	struct ports ports;
	struct err err;

	(void)ports_parse(text, &ports, &err);
}

static void periods(const char *text)
{
	struct period period;
	struct err err;

	if (period_parse(text, 1763769600, &period, &err) == 0 && period.from >= period.to)
		WRONG("period %s is empty", text);
}

static void fields(const char *text)
{
	const char *value = strchr(text, '=');
	struct err err;
	own_vps vps;
	char key[64];

	vps_init(&vps);
	if (!value || (size_t)(value - text) >= sizeof(key))
		return;
	memcpy(key, text, (size_t)(value - text));
	key[value - text] = 0;
	const struct field *field = field_find(key);

	if (field && field_set(&vps, field, value + 1, &err) == 0)
		free(field_text(&vps, field));
}

/* Words between line ends; nothing is run. */
static void command_line(const char *text)
{
	char *argv[34] = { (char *)"nodectl" };
	struct cli cli = { 0 };
	own_str words = xasprintf("%s", text);
	char *rest = words;
	struct err err;
	int argc = 1;

	while (rest && argc < 33)
		argv[argc++] = strsep(&rest, "\n");
	(void)cli_parse(&cli, argc, argv, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *text) = { sizes,    numbers,	    addresses,
							     forwards, doors,	    periods,
							     fields,   command_line };

	if (!size)
		return 0;
	own_str text = text_of(data + 1, size - 1);
	parsers[data[0] % (sizeof(parsers) / sizeof(parsers[0]))](text);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../nodectl/command.h"
#include "../runtime/record.h"
#include "err.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

/*
 * Many random texts for each parser, the same in each run.  What is asked: no
 * crash (make asan adds: no byte too far), a failure says of what kind it is
 * and why, and what is taken can be printed and is then taken as the same.
 */
#define ROUNDS 100000

static struct err err;
static uint64_t seed = 20261121;

static void begin(void)
{
	memset(&err, 0, sizeof(err));
	memset(err.msg, 'x', sizeof(err.msg));
}

/* Judge what a parser returned for @text. */
static bool taken(int result, const char *text)
{
	cr_assert(result == 0 || result == -1, "%d for '%s'", result, text);
	if (result == 0)
		return true;
	cr_assert_eq(err.kind, ERR_VALUE, "'%s'", text);
	cr_assert_lt(strnlen(err.msg, sizeof(err.msg)), sizeof(err.msg), "'%s'", text);
	cr_assert_neq(err.msg[0], 0, "'%s'", text);
	return false;
}

Test(fuzz, sizes_and_rates)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[24], printed[32];
		uint64_t value = 0, again = 1;

		random_text(&seed, "0123456789KMGTPiB", text, sizeof(text));
		begin();
		if (taken(rate_parse(text, &value, &err), text))
			cr_assert(text[0] >= '0' && text[0] <= '9');
		begin();
		if (!taken(size_parse(text, &value, &err), text))
			continue;
		size_print(value, printed, sizeof(printed));
		cr_assert_eq(size_parse(printed, &again, &err), 0);
		cr_assert_eq(value, again, "%s", text);
	}
}

Test(fuzz, cpus_and_seconds_and_numbers)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[16], printed[32];
		unsigned value = 0, again = 1;
		unsigned long number;

		random_text(&seed, "0123456789..smhd", text, sizeof(text));
		begin();
		if (taken(seconds_parse(text, &value, &err), text))
			cr_assert_leq(value, 365 * 86400);
		begin();
		if (taken(number_parse(text, 3, 70000, &number, &err), text))
			cr_assert(number >= 3 && number <= 70000);
		begin();
		if (!taken(cpus_parse(text, &value, &err), text))
			continue;
		cpus_print(value, printed, sizeof(printed));
		cr_assert_eq(cpus_parse(printed, &again, &err), 0);
		cr_assert_eq(value, again, "%s", text);
	}
}

Test(fuzz, addresses)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[50], printed[ADDRESS_TEXT];
		struct address address, again = { 0 };

		random_text(&seed, i % 2 ? "0123.../" : "0123af::::/", text, sizeof(text));
		begin();
		if (!taken(address_parse(text, &address, &err), text))
			continue;
		address_print(&address, true, printed, sizeof(printed));
		cr_assert_eq(address_parse(printed, &again, &err), 0, "%s", printed);
		cr_assert(address_is_equal(&address, &again), "%s", text);
	}
}

Test(fuzz, forwards_and_signals)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[24], printed[40];
		struct publish publish, again = { 0 };
		int signal;

		random_text(&seed, "0123456789::/udptcp", text, sizeof(text));
		begin();
		(void)taken(signal_parse(text, &signal, &err), text);
		begin();
		if (!taken(publish_parse(text, &publish, &err), text))
			continue;
		publish_print(&publish, printed, sizeof(printed));
		cr_assert_eq(publish_parse(printed, &again, &err), 0, "%s", printed);
		cr_assert_eq(publish.host, again.host);
		cr_assert_eq(publish.guest, again.guest);
		cr_assert_eq(publish.protocol, again.protocol);
	}
}

Test(fuzz, names)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[80], shown[100];

		random_text(&seed, "abc019-", text, sizeof(text));
		if (name_is_valid(text))
			cr_assert(strlen(text) < 64 && !strpbrk(text, "/. \n\033"));
		(void)image_name_is_valid(text);
		str_escape(text, shown, 1 + random_next(&seed) % sizeof(shown));
		cr_assert_lt(strlen(shown), sizeof(shown));
	}
}

/* Lines of keys, values and dirt. */
static void random_lines(char *text, size_t size)
{
	static const char *const values[] = { "auto",
					      "none",
					      "1",
					      "0",
					      "1G",
					      "10.0.0.1/8",
					      "fd00::1",
					      "22:22",
					      "no",
					      "yes",
					      "/sbin/init",
					      "SIGRTMIN+3",
					      "2026-01-01T00:00:00Z",
					      "small" };
	static const char *const keys[] = { "subnet", "subnet6", "storage",  "run",
					    "bridge", "ids",	 "ssh-port", "reserve-memory" };
	unsigned lines = random_next(&seed) % 6;
	size_t used = 0;

	text[0] = 0;
	for (unsigned i = 0; i < lines; i++) {
		uint64_t draw = random_next(&seed) >> 8;
		const char *key = draw % 4 ? vps_fields[draw / 4 % vps_fields_count].key
					   : keys[draw / 4 % ARRAY_SIZE(keys)];
		char dirt[20];

		random_text(&seed, "0123456789abc=# \t.:/-", dirt, sizeof(dirt));
		used += (size_t)snprintf(
		    text + used, size - used, "%s%s%s%s", key, draw >> 20 & 7 ? " = " : dirt,
		    draw >> 24 & 1 ? dirt : values[(draw >> 25) % ARRAY_SIZE(values)],
		    draw >> 40 & 7 ? "\n" : dirt);
		cr_assert_lt(used, size);
	}
}

Test(fuzz, definitions, .timeout = 120)
{
	for (int i = 0; i < ROUNDS; i++) {
		static const char head[] = "name = a\nid = 1\ndigest = d\n";
		char text[700];
		own_vps vps = { 0 }, again = { 0 };

		strcpy(text, random_next(&seed) >> 9 & 1 ? head : "");
		random_lines(text + strlen(text), sizeof(text) - strlen(text));
		begin();
		if (!taken(vps_parse(&vps, text, &err), text))
			continue;
		own_str printed = vps_print(&vps);
		cr_assert_eq(vps_parse(&again, printed, &err), 0, "%s: %s", err.msg, printed);
		own_str twice = vps_print(&again);
		cr_assert_str_eq(printed, twice);
	}
}

Test(fuzz, plans_and_nodes, .timeout = 120)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[600];
		own_vps vps;
		struct node node;

		random_lines(text, sizeof(text));
		vps_init(&vps);
		begin();
		(void)taken(plan_parse(&vps, text, &err), text);
		begin();
		if (taken(node_parse(&node, text, &err), text))
			cr_assert(node.range.first >= 1 && node.range.last <= VPS_ID_MAX);
	}
}

Test(fuzz, fields_one_by_one, .timeout = 120)
{
	for (int i = 0; i < ROUNDS; i++) {
		const struct field *field =
		    &vps_fields[(random_next(&seed) >> 8) % vps_fields_count];
		char text[150];
		own_vps vps;

		random_text(&seed, "0123456789abcGMT.:/-+Z", text, sizeof(text));
		vps_init(&vps);
		begin();
		(void)taken(field_set(&vps, field, text, &err), text);
	}
}

Test(fuzz, lines_of_proc_and_of_the_run_record, .init = scratch_make, .fini = scratch_remove)
{
	for (int i = 0; i < ROUNDS; i++) {
		char text[200], state = 0;
		uint64_t start = 0;

		random_text(&seed, "0123456789 ()-SRZ", text, sizeof(text));
		if (stat_parse(text, &state, &start))
			cr_assert_not_null(strchr(text, ')'));
		if (i % 100 == 0) {
			struct record record;

			random_text(&seed, "id = 1\nbotmrsaend-", text, sizeof(text));
			scratch_put(scratch, "run", text);
			cr_assert_eq(record_read(scratch, &record), -1);
		}
	}
}

Test(fuzz, command_lines, .timeout = 120)
{
	static const char *const words[] = { "--json", "-j",	"--",	"-",	    "--config",
					     "web1",   "--all", "-fat", "--memory", "-t",
					     "5",      "=",	"-o",	"--ip=x",   "rm",
					     "-+",     "-:",	"--=",	"--i",	    "\033[2J" };

	for (int i = 0; i < ROUNDS; i++) {
		char *argv[12] = { (char[]){ "nodectl" } }, dirt[4][12];
		int argc = 1, count = (int)(random_next(&seed) >> 8) & 7;
		struct cli cli = { 0 };

		for (int n = 0; n < count; n++) {
			uint64_t draw = random_next(&seed) >> 8;

			if (n < 4 && draw % 4 == 0) {
				random_text(&seed, "-jtfaw=:", dirt[n], sizeof(dirt[n]));
				argv[argc++] = dirt[n];
			} else if (draw % 4 == 1) {
				argv[argc++] = (char *)commands[draw / 4 % commands_count].name;
			} else {
				argv[argc++] = (char *)words[draw / 4 % ARRAY_SIZE(words)];
			}
		}
		begin();
		if (cli_parse(&cli, argc, argv, &err) < 0) {
			cr_assert_eq(err.kind, ERR_USAGE);
			cr_assert(err.msg[0] && strnlen(err.msg, sizeof(err.msg)) < 504);
		} else {
			cr_assert_not_null(cli.command);
			cr_assert(cli.args_count >= 0 && cli.args_count < argc);
		}
		cli_free(&cli);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "command.h"
#include "err.h"
#include "node.h"
#include "own.h"
#include "screen.h"
#include "str.h"
#include "top.h"

enum { DELAY = 2 };

/* One look as lines of text or as one line of JSON; -1: nobody reads any more. */
static int look_print(const struct cli *cli, const struct top *top)
{
	char text[512];

	if (cli->json) {
		json_t *all = top_json(top);
		int result = json_dumpf(all, stdout, JSON_COMPACT);

		json_decref(all);
		putchar('\n');
		return result < 0 || fflush(stdout) == EOF ? -1 : 0;
	}
	top_summary(top, text, sizeof(text));
	puts(text);
	top_heading(text, sizeof(text));
	puts(text);
	for (size_t i = 0; i < top->count; i++) {
		top_line(&top->rows[i], text, sizeof(text));
		puts(text);
	}
	return fflush(stdout) == EOF ? -1 : 0;
}

/* Rates need two looks: each is shown a delay after the one before. */
static int batch(const struct cli *cli, struct top *top, const struct looking *looking,
		 unsigned long rounds, struct err *err)
{
	for (unsigned long round = 0; !rounds || round < rounds; round++) {
		(void)sleep(looking->delay);
		if (top_look(top, err) < 0)
			return -1;
		top_sort(top, looking->sort, looking->reverse);
		if (round && !cli->json)
			putchar('\n');
		if (look_print(cli, top) < 0)
			return 0;
	}
	return 0;
}

static int sort_read(const struct cli *cli, struct looking *looking, struct err *err)
{
	const char *sort = cli_option(cli, "sort");

	looking->sort = top_column_find("cpu");
	if (!sort)
		return 0;
	looking->reverse = *sort == '-';
	looking->sort = top_column_find(sort + looking->reverse);
	if (looking->sort)
		return 0;
	return fail_as(err, ERR_VALUE, "there is no column '%s' in top", sort);
}

int cmd_top(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_reader reader = cgroup_reader_none();
	own_top top = { .node = &node, .reader = &reader };
	struct looking looking = { 0 };
	const char *count = cli_option(cli, "count");
	bool plain = cli->json || cli_option(cli, "batch") || !isatty(STDOUT_FILENO) ||
		     !isatty(STDIN_FILENO);
	/* what goes into a file or a pipe has an end, unless it is asked for */
	unsigned long rounds = cli_option(cli, "batch") ? 0 : 1;
	struct err none;

	if (cli_expect(cli, 0, 0, err) < 0 || sort_read(cli, &looking, err) < 0 ||
	    cli_seconds(cli, "delay", DELAY, &looking.delay, err) < 0)
		return -1;
	if (!looking.delay)
		return fail_as(err, ERR_VALUE, "--delay: at least one second");
	if (count && number_parse(count, 1, ULONG_MAX, &rounds, err) < 0)
		return fail_in(err, "--count");
	if (node_open(&node, cli->config, err) < 0)
		return -1;
	/* without a group on the whole node no VPS runs */
	(void)cgroup_reader_open(&reader, &none);
	if (top_look(&top, err) < 0)
		return -1;
	return plain || count ? batch(cli, &top, &looking, rounds, err)
			      : screen_run(&top, &looking, err);
}

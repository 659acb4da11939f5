/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "top.h"

#define SECONDS 2.0

static int delay_parse(const struct cli *cli, double *seconds, struct err *err)
{
	const char *text = cli_option(cli, "delay");
	unsigned whole;
	char *end;

	*seconds = SECONDS;
	if (!text)
		return 0;
	*seconds = strtod(text, &end);
	if (end == text || *end) {
		if (seconds_parse(text, &whole, err) < 0)
			return fail_in(err, "--delay");
		*seconds = whole;
	}
	if (!(*seconds >= 0.1 && *seconds <= 3600))
		return fail_as(err, ERR_VALUE,
			       "--delay: '%s' is not between 0.1 and 3600 seconds", text);
	return 0;
}

static void wait_for(double seconds)
{
	const struct timespec time = { (time_t)seconds,
				       (long)((seconds - (double)(time_t)seconds) * 1e9) };

	(void)nanosleep(&time, NULL);
}

static int round_json(const struct top *top, struct err *err)
{
	json_t *list = json_array();
	char now[32];

	for (size_t i = 0; i < top->shown_count; i++)
		json_array_append_new(list, top_json(top->shown[i]));
	time_print(time(NULL), now, sizeof(now));
	return json_print(
	    json_pack("{s:s,s:f,s:o}", "time", now, "interval", top->interval, "vps", list),
	    err);
}

static void round_print(const struct top *top, bool header)
{
	char text[512];

	if (header) {
		top_summary(top, text, sizeof(text));
		printf("%s\n", text);
		top_header_print(top, top->name_width, false, text, sizeof(text));
		printf("%s\n", text);
	}
	for (size_t i = 0; i < top->shown_count; i++) {
		top_line_print(top->shown[i], top->name_width, text, sizeof(text));
		printf("%s\n", text);
	}
}

/* Rounds one after the other; @count 0: without end. */
static int batch(struct top *top, const struct cli *cli, double seconds, unsigned long count,
		 struct err *err)
{
	bool header = !cli_option(cli, "no-header");

	if (top_look(top, err) < 0)
		return -1;
	/* a speed is that of some time: the first round gets a second at most */
	wait_for(seconds < 1 ? seconds : 1);
	for (unsigned long i = 0; !count || i < count; i++) {
		if (i)
			wait_for(seconds);
		if (top_look(top, err) < 0)
			return -1;
		if (i && !cli->json && header)
			putchar('\n');
		if (cli->json && round_json(top, err) < 0)
			return -1;
		if (!cli->json)
			round_print(top, header);
		if (fflush(stdout) == EOF)
			return fail(err, errno, "cannot print");
	}
	return 0;
}

/* Ids become names; one that there is not is told at once. */
static int names_take(struct top *top, const struct cli *cli, struct err *err)
{
	top->names = xcalloc((size_t)cli->args_count + 1, sizeof(*top->names));
	for (int i = 0; i < cli->args_count; i++) {
		own_vps vps = { 0 };

		if (vps_load(top->node, cli->args[i], &vps, err) < 0)
			return -1;
		top->names[top->names_count++] = xstrdup(vps.name);
	}
	return 0;
}

static int top_run(struct top *top, struct cli *cli, struct err *err)
{
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	const char *count_text = cli_option(cli, "count");
	bool plain = cli->json || cli_option(cli, "batch") || count_text;
	unsigned long count = 0;
	int result = 1, signal = 0;
	double seconds;

	if (delay_parse(cli, &seconds, err) < 0)
		return -1;
	if (count_text && number_parse(count_text, 1, 1000000000, &count, err) < 0)
		return fail_in(err, "--count");
	if (terminal && !plain)
		result = top_screen(top, seconds, &signal, err);
	if (result <= 0)
		return signal ? EXIT_AS(128 + signal) : result;
	/* once, unless it is said how often: what goes into a file or a pipe has an end */
	if (!cli_option(cli, "batch") && !count_text)
		count = 1;
	return batch(top, cli, seconds, count, err);
}

static void columns_list(void)
{
	printf("NAME\nSTATE\n");
	for (size_t i = 0; i < top_columns_count; i++)
		printf("%s\n", top_columns[i].name);
}

int cmd_top(struct cli *cli, struct err *err)
{
	const char *sort = cli_option(cli, "sort");
	own_node node = node_none();
	own_top top = { .node = &node };

	if (cli_option(cli, "list-columns")) {
		columns_list();
		return 0;
	}
	if (cli_option(cli, "all") && cli_expect(cli, 0, 0, err) < 0)
		return -1;
	if ((sort && top_sort_parse(sort, &top.choice, err) < 0) ||
	    node_open(&node, cli->config, err) < 0 || names_take(&top, cli, err) < 0)
		return -1;
	return top_run(&top, cli, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chain.h"
#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "report_print.h"
#include "str.h"

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_HTML, FORMAT_MAIL };

static const char *const formats[] = {
	[FORMAT_TABLE] = "table", [FORMAT_CSV] = "csv",	       [FORMAT_JSON] = "json",
	[FORMAT_HTML] = "html",	  [FORMAT_MAIL] = "text-mail",
};

static int format_of(const struct cli *cli, enum format *format, struct err *err)
{
	const char *text = cli_option(cli, "format");

	*format = cli->json ? FORMAT_JSON : FORMAT_TABLE;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(formats[i], text) != 0)
			continue;
		*format = (enum format)i;
		return 0;
	}
	return fail_as(err, ERR_VALUE,
		       "'%s' is not a format (table, csv, json, html or text-mail)", text);
}

static int print(const struct cli *cli, enum format format, const struct report *report,
		 struct err *err)
{
	switch (format) {
	case FORMAT_TABLE:
		if (report_table(report, !cli_option(cli, "no-header"), err) < 0)
			return -1;
		break;
	case FORMAT_CSV:
		report_csv(report, stdout);
		break;
	case FORMAT_JSON:
		return report_json(report, err);
	case FORMAT_HTML:
		report_html(report, stdout);
		break;
	case FORMAT_MAIL:
		report_mail(report, stdout);
		break;
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(err, errno, "cannot print");
	return 0;
}

/* One file of what is kept, as the format's function prints it. */
static int save_as(int dir, const char *name, const struct report *report,
		   void (*format)(const struct report *report, FILE *out), struct err *err)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	format(report, out);
	fclose(out);
	own_str owned = text;
	return file_replace(dir, name, owned, size, 0600, err);
}

/* Into reports/2026-11/; what is there is replaced, so that it may be done again. */
static int save(const struct node *node, const struct report *report, struct err *err)
{
	own_fd reports = dir_make(node->dir, "reports", 0700, err);
	own_fd dir = reports < 0 ? -1 : dir_make(reports, report->period.name, 0700, err);

	if (dir < 0 || save_as(dir, "usage.csv", report, report_csv, err) < 0)
		return -1;
	return save_as(dir, "usage.html", report, report_html, err);
}

/* Like diff(1): status 1 for one that is not as it should be. */
static int verify(const struct cli *cli, const struct node *node, struct err *err)
{
	struct chain_state state;

	if (chain_verify(node->storage, &state, err) < 0)
		return fail_in(err, "report");
	if (cli->json) {
		if (json_print(json_pack("{s:b,s:I,s:s,s:I,s:s}", "intact", !state.wrong,
					 "lines", (json_int_t)state.lines, "head", state.head,
					 "wrong", (json_int_t)state.wrong, "fault",
					 state.fault),
			       err) < 0)
			return -1;
	} else if (state.wrong) {
		printf("ledger.jsonl: line %llu: %s\n", (unsigned long long)state.wrong,
		       state.fault);
	} else if (!state.lines) {
		cli_say(cli, "ledger.jsonl: no day is over yet");
	} else {
		cli_say(cli,
			"ledger.jsonl: %llu lines, %s to %s, as they were written; head %s",
			(unsigned long long)state.lines, state.first, state.last, state.head);
	}
	return state.wrong ? EXIT_AS(CHECK_FAILED) : 0;
}

int cmd_report(struct cli *cli, struct err *err)
{
	const char *when = cli_option(cli, "period");
	own_report report = { .vps = NULL };
	own_node node = node_none();
	struct period period;
	enum format format;

	if (cli_option(cli, "verify"))
		return cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0
			   ? -1
			   : verify(cli, &node, err);
	if ((cli_option(cli, "all") && cli_expect(cli, 0, 0, err) < 0) ||
	    format_of(cli, &format, err) < 0 ||
	    period_parse(when ? when : "month", time(NULL), &period, err) < 0 ||
	    node_open(&node, cli->config, err) < 0 ||
	    report_make(&node, &period, cli->args, (size_t)cli->args_count,
			format == FORMAT_HTML || cli_option(cli, "save"), &report, err) < 0)
		return -1;
	if (cli_option(cli, "save")) {
		if (save(&node, &report, err) < 0)
			return fail_in(err, "report");
		return cli->json ? report_json(&report, err) : 0;
	}
	return print(cli, format, &report, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "selftest.h"
#include "str.h"
#include "table.h"

/* What is told of one run. */
struct telling {
	const struct cli *cli;
	struct libscols_table *table;
	json_t *json;
	unsigned counts[VERDICT_UNSUPPORTED + 1];
	unsigned long long started;
	bool tty, shown;
};

/* A number of that unit for people. */
static void figure_print(double number, const char *unit, char *text, size_t size)
{
	if (isnan(number))
		snprintf(text, size, "-");
	else if (strcmp(unit, "bytes") == 0 || strcmp(unit, "bytes/s") == 0)
		size_human((uint64_t)number, text, size);
	else if (strcmp(unit, "bits/s") == 0)
		snprintf(text, size, "%.1fM", number / 1e6);
	else if (strcmp(unit, "cores") == 0 || strcmp(unit, "ratio") == 0)
		snprintf(text, size, "%.3f", number);
	else if (strcmp(unit, "times") == 0)
		snprintf(text, size, "%.1f", number);
	else
		snprintf(text, size, "%.0f", number);
}

static json_t *measure_json(double number)
{
	return isnan(number) ? json_null() : json_real(number);
}

static void row_add(const struct telling *telling, const struct proof *proof)
{
	struct libscols_line *line = or_exit(scols_table_new_line(telling->table, NULL));
	char promised[32], measured[32];

	figure_print(proof->promised, proof->unit, promised, sizeof(promised));
	figure_print(proof->measured, proof->unit, measured, sizeof(measured));
	cell_put(line, 0, proof->name);
	cell_put(line, 1, verdict_name(proof->verdict));
	cell_put(line, 2, promised);
	cell_put(line, 3, measured);
	cell_put(line, 4, proof->unit);
	cell_put(line, 5, proof->reason);
}

static void proof_tell(const struct proof *proof, void *arg)
{
	struct telling *telling = arg;

	telling->counts[proof->verdict]++;
	row_add(telling, proof);
	json_array_append_new(telling->json,
			      json_pack("{s:s,s:s,s:o,s:o,s:s,s:s}", "name", proof->name,
					"result", verdict_name(proof->verdict), "promised",
					measure_json(proof->promised), "measured",
					measure_json(proof->measured), "unit", proof->unit,
					"reason", proof->reason));
}

static void progress_clear(struct telling *telling)
{
	if (telling->shown)
		fputs("\r\033[K", stderr);
	telling->shown = false;
	fflush(stderr);
}

static void progress_tell(const char *what, unsigned done, unsigned total, void *arg)
{
	struct telling *telling = arg;

	if (!telling->tty)
		return;
	progress_clear(telling);
	fprintf(stderr, "selftest: %u of %u, %s (%llu s)", done, total, what,
		(now_ms() - telling->started) / 1000);
	fflush(stderr);
	telling->shown = true;
}

static void hold_tell(const char *const *names, size_t count, void *arg)
{
	progress_clear(arg);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "%s%s", i ? ", " : "", names[i]);
	fputs(": ready to be measured; a line on standard input goes on\n", stderr);
	fflush(stderr);
}

static struct libscols_table *table_make(const struct cli *cli)
{
	static const struct {
		const char *name;
		int flags;
	} heads[] = {
		{ "TEST", 0 },
		{ "RESULT", 0 },
		{ "PROMISED", SCOLS_FL_RIGHT },
		{ "MEASURED", SCOLS_FL_RIGHT },
		{ "UNIT", 0 },
		{ "REASON", 0 },
	};
	struct libscols_table *table = or_exit(scols_new_table());

	scols_table_enable_noheadings(table, cli_option(cli, "no-header") != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		scols_table_new_column(table, heads[i].name, 0, heads[i].flags);
	return table;
}

static int telling_print(const struct telling *telling, struct err *err)
{
	const char *plan = cli_option(telling->cli, "plan");
	unsigned passed = telling->counts[VERDICT_PASS], failed = telling->counts[VERDICT_FAIL];
	unsigned unsupported = telling->counts[VERDICT_UNSUPPORTED];
	double seconds = (double)(now_ms() - telling->started) / 1000;

	if (telling->cli->json)
		return json_print(json_pack("{s:O,s:s?,s:i,s:i,s:i,s:f}", "tests",
					    telling->json, "plan", plan, "passed", (int)passed,
					    "failed", (int)failed, "unsupported",
					    (int)unsupported, "seconds", seconds),
				  err);
	if (telling->cli->quiet && !failed)
		return 0;
	scols_print_table(telling->table);
	printf("\n%u passed, %u failed, %u unsupported, in %.0f seconds\n", passed, failed,
	       unsupported, seconds);
	return 0;
}

int cmd_selftest(struct cli *cli, struct err *err)
{
	struct telling telling = { .cli = cli, .started = now_ms() };
	struct selftest selftest = {
		.plan = cli_option(cli, "plan"),
		.hold = cli_option(cli, "hold") ? hold_tell : NULL,
		.progress = progress_tell,
		.proof = proof_tell,
		.arg = &telling,
	};
	own_node node = node_none();
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	telling.tty = !cli->quiet && !cli->json && isatty(STDERR_FILENO);
	telling.json = json_array();
	telling.table = table_make(cli);
	result = node_selftest(&node, &selftest, err);
	progress_clear(&telling);
	if (result == 0)
		result = telling_print(&telling, err);
	json_decref(telling.json);
	scols_unref_table(telling.table);
	if (result < 0)
		return -1;
	return telling.counts[VERDICT_FAIL] ? EXIT_AS(CHECK_FAILED) : 0;
}

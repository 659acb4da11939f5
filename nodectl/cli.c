/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define OPTIONS_MAX 96

static bool is_called(const char *names, const char *noun, const char *verb)
{
	char both[64];

	if (!names)
		return false;
	if (!strchr(names, ' '))
		return strcmp(names, noun) == 0;
	snprintf(both, sizeof(both), "%s %s", noun, verb ? verb : "");
	return strcmp(names, both) == 0;
}

const struct command *command_find(const char *noun, const char *verb)
{
	for (size_t i = 0; i < commands_count; i++) {
		if (is_called(commands[i].name, noun, verb) ||
		    is_called(commands[i].alias, noun, verb))
			return &commands[i];
	}
	/* "delete" is what most of the others call it */
	return strcmp(noun, "delete") == 0 ? command_find("destroy", NULL) : NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	for (size_t i = cli->options_count; i-- > 0;) {
		if (strcmp(cli->options[i].name, name) == 0)
			return cli->options[i].value;
	}
	return NULL;
}

int cli_seconds(const struct cli *cli, const char *name, unsigned standard, unsigned *seconds,
		struct err *err)
{
	const char *text = cli_option(cli, name);

	*seconds = standard;
	if (text && seconds_parse(text, seconds, err) < 0)
		return fail_in(err, "--%s", name);
	return 0;
}

int cli_expect(const struct cli *cli, int min, int max, struct err *err)
{
	if (cli->args_count >= min && (max < 0 || cli->args_count <= max))
		return 0;
	return fail_as(err, ERR_USAGE, "usage: nodectl %s %s (see 'nodectl help %s')",
		       cli->command->name, cli->command->args, cli->command->name);
}

enum admission cli_admission(const struct cli *cli)
{
	return cli_option(cli, "force") ? ADMIT_FORCED : ADMIT_CHECKED;
}

/* Is it an option of the command? */
static bool takes_field(const struct command *command, const struct field *field)
{
	return (command->flags & COMMAND_FIELDS && field->flags & FIELD_OPTION) ||
	       (command->flags & COMMAND_LIMITS && field->flags & FIELD_PLAN);
}

/* What getopt_long wants, from the tables that help and completion are made of. */
struct getopt_rows {
	struct option rows[OPTIONS_MAX + 1];
	char letters[OPTIONS_MAX * 2 + 3];
	size_t count, used;
};

static void row_add(struct getopt_rows *rows, const char *name, char letter, bool argument)
{
	rows->rows[rows->count++] = (struct option){
		.name = name,
		.has_arg = argument ? required_argument : no_argument,
		.val = letter ? letter : 0x100,
	};
	if (letter) {
		rows->letters[rows->used++] = letter;
		if (argument)
			rows->letters[rows->used++] = ':';
	}
}

static void rows_make(struct getopt_rows *rows, const struct command *command)
{
	*rows = (struct getopt_rows){ 0 };
	if (command->flags & COMMAND_REST)
		rows->letters[rows->used++] = '+';
	/* ':' makes getopt tell a missing value from an unknown option */
	rows->letters[rows->used++] = ':';
	for (const struct option_row *row = common_options; row->name; row++)
		row_add(rows, row->name, row->letter, row->argument);
	for (const struct option_row *row = command->options; row && row->name; row++)
		row_add(rows, row->name, row->letter, row->argument);
	for (size_t i = 0; i < vps_fields_count; i++) {
		if (takes_field(command, &vps_fields[i]))
			row_add(rows, vps_fields[i].key, 0, true);
	}
}

static const char *row_of(const struct getopt_rows *rows, int letter, int index)
{
	if (index >= 0)
		return rows->rows[index].name;
	for (size_t i = 0; i < rows->count; i++) {
		if (rows->rows[i].val == letter)
			return rows->rows[i].name;
	}
	return "";
}

static void option_take(struct cli *cli, const char *name, const char *value)
{
	cli->json = cli->json || strcmp(name, "json") == 0;
	cli->quiet = cli->quiet || strcmp(name, "quiet") == 0;
	cli->yes = cli->yes || strcmp(name, "yes") == 0;
	cli->idempotent = cli->idempotent || strcmp(name, "idempotent") == 0;
	if (strcmp(name, "config") == 0)
		cli->config = value;
	cli->options = xrealloc(cli->options, (cli->options_count + 1) * sizeof(*cli->options));
	cli->options[cli->options_count].name = name;
	cli->options[cli->options_count++].value = value ? value : "";
}

/* Distance of two words in insertions, removals and exchanges; for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[40];
	size_t len = strlen(b);

	if (len >= ARRAY_SIZE(row))
		return 99;
	for (size_t j = 0; j <= len; j++)
		row[j] = (unsigned)j;
	for (; *a; a++) {
		unsigned before = row[0]++;

		for (size_t j = 1; j <= len; j++) {
			unsigned change = before + (*a != b[j - 1]);

			before = row[j];
			if (row[j] + 1 < change)
				change = row[j] + 1;
			if (row[j - 1] + 1 < change)
				change = row[j - 1] + 1;
			row[j] = change;
		}
	}
	return row[len];
}

static int fail_option(const struct getopt_rows *rows, char *argv[], int result,
		       struct err *err)
{
	const char *given = argv[optind - 1], *nearest = NULL;
	char word[64];
	unsigned best = 4;

	if (result == ':')
		return fail_as(err, ERR_USAGE, "option '%s' needs a value", given);
	/* optopt: of a long option that is known, or a letter that is not */
	for (size_t i = 0; i < rows->count; i++) {
		if (optopt && rows->rows[i].val == optopt)
			return fail_as(err, ERR_USAGE, "option '%.*s' takes no value",
				       (int)strcspn(given, "="), given);
	}
	if (optopt)
		return fail_as(err, ERR_USAGE, "unknown option '-%c'", optopt);

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(given, "="), given);
	for (size_t i = 0; i < rows->count; i++) {
		unsigned far = distance(word + 2, rows->rows[i].name);

		if (far < best) {
			best = far;
			nearest = rows->rows[i].name;
		}
	}
	if (nearest)
		return fail_as(err, ERR_USAGE, "unknown option '%s'; did you mean '--%s'?",
			       word, nearest);
	return fail_as(err, ERR_USAGE, "unknown option '%s'", word);
}

/* The verb may be misspelt: name the nearest ones. */
static int fail_verb(const char *noun, const char *verb, struct err *err)
{
	char given[80], near[160] = "";
	size_t used = 0;

	snprintf(given, sizeof(given), "%s%s%s", noun, verb ? " " : "", verb ? verb : "");
	for (size_t i = 0; i < commands_count; i++) {
		size_t len = strlen(noun);
		bool inside =
		    strncmp(commands[i].name, noun, len) == 0 && commands[i].name[len] == ' ';
		bool close = distance(noun, commands[i].name) <= 2 ||
			     (verb && distance(given, commands[i].name) <= 2);

		if (commands[i].flags & COMMAND_HIDDEN || used > 120 || (!inside && !close))
			continue;
		used += (size_t)snprintf(near + used, sizeof(near) - used, "%s'%s'",
					 used ? ", " : "", commands[i].name);
	}
	if (used)
		return fail_as(err, ERR_USAGE, "unknown command '%s'; there is %s", noun, near);
	return fail_as(err, ERR_USAGE, "unknown command '%s'; see 'nodectl help'", noun);
}

/* Options before the verb are the common ones. */
static int leading_parse(struct cli *cli, int argc, char *argv[], struct err *err)
{
	const struct command none = { .flags = COMMAND_REST };
	struct getopt_rows rows;
	int result, index = -1;

	rows_make(&rows, &none);
	opterr = 0;
	optind = 0;
	while ((result = getopt_long(argc, argv, rows.letters, rows.rows, &index)) != -1) {
		if (result == '?' || result == ':')
			return fail_option(&rows, argv, result, err);
		option_take(cli, row_of(&rows, result, index), optarg);
		index = -1;
	}
	return optind;
}

/* Is the word that getopt_long took for @name just that?  It takes the beginning of a name as
 * well, and "--id" must not become --idempotent, today or when there are more options. */
static bool is_spelt_out(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, "--", 2) == 0 && strncmp(word + 2, name, len) == 0 &&
	       (word[2 + len] == 0 || word[2 + len] == '=');
}

/* Up to the first word that is no option, or to the last of them; argv[0] is not looked at. */
static int options_parse(struct cli *cli, const struct getopt_rows *rows, int argc,
			 char *argv[], struct err *err)
{
	int result, index = -1;
	const char *word;

	optind = 0;
	opterr = 0;
	while ((result = getopt_long(argc, argv, rows->letters, rows->rows, &index)) != -1) {
		if (result == '?' || result == ':')
			return fail_option(rows, argv, result, err);
		word = argv[optind - 1];
		if (optarg && optarg == word)
			word = argv[optind - 2];
		if (index >= 0 && !is_spelt_out(word, rows->rows[index].name))
			return fail_as(err, ERR_USAGE,
				       "unknown option '%s'; did you mean '--%s'?", word,
				       rows->rows[index].name);
		option_take(cli, row_of(rows, result, index), optarg);
		index = -1;
	}
	return 0;
}

int cli_parse(struct cli *cli, int argc, char *argv[], struct err *err)
{
	struct getopt_rows rows;
	int at = leading_parse(cli, argc, argv, err);

	if (at < 0)
		return -1;
	if (at >= argc)
		return fail_as(err, ERR_USAGE, "a command is missing; see 'nodectl help'");
	cli->command = command_find(argv[at], at + 1 < argc ? argv[at + 1] : NULL);
	if (!cli->command)
		return fail_verb(argv[at], at + 1 < argc ? argv[at + 1] : NULL, err);
	if (strchr(cli->command->name, ' '))
		at++;

	/* the verb stands where getopt expects the program's name */
	argc -= at;
	argv += at;
	rows_make(&rows, cli->command);
	if (options_parse(cli, &rows, argc, argv, err) < 0)
		return -1;
	if (cli->command->flags & COMMAND_LATE && optind < argc) {
		char *target = argv[optind];

		argc -= optind;
		argv += optind;
		if (options_parse(cli, &rows, argc, argv, err) < 0)
			return -1;
		/* in the place of the last option, or of "--" */
		argv[--optind] = target;
	}
	cli->args = argv + optind;
	cli->args_count = argc - optind;
	return 0;
}

void cli_free(struct cli *cli)
{
	free(cli->options);
}

static void option_print(const char *name, char letter, const char *argument, const char *what,
			 FILE *out)
{
	char left[60];

	snprintf(left, sizeof(left), "%c%c%s--%s%s%s", letter ? '-' : ' ',
		 letter ? letter : ' ', letter ? ", " : "  ", name, argument ? " " : "",
		 argument ? argument : "");
	fprintf(out, "  %-34s %s\n", left, what);
}

void usage_print(const struct command *command, FILE *out)
{
	if (command->flags & COMMAND_REST)
		fprintf(out, "usage: nodectl %s [option...] %s\n", command->name,
			command->args);
	else
		fprintf(out, "usage: nodectl %s%s%s [option...]\n", command->name,
			*command->args ? " " : "", command->args);
	fprintf(out, "\n%c%s.\n", toupper((unsigned char)*command->what), command->what + 1);
	if (command->alias)
		fprintf(out, "Also called '%s'.\n", command->alias);
	if (command->options || command->flags & (COMMAND_FIELDS | COMMAND_LIMITS))
		fputs("\nOptions:\n", out);
	for (const struct option_row *row = command->options; row && row->name; row++)
		option_print(row->name, row->letter, row->argument, row->what, out);
	for (size_t i = 0; i < vps_fields_count; i++) {
		const struct field *field = &vps_fields[i];

		/* set knows the fixed ones only to refuse them by name */
		if (takes_field(command, field) &&
		    !(field->flags & FIELD_FIXED && strcmp(command->name, "set") == 0))
			option_print(field->key, 0, field->argument, field->what, out);
	}
	fputs("\nOptions of every command:\n", out);
	for (const struct option_row *row = common_options; row->name; row++)
		option_print(row->name, row->letter, row->argument, row->what, out);
	fputs("\nSizes are like 512M or 10G (binary), times like 90, 10m or 2h.  See "
	      "nodectl(8).\n",
	      out);
}

void help_print(FILE *out)
{
	static const struct {
		const char *group, *title;
	} groups[] = {
		{ "life", "Life of a VPS" },
		{ "look", "Looking" },
		{ "inside", "Inside a VPS" },
		{ "change", "Changing" },
		{ "image", "Images" },
		{ "plan", "Plans, and what is promised" },
		{ "network", "Private networks" },
		{ "report", "History and reports" },
		{ "node", "The node" },
	};

	fputs(
	    "usage: nodectl COMMAND [argument...] [option...]\n\n"
	    "Container VPSs on this machine: whole systems with their own init, root, ssh and\n"
	    "address, with the CPU, memory and disk that they were promised.\n",
	    out);
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		fprintf(out, "\n%s:\n", groups[g].title);
		for (size_t i = 0; i < commands_count; i++) {
			if (commands[i].group &&
			    strcmp(commands[i].group, groups[g].group) == 0)
				fprintf(out, "  %-13s %-26s %s\n", commands[i].name,
					commands[i].args, commands[i].what);
		}
	}
	fputs(
	    "\nThe first steps:\n"
	    "  nodectl image build debian-12\n"
	    "  nodectl create web1 --image debian-12 --ssh-key ~/.ssh/id_ed25519.pub --start\n"
	    "  nodectl ssh web1\n"
	    "\n'nodectl help COMMAND' tells more; nodectl(8) tells all.\n",
	    out);
}

void cli_say(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->quiet || cli->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

int json_print(json_t *object, struct err *err)
{
	json_t *all = json_pack("{s:i}", "schema", 1);
	int result = json_object_update(all, object);

	json_decref(object);
	if (result == 0)
		result = json_dumpf(all, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(all);
	putchar('\n');
	if (result < 0 || fflush(stdout) == EOF)
		return fail(err, errno, "cannot print");
	return 0;
}

bool cli_confirm(const struct cli *cli, const char *question)
{
	char answer[16];

	if (cli->yes || cli->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return true;
	fprintf(stderr, "%s [y/N] ", question);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

bool cli_forgives(const struct cli *cli, int kind)
{
	/* that it runs does not mean that it is destroyed */
	if (kind == ERR_RUNNING && cli->command->run == cmd_destroy)
		return false;
	/* "all" means those that are not so yet */
	return (cli->idempotent || cli_option(cli, "all")) &&
	       (kind == ERR_NOT_RUNNING || kind == ERR_RUNNING || kind == ERR_EXISTS);
}

struct names {
	char **name;
	size_t count;
};

static int names_add(const struct vps *vps, const struct err *broken, void *arg,
		     struct err *err)
{
	struct names *names = arg;

	(void)broken;
	(void)err;
	names->name = xrealloc(names->name, (names->count + 1) * sizeof(*names->name));
	names->name[names->count++] = xstrdup(vps->name);
	return 0;
}

static int one(struct cli *cli, const struct node *node, const char *name,
	       int (*work)(struct cli *cli, const struct node *node, const char *name,
			   struct err *err),
	       struct err *err)
{
	if (work(cli, node, name, err) == 0 || cli_forgives(cli, err->kind))
		return 0;
	/* "start: cannot..." names no VPS of the name 'start', nor "it is" one of the name 'it'
	 */
	bool named =
	    strncmp(err->msg, name, strlen(name)) == 0 && err->msg[strlen(name)] == ':';
	return named || strstr(err->msg, "VPS '") ? -1 : fail_in(err, "%s", name);
}

void error_print(const struct err *err)
{
	char msg[sizeof(err->msg) * 4];

	/* it may quote anything, and a terminal does not take any byte */
	str_escape(err->msg, msg, sizeof(msg));
	fprintf(stderr, "nodectl: %s\n", msg);
}

int output_end(int status)
{
	if ((fflush(stdout) != EOF && !ferror(stdout)) || status)
		return status;
	fprintf(stderr, "nodectl: cannot write to standard output: %s\n", strerror(errno));
	return ERR_SYSTEM;
}

/* Of several: what is wrong is said at once.  The exit status. */
static int told(struct cli *cli, const struct node *node, const char *name,
		int (*work)(struct cli *cli, const struct node *node, const char *name,
			    struct err *err))
{
	struct err err;

	if (one(cli, node, name, work, &err) == 0)
		return 0;
	error_print(&err);
	return (int)err.kind;
}

/* Several targets: a process each, as many at once as there are processors and four more. */
static int many(struct cli *cli, const struct node *node, struct names *names,
		int (*work)(struct cli *cli, const struct node *node, const char *name,
			    struct err *err),
		struct err *err)
{
	size_t most = (size_t)sysconf(_SC_NPROCESSORS_ONLN) + 4, alive = 0, failed = 0;
	unsigned long long patience = now_ms() + FORK_MS;
	const struct timespec pause = { .tv_nsec = 10000000 };
	int worst = 0, status;

	fflush(stdout);
	for (size_t i = 0; i < names->count || alive;) {
		pid_t pid = -1;

		if (i < names->count && alive < most) {
			pid = fork();
			if (pid == 0)
				_exit(output_end(told(cli, node, names->name[i], work)));
			if (pid > 0) {
				patience = now_ms() + FORK_MS;
				i++;
				alive++;
				continue;
			}
			/* the node is short of processes: one of ours makes room */
			if (!alive && now_ms() >= patience)
				return fail(err, errno, "cannot fork");
			if (!alive) {
				nanosleep(&pause, NULL);
				continue;
			}
		}
		if (wait(&status) < 0)
			return fail(err, errno, "cannot wait");
		alive--;
		status = WIFEXITED(status) ? WEXITSTATUS(status) : ERR_SYSTEM;
		failed += status != 0;
		if (status > worst)
			worst = status;
	}
	if (!worst)
		return 0;
	return fail_as(err, (enum err_kind)worst, "%zu of %zu failed", failed, names->count);
}

int targets_each(struct cli *cli,
		 int (*work)(struct cli *cli, const struct node *node, const char *name,
			     struct err *err),
		 struct err *err)
{
	own_node node = node_none();
	struct names names = { 0 };
	int result;

	if (node_open(&node, cli->config, err) < 0)
		return -1;
	if (!cli_option(cli, "all")) {
		if (cli_expect(cli, 1, -1, err) < 0)
			return -1;
		if (cli->args_count == 1)
			return one(cli, &node, cli->args[0], work, err);
		names = (struct names){ cli->args, (size_t)cli->args_count };
		return many(cli, &node, &names, work, err);
	}
	if (cli_expect(cli, 0, 0, err) < 0 || vps_each(&node, names_add, &names, err) < 0)
		return -1;
	result = many(cli, &node, &names, work, err);
	for (size_t i = 0; i < names.count; i++)
		free(names.name[i]);
	free(names.name);
	return result;
}

static void progress_clear(struct progress_line *line)
{
	if (line->tty && line->shown)
		fputs("\r\033[K", stderr);
}

void progress_report(const char *what, uint64_t done, uint64_t total, void *arg)
{
	struct progress_line *line = arg;
	unsigned long long now = now_ms(), spent;
	char size[16], of[16], speed[16], left[32];

	if (!line->started) {
		line->started = now;
		line->tty = isatty(STDERR_FILENO);
	}
	if (!line->tty || (now - line->shown < 100 && strcmp(line->what, what) == 0))
		return;
	progress_clear(line);
	snprintf(line->what, sizeof(line->what), "%s", what);
	line->shown = now;
	spent = now - line->started + 1;
	size_human(done, size, sizeof(size));
	size_human(total, of, sizeof(of));
	size_human(done * 1000 / spent, speed, sizeof(speed));
	if (total && done && done <= total) {
		seconds_human((total - done) / (done * 1000 / spent + 1), left, sizeof(left));
		fprintf(stderr, "%s: %s of %s (%u%%), %s/s, %s left", what, size, of,
			(unsigned)(done * 100 / total), speed, left);
	} else if (done) {
		fprintf(stderr, "%s: %s, %s/s", what, size, speed);
	} else {
		seconds_human(spent / 1000, left, sizeof(left));
		fprintf(stderr, "%s (%s)", what, left);
	}
	fflush(stderr);
}

void progress_end(struct progress_line *line)
{
	progress_clear(line);
	fflush(stderr);
}

int running_load(const struct node *node, const char *target, struct vps *vps, pid_t *init,
		 struct err *err)
{
	struct status status;

	if (vps_load(node, target, vps, err) < 0)
		return -1;
	vps_status(node, vps, &status);
	adopt_quietly(node, vps->name, &status);
	if (status.lost)
		vps_status(node, vps, &status);
	if (!status.init)
		return fail_as(err, ERR_NOT_RUNNING, "%s: it is not running", vps->name);
	node_view_mend(node, vps);
	*init = status.init;
	return 0;
}

int awake_load(const struct node *node, const char *target, struct vps *vps, pid_t *init,
	       struct err *err)
{
	if (running_load(node, target, vps, init, err) < 0)
		return -1;
	if (cgroup_is_frozen(vps->id))
		return fail_as(err, ERR_NOT_RUNNING,
			       "%s: it is frozen; 'nodectl thaw %s' first", vps->name,
			       vps->name);
	return 0;
}

void adopt_quietly(const struct node *node, const char *name, const struct status *status)
{
	own_held held = held_none();
	struct err ignored;

	/* taking hold of it settles it; whoever holds it does so already */
	if (status->lost || (status->init && !status->monitor))
		(void)vps_hold_left(node, name, "adopt", &held, &ignored);
}

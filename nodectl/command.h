/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "node.h"

struct err;

/* An option of one command; a flag when @argument is NULL. */
struct option_row {
	const char *name;
	char letter; /* 0: none */
	const char *argument;
	const char *what;
};

enum {
	COMMAND_REST = 1 << 0,	 /* what follows the target is not ours to read */
	COMMAND_FIELDS = 1 << 1, /* takes the options of vps.conf(5) */
	COMMAND_HIDDEN = 1 << 2,
	COMMAND_LATE = 1 << 3,	 /* its options may also stand behind the target */
	COMMAND_LIMITS = 1 << 4, /* takes those of them that a plan may give */
};

struct command;

/* One call of nodectl, parsed. */
struct cli {
	const struct command *command;
	const char *config;
	bool json, quiet, yes, idempotent;
	struct {
		const char *name, *value;
	} * options; /* in the order given */
	size_t options_count;
	char **args; /* what is no option */
	int args_count;
};

/*
 * A command returns 0, or -1 with @err filled; main() alone prints and exits.
 * One whose exit status is somebody else's (exec) returns a positive number: 256 + status.
 */
struct command {
	const char *name;
	const char *alias;
	const char *group;
	const char *args; /* "NAME..." */
	const char *what; /* one line */
	const struct option_row *options;
	unsigned flags;
	int (*run)(struct cli *cli, struct err *err);
};

#define EXIT_AS(status) (256 + (status))

/* The exit status of what was looked at and is not as it should be: diff(1)'s. */
#define CHECK_FAILED 1

extern const struct command commands[];
extern const size_t commands_count;
extern const struct option_row common_options[];

/* The row of "start", or of "image build", whose name is two words; @verb may be NULL, and
 * @noun an alias. */
const struct command *command_find(const char *noun, const char *verb);

/* The value of an option, the last one given; NULL when it was not. A flag's is "". */
const char *cli_option(const struct cli *cli, const char *name);

/* As above, as seconds; @standard when it was not given. */
int cli_seconds(const struct cli *cli, const char *name, unsigned standard, unsigned *seconds,
		struct err *err);

/* --force admits what does not fit. */
enum admission cli_admission(const struct cli *cli);

/* From @min to @max arguments (negative: any number), or the usage line as error. */
int cli_expect(const struct cli *cli, int min, int max, struct err *err);

/* Read argv[1..] into @cli; options may stand anywhere. */
int cli_parse(struct cli *cli, int argc, char *argv[], struct err *err);
void cli_free(struct cli *cli);

void usage_print(const struct command *command, FILE *out);
void help_print(FILE *out);

/* Say what was done, unless --quiet or --json. */
__attribute__((format(printf, 2, 3))) void cli_say(const struct cli *cli, const char *fmt, ...);

/* How long, in ms, to wait for a process that cannot be had: a node that is short of processes
 * has some again in a while. */
#define FORK_MS 30000

/* One line on standard error, control bytes escaped. */
void error_print(const struct err *err);

/* What a process that would exit with @status is to exit with: ERR_SYSTEM, and it is said, if
 * what it printed has not all arrived. */
int output_end(int status);

/* Print {"schema":1, ...} and free it. */
int json_print(json_t *object, struct err *err);

/* Ask on a terminal; without one, or with --yes, the answer is yes. */
bool cli_confirm(const struct cli *cli, const char *question);

/*
 * Do @work for each target: the names given, or all with --all.  Several are
 * done at the same time, each reports its own failure, and the worst is the result.
 */
int targets_each(struct cli *cli,
		 int (*work)(struct cli *cli, const struct node *node, const char *name,
			     struct err *err),
		 struct err *err);

/* --idempotent makes these failures success. */
bool cli_forgives(const struct cli *cli, int kind);

/* Progress of long work: a line on a terminal that rewrites itself, nothing elsewhere. */
struct progress_line {
	unsigned long long started, shown;
	bool tty;
	char what[64];
};

void progress_report(const char *what, uint64_t done, uint64_t total, void *arg);
void progress_end(struct progress_line *line);

/* Load a VPS that must be running; its init's pid.  Adopts it when its monitor died. */
int running_load(const struct node *node, const char *target, struct vps *vps, pid_t *init,
		 struct err *err);

/* The same for what needs its processes to answer: a frozen one is refused. */
int awake_load(const struct node *node, const char *target, struct vps *vps, pid_t *init,
	       struct err *err);

/* A reader that meets a VPS without monitor gives it one, if nobody is at it. */
void adopt_quietly(const struct node *node, const char *name, const struct status *status);

/*
 * Options of create and set into @vps; see cmd_create.c.  A value "plan" is that of @plan,
 * which may be NULL when plan_is_asked() says that it is not needed.
 */
int fields_apply(const struct cli *cli, const struct vps *plan, struct vps *vps,
		 struct wanted *wanted, struct err *err);
bool plan_is_asked(const struct cli *cli);

/* Tell the changes of a VPS, a line each; see cmd_set.c. */
struct changing {
	const struct cli *cli;
	const struct vps *vps;
	bool running;
	json_t *json; /* an array that gets an object for each */
};

unsigned changes_tell(struct changing *changing, const struct vps *before);

/* Read standard input's first line as a password, or ask twice on a terminal. */
int password_read(const struct cli *cli, char *password, size_t size, struct err *err);
int password_set(const struct held *held, const char *user, const char *password,
		 struct err *err);

/* When, after the begin of a shutdown that may take @span, the VPSs of the next order need not
 * wait for those before any longer.  For tests. */
unsigned long long turn_begins(size_t turn, size_t turns, unsigned long long span);

int cmd_boot(struct cli *cli, struct err *err);
int cmd_capacity(struct cli *cli, struct err *err);
int cmd_console(struct cli *cli, struct err *err);
int cmd_create(struct cli *cli, struct err *err);
int cmd_destroy(struct cli *cli, struct err *err);
int cmd_diff(struct cli *cli, struct err *err);
int cmd_doctor(struct cli *cli, struct err *err);
int cmd_ended(struct cli *cli, struct err *err);
int cmd_view(struct cli *cli, struct err *err);
int cmd_enter(struct cli *cli, struct err *err);
int cmd_event(struct cli *cli, struct err *err);
int cmd_exec(struct cli *cli, struct err *err);
int cmd_freeze(struct cli *cli, struct err *err);
int cmd_image_build(struct cli *cli, struct err *err);
int cmd_image_import(struct cli *cli, struct err *err);
int cmd_image_list(struct cli *cli, struct err *err);
int cmd_image_remove(struct cli *cli, struct err *err);
int cmd_image_show(struct cli *cli, struct err *err);
int cmd_init(struct cli *cli, struct err *err);
int cmd_kill(struct cli *cli, struct err *err);
int cmd_list(struct cli *cli, struct err *err);
int cmd_log(struct cli *cli, struct err *err);
int cmd_metrics(struct cli *cli, struct err *err);
int cmd_names(struct cli *cli, struct err *err);
int cmd_network_create(struct cli *cli, struct err *err);
int cmd_network_list(struct cli *cli, struct err *err);
int cmd_network_remove(struct cli *cli, struct err *err);
int cmd_passwd(struct cli *cli, struct err *err);
int cmd_pid(struct cli *cli, struct err *err);
int cmd_plan_create(struct cli *cli, struct err *err);
int cmd_plan_list(struct cli *cli, struct err *err);
int cmd_plan_remove(struct cli *cli, struct err *err);
int cmd_plan_set(struct cli *cli, struct err *err);
int cmd_plan_show(struct cli *cli, struct err *err);
int cmd_ps(struct cli *cli, struct err *err);
int cmd_pull(struct cli *cli, struct err *err);
int cmd_push(struct cli *cli, struct err *err);
int cmd_repair(struct cli *cli, struct err *err);
int cmd_report(struct cli *cli, struct err *err);
int cmd_restart(struct cli *cli, struct err *err);
int cmd_sample(struct cli *cli, struct err *err);
int cmd_selftest(struct cli *cli, struct err *err);
int cmd_set(struct cli *cli, struct err *err);
int cmd_show(struct cli *cli, struct err *err);
int cmd_shutdown(struct cli *cli, struct err *err);
int cmd_ssh(struct cli *cli, struct err *err);
int cmd_start(struct cli *cli, struct err *err);
int cmd_status(struct cli *cli, struct err *err);
int cmd_stop(struct cli *cli, struct err *err);
int cmd_traffic_add(struct cli *cli, struct err *err);
int cmd_thaw(struct cli *cli, struct err *err);
int cmd_net_show(struct cli *cli, struct err *err);
int cmd_traffic(struct cli *cli, struct err *err);
int cmd_usage(struct cli *cli, struct err *err);
int cmd_top(struct cli *cli, struct err *err);

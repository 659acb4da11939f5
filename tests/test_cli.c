/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../nodectl/command.h"
#include "err.h"
#include "own.h"
#include "str.h"

static struct err err;
static struct cli cli;
static char words[400];
static char *argv[40];

/* Read a command line, split at blanks. */
static int parse(const char *line)
{
	int argc = 1;

	cli_free(&cli);
	cli = (struct cli){ .config = "standard" };
	memset(&err, 0, sizeof(err));
	str_format(words, sizeof(words), "%s", line);
	argv[0] = (char[]){ "nodectl" };
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return cli_parse(&cli, argc, argv, &err);
}

static void is(const char *line, const char *command, const char *args)
{
	char got[400] = "";

	cr_assert_eq(parse(line), 0, "%s: %s", line, err.msg);
	cr_expect_str_eq(cli.command->name, command, "%s", line);
	for (int i = 0; i < cli.args_count; i++) {
		strcat(got, i ? " " : "");
		strcat(got, cli.args[i]);
	}
	cr_expect_str_eq(got, args, "%s", line);
}

static void option_is(const char *name, const char *value)
{
	const char *got = cli_option(&cli, name);

	cr_assert_not_null(got, "--%s was not given", name);
	cr_expect_str_eq(got, value, "--%s", name);
}

static void refused(const char *line, const char *message)
{
	cr_expect_eq(parse(line), -1, "%s", line);
	cr_expect_eq(err.kind, ERR_USAGE, "%s", line);
	cr_expect_str_eq(err.msg, message, "%s", line);
}

Test(cli, a_command_has_its_arguments)
{
	is("start web1 web2", "start", "web1 web2");
	is("list", "list", "");
	cr_expect_null(cli_option(&cli, "sort"));
	cr_expect_str_eq(cli.config, "standard");
}

Test(cli, options_stand_anywhere)
{
	is("stop web1 --force web2 -t 5 web3", "stop", "web1 web2 web3");
	option_is("force", "");
	option_is("timeout", "5");
	is("stop --timeout=5 web1", "stop", "web1");
	option_is("timeout", "5");
	is("stop -ft5 web1", "stop", "web1");
	option_is("force", "");
	option_is("timeout", "5");
}

Test(cli, common_options_may_stand_before_the_command)
{
	is("--json -q --config x.conf list web1", "list", "web1");
	cr_expect(cli.json && cli.quiet && !cli.yes && !cli.idempotent);
	cr_expect_str_eq(cli.config, "x.conf");
	is("-jy list --idempotent", "list", "");
	cr_expect(cli.json && cli.yes && cli.idempotent && !cli.quiet);
	is("list --config=y.conf", "list", "");
	cr_expect_str_eq(cli.config, "y.conf");
}

Test(cli, only_common_options_may_stand_before_the_command)
{
	refused("--force stop web1", "unknown option '--force'");
	refused("-t 5 stop web1", "unknown option '-t'");
	refused("-+ list", "unknown option '-+'");
}

Test(cli, after_two_dashes_nothing_is_an_option)
{
	is("stop -- --force -t", "stop", "--force -t");
	cr_expect_null(cli_option(&cli, "force"));
	is("stop --force -- -x", "stop", "-x");
	option_is("force", "");
}

Test(cli, what_follows_the_target_belongs_to_the_command_inside)
{
	is("exec web1 ls -l --json -t", "exec", "web1 ls -l --json -t");
	cr_expect_not(cli.json);
	cr_expect_null(cli_option(&cli, "tty"));
	is("exec -t --env A=1 web1 -- ls -l", "exec", "web1 ls -l");
	option_is("tty", "");
	option_is("env", "A=1");
	is("--json exec web1 sh -c x", "exec", "web1 sh -c x");
	cr_expect(cli.json);
	is("ssh web1 -v uptime", "ssh", "web1 -v uptime");
}

Test(cli, options_of_exec_may_stand_behind_the_target_too)
{
	is("exec web1 -t --cwd /tmp ls -l", "exec", "web1 ls -l");
	option_is("tty", "");
	option_is("cwd", "/tmp");
	is("exec web1", "exec", "web1");
	is("exec web1 -- -t", "exec", "web1 -t");
	cr_expect_null(cli_option(&cli, "tty"));
	is("exec -T web1 -e A=1 -- sh -c x", "exec", "web1 sh -c x");
	option_is("no-tty", "");
	option_is("env", "A=1");
}

Test(cli, a_noun_has_its_verbs)
{
	is("image list", "image list", "");
	is("image import deb f.tar", "image import", "deb f.tar");
	is("image remove --json a b", "image remove", "a b");
	cr_expect(cli.json);
	is("--json plan show small", "plan show", "small");
	is("image build --suite trixie debian-13 --name x", "image build", "debian-13");
	option_is("suite", "trixie");
	option_is("name", "x");
}

Test(cli, every_alias_is_its_command)
{
	for (size_t i = 0; i < commands_count; i++) {
		if (!commands[i].alias)
			continue;
		cr_expect_eq(parse(commands[i].alias), 0, "%s", commands[i].alias);
		cr_expect_eq(cli.command, &commands[i], "%s", commands[i].alias);
	}
	is("image rm a", "image remove", "a");
	is("delete web1", "destroy", "web1");
}

Test(cli, every_command_is_found_by_its_name)
{
	for (size_t i = 0; i < commands_count; i++) {
		cr_expect_eq(parse(commands[i].name), 0, "%s", commands[i].name);
		cr_expect_eq(cli.command, &commands[i], "%s", commands[i].name);
	}
}

Test(cli, every_option_of_every_command_is_understood)
{
	for (size_t i = 0; i < commands_count; i++) {
		for (const struct option_row *row = commands[i].options; row && row->name;
		     row++) {
			own_str line = xasprintf("%s --%s %s x", commands[i].name, row->name,
						 row->argument ? "value" : "");

			is(line, commands[i].name, "x");
			option_is(row->name, row->argument ? "value" : "");
			if (!row->letter)
				continue;
			own_str brief = xasprintf("%s -%c %s x", commands[i].name, row->letter,
						  row->argument ? "value" : "");
			is(brief, commands[i].name, "x");
			option_is(row->name, row->argument ? "value" : "");
		}
	}
}

Test(cli, every_field_that_is_an_option_is_understood_by_create_and_set)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str create = xasprintf("create web1 --%s value", vps_fields[i].key);
		own_str set = xasprintf("set web1 --%s value", vps_fields[i].key);

		if (!(vps_fields[i].flags & FIELD_OPTION)) {
			/* a longer option may begin with it: --name is --nameserver */
			(void)parse(create);
			cr_expect_null(cli_option(&cli, vps_fields[i].key), "%s", create);
			continue;
		}
		is(create, "create", "web1");
		option_is(vps_fields[i].key, "value");
		is(set, "set", "web1");
		option_is(vps_fields[i].key, "value");
	}
}

Test(cli, an_unknown_option_is_refused_and_the_nearest_named)
{
	refused("stop web1 --forse", "unknown option '--forse'; did you mean '--force'?");
	refused("create web1 --memroy=512M",
		"unknown option '--memroy'; did you mean '--memory'?");
	refused("list --frobnicate", "unknown option '--frobnicate'");
	refused("--jsn list", "unknown option '--jsn'; did you mean '--json'?");
}

Test(cli, an_unknown_letter_is_refused)
{
	refused("stop web1 -z", "unknown option '-z'");
	refused("stop --all -zf", "unknown option '-z'");
	refused("stop --timeout=5 -fz", "unknown option '-z'");
}

Test(cli, a_missing_value_is_said)
{
	refused("stop web1 --timeout", "option '--timeout' needs a value");
	refused("stop web1 -t", "option '-t' needs a value");
	refused("--config", "option '--config' needs a value");
	refused("exec -w", "option '-w' needs a value");
}

Test(cli, a_flag_takes_no_value)
{
	refused("stop web1 --force=yes", "option '--force' takes no value");
	refused("create web1 --start=no", "option '--start' takes no value");
	refused("--json=1 list", "option '--json' takes no value");
}

Test(cli, the_next_word_is_the_value_whatever_it_looks_like)
{
	is("stop -t --force web1", "stop", "web1");
	option_is("timeout", "--force");
}

Test(cli, without_a_command_the_help_is_named)
{
	refused("", "a command is missing; see 'nodectl help'");
	refused("--json", "a command is missing; see 'nodectl help'");
}

Test(cli, an_unknown_command_names_the_nearest)
{
	cr_expect_eq(parse("statr web1"), -1);
	cr_expect_eq(err.kind, ERR_USAGE);
	cr_expect_not_null(strstr(err.msg, "unknown command 'statr'"), "%s", err.msg);
	cr_expect_not_null(strstr(err.msg, "'start'"), "%s", err.msg);
	refused("frobnicate", "unknown command 'frobnicate'; see 'nodectl help'");
	refused("", "a command is missing; see 'nodectl help'");
}

Test(cli, a_noun_without_verb_names_the_verbs)
{
	static const char *const lines[] = { "image", "image frob", "plan" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cr_expect_eq(parse(lines[i]), -1);
		cr_expect_not_null(strstr(err.msg, i < 2 ? "'image build'" : "'plan list'"),
				   "%s", err.msg);
		cr_expect_not_null(strstr(err.msg, i < 2 ? "'image remove'" : "'plan show'"),
				   "%s", err.msg);
	}
}

Test(cli, what_is_for_programs_only_is_never_suggested)
{
	cr_expect_eq(parse("@name"), -1);
	cr_expect_null(strstr(err.msg, "'@names'"), "%s", err.msg);
}

Test(cli, a_very_long_word_is_only_cut_in_the_message)
{
	char line[380];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	cr_expect_eq(parse(line), -1);
	cr_expect_eq(err.kind, ERR_USAGE);
	memcpy(line, "list --", 7);
	cr_expect_eq(parse(line), -1);
	cr_expect_eq(err.kind, ERR_USAGE);
}

Test(cli, of_an_option_given_twice_the_last_counts)
{
	is("stop -t 5 web1 --timeout 7", "stop", "web1");
	option_is("timeout", "7");
	cr_expect_eq(cli.options_count, 2, "a list has them all");
	cr_expect_str_eq(cli.options[0].value, "5");
}

Test(cli, seconds_have_a_default_and_name_their_option)
{
	unsigned seconds = 0;

	is("stop web1", "stop", "web1");
	cr_expect_eq(cli_seconds(&cli, "timeout", 60, &seconds, &err), 0);
	cr_expect_eq(seconds, 60);
	is("stop web1 -t 2m", "stop", "web1");
	cr_expect_eq(cli_seconds(&cli, "timeout", 60, &seconds, &err), 0);
	cr_expect_eq(seconds, 120);
	is("stop web1 -t soon", "stop", "web1");
	cr_expect_eq(cli_seconds(&cli, "timeout", 60, &seconds, &err), -1);
	cr_expect_str_eq(err.msg, "--timeout: 'soon' is not a time (like 90, 10m, 2h or 7d)");
}

Test(cli, the_wrong_number_of_arguments_shows_the_usage)
{
	is("push web1 file", "push", "web1 file");
	cr_expect_eq(cli_expect(&cli, 3, 3, &err), -1);
	cr_expect_eq(err.kind, ERR_USAGE);
	cr_expect_str_eq(err.msg,
			 "usage: nodectl push NAME FILE PATH (see 'nodectl help push')");
	cr_expect_eq(cli_expect(&cli, 0, 1, &err), -1);
	cr_expect_eq(cli_expect(&cli, 1, -1, &err), 0);
	cr_expect_eq(cli_expect(&cli, 2, 2, &err), 0);
}

Test(cli, idempotent_forgives_what_is_as_wanted_already)
{
	is("start web1", "start", "web1");
	cr_expect_not(cli_forgives(&cli, ERR_RUNNING));
	is("start web1 --idempotent", "start", "web1");
	cr_expect(cli_forgives(&cli, ERR_RUNNING));
	cr_expect(cli_forgives(&cli, ERR_NOT_RUNNING));
	cr_expect(cli_forgives(&cli, ERR_EXISTS));
	cr_expect_not(cli_forgives(&cli, ERR_SYSTEM));
	cr_expect_not(cli_forgives(&cli, ERR_NO_VPS));
	cr_expect_not(cli_forgives(&cli, 0));
}

Test(cli, all_means_those_that_are_not_so_yet)
{
	is("stop --all", "stop", "");
	cr_expect(cli_forgives(&cli, ERR_NOT_RUNNING));
	cr_expect_not(cli_forgives(&cli, ERR_LOCKED));
}

Test(cli, nobody_is_asked_without_a_terminal_or_with_yes)
{
	is("destroy web1 --yes", "destroy", "web1");
	cr_expect(cli_confirm(&cli, "sure?"));
}

Test(cli, an_option_must_be_spelt_out)
{
	refused("create web1 --id 7", "unknown option '--id'; did you mean '--idempotent'?");
	refused("create web1 --mem=1G", "unknown option '--mem=1G'; did you mean '--memory'?");
	is("create web1 --memory=1G", "create", "web1");
	is("create --memory 1G web1", "create", "web1");
}

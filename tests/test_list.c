/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../nodectl/command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define DIGEST "digest = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"

/* A node of files alone: VPSs that never ran. */
static struct err err;
static char config[100];

static void definition(const char *name, const char *text)
{
	own_str path = xasprintf("store/vps/%s", name);
	own_fd dir = dir_make(scratch, path, 0700, &err);

	cr_assert_geq(dir, 0, "%s", err.msg);
	scratch_put(dir, "vps.conf", text);
}

static void node_make(void)
{
	static const char *const parts[] = { "vps",	  "images", "ids",
					     "addresses", "trash",  "templates" };
	own_str text = NULL;

	scratch_make();
	if (geteuid() != 0)
		cr_skip_test("nodectl must be run as root");
	text = xasprintf("subnet = 10.77.0.1/16\nstorage = %s/store\nrun = %s/run\n",
			 scratch_path, scratch_path);
	scratch_put(scratch, "node.conf", text);
	str_format(config, sizeof(config), "%s/node.conf", scratch_path);
	cr_assert_eq(mkdirat(scratch, "store", 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		own_str path = xasprintf("store/%s", parts[i]);

		cr_assert_eq(mkdirat(scratch, path, 0700), 0);
	}
	definition("alpha", "name = alpha\nid = 10\nmemory = 1G\nplan = small\n" DIGEST);
	definition("beta", "name = beta\nid = 9\nmemory = 512M\nplan = nano\n" DIGEST);
	scratch_put(scratch, "store/ids/9", "beta\n");
}

TestSuite(list, .init = node_make, .fini = scratch_remove);

/* Run a command line; what it prints goes into @out. */
static int run(const char *line, char *out, size_t size)
{
	struct cli cli = { .config = config };
	char words[300], *argv[20] = { (char[]){ "nodectl" } };
	int argc = 1, result, before = dup(STDOUT_FILENO);
	own_fd file = openat(scratch, "out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	str_format(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	cr_assert_eq(cli_parse(&cli, argc, argv, &err), 0, "%s", err.msg);

	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	result = cli.command->run(&cli, &err);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	cli_free(&cli);
	cr_assert_geq(file_read(scratch, "out", out, size, &err), 0);
	return result;
}

static void prints(const char *line, const char *expected)
{
	char out[4096];

	cr_expect_eq(run(line, out, sizeof(out)), 0, "%s: %s", line, err.msg);
	cr_expect_str_eq(out, expected, "%s: %s", line, out);
}

static void refused(const char *line, int kind, const char *message)
{
	char out[4096];

	cr_expect_eq(run(line, out, sizeof(out)), -1, "%s", line);
	cr_expect_eq(err.kind, kind, "%s", line);
	cr_expect_str_eq(err.msg, message, "%s", line);
}

Test(list, is_in_the_order_of_ids_unless_told)
{
	prints("list -o ID,NAME", "ID NAME\n 9 beta\n10 alpha\n");
}

Test(list, has_the_columns_that_are_asked_for_in_their_order)
{
	prints("list -o name,plan,id", "NAME  PLAN  ID\nbeta  nano   9\nalpha small 10\n");
}

Test(list, can_do_without_header)
{
	prints("list -H -o ID", " 9\n10\n");
}

Test(list, sorts_by_a_column_up_and_down)
{
	prints("list -o NAME -s NAME", "NAME\nalpha\nbeta\n");
	prints("list -o NAME -s -NAME", "NAME\nbeta\nalpha\n");
}

Test(list, sorts_by_a_column_that_is_not_shown)
{
	prints("list -o NAME -s ID", "NAME\nbeta\nalpha\n");
	prints("list -o NAME -s -ID", "NAME\nalpha\nbeta\n");
	prints("list -o NAME", "NAME\nbeta\nalpha\n");
}

Test(list, sorts_sizes_by_value_whatever_the_unit)
{
	prints("list -o NAME,MEMORY -s MEMORY", "NAME  MEMORY\nbeta    512M\nalpha     1G\n");
	prints("list -o NAME -s -MEMORY", "NAME\nalpha\nbeta\n");
}

Test(list, takes_columns_away_from_the_usual_ones_and_adds_others)
{
	char out[4096];

	cr_assert_eq(run("list -o -TRAFFIC,+UUID", out, sizeof(out)), 0, "%s", err.msg);
	cr_expect_null(strstr(out, "TRAFFIC"));
	cr_expect_not_null(strstr(out, "UUID"));
	cr_expect_not_null(strstr(out, "NAME"));
}

Test(list, of_names_shows_just_these)
{
	prints("list -o NAME beta", "NAME\nbeta\n");
	prints("list -o NAME 9", "NAME\nbeta\n");
}

Test(list, of_an_unknown_column_or_name_is_refused)
{
	refused("list -o NAME,COLOUR", ERR_VALUE, "there is no column 'COLOUR'; -L lists them");
	refused("list -s COLOUR", ERR_VALUE, "there is no column 'COLOUR'; -L lists them");
	refused("list gamma", ERR_NO_VPS, "there is no VPS 'gamma'");
	refused("list 77", ERR_NO_VPS, "there is no VPS with id 77");
	refused("list ../alpha", ERR_VALUE, "'../alpha' is not the name of a VPS");
}

Test(list, of_no_vps_is_a_header)
{
	cr_assert_eq(tree_remove(scratch, "store/vps/alpha", &err), 0);
	cr_assert_eq(tree_remove(scratch, "store/vps/beta", &err), 0);
	prints("list -o ID,NAME", "ID NAME\n");
	prints("list -H -o ID,NAME", "");
	prints("list --json", "{\"schema\":1,\"vps\":[]}\n");
}

Test(list, shows_a_broken_definition_as_an_error_beside_the_others)
{
	definition("broken", "name = broken\nmemory = lots\n");
	definition("liar", "name = alpha\nid = 10\n" DIGEST);
	prints("list -H -o NAME,STATE -s NAME",
	       "alpha  stopped\nbeta   stopped\nbroken error\nliar   error\n");
	prints("list -H -o NAME,STATE broken", "broken error\n");
	prints("status broken", "broken error: vps.conf: line 2: memory: 'lots' is not a size "
				"(like 512M or 10G)\n");
}

Test(list, does_not_show_what_is_being_created)
{
	definition(".gamma.new", "name = gamma\nid = 11\n" DIGEST);
	prints("list -H -o NAME", "beta\nalpha\n");
}

Test(list, as_json_is_one_object)
{
	char out[8192];
	json_t *all, *vps;

	cr_assert_eq(run("list --json", out, sizeof(out)), 0, "%s", err.msg);
	all = json_loads(out, 0, NULL);
	cr_assert_not_null(all, "%s", out);
	cr_expect_eq(json_integer_value(json_object_get(all, "schema")), 1);
	vps = json_object_get(all, "vps");
	cr_expect_eq(json_array_size(vps), 2);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(vps, 0), "state")),
			 "stopped");
	json_decref(all);
}

Test(list, quotes_any_byte_of_a_broken_definition_as_json_too)
{
	char out[8192];
	json_t *all, *vps;

	cr_assert_eq(tree_remove(scratch, "store/vps/alpha", &err), 0);
	cr_assert_eq(tree_remove(scratch, "store/vps/beta", &err), 0);
	definition("broken", "\xff = 1\n");
	cr_assert_eq(run("list --json", out, sizeof(out)), 0, "%s", err.msg);
	all = json_loads(out, 0, NULL);
	cr_assert_not_null(all, "%s", out);
	vps = json_array_get(json_object_get(all, "vps"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(vps, "error")),
			 "broken: vps.conf: line 1: unknown key '\\xff'");
	json_decref(all);
}

Test(list, of_one_line_is_status)
{
	prints("status alpha", "alpha stopped\n");
	prints("status --json 9", "{\"schema\":1,\"name\":\"beta\",\"state\":\"stopped\"}\n");
}

Test(list, of_a_node_that_is_not_set_up_says_what_to_do)
{
	own_str message = xasprintf(
	    "this node is not set up yet ('%s' is missing): run 'nodectl init'", config);

	cr_assert_eq(unlink(config), 0);
	refused("list", ERR_SYSTEM, message);
}

Test(list, of_a_node_without_its_directories_says_what_to_do)
{
	cr_assert_eq(unlinkat(scratch, "store/trash", AT_REMOVEDIR), 0);
	refused(
	    "list", ERR_SYSTEM,
	    "cannot open 'trash': No such file or directory: run 'nodectl init' to complete "
	    "the node");
}

Test(list, usage_has_its_own_columns)
{
	prints("usage -o NAME,MEMORY,SWAP -s NAME", "NAME   MEMORY  SWAP\n"
						    "alpha   0B/1G 0B/0B\n"
						    "beta  0B/512M 0B/0B\n");
	refused("usage -o PLAN", ERR_VALUE, "there is no column 'PLAN'; -L lists them");
}

Test(list, usage_of_one_is_shown_line_by_line_unless_a_table_is_wanted)
{
	char out[4096];

	cr_expect_eq(run("usage alpha", out, sizeof(out)), 0, "%s", err.msg);
	cr_expect_not_null(strstr(out, "         memory: 0B/1G\n"), "%s", out);
	prints("usage alpha -o NAME,STATE", "NAME  STATE\nalpha stopped\n");
	prints("usage alpha -H -o NAME", "alpha\n");
}

Test(list, usage_of_all_takes_no_names)
{
	prints("usage --all -H -o NAME", "alpha\nbeta\n");
	refused("usage --all alpha", ERR_USAGE,
		"usage: nodectl usage [NAME...] (see 'nodectl help usage')");
}

Test(list, top_into_a_file_is_one_look)
{
	char out[4096];

	cr_expect_eq(run("top -d 0.1 -s NAME", out, sizeof(out)), 0, "%s", err.msg);
	cr_expect_eq(strncmp(out, "2 VPSs: 2 stopped, CPU 0.00 of ", 31), 0, "%s", out);
	cr_expect_not_null(strstr(out, "\nalpha    stopped      -   all "), "%s", out);
	cr_expect_eq(run("top -H -n 1 -d 0.1 beta", out, sizeof(out)), 0, "%s", err.msg);
	cr_expect_eq(strncmp(out, "beta     stopped ", 17), 0, "%s", out);
	cr_expect_null(strstr(out, "alpha"));
}

Test(list, top_refuses_what_it_does_not_understand)
{
	refused("top -s COLOUR", ERR_VALUE, "there is no column 'COLOUR'; -L lists them");
	refused("top -d 0", ERR_VALUE, "--delay: '0' is not between 0.1 and 3600 seconds");
	refused("top -d nan", ERR_VALUE, "--delay: 'nan' is not between 0.1 and 3600 seconds");
	refused("top nobody", ERR_NO_VPS, "there is no VPS 'nobody'");
	refused("top -a beta", ERR_USAGE,
		"usage: nodectl top [NAME...] (see 'nodectl help top')");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../nodectl/command.h"
#include "diff.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

/*
 * A node of directories, with one VPS that is stopped: the kernel has nothing of it, so what is
 * compared here is its definition with its plan and its disk.
 */
static struct node node;
static struct err err;
static char told[2048];

static void definition_put(const char *more)
{
	own_fd dir = dir_open(node.vps, "web1", &err);
	own_str text = xasprintf("name = web1\nid = 7\ndigest = %064d\nplan = small\n"
				 "memory = 1G\ntasks = 100\ndisk = 64M\n%s",
				 7, more);

	cr_assert_geq(dir, 0);
	scratch_put(dir, "vps.conf", text);
}

static void node_make(void)
{
	struct volume volume = { .size = 64 << 20 };

	scratch_make();
	node = node_none();
	str_format(node.plans, sizeof(node.plans), "%s/plans", scratch_path);
	node.vps = dir_make(scratch, "vps", 0700, &err);
	node.runs = dir_make(scratch, "run", 0700, &err);
	node.ids = dir_make(scratch, "ids", 0700, &err);
	own_fd plans = dir_make(scratch, "plans", 0700, &err);
	own_fd templates = dir_make(scratch, "templates", 0700, &err);
	own_fd dir = dir_make(node.vps, "web1", 0700, &err);
	cr_assert(plans >= 0 && templates >= 0 && dir >= 0);
	scratch_put(plans, "small.conf", "memory = 1G\ntasks = 100\n");
	cr_assert_eq(volume_create(dir, templates, &volume, &err), 0, "%s", err.msg);
	definition_put("");
}

static void node_end(void)
{
	node_close(&node);
	scratch_remove();
}

TestSuite(diff, .init = node_make, .fini = node_end);

static void note(const struct difference *difference, void *arg)
{
	size_t used = strlen(told);

	(void)arg;
	snprintf(told + used, sizeof(told) - used, "%s: %s: %s, %s (%s)\n", difference->vps,
		 difference->what, difference->wants, difference->has ? difference->has : "-",
		 remedy_name(difference->remedy));
}

static const char *differences(void)
{
	told[0] = 0;
	cr_assert_eq(diff_vps(&node, "web1", NULL, note, NULL, &err), 0, "%s", err.msg);
	return told;
}

Test(diff, of_what_is_equal_has_nothing_to_say)
{
	cr_assert_str_eq(differences(), "");
}

Test(diff, tells_a_plan_that_is_ahead_of_the_definition)
{
	own_fd plans = dir_open(scratch, "plans", &err);

	scratch_put(plans, "small.conf", "memory = 2G\ntasks = 100\nio-read = 5M/s\n");
	cr_assert_str_eq(
	    differences(),
	    "web1: plan small: memory: 2G, 1G ('nodectl plan set' applies it)\n"
	    "web1: plan small: io-read: 5M/s, - ('nodectl plan set' applies it)\n");
}

Test(diff, leaves_to_a_vps_what_is_its_own)
{
	own_fd plans = dir_open(scratch, "plans", &err);

	scratch_put(plans, "small.conf", "memory = 2G\ntasks = 200\n");
	definition_put("override = memory\n");
	cr_assert_str_eq(differences(),
			 "web1: plan small: tasks: 200, 100 ('nodectl plan set' applies it)\n");
}

Test(diff, tells_a_plan_that_is_gone_and_goes_on)
{
	definition_put("");
	cr_assert_eq(unlinkat(scratch, "plans/small.conf", 0), 0);
	cr_assert_not_null(
	    strstr(differences(), "web1: plan: small, there is no plan 'small'"));
}

Test(diff, tells_a_disk_of_another_size)
{
	own_fd dir = dir_open(node.vps, "web1", &err);
	own_str text = file_slurp(dir, "vps.conf", 4096, &err);

	memcpy(strstr(text, "64M"), "96M", 3);
	scratch_put(dir, "vps.conf", text);
	cr_assert_str_eq(differences(), "web1: disk: 96M, 64M ()\n");
}

Test(diff, of_a_stopped_vps_has_nothing_to_do_with_how_it_ran)
{
	own_fd run = dir_make(node.runs, "web1", 0700, &err);

	scratch_put(run, "vps.conf", "name = web1\nid = 7\ndigest = 1\nhostname = other\n");
	cr_assert_str_eq(differences(), "");
}

Test(diff, of_no_vps_is_an_error)
{
	cr_assert_eq(diff_vps(&node, "web2", NULL, note, NULL, &err), -1);
	cr_assert_eq(err.kind, ERR_NO_VPS);
}

/* Someone holds the lock: what he is about to change is not told before he is done. */
Test(diff, waits_for_a_command_that_is_at_work)
{
	own_fd dir = dir_open(node.vps, "web1", &err);
	own_fd plans = dir_open(scratch, "plans", &err);
	int lock = lock_take(dir, "lock", "'nodectl set'\n", 0, &err);

	cr_assert_geq(lock, 0);
	scratch_put(plans, "small.conf", "memory = 2G\ntasks = 100\n");
	pid_t pid = fork();
	if (pid == 0) {
		usleep(100000);
		own_fd definition = openat(dir, "vps.conf", O_WRONLY | O_APPEND);
		(void)!write(definition, "override = memory\n", 18);
		_exit(0);
	}
	close(lock);
	cr_assert_str_eq(differences(), "");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../cgroups/find.h"
#include "../cgroups/group.h"
#include "../cgroups/hierarchy.h"
#include "err.h"
#include "own.h"

static const char hybrid[] =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "35 31 0:32 /docker/x /mnt/part rw - cgroup cgroup rw,memory\n"
    "36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "37 31 0:33 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    "42 31 0:38 / /mnt/again rw,relatime - cgroup2 cgroup2 rw\n";

Test(hierarchy, each_controller_is_found_where_it_is_bound)
{
	struct hierarchies found = { 0 };

	hierarchies_parse(hybrid, &found);
	cr_assert_str_eq(found.unified, "/sys/fs/cgroup/unified");
	cr_assert_str_eq(found.v1[CONTROLLER_CPU], "/sys/fs/cgroup/cpu,cpuacct");
	cr_assert_str_eq(found.v1[CONTROLLER_MEMORY], "/sys/fs/cgroup/memory");
	cr_assert_str_eq(found.v1[CONTROLLER_PIDS], "");
	cr_assert_str_eq(found.v1[CONTROLLER_IO], "/sys/fs/cgroup/blkio");
}

Test(hierarchy, a_hierarchy_that_controllers_share_comes_once)
{
	struct hierarchies found = { .unified = "/u", .v1 = { "/a", "/b", "/a" } };

	cr_assert_str_eq(hierarchy_at(&found, 0), "/u");
	cr_assert_str_eq(hierarchy_at(&found, 1), "/a");
	cr_assert_str_eq(hierarchy_at(&found, 2), "/b");
	cr_assert_null(hierarchy_at(&found, 3));
}

Test(hierarchy, broken_lines_are_passed_over)
{
	struct hierarchies found = { 0 };

	hierarchies_parse("\n - \n1 2 3 / - cgroup2\n1 2 0:1 / /a\\040b rw - cgroup2 c rw\n",
			  &found);
	cr_assert_str_eq(found.unified, "");
}

Test(hierarchy, a_word_is_found_only_whole)
{
	cr_assert(list_has("cpuset cpu io\n", "cpu", ' '));
	cr_assert(list_has("cpuset cpu io\n", "io", ' '));
	cr_assert_not(list_has("cpuset memory\n", "cpu", ' '));
	cr_assert_not(list_has("", "cpu", ' '));
}

Test(hierarchy, a_value_is_found_by_its_whole_key)
{
	uint64_t value = 7;

	cr_assert(flat_value("oom 3\noom_kill 2\n", "oom_kill", &value));
	cr_assert_eq(value, 2);
	cr_assert_not(flat_value("oom_kill_disable 0\n", "oom_kill", &value));
	cr_assert_eq(value, 2);
}

Test(find, a_process_is_known_by_its_cgroup2_line)
{
	cr_assert_eq(
	    id_of_cgroup_text("4:memory:/\n0::/nodectl-vps.service/17/guest/init.scope\n"), 17);
}

Test(find, a_process_is_known_by_a_v1_line)
{
	cr_assert_eq(
	    id_of_cgroup_text("8:pids:/nodectl-vps.service/17\n1:cpu,cpuacct:/\n0::/\n"), 17);
}

Test(find, a_group_removed_under_a_zombie_counts)
{
	cr_assert_eq(id_of_cgroup_text("0::/nodectl-vps.service/17 (deleted)\n"), 17);
}

Test(find, names_that_only_look_like_ours_do_not_count)
{
	cr_assert_eq(id_of_cgroup_text("0::/nodectl\n"), 0);
	cr_assert_eq(id_of_cgroup_text("0::/nodectl-vps.service/\n"), 0);
	cr_assert_eq(id_of_cgroup_text("0::/nodectl-vps.service/017\n"), 0);
	cr_assert_eq(id_of_cgroup_text("0::/nodectl-vps.service/17x\n"), 0);
	cr_assert_eq(id_of_cgroup_text("0::/nodectl2/17\n"), 0);
	cr_assert_eq(id_of_cgroup_text("0::/user/nodectl-vps.service/17\n"), 0);
	cr_assert_eq(id_of_cgroup_text("0::/nodectl-vps.service/99999999999999\n"), 0);
	cr_assert_eq(id_of_cgroup_text("rubbish"), 0);
}

static char root[] = "/tmp/cgroups.XXXXXX";
static int dir = -1;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(root));
	dir = open(root, O_DIRECTORY | O_CLOEXEC);
}

static void teardown(void)
{
	struct err err;

	(void)group_remove(dir, "17", &err);
	(void)unlinkat(dir, "cgroup.events", 0);
	close(dir);
	(void)rmdir(root);
}

TestSuite(group, .init = setup, .fini = teardown);

static void events_write(const char *text)
{
	own_fd fd =
	    openat(dir, "cgroup.events", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(group, an_event_is_read)
{
	events_write("populated 1\nfrozen 0\n");
	cr_assert(group_event(dir, "populated", true));
	cr_assert(group_event(dir, "frozen", false));
	cr_assert_not(group_event(dir, "frozen", true));
}

Test(group, waiting_for_an_event_ends)
{
	events_write("populated 1\nfrozen 0\n");
	cr_assert_eq(group_event_wait(dir, "populated", true, 0), 0);
	cr_assert_eq(group_event_wait(dir, "populated", false, 5), -1);
	cr_assert_eq(errno, ETIMEDOUT);
}

Test(group, events_that_cannot_be_read_are_not_waited_for)
{
	cr_assert_eq(mkdirat(dir, "cgroup.events", 0700), 0);
	int waited = group_event_wait(dir, "populated", true, 2000);
	int code = errno;
	cr_assert_eq(unlinkat(dir, "cgroup.events", AT_REMOVEDIR), 0);
	cr_expect_eq(waited, -1);
	cr_expect_eq(code, EISDIR);
}

static int count_child(int above, const char *name, void *arg, struct err *err)
{
	(void)above;
	(void)name;
	(void)err;
	++*(int *)arg;
	return 0;
}

Test(group, children_are_directories_hidden_ones_too)
{
	struct err err;
	int count = 0;

	events_write("");
	cr_assert_eq(mkdirat(dir, "17", 0700), 0);
	cr_assert_eq(mkdirat(dir, ".hidden", 0700), 0);
	cr_assert_eq(group_children(dir, count_child, &count, &err), 0);
	cr_assert_eq(count, 2);
	cr_assert_eq(unlinkat(dir, ".hidden", AT_REMOVEDIR), 0);
}

Test(group, removing_what_is_not_there_succeeds)
{
	struct err err;

	cr_assert_eq(group_remove(dir, "17", &err), 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

static struct node node;
static struct err err;

static void node_make(void)
{
	scratch_make();
	node = node_none();
	node.runs = dir_make(scratch, "run", 0700, &err);
	cr_assert_geq(node.runs, 0);
}

static void node_end(void)
{
	node_close(&node);
	scratch_remove();
}

TestSuite(store, .init = node_make, .fini = node_end);

static struct vps routed(void)
{
	struct vps vps = { .name = "web1", .link.mode = LINK_ROUTED };

	cr_assert_eq(address_parse("10.77.0.9/16", &vps.link.ipv4, &err), 0);
	vps.link.connections = 900;
	return vps;
}

Test(store, until_the_next_start_only_the_mode_stays)
{
	const struct link was = { .mode = LINK_BRIDGE, .connections = 100 };
	struct vps vps = routed(), running = vps_as_running(&vps, &was);

	cr_expect_eq(running.link.mode, LINK_BRIDGE);
	cr_expect_eq(running.link.connections, 900);
	cr_expect(address_is_equal(&running.link.ipv4, &vps.link.ipv4));
	cr_expect_eq(vps.link.mode, LINK_ROUTED);
}

Test(store, one_that_runs_without_a_network_has_nothing_of_what_it_will_get)
{
	const struct link was = { .mode = LINK_NONE };
	struct vps vps = routed(), running = vps_as_running(&vps, &was);

	cr_expect_eq(running.link.mode, LINK_NONE);
	cr_expect_eq(running.link.ipv4.family, 0);
}

Test(store, where_nothing_is_known_it_runs_as_the_definition_says)
{
	struct vps vps = routed(), running = vps_as_running(&vps, NULL);

	cr_expect_eq(running.link.mode, LINK_ROUTED);
}

Test(store, what_it_was_started_with_is_in_its_run_directory)
{
	own_vps started = { 0 };

	cr_expect_eq(vps_started_load(&node, "web1", &started, &err), -1);
	cr_expect_eq(err.code, ENOENT);
	own_fd run = dir_make(node.runs, "web1", 0700, &err);
	cr_assert_geq(run, 0);
	own_str text = xasprintf("name = web1\nid = 7\ndigest = %064d\nnet-mode = routed\n", 7);
	scratch_put(run, "vps.conf", text);
	cr_assert_eq(vps_started_load(&node, "web1", &started, &err), 0, "%s", err.msg);
	cr_expect_eq(started.id, 7);
	cr_expect_eq(started.link.mode, LINK_ROUTED);
}

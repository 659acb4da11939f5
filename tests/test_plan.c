/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct err err;

TestSuite(plan, .init = scratch_make, .fini = scratch_remove);

static void plans_in_scratch(struct node *node)
{
	cr_assert_eq(node_parse(node, "subnet = 10.77.0.1/16\n", &err), 0, "%s", err.msg);
	str_format(node->plans, sizeof(node->plans), "%s", scratch_path);
	node->vps = dir_make(scratch, "vps", 0700, &err);
	node->ids = dir_make(scratch, "ids", 0700, &err);
	cr_assert(node->vps >= 0 && node->ids >= 0);
}

Test(plan, is_read_from_the_nodes_directory_and_remembered)
{
	own_node node;
	own_vps vps;

	plans_in_scratch(&node);
	vps_init(&vps);
	scratch_put(scratch, "big.conf", "memory = 64G\n");
	cr_expect_eq(plan_load(&node, "big", &vps, &err), 0, "%s", err.msg);
	cr_expect_eq(vps.limits.memory, 64ull << 30);
	cr_expect_str_eq(vps.plan, "big");
}

Test(plan, that_does_not_exist_is_named)
{
	own_node node;
	own_vps vps;
	own_str message = xasprintf("there is no plan 'huge' in %s", scratch_path);

	plans_in_scratch(&node);
	vps_init(&vps);
	cr_expect_eq(plan_load(&node, "huge", &vps, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg, message);
	cr_expect_str_eq(vps.plan, "");
}

Test(plan, name_cannot_lead_out_of_the_directory)
{
	own_node node;
	own_vps vps;

	plans_in_scratch(&node);
	vps_init(&vps);
	cr_expect_eq(plan_load(&node, "../../etc/passwd", &vps, &err), -1);
	cr_expect_str_eq(err.msg, "'../../etc/passwd' is not a plan's name");
}

Test(plan, with_a_mistake_is_named_with_its_file_and_line)
{
	own_node node;
	own_vps vps;
	own_str message =
	    xasprintf("%s/odd.conf: line 2: 'ip' does not belong here", scratch_path);

	plans_in_scratch(&node);
	vps_init(&vps);
	scratch_put(scratch, "odd.conf", "cpus = 1\nip = auto\n");
	cr_expect_eq(plan_load(&node, "odd", &vps, &err), -1);
	cr_expect_str_eq(err.msg, message);
}

static const struct field *field(const char *key)
{
	return field_find(key);
}

/* Options as "key", "value", ... into what plan_write() takes. */
static struct plan_values values(const char *const *words)
{
	struct plan_values given = { 0 };

	vps_init(&given.values);
	for (size_t i = 0; words[i]; i += 2) {
		cr_assert_eq(field_set(&given.values, field(words[i]), words[i + 1], &err), 0);
		given.given |= field_bit(field(words[i]));
	}
	return given;
}

#define VALUES(...) values((const char *const[]){ __VA_ARGS__, NULL })

Test(plan, is_written_and_read_again)
{
	own_node node;
	own_vps plan = { 0 };
	struct plan_values given = VALUES("memory", "2G", "cpus", "1.5", "swap", "0");

	plans_in_scratch(&node);
	given.fresh = true;
	cr_assert_eq(plan_write(&node, "big", &given, &plan, &err), 0, "%s", err.msg);
	cr_expect(scratch_holds(scratch, "big.conf",
				"# Plan big; see node.conf(5).\ncpus = 1.5\nmemory = 2G\n"
				"swap = 0\n"));
	cr_expect_eq(plan.limits.memory, 2ull << 30);
	cr_expect_str_eq(plan.plan, "big");
	cr_expect_eq(plan_write(&node, "big", &given, &plan, &err), -1);
	cr_expect_eq(err.kind, ERR_EXISTS);
}

Test(plan, that_is_changed_keeps_what_people_wrote)
{
	own_node node;
	own_vps plan = { 0 };
	struct plan_values given = VALUES("memory", "4G", "weight", "0", "traffic", "1T");

	plans_in_scratch(&node);
	scratch_put(scratch, "big.conf", "# for Ann\n\nweight=200\n  memory =  2G\n# end\n");
	cr_assert_eq(plan_write(&node, "big", &given, &plan, &err), 0, "%s", err.msg);
	cr_expect(scratch_holds(scratch, "big.conf",
				"# for Ann\n\nweight = 0\nmemory = 4G\n# end\ntraffic = 1T\n"));
	cr_expect_eq(plan.limits.weight, 0);
}

Test(plan, that_is_only_tried_is_not_written)
{
	own_node node;
	own_vps plan = { 0 };
	struct plan_values given = VALUES("memory", "4G");

	plans_in_scratch(&node);
	given.dry = true;
	scratch_put(scratch, "big.conf", "memory = 2G\n");
	cr_assert_eq(plan_write(&node, "big", &given, &plan, &err), 0, "%s", err.msg);
	cr_expect(scratch_holds(scratch, "big.conf", "memory = 2G\n"));
	cr_expect_eq(plan.limits.memory, 4ull << 30);
}

Test(plan, with_a_guarantee_above_its_cap_is_refused)
{
	own_node node;
	own_vps plan = { 0 };
	struct plan_values memory = VALUES("memory-guaranteed", "3G");
	struct plan_values cpus = VALUES("cpus", "0.5", "cpu-guaranteed", "0.6");

	plans_in_scratch(&node);
	scratch_put(scratch, "big.conf", "memory = 2G\n");
	cr_expect_eq(plan_write(&node, "big", &memory, &plan, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg, "memory-guaranteed: 3G is more than the memory of 2G");
	cr_expect_eq(plan_write(&node, "big", &cpus, &plan, &err), -1);
	cr_expect_str_eq(err.msg, "cpu-guaranteed: 0.6 is more than the cap of 0.5");
	cr_expect(scratch_holds(scratch, "big.conf", "memory = 2G\n"));
}

Test(plan, with_a_speed_that_is_none_is_refused)
{
	struct vps vps;

	vps_init(&vps);
	vps.limits.io_read.bytes = 4096;
	cr_expect_eq(plan_check(&vps, &err), 0);
	vps.limits.io_read.bytes = 500;
	cr_expect_eq(plan_check(&vps, &err), -1);
	cr_expect_str_eq(err.msg,
			 "io-read: less than 4K/s is no speed; operations are like 500iops");
	vps.limits.io_read = (struct io_limit){ .ops = 1 };
	cr_expect_eq(plan_check(&vps, &err), 0);
}

Test(plan, that_is_to_change_must_be_there)
{
	own_node node;
	own_vps plan = { 0 };
	struct plan_values given = VALUES("memory", "4G");

	plans_in_scratch(&node);
	cr_expect_eq(plan_write(&node, "none", &given, &plan, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_eq(plan_write(&node, "../x", &given, &plan, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(plan, gives_what_is_not_its_own)
{
	own_vps plan, vps;

	vps_init(&plan);
	vps_init(&vps);
	strcpy(plan.plan, "big");
	plan.limits.memory = 10;
	plan.limits.tasks = 20;
	plan.link.rate_in = 30;
	vps.limits.memory = 1;
	vps.limits.tasks = 2;
	vps.limits.io_weight = 77;
	vps.overrides = field_bit(field("memory"));
	vps.order = 5;
	plan_adopt(&plan, &vps);
	cr_expect_eq(vps.limits.memory, 1);
	cr_expect_eq(vps.limits.tasks, 20);
	cr_expect_eq(vps.link.rate_in, 30);
	cr_expect_eq(vps.limits.io_weight, 0, "what the plan does not say is none");
	cr_expect_eq(vps.order, 5);
	cr_expect_str_eq(vps.plan, "big");
	plan_give(&plan, field("memory"), &vps);
	cr_expect_eq(vps.limits.memory, 10);
	cr_expect_eq(vps.overrides, 0);
}

Test(plan, must_be_what_it_was_when_a_vps_is_written_down)
{
	own_node node;
	own_vps vps = { 0 };

	plans_in_scratch(&node);
	vps_init(&vps);
	scratch_put(scratch, "big.conf", "memory = 2G\n");
	cr_assert_eq(plan_load(&node, "big", &vps, &err), 0);
	cr_expect_eq(plan_is_current(&node, &vps, &err), 0, "%s", err.msg);
	scratch_put(scratch, "big.conf", "memory = 3G\n");
	cr_expect_eq(plan_is_current(&node, &vps, &err), -1);
	cr_expect_eq(err.kind, ERR_LOCKED);
	vps.overrides = field_bit(field("memory"));
	cr_expect_eq(plan_is_current(&node, &vps, &err), 0, "what is its own does not count");
	cr_assert_eq(unlinkat(scratch, "big.conf", 0), 0);
	cr_expect_eq(plan_is_current(&node, &vps, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

static void define(const struct node *node, const char *text)
{
	own_fd dir = dir_make(node->vps, "web1", 0700, &err);

	scratch_put(dir, "vps.conf", text);
}

Test(plan, that_a_vps_has_is_not_removed)
{
	own_node node;

	plans_in_scratch(&node);
	scratch_put(scratch, "big.conf", "memory = 2G\n");
	define(&node, "name = web1\nid = 7\nplan = big\ndigest = " DIGEST "\n");
	cr_expect_eq(plan_remove(&node, "big", &err), -1);
	cr_expect_eq(err.kind, ERR_EXISTS);
	cr_expect_str_eq(err.msg, "plan 'big' is in use by VPS 'web1'");
	define(&node, "what");
	cr_expect_eq(plan_remove(&node, "big", &err), -1,
		     "one that cannot be read may have it");
	define(&node, "name = web1\nid = 7\nplan = other\ndigest = " DIGEST "\n");
	cr_expect_eq(plan_remove(&node, "big", &err), 0, "%s", err.msg);
	cr_expect_eq(plan_remove(&node, "big", &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE, "there is none any more");
}

static int plan_note(const struct vps *plan, const struct err *broken, void *arg,
		     struct err *failure)
{
	(void)failure;
	strcat(arg, plan->plan);
	strcat(arg, broken ? "!" : ";");
	return 0;
}

Test(plan, that_cannot_be_read_is_told_among_the_others)
{
	own_node node;
	char seen[100] = "";

	plans_in_scratch(&node);
	scratch_put(scratch, "odd.conf", "ip = auto\n");
	scratch_put(scratch, "notes.txt", "x");
	scratch_put(scratch, ".hidden.conf", "x");
	cr_expect_eq(plan_each(&node, plan_note, seen, &err), 0);
	cr_expect_str_eq(seen, "odd!");
}

Test(plan, three_come_with_the_node_and_what_is_there_stays)
{
	own_node node;
	own_vps nano = { 0 };

	plans_in_scratch(&node);
	scratch_put(scratch, "small.conf", "memory = 7M\n");
	cr_assert_eq(plans_make(&node, NULL, NULL, &err), 0, "%s", err.msg);
	cr_expect(scratch_holds(scratch, "small.conf", "memory = 7M\n"));
	vps_init(&nano);
	cr_assert_eq(plan_load(&node, "nano", &nano, &err), 0, "%s", err.msg);
	cr_expect_eq(nano.limits.cpus_guaranteed, 5);
	cr_expect_eq(nano.limits.memory_guaranteed, 64u << 20);
	cr_expect_eq(plan_check(&nano, &err), 0);
}

Test(plan, a_cap_of_its_own_below_what_the_plan_guarantees_is_the_guarantee)
{
	struct vps plan, vps;

	vps_init(&plan);
	vps_init(&vps);
	plan.limits = (struct limits){ .memory = 1 << 30,
				       .memory_guaranteed = 256 << 20,
				       .cpus = 100,
				       .cpus_guaranteed = 50 };
	vps.limits.memory = 64 << 20;
	vps.limits.cpus = 20;
	vps.overrides = field_bit(field_find("memory")) | field_bit(field_find("cpus"));
	plan_adopt(&plan, &vps);
	cr_expect_eq(vps.limits.memory_guaranteed, 64 << 20);
	cr_expect_eq(vps.limits.cpus_guaranteed, 20);
}

Test(plan, a_guarantee_of_its_own_above_its_cap_stays_an_error)
{
	struct vps vps;

	vps_init(&vps);
	vps.limits.memory = 64 << 20;
	vps.limits.memory_guaranteed = 128 << 20;
	vps.overrides =
	    field_bit(field_find("memory")) | field_bit(field_find("memory-guaranteed"));
	plan_fit(&vps);
	cr_expect_eq(vps.limits.memory_guaranteed, 128 << 20);
	cr_expect_eq(plan_check(&vps, &err), -1);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../node/kinds.h"
#include "err.h"
#include "io.h"
#include "node.h"

static struct err err;
static struct node node;
static char home[] = "/tmp/nodectl-test-XXXXXX";

static void make(void)
{
	cr_assert_not_null(mkdtemp(home));
	node = node_none();
	node.dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	node.vps = dir_make(node.dir, "vps", 0700, &err);
	cr_assert(node.dir >= 0 && node.vps >= 0);
}

static void clean(void)
{
	cr_expect_eq(tree_remove(AT_FDCWD, home, &err), 0);
	node_close(&node);
}

TestSuite(network, .init = make, .fini = clean);

static uint32_t number_of(const char *name)
{
	struct network network = { 0 };

	strcpy(network.name, name);
	return node_network_number(&node, &network, &err) < 0 ? 0 : network.number;
}

static uint32_t created(const char *name)
{
	struct network network = { 0 };

	cr_assert_eq(node_network_create(&node, name, &network, &err), 0, "%s", err.msg);
	cr_expect_str_eq(network.name, name);
	return network.number;
}

Test(network, each_has_a_number_of_its_own)
{
	cr_expect_eq(created("blue"), 1);
	cr_expect_eq(created("red"), 2);
	cr_expect_eq(number_of("blue"), 1);
	cr_expect_eq(number_of("red"), 2);
}

Test(network, a_number_is_never_given_again)
{
	created("blue");
	cr_expect_eq(node_network_remove(&node, "blue", &err), 0, "%s", err.msg);
	cr_expect_eq(created("blue"), 2);
}

Test(network, one_that_is_not_there_is_refused_with_the_way_out)
{
	cr_expect_eq(number_of("blue"), 0);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_not_null(strstr(err.msg, "nodectl network create blue"));
	cr_expect_eq(node_network_remove(&node, "blue", &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(network, one_that_was_removed_and_made_anew_is_another)
{
	struct network network = { "blue", 0 };

	network.number = created("blue");
	cr_expect_eq(node_network_check(&node, &network, &err), 0);
	cr_expect_eq(node_network_remove(&node, "blue", &err), 0);
	cr_expect_eq(node_network_check(&node, &network, &err), -1);
	created("blue");
	cr_expect_eq(node_network_check(&node, &network, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(network, none_asked_for_is_none)
{
	struct network network = { 0 };

	cr_expect_eq(node_network_number(&node, &network, &err), 0);
	cr_expect_eq(network.number, 0);
}

Test(network, a_second_of_that_name_is_refused)
{
	struct network network = { 0 };

	created("blue");
	cr_expect_eq(node_network_create(&node, "blue", &network, &err), -1);
	cr_expect_eq(err.kind, ERR_EXISTS);
}

Test(network, names_are_names)
{
	static const char *const wrong[] = { "", ".last", "a/b", "Blue", "1", "none", "-a" };
	struct network network = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_eq(node_network_create(&node, wrong[i], &network, &err), -1, "%s",
			     wrong[i]);
		cr_expect_eq(err.kind, ERR_VALUE, "%s", wrong[i]);
		cr_expect_eq(node_network_remove(&node, wrong[i], &err), -1, "%s", wrong[i]);
	}
}

static int count_one(const struct network *network, void *arg, struct err *failed)
{
	(void)failed;
	*(unsigned *)arg += network->number;
	return 0;
}

Test(network, all_are_listed_and_nothing_else)
{
	unsigned sum = 0;

	created("blue");
	created("red");
	cr_expect_eq(node_network_each(&node, count_one, &sum, &err), 0);
	cr_expect_eq(sum, 3);
}

static int parse(const char *text, struct network *network)
{
	return kind_network.parse(text, network, sizeof(*network), &err);
}

Test(network, words_of_a_definition)
{
	struct network network = { "old", 3 };

	cr_expect_eq(parse("blue 7", &network), 0);
	cr_expect_str_eq(network.name, "blue");
	cr_expect_eq(network.number, 7);
	cr_expect_eq(parse("red", &network), 0);
	cr_expect_eq(network.number, 0, "it is asked for, and not known yet");
	cr_expect_eq(parse("red 0", &network), -1);
	cr_expect_eq(parse("red x", &network), -1);
	cr_expect_eq(parse("Red", &network), -1);
	cr_expect_str_eq(network.name, "red", "what was there is kept");
	cr_expect_eq(parse("none", &network), 0);
	cr_expect_str_eq(network.name, "");
}

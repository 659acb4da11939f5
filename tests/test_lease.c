/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/lease.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define AT_ONCE 20

static const struct wanted nothing;
static struct err err;
static struct node node;

static struct address address(const char *text)
{
	struct address parsed;

	cr_assert_eq(address_parse(text, &parsed, &err), 0, "%s", err.msg);
	return parsed;
}

/* A node with ids 1..3, a small subnet and nothing leased. */
static void node_make(void)
{
	scratch_make();
	node = (struct node){ .range = { 1, 3 } };
	node.ids = dir_make(scratch, "ids", 0700, &err);
	node.addresses = dir_make(scratch, "addresses", 0700, &err);
	node.bridge.ipv4 = address("10.77.0.1/29");
	cr_assert(node.ids >= 0 && node.addresses >= 0);
}

TestSuite(lease, .init = node_make, .fini = scratch_remove);

static bool take(const char *key, const char *owner)
{
	bool taken = false;

	cr_assert_eq(lease_take(node.ids, key, owner, &taken, &err), 0, "%s", err.msg);
	return taken;
}

static bool owns(int dir, const char *owner, const char *key)
{
	char got[80];

	cr_assert_eq(lease_owner(dir, key, got, sizeof(got), &err), 0, "%s", err.msg);
	return strcmp(got, owner) == 0;
}

static struct vps named(const char *name)
{
	struct vps vps = { 0 };

	strcpy(vps.name, name);
	return vps;
}

Test(lease, of_what_is_free_is_taken)
{
	cr_expect(take("7", "web1"));
	cr_expect(scratch_holds(node.ids, "7", "web1\n"));
	cr_expect_eq(scratch_count(node.ids), 1, "no temporary file is left");
}

Test(lease, of_ones_own_is_taken_again)
{
	cr_expect(take("7", "web1"));
	cr_expect(take("7", "web1"));
}

Test(lease, of_another_is_left_to_him)
{
	cr_expect(take("7", "web1"));
	cr_expect_not(take("7", "web2"));
	cr_expect_not(take("7", "web"));
	cr_expect(owns(node.ids, "web1", "7"));
	cr_expect_eq(scratch_count(node.ids), 1);
}

Test(lease, that_nobody_has_has_no_owner)
{
	cr_expect(owns(node.ids, "", "7"));
}

Test(lease, is_freed_by_its_owner_only)
{
	take("7", "web1");
	cr_expect_eq(lease_free(node.ids, "7", "web2", &err), 0);
	cr_expect(owns(node.ids, "web1", "7"));
	cr_expect_eq(lease_free(node.ids, "7", "web1", &err), 0);
	cr_expect_eq(scratch_count(node.ids), 0);
	cr_expect_eq(lease_free(node.ids, "7", "web1", &err), 0, "freeing twice is fine");
}

Test(lease, in_a_directory_that_is_gone_is_an_error)
{
	bool taken;

	cr_assert_eq(unlinkat(scratch, "ids", AT_REMOVEDIR), 0);
	cr_expect_eq(lease_take(node.ids, "7", "web1", &taken, &err), -1);
	cr_expect_str_eq(err.msg, "cannot write lease '7': No such file or directory");
}

/* Let @work run in many processes that begin together; returns how many said 1. */
static unsigned at_once(int (*work)(const char *name))
{
	pid_t pids[AT_ONCE];
	unsigned ones = 0;
	int gate[2];
	char byte;

	cr_assert_eq(pipe(gate), 0);
	for (int i = 0; i < AT_ONCE; i++) {
		char name[16];

		str_format(name, sizeof(name), "vps%d", i);
		pids[i] = fork();
		if (pids[i] == 0) {
			close(gate[1]);
			(void)!read(gate[0], &byte, 1);
			_exit(work(name));
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < AT_ONCE; i++) {
		int status;

		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "%x", status);
		ones += WEXITSTATUS(status) == 1;
	}
	return ones;
}

static int take_seven(const char *name)
{
	bool taken = false;

	if (lease_take(node.ids, "7", name, &taken, &err) < 0)
		return 2;
	if (taken && !owns(node.ids, name, "7"))
		return 3;
	return taken;
}

Test(lease, that_many_want_at_once_has_one_winner)
{
	for (int round = 0; round < 10; round++) {
		cr_assert_eq(at_once(take_seven), 1);
		cr_assert_eq(scratch_count(node.ids), 1, "no temporary file is left");
		cr_assert_eq(unlinkat(node.ids, "7", 0), 0);
	}
}

static int take_id(const char *name)
{
	struct vps vps = named(name);
	char key[16];

	if (lease_id(&node, &vps, &err) < 0)
		return err.kind == ERR_LEDGER ? 0 : 2;
	str_format(key, sizeof(key), "%u", vps.id);
	return owns(node.ids, name, key) ? 1 : 3;
}

Test(lease, of_ids_gives_each_of_many_at_once_another)
{
	node.range.last = 15;
	cr_expect_eq(at_once(take_id), 15, "the others are told that none is left");
	cr_expect_eq(scratch_count(node.ids), 16, "15 ids and the hint");
}

static unsigned next_id(const char *name)
{
	struct vps vps = named(name);

	cr_assert_eq(lease_id(&node, &vps, &err), 0, "%s", err.msg);
	return vps.id;
}

static void free_id(const char *key, const char *name)
{
	cr_assert_eq(lease_free(node.ids, key, name, &err), 0);
}

Test(lease, of_ids_begins_with_the_first_and_goes_up)
{
	node.range.first = 100;
	node.range.last = 102;
	cr_expect_eq(next_id("a"), 100);
	cr_expect_eq(next_id("b"), 101);
	cr_expect_eq(next_id("c"), 102);
}

Test(lease, of_an_id_comes_back_as_late_as_possible)
{
	cr_expect_eq(next_id("a"), 1);
	free_id("1", "a");
	cr_expect_eq(next_id("b"), 2);
	cr_expect_eq(next_id("c"), 3);
	cr_expect_eq(next_id("d"), 1, "only when there is no other");
}

Test(lease, of_ids_steps_over_what_is_taken)
{
	next_id("a");
	take("2", "z");
	cr_expect_eq(next_id("b"), 3);
}

Test(lease, of_ids_says_when_there_is_none_left)
{
	struct vps vps = named("d");

	next_id("a");
	next_id("b");
	next_id("c");
	cr_expect_eq(lease_id(&node, &vps, &err), -1);
	cr_expect_eq(err.kind, ERR_LEDGER);
	cr_expect_str_eq(err.msg, "all 3 ids of this node are taken");
	cr_expect_eq(vps.id, 0);
}

Test(lease, of_ids_lives_without_the_hint)
{
	static const char *const hints[] = { "", "x", "99", "0", "-1", "2\n", "2 " };

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		scratch_put(node.ids, ".last", hints[i]);
		cr_expect_eq(next_id("a"), 1, "'%s'", hints[i]);
		free_id("1", "a");
	}
}

static int network(struct vps *vps, bool auto4, bool auto6)
{
	memset(&err, 0, sizeof(err));
	const struct wanted wanted = { .auto4 = auto4, .auto6 = auto6 };

	return lease_network(&node, vps, &wanted, &err);
}

static void gets(const char *name, unsigned id, const char *expected)
{
	struct vps vps = named(name);
	char text[ADDRESS_TEXT];

	vps.id = id;
	cr_assert_eq(network(&vps, true, false), 0, "%s", err.msg);
	address_print(&vps.link.ipv4, true, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

static void refused(const char *wanted, int kind, const char *message)
{
	struct vps vps = named("web2");

	*(strchr(wanted, ':') ? &vps.link.ipv6 : &vps.link.ipv4) = address(wanted);
	cr_expect_eq(network(&vps, false, false), -1, "%s", wanted);
	cr_expect_eq(err.kind, kind);
	cr_expect_str_eq(err.msg, message);
	cr_expect_eq(scratch_count(node.addresses), 0);
}

Test(lease, of_an_address_follows_the_id)
{
	gets("a", 1, "10.77.0.2/29");
	gets("b", 3, "10.77.0.4/29");
	cr_expect(scratch_holds(node.addresses, "10.77.0.4", "b\n"));
}

Test(lease, of_an_address_takes_the_next_when_that_one_is_taken)
{
	gets("a", 1, "10.77.0.2/29");
	gets("b", 1, "10.77.0.3/29");
}

Test(lease, of_an_address_never_gives_the_nodes_own)
{
	node.bridge.ipv4 = address("10.77.0.3/29");
	gets("a", 2, "10.77.0.4/29");
}

Test(lease, of_an_address_goes_on_at_the_first_host)
{
	node.bridge.ipv4 = address("10.77.0.6/29");
	gets("a", 4, "10.77.0.5/29");
	gets("b", 4, "10.77.0.1/29");
	gets("c", 4, "10.77.0.2/29");
}

Test(lease, of_an_address_gives_every_host_once)
{
	struct vps vps = named("f");

	gets("a", 3, "10.77.0.4/29");
	gets("b", 3, "10.77.0.5/29");
	gets("c", 3, "10.77.0.6/29");
	gets("d", 3, "10.77.0.2/29");
	gets("e", 3, "10.77.0.3/29");
	cr_expect_eq(network(&vps, true, false), -1);
	cr_expect_eq(err.kind, ERR_LEDGER);
	cr_expect_str_eq(err.msg, "no address is free in the node's subnet");
}

Test(lease, of_an_address_of_ipv6_follows_the_id_too)
{
	struct vps vps = named("a");
	char text[ADDRESS_TEXT];

	node.bridge.ipv6 = address("fd00:0:0:1::1/64");
	vps.id = 0xff;
	cr_assert_eq(network(&vps, false, true), 0, "%s", err.msg);
	address_print(&vps.link.ipv6, true, text, sizeof(text));
	cr_expect_str_eq(text, "fd00:0:0:1::100/64");
}

Test(lease, of_an_address_needs_a_subnet)
{
	struct vps vps = named("a");

	cr_expect_eq(network(&vps, false, true), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg, "this node has no subnet6 (node.conf)");
	refused("fd00::7", ERR_VALUE, "this node has no subnet6 (node.conf)");
}

Test(lease, of_a_named_address_gets_the_prefix_of_the_subnet)
{
	struct vps vps = named("web1");

	vps.link.ipv4 = address("10.77.0.5");
	cr_expect_eq(network(&vps, false, false), 0, "%s", err.msg);
	cr_expect_eq(vps.link.ipv4.prefix, 29);
	cr_expect(owns(node.addresses, "web1", "10.77.0.5"));
	cr_expect_eq(network(&vps, false, false), 0, "it may keep its own");
}

Test(lease, of_a_named_address_that_is_taken_names_the_owner)
{
	struct vps vps = named("web2");

	gets("web1", 4, "10.77.0.5/29");
	vps.link.ipv4 = address("10.77.0.5");
	cr_expect_eq(network(&vps, false, false), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "address 10.77.0.5 belongs to 'web1'");
}

Test(lease, of_the_nodes_own_address_is_refused)
{
	refused("10.77.0.1", ERR_ADDRESS, "address 10.77.0.1 is the node's own");
}

Test(lease, of_what_is_no_host_of_the_subnet_is_refused)
{
	refused(
	    "10.78.0.1", ERR_VALUE,
	    "address 10.78.0.1 is not a host of the node's subnet 10.77.0.1/29, nor of a pool");
	refused(
	    "10.77.0.0", ERR_VALUE,
	    "address 10.77.0.0 is not a host of the node's subnet 10.77.0.1/29, nor of a pool");
	refused(
	    "10.77.0.7", ERR_VALUE,
	    "address 10.77.0.7 is not a host of the node's subnet 10.77.0.1/29, nor of a pool");
}

static struct vps publishing(const char *name, const char *text)
{
	struct vps vps = named(name);

	cr_assert_eq(publish_parse(text, &vps.link.publish[0], &err), 0);
	vps.link.publish_count = 1;
	return vps;
}

Test(lease, of_a_host_port_is_one_for_each_protocol)
{
	struct vps tcp = publishing("a", "53:53"), udp = publishing("b", "53:53/udp");

	cr_expect_eq(network(&tcp, false, false), 0, "%s", err.msg);
	cr_expect_eq(network(&udp, false, false), 0, "%s", err.msg);
	cr_expect(owns(node.addresses, "a", "tcp-53"));
	cr_expect(owns(node.addresses, "b", "udp-53"));
}

Test(lease, of_a_host_port_that_is_taken_names_the_owner)
{
	struct vps first = publishing("a", "53:53/udp"), second = publishing("b", "53:99/udp");

	cr_expect_eq(network(&first, false, false), 0, "%s", err.msg);
	cr_expect_eq(network(&second, false, false), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "host port 53/udp is published by 'a'");
}

/* Everything that can be leased, leased to "web1". */
static struct vps everything(void)
{
	struct vps vps = publishing("web1", "8080:80");

	node.bridge.ipv6 = address("fd00::1/64");
	cr_assert_eq(lease_id(&node, &vps, &err), 0);
	cr_assert_eq(network(&vps, true, true), 0, "%s", err.msg);
	cr_assert_eq(scratch_count(node.addresses), 3);
	return vps;
}

Test(lease, of_all_that_a_vps_has_is_freed)
{
	struct vps vps = everything();

	cr_expect_eq(lease_free_all(&node, &vps, &err), 0);
	cr_expect_eq(scratch_count(node.addresses), 0);
	cr_expect_eq(scratch_count(node.ids), 1, "the hint stays");
}

Test(lease, of_another_vps_is_not_freed_with_it)
{
	struct vps vps = everything();

	strcpy(vps.name, "web2");
	cr_expect_eq(lease_free_all(&node, &vps, &err), 0);
	cr_expect_eq(scratch_count(node.addresses), 3);
	cr_expect(owns(node.ids, "web1", "1"));
}

Test(lease, that_is_missing_is_found_and_taken_again)
{
	struct vps vps = everything();
	unsigned missing = 0;

	cr_expect_eq(lease_restore(&node, &vps, false, &missing, &err), 0);
	cr_expect_eq(missing, 0);
	unlinkat(node.ids, "1", 0);
	unlinkat(node.addresses, "tcp-8080", 0);
	cr_expect_eq(lease_restore(&node, &vps, true, &missing, &err), 0);
	cr_expect_eq(missing, 2);
	cr_expect(owns(node.ids, "", "1"), "a dry run changes nothing");
	missing = 0;
	cr_expect_eq(lease_restore(&node, &vps, false, &missing, &err), 0);
	cr_expect_eq(missing, 2);
	cr_expect(owns(node.ids, "web1", "1"));
	cr_expect(owns(node.addresses, "web1", "tcp-8080"));
}

Test(lease, that_somebody_else_got_is_a_conflict_and_not_taken_back)
{
	struct vps vps = everything();
	unsigned missing = 0;

	scratch_put(node.addresses, "10.77.0.2", "web9\n");
	cr_expect_eq(lease_restore(&node, &vps, false, &missing, &err), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "'web1' has 10.77.0.2, which is leased to 'web9'");
	cr_expect(owns(node.addresses, "web9", "10.77.0.2"));
}

Test(lease, tells_what_a_vps_has_whose_definition_is_lost)
{
	struct vps has = everything(), left = named("web1");
	bool taken;

	cr_assert_eq(lease_take(node.addresses, "tcp-9", "beta", &taken, &err), 0);
	cr_assert(take("3", "beta"));
	cr_expect_eq(lease_left(&node, &left, &err), 0, "%s", err.msg);
	cr_expect_eq(left.id, has.id);
	cr_expect(memcmp(left.link.ipv4.bytes, has.link.ipv4.bytes, 4) == 0);
	cr_expect(memcmp(left.link.ipv6.bytes, has.link.ipv6.bytes, 16) == 0);
	cr_expect_eq(left.link.publish_count, 1);
	cr_expect_eq(left.link.publish[0].host, 8080);
	cr_expect_eq(lease_free_all(&node, &left, &err), 0);
	cr_expect_eq(scratch_count(node.addresses), 1, "that of another stays");
	cr_expect_eq(scratch_count(node.ids), 2, "that of another and the hint stay");
}

Test(lease, tells_nothing_of_a_vps_that_has_none)
{
	struct vps left = named("alpha");

	cr_assert(take("3", "beta"));
	cr_expect_eq(lease_left(&node, &left, &err), 0);
	cr_expect_eq(left.id, 0);
	cr_expect_eq(left.link.publish_count, 0);
}

Test(lease, a_port_has_a_name_that_says_all_of_it)
{
	const char *keys[] = { "tcp-22001", "udp-53", "tcp-203.0.113.5-80",
			       "udp-2001:db8::5-53" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct publish port;
		char key[80];

		cr_assert(publish_key_parse(keys[i], &port), "%s", keys[i]);
		publish_key(&port, key, sizeof(key));
		cr_expect_str_eq(key, keys[i]);
	}
}

Test(lease, of_a_range_is_one_of_each_port)
{
	struct vps none = named("web1"), vps = publishing("web1", "8000-8003:80");

	cr_assert_eq(lease_change(&node, &none, &vps, &nothing, &err), 0, "%s", err.msg);
	cr_expect_eq(scratch_count(node.addresses), 4);
	cr_expect(owns(node.addresses, "web1", "tcp-8003"));
	cr_expect(lease_is_of(&vps, "tcp-8003"));
	cr_expect_not(lease_is_of(&vps, "tcp-8004"));
	cr_expect_not(lease_is_of(&vps, "tcp-10.0.0.1-8003"));
}

Test(lease, a_change_that_is_refused_takes_nothing)
{
	struct vps none = named("web1"), other = publishing("web2", "8003:80");
	struct vps vps = publishing("web1", "8000-8003:80");

	cr_assert_eq(lease_change(&node, &none, &other, &nothing, &err), 0, "%s", err.msg);
	cr_expect_eq(lease_change(&node, &none, &vps, &nothing, &err), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "host port 8003/tcp is published by 'web2'");
	cr_expect_eq(scratch_count(node.addresses), 1);
}

/* One that is not in the definition would be given back by nobody. */
Test(lease, an_address_that_there_is_no_room_for_is_not_taken)
{
	const struct wanted wanted = { .more = { { .family = AF_INET } }, .more_count = 1 };
	struct vps before = named("web1"), after;
	unsigned count;

	before.id = 1;
	cr_assert_eq(network(&before, true, false), 0, "%s", err.msg);
	while (link_has_room(&before.link, AF_INET)) {
		struct address one = address("10.77.0.2");

		one.bytes[2] = (uint8_t)(100 + before.link.further_count);
		cr_assert(link_address_add(&before.link, &one));
	}
	count = scratch_count(node.addresses);
	after = before;
	cr_expect_eq(lease_change(&node, &before, &after, &wanted, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE, "%s", err.msg);
	cr_expect_eq(scratch_count(node.addresses), count);
}

Test(lease, what_is_no_longer_published_is_free)
{
	struct vps before = publishing("web1", "8000-8003:80");
	struct vps none = named("web1"), after = publishing("web1", "8002-8004:80");

	cr_assert_eq(lease_change(&node, &none, &before, &nothing, &err), 0, "%s", err.msg);
	cr_assert_eq(lease_change(&node, &before, &after, &nothing, &err), 0, "%s", err.msg);
	cr_assert_eq(lease_shed(&node, &before, &after, &err), 0, "%s", err.msg);
	cr_expect_eq(scratch_count(node.addresses), 3);
	cr_expect(owns(node.addresses, "web1", "tcp-8004"));
}

Test(lease, neighbouring_ports_are_found_as_a_range)
{
	struct vps none = named("web1"), vps = publishing("web1", "8000-8003:80");
	struct vps left = named("web1");
	unsigned ports;

	cr_assert_eq(lease_change(&node, &none, &vps, &nothing, &err), 0, "%s", err.msg);
	cr_assert_eq(lease_left(&node, &left, &err), 0, "%s", err.msg);
	ports = publish_ports(&left.link);
	cr_expect_eq(ports, 4);
}

static void with_pool(const char *network)
{
	node.pools[0].network = address(network);
	strcpy(node.pools[0].name, "public");
	node.pools_count = 1;
}

static int get(struct vps *vps, const char *prefix)
{
	const struct vps none = named(vps->name);

	vps->link.ipv4 = address("10.77.0.2/29");
	vps->link.routed[0] = address(prefix);
	vps->link.routed_count = *prefix == '0' ? 0 : 1;
	return lease_change(&node, &none, vps, &nothing, &err);
}

Test(lease, of_a_pool_is_an_address_of_its_own)
{
	struct vps none = named("web1"), vps = named("web1");
	struct wanted wanted = { .more = { { "public", AF_INET }, { "public", AF_INET } },
				 .more_count = 2 };
	char text[ADDRESS_TEXT];

	with_pool("203.0.113.0/29");
	cr_assert_eq(lease_change(&node, &none, &vps, &wanted, &err), 0, "%s", err.msg);
	address_print(&vps.link.ipv4, true, text, sizeof(text));
	cr_expect_str_eq(text, "203.0.113.1/32");
	cr_expect_eq(vps.link.further_count, 1);
	cr_expect(owns(node.addresses, "web1", "203.0.113.2"));
}

Test(lease, of_a_prefix_shuts_others_out_of_it)
{
	struct vps gate = named("gate"), web = named("web1"), none = named("web1");

	with_pool("203.0.113.0/24");
	cr_assert_eq(get(&gate, "203.0.113.16/28"), 0, "%s", err.msg);
	web.link.ipv4 = address("203.0.113.17");
	cr_expect_eq(lease_change(&node, &none, &web, &nothing, &err), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "address 203.0.113.17 belongs to 'gate'");
	web.link.ipv4 = address("203.0.113.32");
	cr_expect_eq(lease_change(&node, &none, &web, &nothing, &err), 0, "%s", err.msg);
	cr_expect_eq(scratch_count(node.addresses), 3);
}

Test(lease, of_a_prefix_wants_all_of_it)
{
	struct vps web = named("web1"), none = named("web1"), gate = named("gate");

	with_pool("203.0.113.0/24");
	web.link.ipv4 = address("203.0.113.17");
	cr_assert_eq(lease_change(&node, &none, &web, &nothing, &err), 0, "%s", err.msg);
	cr_expect_eq(get(&gate, "203.0.113.16/28"), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_eq(scratch_count(node.addresses), 1, "what was taken is given back");
	cr_expect_eq(get(&gate, "198.51.100.0/28"), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(lease, of_a_pool_never_is_its_gateway)
{
	struct vps none = named("web1"), vps = named("web1"), gate = named("gate");
	struct wanted wanted = { .more = { { "public", AF_INET } }, .more_count = 1 };
	char text[ADDRESS_TEXT];

	with_pool("203.0.113.0/24");
	node.pools[0].gateway = address("203.0.113.1");
	cr_assert_eq(lease_change(&node, &none, &vps, &wanted, &err), 0, "%s", err.msg);
	address_print(&vps.link.ipv4, true, text, sizeof(text));
	cr_expect_str_eq(text, "203.0.113.2/32");
	vps.link.ipv4 = address("203.0.113.1");
	cr_expect_eq(lease_change(&node, &none, &vps, &nothing, &err), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "address 203.0.113.1 is the gateway of pool 'public'");
	cr_expect_eq(get(&gate, "203.0.113.0/28"), -1, "nor is a prefix around it");
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_eq(get(&gate, "203.0.113.16/28"), 0, "%s", err.msg);
}

Test(lease, of_an_address_keeps_it_from_becoming_a_gateway)
{
	struct vps none = named("web1"), vps = named("web1");

	with_pool("203.0.113.0/24");
	vps.link.ipv4 = address("203.0.113.1");
	cr_assert_eq(lease_change(&node, &none, &vps, &nothing, &err), 0, "%s", err.msg);
	cr_expect_eq(lease_gateways_check(&node, NULL, &err), 0, "it has none");
	node.pools[0].gateway = address("203.0.113.2");
	cr_expect_eq(lease_gateways_check(&node, NULL, &err), 0, "it is nobody's");
	node.pools[0].gateway = address("203.0.113.1");
	cr_expect_eq(lease_gateways_check(&node, NULL, &err), -1);
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(err.msg, "pool public: its gateway 203.0.113.1 belongs to 'web1', "
				  "which must give it up first");
}

Test(lease, that_cannot_be_read_is_nobodys_to_take_or_free)
{
	char owner[80] = "x";
	bool taken = true;

	cr_assert_eq(mkdirat(node.ids, "7", 0700), 0);
	cr_expect_eq(lease_owner(node.ids, "7", owner, sizeof(owner), &err), -1);
	cr_expect_str_eq(owner, "");
	cr_expect_eq(lease_take(node.ids, "7", "web1", &taken, &err), -1);
	cr_expect_eq(lease_free(node.ids, "7", "web1", &err), -1);
	cr_expect_eq(lease_owner(node.ids, "8", owner, sizeof(owner), &err), 0);
	cr_expect_str_eq(owner, "", "one that is not there is free");
}

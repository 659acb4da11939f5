/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "node.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define KEY    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII"
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* The least that a definition must say, and all that it can. */
#define MINIMAL "name = web1\nid = 7\ndigest = " DIGEST "\n"

static const char full[] = "name = web1\n"
			   "id = 28663\n"
			   "uuid = 11111111-2222-4333-8444-555555555555\n"
			   "created = 2026-11-21T17:40:28Z\n"
			   "image = debian-12:tag\n"
			   "digest = " DIGEST "\n"
			   "plan = small\n"
			   "cpus = 1.55\n"
			   "cpu-guaranteed = 0.25\n"
			   "weight = 10000\n"
			   "memory = 1536M\n"
			   "memory-guaranteed = 512M\n"
			   "swap = 1G\n"
			   "tasks = 1024\n"
			   "disk = 10G\n"
			   "inodes = 4194304\n"
			   "io-read = 50M/s,500iops\n"
			   "io-write = 300iops\n"
			   "io-weight = 200\n"
			   "rate-in = 100M\n"
			   "rate-out = 1500k\n"
			   "packet-rate = 20000\n"
			   "smtp = yes\n"
			   "allow-in = icmp,tcp/22,80,8000-8010,udp/53\n"
			   "connections = 20000\n"
			   "traffic = 3T\n"
			   "traffic-period = day:15\n"
			   "traffic-count = max\n"
			   "traffic-action = throttle:10M\n"
			   "override = memory\n"
			   "override = traffic\n"
			   "net-mode = routed\n"
			   "network = blue 7\n"
			   "ip = 10.77.0.8/16\n"
			   "ip = 203.0.113.8/32\n"
			   "ip6 = fd00::8/64\n"
			   "ip6 = 2001:db8::8/128\n"
			   "route = 203.0.113.16/28\n"
			   "route = 2001:db8:8::/48\n"
			   "publish = 22001:22\n"
			   "publish = 22001:53/udp\n"
			   "hostname = web1.example.org\n"
			   "nameserver = 192.0.2.53\n"
			   "nameserver = 2001:db8::53\n"
			   "ssh-key = " KEY " me@home\n"
			   "ssh-key = " KEY " you there\n"
			   "init = /lib/systemd/systemd\n"
			   "stop-signal = SIGRTMIN+3\n"
			   "stop-timeout = 90\n"
			   "restart = no\n"
			   "onboot = yes\n"
			   "order = 5\n"
			   "allow-unenforced = swap\n"
			   "allow-unenforced = cpus\n"
			   "allow-unenforced = io-weight\n";

static struct err err;

/* What is printed, without the comment in front. */
static char *printed(const struct vps *vps)
{
	own_str text = vps_print(vps);

	cr_assert_eq(text[0], '#');
	return xstrdup(strchr(text, '\n') + 1);
}

static void parsed(struct vps *vps, const char *text)
{
	cr_assert_eq(vps_parse(vps, text, &err), 0, "%s", err.msg);
}

static void refused(const char *text, const char *message)
{
	own_vps vps = { .id = 99 };

	memset(&err, 0, sizeof(err));
	cr_expect_eq(vps_parse(&vps, text, &err), -1, "%s", text);
	cr_expect_str_eq(err.msg, message);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_eq(vps.id, 99, "what was there is kept");
}

Test(fields, a_full_definition_is_printed_as_it_was_read)
{
	own_vps vps = { 0 };

	parsed(&vps, full);
	own_str text = printed(&vps);
	cr_expect_str_eq(text, full);
}

Test(fields, a_full_definition_lands_in_its_members)
{
	own_vps vps = { 0 };

	parsed(&vps, full);
	cr_expect_eq(vps.id, 28663);
	cr_expect_eq(vps.created, 1795282828);
	cr_expect_eq(vps.limits.cpus, 155);
	cr_expect_eq(vps.limits.memory, 1536ull << 20);
	cr_expect_eq(vps.limits.accepted, LIMIT_SWAP | LIMIT_CPU | LIMIT_IO_WEIGHT);
	cr_expect_eq(vps.volume.size, 10ull << 30);
	cr_expect_eq(vps.link.mode, LINK_ROUTED);
	cr_expect_str_eq(vps.link.network.name, "blue");
	cr_expect_eq(vps.link.network.number, 7);
	cr_expect_eq(vps.link.ipv4.prefix, 16);
	cr_expect_eq(vps.link.further_count, 2);
	cr_expect_eq(vps.link.further[1].family, AF_INET6);
	cr_expect_eq(vps.link.routed_count, 2);
	cr_expect_eq(vps.link.publish_count, 2);
	cr_expect_eq(vps.link.publish[1].protocol, IPPROTO_UDP);
	cr_expect_eq(vps.nameserver[1].family, AF_INET6);
	cr_expect_eq(vps.nameserver[2].family, 0);
	cr_expect_str_eq(vps.ssh_keys, KEY " me@home\n" KEY " you there\n");
	cr_expect_eq(vps.stop_timeout, 90);
	cr_expect_eq(vps.restart, VPS_RESTART_NO);
	cr_expect_eq(vps.onboot, VPS_ONBOOT_YES);
}

Test(fields, every_field_is_in_the_full_definition)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str line = xasprintf("%s = ", vps_fields[i].key);
		const char *at = strstr(full, line);

		cr_expect(at && (at == full || at[-1] == '\n'), "%s", vps_fields[i].key);
	}
}

Test(fields, a_minimal_definition_has_the_defaults)
{
	own_vps vps = { 0 };

	parsed(&vps, MINIMAL);
	cr_expect_str_eq(vps.init, "/sbin/init");
	cr_expect_str_eq(vps.stop_signal, "auto");
	cr_expect_eq(vps.stop_timeout, 60);
	cr_expect_eq(vps.order, 1000);
	cr_expect_eq(vps.restart, VPS_RESTART_ON_CRASH);
	cr_expect_eq(vps.onboot, VPS_ONBOOT_LAST);
	cr_expect_null(vps.ssh_keys);
}

Test(fields, a_minimal_definition_stays_the_same_once_it_was_printed)
{
	own_vps vps = { 0 }, again = { 0 };

	parsed(&vps, MINIMAL);
	own_str first = printed(&vps);
	parsed(&again, first);
	own_str second = printed(&again);
	cr_expect_str_eq(first, second);
	cr_expect_eq(memcmp(&vps, &again, sizeof(vps)), 0);
}

/* A word of what the kind of a key takes, from @seed; "" when it is left out. */
static char *random_value(const char *key, uint64_t *seed)
{
	unsigned long long draw = random_next(seed) >> 20;

	if (strcmp(key, "name") == 0)
		return xasprintf("n%llx", draw);
	if (strcmp(key, "id") == 0)
		return xasprintf("%llu", 1 + draw % VPS_ID_MAX);
	if (strcmp(key, "digest") == 0)
		return xasprintf("%064llx", draw);
	if (draw % 3 == 0)
		return xstrdup("");
	draw /= 3;
	if (strcmp(key, "created") == 0)
		return xasprintf("20%02llu-%02llu-%02lluT%02llu:%02llu:%02lluZ", draw % 100,
				 1 + draw / 100 % 12, 1 + draw % 28, draw % 24, draw % 60,
				 draw % 59);
	if (strcmp(key, "cpus") == 0)
		return xasprintf("%llu.%02llu", draw % 4096, draw % 100);
	if (strcmp(key, "cpu-guaranteed") == 0)
		return xasprintf("%llu.%02llu", draw % 64, draw % 100);
	if (strcmp(key, "io-read") == 0 || strcmp(key, "io-write") == 0)
		return xasprintf("%lluM/s,%lluiops", draw % 4096, draw / 4096 % 100000);
	if (strcmp(key, "override") == 0)
		return xstrdup(draw % 2 ? "memory" : "traffic");
	if (strcmp(key, "weight") == 0 || strcmp(key, "io-weight") == 0)
		return xasprintf("%llu", 1 + draw % 10000);
	if (strcmp(key, "memory") == 0 || strcmp(key, "swap") == 0 || strcmp(key, "disk") == 0)
		return xasprintf("%llu%c", draw % 5000, "KMGT"[draw / 5000 % 4]);
	if (strcmp(key, "ip") == 0)
		return xasprintf("10.%llu.%llu.9/%llu", draw % 256, draw / 256 % 256,
				 draw % 33);
	if (strcmp(key, "ip6") == 0)
		return xasprintf("fd00:%llx::%llx/%llu", draw % 65536, draw / 65536 % 65536,
				 draw % 129);
	if (strcmp(key, "route") == 0)
		return xasprintf("10.%llu.%llu.0/24", draw % 256, draw / 256 % 256);
	if (strcmp(key, "publish") == 0)
		return xasprintf("%llu:%llu%s", 1 + draw % 65535, 1 + draw / 65535 % 65535,
				 draw % 2 ? "/udp" : "");
	if (strcmp(key, "nameserver") == 0)
		return xasprintf("192.0.2.%llu", draw % 256);
	if (strcmp(key, "ssh-key") == 0)
		return xasprintf(KEY " %llx", draw);
	if (strcmp(key, "traffic-period") == 0)
		return xasprintf("day:%llu", 1 + draw % 28);
	if (strcmp(key, "traffic-count") == 0)
		return xstrdup(draw % 2 ? "max" : "sum");
	if (strcmp(key, "traffic-action") == 0)
		return xasprintf("throttle:%lluk", 64 + draw % 100000);
	if (strcmp(key, "init") == 0)
		return xasprintf("/%llx/init", draw);
	if (strcmp(key, "stop-signal") == 0)
		return xasprintf("SIGRTMIN+%llu", draw % 30);
	if (strcmp(key, "network") == 0)
		return xasprintf("n%llx %llu", draw % 100, 1 + draw % 100000);
	if (strcmp(key, "net-mode") == 0)
		return xstrdup(link_mode_name(draw % 3));
	if (strcmp(key, "smtp") == 0)
		return xasprintf("%s", draw & 1 ? "yes" : "no");
	if (strcmp(key, "allow-in") == 0)
		return xasprintf("tcp/%llu-%llu,udp", 1 + draw % 30000,
				 30000 + draw / 30000 % 30000);
	if (strcmp(key, "connections") == 0)
		return xasprintf("%llu", 16 + draw % 100000);
	if (strcmp(key, "packet-rate") == 0)
		return xasprintf("%llu", 10 + draw % 100000);
	if (strcmp(key, "restart") == 0)
		return xstrdup(draw % 2 ? "no" : "on-crash");
	if (strcmp(key, "onboot") == 0)
		return xstrdup(draw % 2 ? "no" : "yes");
	if (strcmp(key, "allow-unenforced") == 0)
		return xstrdup(draw % 2 ? "memory" : "tasks");
	if (strcmp(key, "hostname") == 0 || strcmp(key, "plan") == 0 ||
	    strcmp(key, "image") == 0 || strcmp(key, "uuid") == 0)
		return xasprintf("w%llx", draw);
	return xasprintf("%llu", draw % 100000);
}

Test(fields, any_definition_is_the_same_after_print_and_parse)
{
	uint64_t seed = 4;

	for (int round = 0; round < 3000; round++) {
		own_vps vps, back = { 0 };

		vps_init(&vps);
		for (size_t i = 0; i < vps_fields_count; i++) {
			own_str value = random_value(vps_fields[i].key, &seed);

			if (*value)
				cr_assert_eq(field_set(&vps, &vps_fields[i], value, &err), 0,
					     "%s", err.msg);
		}
		own_str text = vps_print(&vps);
		parsed(&back, text);
		own_str again = vps_print(&back);
		cr_assert_str_eq(text, again);
		cr_assert_eq(!vps.ssh_keys, !back.ssh_keys);
		cr_assert_eq(vps.limits.memory, back.limits.memory);
		cr_assert(address_is_equal(&vps.link.ipv4, &back.link.ipv4));
		cr_assert(address_is_equal(&vps.link.ipv6, &back.link.ipv6));
	}
}

Test(fields, an_unknown_key_is_named_with_its_line)
{
	refused(MINIMAL "colour = red\n", "line 4: unknown key 'colour'");
	refused("Name = web1\n", "line 1: unknown key 'Name'");
	refused(" = x\n", "line 1: unknown key ''");
}

Test(fields, a_key_that_is_no_list_must_not_come_twice)
{
	refused(MINIMAL "memory = 1G\nmemory = 1G\n", "line 5: 'memory' is given twice");
	refused(MINIMAL "id = 8\n", "line 4: 'id' is given twice");
}

Test(fields, a_bad_value_is_named_with_line_and_key)
{
	refused(MINIMAL "memory = lots\n",
		"line 4: memory: 'lots' is not a size (like 512M or 10G)");
}

Test(fields, a_definition_without_name_id_or_digest_is_none)
{
	static const char *const texts[] = {
		"",
		"name = web1\nid = 7\n",
		"name = web1\ndigest = " DIGEST "\n",
		"id = 7\ndigest = " DIGEST "\n",
		"name = web1\nid = 0\ndigest = " DIGEST "\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		refused(texts[i], "name, id or digest is missing");
}

Test(fields, an_id_beyond_the_last_one_is_refused)
{
	own_vps vps = { 0 };

	cr_expect_eq(vps_parse(&vps, "name = a\nid = 28664\ndigest = " DIGEST "\n", &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(fields, a_value_may_have_the_length_of_its_member_and_no_more)
{
	own_vps vps = { 0 };

	refused(
	    "name = web1\nid = 7\ndigest = " DIGEST "0\n",
	    "line 3: digest: '0123456789abcdef0123456789abcdef01234567...' is longer than 64 "
	    "bytes");
	parsed(&vps, MINIMAL);
	cr_expect_str_eq(vps.digest, DIGEST);
}

Test(fields, every_key_is_found_and_is_the_only_one_of_its_name)
{
	for (size_t i = 0; i < vps_fields_count; i++)
		cr_expect_eq(field_find(vps_fields[i].key), &vps_fields[i]);
	cr_expect_null(field_find("none-such"));
	cr_expect_null(field_find(""));
}

/* Lists of the link, whose kinds know where in it they are. */
static bool is_of_link(const struct field *field)
{
	return field->offset == offsetof(struct vps, link) &&
	       field->size == sizeof(struct link);
}

Test(fields, no_member_belongs_to_two_fields)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		for (size_t j = 0; j < i; j++)
			cr_expect(vps_fields[i].offset != vps_fields[j].offset ||
				      vps_fields[i].size != vps_fields[j].size ||
				      is_of_link(&vps_fields[i]),
				  "%s and %s", vps_fields[i].key, vps_fields[j].key);
	}
}

Test(fields, what_a_plan_may_give_is_an_option_too)
{
	for (size_t i = 0; i < vps_fields_count; i++)
		cr_expect(!(vps_fields[i].flags & FIELD_PLAN) ||
			      vps_fields[i].flags & FIELD_OPTION,
			  "%s", vps_fields[i].key);
}

Test(fields, a_plan_changes_only_what_it_says)
{
	own_vps vps;

	vps_init(&vps);
	vps.limits.tasks = 77;
	cr_expect_eq(plan_parse(&vps, "# small\ncpus = 0.5\nmemory = 256M\n", &err), 0, "%s",
		     err.msg);
	cr_expect_eq(vps.limits.cpus, 50);
	cr_expect_eq(vps.limits.memory, 256u << 20);
	cr_expect_eq(vps.limits.tasks, 77);
}

Test(fields, a_plan_may_give_neither_identity_nor_network)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str text = xasprintf("%s = x\n", vps_fields[i].key);
		own_str want =
		    xasprintf("line 1: '%s' does not belong here", vps_fields[i].key);
		own_vps vps;

		if (vps_fields[i].flags & FIELD_PLAN)
			continue;
		vps_init(&vps);
		cr_expect_eq(plan_parse(&vps, text, &err), -1, "%s", text);
		cr_expect_str_eq(err.msg, want);
		cr_expect_eq(err.kind, ERR_VALUE);
	}
}

Test(fields, a_key_twice_in_a_plan_is_refused)
{
	own_vps vps;

	vps_init(&vps);
	cr_expect_eq(plan_parse(&vps, "cpus = 1\ncpus = 2\n", &err), -1);
	cr_expect_str_eq(err.msg, "line 2: 'cpus' is given twice");
}

Test(fields, freeing_takes_an_empty_one_and_twice)
{
	struct vps vps = { .ssh_keys = xstrdup("x\n") };

	vps_free(&vps);
	cr_expect_null(vps.ssh_keys);
	vps_free(&vps);
}

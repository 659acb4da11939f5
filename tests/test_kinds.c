/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/kinds.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "own.h"
#include "str.h"
#include "vps.h"

#define BODY "AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIII"

static struct err err;

/* Long enough for the value of any kind; cleared for each test by the fork. */
static union {
	char text[65];
	unsigned number;
	uint64_t bytes;
	int64_t time;
	struct address address;
	struct address servers[VPS_NAMESERVERS];
	struct link link;
	char *keys;
} value;

static size_t size_of(const struct kind *kind)
{
	return kind == &kind_servers ? sizeof(value.servers) : sizeof(value.text);
}

static void takes(const struct kind *kind, const char *text)
{
	cr_expect_eq(kind->parse(text, &value, size_of(kind), &err), 0, "'%s': %s", text,
		     err.msg);
}

static void refuses(const struct kind *kind, const char *text)
{
	memset(&err, 0, sizeof(err));
	cr_expect_eq(kind->parse(text, &value, size_of(kind), &err), -1, "'%s' was taken",
		     text);
	cr_expect_eq(err.kind, ERR_VALUE, "'%s'", text);
	cr_expect_neq(err.msg[0], 0, "'%s'", text);
}

static void refuses_all(const struct kind *kind, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		refuses(kind, texts[i]);
}

static void prints(const struct kind *kind, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	kind->print("k", &value, size_of(kind), out);
	fclose(out);
	cr_expect_str_eq(text, expected);
	free(text);
}

Test(kinds, a_host_name_is_labels_with_dots)
{
	takes(&kind_hostname, "a");
	takes(&kind_hostname, "web1");
	takes(&kind_hostname, "Web-1.Example.org");
	takes(&kind_hostname, "1.2");
	prints(&kind_hostname, "k = 1.2\n");
}

Test(kinds, what_is_no_host_name_is_refused)
{
	static const char *const garbage[] = {
		"",	".",	"a.",  ".a",  "a..b", "-a",  "a-",
		"a.-b", "a-.b", "a_b", "a b", "é",    "a/b", "a\n",
	};

	refuses_all(&kind_hostname, garbage, ARRAY_SIZE(garbage));
}

Test(kinds, a_label_has_at_most_63_bytes_and_a_host_name_64)
{
	char name[70];

	memset(name, 'a', sizeof(name));
	name[63] = 0;
	takes(&kind_hostname, name);
	name[63] = 'a';
	name[64] = 0;
	refuses(&kind_hostname, name);
	name[30] = '.';
	takes(&kind_hostname, name);
	name[64] = 'a';
	name[65] = 0;
	refuses(&kind_hostname, name);
}

Test(kinds, a_word_has_no_blank_and_is_not_empty)
{
	static const char *const garbage[] = { "", "a b", "a\tb", "é", "a\x7f" };

	takes(&kind_word, "debian-12:tag");
	refuses_all(&kind_word, garbage, ARRAY_SIZE(garbage));
}

Test(kinds, a_path_is_absolute)
{
	static const char *const garbage[] = { "", "init", "./init", "/a b" };

	takes(&kind_path, "/sbin/init");
	refuses_all(&kind_path, garbage, ARRAY_SIZE(garbage));
}

Test(kinds, a_weight_lies_between_1_and_10000_or_is_not_given)
{
	takes(&kind_weight, "1");
	takes(&kind_weight, "10000");
	prints(&kind_weight, "k = 10000\n");
	refuses(&kind_weight, "10001");
	takes(&kind_weight, "0");
	prints(&kind_weight, "");
}

Test(kinds, a_weight_that_is_not_set_is_not_printed)
{
	prints(&kind_weight, "");
}

Test(kinds, a_count_may_be_0_and_fits_its_type)
{
	takes(&kind_count, "0");
	prints(&kind_count, "k = 0\n");
	takes(&kind_count, "4194304");
	refuses(&kind_count, "4194305");
	refuses(&kind_count, "4294967296");
	refuses(&kind_count, "-1");
}

Test(kinds, a_time_is_the_same_after_print_and_parse)
{
	takes(&kind_time, "2024-02-29T23:59:59Z");
	cr_expect_eq(value.time, 1709251199);
	prints(&kind_time, "k = 2024-02-29T23:59:59Z\n");
}

Test(kinds, what_is_no_time_is_refused)
{
	static const char *const garbage[] = { "",
					       "now",
					       "2024-02-29",
					       "2024-02-29T23:59:59",
					       "2024-02-29T23:59:59Zx",
					       "2024-02-29T24:59:59Z",
					       "2024-13-29T23:59:59Z",
					       "2024-02-29T23:59:59+01:00" };

	refuses_all(&kind_time, garbage, ARRAY_SIZE(garbage));
}

Test(kinds, a_stop_signal_is_auto_or_a_signal)
{
	static const char *const garbage[] = {
		"", "AUTO", "TERM", "15", "SIGRTMIN+99", "SIGRTMIN+00000000000000003"
	};

	takes(&kind_signal, "auto");
	takes(&kind_signal, "SIGTERM");
	cr_expect_eq(kind_signal.parse("SIGRTMIN+3", &value, 16, &err), 0);
	prints(&kind_signal, "k = SIGRTMIN+3\n");
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		cr_expect_eq(kind_signal.parse(garbage[i], &value, 16, &err), -1, "'%s'",
			     garbage[i]);
}

Test(kinds, an_address_none_is_taken_away)
{
	takes(&kind_address, "10.0.0.1/8");
	prints(&kind_address, "k = 10.0.0.1/8\n");
	takes(&kind_address, "none");
	prints(&kind_address, "");
}

Test(kinds, name_servers_are_a_list_of_three_at_most)
{
	takes(&kind_servers, "192.0.2.1");
	takes(&kind_servers, "2001:db8::1");
	takes(&kind_servers, "192.0.2.3");
	refuses(&kind_servers, "192.0.2.4");
	cr_expect_str_eq(err.msg, "'192.0.2.4' is one name server too many (3 at most)");
	prints(&kind_servers, "k = 192.0.2.1\nk = 2001:db8::1\nk = 192.0.2.3\n");
}

Test(kinds, a_name_server_is_an_address)
{
	refuses(&kind_servers, "dns.example.org");
	refuses(&kind_servers, "none");
	prints(&kind_servers, "");
}

Test(kinds, forwards_are_kept_in_order)
{
	takes(&kind_publish, "8080:80");
	takes(&kind_publish, "5353:53/udp");
	prints(&kind_publish, "k = 8080:80\nk = 5353:53/udp\n");
}

Test(kinds, a_host_port_is_published_once_for_each_protocol)
{
	takes(&kind_publish, "53:53");
	takes(&kind_publish, "53:53/udp");
	refuses(&kind_publish, "53:54");
	cr_expect_str_eq(err.msg, "'53:54' publishes a host port twice");
	refuses(&kind_publish, "53:54/udp");
	cr_expect_eq(value.link.publish_count, 2);
}

Test(kinds, there_is_an_end_to_the_forwards)
{
	for (int i = 1; i <= PUBLISH_MAX; i++) {
		char text[20];

		str_format(text, sizeof(text), "%d:80", i);
		takes(&kind_publish, text);
	}
	refuses(&kind_publish, "9999:80");
	cr_expect_str_eq(err.msg, "'9999:80' is one forward too many (32 at most)");
	cr_expect_eq(value.link.publish_count, PUBLISH_MAX);
}

Test(kinds, no_forward_at_all_is_said_with_none)
{
	takes(&kind_publish, "8080:80");
	takes(&kind_publish, "none");
	prints(&kind_publish, "");
}

Test(kinds, a_public_key_of_each_type_is_taken)
{
	takes(&kind_keys, "ssh-ed25519 " BODY " me@home");
	takes(&kind_keys, "ssh-rsa " BODY);
	takes(&kind_keys, "ecdsa-sha2-nistp256 " BODY "==");
	takes(&kind_keys, "sk-ssh-ed25519@openssh.com " BODY);
	cr_expect_eq(strncmp(value.keys, "ssh-ed25519 ", 12), 0);
	prints(&kind_keys, "k = ssh-ed25519 " BODY " me@home\nk = ssh-rsa " BODY
			   "\nk = ecdsa-sha2-nistp256 " BODY
			   "==\nk = sk-ssh-ed25519@openssh.com " BODY "\n");
}

Test(kinds, what_is_no_public_key_is_refused)
{
	static const char *const garbage[] = {
		"",
		"ssh-ed25519",
		"ssh-ed25519 short",
		"ssh-dss " BODY,
		"command=\"sh\" ssh-ed25519 " BODY,
		"-----BEGIN OPENSSH PRIVATE KEY-----",
		" ssh-ed25519 " BODY,
		"ssh-ed25519  " BODY,
		"none",
	};

	refuses_all(&kind_keys, garbage, ARRAY_SIZE(garbage));
	prints(&kind_keys, "");
}

Test(kinds, limits_that_are_accepted_add_up)
{
	takes(&kind_accepted, "tasks");
	takes(&kind_accepted, "memory");
	takes(&kind_accepted, "tasks");
	prints(&kind_accepted, "k = memory\nk = tasks\n");
}

Test(kinds, every_limit_can_be_accepted_and_nothing_else)
{
	static const char *const garbage[] = { "", "all", "Memory", "disk", "cpu" };

	takes(&kind_accepted, "memory");
	takes(&kind_accepted, "swap");
	takes(&kind_accepted, "cpus");
	takes(&kind_accepted, "weight");
	takes(&kind_accepted, "tasks");
	cr_expect_eq(value.number,
		     LIMIT_MEMORY | LIMIT_SWAP | LIMIT_CPU | LIMIT_WEIGHT | LIMIT_TASKS);
	refuses_all(&kind_accepted, garbage, ARRAY_SIZE(garbage));
}

Test(kinds, restart_is_one_of_two)
{
	takes(&kind_restart, "no");
	prints(&kind_restart, "k = no\n");
	takes(&kind_restart, "on-crash");
	prints(&kind_restart, "k = on-crash\n");
	refuses(&kind_restart, "yes");
	cr_expect_str_eq(err.msg, "'yes' is neither 'on-crash' nor 'no'");
	refuses(&kind_restart, "");
}

Test(kinds, onboot_is_one_of_three)
{
	takes(&kind_onboot, "yes");
	prints(&kind_onboot, "k = yes\n");
	takes(&kind_onboot, "no");
	prints(&kind_onboot, "k = no\n");
	takes(&kind_onboot, "last");
	prints(&kind_onboot, "k = last\n");
	refuses(&kind_onboot, "maybe");
	cr_expect_str_eq(err.msg, "'maybe' is neither 'last' nor 'yes' nor 'no'");
}

Test(kinds, seconds_may_have_a_unit_and_are_printed_without)
{
	takes(&kind_seconds, "2m");
	prints(&kind_seconds, "k = 120\n");
}

Test(kinds, bytes_and_cpus_are_printed_as_they_are_read)
{
	takes(&kind_bytes, "1536M");
	prints(&kind_bytes, "k = 1536M\n");
	takes(&kind_cpus, "2.25");
	prints(&kind_cpus, "k = 2.25\n");
}

Test(kinds, a_speed_of_the_disk_is_bytes_or_operations_or_both)
{
	static const char *const bad[] = { "",	   ",",		  "fast",    "50M/h",
					   "iops", "50X/s",	  "5iops,x", "1,2,3",
					   "-1/s", "50M/s,40M/s", "1G,2",    "5iops,6iops" };

	takes(&kind_io, "50M/s,500iops");
	prints(&kind_io, "k = 50M/s,500iops\n");
	takes(&kind_io, "500iops");
	prints(&kind_io, "k = 500iops\n");
	takes(&kind_io, "50M");
	prints(&kind_io, "k = 50M/s\n");
	takes(&kind_io, "0");
	prints(&kind_io, "");
	refuses_all(&kind_io, bad, ARRAY_SIZE(bad));
}

Test(kinds, only_what_a_plan_gives_can_be_overridden)
{
	takes(&kind_override, "memory");
	takes(&kind_override, "disk");
	prints(&kind_override, "k = memory\nk = disk\n");
	refuses(&kind_override, "hostname");
	refuses(&kind_override, "nothing");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "../nodectl/command.h"
#include "err.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIII"

static struct err err;
static struct vps vps;
static struct wanted wanted;

static void vps_make(void)
{
	scratch_make();
	vps_init(&vps);
	wanted = (struct wanted){ 0 };
}

static void vps_end(void)
{
	vps_free(&vps);
	scratch_remove();
}

TestSuite(create, .init = vps_make, .fini = vps_end);

/* Options as NAME, VALUE, ..., NULL. */
static int apply(const char *const *words)
{
	struct cli cli = { 0 };
	int result;

	for (size_t i = 0; words[i]; i += 2) {
		cli.options =
		    xrealloc(cli.options, (cli.options_count + 1) * sizeof(*cli.options));
		cli.options[cli.options_count].name = words[i];
		cli.options[cli.options_count++].value = words[i + 1];
	}
	memset(&err, 0, sizeof(err));
	result = fields_apply(&cli, NULL, &vps, &wanted, &err);
	cli_free(&cli);
	return result;
}

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void applied(const char *const *words)
{
	cr_assert_eq(apply(words), 0, "%s", err.msg);
}

static void refused(const char *const *words, int kind, const char *message)
{
	cr_expect_eq(apply(words), -1);
	cr_expect_eq(err.kind, kind);
	cr_expect_str_eq(err.msg, message);
}

Test(create, options_that_are_fields_land_in_the_definition)
{
	applied(OPTIONS("memory", "1G", "json", "", "cpus", "1.5", "start", ""));
	cr_expect_eq(vps.limits.memory, 1u << 30);
	cr_expect_eq(vps.limits.cpus, 150);
}

Test(create, a_bad_value_names_the_option)
{
	refused(OPTIONS("memory", "lots"), ERR_VALUE,
		"--memory: 'lots' is not a size (like 512M or 10G)");
}

Test(create, an_option_that_is_no_list_is_given_once)
{
	refused(OPTIONS("memory", "1G", "memory", "2G"), ERR_USAGE, "--memory is given twice");
}

Test(create, a_list_replaces_what_was_there_and_then_grows)
{
	applied(OPTIONS("nameserver", "192.0.2.1", "publish", "1:1"));
	applied(OPTIONS("nameserver", "192.0.2.2", "nameserver", "192.0.2.3", "publish", "2:2",
			"publish", "3:3"));
	cr_expect_eq(vps.nameserver[0].bytes[3], 2);
	cr_expect_eq(vps.nameserver[1].bytes[3], 3);
	cr_expect_eq(vps.nameserver[2].family, 0);
	cr_expect_eq(vps.link.publish_count, 2);
	cr_expect_eq(vps.link.publish[0].host, 2);
}

Test(create, limits_that_are_accepted_are_replaced_too)
{
	applied(OPTIONS("allow-unenforced", "swap"));
	applied(OPTIONS("allow-unenforced", "cpus", "allow-unenforced", "tasks"));
	cr_expect_eq(vps.limits.accepted, LIMIT_CPU | LIMIT_TASKS);
}

Test(create, the_node_chooses_an_address_that_is_auto)
{
	applied(OPTIONS("ip", "auto", "ip6", "auto"));
	cr_expect(wanted.auto4 && wanted.auto6);
	applied(OPTIONS("ip", "10.0.0.1", "ip6", "none"));
	cr_expect(!wanted.auto4 && !wanted.auto6);
	cr_expect_eq(vps.link.ipv4.family, AF_INET);
	cr_expect_eq(vps.link.ipv6.family, 0);
}

Test(create, an_address_is_of_the_family_that_its_option_says)
{
	refused(OPTIONS("ip", "fd00::1"), ERR_VALUE, "--ip: 'fd00::1' is of the other family");
	refused(OPTIONS("ip6", "10.0.0.1"), ERR_VALUE,
		"--ip6: '10.0.0.1' is of the other family");
}

Test(create, publish_none_is_a_wish_as_well)
{
	applied(OPTIONS("memory", "1G"));
	cr_expect_not(wanted.publish);
	applied(OPTIONS("publish", "none"));
	cr_expect(wanted.publish);
	cr_expect_eq(vps.link.publish_count, 0);
}

static const char *const *key_file(const char *text)
{
	static const char *words[3] = { "ssh-key" };
	static char path[100];

	scratch_put(scratch, "keys", text);
	str_format(path, sizeof(path), "%s/keys", scratch_path);
	words[1] = path;
	return words;
}

Test(create, keys_are_read_from_a_file_with_comments)
{
	applied(key_file("# mine\r\n" KEY " a\r\n\n" KEY " b"));
	cr_expect_str_eq(vps.ssh_keys, KEY " a\n" KEY " b\n");
	applied(key_file(KEY " c\n"));
	cr_expect_str_eq(vps.ssh_keys, KEY " c\n", "another call replaces them");
}

Test(create, a_file_without_a_key_is_refused)
{
	own_str message = xasprintf("--ssh-key: '%s/keys' holds no key", scratch_path);

	refused(key_file("# none\n\n"), ERR_VALUE, message);
}

Test(create, a_private_key_is_not_taken_for_a_public_one)
{
	cr_expect_eq(apply(key_file("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_not_null(strstr(err.msg, "is not an OpenSSH public key"), "%s", err.msg);
}

Test(create, a_missing_file_of_keys_is_named)
{
	refused(OPTIONS("ssh-key", "/no/such"), ERR_SYSTEM,
		"--ssh-key: cannot open '/no/such': No such file or directory");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "ssh.h"
#include "str.h"

/* Letters of ssh(1) that take a value: in the same word, or as the next one. */
static const char valued[] = "BDEFIJLOQRSWbceilmopw";

/*
 * For each option ssh takes the first value that it comes upon: what its user says here, then
 * this, and only then what a configuration file says for all hosts.  Whoever is root inside
 * could use a forwarded agent to log in elsewhere as its owner, and a forwarded display to read
 * the keyboard.
 */
static const char *const ours[] = {
	"StrictHostKeyChecking=accept-new",
	"HostKeyAlias=nodectl",
	"LogLevel=ERROR",
	"ForwardAgent=no",
	"ForwardX11=no",
};

/* How many of @rest are options of ssh and their values. */
static size_t options_count(char *const *rest, size_t count)
{
	size_t i = 0;

	while (i < count && rest[i][0] == '-' && strcmp(rest[i], "--") != 0) {
		/* flags may stand together, with one that has a value as the last of them */
		const char *letter = rest[i] + strcspn(rest[i], valued);

		i += *letter && !letter[1] && i + 1 < count ? 2 : 1;
	}
	return i;
}

const char **ssh_argv(char *const *rest, size_t count, const char *known, const char *target)
{
	const char **argv = xcalloc(count + 2 * ARRAY_SIZE(ours) + 5, sizeof(*argv));
	size_t options, n = 0;

	/* nodectl's own "--", before whatever is ssh's */
	if (count && strcmp(rest[0], "--") == 0) {
		rest++;
		count--;
	}
	options = options_count(rest, count);
	argv[n++] = "ssh";
	for (size_t i = 0; i < options; i++)
		argv[n++] = rest[i];
	argv[n++] = "-o";
	argv[n++] = known;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		argv[n++] = "-o";
		argv[n++] = ours[i];
	}
	argv[n++] = target;
	/* where ssh goes on to look for options, up to a "--" that is its user's too */
	for (size_t i = options; i < count; i++)
		argv[n++] = rest[i];
	return argv;
}

char *ssh_known_hosts(const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	fputs("UserKnownHostsFile=\"", out);
	for (; *path; path++) {
		if (*path == '"' || *path == '\\')
			fputc('\\', out);
		if (*path == '%')
			fputc('%', out);
		fputc(*path, out);
	}
	fputc('"', out);
	fclose(out);
	return text;
}

/*
 * OpenSSH's client to the VPS's own address.  Host keys are remembered in the
 * VPS's directory: they go with it, and never meet the operator's known_hosts.
 */
int cmd_ssh(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	char address[ADDRESS_TEXT], target[ADDRESS_TEXT + 8];
	pid_t init;

	if (cli_expect(cli, 1, -1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    awake_load(&node, cli->args[0], &vps, &init, err) < 0)
		return -1;
	if (!link_is_wanted(&vps.link))
		return fail_as(err, ERR_VALUE, "%s: it has no address; use 'nodectl enter'",
			       vps.name);
	address_print(vps.link.ipv4.family ? &vps.link.ipv4 : &vps.link.ipv6, false, address,
		      sizeof(address));
	str_format(target, sizeof(target), "root@%s", address);

	own_str path = xasprintf("%s/vps/%s/known_hosts", node.storage, vps.name);
	own_str known = ssh_known_hosts(path);
	const char **argv = ssh_argv(cli->args + 1, (size_t)cli->args_count - 1, known, target);
	execvp(argv[0], (char *const *)argv);
	fail(err, errno, "cannot execute 'ssh' (package openssh-client)");
	err->kind = ERR_CANNOT_RUN;
	free(argv);
	return -1;
}

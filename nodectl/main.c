/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"

static int help(int argc, char *argv[])
{
	const struct command *command;

	if (argc < 3) {
		help_print(stdout);
		return EXIT_SUCCESS;
	}
	command = command_find(argv[2], argc > 3 ? argv[3] : NULL);
	if (command) {
		usage_print(command, stdout);
		return EXIT_SUCCESS;
	}
	/* "help image": all that begins with it */
	for (size_t i = 0; i < commands_count; i++) {
		size_t len = strlen(argv[2]);

		if (strncmp(commands[i].name, argv[2], len) != 0 ||
		    commands[i].name[len] != ' ')
			continue;
		printf("nodectl %-13s %-26s %s\n", commands[i].name, commands[i].args,
		       commands[i].what);
		command = &commands[i];
	}
	if (command)
		return EXIT_SUCCESS;
	fprintf(stderr, "nodectl: unknown command '%s'; see 'nodectl help'\n", argv[2]);
	return ERR_USAGE;
}

static int report(const struct cli *cli, const struct err *err)
{
	char msg[sizeof(err->msg) * 4];

	/* JSON does not take any byte either */
	str_escape(err->msg, msg, sizeof(msg));
	if (cli->json) {
		struct err ignored;

		(void)json_print(json_pack("{s:{s:i,s:s,s:s}}", "error", "code", err->kind,
					   "name", err_name(err->kind), "message", msg),
				 &ignored);
	}
	error_print(err);
	return err->kind;
}

/* Who starts us without them must not find our files in their place. */
static void stdio_ensure(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* What who starts us ignores or blocks would stay so: a child of which nobody hears that it has
 * ended, an alarm that does not come. */
static void signals_reset(void)
{
	sigset_t none;

	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(int argc, char *argv[])
{
	struct cli cli = { .config = getenv("NODECTL_CONFIG") };
	struct err err = { 0 };
	int result;

	stdio_ensure();
	signals_reset();
	if (!cli.config)
		cli.config = NODE_CONFIG;
	/* it would end the options at the first word that is none */
	unsetenv("POSIXLY_CORRECT");
	if (argc == 1 || strcmp(argv[1], "help") == 0)
		return argc == 1 ? (help_print(stderr), ERR_USAGE)
				 : output_end(help(argc, argv));
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return output_end(help(1, argv));
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		puts("nodectl " VERSION);
		return output_end(EXIT_SUCCESS);
	}

	result = cli_parse(&cli, argc, argv, &err);
	if (result == 0 && cli_option(&cli, "help")) {
		usage_print(cli.command, stdout);
		cli_free(&cli);
		return output_end(EXIT_SUCCESS);
	}
	if (result == 0)
		result = cli.command->run(&cli, &err);
	if (result < 0)
		result = report(&cli, &err);
	else if (result >= EXIT_AS(0))
		result -= EXIT_AS(0);
	cli_free(&cli);
	return output_end(result);
}

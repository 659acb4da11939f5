/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "command.h"
#include "err.h"
#include "history.h"

static void warn(const char *what, void *arg)
{
	(void)arg;
	fprintf(stderr, "nodectl: sample: %s\n", what);
}

/* Silent when all is well: what it says is mail of cron's. */
int cmd_sample(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	if (node_sample(&node, warn, NULL, err) < 0)
		return fail_in(err, "sample");
	return cli->json ? json_print(json_object(), err) : 0;
}

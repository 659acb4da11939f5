/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"
#include "err.h"
#include "str.h"

int cmd_traffic_add(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	uint64_t bytes;

	if (cli_expect(cli, 2, 2, err) < 0 || size_parse(cli->args[1], &bytes, err) < 0 ||
	    node_open(&node, cli->config, err) < 0)
		return -1;
	if (node_traffic_add(&node, cli->args[0], bytes, err) < 0)
		return fail_in(err, "%s: traffic add", cli->args[0]);
	cli_say(cli, "%s: %s of traffic more until its quota begins anew", cli->args[0],
		cli->args[1]);
	return cli->json ? json_print(json_pack("{s:s,s:I}", "vps", cli->args[0], "added",
						(json_int_t)bytes),
				      err)
			 : 0;
}

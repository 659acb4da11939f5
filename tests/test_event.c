/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/event.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "own.h"
#include "str.h"

static const struct limits limits = { .memory = 64 << 20 };

static struct oom_kill example(void)
{
	struct oom_kill kill = {
		.pid = 9221, .rss = 63 << 20, .where = OOM_VPS, .limit = 32 << 20
	};

	strcpy(kill.name, "tail");
	return kill;
}

static void prints(const struct oom_kill *kill, uint64_t killed, uint64_t in_all,
		   const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	event_oom_print(kill, killed, in_all, &limits, out);
	fclose(out);
	cr_expect_str_eq(text, expected);
	free(text);
}

Test(event, one_victim_is_named_with_the_limit)
{
	struct oom_kill kill = example();

	prints(&kill, 1, 1,
	       "out of memory: killed 'tail' (pid 9221 on the node, 63M resident), at its "
	       "limit of 32M");
	kill.inside = 37;
	strcpy(kill.stat, "anon 63M, file 16K");
	prints(&kill, 1, 4,
	       "out of memory: killed 'tail' (pid 37 inside, 9221 on the node, 63M resident), "
	       "at its limit of 32M; anon 63M, file 16K");
}

Test(event, of_many_victims_the_last_is_named)
{
	struct oom_kill kill = example();

	prints(&kill, 12, 40,
	       "out of memory: 12 processes killed, 40 in all, the last 'tail' (pid 9221 on "
	       "the node, 63M resident), at its limit of 32M");
}

Test(event, without_a_line_of_the_kernel_s_it_is_told_nevertheless)
{
	prints(NULL, 1, 1, "out of memory: a process was killed");
	prints(NULL, 2, 3, "out of memory: 2 processes killed, 3 in all");
}

Test(event, the_limit_that_was_met_is_told)
{
	struct oom_kill kill = example();

	/* that of the definition, where the kernel does not say */
	kill.limit = 0;
	prints(&kill, 1, 1,
	       "out of memory: killed 'tail' (pid 9221 on the node, 63M resident), at its "
	       "limit of 64M");
	kill.where = OOM_INSIDE;
	kill.limit = 16 << 20;
	prints(&kill, 1, 1,
	       "out of memory: killed 'tail' (pid 9221 on the node, 63M resident), at a limit "
	       "of 16M that was set inside");
	kill.where = OOM_NODE;
	prints(&kill, 1, 1,
	       "out of memory: killed 'tail' (pid 9221 on the node, 63M resident), for the "
	       "node had none left");
	kill.where = OOM_UNKNOWN;
	prints(&kill, 1, 1,
	       "out of memory: killed 'tail' (pid 9221 on the node, 63M resident)");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include "err.h"
#include "node.h"
#include "own.h"
#include "vps.h"

/* A definition that is taken is the same once it was printed. */
static void definition(const char *text)
{
	own_vps vps, again;
	struct err err;

	vps_init(&vps);
	vps_init(&again);
	if (vps_parse(&vps, text, &err) < 0)
		return;
	own_str printed = vps_print(&vps);
	if (vps_parse(&again, printed, &err) < 0)
		WRONG("%s of\n%s", err.msg, printed);
	own_str reprinted = vps_print(&again);
	if (strcmp(printed, reprinted) != 0)
		WRONG("%s is printed as %s", printed, reprinted);
	(void)plan_check(&vps, &err);
	plan_fit(&vps);
}

static void plan(const char *text)
{
	own_vps vps;
	struct err err;

	vps_init(&vps);
	if (plan_parse(&vps, text, &err) == 0)
		(void)plan_check(&vps, &err);
}

static void configuration(const char *text)
{
	struct node node = node_none();
	struct err err;

	(void)node_parse(&node, text, &err);
	node_close(&node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *text) = { definition, plan, configuration };

	if (!size)
		return 0;
	own_str text = text_of(data + 1, size - 1);
	parsers[data[0] % 3](text);
	return 0;
}

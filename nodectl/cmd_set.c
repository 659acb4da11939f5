/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "own.h"
#include "str.h"

/* Fixed when a VPS is made: changing them needs more than writing them down. */
static int refuse_fixed(const struct cli *cli, struct err *err)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		if (vps_fields[i].flags & FIELD_FIXED && cli_option(cli, vps_fields[i].key))
			return fail_as(err, ERR_VALUE,
				       "--%s cannot be changed after create yet",
				       vps_fields[i].key);
	}
	return 0;
}

static char *field_text(const struct vps *vps, const struct field *field)
{
	char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	field_print(vps, field, out);
	fclose(out);
	return text;
}

/* What is other than before, a line each; "(at the next start)" where a running VPS keeps the
 * old. */
static unsigned changes_print(const struct cli *cli, const struct vps *before,
			      const struct vps *after, bool running)
{
	unsigned count = 0;

	for (size_t i = 0; i < vps_fields_count; i++) {
		own_str old = field_text(before, &vps_fields[i]);
		own_str new = field_text(after, &vps_fields[i]);
		bool later = running && vps_fields[i].flags & FIELD_RESTART;

		if (strcmp(old, new) == 0)
			continue;
		count++;
		new[strcspn(new, "\n")] = 0;
		cli_say(cli, "%s: %s%s", after->name, *new ? new : vps_fields[i].key,
			later ? " (at the next start)" : "");
	}
	return count;
}

int cmd_set(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_held held = held_none();
	own_vps changed = { 0 };
	struct wanted wanted = { 0 };
	struct status status;

	if (cli_expect(cli, 1, 1, err) < 0 || refuse_fixed(cli, err) < 0 ||
	    node_open(&node, cli->config, err) < 0 ||
	    vps_hold(&node, cli->args[0], "set", &held, err) < 0)
		return -1;
	changed = held.vps;
	changed.ssh_keys = held.vps.ssh_keys ? xstrdup(held.vps.ssh_keys) : NULL;
	if (fields_apply(cli, &changed, &wanted, err) < 0 ||
	    vps_check(&node, &changed, err) < 0)
		return fail_in(err, "%s", held.vps.name);

	runtime_status(held.vps.id, held.place.run, &status);
	bool dry = cli_option(cli, "dry-run") != NULL;
	if (changes_print(cli, &held.vps, &changed, status.init != 0) == 0) {
		cli_say(cli, "%s: nothing to change", held.vps.name);
		return 0;
	}
	if (dry)
		return 0;

	/* the kernel first: what it refuses is not written down */
	if (status.init && runtime_limit(&changed, &held.place, err) < 0)
		return fail_in(err, "%s: nothing was changed", held.vps.name);
	if (vps_save(&node, &changed, err) < 0)
		return fail_in(err, "%s", held.vps.name);
	vps_log(&node, held.vps.name, "changed");
	return 0;
}

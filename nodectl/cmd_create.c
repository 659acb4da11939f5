/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* --ssh-key names a file; the definition holds its lines. */
static int keys_read(struct vps *vps, const struct field *field, const char *path,
		     struct err *err)
{
	own_str text = file_slurp(AT_FDCWD, path, 65536, err);
	char *rest = text;
	unsigned count = 0;

	if (!text)
		return fail_in(err, "--ssh-key");
	while (rest) {
		char *line = strsep(&rest, "\n");

		line[strcspn(line, "\r")] = 0;
		if (!*line || *line == '#')
			continue;
		if (field_set(vps, field, line, err) < 0)
			return fail_in(err, "%s", path);
		count++;
	}
	if (!count)
		return fail_as(err, ERR_VALUE, "--ssh-key: '%s' holds no key", path);
	return 0;
}

/* A list that is given replaces what was there; its first value says so. */
static void list_clear(struct vps *vps, const struct field *field)
{
	struct err ignored;

	if (strcmp(field->key, "ssh-key") == 0)
		vps_free(vps);
	else if (field->offset == offsetof(struct vps, link))
		(void)field_set(vps, field, "none", &ignored);
	else
		memset((char *)vps + field->offset, 0, field->size);
}

/* Its own value is one that does not follow the plan. */
static int limit_apply(const struct vps *plan, struct vps *vps, const struct field *field,
		       const char *value, struct err *err)
{
	char cause[400];

	if (strcmp(value, "plan") == 0 && plan) {
		plan_give(plan, field, vps);
		return 0;
	}
	if (field_set(vps, field, value, err) == 0) {
		vps->overrides |= field_bit(field);
		return 0;
	}
	str_format(cause, sizeof(cause), "%.399s", err->msg);
	return fail_as(err, ERR_VALUE, "--%s", cause);
}

/* The family of "ip" and "ip6", or 0. */
static int family_of(const struct field *field)
{
	return strcmp(field->key, "ip") == 0	? AF_INET
	       : strcmp(field->key, "ip6") == 0 ? AF_INET6
						: 0;
}

/* "auto", "pool:NAME": the node is to choose.  1 if it is. */
static int choice_apply(struct wanted *wanted, int family, const char *value, bool further,
			struct err *err)
{
	bool automatic = strcmp(value, "auto") == 0;
	struct wanted_address *more = &wanted->more[wanted->more_count];

	if (!automatic && strncmp(value, "pool:", 5) != 0)
		return 0;
	if (automatic && !further) {
		*(family == AF_INET ? &wanted->auto4 : &wanted->auto6) = true;
		return 1;
	}
	if (wanted->more_count == ARRAY_SIZE(wanted->more))
		return fail_as(err, ERR_VALUE, "more than %zu addresses to choose at once",
			       ARRAY_SIZE(wanted->more));
	if (!automatic && !name_is_valid(value + 5))
		return fail_as(err, ERR_VALUE, "'%s' is not the name of a pool", value + 5);
	strcpy(more->pool, automatic ? "" : value + 5);
	more->family = family;
	wanted->more_count++;
	return 1;
}

static int value_apply(struct vps *vps, const struct field *field, const char *value,
		       const char *option, struct err *err)
{
	char cause[400];

	if (field_set(vps, field, value, err) == 0)
		return 0;
	str_format(cause, sizeof(cause), "%.399s", err->msg + strlen(field->key));
	return fail_as(err, ERR_VALUE, "--%s%s", option, cause);
}

static int field_apply(struct vps *vps, const struct field *field, const char *value,
		       struct wanted *wanted, bool first, struct err *err)
{
	int family = family_of(field), chosen = 0;

	if (family && first)
		*(family == AF_INET ? &wanted->auto4 : &wanted->auto6) = false;
	if (family)
		chosen = choice_apply(wanted, family, value, !first, err);
	if (chosen)
		return chosen < 0 ? -1 : 0;
	if (strcmp(field->key, "publish") == 0)
		wanted->publish = true;
	if (strcmp(field->key, "ssh-key") == 0)
		return keys_read(vps, field, value, err);
	return value_apply(vps, field, value, field->key, err);
}

static bool publish_remove(struct link *link, const char *value)
{
	for (unsigned i = 0; i < link->publish_count; i++) {
		if (!publish_is_named(&link->publish[i], value))
			continue;
		link->publish_count--;
		memmove(&link->publish[i], &link->publish[i + 1],
			(link->publish_count - i) * sizeof(link->publish[0]));
		return true;
	}
	return false;
}

static bool route_remove(struct link *link, const struct address *prefix)
{
	for (unsigned i = 0; i < link->routed_count; i++) {
		if (!address_is_equal(&link->routed[i], prefix))
			continue;
		link->routed_count--;
		memmove(&link->routed[i], &link->routed[i + 1],
			(link->routed_count - i) * sizeof(link->routed[0]));
		return true;
	}
	return false;
}

/* One value of a list goes. */
static int list_remove(struct vps *vps, const struct field *field, const char *value,
		       struct err *err)
{
	int family = family_of(field);
	struct address address;
	bool gone;

	if (strcmp(field->key, "publish") == 0)
		gone = publish_remove(&vps->link, value);
	else if (address_parse(value, &address, err) < 0)
		return fail_in(err, "--%s-del", field->key);
	else if (family)
		gone = address.family == family && link_address_remove(&vps->link, &address);
	else
		gone = route_remove(&vps->link, &address);
	if (gone)
		return 0;
	return fail_as(err, ERR_VALUE, "--%s-del: it has no '%s'", field->key, value);
}

/* "--publish-add", "--ip-del", ...: one value of the list, the others stay. */
static int list_change(struct vps *vps, const char *option, const char *value,
		       struct wanted *wanted, struct err *err)
{
	const char *end = strrchr(option, '-');
	const struct field *field;
	char key[32];
	int chosen = 0;

	if (!end || (strcmp(end, "-add") != 0 && strcmp(end, "-del") != 0))
		return 0;
	str_format(key, sizeof(key), "%.*s", (int)(end - option), option);
	field = field_find(key);
	if (!field || field->offset != offsetof(struct vps, link))
		return 0;
	if (strcmp(end, "-del") == 0)
		return list_remove(vps, field, value, err);
	if (family_of(field))
		chosen = choice_apply(wanted, family_of(field), value, true, err);
	if (chosen)
		return chosen < 0 ? -1 : 0;
	return value_apply(vps, field, value, option, err);
}

bool plan_is_asked(const struct cli *cli)
{
	for (size_t i = 0; i < cli->options_count; i++) {
		const struct field *field = field_find(cli->options[i].name);

		if (field && field->flags & FIELD_PLAN &&
		    strcmp(cli->options[i].value, "plan") == 0)
			return true;
	}
	return cli_option(cli, "plan") != NULL;
}

/* What is only said of a network, and the words by which that says nothing. */
static const struct {
	const char *option, *nothing;
} network_options[] = {
	{ "ip", "none" },      { "ip-add", "" },       { "ip6", "none" },
	{ "ip6-add", "" },     { "route", "none" },    { "route-add", "" },
	{ "publish", "none" }, { "publish-add", "" },  { "rate-in", "0" },
	{ "rate-out", "0" },   { "packet-rate", "0" }, { "smtp", "no" },
	{ "allow-in", "all" }, { "network", "none" },
};

static bool says_nothing(size_t i, const char *value)
{
	return strcmp(value, network_options[i].nothing) == 0 || strcmp(value, "plan") == 0;
}

/* A VPS without a network is asked for nothing that needs one. */
static int mode_apply(const struct cli *cli, const struct vps *vps, struct wanted *wanted,
		      struct err *err)
{
	if (vps->link.mode != LINK_NONE)
		return 0;
	wanted->auto4 = wanted->auto6 = false;
	for (size_t i = 0; i < ARRAY_SIZE(network_options); i++) {
		const char *value = cli_option(cli, network_options[i].option);

		if (value && !says_nothing(i, value))
			return fail_as(err, ERR_VALUE,
				       "--%s: it has no network, for its net-mode is 'none'; "
				       "--net-mode bridge or routed gives it one",
				       network_options[i].option);
	}
	return 0;
}

int fields_apply(const struct cli *cli, const struct vps *plan, struct vps *vps,
		 struct wanted *wanted, struct err *err)
{
	unsigned long long cleared = 0;

	for (size_t i = 0; i < cli->options_count; i++) {
		const struct field *field = field_find(cli->options[i].name);
		unsigned long long bit;

		if (!field && list_change(vps, cli->options[i].name, cli->options[i].value,
					  wanted, err) < 0)
			return -1;
		if (!field || !(field->flags & FIELD_OPTION))
			continue;
		bit = 1ull << (field - vps_fields);
		bool first = !(cleared & bit);
		if (field->flags & FIELD_LIST && !(cleared & bit))
			list_clear(vps, field);
		else if (cleared & bit && !(field->flags & FIELD_LIST))
			return fail_as(err, ERR_USAGE, "--%s is given twice", field->key);
		cleared |= bit;
		if ((field->flags & FIELD_PLAN
			 ? limit_apply(plan, vps, field, cli->options[i].value, err)
			 : field_apply(vps, field, cli->options[i].value, wanted, first, err)) <
		    0)
			return -1;
	}
	plan_fit(vps);
	return mode_apply(cli, vps, wanted, err);
}

static int node_ready(struct node *node, const char *config, struct err *err)
{
	struct err ignored;

	/* a fresh machine is set up by the first create */
	if (access(config, F_OK) < 0 && errno == ENOENT &&
	    node_init(config, NULL, 0, NULL, NULL, err) < 0)
		return -1;
	(void)ignored;
	return node_open(node, config, err);
}

static int password_first(const struct node *node, const struct cli *cli, const char *name,
			  const char *password, struct err *err)
{
	own_held held = held_none();

	if (!cli_option(cli, "password-stdin"))
		return 0;
	if (vps_hold(node, name, "passwd", &held, err) < 0)
		return -1;
	return password_set(&held, "root", password, err);
}

static int start_first(const struct node *node, const struct cli *cli, const char *name,
		       struct err *err)
{
	own_held held = held_none();

	if (!cli_option(cli, "start"))
		return 0;
	if (vps_hold(node, name, "start", &held, err) < 0)
		return -1;
	held.place.unasked = cli_admission(cli) == ADMIT_FORCED;
	if (node_start(node, &held, cli_admission(cli), err) < 0)
		return -1;
	return boot_wait(cli, node, &held, err);
}

/* With --idempotent: is the one that exists what was asked for? */
static int same_exists(const struct cli *cli, const struct node *node, const struct vps *plan,
		       struct err *err)
{
	struct wanted wanted = { 0 };
	own_vps there = { 0 };
	own_vps asked = { 0 };

	if (vps_load(node, cli->args[0], &there, err) < 0)
		return -1;
	asked = there;
	asked.ssh_keys = there.ssh_keys ? xstrdup(there.ssh_keys) : NULL;
	if (fields_apply(cli, plan, &asked, &wanted, err) < 0 ||
	    node_network_number(node, &asked.link.network, err) < 0)
		return -1;

	own_str is = vps_print(&there);
	own_str should = vps_print(&asked);
	if (strcmp(is, should) == 0)
		return 0;
	return fail_as(err, ERR_EXISTS, "%s: exists already, with another definition",
		       there.name);
}

int cmd_create(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	own_vps plan = { 0 };
	struct wanted wanted = { .auto4 = true, .plan = true };
	const char *asked = cli_option(cli, "plan"), *network = cli_option(cli, "network");
	char address[ADDRESS_TEXT] = "no IPv4 address", password[256] = "";

	if (cli_expect(cli, 1, 1, err) < 0)
		return -1;
	if (!name_is_valid(cli->args[0]))
		return fail_as(
		    err, ERR_VALUE,
		    "'%s' is not a name (a-z, 0-9, '-' inside, at most 63, not all digits)",
		    cli->args[0]);
	if (cli_option(cli, "wait") && !cli_option(cli, "start"))
		return fail_as(err, ERR_USAGE, "--wait needs --start");
	/* before anything is made: one that cannot be used makes nothing */
	if (cli_option(cli, "password-stdin") &&
	    password_read(cli, password, sizeof(password), err) < 0)
		return -1;
	if (node_ready(&node, cli->config, err) < 0)
		return -1;

	vps_init(&plan);
	if (plan_load(&node, asked ? asked : node.plan, &plan, err) < 0)
		return -1;
	vps = plan;
	strcpy(vps.name, cli->args[0]);
	strcpy(vps.image, node.image);
	vps.link.mode = node.mode;
	/* who is on a network is routed */
	if (network && strcmp(network, "none") != 0 && vps.link.mode == LINK_BRIDGE)
		vps.link.mode = LINK_ROUTED;
	wanted.auto6 = node.bridge.ipv6.family != 0;
	wanted.admission = cli_admission(cli);
	if (fields_apply(cli, &plan, &vps, &wanted, err) < 0)
		return -1;
	if (node_create(&node, &vps, &wanted, err) < 0) {
		if (err->kind == ERR_EXISTS && cli_forgives(cli, err->kind))
			return same_exists(cli, &node, &plan, err);
		return err->kind == ERR_NO_IMAGE ? -1 : fail_in(err, "%s: create", vps.name);
	}
	if (password_first(&node, cli, vps.name, password, err) < 0 ||
	    start_first(&node, cli, vps.name, err) < 0)
		return fail_in(err, "%s: created, but", vps.name);

	if (cli->json)
		return json_print(
		    json_pack("{s:{s:i,s:s}}", "vps", "id", (int)vps.id, "name", vps.name),
		    err);
	if (vps.link.ipv4.family)
		address_print(&vps.link.ipv4, false, address, sizeof(address));
	cli_say(cli, "%s: created with id %u, %s", vps.name, vps.id, address);
	for (unsigned i = 0; i < vps.link.publish_count; i++) {
		if (vps.link.publish[i].guest == 22)
			cli_say(cli, "%s: ssh on port %u of this node", vps.name,
				vps.link.publish[i].host);
	}
	if (cli_option(cli, "start"))
		cli_say(cli, "%s: started", vps.name);
	return 0;
}

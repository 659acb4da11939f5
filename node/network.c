/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "store.h"
#include "str.h"

/*
 * A network is a file with its number.  A number is never given twice: what the kernel may
 * still have of a network that is gone must not be another's.
 */
#define DIRECTORY "networks"
#define LAST	  ".last"

static int networks_open(const struct node *node, struct err *err)
{
	return dir_make(node->dir, DIRECTORY, 0700, err);
}

/* 0: there is none of that name. */
static int number_read(int dir, const char *name, uint32_t *number, struct err *err)
{
	unsigned long value;
	char text[16];

	*number = 0;
	if (file_read(dir, name, text, sizeof(text), err) < 0)
		return err->code == ENOENT ? 0 : -1;
	text[strcspn(text, "\n")] = 0;
	if (number_parse(text, 1, UINT32_MAX, &value, err) < 0)
		return fail_in(err, "network '%s'", name);
	*number = (uint32_t)value;
	return 0;
}

static int number_write(int dir, const char *name, uint32_t number, struct err *err)
{
	char text[16];

	str_format(text, sizeof(text), "%u\n", number);
	return file_replace(dir, name, text, strlen(text), 0600, err);
}

int node_network_number(const struct node *node, struct network *network, struct err *err)
{
	if (!network->name[0])
		return 0;
	uint32_t number;
	own_fd dir = networks_open(node, err);

	if (dir < 0 || number_read(dir, network->name, &number, err) < 0)
		return -1;
	if (!number)
		return fail_as(err, ERR_VALUE,
			       "network: there is no network '%s': 'nodectl network create %s'",
			       network->name, network->name);
	if (network->number && network->number != number)
		return fail_as(err, ERR_VALUE,
			       "network: '%s' is another network than the one it was on: "
			       "'nodectl set' with '--network %s' if it is to be on that",
			       network->name, network->name);
	network->number = number;
	return 0;
}

int node_network_check(const struct node *node, const struct network *network, struct err *err)
{
	struct network known = *network;

	return node_network_number(node, &known, err);
}

int node_network_create(const struct node *node, const char *name, struct network *network,
			struct err *err)
{
	own_fd naming = -1, dir = -1;
	uint32_t last;

	if (!name_is_valid(name) || strcmp(name, "none") == 0)
		return fail_as(
		    err, ERR_VALUE,
		    "'%s' is not a name (a-z, 0-9, '-' inside, at most 63, not all digits)",
		    name);
	naming = naming_take(node, "'nodectl network create'\n", err);
	if (naming < 0)
		return -1;
	dir = networks_open(node, err);
	if (dir < 0 || number_read(dir, name, &network->number, err) < 0 ||
	    number_read(dir, LAST, &last, err) < 0)
		return -1;
	if (network->number)
		return fail_as(err, ERR_EXISTS, "network '%s' exists already", name);
	str_format(network->name, sizeof(network->name), "%s", name);
	network->number = last + 1;
	/* the number is gone before anybody has it */
	return number_write(dir, LAST, network->number, err) < 0
		   ? -1
		   : number_write(dir, name, network->number, err);
}

/* Who is on it? */
struct search {
	const char *network;
	char by[64];
};

static int member_look(const struct vps *vps, const struct err *broken, void *arg,
		       struct err *err)
{
	struct search *search = arg;

	/* it may be on any */
	if (broken)
		return fail_as(err, ERR_VALUE, "%s: %s", vps->name, broken->msg);
	if (strcmp(vps->link.network.name, search->network) == 0)
		str_format(search->by, sizeof(search->by), "%s", vps->name);
	return 0;
}

int node_network_remove(const struct node *node, const char *name, struct err *err)
{
	struct search search = { .network = name };
	struct network network = { 0 };
	own_fd naming = naming_take(node, "'nodectl network remove'\n", err);

	if (naming < 0 || vps_each(node, member_look, &search, err) < 0)
		return -1;
	if (search.by[0])
		return fail_as(err, ERR_EXISTS, "network '%s' is in use by VPS '%s'", name,
			       search.by);
	own_fd dir = networks_open(node, err);
	if (dir < 0 ||
	    (name_is_valid(name) && number_read(dir, name, &network.number, err) < 0))
		return -1;
	if (!network.number)
		return fail_as(err, ERR_VALUE, "there is no network '%s'", name);
	if (unlinkat(dir, name, 0) < 0)
		return fail(err, errno, "cannot remove network '%s'", name);
	return dir_sync(dir, ".", err);
}

struct call {
	int (*each)(const struct network *network, void *arg, struct err *err);
	void *arg;
};

static int entry_each(int dir, const char *name, void *arg, struct err *err)
{
	const struct call *call = arg;
	struct network network = { 0 };

	if (!name_is_valid(name) || number_read(dir, name, &network.number, err) < 0 ||
	    !network.number)
		return 0;
	str_format(network.name, sizeof(network.name), "%s", name);
	return call->each(&network, call->arg, err);
}

int node_network_each(const struct node *node,
		      int (*each)(const struct network *network, void *arg, struct err *err),
		      void *arg, struct err *err)
{
	struct call call = { each, arg };
	own_fd dir = networks_open(node, err);

	return dir < 0 ? -1 : dir_each(dir, entry_each, &call, err);
}

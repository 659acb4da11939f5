/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "conf.h"
#include "err.h"
#include "io.h"
#include "kinds.h"
#include "lease.h"
#include "own.h"
#include "plan.h"
#include "str.h"

#define KEY(key, kind, member)                                                                 \
	{                                                                                      \
		key, &(kind), offsetof(struct node, member),                                   \
		    sizeof(((struct node *)0)->member)                                         \
	}

static int bridge_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	/* it is part of nft's text, and of a table's name */
	if (!*text || strlen(text) >= IF_NAMESIZE || *text == '.' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		strlen(text))
		return fail_as(err, ERR_VALUE, "'%s' is not an interface name", text);
	strcpy(value, text);
	return 0;
}

/* "1-28663" */
static int ids_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct id_range *range = value;
	size_t len = strcspn(text, "-");
	unsigned long from, to;
	struct err ignored;
	char head[8];

	(void)size;
	snprintf(head, sizeof(head), "%.*s", (int)(len < sizeof(head) ? len : 0), text);
	if (!text[len] || number_parse(head, 1, VPS_ID_MAX, &from, &ignored) < 0 ||
	    number_parse(text + len + 1, from, VPS_ID_MAX, &to, &ignored) < 0)
		return fail_as(err, ERR_VALUE, "'%s' is not a range within 1-%u", text,
			       VPS_ID_MAX);
	*range = (struct id_range){ (unsigned)from, (unsigned)to };
	return 0;
}

static int port_parse(const char *text, void *value, size_t size, struct err *err)
{
	unsigned long number;

	(void)size;
	if (number_parse(text, 0, 65535 - VPS_ID_MAX, &number, err) < 0)
		return -1;
	*(unsigned *)value = (unsigned)number;
	return 0;
}

/* How many times, like 4 or 1.5: hundredths. */
static int ratio_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct err ignored;

	(void)size;
	if (cpus_parse(text, value, &ignored) < 0)
		return fail_as(err, ERR_VALUE, "'%s' is not a ratio (like 4 or 1.5)", text);
	return 0;
}

/* "2d", "48h": seconds, of more than the year that others are enough with. */
static int keep_parse(const char *text, void *value, size_t size, struct err *err)
{
	static const struct {
		char unit;
		unsigned factor;
	} units[] = { { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strlen(text);
	unsigned long number;
	struct err ignored;
	char digits[16];

	(void)size;
	snprintf(digits, sizeof(digits), "%.*s", len && len < 8 ? (int)len - 1 : 0, text);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!*digits || text[len - 1] != units[i].unit ||
		    number_parse(digits, 1, 3660ul * 86400 / units[i].factor, &number,
				 &ignored) < 0)
			continue;
		*(unsigned *)value = (unsigned)number * units[i].factor;
		return 0;
	}
	return fail_as(err, ERR_VALUE, "'%s' is not a time from 1h to 3660d", text);
}

static int percent_parse(const char *text, void *value, size_t size, struct err *err)
{
	unsigned long number;

	(void)size;
	if (number_parse(text, 1, 100, &number, err) < 0)
		return -1;
	*(unsigned *)value = (unsigned)number;
	return 0;
}

static const struct kind kind_percent = { percent_parse, NULL };

/* "10.0.0.0/8, 2001:db8::/32", or none; further lines add to it. */
static int free_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct address *networks = value;
	size_t max = size / sizeof(*networks), count = 0;
	own_str copy = xstrdup(text);
	char *rest = copy, *one;

	while (count < max && networks[count].family)
		count++;
	while ((one = strsep(&rest, ", \t"))) {
		if (!*one || strcmp(one, "none") == 0)
			continue;
		if (count == max)
			return fail_as(err, ERR_VALUE, "more than %zu networks", max);
		if (address_parse(one, &networks[count++], err) < 0)
			return -1;
	}
	return 0;
}

/* What is opened is named, port by port. */
static int open_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct ports ports;

	(void)size;
	if (ports_parse(text, &ports, err) < 0)
		return -1;
	if (!ports.some)
		return fail_as(err, ERR_VALUE, "name the ports, like udp/53,tcp/53");
	*(struct ports *)value = ports;
	return 0;
}

static const struct kind kind_open = { open_parse, NULL };
static const struct kind kind_free = { free_parse, NULL };
static const struct kind kind_keep = { keep_parse, NULL };
static const struct kind kind_bridge = { bridge_parse, NULL };
static const struct kind kind_ids = { ids_parse, NULL };
static const struct kind kind_port = { port_parse, NULL };
static const struct kind kind_ratio = { ratio_parse, NULL };

static const struct {
	const char *key;
	const struct kind *kind;
	size_t offset, size;
} keys[] = {
	KEY("storage", kind_path, storage),
	KEY("run", kind_path, run),
	KEY("bridge", kind_bridge, bridge.name),
	KEY("mtu", kind_count, bridge.mtu),
	KEY("uplink", kind_bridge, bridge.uplink),
	KEY("subnet", kind_address, bridge.ipv4),
	KEY("subnet6", kind_address, bridge.ipv6),
	KEY("net-mode", kind_link_mode, mode),
	KEY("free", kind_free, bridge.free),
	KEY("host-open", kind_open, bridge.open),
	KEY("ids", kind_ids, range),
	KEY("ssh-port", kind_port, ssh_port),
	KEY("nameserver", kind_servers, nameserver),
	KEY("plan", kind_name, plan),
	KEY("image", kind_word, image),
	KEY("reserve-memory", kind_bytes, promise.reserve_memory),
	KEY("reserve-disk", kind_bytes, promise.reserve_disk),
	KEY("reserve-cpus", kind_cpus, promise.reserve_cpus),
	KEY("reserve-tasks", kind_count, promise.reserve_tasks),
	KEY("ratio-cpus", kind_ratio, promise.ratio_cpus),
	KEY("ratio-memory", kind_ratio, promise.ratio_memory),
	KEY("ratio-disk", kind_ratio, promise.ratio_disk),
	KEY("ratio-tasks", kind_ratio, promise.ratio_tasks),
	KEY("ratio-traffic", kind_ratio, promise.ratio_traffic),
	KEY("traffic", kind_bytes, promise.traffic),
	KEY("view", kind_view, view),
	KEY("warn", kind_percent, warn),
	KEY("keep-minutes", kind_keep, retention.minutes),
	KEY("keep-hours", kind_keep, retention.hours),
	KEY("keep-days", kind_keep, retention.days),
};

/* What is being read, and which keys have been: only the name servers are a list. */
struct reading {
	struct node *node;
	uint64_t seen;
};

_Static_assert(ARRAY_SIZE(keys) <= 64, "one bit a key");

_Static_assert(NODE_POOLS <= BRIDGE_WAYS_MAX, "each may have a gateway");

/* "gateway 203.0.113.1", behind the comma. */
static int pool_gateway_parse(struct pool *pool, const char *text, struct err *err)
{
	char given[ADDRESS_TEXT], network[ADDRESS_TEXT];

	text += strspn(text, " \t");
	if (strncmp(text, "gateway", 7) != 0 || !strspn(text + 7, " \t"))
		return fail_as(
		    err, ERR_VALUE,
		    "'%.60s' is not 'gateway ADDRESS', all that may stand behind the "
		    "network",
		    text);
	text += 7 + strspn(text + 7, " \t");
	if (strchr(text, '/') || address_parse(text, &pool->gateway, err) < 0)
		return fail_as(err, ERR_VALUE, "gateway '%.60s' is not an address", text);
	if (address_is_usable(&pool->network, &pool->gateway))
		return 0;
	address_print(&pool->gateway, false, given, sizeof(given));
	address_print(&pool->network, true, network, sizeof(network));
	return fail_as(err, ERR_VALUE, "gateway %s is not a host of its network %s", given,
		       network);
}

/* "pool NAME = NETWORK[, gateway ADDRESS]": a key of its own for each. */
static int pool_parse(struct node *node, const char *name, const char *value, struct err *err)
{
	struct pool *pool = &node->pools[node->pools_count];
	size_t len = strcspn(value, ",");
	struct address network;
	char text[ADDRESS_TEXT];

	name += strspn(name, " \t");
	if (!name_is_valid(name))
		return fail_as(err, ERR_VALUE, "'%.60s' is not the name of a pool", name);
	for (unsigned i = 0; i < node->pools_count; i++) {
		if (strcmp(node->pools[i].name, name) == 0)
			return fail_as(err, ERR_VALUE, "pool '%s' is given twice", name);
	}
	if (node->pools_count == NODE_POOLS)
		return fail_as(err, ERR_VALUE, "more than %d pools", NODE_POOLS);
	while (len && strchr(" \t", value[len - 1]))
		len--;
	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : 0), value);
	*pool = (struct pool){ 0 };
	if (address_parse(text, &network, err) < 0)
		return fail_in(err, "pool %s", name);
	address_network(&network, &pool->network);
	if (!address_is_equal(&network, &pool->network))
		return fail_as(err, ERR_VALUE, "pool %s: '%s' is an address and no network",
			       name, text);
	value = strchr(value, ',');
	if (value && pool_gateway_parse(pool, value + 1, err) < 0)
		return fail_in(err, "pool %s", name);
	strcpy(pool->name, name);
	node->pools_count++;
	return 0;
}

static int key_set(const char *key, const char *value, void *arg, struct err *err)
{
	struct reading *reading = arg;

	if (strncmp(key, "pool ", 5) == 0)
		return pool_parse(reading->node, key + 5, value, err);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (reading->seen & UINT64_C(1) << i && keys[i].kind != &kind_servers &&
		    keys[i].kind != &kind_free)
			return fail_as(err, ERR_VALUE, "'%s' is given twice", key);
		reading->seen |= UINT64_C(1) << i;
		if (keys[i].kind->parse(value, (char *)reading->node + keys[i].offset,
					keys[i].size, err) < 0)
			return fail_in(err, "%s", key);
		return 0;
	}
	return fail_as(err, ERR_VALUE, "unknown key '%s'", key);
}

static void node_defaults(struct node *node)
{
	*node = (struct node){
		.range = { 1, VPS_ID_MAX },
		.ssh_port = 22000,
		.promise = {
			.reserve_memory = 512ull << 20,
			.reserve_disk = 2ull << 30,
			.reserve_tasks = 1024,
			.ratio_cpus = 1600,
			.ratio_memory = 400,
			.ratio_disk = 400,
			.ratio_tasks = 1600,
			.ratio_traffic = 400,
		},
		.warn = 80,
		.retention = { 2 * 86400, 60 * 86400, 1096 * 86400 },
		.dir = -1,
		.vps = -1,
		.images = -1,
		.ids = -1,
		.addresses = -1,
		.trash = -1,
		.templates = -1,
		.runs = -1,
	};
	strcpy(node->storage, "/var/lib/nodectl");
	strcpy(node->run, "/run/nodectl");
	strcpy(node->bridge.name, BRIDGE_DEFAULT);
	strcpy(node->plan, "small");
	strcpy(node->image, "debian-12");
}

static bool networks_meet(const struct address *a, const struct address *b)
{
	return network_is_in(a, b) || network_is_in(b, a);
}

/* No address is of two of them, nor of the subnet. */
static int pools_check(const struct node *node, struct err *err)
{
	for (unsigned i = 0; i < node->pools_count; i++) {
		const struct pool *pool = &node->pools[i];
		const struct address *subnet =
		    pool->network.family == AF_INET6 ? &node->bridge.ipv6 : &node->bridge.ipv4;

		if (!subnet->family)
			return fail_as(err, ERR_VALUE,
				       "pool %s: needs a subnet6, whose gateway its VPSs use",
				       pool->name);
		if (networks_meet(&pool->network, subnet))
			return fail_as(err, ERR_VALUE, "pool %s: it meets the node's subnet",
				       pool->name);
		for (unsigned n = 0; n < i; n++) {
			if (networks_meet(&pool->network, &node->pools[n].network))
				return fail_as(err, ERR_VALUE, "pool %s: it meets pool %s",
					       pool->name, node->pools[n].name);
		}
	}
	return 0;
}

/* What the bridge is told of pools. */
static void ways_fill(struct node *node)
{
	unsigned count = 0;

	for (unsigned i = 0; i < node->pools_count; i++) {
		const struct pool *pool = &node->pools[i];

		if (pool->gateway.family)
			node->bridge.ways[count++] =
			    (struct way){ pool->network, pool->gateway };
	}
}

int node_parse(struct node *node, const char *text, struct err *err)
{
	struct reading reading = { .node = node };

	node_defaults(node);
	if (conf_parse(text, key_set, &reading, err) < 0)
		return -1;
	if (node->bridge.ipv4.family != AF_INET || node->bridge.ipv4.prefix > 29)
		return fail_as(
		    err, ERR_VALUE,
		    "subnet: an IPv4 gateway with its prefix is needed, like 10.77.0.1/16");
	if (node->bridge.ipv6.family && node->bridge.ipv6.family != AF_INET6)
		return fail_as(err, ERR_VALUE, "subnet6: not an IPv6 address");
	if (pools_check(node, err) < 0)
		return -1;
	if (strcmp(node->bridge.uplink, "none") == 0)
		memset(node->bridge.uplink, 0, sizeof(node->bridge.uplink));
	ways_fill(node);
	return 0;
}

struct node node_none(void)
{
	return (struct node){ .dir = -1,
			      .vps = -1,
			      .images = -1,
			      .ids = -1,
			      .addresses = -1,
			      .trash = -1,
			      .templates = -1,
			      .runs = -1 };
}

void node_close(struct node *node)
{
	int *fds[] = { &node->dir,	 &node->vps,   &node->images,	 &node->ids,
		       &node->addresses, &node->trash, &node->templates, &node->runs };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		own_close(fds[i]);
}

static void plans_path(struct node *node, const char *config)
{
	const char *slash = strrchr(config, '/');

	str_format(node->config, sizeof(node->config), "%s", config);
	str_format(node->plans, sizeof(node->plans), "%.*splans",
		   slash ? (int)(slash - config + 1) : 0, config);
}

static int directories_open(struct node *node, struct err *err)
{
	const struct {
		const char *name;
		int *fd;
	} parts[] = {
		{ "vps", &node->vps },	   { "images", &node->images },
		{ "ids", &node->ids },	   { "addresses", &node->addresses },
		{ "trash", &node->trash }, { "templates", &node->templates },
	};

	node->dir = dir_open(AT_FDCWD, node->storage, err);
	if (node->dir < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		*parts[i].fd = dir_open(node->dir, parts[i].name, err);
		if (*parts[i].fd < 0)
			return -1;
	}
	/* /run is empty after a boot */
	node->runs = dir_make(AT_FDCWD, node->run, 0700, err);
	return node->runs < 0 ? -1 : 0;
}

static int config_read(struct node *node, const char *config, struct err *err)
{
	own_str text = file_slurp(AT_FDCWD, config, 65536, err);

	if (!text)
		return -1;
	if (node_parse(node, text, err) < 0)
		return fail_in(err, "%s", config);
	if (strlen(config) >= sizeof(node->config) - 8)
		return fail_as(err, ERR_VALUE, "the path of node.conf is too long");
	plans_path(node, config);
	return 0;
}

int node_open(struct node *node, const char *config, struct err *err)
{
	node_defaults(node);
	if (geteuid() != 0)
		return fail_as(err, ERR_SYSTEM, "nodectl must be run as root");
	if (config_read(node, config, err) < 0) {
		if (err->code == ENOENT)
			return fail_as(
			    err, ERR_SYSTEM,
			    "this node is not set up yet ('%s' is missing): run 'nodectl init'",
			    config);
		return -1;
	}
	if (directories_open(node, err) < 0) {
		if (err->code == ENOENT) {
			char cause[300];

			str_format(cause, sizeof(cause), "%.299s", err->msg);
			fail_as(err, ERR_SYSTEM, "%s: run 'nodectl init' to complete the node",
				cause);
		}
		return -1;
	}
	return 0;
}

/* The node's own name servers, except those that only the node itself can reach. */
static void resolvers_print(FILE *out)
{
	struct err ignored;
	own_str text = file_slurp(AT_FDCWD, "/etc/resolv.conf", 65536, &ignored);
	char *rest = text;
	unsigned count = 0;

	while (rest && count < VPS_NAMESERVERS) {
		char *line = strsep(&rest, "\n"), server[64];
		struct address address;
		char plain[ADDRESS_TEXT];

		if (sscanf(line, "nameserver %63s", server) != 1 ||
		    address_parse(server, &address, &ignored) < 0 ||
		    (address.family == AF_INET && address.bytes[0] == 127) ||
		    strcmp(server, "::1") == 0)
			continue;
		address_print(&address, false, plain, sizeof(plain));
		fprintf(out, "nameserver = %s\n", plain);
		count++;
	}
	if (!count)
		fputs("# none of the node's own can be reached from a VPS; give one:\n"
		      "#nameserver = 192.0.2.53\n",
		      out);
}

static char *config_make(void)
{
	uint8_t ula[5] = { 0 };
	char *text = NULL;
	size_t size;
	own_file out = xmemstream(&text, &size);

	/* RFC 4193: a random global id, so that two nodes never share a prefix */
	(void)!getrandom(ula, sizeof(ula), 0);
	fprintf(out,
		"# This node; see node.conf(5).  Written by 'nodectl init', yours to edit.\n"
		"\n"
		"# Where VPSs and images are kept (a directory of root's, on a local disk), "
		"and what\n"
		"# lasts until the next boot.\n"
		"#storage = /var/lib/nodectl\n"
		"#run = /run/nodectl\n"
		"\n"
		"# The bridge of the VPSs; its addresses are their gateways, the prefixes "
		"their subnets.\n"
		"#bridge = nodectl0\n"
		"#mtu = 0\n"
		"\n"
		"# A port of the machine's, with no address of it, for pools with a gateway.\n"
		"#uplink = none\n"
		"\n"
		"# What VPSs reach of the node itself beside ping: udp/53,tcp/53 for a name "
		"server.\n"
		"#host-open = none\n"
		"\n"
		"subnet = 10.77.0.1/16\n"
		"subnet6 = fd%02x:%02x%02x:%02x%02x:1::1/64\n"
		"\n"
		"# Further addresses for VPSs, routed to this node or with a gateway of their "
		"own.\n"
		"#pool public = 203.0.113.0/24, gateway 203.0.113.1\n"
		"\n"
		"# How VPSs are connected: bridge, routed (a bridge has 1024 ports) or none.\n"
		"#net-mode = bridge\n"
		"\n"
		"# Host port for ssh of VPS number N is ssh-port + N; 0: no forward unless "
		"asked for.\n"
		"#ssh-port = 22000\n"
		"\n"
		"# Name servers of VPSs that name none.\n",
		ula[0], ula[1], ula[2], ula[3], ula[4]);
	resolvers_print(out);
	fputs(
	    "\n"
	    "# What 'create' takes when it is not told.\n"
	    "#plan = small\n"
	    "#image = debian-12\n"
	    "\n"
	    "# Kept for the node itself: it is promised to no VPS.\n"
	    "#reserve-memory = 512M\n"
	    "#reserve-disk = 2G\n"
	    "#reserve-cpus = 0\n"
	    "#reserve-tasks = 1024\n"
	    "\n"
	    "# How many times over the upper limits of all VPSs may have the node; 0: any.\n"
	    "# What is guaranteed is never promised twice.\n"
	    "#ratio-cpus = 16\n"
	    "#ratio-memory = 4\n"
	    "#ratio-disk = 4\n"
	    "#ratio-tasks = 16\n"
	    "#ratio-traffic = 4\n"
	    "\n"
	    "# What the node itself may send and receive in a month; 0: no limit.\n"
	    "#traffic = 0\n"
	    "\n"
	    "# Networks with which traffic is counted apart, and free.\n"
	    "#free = 192.0.2.0/24, 2001:db8::/32\n"
	    "\n"
	    "# Do VPSs see their own limits in /proc, by lxcfs?  auto or none.\n"
	    "#view = auto\n"
	    "\n"
	    "# At how many percent of traffic, disk or inodes to warn, and how long what VPSs\n"
	    "# used is remembered: by the minute, the hour, and the day.\n"
	    "#warn = 80\n"
	    "#keep-minutes = 2d\n"
	    "#keep-hours = 60d\n"
	    "#keep-days = 1096d\n"
	    "\n"
	    "# Numbers that VPSs may get; each stands for 65536 host ids from 524288 on.\n"
	    "#ids = 1-28663\n",
	    out);
	fclose(out);
	out = NULL;
	return text;
}

static void say_to(void (*say)(const char *what, void *arg), const char *what, void *arg)
{
	if (say)
		say(what, arg);
}

bool node_key_exists(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, key) == 0)
			return true;
	}
	return false;
}

/* Does it say all of @settings already, as after an init that was cut off? */
static int config_compare(const char *config, const struct setting *settings, size_t count,
			  struct err *err)
{
	own_str text = file_slurp(AT_FDCWD, config, 65536, err);
	struct node node, other;

	if (!text)
		return -1;
	if (node_parse(&node, text, err) < 0)
		return fail_in(err, "%s", config);
	for (size_t i = 0; i < count; i++)
		text = conf_put(text, settings[i].key, settings[i].value, false);
	if (node_parse(&other, text, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (memcmp((char *)&node + keys[i].offset, (char *)&other + keys[i].offset,
			   keys[i].size) != 0)
			return fail_as(err, ERR_EXISTS,
				       "'%s' exists already, with another '%s': edit it",
				       config, keys[i].key);
	}
	return 0;
}

static int config_ensure(const char *config, const struct setting *settings, size_t count,
			 void (*say)(const char *what, void *arg), void *arg, struct err *err)
{
	char parent[256], line[300];
	const char *slash = strrchr(config, '/');
	struct node node;

	if (*config != '/' || strlen(config) >= sizeof(parent) - 8)
		return fail_as(err, ERR_VALUE, "'%s' is not an absolute path of a file",
			       config);
	int there = name_look(AT_FDCWD, config, err);
	if (there < 0)
		return -1;
	if (there)
		return config_compare(config, settings, count, err);

	own_str text = config_make();
	for (size_t i = 0; i < count; i++)
		text = conf_put(text, settings[i].key, settings[i].value, true);
	/* nothing is written that could not be read */
	if (node_parse(&node, text, err) < 0)
		return -1;

	str_format(parent, sizeof(parent), "%.*s", (int)(slash - config), config);
	if (*parent && dir_make_path(parent, 0755, err) < 0)
		return -1;
	own_fd dir = dir_open(AT_FDCWD, *parent ? parent : "/", err);
	if (dir < 0 || file_replace(dir, slash + 1, text, strlen(text), 0644, err) < 0)
		return -1;
	str_format(line, sizeof(line), "configuration %s", config);
	say_to(say, line, arg);
	return 0;
}

int node_init(const char *config, const struct setting *settings, size_t count,
	      void (*say)(const char *what, void *arg), void *arg, struct err *err)
{
	static const char *const parts[] = { "vps",	  "images", "ids",
					     "addresses", "trash",  "templates" };
	own_node node = node_none();
	char line[300];

	node_defaults(&node);
	if (geteuid() != 0)
		return fail_as(err, ERR_SYSTEM, "nodectl must be run as root");
	if (config_ensure(config, settings, count, say, arg, err) < 0 ||
	    config_read(&node, config, err) < 0 || plans_make(&node, say, arg, err) < 0)
		return -1;

	if (access(node.storage, F_OK) < 0) {
		str_format(line, sizeof(line), "storage %s", node.storage);
		say_to(say, line, arg);
	}
	if (dir_make_path(node.storage, 0700, err) < 0)
		return -1;
	own_fd storage = dir_open(AT_FDCWD, node.storage, err);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		own_fd part = storage < 0 ? -1 : dir_make(storage, parts[i], 0700, err);
		if (part < 0)
			return -1;
	}
	/* who is told that it is set up may lose power now */
	if (dir_sync(storage, ".", err) < 0 || dir_sync(storage, "..", err) < 0)
		return -1;
	if (dir_make_path(node.run, 0700, err) < 0)
		return -1;
	node.addresses = dir_open(storage, "addresses", err);
	if (node.addresses < 0 || lease_gateways_check(&node, NULL, err) < 0)
		return -1;

	bool there = if_nametoindex(node.bridge.name) != 0;
	if (bridge_ensure(&node.bridge, true, err) < 0)
		return -1;
	if (!there) {
		char v4[ADDRESS_TEXT], v6[ADDRESS_TEXT] = "";

		address_print(&node.bridge.ipv4, true, v4, sizeof(v4));
		if (node.bridge.ipv6.family)
			address_print(&node.bridge.ipv6, true, v6, sizeof(v6));
		str_format(line, sizeof(line), "bridge %s, %s%s%s", node.bridge.name, v4,
			   *v6 ? ", " : "", v6);
		say_to(say, line, arg);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cgroups.h"
#include "command.h"
#include "diff.h"
#include "err.h"
#include "guard.h"
#include "meter.h"
#include "own.h"
#include "str.h"
#include "view.h"

/* Of what `show` tells: that which is of the network. */
static const char *const keys[] = { "id",	 "name",     "state",  "net_mode",
				    "interface", "ipv4",     "ipv6",   "routes",
				    "publish",	 "allow_in", "dropped" };

/* What the kernel has of it, and what it has otherwise than defined. */
struct picture {
	struct view view;
	bool runs; /* and has a link */
	struct link_queue in, out;
	struct link_connections connections;
	struct meter_total total;
	unsigned bound;
	json_t *differences; /* of what, where, wants and has */
};

static void picture_free(struct picture *picture)
{
	json_decref(picture->differences);
}

#define own_picture __attribute__((cleanup(picture_free))) struct picture

static bool is_of_the_network(const struct picture *picture,
			      const struct difference *difference)
{
	static const char *const places[] = { "nv", "ni", "inet ", "bridge " };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (strncmp(difference->where, places[i], strlen(places[i])) == 0)
			return true;
	}
	return strcmp(difference->where, picture->view.node->bridge.name) == 0;
}

static void differ(const struct difference *difference, void *arg)
{
	struct picture *picture = arg;

	if (is_of_the_network(picture, difference))
		json_array_append_new(picture->differences,
				      json_pack("{s:s,s:s,s:s,s:s?}", "what", difference->what,
						"where", difference->where, "wants",
						difference->wants, "has", difference->has));
}

/* What is looked at, and how it is told. */
struct showing {
	const struct cli *cli;
	const struct node *node;
	json_t *json;
	bool more;   /* than one, which an empty line keeps apart */
	bool looked; /* the following are read, once one runs */
	struct connections connections;
	struct network_seen *seen; /* NULL where nothing can be seen: each that runs tells why
				    */
};

/* Once for all VPSs. */
static int kernel_look(struct showing *showing, struct err *err)
{
	struct err ignored;

	if (showing->looked)
		return 0;
	if (connections_read(&showing->connections, err) < 0)
		return -1;
	(void)network_see(&showing->node->bridge, &showing->seen, &ignored);
	showing->looked = true;
	return 0;
}

/* A VPS that is stopped has none of it; one that stops meanwhile, neither. */
static int picture_take(struct picture *picture, const struct vps *vps, struct showing *showing,
			struct err *err)
{
	own_meter meter = meter_none();
	struct err none;

	picture->differences = json_array();
	picture->bound = vps->link.connections ? vps->link.connections : connections_usual();
	if (meter_open(&meter, &none) < 0 ||
	    meter_read(&meter, vps->id, &picture->total, &none) < 0)
		picture->total = (struct meter_total){ 0 };
	picture->runs = picture->view.status.init != 0 && link_exists(vps->id) &&
			link_queues(vps->id, &picture->in, &picture->out, &none) == 0;
	if (!picture->runs)
		return 0;
	if (kernel_look(showing, err) < 0)
		return -1;
	link_connections(&showing->connections, &vps->link, &picture->connections);
	return diff_vps(picture->view.node, vps->name, showing->seen, differ, picture, err);
}

static json_t *queue_json(const struct link_queue *queue, uint64_t rate)
{
	return json_pack("{s:I,s:I,s:i,s:i,s:i}", "rate", (json_int_t)rate, "kernel_rate",
			 (json_int_t)queue->rate, "packets", (int)queue->packets, "bytes",
			 (int)queue->bytes, "dropped", (int)queue->dropped);
}

static json_t *traffic_json(const struct meter_total *total)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "bytes_in", (json_int_t)total->bytes_in,
			 "bytes_out", (json_int_t)total->bytes_out, "packets_in",
			 (json_int_t)total->packets_in, "packets_out",
			 (json_int_t)total->packets_out);
}

static const struct link *link_of(const struct picture *picture)
{
	return &picture->view.vps->link;
}

/* The way out, as it is seen inside; nothing of a family that it has not. */
static bool gateway_text(const struct picture *picture, int family, char text[ADDRESS_TEXT])
{
	const struct link *link = link_of(picture);
	const struct address *own = family == AF_INET6 ? &link->ipv6 : &link->ipv4;
	const struct address *gateway = link_gateway(&picture->view.node->bridge, link, family);

	if (!own->family || !gateway || link->mode == LINK_NONE)
		return false;
	address_print(gateway, false, text, ADDRESS_TEXT);
	return true;
}

static const int families[] = { AF_INET, AF_INET6 };

/* The ways to it and out of it. */
static void ways_json(const struct picture *picture, json_t *object)
{
	const struct bridge *bridge = &picture->view.node->bridge;
	json_t *gateways = json_array(), *routes = json_array();
	char gateway[ADDRESS_TEXT], route[LINK_ROUTE_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (gateway_text(picture, families[i], gateway))
			json_array_append_new(gateways, json_string(gateway));
	}
	for (unsigned n = 0;
	     link_route_print(picture->view.vps->id, bridge, link_of(picture), n, route); n++)
		json_array_append_new(routes, json_string(route));
	json_object_set_new(object, "gateways", gateways);
	json_object_set_new(object, "node_routes", routes);
	json_object_set_new(object, "uplink",
			    link_has_uplink(bridge, link_of(picture))
				? json_string(bridge->uplink)
				: json_null());
}

static void ways_print(const struct picture *picture)
{
	const struct bridge *bridge = &picture->view.node->bridge;
	char gateway[ADDRESS_TEXT], route[LINK_ROUTE_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (gateway_text(picture, families[i], gateway))
			printf("%20s: %s\n", "gateway", gateway);
	}
	for (unsigned n = 0;
	     link_route_print(picture->view.vps->id, bridge, link_of(picture), n, route); n++)
		printf("%20s: %s\n", "route of the node", route);
	if (link_has_uplink(bridge, link_of(picture)))
		printf("%20s: %s\n", "uplink", bridge->uplink);
}

static json_t *neighbours_json(const struct vps *vps)
{
	struct link_neighbours neighbours;

	if (!link_neighbours(vps->id, &neighbours))
		return json_null();
	return json_pack("{s:I,s:I,s:I}", "held", (json_int_t)neighbours.held, "most",
			 (json_int_t)neighbours.bound, "refused",
			 (json_int_t)neighbours.refused);
}

static void neighbours_print(const struct vps *vps)
{
	struct link_neighbours neighbours;

	if (link_neighbours(vps->id, &neighbours))
		printf("%20s: %" PRIu64 ", of at most %" PRIu64 "; %" PRIu64 " times refused\n",
		       "neighbours", neighbours.held, neighbours.bound, neighbours.refused);
}

static json_t *rings_json(const struct vps *vps)
{
	struct cgroup_sockets sockets;

	if (cgroup_sockets(vps->id, &sockets) < 0)
		return json_null();
	return json_pack("{s:I,s:I,s:I}", "asked", (json_int_t)sockets.asked, "most",
			 (json_int_t)sockets.bound, "refused", (json_int_t)sockets.refused);
}

static void rings_print(const struct vps *vps)
{
	struct cgroup_sockets sockets;
	char asked[24], bound[24];

	if (cgroup_sockets(vps->id, &sockets) < 0)
		return;
	size_human(sockets.asked, asked, sizeof(asked));
	size_human(sockets.bound, bound, sizeof(bound));
	printf("%20s: %s, of at most %s; %" PRIu64 " options refused\n", "rings of sockets",
	       asked, bound, sockets.refused);
}

static json_t *picture_json(const struct picture *picture)
{
	const struct link *link = &picture->view.vps->link;
	json_t *object = json_object();

	for (size_t i = 0; i < columns_count * ARRAY_SIZE(keys); i++) {
		const struct column *column = &columns[i % columns_count];

		if (strcmp(column->key, keys[i / columns_count]) == 0)
			json_object_set_new(object, column->key,
					    column_json(column, &picture->view));
	}
	ways_json(picture, object);
	json_object_set_new(object, "packet_rate", json_integer(link->packet_rate));
	json_object_set_new(object, "smtp", json_boolean(link->smtp));
	json_object_set_new(object, "traffic", traffic_json(&picture->total));
	json_object_set_new(object, "connections",
			    json_pack("{s:i,s:i,s:i}", "most", (int)picture->bound, "begun",
				      (int)picture->connections.begun, "come",
				      (int)picture->connections.come));
	json_object_set_new(object, "neighbours", neighbours_json(picture->view.vps));
	json_object_set_new(object, "rings", rings_json(picture->view.vps));
	json_object_set_new(object, "queues",
			    picture->runs
				? json_pack("{s:o,s:o}", "in",
					    queue_json(&picture->in, link->rate_in), "out",
					    queue_json(&picture->out, link->rate_out))
				: json_null());
	json_object_set(object, "differences", picture->differences);
	return object;
}

static void queue_print(const char *label, const struct link_queue *queue, uint64_t rate)
{
	char text[24];

	rate_print(rate, text, sizeof(text));
	if (rate)
		printf("%20s: %s; %u packets (%u bytes) wait, %u dropped\n", label, text,
		       queue->packets, queue->bytes, queue->dropped);
}

static void differences_print(const json_t *differences)
{
	json_t *one;
	size_t i;

	json_array_foreach(differences, i, one)
	{
		const char *has = json_string_value(json_object_get(one, "has"));

		printf("%20s: %s: wants %s, has %s\n", "otherwise",
		       json_string_value(json_object_get(one, "what")),
		       json_string_value(json_object_get(one, "wants")), has ? has : "nothing");
	}
}

static void picture_print(const struct picture *picture)
{
	const struct link *link = &picture->view.vps->link;
	char in[24], out[24];

	for (size_t i = 0; i < columns_count * ARRAY_SIZE(keys); i++) {
		const struct column *column = &columns[i % columns_count];
		char text[1024] = "";

		if (strcmp(column->key, keys[i / columns_count]) != 0)
			continue;
		column_text(column, &picture->view, text, sizeof(text));
		if (*text)
			printf("%20s: %s\n", column->label, text);
	}
	ways_print(picture);
	size_human(picture->total.bytes_in, in, sizeof(in));
	size_human(picture->total.bytes_out, out, sizeof(out));
	printf("%20s: in %s (%" PRIu64 " packets), out %s (%" PRIu64 " packets)\n", "traffic",
	       in, picture->total.packets_in, out, picture->total.packets_out);
	printf("%20s: %u begun, %u come, of at most %u each\n", "connections",
	       picture->connections.begun, picture->connections.come, picture->bound);
	neighbours_print(picture->view.vps);
	rings_print(picture->view.vps);
	if (link->packet_rate)
		printf("%20s: %u packets a second\n", "packet rate", link->packet_rate);
	printf("%20s: %s\n", "mail", link->smtp ? "open" : "closed");
	queue_print("rate in", &picture->in, link->rate_in);
	queue_print("rate out", &picture->out, link->rate_out);
	differences_print(picture->differences);
}

static int show_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct showing *showing = arg;
	own_picture picture = { .view = { .node = showing->node, .vps = vps } };

	/* said already, by whoever lists it */
	if (broken || !vps->id)
		return 0;
	vps_status(showing->node, vps, &picture.view.status);
	if (picture_take(&picture, vps, showing, err) < 0)
		return fail_in(err, "%s", vps->name);
	if (showing->json) {
		json_array_append_new(showing->json, picture_json(&picture));
		return 0;
	}
	if (showing->more)
		puts("");
	showing->more = true;
	picture_print(&picture);
	return 0;
}

int cmd_net_show(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct showing showing = { .cli = cli, .node = &node };
	int result = 0;

	if (node_open(&node, cli->config, err) < 0)
		return -1;
	showing.json = cli->json ? json_array() : NULL;
	if (!cli->args_count)
		result = vps_each(&node, show_one, &showing, err);
	for (int i = 0; i < cli->args_count && result == 0; i++) {
		own_vps vps = { 0 };

		result = vps_load(&node, cli->args[i], &vps, err);
		if (result == 0)
			result = show_one(&vps, NULL, &showing, err);
	}
	connections_free(&showing.connections);
	network_seen_free(&showing.seen);
	if (result < 0) {
		json_decref(showing.json);
		return -1;
	}
	return cli->json ? json_print(json_pack("{s:o}", "vps", showing.json), err) : 0;
}

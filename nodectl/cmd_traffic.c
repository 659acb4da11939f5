/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "guard.h"
#include "io.h"
#include "meter.h"
#include "own.h"
#include "str.h"

/* All that is counted, at one moment. */
struct look {
	struct meter_total *totals; /* by id */
	bool *there;
	unsigned long long when; /* now_ms() */
	char boot[METER_BOOT];
};

static void look_free(struct look *look)
{
	free(look->totals);
	free(look->there);
	*look = (struct look){ 0 };
}

#define own_look __attribute__((cleanup(look_free))) struct look

static void total_seen(unsigned id, const struct meter_total *total, void *arg)
{
	struct look *look = arg;

	if (id > VPS_ID_MAX)
		return;
	look->totals[id] = *total;
	look->there[id] = true;
}

/* No meter since the boot is nothing counted. */
static int look_take(struct look *look, struct err *err)
{
	own_meter meter = meter_none();

	look_free(look);
	look->totals = xcalloc(VPS_ID_MAX + 1, sizeof(*look->totals));
	look->there = xcalloc(VPS_ID_MAX + 1, sizeof(*look->there));
	look->when = now_ms();
	if (meter_open(&meter, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	memcpy(look->boot, meter.boot, sizeof(look->boot));
	return meter_each(&meter, total_seen, look, err);
}

/* What is told: now, and since when the rates are, if they are. */
struct telling {
	const struct cli *cli;
	const struct look *now, *before;
	json_t *json;
};

static uint64_t dropped(const struct meter_total *total)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < GUARD_REASONS; i++)
		sum += total->dropped[i];
	return sum;
}

/* Per second; another generation began meanwhile, and so from nothing. */
static uint64_t rate(const struct telling *telling, unsigned id, size_t member)
{
	const struct meter_total *now = &telling->now->totals[id],
				 *before = &telling->before->totals[id];
	uint64_t is, was = 0;
	unsigned long long ms = telling->now->when - telling->before->when;

	memcpy(&is, (const char *)now + member, sizeof(is));
	if (now->generation == before->generation)
		memcpy(&was, (const char *)before + member, sizeof(was));
	return is < was || ms == 0 ? 0 : (is - was) * 1000 / ms;
}

static const struct {
	const char *name;
	size_t member;
	bool rate;
} members[] = {
	{ "bytes_in", offsetof(struct meter_total, bytes_in), true },
	{ "bytes_out", offsetof(struct meter_total, bytes_out), true },
	{ "packets_in", offsetof(struct meter_total, packets_in), true },
	{ "packets_out", offsetof(struct meter_total, packets_out), true },
	{ "free_bytes_in", offsetof(struct meter_total, free_bytes_in), false },
	{ "free_bytes_out", offsetof(struct meter_total, free_bytes_out), false },
	{ "free_packets_in", offsetof(struct meter_total, free_packets_in), false },
	{ "free_packets_out", offsetof(struct meter_total, free_packets_out), false },
	{ "ipv6_bytes_in", offsetof(struct meter_total, v6_bytes_in), false },
	{ "ipv6_bytes_out", offsetof(struct meter_total, v6_bytes_out), false },
	{ "ipv6_packets_in", offsetof(struct meter_total, v6_packets_in), false },
	{ "ipv6_packets_out", offsetof(struct meter_total, v6_packets_out), false },
};

static json_t *drops_json(const struct meter_total *total)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < GUARD_REASONS; i++)
		json_object_set_new(object, guard_reason_name(i),
				    json_integer((json_int_t)total->dropped[i]));
	return object;
}

static json_t *vps_json(const struct telling *telling, const struct vps *vps)
{
	const struct meter_total *total = &telling->now->totals[vps->id];
	json_t *object = json_pack("{s:i,s:s,s:I}", "id", (int)vps->id, "name", vps->name,
				   "generation", (json_int_t)total->generation);
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		memcpy(&value, (const char *)total + members[i].member, sizeof(value));
		json_object_set_new(object, members[i].name, json_integer((json_int_t)value));
	}
	json_object_set_new(object, "dropped", drops_json(total));
	if (!telling->before)
		return object;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		own_str name = xasprintf("%s_rate", members[i].name);

		if (members[i].rate)
			json_object_set_new(object, name,
					    json_integer((json_int_t)rate(telling, vps->id,
									  members[i].member)));
	}
	return object;
}

static void bytes_cell(uint64_t bytes)
{
	char text[24];

	size_human(bytes, text, sizeof(text));
	printf(" %8s", text);
}

/* Rates are in bits, thousands of them. */
static void bits_cell(uint64_t bytes)
{
	static const char units[] = " kMGT";
	double bits = (double)bytes * 8;
	int unit = 0;

	for (; bits >= 999.5 && unit < 4; unit++)
		bits /= 1000;
	printf(" %7.*f%c", bits < 9.95 && unit ? 1 : 0, bits, units[unit]);
}

static void header_print(bool rates)
{
	printf("%-20s %8s %8s %8s %8s %8s %8s", "NAME", "IN", "OUT", "FREE-IN", "FREE-OUT",
	       "V6-IN", "V6-OUT");
	if (rates)
		printf(" %8s %8s %8s %8s", "IN/s", "OUT/s", "PKT-IN/s", "PKT-OUT/s");
	printf(" %10s\n", "DROPPED");
}

static void line_print(const struct telling *telling, const struct vps *vps)
{
	const struct meter_total *total = &telling->now->totals[vps->id];
	const uint64_t cells[] = { total->bytes_in,	 total->bytes_out,
				   total->free_bytes_in, total->free_bytes_out,
				   total->v6_bytes_in,	 total->v6_bytes_out };

	printf("%-20s", vps->name);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		bytes_cell(cells[i]);
	if (telling->before) {
		bits_cell(rate(telling, vps->id, offsetof(struct meter_total, bytes_in)));
		bits_cell(rate(telling, vps->id, offsetof(struct meter_total, bytes_out)));
		printf(" %8" PRIu64 " %9" PRIu64,
		       rate(telling, vps->id, offsetof(struct meter_total, packets_in)),
		       rate(telling, vps->id, offsetof(struct meter_total, packets_out)));
	}
	printf(" %10" PRIu64 "\n", dropped(total));
}

static void both_print(const char *what, uint64_t in, uint64_t out, uint64_t packets_in,
		       uint64_t packets_out)
{
	char one[24], two[24];

	size_human(in, one, sizeof(one));
	size_human(out, two, sizeof(two));
	printf("%-10s in %s (%" PRIu64 " packets), out %s (%" PRIu64 " packets)\n", what, one,
	       packets_in, two, packets_out);
}

/* One VPS, with what was dropped and why. */
static void lines_print(const struct vps *vps, const struct meter_total *total)
{
	printf("%s, since its network was first up%s\n", vps->name,
	       total->generation ? "" : ": never");
	both_print("all", total->bytes_in, total->bytes_out, total->packets_in,
		   total->packets_out);
	both_print("free", total->free_bytes_in, total->free_bytes_out, total->free_packets_in,
		   total->free_packets_out);
	both_print("IPv6", total->v6_bytes_in, total->v6_bytes_out, total->v6_packets_in,
		   total->v6_packets_out);
	printf("%-10s %" PRIu64 "\n", "dropped", dropped(total));
	for (unsigned i = 0; i < GUARD_REASONS; i++) {
		if (total->dropped[i])
			printf("  %-12s %" PRIu64 " (%s)\n", guard_reason_name(i),
			       total->dropped[i], guard_reason_text(i));
	}
}

static int tell_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct telling *telling = arg;

	(void)err;
	if (broken || !vps->id || vps->id > VPS_ID_MAX)
		return 0;
	if (telling->json)
		json_array_append_new(telling->json, vps_json(telling, vps));
	else if (telling->cli->args_count == 1 && !telling->before)
		lines_print(vps, &telling->now->totals[vps->id]);
	else
		line_print(telling, vps);
	return 0;
}

static int each_told(const struct node *node, struct telling *telling, struct err *err)
{
	const struct cli *cli = telling->cli;

	if (!cli->args_count)
		return vps_each(node, tell_one, telling, err);
	for (int i = 0; i < cli->args_count; i++) {
		own_vps vps = { 0 };

		if (vps_load(node, cli->args[i], &vps, err) < 0 ||
		    tell_one(&vps, NULL, telling, err) < 0)
			return -1;
	}
	return 0;
}

static int tell(const struct node *node, const struct cli *cli, const struct look *now,
		const struct look *before, struct err *err)
{
	struct telling telling = { .cli = cli, .now = now, .before = before };

	if (cli->json)
		telling.json = json_array();
	else if (cli->args_count != 1 || before)
		header_print(before != NULL);
	if (each_told(node, &telling, err) < 0) {
		json_decref(telling.json);
		return -1;
	}
	if (cli->json &&
	    json_print(json_pack("{s:s,s:o}", "boot", now->boot, "vps", telling.json), err) < 0)
		return -1;
	return fflush(stdout) == 0 ? 0 : fail(err, errno, "cannot print");
}

/* Until somebody interrupts it, or nobody reads it. */
static int watch(const struct node *node, const struct cli *cli, unsigned seconds,
		 struct err *err)
{
	own_look now = { 0 }, before = { 0 };

	if (look_take(&before, err) < 0)
		return -1;
	for (;;) {
		sleep(seconds);
		if (look_take(&now, err) < 0 || tell(node, cli, &now, &before, err) < 0)
			return -1;
		look_free(&before);
		before = now;
		now = (struct look){ 0 };
	}
}

int cmd_traffic(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_look now = { 0 };
	unsigned seconds;

	if ((cli_option(cli, "all") && cli_expect(cli, 0, 0, err) < 0) ||
	    cli_seconds(cli, "delay", 1, &seconds, err) < 0 ||
	    node_open(&node, cli->config, err) < 0)
		return -1;
	if (cli_option(cli, "watch"))
		return watch(&node, cli, seconds ? seconds : 1, err);
	return look_take(&now, err) < 0 ? -1 : tell(&node, cli, &now, NULL, err);
}

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

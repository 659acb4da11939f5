/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "err.h"
#include "kinds.h"
#include "node.h"
#include "own.h"
#include "str.h"

#define FIELD(key, kind, member, flags, argument, what)                                        \
	{                                                                                      \
		key, &(kind), offsetof(struct vps, member), sizeof(((struct vps *)0)->member), \
		    flags, argument, what                                                      \
	}

#define OPTION	FIELD_OPTION
#define PLAN	(FIELD_OPTION | FIELD_PLAN)
#define LIST	(FIELD_OPTION | FIELD_LIST)
#define RESTART FIELD_RESTART
#define FIXED	FIELD_FIXED

/* All that a VPS is: the only place that knows both a key's name and its home. */
const struct field vps_fields[] = {
	FIELD("name", kind_name, name, 0, "NAME", "the name"),
	FIELD("id", kind_count, id, 0, "N",
	      "the number; host ids, cgroup and interface follow from it"),
	FIELD("uuid", kind_word, uuid, 0, "UUID", "never used twice"),
	FIELD("created", kind_time, created, 0, "TIME", "when it was created"),
	FIELD("image", kind_word, image, OPTION | FIXED, "IMAGE", "image to make it from"),
	FIELD("digest", kind_word, digest, 0, "SHA256", "the image's tree that it runs on"),
	FIELD("plan", kind_name, plan, OPTION, "PLAN",
	      "plan that gives what is not given here"),
	FIELD("cpus", kind_cpus, limits.cpus, PLAN, "N",
	      "CPU cap, in cores like 1.5; 0 is none"),
	FIELD("cpu-guaranteed", kind_cores, limits.cpus_guaranteed, PLAN, "N",
	      "CPU time that it always gets, in cores"),
	FIELD("weight", kind_weight, limits.weight, PLAN, "N",
	      "share of the CPUs under contention, 1 to 10000; else by the guarantee"),
	FIELD("memory", kind_bytes, limits.memory, PLAN, "SIZE", "memory"),
	FIELD("memory-guaranteed", kind_amount, limits.memory_guaranteed, PLAN, "SIZE",
	      "memory that is never taken for others"),
	FIELD("swap", kind_bytes, limits.swap, PLAN, "SIZE", "swap beside memory"),
	FIELD("tasks", kind_count, limits.tasks, PLAN, "N", "processes and threads"),
	FIELD("disk", kind_bytes, volume.size, PLAN | FIELD_GROWS, "SIZE",
	      "size of the root file system"),
	FIELD("inodes", kind_count, volume.inodes, PLAN, "N",
	      "files of the root file system; 0: in proportion to its size"),
	FIELD("io-read", kind_io, limits.io_read, PLAN, "SPEED",
	      "reads from the disk, like 50M/s or 500iops or 50M/s,500iops; 0 is no limit"),
	FIELD("io-write", kind_io, limits.io_write, PLAN, "SPEED",
	      "writes to the disk, likewise"),
	FIELD("io-weight", kind_weight, limits.io_weight, PLAN, "N",
	      "share of a busy disk, 1 to 10000, 100 is normal"),
	FIELD("rate-in", kind_rate, link.rate_in, PLAN, "RATE",
	      "network to the VPS, in bits a second like 100M; 0 is no limit"),
	FIELD("rate-out", kind_rate, link.rate_out, PLAN, "RATE",
	      "network from the VPS, likewise"),
	FIELD("packet-rate", kind_packets, link.packet_rate, PLAN, "N",
	      "packets a second, to and from the VPS each; 0 is no limit"),
	FIELD("smtp", kind_switch, link.smtp, PLAN, "yes|no",
	      "may it send mail: connect to port 25 of others; default no"),
	FIELD("allow-in", kind_ports, link.allow_in, PLAN, "all|none|PORT,...",
	      "what may come in, like tcp/22,80,443,udp/53,icmp; default all"),
	FIELD("connections", kind_connections, link.connections, PLAN, "N",
	      "connections that it has at once; 0, the default, is by the node's table"),
	FIELD("traffic", kind_amount, traffic, PLAN, "SIZE",
	      "network traffic a month; 0 is no limit"),
	FIELD("traffic-period", kind_quota_period, quota.period, PLAN, "month|day:N|rolling",
	      "when it begins anew: with the month, on its day N (1 to 28), or never"),
	FIELD("traffic-count", kind_quota_count, quota.count, PLAN, "sum|in|out|max",
	      "what counts: both directions, one, or the larger"),
	FIELD("traffic-action", kind_quota_action, quota.action, PLAN,
	      "none|suspend|throttle:RATE", "what happens when it is used up"),
	FIELD("override", kind_override, overrides, FIELD_LIST, "KEY",
	      "a key that is the VPS's own, not its plan's"),
	FIELD("net-mode", kind_link_mode, link.mode, OPTION | RESTART, "bridge|routed|none",
	      "how it is connected: a port of the node's bridge, by routes alone, or not"),
	FIELD("network", kind_network, link.network, OPTION, "NAME",
	      "private network whose VPSs reach each other, or 'none'; they are routed"),
	FIELD("ip", kind_ip, link, LIST, "ADDRESS",
	      "IPv4 address, 'auto', 'pool:NAME' or 'none'"),
	FIELD("ip6", kind_ip6, link, LIST, "ADDRESS",
	      "IPv6 address, 'auto', 'pool:NAME' or 'none'"),
	FIELD("route", kind_route, link, LIST, "PREFIX",
	      "prefix of a pool that is routed to the VPS, or 'none'"),
	FIELD("publish", kind_publish, link, LIST, "[IP:]HOST[-END]:GUEST[/udp]",
	      "forward ports of the node to the VPS, or 'none'; default: one for ssh"),
	FIELD("hostname", kind_hostname, hostname, OPTION | RESTART, "HOST",
	      "host name; default: the name"),
	FIELD("nameserver", kind_servers, nameserver, LIST | RESTART, "ADDRESS",
	      "name server; default: the node's"),
	FIELD("ssh-key", kind_keys, ssh_keys, LIST | FIXED, "FILE",
	      "file with public keys for root"),
	FIELD("init", kind_path, init, OPTION | RESTART, "PATH",
	      "first program; default /sbin/init"),
	FIELD("stop-signal", kind_signal, stop_signal, OPTION, "SIGNAL",
	      "asks init to power off; default 'auto': by the kind of init"),
	FIELD("stop-timeout", kind_seconds, stop_timeout, OPTION, "SECONDS",
	      "how long stop waits before it kills; default 60"),
	FIELD("restart", kind_restart, restart, OPTION, "on-crash|no",
	      "what happens when init ends unasked"),
	FIELD("onboot", kind_onboot, onboot, OPTION, "yes|no|last", "start with the node"),
	FIELD("order", kind_count, order, OPTION, "N", "lower starts first with the node"),
	FIELD("allow-unenforced", kind_accepted, limits.accepted, LIST, "LIMIT",
	      "accept that this node cannot enforce that limit"),
};
const size_t vps_fields_count = ARRAY_SIZE(vps_fields);

void vps_free(struct vps *vps)
{
	free(vps->ssh_keys);
	vps->ssh_keys = NULL;
}

unsigned vps_lacks(const struct vps *vps, unsigned lacking)
{
	unsigned lacks = lacking & cgroup_asked(&vps->limits);
	unsigned asked =
	    (vps->link.rate_in ? LINK_RATE_IN : 0) | (vps->link.rate_out ? LINK_RATE_OUT : 0);

	/* only tried where it matters, for it takes some ms */
	asked &= asked ? link_rates_lacking() : 0;
	return lacks | (asked & LINK_RATE_IN ? LIMIT_RATE_IN : 0) |
	       (asked & LINK_RATE_OUT ? LIMIT_RATE_OUT : 0);
}

bool field_waits(const struct field *field)
{
	return field->flags & FIELD_RESTART ||
	       (field->flags & FIELD_GROWS && !volume_grows_live());
}

const struct field *field_find(const char *key)
{
	for (size_t i = 0; i < vps_fields_count; i++) {
		if (strcmp(vps_fields[i].key, key) == 0)
			return &vps_fields[i];
	}
	return NULL;
}

int field_set(struct vps *vps, const struct field *field, const char *text, struct err *err)
{
	if (field->kind->parse(text, (char *)vps + field->offset, field->size, err) < 0)
		return fail_in(err, "%s", field->key);
	return 0;
}

void field_print(const struct vps *vps, const struct field *field, FILE *out)
{
	field->kind->print(field->key, (const char *)vps + field->offset, field->size, out);
}

char *field_text(const struct vps *vps, const struct field *field)
{
	char *text = NULL;
	size_t size;
	own_file out = xmemstream(&text, &size);

	field_print(vps, field, out);
	fclose(out);
	out = NULL;
	return text;
}

/* What is being read, and which keys have been: a key that is no list must not come twice. */
struct reading {
	struct vps *vps;
	unsigned flags; /* only fields with these */
	unsigned long long seen;
};

_Static_assert(ARRAY_SIZE(vps_fields) <= 64, "one bit a field");

static int reading_set(const char *key, const char *value, void *arg, struct err *err)
{
	struct reading *reading = arg;
	const struct field *field = field_find(key);
	unsigned long long bit;

	if (!field)
		return fail_as(err, ERR_VALUE, "unknown key '%s'", key);
	if ((field->flags & reading->flags) != reading->flags)
		return fail_as(err, ERR_VALUE, "'%s' does not belong here", key);
	bit = 1ull << (field - vps_fields);
	if ((reading->seen & bit) && !(field->flags & FIELD_LIST))
		return fail_as(err, ERR_VALUE, "'%s' is given twice", key);
	reading->seen |= bit;
	return field_set(reading->vps, field, value, err);
}

void vps_init(struct vps *vps)
{
	*vps = (struct vps){ .stop_timeout = 60, .order = 1000 };
	strcpy(vps->init, "/sbin/init");
	strcpy(vps->stop_signal, "auto");
}

int vps_parse(struct vps *vps, const char *text, struct err *err)
{
	own_vps got;
	struct reading reading = { .vps = &got };

	vps_init(&got);
	if (conf_parse(text, reading_set, &reading, err) < 0)
		return -1;
	if (!got.name[0] || !got.id || got.id > VPS_ID_MAX || !got.digest[0])
		return fail_as(err, ERR_VALUE, "name, id or digest is missing");
	*vps = got;
	got.ssh_keys = NULL;
	return 0;
}

char *vps_print(const struct vps *vps)
{
	char *text = NULL;
	size_t size;
	own_file out = xmemstream(&text, &size);

	fputs("# What this VPS is; see vps.conf(5).  Change it with 'nodectl set'.\n", out);
	for (size_t i = 0; i < vps_fields_count; i++)
		field_print(vps, &vps_fields[i], out);
	fclose(out);
	out = NULL;
	return text;
}

int plan_parse(struct vps *vps, const char *text, struct err *err)
{
	struct reading reading = { .vps = vps, .flags = FIELD_PLAN };

	return conf_parse(text, reading_set, &reading, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "lxcfs.h"
#include "meter.h"
#include "own.h"
#include "str.h"

static void usage_fill(struct view *view, unsigned flags)
{
	unsigned parts = (flags & NEED_MEMORY ? USAGE_MEMORY : 0) |
			 (flags & NEED_TASKS ? USAGE_TASKS : 0) |
			 (flags & NEED_USAGE ? USAGE_ALL : 0);
	struct err ignored;

	/* what cannot be read is unknown, not 0 */
	memset(&view->usage, 0xff, sizeof(view->usage));
	if (view->reader)
		(void)cgroup_read(view->reader, view->vps->id, parts, &view->usage, &ignored);
	else
		(void)cgroup_usage(view->vps->id, parts, &view->usage, &ignored);
}

static void volume_fill(struct view *view, int dir)
{
	struct err ignored;

	memset(&view->volume, 0xff, sizeof(view->volume));
	if (dir >= 0)
		(void)volume_figures(dir, &view->volume, &ignored);
}

void view_fill(struct view *view, unsigned flags)
{
	struct err ignored;

	if (view->broken)
		return;
	if (flags & (NEED_USAGE | NEED_MEMORY | NEED_TASKS) && view->status.init)
		usage_fill(view, flags);
	if (flags & NEED_LINK && view->status.init)
		(void)link_usage(view->vps->id, &view->link, &ignored);
	if (flags & (NEED_DISK | NEED_VOLUME)) {
		own_fd dir = vps_dir(view->node, view->vps->name, &ignored);

		if (dir >= 0 && flags & NEED_DISK)
			(void)volume_usage(dir, &view->disk, &ignored);
		if (flags & NEED_VOLUME)
			volume_fill(view, dir);
	}
}

json_t *figure_json(enum unit unit, uint64_t figure)
{
	if (figure == FIGURE_UNKNOWN)
		return json_null();
	switch (unit) {
	case UNIT_NONE:
	case UNIT_COUNT:
	case UNIT_SIZE:
		break;
	case UNIT_USEC:
		return json_real((double)figure / 1e6);
	case UNIT_PERCENT:
		return part_json((double)figure / 1e4);
	}
	return json_integer((json_int_t)figure);
}

static void usec_text(uint64_t usec, char *text, size_t size)
{
	if (usec < 100000000)
		snprintf(text, size, "%.2fs", (double)usec / 1e6);
	else
		seconds_human(usec / 1000000, text, size);
}

void figure_text(enum unit unit, uint64_t figure, char *text, size_t size)
{
	if (figure == FIGURE_UNKNOWN) {
		snprintf(text, size, "-");
		return;
	}
	switch (unit) {
	case UNIT_NONE:
	case UNIT_COUNT:
		snprintf(text, size, "%" PRIu64, figure);
		return;
	case UNIT_SIZE:
		size_human(figure, text, size);
		return;
	case UNIT_USEC:
		usec_text(figure, text, size);
		return;
	case UNIT_PERCENT:
		part_text((double)figure / 1e4, text, size);
		return;
	}
}

json_t *part_json(double part)
{
	return part < 0 ? json_null() : json_real(part);
}

void part_text(double part, char *text, size_t size)
{
	if (part < 0)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%.1f%%", part * 100);
}

bool column_is_shown(const struct column *column)
{
	return column->text || !column->json;
}

static uint64_t figure_of(const struct figure_row *row, const struct view *view)
{
	return *(const uint64_t *)((const char *)view + row->offset);
}

void column_text(const struct column *column, const struct view *view, char *text, size_t size)
{
	const struct figure_row *row = column->text ? NULL : figure_find(column->key);

	if (row)
		figure_text(row->unit, figure_of(row, view), text, size);
	else
		column->text(view, text, size);
}

json_t *column_json(const struct column *column, const struct view *view)
{
	const struct figure_row *row = column->json ? NULL : figure_find(column->key);

	return row ? figure_json(row->unit, figure_of(row, view)) : column->json(view);
}

static void id_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%u", v->vps->id);
}

static json_t *id_json(const struct view *v)
{
	return json_integer(v->vps->id);
}

static void name_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->name);
}

static json_t *name_json(const struct view *v)
{
	return json_string(v->vps->name);
}

static void state_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", state_name(v->status.state));
}

static json_t *state_json(const struct view *v)
{
	return json_string(state_name(v->status.state));
}

static void error_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->status.error);
}

static json_t *error_json(const struct view *v)
{
	return v->status.error[0] ? json_string(v->status.error) : json_null();
}

static void plan_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->plan);
}

static json_t *plan_json(const struct view *v)
{
	return json_string(v->vps->plan);
}

static json_t *addresses_json(const struct link *link, int family)
{
	const struct address *address;
	json_t *list = json_array();
	char text[ADDRESS_TEXT];

	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		if (address->family != family)
			continue;
		address_print(address, false, text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void addresses_text(const struct link *link, int family, char *text, size_t size)
{
	const struct address *address;
	size_t used = 0;

	text[0] = 0;
	for (unsigned n = 0; (address = link_address(link, n)) && used < size; n++) {
		char one[ADDRESS_TEXT];

		if (address->family != family)
			continue;
		address_print(address, false, one, sizeof(one));
		used +=
		    (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", one);
	}
}

static void ipv4_text(const struct view *v, char *text, size_t size)
{
	addresses_text(&v->vps->link, AF_INET, text, size);
}

static json_t *ipv4_json(const struct view *v)
{
	return addresses_json(&v->vps->link, AF_INET);
}

static void ipv6_text(const struct view *v, char *text, size_t size)
{
	addresses_text(&v->vps->link, AF_INET6, text, size);
}

static json_t *ipv6_json(const struct view *v)
{
	return addresses_json(&v->vps->link, AF_INET6);
}

static void routes_text(const struct view *v, char *text, size_t size)
{
	const struct link *link = &v->vps->link;
	size_t used = 0;

	text[0] = 0;
	for (unsigned i = 0; i < link->routed_count && used < size; i++) {
		char one[ADDRESS_TEXT];

		address_print(&link->routed[i], true, one, sizeof(one));
		used +=
		    (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", one);
	}
}

static json_t *routes_json(const struct view *v)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT];

	for (unsigned i = 0; i < v->vps->link.routed_count; i++) {
		address_print(&v->vps->link.routed[i], true, text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void image_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->image);
}

static json_t *image_json(const struct view *v)
{
	return json_string(v->vps->image);
}

static void digest_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->digest);
}

static json_t *digest_json(const struct view *v)
{
	return json_string(v->vps->digest);
}

static void hostname_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->hostname);
}

static json_t *hostname_json(const struct view *v)
{
	return json_string(v->vps->hostname);
}

static void uuid_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->uuid);
}

static json_t *uuid_json(const struct view *v)
{
	return json_string(v->vps->uuid);
}

static void cpus_text(const struct view *v, char *text, size_t size)
{
	if (v->vps->limits.cpus)
		cpus_print(v->vps->limits.cpus, text, size);
	else
		snprintf(text, size, "all");
}

static json_t *cpus_json(const struct view *v)
{
	return json_real(v->vps->limits.cpus / 100.0);
}

static void weight_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%u", cgroup_weight(&v->vps->limits));
}

static json_t *weight_json(const struct view *v)
{
	return json_integer(cgroup_weight(&v->vps->limits));
}

/* "52M/1G" while it runs, the limit alone when not */
static void used_of(bool used_known, uint64_t used, uint64_t limit, char *text, size_t size)
{
	char a[24], b[24] = "all";

	figure_text(UNIT_SIZE, used, a, sizeof(a));
	if (limit)
		size_human(limit, b, sizeof(b));
	if (used_known)
		snprintf(text, size, "%s/%s", a, b);
	else
		snprintf(text, size, "%s", b);
}

static void memory_text(const struct view *v, char *text, size_t size)
{
	used_of(v->status.init, v->usage.memory, v->vps->limits.memory, text, size);
}

static json_t *memory_json(const struct view *v)
{
	return json_integer((json_int_t)v->vps->limits.memory);
}

static void swap_text(const struct view *v, char *text, size_t size)
{
	size_human(v->vps->limits.swap, text, size);
}

static json_t *swap_json(const struct view *v)
{
	return json_integer((json_int_t)v->vps->limits.swap);
}

static void disk_text(const struct view *v, char *text, size_t size)
{
	used_of(true, v->disk, v->vps->volume.size, text, size);
}

static json_t *disk_json(const struct view *v)
{
	return json_integer((json_int_t)v->vps->volume.size);
}

static void tasks_text(const struct view *v, char *text, size_t size)
{
	char limit[16] = "all", used[24] = "";

	if (v->vps->limits.tasks)
		snprintf(limit, sizeof(limit), "%u", v->vps->limits.tasks);
	if (v->status.init)
		figure_text(UNIT_COUNT, v->usage.tasks, used, sizeof(used));
	snprintf(text, size, "%s%s%s", used, *used ? "/" : "", limit);
}

static json_t *tasks_json(const struct view *v)
{
	return json_integer(v->vps->limits.tasks);
}

static void traffic_text(const struct view *v, char *text, size_t size)
{
	if (v->status.init)
		size_human(v->link.rx_bytes + v->link.tx_bytes, text, size);
	else
		snprintf(text, size, "-");
}

static json_t *traffic_json(const struct view *v)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "in", (json_int_t)v->link.rx_bytes, "out",
			 (json_int_t)v->link.tx_bytes, "packets_in",
			 (json_int_t)v->link.rx_packets, "packets_out",
			 (json_int_t)v->link.tx_packets);
}

static int64_t uptime(const struct view *v)
{
	int64_t seconds = time(NULL) - v->status.started;

	return v->status.init && seconds > 0 ? seconds : 0;
}

static void uptime_text(const struct view *v, char *text, size_t size)
{
	if (v->status.init)
		seconds_human((uint64_t)uptime(v), text, size);
	else
		snprintf(text, size, "-");
}

static json_t *uptime_json(const struct view *v)
{
	return json_integer(uptime(v));
}

static json_t *when_json(int64_t seconds)
{
	char text[32];

	if (!seconds)
		return json_null();
	time_print(seconds, text, sizeof(text));
	return json_string(text);
}

static void created_text(const struct view *v, char *text, size_t size)
{
	time_print(v->vps->created, text, size);
}

static json_t *created_json(const struct view *v)
{
	return when_json(v->vps->created);
}

static void started_text(const struct view *v, char *text, size_t size)
{
	if (v->status.init)
		time_print(v->status.started, text, size);
}

static json_t *started_json(const struct view *v)
{
	return when_json(v->status.init ? v->status.started : 0);
}

static void pid_text(const struct view *v, char *text, size_t size)
{
	if (v->status.init)
		snprintf(text, size, "%d", v->status.init);
}

static json_t *pid_json(const struct view *v)
{
	return v->status.init ? json_integer(v->status.init) : json_null();
}

static void monitor_text(const struct view *v, char *text, size_t size)
{
	if (v->status.monitor)
		snprintf(text, size, "%d", v->status.monitor);
}

static json_t *monitor_json(const struct view *v)
{
	return v->status.monitor ? json_integer(v->status.monitor) : json_null();
}

static void base_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%u to %u", vps_base(v->vps->id),
		 vps_base(v->vps->id) + VPS_ID_SIZE - 1);
}

static json_t *base_json(const struct view *v)
{
	return json_integer(vps_base(v->vps->id));
}

static void cgroup_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "nodectl-vps.service/%u", v->vps->id);
}

static json_t *cgroup_json(const struct view *v)
{
	char text[40];

	cgroup_text(v, text, sizeof(text));
	return json_string(text);
}

static void mode_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", link_mode_name(v->vps->link.mode));
}

static json_t *mode_json(const struct view *v)
{
	return json_string(link_mode_name(v->vps->link.mode));
}

static void network_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->link.network.name);
}

static json_t *network_json(const struct view *v)
{
	const char *name = v->vps->link.network.name;

	return *name ? json_string(name) : json_null();
}

static void interface_text(const struct view *v, char *text, size_t size)
{
	if (link_is_wanted(&v->vps->link))
		snprintf(text, size, "nv%u", v->vps->id);
}

static json_t *interface_json(const struct view *v)
{
	char text[40] = "";

	interface_text(v, text, sizeof(text));
	return *text ? json_string(text) : json_null();
}

/* What the guard of its link let go nowhere; nothing counted is no reason at all. */
static void dropped_read(const struct view *v, struct meter_total *total)
{
	own_meter meter = meter_none();
	struct err ignored;

	if (meter_open(&meter, &ignored) < 0 ||
	    meter_read(&meter, v->vps->id, total, &ignored) < 0)
		*total = (struct meter_total){ 0 };
}

static void dropped_text(const struct view *v, char *text, size_t size)
{
	struct meter_total total;
	size_t used = 0;

	dropped_read(v, &total);
	for (unsigned i = 0; i < GUARD_REASONS && used < size; i++) {
		if (total.dropped[i])
			used += (size_t)snprintf(text + used, size - used, "%s%s %llu",
						 used ? ", " : "", guard_reason_name(i),
						 (unsigned long long)total.dropped[i]);
	}
}

static json_t *dropped_json(const struct view *v)
{
	struct meter_total total;
	json_t *object = json_object();

	dropped_read(v, &total);
	for (unsigned i = 0; i < GUARD_REASONS; i++)
		json_object_set_new(object, guard_reason_name(i),
				    json_integer((json_int_t)total.dropped[i]));
	return object;
}

static void publish_text(const struct view *v, char *text, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; i < v->vps->link.publish_count && used < size; i++) {
		char one[PUBLISH_TEXT];

		publish_print(&v->vps->link.publish[i], one, sizeof(one));
		used +=
		    (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", one);
	}
}

static json_t *publish_json(const struct view *v)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < v->vps->link.publish_count; i++) {
		char one[PUBLISH_TEXT];

		publish_print(&v->vps->link.publish[i], one, sizeof(one));
		json_array_append_new(list, json_string(one));
	}
	return list;
}

static void allow_text(const struct view *v, char *text, size_t size)
{
	char list[PORTS_TEXT];

	ports_print(&v->vps->link.allow_in, list, sizeof(list));
	snprintf(text, size, "%s", list);
}

static json_t *allow_json(const struct view *v)
{
	char list[PORTS_TEXT];

	ports_print(&v->vps->link.allow_in, list, sizeof(list));
	return json_string(list);
}

static void cpu_text(const struct view *v, char *text, size_t size)
{
	if (v->status.init && v->usage.cpu_usec != FIGURE_UNKNOWN)
		snprintf(text, size, "%.2fs", (double)v->usage.cpu_usec / 1e6);
}

static json_t *usage_json(const struct view *v)
{
	const struct cgroup_usage *u = &v->usage;

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "memory",
			 figure_json(UNIT_SIZE, u->memory), "memory_peak",
			 figure_json(UNIT_SIZE, u->memory_peak), "swap",
			 figure_json(UNIT_SIZE, u->swap), "cpu",
			 figure_json(UNIT_USEC, u->cpu_usec), "throttled",
			 figure_json(UNIT_USEC, u->throttled_usec), "tasks",
			 figure_json(UNIT_COUNT, u->tasks), "oom_kills",
			 figure_json(UNIT_COUNT, u->oom_kills), "tasks_refused",
			 figure_json(UNIT_COUNT, u->refused), "disk", (json_int_t)v->disk);
}

/* What a VPS has met; nothing when it has met nothing. */
static void limits_met_text(const struct view *v, char *text, size_t size)
{
	const struct cgroup_usage *u = &v->usage;
	size_t used = 0;

	if (u->oom_kills && u->oom_kills != FIGURE_UNKNOWN)
		used = (size_t)snprintf(text, size, "%" PRIu64 " killed for want of memory",
					u->oom_kills);
	if (u->refused && u->refused != FIGURE_UNKNOWN && used < size)
		snprintf(text + used, size - used, "%s%" PRIu64 " times no task more",
			 used ? ", " : "", u->refused);
}

static json_t *limits_met_json(const struct view *v)
{
	const struct cgroup_usage *u = &v->usage;

	return json_pack("{s:o,s:o,s:o,s:o}", "memory_high", figure_json(UNIT_COUNT, u->highs),
			 "memory_max", figure_json(UNIT_COUNT, u->maxes), "oom_kills",
			 figure_json(UNIT_COUNT, u->oom_kills), "tasks_refused",
			 figure_json(UNIT_COUNT, u->refused));
}

static json_t *io_json(const struct io_limit *limit)
{
	return json_pack("{s:I,s:I}", "bytes", (json_int_t)limit->bytes, "ops",
			 (json_int_t)limit->ops);
}

json_t *vps_limits_json(const struct vps *vps)
{
	const struct limits *l = &vps->limits;

	return json_pack(
	    "{s:f,s:i,s:I,s:I,s:i,s:I,s:i,s:o,s:o,s:i,s:I,s:I,s:i,s:b,s:i,s:I}", "cpus",
	    l->cpus / 100.0, "weight", (int)cgroup_weight(l), "memory", (json_int_t)l->memory,
	    "swap", (json_int_t)l->swap, "tasks", (int)l->tasks, "disk",
	    (json_int_t)vps->volume.size, "inodes", (int)vps->volume.inodes, "io_read",
	    io_json(&l->io_read), "io_write", io_json(&l->io_write), "io_weight",
	    (int)(l->io_weight ? l->io_weight : 100), "rate_in", (json_int_t)vps->link.rate_in,
	    "rate_out", (json_int_t)vps->link.rate_out, "packet_rate",
	    (int)vps->link.packet_rate, "smtp", vps->link.smtp, "connections",
	    (int)vps->link.connections, "traffic", (json_int_t)vps->traffic);
}

/* What is done for its used-up quota, beside what it is defined to have. */
static void quota_text(const struct view *v, char *text, size_t size)
{
	char rate[24];

	rate_print(v->vps->throttle, rate, sizeof(rate));
	if (v->vps->suspended)
		snprintf(text, size, "used up: suspended");
	else if (v->vps->throttle)
		snprintf(text, size, "used up: throttled to %s", rate);
}

static json_t *quota_json(const struct view *v)
{
	return json_pack("{s:I,s:b}", "throttle", (json_int_t)v->vps->throttle, "suspended",
			 v->vps->suspended);
}

static json_t *limits_json(const struct view *v)
{
	return vps_limits_json(v->vps);
}

static json_t *vps_overrides_json(const struct vps *vps)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vps_fields_count; i++) {
		if (vps->overrides & field_bit(&vps_fields[i]))
			json_array_append_new(list, json_string(vps_fields[i].key));
	}
	return list;
}

static json_t *overrides_json(const struct view *v)
{
	return vps_overrides_json(v->vps);
}

static void overrides_text(const struct view *v, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < vps_fields_count && used < size; i++) {
		if (v->vps->overrides & field_bit(&vps_fields[i]))
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used ? ", " : "", vps_fields[i].key);
	}
}

/* Limits that were asked for and that this host cannot hold. */
static unsigned unenforced(const struct view *v)
{
	/* a rate that is not accepted would have been refused */
	return v->vps->limits.accepted & (LIMIT_RATE_IN | LIMIT_RATE_OUT)
		   ? vps_lacks(v->vps, v->lacks)
		   : v->lacks & cgroup_asked(&v->vps->limits);
}

static bool is_traffic_unmet(const struct vps *vps)
{
	return vps->traffic != 0 && vps->quota.action == QUOTA_NOTHING;
}

/* A weight that was given counts as it is, whatever was guaranteed. */
static bool is_guarantee_unmet(const struct vps *vps)
{
	struct limits needed = vps->limits;

	needed.weight = 0;
	return vps->limits.cpus_guaranteed &&
	       cgroup_weight(&vps->limits) < cgroup_weight(&needed);
}

/* Promised, and not held to by anything. */
static const struct {
	const char *key, *why;
	bool (*is_so)(const struct vps *vps);
} unmet[] = {
	{ "cpu-guaranteed", "its weight is worth less", is_guarantee_unmet },
	{ "traffic", "it is counted, but no traffic-action is set", is_traffic_unmet },
};

static void unenforced_text(const struct view *v, char *text, size_t size)
{
	unsigned bits = unenforced(v);
	size_t used = 0;

	for (unsigned bit = 1; bit <= bits; bit <<= 1) {
		if (bits & bit)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used ? ", " : "", limit_name((enum limit)bit));
	}
	for (size_t i = 0; i < ARRAY_SIZE(unmet) && used < size; i++) {
		if (unmet[i].is_so(v->vps))
			used += (size_t)snprintf(text + used, size - used, "%s%s (%s)",
						 used ? ", " : "", unmet[i].key, unmet[i].why);
	}
}

static json_t *unenforced_json(const struct view *v)
{
	unsigned bits = unenforced(v);
	json_t *list = json_array();

	for (unsigned bit = 1; bit <= bits; bit <<= 1) {
		if (bits & bit)
			json_array_append_new(list, json_string(limit_name((enum limit)bit)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(unmet); i++) {
		if (unmet[i].is_so(v->vps))
			json_array_append_new(list, json_string(unmet[i].key));
	}
	return list;
}

static void pending_add(const struct field *field, const char *now, const char *then, void *arg)
{
	char *text = arg;
	size_t used = strlen(text);

	(void)now;
	(void)field;
	snprintf(text + used, 512 - used, "%s%.*s", used ? ", " : "", (int)strcspn(then, "\n"),
		 then);
}

static void pending_text(const struct view *v, char *text, size_t size)
{
	char all[512] = "";
	struct err ignored;

	if (v->status.init)
		(void)vps_pending(v->node, v->vps, pending_add, all, &ignored);
	snprintf(text, size, "%s", all);
}

static void pending_key(const struct field *field, const char *now, const char *then, void *arg)
{
	(void)now;
	(void)then;
	json_array_append_new(arg, json_string(field->key));
}

static json_t *pending_json(const struct view *v)
{
	json_t *list = json_array();
	struct err ignored;

	if (v->status.init)
		(void)vps_pending(v->node, v->vps, pending_key, list, &ignored);
	return list;
}

/* "0.1 CPU, 256M memory" */
static void guarantees_text(const struct view *v, char *text, size_t size)
{
	const struct limits *l = &v->vps->limits;
	char cpus[16], memory[16];

	cpus_print(l->cpus_guaranteed, cpus, sizeof(cpus));
	size_human(l->memory_guaranteed, memory, sizeof(memory));
	if (l->cpus_guaranteed)
		snprintf(text, size, "%s CPU%s%s%s", cpus, l->memory_guaranteed ? ", " : "",
			 l->memory_guaranteed ? memory : "",
			 l->memory_guaranteed ? " memory" : "");
	else if (l->memory_guaranteed)
		snprintf(text, size, "%s memory", memory);
}

static json_t *guarantees_json(const struct view *v)
{
	return json_pack("{s:f,s:I}", "cpus", v->vps->limits.cpus_guaranteed / 100.0, "memory",
			 (json_int_t)v->vps->limits.memory_guaranteed);
}

/* What the ledger counts of it; no limit is null. */
static json_t *promised_json(const struct view *v)
{
	json_t *guaranteed = json_object(), *max = json_object();
	struct claim claim;

	claim_of(v->vps, &claim);
	for (unsigned r = 0; r <= RESOURCE_TRAFFIC; r++) {
		const char *name = resource_name(r);
		double number = resource_number(r, claim.max[r]);

		json_object_set_new(max, name,
				    claim.whole[r]	 ? json_null()
				    : r == RESOURCE_CPUS ? json_real(number)
							 : json_integer((json_int_t)number));
		if (r == RESOURCE_CPUS)
			json_object_set_new(guaranteed, name,
					    json_real(resource_number(r, claim.guaranteed[r])));
		else if (r == RESOURCE_MEMORY)
			json_object_set_new(guaranteed, name,
					    json_integer((json_int_t)claim.guaranteed[r]));
	}
	return json_pack("{s:o,s:o}", "guaranteed", guaranteed, "max", max);
}

static void restart_text(const struct view *v, char *text, size_t size)
{
	snprintf(text, size, "%s", v->vps->restart == VPS_RESTART_NO ? "no" : "on-crash");
}

static json_t *restart_json(const struct view *v)
{
	return json_string(v->vps->restart == VPS_RESTART_NO ? "no" : "on-crash");
}

static void onboot_text(const struct view *v, char *text, size_t size)
{
	static const char *const names[] = { "last", "yes", "no" };

	snprintf(text, size, "%s", names[v->vps->onboot]);
}

static json_t *onboot_json(const struct view *v)
{
	char text[8];

	onboot_text(v, text, sizeof(text));
	return json_string(text);
}

/* What its /proc tells of while it runs. */
static bool view_state(const struct view *v, struct view_state *state)
{
	struct err ignored;
	own_fd run = v->status.init ? dir_open(v->node->runs, v->vps->name, &ignored) : -1;

	view_state_read(run, state);
	if (state->has && !view_is_alive(state)) {
		state->has = false;
		strcpy(state->reason, "lxcfs has ended; 'nodectl repair' starts a new one");
	}
	return state->is_known;
}

static void view_text(const struct view *v, char *text, size_t size)
{
	struct view_state state;

	if (view_state(v, &state))
		snprintf(text, size, state.has ? "lxcfs" : "none (%s)", state.reason);
}

static json_t *view_source_json(const struct view *v)
{
	struct view_state state;

	if (!view_state(v, &state))
		return json_null();
	return json_string(state.has ? "lxcfs" : "none");
}

static json_t *view_reason_json(const struct view *v)
{
	struct view_state state;
	char reason[sizeof(state.reason) * 4];

	if (!view_state(v, &state) || state.has)
		return json_null();
	str_escape(state.reason, reason, sizeof(reason));
	return json_string(reason);
}

const struct column columns[] = {
	{ "ID", "id", "id", IN_LIST | IN_SHOW | RIGHT, id_text, id_json },
	{ "NAME", "name", "name", IN_LIST | IN_SHOW, name_text, name_json },
	{ "STATE", "state", "state", IN_LIST | IN_SHOW, state_text, state_json },
	{ "ERROR", "error", "error", IN_SHOW, error_text, error_json },
	{ "PLAN", "plan", "plan", IN_LIST | IN_SHOW, plan_text, plan_json },
	{ "OVERRIDES", "overrides", "its own", IN_SHOW, overrides_text, overrides_json },
	{ "IMAGE", "image", "image", IN_SHOW, image_text, image_json },
	{ "DIGEST", "digest", "digest", IN_SHOW, digest_text, digest_json },
	{ "HOSTNAME", "hostname", "host name", IN_SHOW, hostname_text, hostname_json },
	{ "IPV4", "ipv4", "IPv4", IN_LIST | IN_SHOW, ipv4_text, ipv4_json },
	{ "IPV6", "ipv6", "IPv6", IN_SHOW, ipv6_text, ipv6_json },
	{ "ROUTES", "routes", "routed to it", IN_SHOW, routes_text, routes_json },
	{ "PUBLISH", "publish", "publish", IN_SHOW, publish_text, publish_json },
	{ "ALLOW", "allow_in", "may come in", IN_SHOW, allow_text, allow_json },
	{ "NETMODE", "net_mode", "network mode", IN_SHOW, mode_text, mode_json },
	{ "NETWORK", "network", "private network", IN_SHOW, network_text, network_json },
	{ "INTERFACE", "interface", "interface", IN_SHOW, interface_text, interface_json },
	{ "DROPPED", "dropped", "dropped by its guard", IN_SHOW, dropped_text, dropped_json },
	{ "CPUS", "cpus", "CPUs", IN_LIST | IN_SHOW | RIGHT, cpus_text, cpus_json },
	{ "WEIGHT", "weight", "CPU weight", IN_SHOW | RIGHT, weight_text, weight_json },
	{ "GUARANTEES", "guarantees", "guaranteed", IN_SHOW, guarantees_text, guarantees_json },
	{ "MEMORY", "memory", "memory", IN_LIST | IN_SHOW | RIGHT | NEED_MEMORY, memory_text,
	  memory_json },
	{ "SWAP", "swap", "swap", IN_SHOW | RIGHT, swap_text, swap_json },
	{ "TASKS", "tasks", "tasks", IN_SHOW | RIGHT | NEED_TASKS, tasks_text, tasks_json },
	{ "DISK", "disk", "disk", IN_LIST | IN_SHOW | RIGHT | NEED_DISK, disk_text, disk_json },
	{ "TRAFFIC", "traffic", "traffic", IN_LIST | IN_SHOW | RIGHT | NEED_LINK, traffic_text,
	  traffic_json },
	{ "QUOTA", "quota", "traffic quota", IN_SHOW, quota_text, quota_json },
	{ "UPTIME", "uptime", "uptime", IN_LIST | IN_SHOW | RIGHT, uptime_text, uptime_json },
	{ "CPU", "usage", "CPU time", IN_SHOW | RIGHT | NEED_USAGE | NEED_DISK, cpu_text,
	  usage_json },
	{ "MET", "limits_met", "limits met", IN_SHOW | NEED_USAGE, limits_met_text,
	  limits_met_json },
	{ "PID", "pid", "init", IN_SHOW | RIGHT, pid_text, pid_json },
	{ "MONITOR", "monitor", "monitor", IN_SHOW | RIGHT, monitor_text, monitor_json },
	{ "IDS", "uid_base", "host ids", IN_SHOW, base_text, base_json },
	{ "CGROUP", "cgroup", "cgroup", IN_SHOW, cgroup_text, cgroup_json },
	{ "RESTART", "restart", "restart", IN_SHOW, restart_text, restart_json },
	{ "ONBOOT", "onboot", "on boot", IN_SHOW, onboot_text, onboot_json },
	{ "VIEW", "view", "view", IN_SHOW, view_text, view_source_json },
	{ "UNENFORCED", "unenforced", "unenforced", IN_SHOW | NEED_LACKS, unenforced_text,
	  unenforced_json },
	{ "PENDING", "pending", "at next start", IN_SHOW, pending_text, pending_json },
	{ "UUID", "uuid", "uuid", IN_SHOW, uuid_text, uuid_json },
	{ "CREATED", "created", "created", IN_SHOW, created_text, created_json },
	{ "STARTED", "started", "started", IN_SHOW, started_text, started_json },
	{ "LIMITS", "limits", NULL, 0, NULL, limits_json },
	{ "VIEWREASON", "view_reason", NULL, 0, NULL, view_reason_json },
	{ "PROMISED", "promised", NULL, 0, NULL, promised_json },
};
const size_t columns_count = ARRAY_SIZE(columns);

json_t *view_json(const struct view *view)
{
	json_t *object = json_object();

	for (size_t i = 0; i < columns_count; i++)
		json_object_set_new(object, columns[i].key, columns[i].json(view));
	return object;
}

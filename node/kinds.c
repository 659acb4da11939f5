/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kinds.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "err.h"
#include "node.h"
#include "own.h"
#include "runtime.h"
#include "str.h"
#include "vps.h"

static void text_print(const char *key, const char *text, FILE *out)
{
	if (*text)
		fprintf(out, "%s = %s\n", key, text);
}

static void word_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	text_print(key, value, out);
}

static int word_parse(const char *text, void *value, size_t size, struct err *err)
{
	for (const char *c = text; *c; c++) {
		if (!isgraph((unsigned char)*c))
			return fail_as(err, ERR_VALUE, "'%s' is not one word", text);
	}
	if (!*text)
		return fail_as(err, ERR_VALUE, "the value is empty");
	return str_copy(value, size, text, err);
}

const struct kind kind_word = { word_parse, word_print };

static int name_parse(const char *text, void *value, size_t size, struct err *err)
{
	if (!name_is_valid(text))
		return fail_as(
		    err, ERR_VALUE,
		    "'%s' is not a name (a-z, 0-9, '-' inside, at most 63, not all digits)",
		    text);
	return str_copy(value, size, text, err);
}

const struct kind kind_name = { name_parse, word_print };

static int hostname_parse(const char *text, void *value, size_t size, struct err *err)
{
	size_t label = 0;

	for (const char *c = text;; c++) {
		if (*c == '.' || *c == 0) {
			if (label == 0 || label > 63 || c[-1] == '-')
				break;
			if (*c == 0)
				return str_copy(value, size, text, err);
			label = 0;
		} else if (isalnum((unsigned char)*c) || (*c == '-' && label)) {
			label++;
		} else {
			break;
		}
	}
	return fail_as(err, ERR_VALUE, "'%s' is not a host name", text);
}

const struct kind kind_hostname = { hostname_parse, word_print };

static int path_parse(const char *text, void *value, size_t size, struct err *err)
{
	if (*text != '/')
		return fail_as(err, ERR_VALUE, "'%s' is not an absolute path", text);
	return word_parse(text, value, size, err);
}

const struct kind kind_path = { path_parse, word_print };

static int bytes_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return size_parse(text, value, err);
}

static void bytes_print(const char *key, const void *value, size_t size, FILE *out)
{
	char text[32];

	(void)size;
	size_print(*(const uint64_t *)value, text, sizeof(text));
	text_print(key, text, out);
}

const struct kind kind_bytes = { bytes_parse, bytes_print };

static int cpus_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return cpus_parse(text, value, err);
}

static void cpus_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	char text[32];

	(void)size;
	cpus_print(*(const unsigned *)value, text, sizeof(text));
	text_print(key, text, out);
}

const struct kind kind_cpus = { cpus_kind_parse, cpus_kind_print };

static void amount_print(const char *key, const void *value, size_t size, FILE *out)
{
	if (*(const uint64_t *)value)
		bytes_print(key, value, size, out);
}

const struct kind kind_amount = { bytes_parse, amount_print };

static void cores_print(const char *key, const void *value, size_t size, FILE *out)
{
	if (*(const unsigned *)value)
		cpus_kind_print(key, value, size, out);
}

const struct kind kind_cores = { cpus_kind_parse, cores_print };

static int rate_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return rate_parse(text, value, err);
}

static void rate_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	char text[32];

	(void)size;
	if (!*(const uint64_t *)value)
		return;
	rate_print(*(const uint64_t *)value, text, sizeof(text));
	text_print(key, text, out);
}

const struct kind kind_rate = { rate_kind_parse, rate_kind_print };

/* "50M/s", "500iops", "50M/s,500iops", "0"; a bare size is one a second as well. */
enum io_part { IO_BYTES, IO_OPS };

static int io_part_parse(const char *text, struct io_limit *limit, enum io_part *part,
			 struct err *err)
{
	size_t len = strlen(text);
	char number[32];
	unsigned long ops;

	*part = IO_BYTES;
	if (len > 4 && len < sizeof(number) && strcmp(text + len - 4, "iops") == 0) {
		str_format(number, sizeof(number), "%.*s", (int)(len - 4), text);
		if (number_parse(number, 0, UINT32_MAX, &ops, err) < 0)
			return -1;
		*part = IO_OPS;
		limit->ops = (unsigned)ops;
		return 0;
	}
	if (len > 2 && len < sizeof(number) && strcmp(text + len - 2, "/s") == 0) {
		str_format(number, sizeof(number), "%.*s", (int)(len - 2), text);
		return size_parse(number, &limit->bytes, err);
	}
	return size_parse(text, &limit->bytes, err);
}

static int io_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct io_limit limit = { 0 };
	enum io_part part, other;
	const char *comma = strchr(text, ',');
	own_str first = NULL;

	(void)size;
	if (comma)
		first = xasprintf("%.*s", (int)(comma - text), text);
	/* of two, one is of bytes and one of operations */
	if (io_part_parse(comma ? first : text, &limit, &part, err) < 0 ||
	    (comma && (io_part_parse(comma + 1, &limit, &other, err) < 0 || part == other)))
		return fail_as(err, ERR_VALUE,
			       "'%s' is not a speed of the disk (like 50M/s or 500iops, or "
			       "both: 50M/s,500iops)",
			       text);
	*(struct io_limit *)value = limit;
	return 0;
}

static void io_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct io_limit *limit = value;
	char bytes[32];

	(void)size;
	if (!limit->bytes && !limit->ops)
		return;
	size_print(limit->bytes, bytes, sizeof(bytes));
	if (limit->bytes && limit->ops)
		fprintf(out, "%s = %s/s,%uiops\n", key, bytes, limit->ops);
	else if (limit->bytes)
		fprintf(out, "%s = %s/s\n", key, bytes);
	else
		fprintf(out, "%s = %uiops\n", key, limit->ops);
}

const struct kind kind_io = { io_parse, io_print };

static int override_parse(const char *text, void *value, size_t size, struct err *err)
{
	const struct field *field = field_find(text);

	(void)size;
	if (!field || !(field->flags & FIELD_PLAN))
		return fail_as(err, ERR_VALUE, "'%s' is not what a plan gives", text);
	*(uint64_t *)value |= field_bit(field);
	return 0;
}

static void override_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	for (size_t i = 0; i < vps_fields_count; i++) {
		if (*(const uint64_t *)value & field_bit(&vps_fields[i]))
			text_print(key, vps_fields[i].key, out);
	}
}

const struct kind kind_override = { override_parse, override_print };

static int between(const char *text, unsigned long min, unsigned long max, unsigned *value,
		   struct err *err)
{
	unsigned long number;

	if (number_parse(text, min, max, &number, err) < 0)
		return -1;
	*value = (unsigned)number;
	return 0;
}

static int count_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return between(text, 0, 4194304, value, err);
}

static int weight_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	if (strcmp(text, "0") == 0) {
		*(unsigned *)value = 0;
		return 0;
	}
	return between(text, 1, 10000, value, err);
}

static void count_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	fprintf(out, "%s = %u\n", key, *(const unsigned *)value);
}

static void weight_print(const char *key, const void *value, size_t size, FILE *out)
{
	if (*(const unsigned *)value)
		count_print(key, value, size, out);
}

const struct kind kind_count = { count_parse, count_print };
const struct kind kind_weight = { weight_parse, weight_print };

static int packets_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	if (strcmp(text, "0") == 0) {
		*(unsigned *)value = 0;
		return 0;
	}
	return between(text, 10, 100000000, value, err);
}

const struct kind kind_packets = { packets_parse, weight_print };

static int connections_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	if (strcmp(text, "0") == 0) {
		*(unsigned *)value = 0;
		return 0;
	}
	return between(text, 16, 16777216, value, err);
}

const struct kind kind_connections = { connections_parse, weight_print };

static int switch_parse(const char *text, void *value, size_t size, struct err *err)
{
	bool yes = strcmp(text, "yes") == 0;

	(void)size;
	if (!yes && strcmp(text, "no") != 0)
		return fail_as(err, ERR_VALUE, "'%.60s' is neither 'yes' nor 'no'", text);
	*(bool *)value = yes;
	return 0;
}

/* "no" is what it is when nothing is said. */
static void switch_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	if (*(const bool *)value)
		fprintf(out, "%s = yes\n", key);
}

const struct kind kind_switch = { switch_parse, switch_print };

static int seconds_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return seconds_parse(text, value, err);
}

const struct kind kind_seconds = { seconds_kind_parse, count_print };

static int time_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	(void)size;
	if (!end || *end)
		return fail_as(err, ERR_VALUE, "'%s' is not a time like 2026-01-31T12:00:00Z",
			       text);
	*(int64_t *)value = timegm(&tm);
	return 0;
}

static void time_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	char text[32];

	(void)size;
	time_print(*(const int64_t *)value, text, sizeof(text));
	text_print(key, text, out);
}

const struct kind kind_time = { time_parse, time_kind_print };

static int signal_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	int signal;

	if (strcmp(text, "auto") != 0 && signal_parse(text, &signal, err) < 0)
		return -1;
	return str_copy(value, size, text, err);
}

const struct kind kind_signal = { signal_kind_parse, word_print };

static int address_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	if (strcmp(text, "none") == 0) {
		*(struct address *)value = (struct address){ 0 };
		return 0;
	}
	return address_parse(text, value, err);
}

static void address_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct address *address = value;
	char text[ADDRESS_TEXT];

	(void)size;
	if (!address->family)
		return;
	address_print(address, true, text, sizeof(text));
	text_print(key, text, out);
}

const struct kind kind_address = { address_kind_parse, address_kind_print };

static int servers_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct address *server = value, parsed;

	if (address_parse(text, &parsed, err) < 0)
		return -1;
	for (size_t i = 0; i < size / sizeof(*server); i++) {
		if (server[i].family)
			continue;
		server[i] = parsed;
		return 0;
	}
	return fail_as(err, ERR_VALUE, "'%s' is one name server too many (%zu at most)", text,
		       size / sizeof(*server));
}

static void servers_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct address *server = value;

	for (size_t i = 0; i < size / sizeof(*server) && server[i].family; i++) {
		char text[ADDRESS_TEXT];

		address_print(&server[i], false, text, sizeof(text));
		text_print(key, text, out);
	}
}

const struct kind kind_servers = { servers_parse, servers_print };

static int publish_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct link *link = value;
	struct publish publish;

	(void)size;
	if (strcmp(text, "none") == 0) {
		link->publish_count = 0;
		return 0;
	}
	if (publish_parse(text, &publish, err) < 0)
		return -1;
	for (unsigned i = 0; i < link->publish_count; i++) {
		if (publish_meets(&link->publish[i], &publish))
			return fail_as(err, ERR_VALUE, "'%s' publishes a host port twice",
				       text);
	}
	if (publish_ports(link) + publish.more + 1u > PUBLISH_PORTS_MAX)
		return fail_as(err, ERR_VALUE, "'%s': more than %d ports in all", text,
			       PUBLISH_PORTS_MAX);
	if (link->publish_count == PUBLISH_MAX)
		return fail_as(err, ERR_VALUE, "'%s' is one forward too many (%d at most)",
			       text, PUBLISH_MAX);
	link->publish[link->publish_count++] = publish;
	return 0;
}

static void publish_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct link *link = value;

	(void)size;
	for (unsigned i = 0; i < link->publish_count; i++) {
		char text[PUBLISH_TEXT];

		publish_print(&link->publish[i], text, sizeof(text));
		text_print(key, text, out);
	}
}

const struct kind kind_publish = { publish_kind_parse, publish_kind_print };

static int ports_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return ports_parse(text, value, err);
}

static void ports_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct ports *ports = value;
	char text[PORTS_TEXT];

	(void)size;
	if (!ports->some)
		return;
	ports_print(ports, text, sizeof(text));
	text_print(key, text, out);
}

const struct kind kind_ports = { ports_kind_parse, ports_kind_print };

static int ip_parse(const char *text, struct link *link, int family, struct err *err)
{
	struct address address, *first = family == AF_INET6 ? &link->ipv6 : &link->ipv4;
	struct link other = *link;

	if (strcmp(text, "none") == 0) {
		link_address_clear(link, family);
		return 0;
	}
	if (address_parse(text, &address, err) < 0)
		return -1;
	if (address.family != family)
		return fail_as(err, ERR_VALUE, "'%s' is of the other family", text);
	if (first->family && link_address_remove(&other, &address))
		return fail_as(err, ERR_VALUE, "'%s' is given twice", text);
	if (!link_address_add(link, &address))
		return fail_as(err, ERR_VALUE, "'%s' is one address too many (%d at most)",
			       text, LINK_ADDRESSES_MAX + 1);
	return 0;
}

static void ip_print(const char *key, const struct link *link, int family, FILE *out)
{
	const struct address *address;
	char text[ADDRESS_TEXT];

	for (unsigned n = 0; (address = link_address(link, n)); n++) {
		if (address->family != family)
			continue;
		address_print(address, true, text, sizeof(text));
		text_print(key, text, out);
	}
}

static int ip4_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return ip_parse(text, value, AF_INET, err);
}

static void ip4_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	ip_print(key, value, AF_INET, out);
}

static int ip6_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return ip_parse(text, value, AF_INET6, err);
}

static void ip6_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	ip_print(key, value, AF_INET6, out);
}

const struct kind kind_ip = { ip4_kind_parse, ip4_kind_print };
const struct kind kind_ip6 = { ip6_kind_parse, ip6_kind_print };

static int route_kind_parse(const char *text, void *value, size_t size, struct err *err)
{
	struct link *link = value;
	struct address prefix, network;

	(void)size;
	if (strcmp(text, "none") == 0) {
		link->routed_count = 0;
		return 0;
	}
	if (address_parse(text, &prefix, err) < 0)
		return -1;
	address_network(&prefix, &network);
	if (!address_is_equal(&prefix, &network))
		return fail_as(err, ERR_VALUE, "'%s' is an address and no network", text);
	for (unsigned i = 0; i < link->routed_count; i++) {
		if (network_is_in(&link->routed[i], &prefix) ||
		    network_is_in(&prefix, &link->routed[i]))
			return fail_as(err, ERR_VALUE, "'%s' is routed twice", text);
	}
	if (link->routed_count == LINK_ADDRESSES_MAX)
		return fail_as(err, ERR_VALUE, "'%s' is one prefix too many (%d at most)", text,
			       LINK_ADDRESSES_MAX);
	link->routed[link->routed_count++] = prefix;
	return 0;
}

static void route_kind_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct link *link = value;
	char text[ADDRESS_TEXT];

	(void)size;
	for (unsigned i = 0; i < link->routed_count; i++) {
		address_print(&link->routed[i], true, text, sizeof(text));
		text_print(key, text, out);
	}
}

const struct kind kind_route = { route_kind_parse, route_kind_print };

/* "blue" as it is asked for, "blue 7" as it is known, or "none". */
static int network_parse(const char *text, void *value, size_t size, struct err *err)
{
	size_t len = strcspn(text, " ");
	struct network network = { 0 };
	unsigned long number = 0;
	struct err ignored;

	(void)size;
	if (strcmp(text, "none") == 0) {
		*(struct network *)value = network;
		return 0;
	}
	snprintf(network.name, sizeof(network.name), "%.*s", (int)(len < 64 ? len : 0), text);
	if (!name_is_valid(network.name) ||
	    (text[len] && number_parse(text + len + 1, 1, UINT32_MAX, &number, &ignored) < 0))
		return fail_as(err, ERR_VALUE, "'%s' is not the name of a network", text);
	network.number = (uint32_t)number;
	*(struct network *)value = network;
	return 0;
}

static void network_print(const char *key, const void *value, size_t size, FILE *out)
{
	const struct network *network = value;

	(void)size;
	if (network->number)
		fprintf(out, "%s = %s %u\n", key, network->name, network->number);
	else
		text_print(key, network->name, out);
}

const struct kind kind_network = { network_parse, network_print };

static int link_mode_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	for (enum link_mode mode = LINK_BRIDGE; mode <= LINK_NONE; mode++) {
		if (strcmp(text, link_mode_name(mode)) != 0)
			continue;
		*(enum link_mode *)value = mode;
		return 0;
	}
	return fail_as(err, ERR_VALUE, "'%s' is not 'bridge', 'routed' or 'none'", text);
}

static void link_mode_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	text_print(key, link_mode_name(*(const enum link_mode *)value), out);
}

const struct kind kind_link_mode = { link_mode_parse, link_mode_print };

/* The types that sshd(8) knows; options in front of a key are not taken. */
static bool is_public_key(const char *text)
{
	static const char *const types[] = { "ssh-ed25519 ",
					     "ssh-rsa ",
					     "ecdsa-sha2-nistp256 ",
					     "ecdsa-sha2-nistp384 ",
					     "ecdsa-sha2-nistp521 ",
					     "sk-ssh-ed25519@openssh.com ",
					     "sk-ecdsa-sha2-nistp256@openssh.com " };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t len = strlen(types[i]);

		if (strncmp(text, types[i], len) == 0)
			return strspn(text + len,
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
				      "xyz0123456789+/=") >= 40;
	}
	return false;
}

static int keys_parse(const char *text, void *value, size_t size, struct err *err)
{
	char **keys = value, *longer;

	(void)size;
	if (!is_public_key(text))
		return fail_as(err, ERR_VALUE, "'%.40s' is not an OpenSSH public key", text);
	longer = xasprintf("%s%s\n", *keys ? *keys : "", text);
	free(*keys);
	*keys = longer;
	return 0;
}

static void keys_print(const char *key, const void *value, size_t size, FILE *out)
{
	const char *at = *(char *const *)value;

	(void)size;
	while (at && *at) {
		size_t len = strcspn(at, "\n");

		fprintf(out, "%s = %.*s\n", key, (int)len, at);
		at += len + (at[len] == '\n');
	}
}

const struct kind kind_keys = { keys_parse, keys_print };

static int accepted_parse(const char *text, void *value, size_t size, struct err *err)
{
	unsigned bit = limit_by_name(text);

	(void)size;
	if (!bit)
		return fail_as(err, ERR_VALUE,
			       "'%s' is not a limit (memory, memory-guaranteed, swap, cpus, "
			       "cpu-guaranteed, weight, tasks, io-read, io-write, io-weight, "
			       "rate-in or rate-out)",
			       text);
	*(unsigned *)value |= bit;
	return 0;
}

static void accepted_print(const char *key, const void *value, size_t size, FILE *out)
{
	unsigned bits = *(const unsigned *)value;

	(void)size;
	for (unsigned bit = 1; bit && bit <= bits; bit <<= 1) {
		if (bits & bit)
			text_print(key, limit_name((enum limit)bit), out);
	}
}

const struct kind kind_accepted = { accepted_parse, accepted_print };

static int choice_parse(const char *text, const char *const *names, size_t count, void *value,
			struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			*(unsigned *)value = (unsigned)i;
			return 0;
		}
	}
	return fail_as(err, ERR_VALUE, "'%s' is neither '%s' nor '%s'%s%s%s", text, names[0],
		       names[1], count > 2 ? " nor '" : "", count > 2 ? names[2] : "",
		       count > 2 ? "'" : "");
}

static const char *const restarts[] = {
	[VPS_RESTART_ON_CRASH] = "on-crash",
	[VPS_RESTART_NO] = "no",
};

static int restart_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return choice_parse(text, restarts, ARRAY_SIZE(restarts), value, err);
}

static void restart_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	text_print(key, restarts[*(const enum vps_restart *)value], out);
}

const struct kind kind_restart = { restart_parse, restart_print };

static const char *const onboots[] = {
	[VPS_ONBOOT_LAST] = "last",
	[VPS_ONBOOT_YES] = "yes",
	[VPS_ONBOOT_NO] = "no",
};

static int onboot_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return choice_parse(text, onboots, ARRAY_SIZE(onboots), value, err);
}

static void onboot_print(const char *key, const void *value, size_t size, FILE *out)
{
	(void)size;
	text_print(key, onboots[*(const enum vps_onboot *)value], out);
}

const struct kind kind_onboot = { onboot_parse, onboot_print };

static const char *const views[] = {
	[NODE_VIEW_AUTO] = "auto",
	[NODE_VIEW_NONE] = "none",
};

static int view_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	return choice_parse(text, views, ARRAY_SIZE(views), value, err);
}

const struct kind kind_view = { view_parse, NULL };

/* "month", "day:15", "rolling" */
static int quota_period_parse(const char *text, void *value, size_t size, struct err *err)
{
	unsigned *period = value;
	unsigned long day;
	struct err ignored;

	(void)size;
	if (strcmp(text, "month") == 0)
		*period = QUOTA_MONTH;
	else if (strcmp(text, "rolling") == 0)
		*period = QUOTA_ROLLING;
	else if (strncmp(text, "day:", 4) == 0 &&
		 number_parse(text + 4, 1, 28, &day, &ignored) == 0)
		*period = (unsigned)day;
	else
		return fail_as(err, ERR_VALUE,
			       "'%s' is not 'month', 'day:N' (1 to 28) or 'rolling'", text);
	return 0;
}

static void quota_period_print(const char *key, const void *value, size_t size, FILE *out)
{
	unsigned period = *(const unsigned *)value;

	(void)size;
	if (period == QUOTA_ROLLING)
		text_print(key, "rolling", out);
	else if (period != QUOTA_MONTH)
		fprintf(out, "%s = day:%u\n", key, period);
}

const struct kind kind_quota_period = { quota_period_parse, quota_period_print };

static const char *const quota_counts[] = {
	[QUOTA_SUM] = "sum",
	[QUOTA_IN] = "in",
	[QUOTA_OUT] = "out",
	[QUOTA_MAX] = "max",
};

static int quota_count_parse(const char *text, void *value, size_t size, struct err *err)
{
	(void)size;
	for (size_t i = 0; i < ARRAY_SIZE(quota_counts); i++) {
		if (strcmp(text, quota_counts[i]) == 0) {
			*(unsigned *)value = (unsigned)i;
			return 0;
		}
	}
	return fail_as(err, ERR_VALUE, "'%s' is not 'sum', 'in', 'out' or 'max'", text);
}

static void quota_count_print(const char *key, const void *value, size_t size, FILE *out)
{
	unsigned count = *(const unsigned *)value;

	(void)size;
	if (count != QUOTA_SUM)
		text_print(key, quota_counts[count], out);
}

const struct kind kind_quota_count = { quota_count_parse, quota_count_print };

/* "none", "suspend", "throttle:10M" */
static int quota_action_parse(const char *text, void *value, size_t size, struct err *err)
{
	uint64_t *action = value, rate;

	(void)size;
	if (strcmp(text, "none") == 0) {
		*action = QUOTA_NOTHING;
	} else if (strcmp(text, "suspend") == 0) {
		*action = QUOTA_SUSPEND;
	} else if (strncmp(text, "throttle:", 9) == 0) {
		if (rate_parse(text + 9, &rate, err) < 0)
			return -1;
		if (rate < 64000 || rate > 1000000000000ull)
			return fail_as(err, ERR_VALUE, "a rate is from 64k to 1T");
		*action = rate;
	} else {
		return fail_as(err, ERR_VALUE,
			       "'%s' is not 'none', 'suspend' or 'throttle:RATE'", text);
	}
	return 0;
}

static void quota_action_print(const char *key, const void *value, size_t size, FILE *out)
{
	uint64_t action = *(const uint64_t *)value;
	char rate[24];

	(void)size;
	if (action == QUOTA_SUSPEND) {
		text_print(key, "suspend", out);
	} else if (action != QUOTA_NOTHING) {
		rate_print(action, rate, sizeof(rate));
		fprintf(out, "%s = throttle:%s\n", key, rate);
	}
}

const struct kind kind_quota_action = { quota_action_parse, quota_action_print };

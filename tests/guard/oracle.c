/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "guard.object.h"

#define LOOPBACK 1 /* the interface of a test run */

static const struct bridge bridge = { .name = "oracle" };

static void own_set(struct oracle *oracle, const char *text)
{
	struct owner *owner = &oracle->owner;
	struct link *link = &oracle->link;
	struct address address;
	struct err ignored;
	unsigned n = owner->count++;

	if (address_parse(text, &address, &ignored) < 0)
		abort();
	owner->own[n].v6 = address.family == AF_INET6;
	owner->own[n].prefix = address.prefix;
	memcpy(owner->own[n].bytes, address.bytes, 16);
	link->routed[link->routed_count++] = address;
}

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int oracle_open(struct oracle *oracle)
{
	struct bpf_map *map;
	int cpus = libbpf_num_possible_cpus();
	struct guard_cell *cells = calloc((size_t)cpus, sizeof(*cells));
	uint32_t id = ORACLE_ID;
	int result;

	*oracle = (struct oracle){ .owner.mac = { 0x02, 0x6e, 0x64, 0, 0, ORACLE_ID } };
	own_set(oracle, "10.77.0.9");
	own_set(oracle, "198.51.100.16/28");
	own_set(oracle, "fd00::9");
	own_set(oracle, "2001:db8:7::/49");
	oracle_smtp(oracle, false);
	libbpf_set_print(silent);
	oracle->object = bpf_object__open_mem(guard_object, sizeof(guard_object), NULL);
	if (!oracle->object || !cells)
		return -1;
	bpf_object__for_each_map(map, oracle->object) bpf_map__set_pin_path(map, NULL);
	if (bpf_object__load(oracle->object) < 0)
		return -1;
	oracle->program =
	    bpf_program__fd(bpf_object__find_program_by_name(oracle->object, "guard_from"));
	oracle->ports = bpf_object__find_map_fd_by_name(oracle->object, "ports");
	oracle->meter = bpf_object__find_map_fd_by_name(oracle->object, "meter");
	result = bpf_map_update_elem(oracle->meter, &id, cells, BPF_ANY);
	free(cells);
	return result;
}

void oracle_smtp(struct oracle *oracle, bool smtp)
{
	oracle->owner.smtp = oracle->link.smtp = smtp;
	guard_port_fill(&oracle->port, ORACLE_ID, &bridge, &oracle->link);
}

bool oracle_takes(const uint8_t *frame, size_t size)
{
	unsigned kind = size < 14 ? 0 : frame[12] * 256u + frame[13];

	return size >= 14 && !(kind == 0x800 && size < 14 + 20) &&
	       !(kind == 0x86dd && size < 14 + 40);
}

/* The reason by its counter, NULL when it passed, "?" when the kernel gave no answer. */
static const char *kernel_verdict(struct oracle *oracle, const uint8_t *frame, size_t size)
{
	static struct guard_cell cells[1024];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)size);
	uint32_t id = ORACLE_ID, index = LOOPBACK;
	const char *reason = "?";
	int cpus = libbpf_num_possible_cpus();

	/* the buckets begin anew: rates are not what is compared */
	if (bpf_map_update_elem(oracle->ports, &index, &oracle->port, BPF_ANY) < 0 ||
	    bpf_prog_test_run_opts(oracle->program, &run) < 0)
		return reason;
	if (run.retval == (uint32_t)-1)
		return NULL;
	if (bpf_map_lookup_elem(oracle->meter, &id, cells) < 0)
		return reason;
	for (unsigned i = 0; i < GUARD_REASONS; i++) {
		uint64_t sum = 0;

		for (int cpu = 0; cpu < cpus; cpu++)
			sum += cells[cpu].dropped[i];
		if (sum != oracle->dropped[i])
			reason = guard_reason_name(i);
		oracle->dropped[i] = sum;
	}
	return reason;
}

bool oracle_ask(struct oracle *oracle, const uint8_t *frame, size_t size, const char *said[2])
{
	said[0] = kernel_verdict(oracle, frame, size);
	said[1] = model_verdict(&oracle->owner, frame, size);
	return !said[0] == !said[1] && (!said[0] || strcmp(said[0], said[1]) == 0);
}

void oracle_tell(const uint8_t *frame, size_t size, const char *const said[2])
{
	printf("guard says %s, model says %s:", said[0] ? said[0] : "pass",
	       said[1] ? said[1] : "pass");
	for (size_t i = 0; i < size; i++)
		printf("%s%02x", i % 2 ? "" : " ", frame[i]);
	printf("\n");
}

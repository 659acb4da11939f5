/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpus.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cpus_parse_list(const char *text, cpu_set_t *cpus)
{
	CPU_ZERO(cpus);
	while (*text && *text != '\n') {
		unsigned long first, last;
		char *end;

		first = last = strtoul(text, &end, 10);
		if (end == text)
			return false;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (end == text)
				return false;
		}
		if (first > last || last >= CPU_SETSIZE)
			return false;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, cpus);
		text = end + (*end == ',');
	}
	return true;
}

bool cpus_print_list(const cpu_set_t *cpus, char *text, size_t size)
{
	size_t len = 0;

	text[0] = 0;
	for (int first = 0; first < CPU_SETSIZE; first++) {
		int last = first, added;

		if (!CPU_ISSET(first, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		added = first == last
			    ? snprintf(text + len, size - len, "%s%d", len ? "," : "", first)
			    : snprintf(text + len, size - len, "%s%d-%d", len ? "," : "", first,
				       last);
		if (added < 0 || (size_t)added >= size - len)
			return false;
		len += (size_t)added;
		first = last;
	}
	return true;
}

/* The CPUs in the order in which we deal them out: those of one node beside each other. */
struct order {
	unsigned short cpu[CPU_SETSIZE];
	unsigned count;
};

/* Those of @cpus that are available and not in it yet. */
static void order_add(struct order *order, cpu_set_t *left, const cpu_set_t *cpus)
{
	for (unsigned short cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, left) && CPU_ISSET(cpu, cpus)) {
			order->cpu[order->count++] = cpu;
			CPU_CLR(cpu, left);
		}
	}
}

/*
 * The golden ratio leads consecutive ids, and those at any regular distance, to places that are
 * as far from each other as can be, however many there are by then (Knuth, TAOCP 3, 6.4).
 */
static unsigned place_of(unsigned id, unsigned count)
{
	return (unsigned)(((uint64_t)(uint32_t)(id * UINT32_C(2654435769)) * count) >> 32);
}

void cpus_choose(unsigned id, unsigned want, const cpu_set_t *available, const cpu_set_t *nodes,
		 unsigned node_count, cpu_set_t *chosen)
{
	unsigned count = (unsigned)CPU_COUNT(available), place = place_of(id, count), begin = 0;
	unsigned len = count;
	struct order order = { .count = 0 };
	cpu_set_t left = *available;

	if (want >= count) {
		*chosen = *available;
		return;
	}
	for (unsigned i = 0; i < node_count; i++) {
		unsigned before = order.count;

		order_add(&order, &left, &nodes[i]);
		if (place >= before && place < order.count && order.count - before >= want) {
			begin = before;
			len = order.count - before;
		}
	}
	order_add(&order, &left, available);

	CPU_ZERO(chosen);
	for (unsigned i = 0; i < want; i++)
		CPU_SET(order.cpu[begin + (place - begin + i) % len], chosen);
}

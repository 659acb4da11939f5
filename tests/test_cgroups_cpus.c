/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "../cgroups/cpus.h"
#include "test_scratch.h"

static cpu_set_t set_of(const char *list)
{
	cpu_set_t cpus;

	cr_assert(cpus_parse_list(list, &cpus), "%s", list);
	return cpus;
}

static void reads_back(const char *list, const char *as)
{
	cpu_set_t cpus = set_of(list);
	char text[256];

	cr_assert(cpus_print_list(&cpus, text, sizeof(text)));
	cr_assert_str_eq(text, as);
}

Test(cpus, lists_are_read_and_written_as_the_kernel_does)
{
	reads_back("0\n", "0");
	reads_back("0-3,8,10-11\n", "0-3,8,10-11");
	reads_back("3,1,2", "1-3");
	reads_back("", "");
}

Test(cpus, what_is_no_list_is_none)
{
	cpu_set_t cpus;

	cr_assert_not(cpus_parse_list("a", &cpus));
	cr_assert_not(cpus_parse_list("3-1", &cpus));
	cr_assert_not(cpus_parse_list("0-", &cpus));
	cr_assert_not(cpus_parse_list("0-99999", &cpus));
}

Test(cpus, a_list_that_does_not_fit_is_not_cut)
{
	cpu_set_t cpus = set_of("0,2,4,6");
	char text[8];

	cr_assert(cpus_print_list(&cpus, text, sizeof(text)));
	cr_assert_not(cpus_print_list(&cpus, text, sizeof(text) - 1));
}

/* How many of the ids @first, @first + @step ... run on the CPU that has most and least. */
static void spread(unsigned want, unsigned cpus, unsigned count, unsigned step, unsigned *least,
		   unsigned *most)
{
	unsigned load[CPU_SETSIZE] = { 0 };
	cpu_set_t available, chosen;

	CPU_ZERO(&available);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		CPU_SET(cpu, &available);
	for (unsigned i = 0; i < count; i++) {
		cpus_choose(1 + i * step, want, &available, NULL, 0, &chosen);
		cr_assert_eq((unsigned)CPU_COUNT(&chosen), want);
		for (unsigned cpu = 0; cpu < cpus; cpu++)
			load[cpu] += CPU_ISSET(cpu, &chosen) ? 1 : 0;
	}
	*least = *most = load[0];
	for (unsigned cpu = 1; cpu < cpus; cpu++) {
		*least = load[cpu] < *least ? load[cpu] : *least;
		*most = load[cpu] > *most ? load[cpu] : *most;
	}
}

Test(cpus, vpss_are_spread_evenly_whatever_ids_they_have)
{
	unsigned least, most;

	for (unsigned cpus = 2; cpus <= 128; cpus *= 2) {
		for (unsigned want = 1; want < cpus; want += 1 + want / 2) {
			for (unsigned step = 1; step <= 7; step++) {
				spread(want, cpus, 20 * cpus, step, &least, &most);
				cr_expect_leq(most - least, 12,
					      "%u of %u, each %u-th: %u to %u", want, cpus,
					      step, least, most);
			}
		}
	}
}

Test(cpus, the_same_vps_gets_the_same)
{
	cpu_set_t available = set_of("0-7"), one, other;

	cpus_choose(17, 3, &available, NULL, 0, &one);
	cpus_choose(17, 3, &available, NULL, 0, &other);
	cr_assert(CPU_EQUAL(&one, &other));
}

Test(cpus, only_what_is_available_is_dealt_out)
{
	cpu_set_t available = set_of("2,5-6"), chosen, both;

	for (unsigned id = 1; id < 100; id++) {
		cpus_choose(id, 2, &available, NULL, 0, &chosen);
		CPU_AND(&both, &available, &chosen);
		cr_assert(CPU_EQUAL(&both, &chosen));
		cr_assert_eq(CPU_COUNT(&chosen), 2);
	}
}

Test(cpus, who_wants_all_or_more_gets_all)
{
	cpu_set_t available = set_of("0-3"), chosen;

	cpus_choose(5, 4, &available, NULL, 0, &chosen);
	cr_assert(CPU_EQUAL(&chosen, &available));
	cpus_choose(5, 400, &available, NULL, 0, &chosen);
	cr_assert(CPU_EQUAL(&chosen, &available));
}

Test(cpus, what_fits_into_a_numa_node_stays_in_one)
{
	const cpu_set_t nodes[] = { set_of("0-3,8-11"), set_of("4-7,12-15") };
	cpu_set_t available = set_of("0-15"), chosen, in;
	unsigned first = 0;

	for (unsigned id = 1; id <= 100; id++) {
		cpus_choose(id, 6, &available, nodes, 2, &chosen);
		cr_assert_eq(CPU_COUNT(&chosen), 6);
		CPU_AND(&in, &chosen, &nodes[0]);
		cr_assert(CPU_COUNT(&in) == 0 || CPU_COUNT(&in) == 6);
		first += CPU_COUNT(&in) ? 1 : 0;
	}
	cr_assert(first >= 45 && first <= 55, "%u of 100 are on the first node", first);
}

Test(cpus, what_does_not_fit_takes_from_several_nodes)
{
	const cpu_set_t nodes[] = { set_of("0-3"), set_of("4-7") };
	cpu_set_t available = set_of("0-7"), chosen;

	cpus_choose(9, 5, &available, nodes, 2, &chosen);
	cr_assert_eq(CPU_COUNT(&chosen), 5);
}

Test(cpus, any_list_is_read_without_harm)
{
	uint64_t seed = 11;
	char text[64], back[1024];
	cpu_set_t cpus, again;

	for (int i = 0; i < 20000; i++) {
		random_text(&seed, "0123456789,-\n", text, sizeof(text));
		if (!cpus_parse_list(text, &cpus) ||
		    !cpus_print_list(&cpus, back, sizeof(back)))
			continue;
		cr_assert(cpus_parse_list(back, &again));
		cr_assert(CPU_EQUAL(&cpus, &again));
	}
}

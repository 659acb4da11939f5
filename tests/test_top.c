/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../nodectl/top.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "own.h"

static struct err err;

/* A VPS that was read twice, two seconds apart, and of which nothing is known. */
static struct top_vps example(void)
{
	struct top_vps vps = { .name = "web1", .id = 7, .memory = 1 << 30, .cpus = 50 };

	memset(&vps.now.usage, 0xff, sizeof(vps.now.usage));
	vps.now.usage.group = 4711;
	vps.before = vps.now;
	vps.before.when = 100;
	vps.now.when = 102;
	vps.state = STATE_RUNNING;
	return vps;
}

static void shows(const struct top_vps *vps, const char *name, const char *expected)
{
	char text[64] = "";

	for (size_t i = 0; i < top_columns_count; i++) {
		if (strcmp(top_columns[i].name, name) == 0)
			top_cell(vps, &top_columns[i], text, sizeof(text));
	}
	cr_expect_str_eq(text, expected, "%s: %s", name, text);
}

Test(top, speeds_are_the_difference_of_two_readings)
{
	struct top_vps vps = example();

	vps.before.usage.cpu_usec = 1000000;
	vps.now.usage.cpu_usec = 1500000;
	vps.before.usage.read.bytes = 4096;
	vps.now.usage.read.bytes = 4096 + (20 << 20);
	vps.before.usage.io_pressure.some_usec = 5000000;
	vps.now.usage.io_pressure.some_usec = 5500000;
	vps.before.usage.periods = 100;
	vps.now.usage.periods = 120;
	vps.before.usage.throttled = 50;
	vps.now.usage.throttled = 55;
	vps.now.usage.memory = 512 << 20;
	vps.now.usage.tasks = 12;
	vps.before.linked = vps.now.linked = true;
	vps.before.link.rx_bytes = 1000;
	vps.now.link.rx_bytes = 3000;
	top_figures_make(&vps);

	cr_expect_float_eq(vps.figures.cpu, 0.25, 1e-9);
	cr_expect_float_eq(vps.figures.of_cap, 0.5, 1e-9);
	shows(&vps, "CPU%", "25.0");
	shows(&vps, "CAP%", "50");
	shows(&vps, "USED%", "50.0");
	shows(&vps, "HELD%", "25.0");
	shows(&vps, "READ/s", "10M");
	shows(&vps, "DISK%", "25.0");
	shows(&vps, "MEMORY", "512M");
	shows(&vps, "LIMIT", "1G");
	shows(&vps, "MEM%", "50.0");
	shows(&vps, "TASKS", "12");
	shows(&vps, "IN/s", "1.0K");
}

Test(top, what_is_not_known_is_a_hyphen_and_null)
{
	struct top_vps vps = example();
	json_t *object;

	top_figures_make(&vps);
	object = top_json(&vps);
	for (size_t i = 0; i < top_columns_count; i++) {
		const json_t *value = json_object_get(object, top_columns[i].key);

		cr_expect_not_null(value, "%s", top_columns[i].key);
		if (top_columns[i].is_limit)
			continue;
		shows(&vps, top_columns[i].name, "-");
		cr_expect(json_is_null(value), "%s", top_columns[i].key);
	}
	json_decref(object);
}

Test(top, the_first_reading_has_no_speeds)
{
	struct top_vps vps = example();

	vps.before.when = 0;
	vps.before.usage.cpu_usec = 0;
	vps.now.usage.cpu_usec = 1500000;
	vps.now.usage.memory = 1 << 20;
	top_figures_make(&vps);
	shows(&vps, "CPU%", "-");
	shows(&vps, "MEMORY", "1M");
}

Test(top, a_vps_that_was_started_anew_has_no_speeds_of_the_old_one)
{
	struct top_vps vps = example();

	vps.before.usage.group = 4000;
	vps.before.usage.cpu_usec = 1;
	vps.now.usage.cpu_usec = 1500000;
	top_figures_make(&vps);
	shows(&vps, "CPU%", "-");
	/* nor one whose counters went back */
	vps = example();
	vps.before.usage.cpu_usec = 1500000;
	vps.now.usage.cpu_usec = 1;
	top_figures_make(&vps);
	shows(&vps, "CPU%", "-");
}

Test(top, a_vps_that_does_not_run_has_its_limits_only)
{
	struct top_vps vps = example();

	vps.now.when = 0;
	vps.now.usage.memory = 7;
	top_figures_make(&vps);
	shows(&vps, "CPU%", "-");
	shows(&vps, "MEMORY", "-");
	shows(&vps, "UPTIME", "-");
	shows(&vps, "CAP%", "50");
	shows(&vps, "LIMIT", "1G");
}

Test(top, without_limits_there_are_no_parts_of_them)
{
	struct top_vps vps = example();

	vps.memory = 0;
	vps.cpus = 0;
	vps.before.usage.cpu_usec = 0;
	vps.now.usage.cpu_usec = 30000000;
	vps.now.usage.memory = 1 << 20;
	top_figures_make(&vps);
	shows(&vps, "CPU%", "1500");
	shows(&vps, "CAP%", "all");
	shows(&vps, "LIMIT", "all");
	shows(&vps, "USED%", "-");
	shows(&vps, "MEM%", "-");
}

/* The kernel may account some time late. */
Test(top, no_part_of_time_is_more_than_all)
{
	struct top_vps vps = example();

	vps.before.usage.cpu_pressure.some_usec = 0;
	vps.now.usage.cpu_pressure.some_usec = 2100000;
	top_figures_make(&vps);
	shows(&vps, "WAIT%", "100.0");
}

static struct top_vps three[3];
static struct top top;

static void order_is(const char *sort, const char *expected)
{
	char got[400] = "";

	cr_assert_eq(top_sort_parse(sort, &top.choice, &err), 0, "%s", err.msg);
	top_arrange(&top);
	for (size_t i = 0; i < top.shown_count; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ",
			 top.shown[i]->name);
	cr_expect_str_eq(got, expected, "%s", sort);
}

static void three_make(void)
{
	static const char *const names[] = { "web9", "web10", "db" };

	for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
		three[i] = (struct top_vps){ .id = (unsigned)(3 - i), .now.when = 1 };
		strcpy(three[i].name, names[i]);
		three[i].figures.cpu = (double[]){ 0.5, NAN, 2 }[i];
		three[i].figures.memory = 7;
	}
	top = (struct top){ .vps = three, .count = 3 };
}

TestSuite(top_order, .init = three_make);

Test(top_order, the_most_comes_first_and_what_is_not_known_last)
{
	order_is("CPU", "db web9 web10 ");
	order_is("cpu%", "db web9 web10 ");
	order_is("-CPU", "web9 db web10 ");
}

Test(top_order, names_are_in_the_order_of_people)
{
	order_is("NAME", "db web9 web10 ");
	order_is("-NAME", "web10 web9 db ");
	three[0].state = STATE_RUNNING;
	order_is("STATE", "web9 db web10 ");
	/* and decide where figures do not */
	order_is("MEMORY", "db web9 web10 ");
}

Test(top_order, an_unknown_column_is_refused)
{
	cr_expect_eq(top_sort_parse("COLOUR", &top.choice, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(err.msg, "there is no column 'COLOUR'; -L lists them");
}

Test(top_order, only_what_is_asked_for_is_shown)
{
	strcpy(top.choice.filter, "eb");
	order_is("NAME", "web9 web10 ");
	three[0].now.when = 0;
	top.choice.running = true;
	order_is("NAME", "web10 ");
	cr_expect_eq(top.name_width, 8);
}

Test(top_order, the_summary_counts_states)
{
	char text[200], summary[200];

	snprintf(summary, sizeof(summary),
		 "3 VPSs: 2 running, 1 frozen, CPU 2.50 of %ld, memory 14B",
		 sysconf(_SC_NPROCESSORS_ONLN));
	three[0].state = three[1].state = STATE_RUNNING;
	three[2].state = STATE_FROZEN;
	three[2].figures.memory = NAN;
	top_summary(&top, text, sizeof(text));
	cr_expect_str_eq(text, summary);
}

Test(top_order, lines_are_as_wide_as_the_header)
{
	char header[512], line[512];

	strcpy(three[0].name, "a-name-that-is-longer-than-there-is-room-for-on-a-screen-of-80");
	top_header_print(&top, 24, true, header, sizeof(header));
	top_line_print(&three[0], 24, line, sizeof(line));
	cr_expect_eq(strlen(line), strlen(header));
	cr_expect_not_null(strstr(line, "a-name-that-is-longer-th stopped"));
	cr_expect_not_null(strstr(header, " vCPU% "));
	top_header_print(&top, 24, false, header, sizeof(header));
	cr_expect_null(strstr(header, "vCPU"));
	top.choice.sort = TOP_BY_NAME;
	top_header_print(&top, 24, true, header, sizeof(header));
	cr_expect_eq(strncmp(header, "vNAME ", 6), 0);
}

Test(top_order, columns_have_names_and_keys_of_their_own)
{
	for (size_t i = 0; i < top_columns_count; i++) {
		cr_expect(!top_columns[i].width ||
			  strlen(top_columns[i].name) <= (size_t)top_columns[i].width);
		for (size_t j = 0; j < i; j++) {
			cr_expect_str_neq(top_columns[i].name, top_columns[j].name);
			cr_expect_str_neq(top_columns[i].key, top_columns[j].key);
			cr_expect_neq(top_columns[i].figure, top_columns[j].figure);
		}
	}
}

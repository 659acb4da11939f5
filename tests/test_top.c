/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../nodectl/top.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "cgroups.h"
#include "own.h"

static struct top_row row(unsigned id, const char *name, double cpu)
{
	struct top_row made = { .id = id, .started = 1, .cpu = cpu };

	strcpy(made.name, name);
	return made;
}

Test(top, rates_are_differences_over_the_time_between)
{
	struct top_row before = { .started = 5, .counts = { .cpu = 1000000, .read = 100 } };
	struct top_row now = { .started = 5,
			       .counts = { .cpu = 4000000, .read = 300, .in = 50 } };

	top_rates(&before, &now, 2);
	cr_expect_float_eq(now.cpu, 1.5, 1e-9);
	cr_expect_float_eq(now.read, 100, 1e-9);
	cr_expect_float_eq(now.in, 25, 1e-9);
	cr_expect_float_eq(now.throttled, 0, 1e-9);
}

Test(top, a_vps_that_was_started_again_counts_from_nothing)
{
	struct top_row before = { .started = 5, .counts = { .cpu = 9000000, .out = 10 } };
	struct top_row again = { .started = 6, .counts = { .cpu = 9500000, .out = 40 } };
	struct top_row fell = { .started = 5, .counts = { .cpu = 500000, .out = 40 } };

	top_rates(&before, &again, 1);
	cr_expect_float_eq(again.cpu, 9.5, 1e-9);
	cr_expect_float_eq(again.out, 40, 1e-9);
	top_rates(&before, &fell, 1);
	cr_expect_float_eq(fell.cpu, 0.5, 1e-9);
}

Test(top, what_the_kernel_does_not_tell_is_not_a_rate_of_nothing)
{
	struct top_row before = { .started = 5, .counts = { .read = FIGURE_UNKNOWN } };
	struct top_row now = { .started = 5, .counts = { .read = 7, .cpu = FIGURE_UNKNOWN } };
	char text[256];

	top_rates(&before, &now, 1);
	cr_expect(now.read < 0);
	cr_expect(now.cpu < 0);
	top_line(&now, text, sizeof(text));
	cr_expect_not_null(strstr(text, " - "), "%s", text);
}

Test(top, the_busiest_come_first_and_last_when_turned)
{
	struct top_row rows[] = { row(1, "a", 0.1), row(2, "b", 1.5), row(3, "c", -1) };
	struct top top = { .rows = rows, .count = ARRAY_SIZE(rows) };

	top_sort(&top, top_column_find("cpu"), false);
	cr_expect_str_eq(rows[0].name, "b");
	cr_expect_str_eq(rows[2].name, "c");
	top_sort(&top, top_column_find("cpu"), true);
	cr_expect_str_eq(rows[0].name, "c");
	cr_expect_str_eq(rows[2].name, "b");
}

Test(top, names_are_sorted_as_people_count)
{
	struct top_row rows[] = { row(1, "web10", 0), row(2, "web9", 0), row(3, "db", 0) };
	struct top top = { .rows = rows, .count = ARRAY_SIZE(rows) };

	top_sort(&top, top_column_find("NAME"), false);
	cr_expect_str_eq(rows[0].name, "db");
	cr_expect_str_eq(rows[1].name, "web9");
	cr_expect_str_eq(rows[2].name, "web10");
}

Test(top, columns_are_found_without_their_unit)
{
	cr_expect_eq(top_column_find("cpu"), top_column_find("CPU%"));
	cr_expect_eq(top_column_find("read"), top_column_find("READ/s"));
	cr_expect_null(top_column_find(""));
	cr_expect_null(top_column_find("cp"));
	cr_expect_null(top_column_find("colour"));
}

Test(top, a_heading_stands_above_each_cell)
{
	struct top_row one = row(1, "web1", 0.25);
	char heading[512], line[512];

	one.started = time(NULL);
	top_heading(heading, sizeof(heading));
	top_line(&one, line, sizeof(line));
	cr_expect_eq(strlen(heading), strlen(line), "'%s'\n'%s'", heading, line);
	cr_expect_eq(strncmp(strstr(heading, "CPU%") - 2, "  CPU%", 6), 0);
	cr_expect_eq(strncmp(line + (strstr(heading, "CPU%") - heading), "25.0", 4), 0, "%s",
		     line);
}

Test(top, json_has_numbers_and_null)
{
	struct top_row rows[] = { row(7, "web1", 0.25) };
	struct top top = { .rows = rows, .count = 1 };
	json_t *all, *one;

	rows[0].read = -1;
	all = top_json(&top);
	one = json_array_get(json_object_get(all, "vps"), 0);
	cr_expect_eq(json_integer_value(json_object_get(all, "schema")), 1);
	cr_expect_eq(json_integer_value(json_object_get(one, "id")), 7);
	cr_expect_float_eq(json_real_value(json_object_get(one, "cpu")), 0.25, 1e-9);
	cr_expect(json_is_null(json_object_get(one, "read")));
	cr_expect(json_is_integer(json_object_get(one, "memory")));
	json_decref(all);
}

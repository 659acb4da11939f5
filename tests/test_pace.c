/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "../nodectl/pace.h"

Test(pace, the_total_is_that_of_some)
{
	cr_expect_eq(pressure_total("some avg10=0.00 avg60=1.50 avg300=0.12 total=123456\n"
				    "full avg10=0.00 avg60=0.00 avg300=0.00 total=99\n"),
		     123456);
}

Test(pace, what_is_no_pressure_is_none)
{
	cr_expect_eq(pressure_total(""), 0);
	cr_expect_eq(pressure_total("full avg10=0.00 total=99\n"), 0);
	cr_expect_eq(pressure_total("some avg10=0.00\nfull avg10=0.00 total=99\n"), 0);
}

Test(pace, pressure_is_of_what_is_waited_for_most)
{
	const uint64_t before[PACE_COUNT] = { 1000, 500, 0 };
	const uint64_t after[PACE_COUNT] = { 21000, 70500, 100 };

	cr_expect_eq(pressure_between(before, after, 100), 70);
}

Test(pace, pressure_is_never_more_than_all_of_the_time)
{
	const uint64_t before[PACE_COUNT] = { 0 }, after[PACE_COUNT] = { 900000 };

	cr_expect_eq(pressure_between(before, after, 100), 100);
	cr_expect_eq(pressure_between(before, after, 0), 0);
	/* a counter that went back is none that can be compared */
	cr_expect_eq(pressure_between(after, before, 100), 0);
}

Test(pace, an_idle_node_takes_as_many_as_it_has_room_for)
{
	struct pace pace = { .cpus = 2, .pressure = 10 };

	cr_expect(pace_decide(&pace, 0, 5000));
	for (unsigned i = 0; i < 4; i++)
		pace_begun(&pace, 5000);
	cr_expect_not(pace_decide(&pace, 4, 5000), "twice the CPUs at one look");
	pace.begun = 0;
	cr_expect(pace_decide(&pace, 4, 5100));
	cr_expect_not(pace_decide(&pace, 8, 5100), "four times the CPUs at once");
}

Test(pace, a_busy_node_takes_one_a_second)
{
	struct pace pace = { .cpus = 2, .pressure = 90 };

	pace_begun(&pace, 5000);
	cr_expect_not(pace_decide(&pace, 0, 5999));
	cr_expect(pace_decide(&pace, 0, 6000));
	cr_expect_not(pace_decide(&pace, 8, 6000), "but never more than can be at work");
}

Test(pace, a_look_begins_anew_what_may_begin)
{
	struct pace pace = { .cpus = 1 };

	cr_expect(pace_allows(&pace, 0, 1000));
	pace_begun(&pace, 1000);
	pace_begun(&pace, 1000);
	cr_expect_not(pace_allows(&pace, 0, 1050));
	cr_expect_eq(pace.looked, 1000);
	(void)pace_allows(&pace, 0, 1100);
	cr_expect_eq(pace.looked, 1100);
	cr_expect_eq(pace.begun, 0);
}

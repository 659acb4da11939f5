/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "../nodectl/command.h"

Test(boot, one_order_has_all_of_the_time)
{
	cr_expect_eq(turn_begins(0, 1, 90000), 0);
}

Test(boot, orders_begin_within_the_first_half)
{
	cr_expect_eq(turn_begins(0, 3, 90000), 0);
	cr_expect_eq(turn_begins(1, 3, 90000), 15000);
	cr_expect_eq(turn_begins(2, 3, 90000), 30000);
	for (size_t turn = 0; turn < 1000; turn++)
		cr_expect_lt(turn_begins(turn, 1000, 90000), 45000);
}

Test(boot, without_time_nobody_waits)
{
	cr_expect_eq(turn_begins(5, 9, 0), 0);
	cr_expect_eq(turn_begins(0, 0, 90000), 0);
}

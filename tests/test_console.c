/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../runtime/monitor.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "runtime.h"
#include "str.h"
#include "test_scratch.h"

static struct err err;

TestSuite(console, .init = scratch_make, .fini = scratch_remove);

/* The byte number n that was ever printed. */
static char printed(uint64_t n)
{
	return (char)('a' + n % 23);
}

/* A ring after @total bytes, as the monitor keeps it. */
static void ring_make(uint64_t total)
{
	static char ring[RING_HEADER + RING_SIZE];
	const struct ring head = { .total = total };

	memset(ring, 0, sizeof(ring));
	memcpy(ring, &head, sizeof(head));
	for (uint64_t n = total > RING_SIZE ? total - RING_SIZE : 0; n < total; n++)
		ring[RING_HEADER + n % RING_SIZE] = printed(n);
	cr_assert_eq(
	    file_replace_volatile(scratch, "console.ring", ring, sizeof(ring), 0600, &err), 0);
}

static char *log_text(void)
{
	own_fd out = openat(scratch, "out", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(runtime_console_log(scratch, out, &err), 0, "%s", err.msg);
	return file_slurp(scratch, "out", 1 << 20, &err);
}

static void holds_the_last(uint64_t count, uint64_t total)
{
	ring_make(total);
	own_str text = log_text();

	cr_assert_eq(strlen(text), count, "after %llu bytes", (unsigned long long)total);
	for (uint64_t i = 0; i < count; i++)
		cr_assert_eq(text[i], printed(total - count + i), "byte %llu of %llu",
			     (unsigned long long)i, (unsigned long long)total);
}

Test(console, log_of_a_vps_that_never_ran_is_empty)
{
	own_str text = log_text();

	cr_expect_str_eq(text, "");
}

Test(console, log_is_all_that_was_printed_when_it_is_little)
{
	holds_the_last(0, 0);
	holds_the_last(1, 1);
	holds_the_last(1000, 1000);
	holds_the_last(RING_SIZE, RING_SIZE);
}

Test(console, log_is_the_last_64_kib_in_order_when_it_is_more)
{
	holds_the_last(RING_SIZE, RING_SIZE + 1);
	holds_the_last(RING_SIZE, 2 * RING_SIZE - 1);
	holds_the_last(RING_SIZE, 2 * RING_SIZE);
	holds_the_last(RING_SIZE, 10ull * RING_SIZE + 12345);
	holds_the_last(RING_SIZE, 1ull << 40);
}

Test(console, renewed_tokens_leave_what_was_printed)
{
	const struct ring spent = { .total = 100, .dropped = 7, .tokens = { 20, 4711 } };
	struct ring now;

	ring_make(100);
	own_fd ring = openat(scratch, "console.ring", O_RDWR | O_CLOEXEC);
	cr_assert_eq(pwrite(ring, &spent, sizeof(spent), 0), sizeof(spent));
	runtime_tokens_renew(scratch);
	cr_assert_eq(pread(ring, &now, sizeof(now), 0), sizeof(now));
	cr_expect_eq(now.tokens.spent, 0);
	cr_expect_eq(now.tokens.earned, 0);
	cr_expect_eq(now.total, 100);
	cr_expect_eq(now.dropped, 7);
	own_str text = log_text();
	cr_expect_eq(strlen(text), 100);
}

Test(console, tokens_of_a_vps_that_never_ran_are_no_matter)
{
	runtime_tokens_renew(scratch);
	cr_expect_eq(scratch_count(scratch), 0);
}

Test(console, log_of_a_ring_that_is_cut_off_is_an_error)
{
	scratch_put(scratch, "console.ring", "short");
	cr_expect_eq(runtime_console_log(scratch, 1, &err), -1);
	cr_expect_eq(err.code, EIO);
}

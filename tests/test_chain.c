/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chain.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "err.h"
#include "history.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "str.h"

#define DAY 1763769600ll /* 2025-11-22, 00:00 UTC */

static const struct retention keep = { 2 * SPAN_DAY, 60 * SPAN_DAY, 1096 * SPAN_DAY };
static char storage[64];
static char warned[400];
static struct err err;

static void warn(const char *what, void *arg)
{
	(void)arg;
	snprintf(warned, sizeof(warned), "%s", what);
}

/* @days days of three VPSs, each sampled once a day, and what cron does then. */
static void days_pass(int first, int last)
{
	for (int day = first; day < last; day++) {
		own_history history = NULL;
		own_sample sample = { .now = { DAY + day * SPAN_DAY + 60, 7,
					       (uint64_t)(day + 1) * 86400000000 } };

		history = history_open(storage, true, warn, NULL, &err);
		cr_assert(history, "%s", err.msg);
		for (unsigned id = 1; id <= 3; id++) {
			struct vps vps;

			vps_init(&vps);
			vps.id = id;
			vps.created = DAY;
			snprintf(vps.name, sizeof(vps.name), "v%u", id);
			snprintf(vps.uuid, sizeof(vps.uuid), "00000000-0000-4000-8000-%012u",
				 id);
			struct sampled *one = sample_add(&sample, &vps);

			one->reading.link = 1;
			one->reading.counter[MEASURE_TRAFFIC_IN] = (uint64_t)day * 1000 * id;
		}
		cr_assert_eq(history_store(history, &sample, &keep, &err), 0, "%s", err.msg);
		cr_assert_eq(chain_append(storage, history, sample.now.time, warn, NULL, &err),
			     0, "%s", err.msg);
	}
}

static void begin(void)
{
	strcpy(storage, "/tmp/test-chain-XXXXXX");
	cr_assert(mkdtemp(storage));
	days_pass(0, 5);
}

static void end(void)
{
	cr_assert_eq(tree_remove(AT_FDCWD, storage, &err), 0);
}

TestSuite(chain, .init = begin, .fini = end);

static struct chain_state verified(void)
{
	struct chain_state state;

	cr_assert_eq(chain_verify(storage, &state, &err), 0, "%s", err.msg);
	return state;
}

static char *ledger(void)
{
	own_str path = xasprintf("%s/ledger.jsonl", storage);
	char *text = file_slurp(AT_FDCWD, path, 1 << 20, &err);

	cr_assert(text);
	return text;
}

static void ledger_put(const char *text)
{
	own_fd dir = dir_open(AT_FDCWD, storage, &err);

	cr_assert_eq(file_replace(dir, "ledger.jsonl", text, strlen(text), 0600, &err), 0);
}

/* The line number @n, from 1 on, in @text. */
static char *line_at(char *text, int n)
{
	while (--n)
		text = strchr(text, '\n') + 1;
	return text;
}

Test(sha256, digests_are_those_of_the_standard)
{
	char text[SHA256_TEXT], million[1000];

	sha256_text("", 0, text);
	cr_assert_str_eq(text,
			 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_text("abc", 3, text);
	cr_assert_str_eq(text,
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text);
	cr_assert_str_eq(text,
			 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(million, 'a', sizeof(million));
	sha256_text(million, sizeof(million), text);
	cr_assert_str_eq(text,
			 "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

Test(chain, each_day_that_is_over_has_a_line_for_each_vps)
{
	struct chain_state state = verified();

	cr_assert_eq(state.wrong, 0, "%s", state.fault);
	cr_assert_eq(state.lines, 12, "the fifth day is not over");
	cr_assert_str_eq(state.first, "2025-11-22");
	cr_assert_str_eq(state.last, "2025-11-25");
	days_pass(5, 7);
	cr_assert_eq(verified().lines, 18);
	cr_assert_eq(verified().wrong, 0);
}

Test(chain, a_second_sample_of_a_day_adds_nothing)
{
	days_pass(4, 5);
	days_pass(4, 5);
	cr_assert_eq(verified().lines, 12);
}

Test(chain, days_without_a_sample_are_no_gap)
{
	days_pass(9, 10);
	cr_assert_eq(verified().lines, 15);
	cr_assert_eq(verified().wrong, 0);
}

Test(chain, a_line_that_was_altered_is_found)
{
	own_str text = ledger();

	strstr(line_at(text, 5), "\"traffic_in\":")[13] = '7';
	ledger_put(text);
	cr_assert_eq(verified().wrong, 5);
	cr_assert(strstr(verified().fault, "altered"));
}

Test(chain, the_last_one_too)
{
	own_str text = ledger();

	strstr(line_at(text, 12), "\"traffic_in\":")[14] = '7';
	ledger_put(text);
	cr_assert_eq(verified().wrong, 12);
}

Test(chain, a_line_that_is_missing_is_found)
{
	own_str text = ledger();
	char *from = line_at(text, 5), *to = line_at(text, 6);

	memmove(from, to, strlen(to) + 1);
	ledger_put(text);
	cr_assert_eq(verified().wrong, 5);
	cr_assert(strstr(verified().fault, "missing"));
}

Test(chain, lines_in_another_order_are_found)
{
	own_str text = ledger();
	char *five = line_at(text, 5), *six = line_at(text, 6), *seven = line_at(text, 7);
	own_str swapped = xasprintf("%.*s%.*s%.*s%s", (int)(five - text), text,
				    (int)(seven - six), six, (int)(six - five), five, seven);

	ledger_put(swapped);
	cr_assert_eq(verified().wrong, 5);
}

Test(chain, an_end_that_was_cut_off_is_found)
{
	own_str text = ledger();

	*line_at(text, 12) = 0;
	ledger_put(text);
	cr_assert_eq(verified().wrong, 12);
}

Test(chain, a_line_that_somebody_added_is_found)
{
	own_str text = ledger();
	own_str more = xasprintf("%s%s", text, line_at(text, 12));

	ledger_put(more);
	cr_assert_eq(verified().wrong, 13);
}

Test(chain, one_that_was_cut_is_set_aside_and_written_anew)
{
	own_str text = ledger();

	*line_at(text, 8) = 0;
	ledger_put(text);
	days_pass(5, 6);
	cr_assert(strstr(warned, "set aside as ledger.jsonl.broken-"), "%s", warned);
	cr_assert_eq(verified().lines, 15);
	cr_assert_eq(verified().wrong, 0);
}

Test(chain, what_was_written_before_a_crash_does_not_count)
{
	own_str text = ledger();
	own_str more = xasprintf("%s{\"line\":13,\"day\":\"2025-", text);

	ledger_put(more);
	days_pass(5, 6);
	cr_assert_eq(verified().lines, 15);
	cr_assert_eq(verified().wrong, 0);
}

/* The clock of a node that has just booted, or an operator's slip: what is used later has its
 * lines all the same. */
Test(chain, a_clock_far_ahead_for_a_while_keeps_nothing_out)
{
	days_pass(40, 41);
	days_pass(40, 41);
	days_pass(5, 7);
	cr_expect_str_eq(verified().last, "2025-11-27");
	cr_expect_eq(verified().wrong, 0);
}

/* A moment's lack of descriptors, or of the disk, says nothing of what was written. */
Test(chain, one_that_cannot_be_looked_at_is_not_set_aside)
{
	own_history history = history_open(storage, true, warn, NULL, &err);
	struct rlimit before, one_more;
	struct chain_state state;

	cr_assert(history, "%s", err.msg);
	int next = dup(0);
	cr_assert_eq(close(next), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	one_more = (struct rlimit){ .rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &one_more), 0);
	int appended = chain_append(storage, history, DAY + 6 * SPAN_DAY, warn, NULL, &err);
	int code = err.code;
	int looked = chain_verify(storage, &state, &err);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);

	cr_expect_eq(appended, -1);
	cr_expect_eq(code, EMFILE, "%s", strerror(code));
	cr_expect_eq(looked, -1, "nobody has tampered with it");
	cr_expect_str_eq(warned, "");
	cr_expect_eq(verified().lines, 12);
	cr_expect_eq(verified().wrong, 0);
}

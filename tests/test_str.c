/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "str.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "test_scratch.h"

static struct err err;

/* One parser, whatever the width of its result. */
enum parser { SIZE, RATE, CPUS, SECONDS, NUMBER };

static int parse(enum parser parser, const char *text, uint64_t *value)
{
	unsigned narrow = (unsigned)*value;
	unsigned long number = (unsigned long)*value;
	int result = -2;

	memset(&err, 0, sizeof(err));
	switch (parser) {
	case SIZE:
		return size_parse(text, value, &err);
	case RATE:
		return rate_parse(text, value, &err);
	case CPUS:
		result = cpus_parse(text, &narrow, &err);
		*value = narrow;
		return result;
	case SECONDS:
		result = seconds_parse(text, &narrow, &err);
		*value = narrow;
		return result;
	case NUMBER:
		result = number_parse(text, 5, 100, &number, &err);
		*value = number;
		return result;
	}
	return result;
}

static void is(enum parser parser, const char *text, uint64_t expected)
{
	uint64_t value = 77;

	cr_expect_eq(parse(parser, text, &value), 0, "'%s': %s", text, err.msg);
	cr_expect_eq(value, expected, "'%s' is %" PRIu64, text, value);
}

static void refused(enum parser parser, const char *text)
{
	uint64_t value = 77;

	cr_expect_eq(parse(parser, text, &value), -1, "'%s' was taken as %" PRIu64, text,
		     value);
	cr_expect_eq(value, 77, "'%s' left something behind", text);
	cr_expect_eq(err.kind, ERR_VALUE, "'%s'", text);
	cr_expect_neq(strstr(err.msg, "'"), NULL, "'%s': %s", text, err.msg);
}

Test(str, a_size_takes_a_binary_unit)
{
	is(SIZE, "0", 0);
	is(SIZE, "1", 1);
	is(SIZE, "007", 7);
	is(SIZE, "1K", 1024);
	is(SIZE, "512M", 512ull << 20);
	is(SIZE, "512MB", 512ull << 20);
	is(SIZE, "512MiB", 512ull << 20);
	is(SIZE, "10G", 10ull << 30);
	is(SIZE, "3T", 3ull << 40);
	is(SIZE, "1P", 1ull << 50);
	is(SIZE, "0P", 0);
}

Test(str, a_size_is_the_whole_text_or_none)
{
	static const char *const garbage[] = { "",     " ",    "M",    "-1",	"+1",	 " 1",
					       "1 ",   "1 M",  "1k",   "1m",	"1E",	 "1MM",
					       "1Mi",  "1iB",  "1B",   "1MiBx", "1.5G",	 "0x10",
					       "1e3",  "1\n",  "1M\n", "ten",	"1,000", "١",
					       "1Gib", "1_000" };

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		refused(SIZE, garbage[i]);
}

Test(str, a_size_beyond_what_a_file_offset_holds_is_too_large)
{
	is(SIZE, "9223372036854775807", INT64_MAX);
	is(SIZE, "8191P", 8191ull << 50);
	refused(SIZE, "9223372036854775808");
	refused(SIZE, "8192P");
	refused(SIZE, "18446744073709551615");
	refused(SIZE, "18446744073709551616");
	refused(SIZE, "16384P");
	refused(SIZE, "16385P");
	refused(SIZE, "99999999999999999999999999999999999999G");
}

Test(str, an_unknown_unit_of_a_size_is_said)
{
	refused(SIZE, "12Q");
	cr_expect_str_eq(err.msg, "'12Q' has an unknown unit (K, M, G, T or P)");
}

Test(str, a_rate_takes_a_decimal_unit)
{
	is(RATE, "0", 0);
	is(RATE, "9600", 9600);
	is(RATE, "64k", 64000);
	is(RATE, "100M", 100000000);
	is(RATE, "100Mbit", 100000000);
	is(RATE, "1G", 1000000000);
	is(RATE, "2T", 2000000000000);
}

Test(str, a_rate_is_the_whole_text_or_none)
{
	static const char *const garbage[] = { "",	 "M",	 "-1", "1K", "1 M", "1Mb",
					       "1Mbits", "1.5G", " 1", "1P", "bit", "1MB" };

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		refused(RATE, garbage[i]);
	is(RATE, "18446744T", 18446744000000000000ull);
	refused(RATE, "18446745T");
	refused(RATE, "18446744073709551616");
}

Test(str, cpus_have_at_most_two_decimals)
{
	is(CPUS, "0", 0);
	is(CPUS, "1", 100);
	is(CPUS, "1.5", 150);
	is(CPUS, "1.05", 105);
	is(CPUS, "0.01", 1);
	is(CPUS, "1.50", 150);
	is(CPUS, "4096", 409600);
	refused(CPUS, "1.555");
	refused(CPUS, "1.000");
}

Test(str, cpus_are_the_whole_text_or_none)
{
	static const char *const garbage[] = { "",
					       ".",
					       ".5",
					       "-1",
					       "1,5",
					       "1.5.5",
					       "1x",
					       "1.5x",
					       " 1",
					       "1 ",
					       "1..5",
					       "1.-5",
					       "1.",
					       "4097",
					       "1e2",
					       "all",
					       "18446744073709551617",
					       "42949673" };

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		refused(CPUS, garbage[i]);
}

Test(str, seconds_take_one_unit)
{
	is(SECONDS, "0", 0);
	is(SECONDS, "90", 90);
	is(SECONDS, "90s", 90);
	is(SECONDS, "10m", 600);
	is(SECONDS, "2h", 7200);
	is(SECONDS, "7d", 604800);
	is(SECONDS, "365d", 31536000);
	is(SECONDS, "31536000", 31536000);
}

Test(str, seconds_are_the_whole_text_or_none)
{
	static const char *const garbage[] = {
		"",	"s",	"-1",	    "1 h",   "1w", "5ss",	 "1h30m",
		"1.5h", "366d", "31536001", "8761h", "1H", "4294967296", "18446744073709551615d"
	};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		refused(SECONDS, garbage[i]);
}

Test(str, a_number_lies_between_its_bounds)
{
	is(NUMBER, "5", 5);
	is(NUMBER, "100", 100);
	is(NUMBER, "0099", 99);
	refused(NUMBER, "4");
	refused(NUMBER, "101");
	cr_expect_str_eq(err.msg, "'101' is not a number from 5 to 100");
}

/* Whatever is wrong with it, the way out is the same. */
Test(str, what_is_no_number_is_told_the_bounds)
{
	static const char *const garbage[] = { "", "soon", "-7", "99999999999999999999" };
	char expected[80];

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		refused(NUMBER, garbage[i]);
		snprintf(expected, sizeof(expected), "'%s' is not a number from 5 to 100",
			 garbage[i]);
		cr_expect_str_eq(err.msg, expected);
	}
}

Test(str, what_is_too_large_is_told_the_bound)
{
	static const struct {
		enum parser parser;
		const char *text, *expected;
	} rows[] = {
		{ SIZE, "8192P", "'8192P' is too large (at most 8191P)" },
		{ SIZE, "99999999999999999999",
		  "'99999999999999999999' is too large (at most 8191P)" },
		{ RATE, "99999999999999999999",
		  "'99999999999999999999' is too large (at most 18446744T)" },
		{ CPUS, "99999999999999999999",
		  "'99999999999999999999' is not a number of CPUs from 0 to 4096" },
		{ SECONDS, "99999999999999999999d",
		  "'99999999999999999999d' is more than a year (365d)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		refused(rows[i].parser, rows[i].text);
		cr_expect_str_eq(err.msg, rows[i].expected);
	}
}

Test(str, a_number_is_the_whole_text_or_none)
{
	static const char *const garbage[] = {
		"", " 7", "7 ", "-7", "+7", "7x", "0x7", "7.", "7\n", "18446744073709551621"
	};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		refused(NUMBER, garbage[i]);
}

Test(str, a_number_may_be_as_large_as_its_type)
{
	unsigned long number;

	cr_expect_eq(number_parse("18446744073709551615", 0, ULONG_MAX, &number, &err), 0);
	cr_expect_eq(number, ULONG_MAX);
}

static void size_printed(uint64_t bytes, const char *expected)
{
	char text[32];

	size_print(bytes, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(str, a_size_is_printed_with_the_largest_unit_that_is_exact)
{
	size_printed(0, "0");
	size_printed(1023, "1023");
	size_printed(1024, "1K");
	size_printed(1536ull << 20, "1536M");
	size_printed(1ull << 30, "1G");
	size_printed(1ull << 60, "1024P");
	size_printed(INT64_MAX, "9223372036854775807");
}

Test(str, a_printed_size_is_read_back_as_the_same)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		uint64_t bytes = random_next(&seed) >> (1 + random_next(&seed) % 63);
		uint64_t back = ~bytes;
		char text[32];

		bytes &= ~0ull << random_next(&seed) % 60;
		size_print(bytes, text, sizeof(text));
		cr_assert_eq(size_parse(text, &back, &err), 0, "%s: %s", text, err.msg);
		cr_assert_eq(back, bytes, "%s", text);
	}
}

static void cpus_printed(unsigned hundredths, const char *expected)
{
	char text[32];

	cpus_print(hundredths, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(str, cpus_are_printed_without_needless_zeros)
{
	cpus_printed(0, "0");
	cpus_printed(5, "0.05");
	cpus_printed(50, "0.5");
	cpus_printed(100, "1");
	cpus_printed(150, "1.5");
	cpus_printed(1205, "12.05");
}

Test(str, printed_cpus_are_read_back_as_the_same)
{
	for (unsigned hundredths = 0; hundredths <= 409600; hundredths += 1) {
		unsigned back = ~hundredths;
		char text[32];

		cpus_print(hundredths, text, sizeof(text));
		cr_assert_eq(cpus_parse(text, &back, &err), 0, "%s: %s", text, err.msg);
		cr_assert_eq(back, hundredths, "%s", text);
	}
}

static void for_people(uint64_t bytes, const char *expected)
{
	char text[32];

	size_human(bytes, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(str, a_size_for_people_is_short)
{
	for_people(0, "0B");
	for_people(999, "999B");
	for_people(1000, "1.0K");
	for_people(1023, "1.0K");
	for_people(1024, "1K");
	for_people(1536, "1.5K");
	for_people(10188, "9.9K");
	for_people(10189, "10K");
	for_people(53ull << 20, "53M");
	for_people((1ull << 30) - 1, "1.0G");
	for_people(1ull << 30, "1G");
	for_people(UINT64_MAX, "16E");
}

Test(str, no_size_for_people_is_longer_than_four_characters)
{
	uint64_t seed = 2;

	for (int i = 0; i < 20000; i++) {
		uint64_t bytes = random_next(&seed) >> random_next(&seed) % 64;
		char text[32];

		size_human(bytes, text, sizeof(text));
		cr_assert_leq(strlen(text), 4, "%" PRIu64 " is '%s'", bytes, text);
	}
}

static void span(uint64_t seconds, const char *expected)
{
	char text[32];

	seconds_human(seconds, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(str, a_time_for_people_has_the_two_largest_units)
{
	span(0, "0s");
	span(59, "59s");
	span(60, "1m 0s");
	span(3599, "59m 59s");
	span(3600, "1h 0m");
	span(86399, "23h 59m");
	span(86400, "1d 0h");
	span(12 * 86400 + 3 * 3600 + 59, "12d 3h");
}

Test(str, a_name_is_a_dns_label_in_lower_case)
{
	char longest[] = "a23456789012345678901234567890123456789012345678901234567890123";

	cr_expect(name_is_valid("a"));
	cr_expect(name_is_valid("web-1"));
	cr_expect(name_is_valid("1a"));
	cr_expect(name_is_valid("a--b"));
	cr_assert_eq(strlen(longest), 63);
	cr_expect(name_is_valid(longest));
}

Test(str, what_could_be_a_path_an_option_or_an_id_is_no_name)
{
	static const char *const garbage[] = { "",	"-",	"-a",  "a-",   "A",
					       "a.b",	"a/b",	"..",  ".",    "a b",
					       "a_b",	"1",	"a\n", "é",    "@a",
					       "a\x9b", "0042", "a:b", "12-a-" };

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		cr_expect_not(name_is_valid(garbage[i]), "'%s'", garbage[i]);
}

Test(str, a_name_of_64_bytes_is_too_long)
{
	char name[65];

	memset(name, 'a', 64);
	name[64] = 0;
	cr_expect_not(name_is_valid(name));
}

static void escaped(const char *text, size_t size, const char *expected)
{
	char out[64];

	memset(out, '#', sizeof(out));
	str_escape(text, out, size);
	cr_expect_str_eq(out, expected);
	cr_expect_eq(out[size], '#', "'%s' went past %zu bytes", text, size);
}

Test(str, plain_text_is_not_escaped)
{
	escaped("it's ~fine\\ {here}", 60, "it's ~fine\\ {here}");
	escaped("", 60, "");
}

Test(str, what_drives_a_terminal_is_escaped)
{
	escaped("\033[2J", 60, "\\x1b[2J");
	escaped("\x9b"
		"2J",
		60, "\\x9b2J");
	escaped("a\nb\rc\td\x7f", 60, "a\\x0ab\\x0dc\\x09d\\x7f");
	escaped("\x01\x1f\x80\xff", 60, "\\x01\\x1f\\x80\\xff");
}

static void visible(const char *text, const char *expected)
{
	char out[200];
	size_t len = str_visible(text, strlen(text), out);

	out[len] = 0;
	cr_expect_str_eq(out, expected);
}

Test(str, lines_and_colours_are_left_to_a_terminal)
{
	visible("a\tb\r\n", "a\tb\r\n");
	visible("[\033[0;32m  OK  \033[m]", "[\033[0;32m  OK  \033[m]");
	visible("caf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\xa7",
		"caf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\xa7");
}

Test(str, other_controls_are_made_visible)
{
	visible("\033]0;x\a", "^[]0;x^G");
	visible("\033[2J\033[1;", "^[[2J^[[1;");
	visible("\x9b"
		"2J\x7f",
		"^?2J^?");
	visible("\xc2\x9b"
		"2J",
		"^?2J");
	visible("\033", "^[");
}

Test(str, utf_8_is_escaped_byte_by_byte)
{
	escaped("é", 60, "\\xc3\\xa9");
	escaped("\xc2\x9b", 60, "\\xc2\\x9b");
}

Test(str, an_escape_is_never_cut_in_half)
{
	escaped("abcdef", 4, "abc");
	escaped("\x1b\x1b", 4, "");
	escaped("\x1b\x1b", 5, "\\x1b");
	escaped("\x1b\x1b", 8, "\\x1b");
	escaped("\x1b\x1b", 9, "\\x1b\\x1b");
	escaped("abc\x1b", 7, "abc");
	escaped("abc", 1, "");
}

Test(str, nothing_but_printable_ascii_is_left_of_any_bytes)
{
	uint64_t seed = 3;

	for (int i = 0; i < 20000; i++) {
		char text[40], out[60];
		size_t size = 1 + random_next(&seed) % (sizeof(out) - 1);

		random_text(&seed, "\033\x9b[a", text, sizeof(text));
		str_escape(text, out, size);
		cr_assert_lt(strlen(out), size);
		for (const char *c = out; *c; c++)
			cr_assert(*c >= 0x20 && *c < 0x7f);
	}
}

Test(str, a_copy_that_just_fits_is_made)
{
	char to[4];

	cr_expect_eq(str_copy(to, sizeof(to), "abc", &err), 0);
	cr_expect_str_eq(to, "abc");
}

Test(str, a_copy_that_does_not_fit_is_refused_and_not_cut)
{
	char to[4] = "old";

	cr_expect_eq(str_copy(to, sizeof(to), "abcd", &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_str_eq(to, "old");
}

Test(str, a_format_that_does_not_fit_is_a_programming_error, .signal = SIGABRT)
{
	char to[4];

	str_format(to, sizeof(to), "%d", 1000);
}

Test(str, a_format_makes_a_string_of_any_length)
{
	own_str text = xasprintf("%s-%0500d", "a", 1);

	cr_expect_eq(strlen(text), 502);
}

Test(str, memory_of_no_bytes_is_memory)
{
	own_str none = xmalloc(0);
	own_str zeroed = xcalloc(0, 0);

	cr_expect_not_null(none);
	cr_expect_not_null(zeroed);
}

static void moment(int64_t seconds, const char *expected)
{
	char text[32];

	time_print(seconds, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(str, a_time_is_printed_in_utc)
{
	setenv("TZ", "America/New_York", 1);
	tzset();
	moment(0, "1970-01-01T00:00:00Z");
	moment(1767225599, "2025-12-31T23:59:59Z");
	moment(4102444800, "2100-01-01T00:00:00Z");
}

Test(str, a_time_that_no_calendar_has_is_a_dash)
{
	moment(INT64_MAX, "-");
	moment(INT64_MIN, "-");
}

Test(rate, is_printed_as_it_is_read)
{
	static const char *const rates[] = { "0",    "1",     "999", "1k", "1500k",
					     "100M", "2500M", "1G",  "3T" };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		char text[32];
		uint64_t bits;

		cr_assert_eq(rate_parse(rates[i], &bits, &err), 0);
		rate_print(bits, text, sizeof(text));
		cr_expect_str_eq(text, rates[i]);
	}
}

Test(memory, stream_is_whole)
{
	size_t size = 1;
	char *text = NULL;
	FILE *out = xmemstream(&text, &size);

	for (int i = 0; i < 20000; i++)
		fprintf(out, "%05d", i);
	fclose(out);
	own_str owned = text;
	cr_assert_eq(size, 100000);
	cr_assert_eq(strlen(owned), 100000);
	cr_assert_eq(strncmp(owned + 5 * 12345, "12345", 5), 0);
}

Test(memory, stream_without_a_byte)
{
	size_t size = 1;
	char *text = NULL;
	FILE *out = xmemstream(&text, &size);

	fclose(out);
	own_str owned = text;
	cr_assert_eq(size, 0);
	cr_assert_str_eq(owned, "");
}

static void hear(int fd, const char *what)
{
	(void)!write(fd, what, strlen(what));
}

Test(memory, who_waits_hears_that_there_is_none)
{
	char text[32] = "";
	int pipes[2], status;

	cr_assert_eq(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		no_memory_tell(hear, pipes[1]);
		free(xmalloc(SIZE_MAX / 2));
		_exit(0);
	}
	cr_assert_gt(read(pipes[0], text, sizeof(text) - 1), 0);
	cr_assert_str_eq(text, "out of memory");
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, ERR_SYSTEM << 8);
}

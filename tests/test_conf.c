/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "own.h"
#include "str.h"

static struct err err;
static char seen[400];

/* Notes "key|value;"; the key "bad" fails. */
static int note(const char *key, const char *value, void *arg, struct err *failure)
{
	size_t used = strlen(arg);

	if (strcmp(key, "bad") == 0)
		return fail_as(failure, ERR_ADDRESS, "'%s' is bad", value);
	snprintf((char *)arg + used, sizeof(seen) - used, "%s|%s;", key, value);
	return 0;
}

static void gives(const char *text, const char *expected)
{
	seen[0] = 0;
	cr_expect_eq(conf_parse(text, note, seen, &err), 0, "%s", err.msg);
	cr_expect_str_eq(seen, expected);
}

static void refused(const char *text, const char *message)
{
	seen[0] = 0;
	memset(&err, 0, sizeof(err));
	cr_expect_eq(conf_parse(text, note, seen, &err), -1, "%s", text);
	cr_expect_str_eq(err.msg, message);
	cr_expect_eq(err.kind, ERR_VALUE);
}

Test(conf, keys_and_values_are_trimmed)
{
	gives("a = b\n\t c=d \t\n  e   =   f g  ", "a|b;c|d;e|f g;");
}

Test(conf, only_the_first_equals_sign_counts)
{
	gives("key = a=b==\n", "key|a=b==;");
}

Test(conf, a_value_may_be_empty)
{
	gives("a =\nb=\n", "a|;b|;");
}

Test(conf, blank_lines_and_comments_do_not_count)
{
	gives("", "");
	gives("\n\n  \n\t\n# a = b\n   #c=d\n#\n", "");
}

Test(conf, a_comment_is_a_whole_line)
{
	gives("a = b # c\n", "a|b # c;");
}

Test(conf, lines_may_end_as_on_windows)
{
	gives("a = b\r\n\r\nc = d\r\n", "a|b;c|d;");
}

Test(conf, the_last_line_needs_no_newline)
{
	gives("a = b", "a|b;");
}

Test(conf, a_line_without_equals_sign_is_named_by_its_number)
{
	refused("a = b\n\n# c\nnonsense\n", "line 4: 'nonsense' is not 'key = value'");
	cr_expect_str_eq(seen, "a|b;", "the lines before it were read");
}

Test(conf, a_control_character_is_refused)
{
	refused("a = b\033[2J\n", "line 1: control character in the text");
	refused("a = b\na\x01 = b\n", "line 2: control character in the text");
	refused("a = \x7f\n", "line 1: control character in the text");
	refused("a = b\rc\n", "line 1: control character in the text");
}

Test(conf, a_tab_inside_a_value_is_text)
{
	gives("a = b\tc\n", "a|b\tc;");
}

Test(conf, the_callers_failure_gets_the_number_of_the_line_and_keeps_its_kind)
{
	seen[0] = 0;
	cr_expect_eq(conf_parse("a = b\nbad = x\nc = d\n", note, seen, &err), -1);
	cr_expect_str_eq(err.msg, "line 2: 'x' is bad");
	cr_expect_eq(err.kind, ERR_ADDRESS);
	cr_expect_str_eq(seen, "a|b;", "nothing is read after a failure");
}

Test(conf, the_text_itself_is_not_changed)
{
	char text[] = "a = b\nc = d\n";

	gives(text, "a|b;c|d;");
	cr_expect_str_eq(text, "a = b\nc = d\n");
}

Test(conf, a_long_line_is_cut_in_the_message_only)
{
	char text[300];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	cr_expect_eq(conf_parse(text, note, seen, &err), -1);
	cr_expect_lt(strlen(err.msg), 120);
}

static void put(const char *text, const char *key, bool commented, const char *expected)
{
	own_str result = conf_put(xstrdup(text), key, "7", commented);

	cr_expect_str_eq(result, expected);
}

Test(conf, a_value_is_put_where_its_key_is_and_all_else_stays)
{
	put("# a\n\n  b= 1\nbb = 2\n# c", "b", false, "# a\n\nb = 7\nbb = 2\n# c");
	put("b = 1", "b", false, "b = 7");
	put("bb = 1\n", "bb", false, "bb = 7\n");
}

Test(conf, a_new_key_is_put_at_the_end)
{
	put("", "b", false, "b = 7\n");
	put("a = 1", "b", false, "a = 1\nb = 7\n");
	put("bb = 1\n#b = 2\n", "b", false, "bb = 1\n#b = 2\nb = 7\n");
}

Test(conf, a_commented_key_is_a_place_where_that_is_wanted)
{
	put("# b is this\n#b = 2\n", "b", true, "# b is this\nb = 7\n");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../nodectl/command.h"
#include "own.h"
#include "str.h"

/* The options of a command, the common ones first; NULL after the last. */
static const struct option_row *option_nth(const struct command *command, size_t n)
{
	size_t common = 0;

	while (common_options[common].name)
		common++;
	if (n < common)
		return &common_options[n];
	for (const struct option_row *row = command->options; row && row->name; row++) {
		if (n-- == common)
			return row;
	}
	return NULL;
}

Test(commands, have_names_and_aliases_of_their_own)
{
	for (size_t i = 0; i < commands_count; i++) {
		for (size_t j = 0; j < commands_count; j++) {
			const char *alias = commands[i].alias;

			cr_expect(i == j || strcmp(commands[i].name, commands[j].name) != 0,
				  "%s", commands[i].name);
			cr_expect(!alias || strcmp(alias, commands[j].name) != 0, "%s", alias);
			cr_expect(i == j || !alias || !commands[j].alias ||
				      strcmp(alias, commands[j].alias) != 0,
				  "%s", alias);
		}
	}
}

Test(commands, have_no_option_and_no_letter_twice)
{
	for (size_t c = 0; c < commands_count; c++) {
		const struct option_row *row, *other;

		for (size_t i = 0; (row = option_nth(&commands[c], i)); i++) {
			for (size_t j = 0; j < i; j++) {
				other = option_nth(&commands[c], j);
				cr_expect_str_neq(row->name, other->name, "%s",
						  commands[c].name);
				cr_expect(!row->letter || row->letter != other->letter,
					  "%s: -%c", commands[c].name, row->letter);
			}
		}
	}
}

Test(commands, have_no_option_that_is_a_field_too)
{
	for (size_t c = 0; c < commands_count; c++) {
		const struct option_row *row;

		if (!(commands[c].flags & COMMAND_FIELDS))
			continue;
		for (size_t i = 0; (row = option_nth(&commands[c], i)); i++)
			cr_expect_null(field_find(row->name), "%s: --%s", commands[c].name,
				       row->name);
	}
}

Test(commands, have_options_that_can_be_typed)
{
	for (size_t c = 0; c < commands_count; c++) {
		const struct option_row *row;

		for (size_t i = 0; (row = option_nth(&commands[c], i)); i++) {
			cr_expect_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				     strlen(row->name), "%s", row->name);
			cr_expect(!row->letter || strspn((char[]){ row->letter, 0 },
							 "abcdefghijklmnopqrstuvwxyz"
							 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
				  "%s", row->name);
			cr_expect(row->what && *row->what, "%s", row->name);
		}
	}
}

Test(commands, are_in_a_group_of_the_help_or_hidden)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	help_print(out);
	fclose(out);
	for (size_t i = 0; i < commands_count; i++) {
		own_str line = xasprintf("\n  %s ", commands[i].name);

		cr_expect_eq(!strstr(text, line), (commands[i].flags & COMMAND_HIDDEN) != 0,
			     "%s", commands[i].name);
	}
	free(text);
}

Test(commands, have_a_usage_with_all_their_options)
{
	for (size_t c = 0; c < commands_count; c++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		const struct option_row *row;

		usage_print(&commands[c], out);
		fclose(out);
		cr_expect_eq(strncmp(text, "usage: nodectl ", 15), 0);
		for (size_t i = 0; (row = option_nth(&commands[c], i)); i++) {
			own_str name = xasprintf("--%s", row->name);

			cr_expect_not_null(strstr(text, name), "%s %s", commands[c].name, name);
		}
		cr_expect_eq(strstr(text, "--memory SIZE") != NULL,
			     (commands[c].flags & (COMMAND_FIELDS | COMMAND_LIMITS)) != 0);
		free(text);
	}
}

Test(commands, run_something)
{
	for (size_t i = 0; i < commands_count; i++) {
		cr_expect(commands[i].run, "%s", commands[i].name);
		cr_expect(commands[i].what && *commands[i].what && commands[i].args);
	}
}

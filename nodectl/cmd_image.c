/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "images.h"
#include "own.h"
#include "str.h"

static json_t *image_json(const struct image *image)
{
	char created[32];

	time_print(image->created, created, sizeof(created));
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:s}", "name", image->name, "digest",
			 image->digest, "source", image->source, "size",
			 (json_int_t)image->size, "files", (json_int_t)image->files, "created",
			 created);
}

static int image_made(const struct cli *cli, const struct image *image, struct err *err)
{
	char size[16];

	if (cli->json)
		return json_print(json_pack("{s:o}", "image", image_json(image)), err);
	size_human(image->size, size, sizeof(size));
	cli_say(cli, "image '%s': %s in %llu files, sha256 %.12s", image->name, size,
		(unsigned long long)image->files, image->digest);
	return 0;
}

/* What can be built: the target's name gives the suite. */
static const struct {
	const char *target, *suite;
} debians[] = {
	{ "debian-12", "bookworm" },
	{ "debian-13", "trixie" },
	{ "debian", "bookworm" },
};

static int build(const struct cli *cli, const struct node *node,
		 const struct progress *progress, struct image *image, struct err *err)
{
	const char *target = cli->args[0], *given = cli_option(cli, "name");
	const char *name = given ? given : target;
	struct debian debian = {
		.suite = cli_option(cli, "suite"),
		.mirror = cli_option(cli, "mirror"),
		.include = cli_option(cli, "include"),
		.init = cli_option(cli, "init"),
	};

	if (!image_name_is_valid(name))
		return fail_as(err, ERR_VALUE, "'%s' is not an image's name (name[:tag])",
			       name);
	if (strcmp(target, "mini") == 0) {
		if (debian.suite || debian.mirror || debian.include || debian.init)
			return fail_as(err, ERR_USAGE,
				       "'mini' is made from this node's packages; "
				       "it takes no --suite, --mirror, --include or --init");
		return image_build_mini(node->images, name, progress, image, err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(debians); i++) {
		if (strcmp(debians[i].target, target) != 0)
			continue;
		if (!debian.suite)
			debian.suite = debians[i].suite;
		if (strcmp(debian.suite, "bookworm") != 0 &&
		    strcmp(debian.suite, "trixie") != 0)
			return fail_as(err, ERR_VALUE,
				       "--suite: '%s' is neither 'bookworm' nor 'trixie'",
				       debian.suite);
		/* the name says what is inside: "debian-13" for trixie */
		if (!given && strcmp(debian.suite, "trixie") == 0)
			name = "debian-13";
		if (!given && strcmp(debian.suite, "bookworm") == 0)
			name = "debian-12";
		return image_build_debian(node->images, name, &debian, progress, image, err);
	}
	return fail_as(err, ERR_VALUE,
		       "'%s' cannot be built; there is debian-12, debian-13 and mini", target);
}

int cmd_image_build(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct progress_line line = { 0 };
	const struct progress progress = { progress_report, &line };
	struct image image;
	int result;

	if (cli_expect(cli, 1, 1, err) < 0 ||
	    (access(cli->config, F_OK) < 0 && errno == ENOENT &&
	     node_init(cli->config, NULL, 0, NULL, NULL, err) < 0) ||
	    node_open(&node, cli->config, err) < 0)
		return -1;
	result = build(cli, &node, &progress, &image, err);
	progress_end(&line);
	if (result < 0)
		return fail_in(err, "image '%s'", cli->args[0]);
	return image_made(cli, &image, err);
}

int cmd_image_import(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct progress_line line = { 0 };
	const struct progress progress = { progress_report, &line };
	struct image image;
	struct stat stat;
	int result;

	if (cli_expect(cli, 2, 2, err) < 0)
		return -1;
	const char *name = cli->args[0], *file = cli->args[1];
	bool in = strcmp(file, "-") == 0;
	if (!image_name_is_valid(name))
		return fail_as(err, ERR_VALUE, "'%s' is not an image's name (name[:tag])",
			       name);
	if ((access(cli->config, F_OK) < 0 && errno == ENOENT &&
	     node_init(cli->config, NULL, 0, NULL, NULL, err) < 0) ||
	    node_open(&node, cli->config, err) < 0)
		return -1;

	own_fd fd =
	    in ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return fail(err, errno, "cannot open '%s'", file);
	own_str copy = xstrdup(file);
	result = image_import(node.images, name, fd,
			      S_ISREG(stat.st_mode) ? (uint64_t)stat.st_size : 0,
			      in ? "standard input" : basename(copy), &progress, &image, err);
	progress_end(&line);
	if (result < 0)
		return fail_in(err, "image '%s'", name);
	return image_made(cli, &image, err);
}

struct listing {
	const struct cli *cli;
	struct libscols_table *table;
	json_t *json;
};

static int list_one(const struct image *image, void *arg, struct err *err)
{
	struct listing *list = arg;
	struct libscols_line *row;
	char digest[16], size[16], created[32];

	if (list->cli->json) {
		json_array_append_new(list->json, image_json(image));
		return 0;
	}
	str_format(digest, sizeof(digest), "%.12s", image->digest);
	size_human(image->size, size, sizeof(size));
	time_print(image->created, created, sizeof(created));
	row = scols_table_new_line(list->table, NULL);
	if (!row || scols_line_set_data(row, 0, image->name) < 0 ||
	    scols_line_set_data(row, 1, digest) < 0 || scols_line_set_data(row, 2, size) < 0 ||
	    scols_line_set_data(row, 3, created) < 0 ||
	    scols_line_set_data(row, 4, image->source) < 0)
		return fail(err, ENOMEM, "cannot make the table");
	return 0;
}

int cmd_image_list(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct listing list = { .cli = cli };
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	list.json = json_array();
	list.table = or_exit(scols_new_table());
	scols_table_enable_noheadings(list.table, cli_option(cli, "no-header") != NULL);
	scols_table_new_column(list.table, "NAME", 0, 0);
	scols_table_new_column(list.table, "DIGEST", 0, 0);
	scols_table_new_column(list.table, "SIZE", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(list.table, "CREATED", 0, 0);
	scols_table_new_column(list.table, "SOURCE", 0, 0);
	result = image_each(node.images, list_one, &list, err);
	if (result == 0 && cli->json)
		result = json_print(json_pack("{s:O}", "images", list.json), err);
	else if (result == 0)
		scols_print_table(list.table);
	json_decref(list.json);
	scols_unref_table(list.table);
	return result;
}

int cmd_image_show(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct image image;
	char size[16], created[32], by[80];

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    image_find(node.images, cli->args[0], &image, err) < 0 ||
	    image_in_use(&node, image.digest, by, sizeof(by), err) < 0)
		return -1;
	if (cli->json) {
		json_t *object = image_json(&image);

		json_object_set_new(object, "used", json_boolean(by[0]));
		return json_print(object, err);
	}
	size_human(image.size, size, sizeof(size));
	time_print(image.created, created, sizeof(created));
	printf("%12s: %s\n%12s: %s\n%12s: %s\n%12s: %s\n%12s: %llu\n%12s: %s\n%12s: %s\n",
	       "name", image.name, "digest", image.digest, "source", image.source, "size", size,
	       "files", (unsigned long long)image.files, "created", created, "used by",
	       by[0] ? by : "no VPS");
	return 0;
}

int cmd_image_remove(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 1, -1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	for (int i = 0; i < cli->args_count; i++) {
		struct image image;

		if (node_image_remove(&node, cli->args[i], &image, err) < 0)
			return -1;
		cli_say(cli, "image '%s': removed", image.name);
	}
	return 0;
}

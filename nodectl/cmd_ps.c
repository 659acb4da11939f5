/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups.h"
#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define STATUS_MAX (2u << 20)

/* A process as the node sees it, with its number inside. */
struct process {
	pid_t pid, inside;
	unsigned uid;
	uint64_t rss;
	char name[80]; /* the tenant's words: escaped */
};

static const char *line_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? at + strlen(key) : NULL;
}

static int process_read(pid_t pid, struct process *process, struct err *err)
{
	char path[32], name[64] = "";
	const char *uid, *rss, *inside;

	str_format(path, sizeof(path), "/proc/%d/status", pid);
	/* a process may have 65536 groups, and is not to hide by that */
	own_str text = file_slurp(AT_FDCWD, path, STATUS_MAX, err);
	if (!text)
		return -1;
	uid = line_of(text, "\nUid:");
	rss = line_of(text, "\nVmRSS:");
	inside = line_of(text, "\nNSpid:");
	*process = (struct process){ .pid = pid };
	(void)sscanf(text, "Name:\t%63[^\n]", name);
	str_escape(name, process->name, sizeof(process->name));
	process->uid = uid ? (unsigned)strtoul(uid, NULL, 10) : 0;
	process->rss = rss ? strtoull(rss, NULL, 10) * 1024 : 0;
	/* the last number is that of the innermost namespace */
	while (inside && *inside && *inside != '\n') {
		char *end;

		process->inside = (pid_t)strtol(inside, &end, 10);
		inside = end + strspn(end, " \t");
	}
	return 0;
}

struct ps {
	const struct cli *cli;
	const struct vps *vps;
	json_t *json;
};

static int ps_one(pid_t pid, void *arg, struct err *err)
{
	const struct ps *ps = arg;
	struct process p;
	struct err gone;
	char rss[16];
	unsigned uid;

	(void)err;
	/* it may have ended since it was listed */
	if (process_read(pid, &p, &gone) < 0)
		return 0;
	uid = p.uid - vps_base(ps->vps->id);
	if (ps->cli->json) {
		json_array_append_new(
		    ps->json, json_pack("{s:i,s:i,s:i,s:I,s:s}", "pid", p.pid, "pid_inside",
					p.inside, "uid", uid < VPS_ID_SIZE ? (int)uid : -1,
					"rss", (json_int_t)p.rss, "name", p.name));
		return 0;
	}
	size_human(p.rss, rss, sizeof(rss));
	if (uid < VPS_ID_SIZE)
		printf("%8d %8d %6u %8s %s\n", p.pid, p.inside, uid, rss, p.name);
	else
		printf("%8d %8d %6s %8s %s\n", p.pid, p.inside, "-", rss, p.name);
	return 0;
}

int cmd_ps(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	struct ps ps = { .cli = cli, .vps = &vps };
	pid_t init;
	int result;

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    running_load(&node, cli->args[0], &vps, &init, err) < 0)
		return -1;
	if (cli->json)
		ps.json = json_array();
	else if (!cli_option(cli, "no-header"))
		printf("%8s %8s %6s %8s %s\n", "PID", "INSIDE", "UID", "RSS", "NAME");
	result = cgroup_pids(vps.id, ps_one, &ps, err);
	if (result == 0 && cli->json)
		return json_print(json_pack("{s:o}", "processes", ps.json), err);
	json_decref(ps.json);
	return result;
}

struct wanted_id {
	unsigned id;
	char name[64];
};

static int by_id(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct wanted_id *wanted = arg;

	(void)broken;
	(void)err;
	if (vps->id == wanted->id)
		strcpy(wanted->name, vps->name);
	return 0;
}

static int pid_one(struct cli *cli, const struct node *node, const char *text, struct err *err)
{
	struct wanted_id wanted = { 0 };
	struct process p;
	unsigned long pid;

	if (number_parse(text, 1, 4194304, &pid, err) < 0)
		return -1;
	if (process_read((pid_t)pid, &p, err) < 0)
		return fail_as(err, ERR_VALUE, "there is no process %lu", pid);
	wanted.id = cgroup_of((pid_t)pid);
	if (wanted.id) {
		char key[16];
		own_vps vps = { 0 };

		str_format(key, sizeof(key), "%u", wanted.id);
		if (vps_load(node, key, &vps, err) == 0)
			(void)by_id(&vps, NULL, &wanted, err);
	}
	if (!wanted.name[0])
		return fail_as(err, ERR_NO_VPS, "process %lu is in no VPS", pid);
	if (cli->json)
		return json_print(json_pack("{s:i,s:s,s:i,s:s}", "pid", (int)pid, "vps",
					    wanted.name, "pid_inside", p.inside, "name",
					    p.name),
				  err);
	printf("%lu %s %d %s\n", pid, wanted.name, p.inside, p.name);
	return 0;
}

int cmd_pid(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 1, -1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	for (int i = 0; i < cli->args_count; i++) {
		if (pid_one(cli, &node, cli->args[i], err) < 0)
			return -1;
	}
	return 0;
}

/* The last @lines lines of @text, or all. */
static const char *tail(const char *text, unsigned long lines)
{
	const char *at = text + strlen(text);

	if (at > text)
		at--;
	while (at > text) {
		if (at[-1] == '\n' && lines-- <= 1)
			break;
		at--;
	}
	return at;
}

int cmd_log(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	const char *lines = cli_option(cli, "lines");
	unsigned long count = 0;

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    vps_load(&node, cli->args[0], &vps, err) < 0)
		return -1;
	if (lines && number_parse(lines, 1, 1000000, &count, err) < 0)
		return fail_in(err, "--lines");

	if (cli_option(cli, "console")) {
		own_fd run = dir_make(node.runs, vps.name, 0700, err);

		return run < 0 ? -1 : runtime_console_log(run, STDOUT_FILENO, err);
	}
	own_fd dir = vps_dir(&node, vps.name, err);
	own_str text = dir < 0 ? NULL : file_slurp(dir, "log", 4 << 20, err);
	if (!text)
		return err->code == ENOENT ? 0 : -1;
	if (!cli->json) {
		fputs(count ? tail(text, count) : text, stdout);
		return 0;
	}

	json_t *events = json_array();
	char *rest = count ? (char *)tail(text, count) : text;
	while (rest && *rest) {
		char *line = strsep(&rest, "\n"), *blank = strchr(line, ' ');

		if (!blank)
			continue;
		*blank = 0;
		json_array_append_new(events,
				      json_pack("{s:s,s:s}", "time", line, "event", blank + 1));
	}
	return json_print(json_pack("{s:o}", "events", events), err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroups.h"
#include "command.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "libexec.h"
#include "lxcfs.h"
#include "netns.h"
#include "own.h"
#include "str.h"
#include "table.h"

static void say_done(const char *what, void *arg)
{
	cli_say(arg, "made %s", what);
}

int cmd_init(struct cli *cli, struct err *err)
{
	struct setting settings[32];
	size_t count = 0;

	for (size_t i = 0; i < cli->options_count && count < ARRAY_SIZE(settings); i++) {
		if (node_key_exists(cli->options[i].name))
			settings[count++] =
			    (struct setting){ cli->options[i].name, cli->options[i].value };
	}
	if (cli_expect(cli, 0, 0, err) < 0 ||
	    node_init(cli->config, settings, count, say_done, cli, err) < 0)
		return -1;
	if (cli->json)
		return json_print(json_pack("{s:s}", "config", cli->config), err);
	cli_say(cli, "this node is set up; 'nodectl doctor' tells what it can do");
	return 0;
}

/* What doctor prints: a row for each ability, present or not, and what its absence costs. */
struct diagnosis {
	struct libscols_table *table;
	json_t *json;
	unsigned missing;
};

static void row(struct diagnosis *d, const char *what, bool present, const char *where,
		const char *consequence)
{
	struct libscols_line *line = or_exit(scols_table_new_line(d->table, NULL));

	d->missing += !present;
	json_array_append_new(d->json, json_pack("{s:s,s:b,s:s,s:s}", "feature", what,
						 "present", present, "where", where,
						 "consequence", present ? "" : consequence));
	cell_put(line, 0, what);
	cell_put(line, 1, present ? "yes" : "NO");
	cell_put(line, 2, present ? where : consequence);
}

static void kernel_rows(struct diagnosis *d)
{
	static const struct {
		const char *path, *what, *consequence;
	} files[] = {
		{ "/proc/self/ns/user", "user namespaces", "no VPS can start" },
		{ "/proc/self/ns/cgroup", "cgroup namespaces", "no VPS can start" },
		{ "/proc/self/ns/time", "time namespaces", "none: they are not used yet" },
		{ "/sys/module/overlay", "overlay", "no VPS can start" },
		{ "/proc/sys/kernel/seccomp", "system call filter", "no VPS can start" },
	};
	struct utsname uts;
	unsigned major = 0, minor = 0;

	if (uname(&uts) == 0)
		(void)sscanf(uts.release, "%u.%u", &major, &minor);
	row(d, "Linux 6.1 or newer", major > 6 || (major == 6 && minor >= 1), uts.release,
	    "idmapped overlay layers and pidfds may be missing: VPSs may not start");
	row(d, "how an adopted init ended", major > 6 || (major == 6 && minor >= 15),
	    "PIDFD_GET_INFO",
	    "needs Linux 6.15: a VPS whose monitor was killed is started again also when its "
	    "tenant "
	    "powered it off");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		bool there = access(files[i].path, F_OK) == 0;

		/* built in, it is no module; and a module is loaded when it is first asked for
		 */
		if (!there && strcmp(files[i].what, "overlay") == 0) {
			own_fd overlay = fsopen("overlay", FSOPEN_CLOEXEC);

			there = overlay >= 0;
		}
		row(d, files[i].what, there, "", files[i].consequence);
	}
}

static void host_rows(struct diagnosis *d)
{
	char path[512];
	struct err ignored;
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (caps)
		(void)cap_get_flag(caps, CAP_SYS_RESOURCE, CAP_EFFECTIVE, &value);
	cap_free(caps);
	row(d, "raising resource limits", value == CAP_SET, "CAP_SYS_RESOURCE",
	    "VPSs get this node's hard limits (open files, memory locks) where theirs would be "
	    "higher");
	row(d, "view of a VPS in /proc",
	    lxcfs_is_installed() && access("/dev/fuse", R_OK | W_OK) == 0, "lxcfs",
	    "free, top and uptime in a VPS tell of the node: install lxcfs");
	/* neighbour entries are bounded (net_facts()) */
	row(d, "all kernel memory charged", false, "",
	    "no Linux does: what a VPS's own bridges learn, file locks and network namespaces "
	    "are memory of the node's; 'nodectl kill' gives it back");
	row(d, "nodectl-monitor",
	    libexec_path("nodectl-monitor", path, sizeof(path), &ignored) == 0, path,
	    "no VPS can start: reinstall nodectl");
	row(d, "nodectl-import",
	    libexec_path("nodectl-import", path, sizeof(path), &ignored) == 0, path,
	    "no image can be imported: reinstall nodectl");
}

int cmd_doctor(struct cli *cli, struct err *err)
{
	struct diagnosis d = { .table = or_exit(scols_new_table()), .json = json_array() };
	struct cgroup_fact groups[32];
	struct net_fact nets[32];
	struct image_fact images[32];
	struct node_fact settings[24];
	unsigned count;
	int result = 0;

	if (cli_expect(cli, 0, 0, err) < 0)
		return -1;
	if (geteuid() != 0)
		return fail_as(err, ERR_SYSTEM, "nodectl must be run as root");
	scols_table_enable_noheadings(d.table, cli_option(cli, "no-header") != NULL);
	scols_table_new_column(d.table, "FEATURE", 0, 0);
	scols_table_new_column(d.table, "HERE", 0, 0);
	scols_table_new_column(d.table, "WHERE, OR WHAT ITS LACK COSTS", 0, 0);

	kernel_rows(&d);
	count = cgroup_facts(groups, ARRAY_SIZE(groups));
	for (unsigned i = 0; i < count; i++)
		row(&d, groups[i].name, groups[i].present, groups[i].where,
		    groups[i].consequence);
	count = net_facts(nets, ARRAY_SIZE(nets));
	for (unsigned i = 0; i < count; i++)
		row(&d, nets[i].name, nets[i].present, "", nets[i].consequence);
	count = image_facts(images, ARRAY_SIZE(images));
	for (unsigned i = 0; i < count; i++)
		row(&d, images[i].name, images[i].present, "", images[i].consequence);
	count = node_facts(settings, ARRAY_SIZE(settings));
	for (unsigned i = 0; i < count; i++)
		row(&d, settings[i].name, settings[i].present, "", settings[i].consequence);
	host_rows(&d);

	if (cli->json) {
		result = json_print(
		    json_pack("{s:O,s:i}", "features", d.json, "missing", (int)d.missing), err);
	} else {
		scols_print_table(d.table);
		if (d.missing)
			printf("\n%u of these are missing here.\n", d.missing);
	}
	json_decref(d.json);
	scols_unref_table(d.table);
	return result;
}

struct findings {
	const struct cli *cli;
	json_t *json;
};

static void found(const char *what, void *arg)
{
	struct findings *findings = arg;

	if (findings->cli->json)
		json_array_append_new(findings->json, json_string(what));
	else if (!findings->cli->quiet)
		puts(what);
}

int cmd_repair(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	struct findings findings = { cli, NULL };

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	findings.json = json_array();
	struct err unmended;
	int result =
	    node_repair(&node, cli_option(cli, "dry-run") != NULL, found, &findings, &unmended);
	if (cli->json && json_print(json_pack("{s:O}", "found", findings.json), err) < 0)
		result = -1;
	else if (result < 0)
		*err = unmended;
	json_decref(findings.json);
	return result;
}

static int name_print(const struct vps *vps, const struct err *broken, void *arg,
		      struct err *err)
{
	(void)broken;
	(void)arg;
	(void)err;
	puts(vps->name);
	return 0;
}

static int image_print(const struct image *image, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	puts(image->name);
	return 0;
}

static int plan_print(int dir, const char *name, void *arg, struct err *err)
{
	size_t len = strlen(name);

	(void)dir;
	(void)arg;
	(void)err;
	if (len > 5 && name[0] != '.' && strcmp(name + len - 5, ".conf") == 0)
		printf("%.*s\n", (int)(len - 5), name);
	return 0;
}

static int network_name_print(const struct network *network, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	puts(network->name);
	return 0;
}

/* For completion: names only, and silence when the node is not set up. */
int cmd_names(struct cli *cli, struct err *err)
{
	own_node node = node_none();

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	if (strcmp(cli->args[0], "image") == 0)
		return image_each(node.images, image_print, NULL, err);
	if (strcmp(cli->args[0], "vps") == 0)
		return vps_each(&node, name_print, NULL, err);
	if (strcmp(cli->args[0], "network") == 0)
		return node_network_each(&node, network_name_print, NULL, err);
	own_fd plans = dir_open(AT_FDCWD, node.plans, err);
	return plans < 0 ? -1 : dir_each(plans, plan_print, NULL, err);
}

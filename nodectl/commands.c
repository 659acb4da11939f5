/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "command.h"
#include "own.h"

const struct option_row common_options[] = {
	{ "json", 'j', NULL, "print JSON" },
	{ "quiet", 'q', NULL, "say nothing when all is well" },
	{ "yes", 'y', NULL, "do not ask" },
	{ "idempotent", 0, NULL, "what is as wanted already is no failure" },
	{ "config", 0, "FILE", "node.conf to use" },
	{ "help", 'h', NULL, "this help" },
	{ 0 },
};

#define FORCE                                                                                  \
	{                                                                                      \
		"force", 'f', NULL, "even if promised too much, or with an address in use"     \
	}

#define ALL                                                                                    \
	{                                                                                      \
		"all", 'a', NULL, "every VPS of this node"                                     \
	}

static const struct option_row create_options[] = {
	{ "start", 0, NULL, "start it" },
	{ "wait", 0, "SECONDS", "with --start: until it has booted" },
	{ "password-stdin", 0, NULL, "read root's password from standard input" },
	FORCE,
	{ 0 },
};

static const struct option_row set_options[] = {
	{ "ip-add", 0, "ADDRESS", "a further IPv4 address, 'auto' or 'pool:NAME'" },
	{ "ip-del", 0, "ADDRESS", "one less" },
	{ "ip6-add", 0, "ADDRESS", "a further IPv6 address, likewise" },
	{ "ip6-del", 0, "ADDRESS", "one less" },
	{ "route-add", 0, "PREFIX", "route a further prefix to it" },
	{ "route-del", 0, "PREFIX", "one less" },
	{ "publish-add", 0, "[IP:]HOST[-END]:GUEST[/udp]", "forward further ports" },
	{ "publish-del", 0, "[IP:]HOST[-END][:GUEST][/udp]", "forward them no longer" },
	{ "dry-run", 'n', NULL, "only say what would change, and what would be written where" },
	FORCE,
	{ 0 },
};

static const struct option_row plan_set_options[] = {
	{ "dry-run", 'n', NULL, "only say which VPSs would change, and how" },
	FORCE,
	{ 0 },
};

static const struct option_row start_options[] = {
	ALL,
	FORCE,
	{ "wait", 0, "SECONDS", "until it has booted" },
	{ 0 },
};

static const struct option_row stop_options[] = {
	ALL,
	{ "timeout", 't', "SECONDS",
	  "how long init may take (default: stop-timeout of the VPS)" },
	{ "force", 'f', NULL, "do not ask init, kill" },
	{ 0 },
};

static const struct option_row restart_options[] = {
	ALL,
	{ "timeout", 't', "SECONDS", "how long init may take" },
	{ "force", 'f', NULL, "do not ask init, kill" },
	{ "wait", 0, "SECONDS", "until it has booted" },
	{ 0 },
};

static const struct option_row all_options[] = { ALL, { 0 } };

static const struct option_row destroy_options[] = {
	ALL,
	{ "force", 'f', NULL, "even when it is running" },
	{ 0 },
};

static const struct option_row list_options[] = {
	{ "columns", 'o', "COL,+COL,-COL", "columns to show" },
	{ "sort", 's', "[-]COL", "sort by a column" },
	{ "no-header", 'H', NULL, "no header line" },
	{ "list-columns", 'L', NULL, "list the columns there are" },
	{ 0 },
};

static const struct option_row top_options[] = {
	ALL,
	{ "delay", 'd', "SECONDS", "between two looks (2)" },
	{ "batch", 'b', NULL, "lines of text, look after look" },
	{ "count", 'n', "N", "only so many looks, as text" },
	{ "sort", 's', "[-]COL", "sort by a column (CPU)" },
	{ "no-header", 'H', NULL, "text without summary and header" },
	{ "list-columns", 'L', NULL, "list the columns there are" },
	{ 0 },
};

static const struct option_row traffic_options[] = {
	ALL,
	{ "watch", 'w', NULL, "again and again, with rates" },
	{ "delay", 'd', "SECONDS", "between two looks (1)" },
	{ 0 },
};

static const struct option_row usage_options[] = {
	ALL,
	{ "columns", 'o', "COL,+COL,-COL", "columns to show" },
	{ "sort", 's', "[-]COL", "sort by a column" },
	{ "no-header", 'H', NULL, "no header line" },
	{ "list-columns", 'L', NULL, "list the columns there are" },
	{ 0 },
};

static const struct option_row exec_options[] = {
	{ "tty", 't', NULL, "with a terminal (default when ours is one)" },
	{ "no-tty", 'T', NULL, "without a terminal" },
	{ "no-stdin", 'n', NULL, "leave standard input alone, as in a loop that reads it" },
	{ "env", 'e', "NAME=VALUE", "set a variable" },
	{ "cwd", 'w', "DIR", "working directory (default /root)" },
	{ 0 },
};

static const struct option_row log_options[] = {
	{ "lines", 'n', "N", "the last N lines (default: all)" },
	{ "console", 0, NULL, "what the console printed last, up to 64 KiB" },
	{ 0 },
};

static const struct option_row passwd_options[] = {
	{ "user", 'u', "USER", "whose (default root)" },
	{ "password-stdin", 0, NULL, "read it from standard input" },
	{ 0 },
};

static const struct option_row build_options[] = {
	{ "suite", 0, "SUITE", "of Debian: bookworm or trixie" },
	{ "mirror", 0, "URL",
	  "where Debian's packages come from (default: the node's own mirror)" },
	{ "include", 0, "PKG,...", "further packages" },
	{ "init", 0, "PACKAGE", "systemd (default) or sysvinit-core" },
	{ "name", 0, "IMAGE", "name of the image (default: what is built)" },
	{ 0 },
};

static const struct option_row table_options[] = {
	{ "no-header", 'H', NULL, "no header line" },
	{ 0 },
};

static const struct option_row boot_options[] = {
	{ "once", 0, NULL, "not again before the node itself has booted again" },
	{ "dry-run", 'n', NULL, "only say which" },
	{ 0 },
};

/* Keys of node.conf(5), for one that is yet to be written. */
static const struct option_row init_options[] = {
	{ "storage", 0, "DIR", "where VPSs and images are kept (/var/lib/nodectl)" },
	{ "run", 0, "DIR", "what lasts until the next boot (/run/nodectl)" },
	{ "bridge", 0, "NAME", "bridge of the VPSs (nodectl0)" },
	{ "uplink", 0, "IFACE", "port of this machine for pools with a gateway (none)" },
	{ "net-mode", 0, "MODE", "how VPSs are connected: bridge (default), routed or none" },
	{ "subnet", 0, "GATEWAY/PREFIX", "IPv4 gateway and subnet of the VPSs (10.77.0.1/16)" },
	{ "subnet6", 0, "GATEWAY/PREFIX", "the same for IPv6, or 'none' (a random ULA)" },
	{ "ids", 0, "FIRST-LAST", "numbers that VPSs may get (1-28663)" },
	{ "ssh-port", 0, "PORT", "host port for ssh of VPS N is this + N; 0: none (22000)" },
	{ 0 },
};

static const struct option_row selftest_options[] = {
	{ "plan", 0, "PLAN", "prove the promises of this plan" },
	{ "hold", 0, NULL, "wait for a line on standard input before measuring" },
	{ "no-header", 'H', NULL, "no header line" },
	{ 0 },
};

static const struct option_row diff_options[] = {
	ALL,
	{ "fix", 0, NULL, "bring what can be to the definition" },
	{ 0 },
};

static const struct option_row report_options[] = {
	ALL,
	{ "period", 'p', "PERIOD", "month (default), last-month, today, yesterday, FROM..TO" },
	{ "format", 0, "FORMAT", "table (default), csv, json, html or text-mail" },
	{ "no-header", 'H', NULL, "only the lines of the table" },
	{ "verify", 0, NULL, "look whether the ledger of days is as it was written" },
	{ "save", 0, NULL, "CSV and HTML into reports/PERIOD of the node's storage" },
	{ 0 },
};

static const struct option_row metrics_options[] = {
	{ "output", 0, "FILE", "write FILE, whole at any moment" },
	{ 0 },
};

static const struct option_row repair_options[] = {
	{ "dry-run", 'n', NULL, "only say what is wrong" },
	{ 0 },
};

/* The manual and the completion are checked against this table (tests/docs.sh). */
const struct command commands[] = {
	{ "create", NULL, "life", "NAME", "make a VPS", create_options, COMMAND_FIELDS,
	  cmd_create },
	{ "start", NULL, "life", "NAME...", "start VPSs", start_options, 0, cmd_start },
	{ "stop", NULL, "life", "NAME...", "shut VPSs down", stop_options, 0, cmd_stop },
	{ "restart", "reboot", "life", "NAME...", "stop and start VPSs", restart_options, 0,
	  cmd_restart },
	{ "kill", NULL, "life", "NAME...", "end VPSs at once", all_options, 0, cmd_kill },
	{ "freeze", "pause", "life", "NAME...", "stop the time of VPSs", all_options, 0,
	  cmd_freeze },
	{ "thaw", "resume", "life", "NAME...", "let it go on", all_options, 0, cmd_thaw },
	{ "destroy", "rm", "life", "NAME...", "remove VPSs with all their data",
	  destroy_options, 0, cmd_destroy },

	{ "list", "ls", "look", "[NAME...]", "all VPSs in a table", list_options, 0, cmd_list },
	{ "show", "info", "look", "NAME", "everything about one VPS", NULL, 0, cmd_show },
	{ "net show", NULL, "look", "[NAME...]",
	  "the network of a VPS: what it has, what passes, what waits", NULL, 0, cmd_net_show },
	{ "status", NULL, "look", "NAME...", "one line for scripts", all_options, 0,
	  cmd_status },
	{ "usage", NULL, "look", "[NAME...]", "what VPSs use of what they may", usage_options,
	  0, cmd_usage },
	{ "top", NULL, "look", "[NAME...]", "the same, live", top_options, 0, cmd_top },
	{ "ps", NULL, "look", "NAME", "processes of a VPS", table_options, 0, cmd_ps },
	{ "pid", NULL, "look", "PID...", "whose process is it", NULL, 0, cmd_pid },
	{ "log", NULL, "look", "NAME", "what happened to a VPS", log_options, 0, cmd_log },

	{ "exec", NULL, "inside", "NAME [--] COMMAND...", "run a command in a VPS",
	  exec_options, COMMAND_REST | COMMAND_LATE, cmd_exec },
	{ "enter", NULL, "inside", "NAME", "a root shell in a VPS", NULL, 0, cmd_enter },
	{ "console", NULL, "inside", "NAME", "attach to the console (Ctrl-a q leaves)", NULL, 0,
	  cmd_console },
	{ "ssh", NULL, "inside", "NAME [ARGUMENT...]", "ssh to root of a VPS", NULL,
	  COMMAND_REST, cmd_ssh },
	{ "passwd", NULL, "inside", "NAME", "set a password in a VPS", passwd_options, 0,
	  cmd_passwd },
	{ "push", NULL, "inside", "NAME FILE PATH", "copy a file into a VPS", NULL, 0,
	  cmd_push },
	{ "pull", NULL, "inside", "NAME PATH FILE", "copy a file out of a VPS", NULL, 0,
	  cmd_pull },

	{ "set", NULL, "change", "NAME", "change a VPS", set_options, COMMAND_FIELDS, cmd_set },

	{ "diff", NULL, "change", "[NAME...]", "what is otherwise than defined", diff_options,
	  0, cmd_diff },

	{ "image build", NULL, "image", "debian-12|debian-13|mini", "build an image",
	  build_options, 0, cmd_image_build },
	{ "image import", NULL, "image", "IMAGE FILE|-", "make an image of a tar archive", NULL,
	  0, cmd_image_import },
	{ "image list", "image ls", "image", "", "images in a table", table_options, 0,
	  cmd_image_list },
	{ "image show", "image info", "image", "IMAGE", "everything about an image", NULL, 0,
	  cmd_image_show },
	{ "image remove", "image rm", "image", "IMAGE...", "remove images that no VPS uses",
	  NULL, 0, cmd_image_remove },
	{ "plan create", NULL, "plan", "PLAN", "make a plan", NULL, COMMAND_LIMITS,
	  cmd_plan_create },
	{ "plan set", NULL, "plan", "PLAN", "change a plan and the VPSs that have it",
	  plan_set_options, COMMAND_LIMITS, cmd_plan_set },
	{ "plan list", "plan ls", "plan", "", "plans in a table", table_options, 0,
	  cmd_plan_list },
	{ "plan show", "plan info", "plan", "PLAN", "what a plan gives, and to whom", NULL, 0,
	  cmd_plan_show },
	{ "plan remove", "plan rm", "plan", "PLAN...", "remove plans that no VPS has", NULL, 0,
	  cmd_plan_remove },
	{ "capacity", NULL, "plan", "", "what the node has, has promised, and can yet",
	  table_options, 0, cmd_capacity },

	{ "network create", NULL, "network", "NETWORK", "make a private network", NULL, 0,
	  cmd_network_create },
	{ "network list", "network ls", "network", "", "private networks and who is on them",
	  table_options, 0, cmd_network_list },
	{ "network remove", "network rm", "network", "NETWORK...",
	  "remove networks that no VPS is on", NULL, 0, cmd_network_remove },

	{ "report", NULL, "report", "[NAME...]", "what VPSs used, and what it says",
	  report_options, 0, cmd_report },
	{ "traffic add", NULL, "report", "NAME SIZE", "let a VPS have more traffic this time",
	  NULL, 0, cmd_traffic_add },
	{ "traffic", NULL, "report", "[NAME...]",
	  "what VPSs sent and received, and what was dropped", traffic_options, 0,
	  cmd_traffic },
	{ "metrics", NULL, "report", "", "the same for Prometheus", metrics_options, 0,
	  cmd_metrics },
	{ "sample", NULL, "report", "", "add to the history of usage; for cron", NULL, 0,
	  cmd_sample },

	{ "init", NULL, "node", "", "set this machine up", init_options, 0, cmd_init },
	{ "boot", NULL, "node", "", "start the VPSs that belong up, as at boot", boot_options,
	  0, cmd_boot },
	{ "shutdown", NULL, "node", "[NAME...]",
	  "stop all VPSs, to start again at boot; with names: stop", stop_options, 0,
	  cmd_shutdown },
	{ "doctor", NULL, "node", "", "what this kernel and host have and lack", table_options,
	  0, cmd_doctor },
	{ "selftest", NULL, "node", "", "prove that this node keeps what it promises",
	  selftest_options, 0, cmd_selftest },
	{ "repair", NULL, "node", "", "find and remove what a crash left", repair_options, 0,
	  cmd_repair },

	{ "@ended", NULL, NULL, "NAME HOW", "guest init ended; executed by the monitor", NULL,
	  COMMAND_HIDDEN, cmd_ended },
	{ "@view", NULL, NULL, "", "keep lxcfs running while a VPS does; started by nodectl",
	  NULL, COMMAND_HIDDEN, cmd_view },
	{ "@event", NULL, NULL, "NAME", "a limit was met; executed by the monitor", NULL,
	  COMMAND_HIDDEN, cmd_event },
	{ "@names", NULL, NULL, "vps|image|plan|network", "for completion", NULL,
	  COMMAND_HIDDEN, cmd_names },
};
const size_t commands_count = ARRAY_SIZE(commands);

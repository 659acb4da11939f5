/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups.h"
#include "command.h"
#include "err.h"
#include "history.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* One metric; its samples are a line for each VPS. */
struct metric {
	const char *name, *type, *help;
	enum measure measure; /* of a counter: its total */
	double scale;
	double (*gauge)(const struct history_vps *vps); /* else; negative: not known */
	const char *labels;				/* further ones */
};

static double figure(uint64_t value)
{
	return value == FIGURE_UNKNOWN ? -1 : (double)value;
}

static double running(const struct history_vps *vps)
{
	return vps->total.running;
}

static double memory(const struct history_vps *vps)
{
	return figure(vps->total.memory);
}

static double memory_limit(const struct history_vps *vps)
{
	return (double)vps->memory;
}

static double disk(const struct history_vps *vps)
{
	return figure(vps->total.disk);
}

static double disk_limit(const struct history_vps *vps)
{
	return (double)vps->disk;
}

static double inodes(const struct history_vps *vps)
{
	return figure(vps->total.inodes);
}

static double guaranteed(const struct history_vps *vps)
{
	return vps->cpus_guaranteed / 100.0;
}

static double quota(const struct history_vps *vps)
{
	return (double)vps->traffic;
}

static double sampled(const struct history_vps *vps)
{
	return (double)vps->total.time;
}

#define USEC 1e-6
#define COUNTER(name, help, measure, scale, labels)                                            \
	{                                                                                      \
		"nodectl_vps_" name, "counter", help, measure, scale, NULL, labels             \
	}
#define GAUGE(name, help, gauge)                                                               \
	{                                                                                      \
		"nodectl_vps_" name, "gauge", help, MEASURE_COUNT, 1, gauge, ""                \
	}
#define PRESSURE(resource, some, full)                                                         \
	COUNTER("pressure_seconds_total", "Time in which processes waited.", some, USEC,       \
		",resource=\"" resource "\",kind=\"some\""),                                   \
	    COUNTER("pressure_seconds_total", "Time in which processes waited.", full, USEC,   \
		    ",resource=\"" resource "\",kind=\"full\"")

/* Rows of one name stand together, as the format wants them. */
static const struct metric metrics[] = {
	GAUGE("running", "Is the VPS running.", running),
	COUNTER("network_bytes_total", "Traffic, as the VPS sees it.", MEASURE_TRAFFIC_IN, 1,
		",direction=\"in\""),
	COUNTER("network_bytes_total", "Traffic, as the VPS sees it.", MEASURE_TRAFFIC_OUT, 1,
		",direction=\"out\""),
	COUNTER("network_packets_total", "Packets, as the VPS sees them.", MEASURE_PACKETS_IN,
		1, ",direction=\"in\""),
	COUNTER("network_packets_total", "Packets, as the VPS sees them.", MEASURE_PACKETS_OUT,
		1, ",direction=\"out\""),
	COUNTER("cpu_seconds_total", "CPU time.", MEASURE_CPU, USEC, ""),
	COUNTER("cpu_throttled_seconds_total", "Time held back by the CPU cap.",
		MEASURE_THROTTLED_TIME, USEC, ""),
	GAUGE("cpu_guaranteed_cores", "CPU time that it is guaranteed, in cores.", guaranteed),
	PRESSURE("cpu", MEASURE_CPU_SOME, MEASURE_CPU_FULL),
	PRESSURE("memory", MEASURE_MEMORY_SOME, MEASURE_MEMORY_FULL),
	PRESSURE("io", MEASURE_IO_SOME, MEASURE_IO_FULL),
	GAUGE("memory_bytes", "Memory in use.", memory),
	GAUGE("memory_limit_bytes", "Memory that it may use; 0: all.", memory_limit),
	COUNTER("oom_kills_total", "Processes killed for want of memory.", MEASURE_OOM_KILLS, 1,
		""),
	COUNTER("tasks_refused_total", "Forks refused at the limit of tasks.", MEASURE_REFUSED,
		1, ""),
	COUNTER("disk_read_bytes_total", "Bytes read from disk.", MEASURE_READ, 1, ""),
	COUNTER("disk_written_bytes_total", "Bytes written to disk.", MEASURE_WRITTEN, 1, ""),
	GAUGE("disk_used_bytes", "Disk space in use.", disk),
	GAUGE("disk_size_bytes", "Size of its disk.", disk_limit),
	GAUGE("inodes_used", "Files on its disk.", inodes),
	GAUGE("traffic_quota_bytes", "Traffic that it may use in a month; 0: any.", quota),
	GAUGE("sample_timestamp_seconds", "When it was last sampled.", sampled),
};

static void sample_print(const struct metric *metric, const struct history_vps *vps, FILE *out)
{
	double value = metric->gauge
			   ? metric->gauge(vps)
			   : (double)vps->total.total[metric->measure] * metric->scale;

	/* what is not known has no line: 0 would be told as the truth */
	if (vps->gone || value < 0)
		return;
	fprintf(out, "%s{vps=\"%s\"%s} %.17g\n", metric->name, vps->name, metric->labels,
		value);
}

static void metrics_print(const struct history_all *all, FILE *out)
{
	const char *last = "";

	for (size_t m = 0; m < ARRAY_SIZE(metrics); m++) {
		const struct metric *metric = &metrics[m];

		if (strcmp(last, metric->name) != 0)
			fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
				metric->name, metric->type);
		last = metric->name;
		for (size_t i = 0; i < all->count; i++)
			sample_print(metric, &all->vps[i], out);
	}
}

/* Whole or not at all: whoever collects it must not meet half of it. */
static int file_put(const char *path, const char *text, size_t size, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char parent[256];

	if (*path != '/' || (size_t)(slash - path) >= sizeof(parent) - 1 || !slash[1])
		return fail_as(err, ERR_VALUE, "'%s' is not an absolute path of a file", path);
	str_format(parent, sizeof(parent), "%.*s", (int)(slash - path + 1), path);
	own_fd dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(err, errno, "cannot open '%s'", parent);
	return file_replace_volatile(dir, slash + 1, text, size, 0644, err);
}

int cmd_metrics(struct cli *cli, struct err *err)
{
	own_all all = { 0 };
	const char *path = cli_option(cli, "output");
	own_node node = node_none();
	own_history history = NULL;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	history = history_open(node.storage, false, NULL, NULL, err);
	if (!history || history_all(history, &all, err) < 0)
		return fail_in(err, "metrics");
	out = xmemstream(&text, &size);
	metrics_print(&all, out);
	fclose(out);
	own_str owned = text;
	if (path)
		return file_put(path, owned, size, err);
	if (fwrite(owned, 1, size, stdout) != size || fflush(stdout) != 0)
		return fail(err, errno, "cannot print");
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../cgroups/usage.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../cgroups/hierarchy.h"
#include "err.h"
#include "own.h"
#include "test_scratch.h"

/* Linux 6.1 and 6.18, as read on nodes. */
static const char psi[] = "some avg10=12.34 avg60=1.50 avg300=0.25 total=6839000123\n"
			  "full avg10=0.07 avg60=0.00 avg300=0.00 total=42\n";
static const char io_stat[] =
    "7:3 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"
    "254:0 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
    "8:16 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=9 dios=9\n";
static const char blkio_bytes[] = "254:0 Read 1459200\n254:0 Write 314773504\n"
				  "254:0 Sync 316232704\n254:0 Async 0\n254:0 Discard 0\n"
				  "254:0 Total 316232704\n7:3 Read 77\n7:3 Write 77\n"
				  "Total 316232781\n";

static struct cgroup_usage unknown(void)
{
	struct cgroup_usage usage;

	memset(&usage, 0xff, sizeof(usage));
	return usage;
}

static bool not_loops(unsigned major, unsigned minor, void *arg)
{
	(void)minor;
	(void)arg;
	return major != 7;
}

static const struct disk_filter filter = { not_loops, NULL };

Test(usage, pressure_is_read_with_its_hundredths)
{
	struct cgroup_usage usage = unknown();

	pressure_parse(psi, &usage.io_pressure);
	cr_expect_eq(usage.io_pressure.some_avg10, 1234);
	cr_expect_eq(usage.io_pressure.some_usec, 6839000123);
	cr_expect_eq(usage.io_pressure.full_avg10, 7);
	cr_expect_eq(usage.io_pressure.full_usec, 42);
}

Test(usage, pressure_without_a_full_line_leaves_that_unknown)
{
	struct cgroup_usage usage = unknown();

	pressure_parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", &usage.cpu_pressure);
	cr_expect_eq(usage.cpu_pressure.some_usec, 0);
	cr_expect_eq(usage.cpu_pressure.full_usec, FIGURE_UNKNOWN);
	pressure_parse("", &usage.memory_pressure);
	pressure_parse("rubbish\n\nsome avg10=x total=1", &usage.memory_pressure);
	cr_expect_eq(usage.memory_pressure.some_usec, FIGURE_UNKNOWN);
}

Test(usage, bytes_of_stacked_devices_are_counted_once)
{
	struct cgroup_usage usage = unknown();

	io_stat_parse(io_stat, &filter, &usage);
	cr_expect_eq(usage.read.bytes, 1459300);
	cr_expect_eq(usage.written.bytes, 314773704);
	cr_expect_eq(usage.read.ops, 195);
	cr_expect_eq(usage.written.ops, 357);
}

Test(usage, cgroup2_without_a_device_has_read_nothing)
{
	struct cgroup_usage usage = unknown();

	io_stat_parse("", &filter, &usage);
	cr_expect_eq(usage.read.bytes, 0);
	cr_expect_eq(usage.written.ops, 0);
}

Test(usage, a_device_without_figures_does_not_take_those_of_the_next)
{
	struct cgroup_usage usage = unknown();

	io_stat_parse("7:0 7:1 254:0 rbytes=5 wbytes=6 rios=7 wios=8\n7:2 \n", &filter, &usage);
	cr_expect_eq(usage.read.bytes, 5);
	cr_expect_eq(usage.written.ops, 8);
}

Test(usage, of_blkio_only_reads_and_writes_of_disks_count)
{
	struct cgroup_usage usage = unknown();

	blkio_parse(blkio_bytes, &filter, &usage.read.bytes, &usage.written.bytes);
	cr_expect_eq(usage.read.bytes, 1459200);
	cr_expect_eq(usage.written.bytes, 314773504);
}

Test(usage, blkio_that_names_no_device_does_not_count)
{
	struct cgroup_usage usage = unknown();

	blkio_parse("Total 0\n", &filter, &usage.read.bytes, &usage.written.bytes);
	cr_expect_eq(usage.read.bytes, FIGURE_UNKNOWN);
	cr_expect_eq(usage.written.bytes, FIGURE_UNKNOWN);
}

/* A host in a directory: the groups of VPS 7. */
static void put(int parent, const char *name, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "7/%s", name);
	own_fd fd = openat(parent, path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int hierarchy_make(const char *name)
{
	cr_assert_eq(mkdirat(scratch, name, 0700), 0);
	int dir = openat(scratch, name, O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(dir, "7", 0700), 0);
	return dir;
}

TestSuite(reader, .init = scratch_make, .fini = scratch_remove);

static struct cgroup_reader pure(void)
{
	struct cgroup_reader reader = cgroup_reader_none();
	int top = hierarchy_make("v2");

	reader.parent[0] = top;
	for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
		reader.on_v2[i] = true;
	put(top, "cpu.stat",
	    "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnice_usec 0\n"
	    "nr_periods 30\nnr_throttled 12\nthrottled_usec 345678\nnr_bursts 0\n"
	    "burst_usec 0\n");
	put(top, "cgroup.events", "populated 1\nfrozen 0\n");
	put(top, "memory.current", "67108864\n");
	put(top, "memory.peak", "67112960\n");
	put(top, "memory.swap.current", "4096\n");
	put(top, "memory.stat",
	    "anon 60000000\nfile 5000000\nkernel 2000000\nfile_mapped 1\n"
	    "workingset_refault_anon 3\nworkingset_refault_file 40\npgfault 9\n"
	    "pgmajfault 5\npgsteal 600\n");
	put(top, "memory.events",
	    "low 1\nhigh 20\nmax 300\noom 4\noom_kill 2\n"
	    "oom_group_kill 0\n");
	put(top, "pids.current", "9\n");
	/* with what limits of the tenant's own have refused */
	put(top, "pids.events", "max 60\n");
	put(top, "pids.events.local", "max 6\n");
	put(top, "io.stat", io_stat);
	put(top, "cpu.pressure", psi);
	return reader;
}

Test(reader, a_node_with_cgroup2_alone_gives_all)
{
	own_reader reader = pure();
	struct cgroup_usage usage;
	struct err err;

	cr_assert_eq(cgroup_read(&reader, 7, USAGE_ALL, &usage, &err), 0);
	cr_expect_eq(usage.cpu_usec, 2500000);
	cr_expect_eq(usage.user_usec, 2000000);
	cr_expect_eq(usage.system_usec, 500000);
	cr_expect_eq(usage.periods, 30);
	cr_expect_eq(usage.throttled, 12);
	cr_expect_eq(usage.throttled_usec, 345678);
	cr_expect_eq(usage.populated, 1);
	cr_expect_eq(usage.frozen, 0);
	cr_expect_eq(usage.memory, 67108864);
	cr_expect_eq(usage.memory_peak, 67112960);
	cr_expect_eq(usage.swap, 4096);
	cr_expect_eq(usage.anon, 60000000);
	cr_expect_eq(usage.file, 5000000);
	cr_expect_eq(usage.kernel, 2000000);
	cr_expect_eq(usage.refaults, 43);
	cr_expect_eq(usage.major_faults, 5);
	cr_expect_eq(usage.reclaimed, 600);
	cr_expect_eq(usage.highs, 20);
	cr_expect_eq(usage.maxes, 300);
	cr_expect_eq(usage.ooms, 4);
	cr_expect_eq(usage.oom_kills, 2);
	cr_expect_eq(usage.tasks, 9);
	cr_expect_eq(usage.refused, 6);
	cr_expect_eq(usage.cpu_pressure.some_avg10, 1234);
	/* a file that is not there */
	cr_expect_eq(usage.io_pressure.some_usec, FIGURE_UNKNOWN);
}

Test(reader, what_nobody_asked_for_is_unknown)
{
	own_reader reader = pure();
	struct cgroup_usage usage;
	struct err err;

	cr_assert_eq(cgroup_read(&reader, 7, USAGE_CPU | USAGE_TASKS, &usage, &err), 0);
	cr_expect_eq(usage.cpu_usec, 2500000);
	cr_expect_eq(usage.tasks, 9);
	cr_expect_eq(usage.memory, FIGURE_UNKNOWN);
	cr_expect_eq(usage.refused, FIGURE_UNKNOWN);
	cr_expect_eq(usage.read.bytes, FIGURE_UNKNOWN);
}

Test(reader, without_its_groups_there_is_nothing_to_read)
{
	own_reader reader = pure();
	struct cgroup_usage usage;
	struct err err;

	cr_assert_eq(cgroup_read(&reader, 8, USAGE_ALL, &usage, &err), -1);
	cr_expect_eq(err.code, ENOENT);
}

/* Before Linux 6.11 a refused fork is counted where the process is that forked. */
Test(reader, refused_forks_of_old_kernels_are_summed_up)
{
	own_reader reader = pure();
	struct cgroup_usage usage;
	struct err err;

	cr_assert_eq(unlinkat(reader.parent[0], "7/pids.events.local", 0), 0);
	cr_assert_eq(mkdirat(reader.parent[0], "7/guest", 0700), 0);
	cr_assert_eq(mkdirat(reader.parent[0], "7/guest/user.slice", 0700), 0);
	put(reader.parent[0], "pids.events", "max 0\n");
	put(reader.parent[0], "guest/pids.events", "max 10\n");
	put(reader.parent[0], "guest/user.slice/pids.events", "max 7\n");
	cr_assert_eq(cgroup_read(&reader, 7, USAGE_EVENTS, &usage, &err), 0);
	cr_expect_eq(usage.refused, 17);
}

Test(reader, on_a_hybrid_host_each_figure_comes_from_where_its_controller_is)
{
	own_reader reader = cgroup_reader_none();
	struct cgroup_usage usage;
	struct err err;
	int top = hierarchy_make("unified"), cpu = hierarchy_make("cpu"),
	    memory = hierarchy_make("memory"), pids = hierarchy_make("pids"),
	    blkio = hierarchy_make("blkio");

	reader.parent[0] = top;
	reader.parent[1 + CONTROLLER_CPU] = cpu;
	reader.parent[1 + CONTROLLER_MEMORY] = memory;
	reader.parent[1 + CONTROLLER_PIDS] = pids;
	reader.parent[1 + CONTROLLER_IO] = blkio;
	put(top, "cpu.stat", "usage_usec 17709\nuser_usec 0\nsystem_usec 17709\n");
	put(cpu, "cpu.stat", "nr_periods 3\nnr_throttled 1\nthrottled_time 2500000\n");
	put(memory, "memory.usage_in_bytes", "500000\n");
	put(memory, "memory.max_usage_in_bytes", "700000\n");
	put(memory, "memory.memsw.usage_in_bytes", "520480\n");
	put(memory, "memory.failcnt", "83\n");
	put(memory, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
	put(memory, "memory.stat",
	    "cache 1\nrss 2\ntotal_cache 57344\ntotal_rss 442368\n"
	    "total_pgmajfault 8\n");
	put(pids, "pids.current", "2\n");
	put(pids, "pids.events", "max 11\n");
	put(blkio, "blkio.throttle.io_service_bytes_recursive", "Total 0\n");

	cr_assert_eq(cgroup_read(&reader, 7, USAGE_ALL, &usage, &err), 0);
	cr_expect_eq(usage.cpu_usec, 17709);
	cr_expect_eq(usage.periods, 3);
	cr_expect_eq(usage.throttled_usec, 2500);
	cr_expect_eq(usage.memory, 500000);
	cr_expect_eq(usage.memory_peak, 700000);
	cr_expect_eq(usage.swap, 20480);
	cr_expect_eq(usage.maxes, 83);
	cr_expect_eq(usage.oom_kills, 5);
	cr_expect_eq(usage.anon, 442368);
	cr_expect_eq(usage.file, 57344);
	cr_expect_eq(usage.major_faults, 8);
	cr_expect_eq(usage.tasks, 2);
	cr_expect_eq(usage.refused, 11);
	/* v1 knows neither */
	cr_expect_eq(usage.highs, FIGURE_UNKNOWN);
	cr_expect_eq(usage.kernel, FIGURE_UNKNOWN);
	cr_expect_eq(usage.read.bytes, FIGURE_UNKNOWN);
}

Test(reader, a_v1_host_without_swap_accounting_does_not_know_swap)
{
	own_reader reader = cgroup_reader_none();
	struct cgroup_usage usage;
	struct err err;

	reader.parent[0] = hierarchy_make("unified");
	reader.parent[1 + CONTROLLER_MEMORY] = hierarchy_make("memory");
	put(reader.parent[1 + CONTROLLER_MEMORY], "memory.usage_in_bytes", "500000\n");
	cr_assert_eq(cgroup_read(&reader, 7, USAGE_MEMORY, &usage, &err), 0);
	cr_expect_eq(usage.memory, 500000);
	cr_expect_eq(usage.swap, FIGURE_UNKNOWN);
}

/* A controller that nothing has bound anywhere. */
Test(reader, without_a_controller_its_figures_are_unknown)
{
	own_reader reader = pure();
	struct cgroup_usage usage;
	struct err err;

	reader.on_v2[CONTROLLER_PIDS] = false;
	cr_assert_eq(cgroup_read(&reader, 7, USAGE_ALL, &usage, &err), 0);
	cr_expect_eq(usage.tasks, FIGURE_UNKNOWN);
	cr_expect_eq(usage.refused, FIGURE_UNKNOWN);
}

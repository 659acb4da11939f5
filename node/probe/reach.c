/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../probe.h"
#include "probe.h"

int probe_open(char *argv[])
{
	uint64_t refused = 0;

	for (; *argv; argv++) {
		int fd = open(*argv, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0)
			say_text("opened", *argv);
		else
			refused += errno == EPERM || errno == EACCES;
		if (fd >= 0)
			close(fd);
	}
	say("refused", refused);
	return 0;
}

static const struct {
	const char *name;
	mode_t type;
	unsigned major, minor;
} nodes[] = {
	{ "mem", S_IFCHR, 1, 1 },     { "null", S_IFCHR, 1, 3 },   { "kmsg", S_IFCHR, 1, 11 },
	{ "fuse", S_IFCHR, 10, 229 }, { "tun", S_IFCHR, 10, 200 }, { "loop0", S_IFBLK, 7, 0 },
	{ "sda", S_IFBLK, 8, 0 },     { "vda", S_IFBLK, 254, 0 },
};

int probe_mknod(char *argv[])
{
	uint64_t refused = 0;

	(void)argv;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (mknod("/node", nodes[i].type | 0600,
			  makedev(nodes[i].major, nodes[i].minor)) < 0) {
			refused += errno == EPERM || errno == EACCES;
			continue;
		}
		say_text("made", nodes[i].name);
		(void)unlink("/node");
	}
	say("refused", refused);
	return 0;
}

/* Files with which a limit could be lifted, or the node be changed.  What is written is what
 * would do it. */
static const struct {
	const char *path, *value;
} knobs[] = {
	{ "/sys/fs/cgroup/memory.max", "max" },
	{ "/sys/fs/cgroup/memory.high", "max" },
	{ "/sys/fs/cgroup/memory.swap.max", "max" },
	{ "/sys/fs/cgroup/memory.min", "1073741824" },
	{ "/sys/fs/cgroup/pids.max", "max" },
	{ "/sys/fs/cgroup/cpu.max", "max" },
	{ "/sys/fs/cgroup/cpu.weight", "10000" },
	{ "/sys/fs/cgroup/cpuset.cpus", "0-255" },
	{ "/sys/fs/cgroup/io.max", "1:1 rbps=max" },
	{ "/sys/fs/cgroup/cgroup.max.descendants", "max" },
	{ "/proc/sys/kernel/core_pattern", "|/bin/false" },
	{ "/proc/sys/kernel/modprobe", "/bin/false" },
	{ "/proc/sys/kernel/sysrq", "1" },
	{ "/proc/sys/kernel/panic", "1" },
	{ "/proc/sys/kernel/sched_rt_runtime_us", "-1" },
	{ "/proc/sys/vm/swappiness", "1" },
	{ "/proc/sys/vm/overcommit_memory", "1" },
	{ "/proc/sys/vm/drop_caches", "1" },
	{ "/proc/sys/fs/file-max", "1" },
	{ "/proc/sysrq-trigger", "h" },
	{ "/proc/irq/default_smp_affinity", "1" },
	{ "/sys/kernel/mm/ksm/run", "1" },
	{ "/sys/module/printk/parameters/time", "1" },
	{ "/proc/self/oom_score_adj", "-1000" },
};

/* cgroup v1 can be mounted inside: what is found there is the VPS's own group from within, with
 * its limits in it. */
static const struct {
	const char *controller, *knob, *value;
} v1_knobs[] = {
	{ "memory", "memory.limit_in_bytes", "-1" },
	{ "memory", "memory.memsw.limit_in_bytes", "-1" },
	{ "memory", "memory.oom_control", "1" },
	{ "cpu", "cpu.cfs_quota_us", "-1" },
	{ "cpu", "cpu.shares", "262144" },
	{ "pids", "pids.max", "max" },
	{ "cpuset", "cpuset.cpus", "0-1" },
	{ "blkio", "blkio.throttle.write_bps_device", "1:1 0" },
	{ "devices", "devices.allow", "a" },
	{ "freezer", "freezer.state", "FROZEN" },
	{ "memory", "cgroup.procs", "1" },
};

static int file_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : write(fd, value, strlen(value));

	if (fd >= 0)
		close(fd);
	return len < 0 ? -1 : 0;
}

static void tried(const char *what, int result, uint64_t *refused)
{
	if (result < 0)
		++*refused;
	else
		say_text("reached", what);
}

static void processes_try(uint64_t *refused)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct rlimit files;

	/* by the raw call: musl's is a stub that always fails */
	tried("SCHED_FIFO", (int)syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &first),
	      refused);
	/* class 1 is real time, of this process */
	tried("ioprio real time", (int)syscall(SYS_ioprio_set, 1, 0, 1 << 13), refused);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY) {
		files.rlim_max++;
		tried("RLIMIT_NOFILE", setrlimit(RLIMIT_NOFILE, &files), refused);
	}
}

static void v1_try(size_t i, uint64_t *refused)
{
	char what[64], path[64];
	int result = mount("none", "/mnt", "cgroup", 0, v1_knobs[i].controller);

	snprintf(what, sizeof(what), "cgroup v1 %s", v1_knobs[i].knob);
	snprintf(path, sizeof(path), "/mnt/%s", v1_knobs[i].knob);
	tried(what, result < 0 ? -1 : file_write(path, v1_knobs[i].value), refused);
	if (result == 0)
		(void)umount("/mnt");
}

int probe_reach(char *argv[])
{
	uint64_t refused = 0;

	(void)argv;
	(void)mkdir("/mnt", 0755);
	for (size_t i = 0; i < sizeof(v1_knobs) / sizeof(v1_knobs[0]); i++)
		v1_try(i, &refused);
	processes_try(&refused);
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		tried(knobs[i].path, file_write(knobs[i].path, knobs[i].value), &refused);
	say("refused", refused);
	return 0;
}

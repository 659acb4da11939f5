/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* A limit that a host may be unable to enforce, as a bit. */
enum limit {
	LIMIT_MEMORY = 1 << 0,
	LIMIT_SWAP = 1 << 1,
	LIMIT_CPU = 1 << 2,
	LIMIT_WEIGHT = 1 << 3,
	LIMIT_TASKS = 1 << 4,
	LIMIT_MEMORY_GUARANTEE = 1 << 5,
	LIMIT_CPU_GUARANTEE = 1 << 6,
	LIMIT_IO_READ = 1 << 7,
	LIMIT_IO_WRITE = 1 << 8,
	LIMIT_IO_WEIGHT = 1 << 9,
	/* not of control groups (struct link has them), but of the same list of the operator's
	 */
	LIMIT_RATE_IN = 1 << 10,
	LIMIT_RATE_OUT = 1 << 11,
};

/* How fast a VPS may read or write its disk; 0 is no limit. */
struct io_limit {
	uint64_t bytes; /* a second */
	unsigned ops;	/* a second */
};

/* What one VPS may use.  0 means no limit, but for swap, where 0 means none at all, and for the
 * guarantees, which are none then. */
struct limits {
	uint64_t memory;	    /* bytes */
	uint64_t memory_guaranteed; /* bytes, never reclaimed for others */
	uint64_t swap;		    /* bytes, beside memory */
	unsigned cpus;		    /* cap, hundredths of one CPU */
	unsigned cpus_guaranteed;   /* hundredths, whatever the others do */
	unsigned weight;	    /* share under contention, 1..10000; 0: by the guarantee */
	unsigned tasks;		    /* processes and threads */
	struct io_limit io_read, io_write; /* of the device that the volume lies on */
	unsigned io_weight;		   /* share of a busy disk, 1..10000, 0 = 100 */
	dev_t device;			   /* the disk that io_* are about; 0: none known */
	unsigned accepted; /* enum limit bits that the operator accepts unenforced */
};

/* A figure that this host does not give; it is not 0, which would be told as the truth. */
#define FIGURE_UNKNOWN UINT64_MAX

/* Time in which some of the processes of a VPS, or all at once, waited for something (PSI). */
struct pressure {
	uint64_t some_usec, full_usec;	 /* since it started */
	uint64_t some_avg10, full_avg10; /* of the last ten seconds, hundredths of a percent */
};

struct io_usage {
	uint64_t bytes, ops;
};

/* What one VPS uses, and what it has used since it started; a figure that nobody asked for is
 * FIGURE_UNKNOWN too. */
struct cgroup_usage {
	/* USAGE_CPU; periods are those of a cap, throttled those in which it was held back */
	uint64_t cpu_usec, user_usec, system_usec;
	uint64_t periods, throttled, throttled_usec;
	/* USAGE_STATE: 0 or 1; and a number that another group of the same VPS will not have */
	uint64_t populated, frozen, group;
	/* USAGE_MEMORY, in bytes; USAGE_PEAK */
	uint64_t memory, swap, memory_peak;
	/* USAGE_STAT: what the memory is; file pages read again after they were reclaimed */
	uint64_t anon, file, kernel;
	uint64_t refaults, major_faults, reclaimed;
	/* USAGE_EVENTS: how often reclaim began at memory.high, the limit was met, there was
	 * nothing left to reclaim, a process was killed for it, and a fork refused.  The last
	 * is, on cgroup v2 before Linux 6.11, of the groups inside that still exist. */
	uint64_t highs, maxes, ooms, oom_kills, refused;
	/* USAGE_TASKS */
	uint64_t tasks;
	/* USAGE_IO: of disks, each byte once however many devices are stacked above */
	struct io_usage read, written;
	/* USAGE_PRESSURE */
	struct pressure cpu_pressure, memory_pressure, io_pressure;
};

enum usage_part {
	USAGE_CPU = 1 << 0,
	USAGE_STATE = 1 << 1,
	USAGE_MEMORY = 1 << 2,
	USAGE_STAT = 1 << 3,
	USAGE_EVENTS = 1 << 4,
	USAGE_TASKS = 1 << 5,
	USAGE_IO = 1 << 6,
	USAGE_PRESSURE = 1 << 7,
	USAGE_PEAK = 1 << 8,
	USAGE_ALL = (1 << 9) - 1,
};

/*
 * The groups of VPS @id: "nodectl-vps.service/<id>" (the outer one, root's: limits and
 * policies of devices and sockets) and below it "guest" (the tenant's own, delegated: the
 * directory and the files of /sys/kernel/cgroup/delegate belong to @owner), and "commands"
 * (root's, for what comes in from outside).
 * On a hybrid host each limit is written where its controller is bound, and
 * these two exist on cgroup2 only.  Everything here is found again by @id alone.
 */

/*
 * Make the groups with all limits and policies, before any process is
 * inside.  Groups that are there already are brought to @limits.  Every knob
 * is read back.  A limit that this host cannot enforce is ERR_KERNEL naming
 * it, unless it is in limits->accepted.
 *
 * Returns the open cgroup2 directory of "guest", for clone3(CLONE_INTO_CGROUP)
 * (cgroups(7)); the caller owns it.  A "guest" that nobody is in is made anew, with
 * nothing of what the last guest did to it: a descriptor from before is stale then.
 */
int cgroup_create(unsigned id, const struct limits *limits, uid_t owner, struct err *err);

/*
 * How a process comes under the controllers that are bound to cgroup v1, for
 * which there is no CLONE_INTO_CGROUP; a pure cgroup2 host has nothing to do here.
 *
 * A process puts itself there, through descriptors that its parent opened as the
 * node's root: 0.06 ms.  Moving another process takes 6 to 20 ms, as the kernel
 * first stops every fork and exit on the node.
 */
struct cgroup_door {
	int tasks[7]; /* -1 where there is none */
};
#define own_door __attribute__((cleanup(cgroup_door_close))) struct cgroup_door

/* Open the door of the groups of @id; they exist.  O_CLOEXEC, and the caller's to close. */
int cgroup_door_open(unsigned id, struct cgroup_door *door, struct err *err);

/* Go through it: the calling thread, in whatever namespaces and with whatever ids it is by
 * now.  For a process of one thread, before it makes others. */
int cgroup_enter(const struct cgroup_door *door, struct err *err);

/* A closed one. */
struct cgroup_door cgroup_door_none(void);

/* Takes a half-open one, and sets it to closed. */
void cgroup_door_close(struct cgroup_door *door);

/*
 * Where a process from outside enters a VPS.
 *
 * CGROUP_GUEST: among the guest's own, which can move it on to a group that it has made.  That
 * is "guest" itself, or a group "exec" in it where the guest has enabled controllers for its
 * children, as systemd does (CLONE_INTO_CGROUP into "guest" would then be EBUSY).  Either is
 * the guest's: it may be frozen, full, or not to be had.
 *
 * CGROUP_COMMANDS: "commands" beside "guest", root's.  The limits of the VPS hold there, and it
 * is frozen and killed with it, but the guest has no hold on the group.
 */
enum cgroup_entry { CGROUP_GUEST, CGROUP_COMMANDS };

/* The door, and the cgroup2 directory for a process from outside, open.  EBUSY in err->code:
 * the guest has frozen it. */
int cgroup_open(unsigned id, enum cgroup_entry entry, struct cgroup_door *door,
		struct err *err);

/*
 * Bring the limits of live groups to @limits, with read-back: all of them, or after an error
 * everything is as before.  No limit is lifted on its way, and none is above the larger of old
 * and new.  Memory is made smaller by reclaiming for about five seconds; below what cannot be
 * reclaimed it is ERR_VALUE, with what is used, and nobody is killed for it.
 */
int cgroup_limit(unsigned id, const struct limits *limits, struct err *err);

/* One cgroup file that expresses a limit: what it should hold, and what it holds. */
struct cgroup_knob {
	const char *path; /* of the group, "/sys/fs/cgroup/nodectl-vps.service/17" */
	const char *name; /* "memory.max" */
	const char *want;
	const char *got; /* NULL: this host has no such file */
	bool equal;	 /* or missing, and nobody asked for it or the operator accepts that */
};

/*
 * Compare the kernel with @limits: call @each for every knob of VPS @id, in no order that
 * matters; stops at the first -1.  No lock.  No groups is ENOENT in err->code.  What differs
 * cgroup_limit() mends.
 */
int cgroup_diff(unsigned id, const struct limits *limits,
		int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		void *arg, struct err *err);

/* The same for what every VPS has, whatever its limits: the groups that it may make, and the
 * devices; cgroup_mend_policy() mends. */
int cgroup_diff_policy(unsigned id,
		       int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		       void *arg, struct err *err);
int cgroup_mend_policy(unsigned id, struct err *err);

/*
 * The same for the group that all VPSs lie in: its weight, and the sum of what its VPSs are
 * guaranteed, which it has to be guaranteed itself.  No group yet: nothing to compare.
 */
int cgroup_diff_node(int (*each)(const struct cgroup_knob *knob, void *arg, struct err *err),
		     void *arg, struct err *err);

/* Mend what cgroup_diff_node() tells. */
int cgroup_mend_node(struct err *err);

/*
 * What those in a VPS may have the kernel keep by socket options, which it charges no group
 * for: bytes of the rings of packet sockets (packet(7)), as many as they have asked for since
 * the last closed one was noticed.  One too many is ENOMEM to who asks.  Memberships in
 * multicast groups: 16384 at once and 16 a second, then ENOBUFS.
 */
struct cgroup_sockets {
	uint64_t asked, bound; /* bytes */
	uint64_t refused;      /* how often, since its groups were made */
};

/* -1 where nothing bounds them, and when it does not run. */
int cgroup_sockets(unsigned id, struct cgroup_sockets *sockets);

/* Read the figures of @parts (enum usage_part); no lock.  A VPS without groups is ENOENT in
 * err->code. */
int cgroup_usage(unsigned id, unsigned parts, struct cgroup_usage *usage, struct err *err);

/*
 * The same for many VPSs: the hierarchies are found once, and each figure is three system calls
 * by then.  To be opened anew for each round: the parent of all groups goes with the last VPS.
 */
struct cgroup_reader {
	int parent[9]; /* cgroup2, then by controller; -1: none */
	bool on_v2[8];
	struct {
		unsigned major, minor;
		bool counts;
	} disk[16]; /* whose figures count, as far as it was looked at */
	unsigned disks;
};
#define own_reader __attribute__((cleanup(cgroup_reader_close))) struct cgroup_reader

struct cgroup_reader cgroup_reader_none(void);
int cgroup_reader_open(struct cgroup_reader *reader, struct err *err);
void cgroup_reader_close(struct cgroup_reader *reader);
int cgroup_read(struct cgroup_reader *reader, unsigned id, unsigned parts,
		struct cgroup_usage *usage, struct err *err);

/* What tells a monitor that its VPS has met a limit; -1 for what this host has not. */
enum cgroup_watch_fd {
	WATCH_MEMORY,	 /* has "oom_kill"; memory.events of cgroup2: POLLPRI */
	WATCH_OOM,	 /* eventfd for memory.oom_control of v1: POLLIN */
	WATCH_TASKS,	 /* has "max"; POLLPRI */
	WATCH_TASKS_NOW, /* where that does not tell of each: to be looked at now and then */
	WATCH_TASKS_MAX,
	WATCH_COUNT,
};

struct cgroup_watch {
	int fd[WATCH_COUNT]; /* O_CLOEXEC */
};

void cgroup_watch_open(unsigned id, struct cgroup_watch *watch);

/* At which limit was a process killed for want of memory? */
enum oom_where {
	OOM_UNKNOWN, /* the kernel has not said, for there were too many */
	OOM_VPS,
	OOM_INSIDE, /* one that the tenant set in the VPS */
	OOM_NODE,   /* the node itself had no memory left */
};

enum { OOM_STAT = 160 };

/* One such process.  What is the tenant's word is escaped, and has no "'". */
struct oom_kill {
	uint64_t seq; /* of its line in the kernel's log */
	pid_t pid;    /* on the node */
	pid_t inside; /* in the VPS; 0: it had gone before we could ask */
	char name[80];
	uint64_t rss; /* bytes */
	enum oom_where where;
	uint64_t limit;	     /* bytes; 0: not known */
	char stat[OOM_STAT]; /* "anon 60M, file 16K": what the memory was then, or "" */
};

/*
 * Ask the kernel's log for kills in VPS @id, whose host ids are @first to @last, behind the
 * record @after.  Returns how many there are, and the last of them in @kill.  A log that
 * cannot be read has none.  Nothing that a tenant can bring into the log passes for one.
 */
unsigned cgroup_oom_kills(unsigned id, uid_t first, uid_t last, uint64_t after,
			  struct oom_kill *kill);

/* Freeze or thaw everything inside (cgroup.freeze of the outer group), and wait until it is so.
 */
int cgroup_freeze(unsigned id, bool frozen, struct err *err);
bool cgroup_is_frozen(unsigned id);

/* Does any process live inside?  false also when there are no groups. */
bool cgroup_is_populated(unsigned id);

/*
 * Thaw, kill every process inside (cgroup.kill), and wait until none is left, soon without the
 * cap on its CPU; after @wait_ms the error is ERR_NOT_STOPPED.  No groups: nothing to do.  What
 * is cloned into "guest" afterwards may be killed at birth (Linux 6.13 and later do so):
 * cgroup_create() again before anything is started in it.
 */
int cgroup_kill(unsigned id, unsigned wait_ms, struct err *err);

/*
 * The cgroup2 directory where monitors live, "monitors" beside the groups of the VPSs, open:
 * there no session or service that a nodectl was called from takes one along when it ends.
 */
int cgroup_monitors(struct err *err);

/* Leave it, as the last who was in it: it is removed, as far as it was made by us. */
void cgroup_monitors_leave(void);

/*
 * Let the kernel take @bytes of memory from all VPSs together, as it would when they ran short
 * of it.  What it cannot get is no error; ERR_KERNEL where it cannot be asked (cgroup v1).
 */
int cgroup_reclaim(uint64_t bytes, struct err *err);

/* Remove the groups, with whatever child groups the guest made; absent ones are fine. */
int cgroup_remove(unsigned id, struct err *err);

/* Call @each for every pid inside (host pids); stops at the first -1. */
int cgroup_pids(unsigned id, int (*each)(pid_t pid, void *arg, struct err *err), void *arg,
		struct err *err);

/* Call @each for every id that has a group in any hierarchy, once; for repair. */
int cgroup_each(int (*each)(unsigned id, void *arg, struct err *err), void *arg,
		struct err *err);

/* Has @id a group in any hierarchy? */
bool cgroup_exists(unsigned id);

/* The id of the VPS that @pid is in, from /proc/PID/cgroup; 0 when in none. */
unsigned cgroup_of(pid_t pid);

/* One row for doctor: a controller or ability, where it is, what its absence costs. */
struct cgroup_fact {
	const char *name;	 /* "memory limit" */
	bool present;		 /* can this host do it */
	char where[128];	 /* "best effort: cgroup v1, /sys/fs/cgroup/memory" */
	const char *consequence; /* what is lost when absent */
};

/* Look at the host; fills at most @max rows and returns how many. */
unsigned cgroup_facts(struct cgroup_fact *facts, unsigned max);

/* The enum limit bits that @limits asks for; LIMIT_SWAP always, as 0 is a limit there. */
unsigned cgroup_asked(const struct limits *limits);

/*
 * CPU time under contention is shared by weight.  That of a guarantee of one whole CPU is
 * cgroup_weight_of_cpu(), so that the shares of all VPSs, weight / weight_of_cpu, may add up to
 * the CPUs of the node.  @limits->weight, when given, is the weight as it is; without either a
 * VPS is worth a thousandth of a CPU.
 */
unsigned cgroup_weight_of_cpu(void);
unsigned cgroup_weight(const struct limits *limits);

/* The enum limit bits that this host cannot enforce for VPSs whose volume is on @device; 0: not
 * known, so that no limit of its speed can be. */
unsigned cgroup_lacks(dev_t device);

/* The name of one bit as --allow-unenforced takes it, "memory", "swap", "cpus", ...; and back
 * (0 = none). */
const char *limit_name(enum limit limit);
unsigned limit_by_name(const char *name);

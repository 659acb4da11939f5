/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct address;
struct bridge;
struct err;
struct limits;
struct link_knob;
struct view_offer;
struct vps;

/*
 * The life of one VPS.  Callers hold the VPS's lock for whatever changes it;
 * runtime_status() and what only looks need none.
 */

/* Where a VPS lives on this node: descriptors owned by node/. */
struct place {
	int dir;		     /* definition and volume */
	int run;		     /* run record, intent, console; made anew at each boot */
	int image;		     /* O_PATH on the root directory of its image */
	int lock;		     /* the VPS's lock, held by the caller */
	const char *config;	     /* node.conf, for the nodectl that the monitor executes */
	const struct bridge *bridge; /* the node's */
	const struct link *was; /* the network that it was started with, or changed to since;
				 * NULL: not known */
	const struct address
	    *nameservers; /* for a VPS that names none; VPS_NAMESERVERS of them */
	const char
	    *notice; /* its /run/vps/status.json at first, or NULL: it gets no /run/vps */
	struct view_offer *view; /* files of lxcfs for its /proc, or NULL */
	bool unasked;		 /* its addresses are taken without asking who else has them */
};

enum state { STATE_STOPPED, STATE_RUNNING, STATE_FROZEN, STATE_ERROR };

const char *state_name(enum state state);

struct status {
	enum state state;
	pid_t init;	 /* guest init as the node sees it, 0 when stopped */
	pid_t monitor;	 /* 0: it died; see runtime_adopt().  It outlives init by a moment */
	int64_t started; /* seconds since 1970 */
	char error[200]; /* STATE_ERROR: why */
	bool crashed;	 /* an operation was cut off; the next one or `repair` cleans up */
	bool lost; /* guest init is there, and the run record does not say so: runtime_find();
		    * or the record cannot be read now, and nobody knows whether there is one */
};

/* No lock, and O(1) unless the run record is damaged: the record against the kernel. */
void runtime_status(unsigned id, int run, struct status *status);

/* Init has ended: does its @monitor go on to tell nodectl how?  Waits a moment for one that has
 * not made up its mind, as to whether somebody who stops the VPS cleans up. */
bool runtime_monitor_tells(pid_t monitor);

/* Does a monitor of any node watch an init that runs with @id?  Looks at all monitors. */
bool runtime_is_watched(unsigned id);

/*
 * Start guest init.  Returns when it has been executed; from then on a monitor
 * keeps the VPS.  On failure everything is as before.
 *
 * @meanwhile is called once, in this process, while the start is under way elsewhere:
 * for what waits for the disk.  Its failure is reported, but ends nothing.
 */
int runtime_start(const struct vps *vps, const struct place *place,
		  int (*meanwhile)(void *arg, struct err *err), void *arg, struct err *err);

/* The same in this very process, which becomes the monitor: for a reboot of the guest.  Returns
 * only on failure; @started is called once it runs. */
int runtime_restart(const struct vps *vps, const struct place *place,
		    void (*started)(void *arg), void *arg, struct err *err);

/*
 * Call @work in the root of a VPS that is stopped, as its root, its only process, with its
 * limits and without network.  No program of the VPS is run.
 */
int runtime_offline(const struct vps *vps, const struct place *place,
		    int (*work)(void *arg, struct err *err), void *arg, struct err *err);

/*
 * Ask init to shut down, wait @timeout seconds, then kill what is left.  @timeout 0 kills at
 * once.  Returns when no process of the VPS is left; what a start made else is
 * runtime_clean()'s.  @forced tells whether it had to be killed.
 */
int runtime_stop(const struct vps *vps, const struct place *place, unsigned timeout,
		 bool *forced, struct err *err);

/* Undo whatever a start did, by id alone; safe to repeat. */
int runtime_clean(const struct vps *vps, const struct place *place, struct err *err);

/*
 * The same, returning as soon as no process, mount or control group is left; a child goes on
 * holding the VPS's lock until its network and its intent are gone too, some 20 ms later.
 */
int runtime_clean_soon(const struct vps *vps, const struct place *place, struct err *err);

/* Write the run record anew for a VPS that runs without one: status.lost. */
int runtime_find(const struct vps *vps, const struct place *place, struct err *err);

/*
 * Tell the tenant of VPS @id, whose run directory is @run: @text becomes /run/vps/status.json,
 * whole, where the tenant has left that place as it was.
 */
int runtime_notice(unsigned id, int run, const char *text, struct err *err);

/* Bring the network of a running VPS, but its rates, from what @before says (NULL: from
 * whatever it is) to what @after does. */
int runtime_network(const struct vps *before, const struct vps *after,
		    const struct place *place, struct err *err);

/* Bring the network rates of a running VPS to its definition's: link_shape().  One without an
 * address has no network. */
int runtime_shape(const struct vps *vps, struct err *err);

/* The same for its guard, on the bridge of @place: link_guard(). */
int runtime_guard(const struct vps *vps, const struct place *place, struct err *err);
int runtime_guard_diff(const struct vps *vps, const struct bridge *bridge,
		       int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		       void *arg, struct err *err);

/* Compare them: link_diff(). */
int runtime_shape_diff(const struct vps *vps,
		       int (*each)(const struct link_knob *knob, void *arg, struct err *err),
		       void *arg, struct err *err);

/*
 * The limits of a VPS with the disk that those of its speed are about: what cgroup_limit() and
 * cgroup_diff() want.  Limits of a volume that lies on no disk are ERR_KERNEL, unless accepted.
 */
int runtime_limits(const struct vps *vps, const struct place *place, struct limits *limits,
		   struct err *err);

/* Bring a running VPS to its limits: cgroup_limit(). */
int runtime_limit(const struct vps *vps, const struct place *place, struct err *err);

/* Give a running VPS whose monitor died a new one.  Its console is a new one too; a frozen VPS
 * gets that when it is thawed. */
int runtime_adopt(const struct vps *vps, const struct place *place, struct err *err);

/* Let it run on: cgroup_freeze(), and the console that runtime_adopt() could not give it. */
int runtime_thaw(const struct vps *vps, const struct place *place, struct err *err);

/* The signal that asks this init to power off, or NULL and a command to run inside.  For the
 * manual's table. */
struct init_kind {
	const char *program;	/* last component of /proc/PID/exe */
	const char *signal;	/* SIGRTMIN+3 */
	const char *command[4]; /* instead of a signal */
};

const struct init_kind *init_kind_of(pid_t init);
int signal_parse(const char *text, int *signal, struct err *err);

/* A command to run inside a running VPS as its root. */
struct inside {
	const char *const *argv;
	const char *const *env; /* further NAME=value, or NULL */
	const char *cwd;	/* NULL: /root */
	int in, out, err;	/* its streams, relayed; -1: none.  Ignored with @tty */
	bool tty;		/* a terminal of the VPS's own, relayed to ours */
};

/*
 * Execute it and wait; signals that end us are passed on.  *@status becomes what a
 * shell would give: exit status, or 128 + signal.  What keeps it from running is
 * ERR_NOT_FOUND or ERR_CANNOT_RUN.  Returns when it has ended and what it had written is
 * delivered, whoever still has its streams inside; an input or output of ours that ended before
 * is /dev/null then.  A terminal whose output nobody takes is hung up.
 */
int runtime_exec(unsigned id, pid_t init, const struct inside *inside, int *status,
		 struct err *err);

/* What is done in a process that has entered a VPS as its root, as if it were a command inside.
 */
struct inside_work {
	/* either never returns, or its result is reported to the caller */
	int (*work)(void *arg, struct err *err);
	void *arg;
	const int *keep; /* descriptors of ours that it uses; all others are closed */
	size_t keep_count;
	unsigned wait_ms; /* then it is killed; 0: it may take as long as it wants */
	bool guest;	  /* it becomes a program of the guest's: in its own groups, if they can
			   * be entered */
};

/*
 * Do it and wait.  For reading and writing the VPS's files without the node ever resolving a
 * tenant's path.
 */
int runtime_inside(unsigned id, pid_t init, const struct inside_work *work, struct err *err);

/* Attach our terminal to the console until Ctrl-a q; waits for a VPS that is not running.
 * ETIMEDOUT: whoever keeps the console does not answer. */
int runtime_console(const char *name, int run, struct err *err);

/* The last 64 KiB that the console printed, to @out; if that is a terminal, str_visible(). */
int runtime_console_log(int run, int out, struct err *err);

/* The next monitor of a VPS that does not run has all tokens for telling of limits, and not
 * what the one before has left. */
void runtime_tokens_renew(int run);

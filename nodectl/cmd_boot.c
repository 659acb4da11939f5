/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "pace.h"
#include "str.h"

#define STOP_SECONDS 90u
#define FAILED	     1 /* a process of the queue: what it exits with */
#define LACKING	     2
#define BOOTED	     "booted" /* in the storage: the boot of which `boot --once` was the last */

/* VPSs in the order in which they are to start, or to stop. */
struct queue {
	struct cli *cli;
	const struct node *node;
	bool booting; /* those that belong up and are not; else those that run */
	struct place_in_queue {
		char name[64];
		unsigned order, id;
	} * vps;
	size_t count, unread;		    /* unread: what cannot be read is not started */
	unsigned long long begun, deadline; /* of a shutdown, as now_ms() */
	bool lacking; /* the node had not even the processes for it: it was not really tried */
};

static int queue_add(const struct vps *vps, const struct err *broken, void *arg,
		     struct err *err)
{
	struct queue *queue = arg;
	struct status status;

	/* one that runs is stopped all the same */
	if (broken)
		error_print(broken);
	/* whether it belongs up nobody knows */
	if (broken && queue->booting) {
		queue->unread++;
		/* a disk that cannot be read, and what is full, will not be otherwise soon */
		queue->lacking |=
		    is_passing(broken->code) && broken->code != EIO && broken->code != ENOSPC;
		return 0;
	}
	vps_status(queue->node, vps, &status);
	if (queue->booting ? status.init || !vps_wants_boot(queue->node, vps)
			   : !status.init && !status.lost && !vps_returns(queue->node, vps))
		return 0;
	queue->vps = xrealloc(queue->vps, (queue->count + 1) * sizeof(*queue->vps));
	queue->vps[queue->count] =
	    (struct place_in_queue){ .order = vps->order, .id = vps->id };
	return str_copy(queue->vps[queue->count++].name, sizeof(vps->name), vps->name, err);
}

static int by_order(const void *left, const void *right)
{
	const struct place_in_queue *a = left, *b = right;

	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int by_order_backwards(const void *left, const void *right)
{
	return by_order(right, left);
}

static int queue_fill(struct queue *queue, struct err *err)
{
	queue->count = queue->unread = 0;
	if (vps_each(queue->node, queue_add, queue, err) < 0)
		return -1;
	if (queue->count)
		qsort(queue->vps, queue->count, sizeof(*queue->vps),
		      queue->booting ? by_order : by_order_backwards);
	return 0;
}

static int start_one(const struct queue *queue, const char *name, struct err *err)
{
	own_held held = held_none();

	if (vps_hold(queue->node, name, "boot", &held, err) < 0)
		return -1;
	/* stopped meanwhile; or whether it belongs up could not be looked at then */
	if (!vps_wants_boot(queue->node, &held.vps))
		return fail_as(err, ERR_RUNNING, "it is not to run");
	/* it was promised: if the node has become smaller meanwhile, that is noted */
	return node_start(queue->node, &held, ADMIT_FORCED, err);
}

static int stop_one(const struct queue *queue, const char *name, struct err *err)
{
	struct stopping how = { .shutdown = true };
	own_held held = held_none();
	unsigned long long now;
	bool forced;

	if (vps_hold_left(queue->node, name, "shutdown", &held, err) < 0)
		return -1;
	/* from the deadline on, one that is still there is killed */
	now = now_ms();
	if (now < queue->deadline)
		how.timeout = (unsigned)((queue->deadline - now + 999) / 1000);
	if (held.vps.stop_timeout < how.timeout)
		how.timeout = held.vps.stop_timeout;
	return node_stop(queue->node, &held, &how, &forced, err);
}

/* What the node lacks at this moment, as processes when all start, it has again in a while; a
 * shutdown has further rounds. */
static int work_patiently(const struct queue *queue, const char *name, struct err *err)
{
	unsigned long long end = now_ms() + FORK_MS;
	unsigned pause = 1;
	int result;

	if (!queue->booting)
		return stop_one(queue, name, err);
	while ((result = start_one(queue, name, err)) < 0 && is_passing(err->code) &&
	       now_ms() + pause * 1000ull < end) {
		sleep(pause);
		pause *= 2;
	}
	return result;
}

/* What it exits with: 0 if all is well, and LACKING if it may be another time. */
static int work(const struct queue *queue, const char *name)
{
	struct err err;
	int result = work_patiently(queue, name, &err);

	/* it was faster than we */
	if (result < 0 && err.kind == (queue->booting ? ERR_RUNNING : ERR_NOT_RUNNING))
		return 0;
	if (result < 0) {
		fail_in(&err, "%s", name);
		error_print(&err);
		return err.code == EAGAIN || err.code == ENOMEM ? LACKING : FAILED;
	}
	cli_say(queue->cli, "%s: %s", name, queue->booting ? "running" : "stopped");
	return output_end(0) ? FAILED : 0;
}

/* In a process of its own: one VPS that hangs is waited for by nobody but that.  -1: there can
 * be no process. */
static pid_t work_begin(const struct queue *queue, const char *name)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	_exit(work(queue, name));
}

/*
 * At shutdown those of one order stop together, and those of the next when they have.  One that
 * takes long does not use up the time of the others: each order gets its turn within the first
 * half of the time, however many there are.
 */
unsigned long long turn_begins(size_t turn, size_t turns, unsigned long long span)
{
	return turns ? span / 2 * turn / turns : 0;
}

static size_t turns_before(const struct queue *queue, size_t end)
{
	size_t turns = 0;

	for (size_t i = 1; i < end; i++)
		turns += queue->vps[i].order != queue->vps[i - 1].order;
	return turns;
}

static bool may_begin(const struct queue *queue, struct pace *pace, size_t next, size_t alive)
{
	unsigned long long now = now_ms();
	size_t turn;

	if (queue->booting)
		return pace_allows(pace, alive, now);
	if (!alive || queue->vps[next].order == queue->vps[next - 1].order)
		return true;
	turn = turns_before(queue, next + 1);
	return now >= queue->begun + turn_begins(turn, turns_before(queue, queue->count) + 1,
						 queue->deadline - queue->begun);
}

/* One of its processes has ended; has it failed? */
static int work_ended(struct queue *queue, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == LACKING)
		queue->lacking = true;
	return status != 0;
}

/* Returns how many failed. */
static int queue_run(struct queue *queue)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct pace pace = { .cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
	unsigned long long patience = now_ms() + FORK_MS;
	size_t next = 0, alive = 0;
	struct err err;
	int failed = 0;

	/* once and not by all at the same time; what is wrong with it tell those that need it
	 */
	if (queue->booting && queue->count)
		(void)bridge_ensure(&queue->node->bridge, false, &err);

	while (next < queue->count || alive) {
		int status = 0;

		if (next < queue->count && may_begin(queue, &pace, next, alive)) {
			const char *name = queue->vps[next].name;

			if (work_begin(queue, name) > 0) {
				patience = now_ms() + FORK_MS;
				alive++;
			} else if (alive) {
				/* the node is short of processes: one of ours makes room */
				failed += wait(&status) > 0 && work_ended(queue, status);
				alive--;
				continue;
			} else if (now_ms() < patience) {
				nanosleep(&pause, NULL);
				continue;
			} else {
				fail(&err, errno, "%s: cannot fork", name);
				error_print(&err);
				queue->lacking = true;
				failed++;
			}
			pace_begun(&pace, now_ms());
			next++;
		} else if (!alive ||
			   waitpid(-1, &status, next < queue->count ? WNOHANG : 0) <= 0) {
			nanosleep(&pause, NULL);
		} else {
			alive--;
			failed += work_ended(queue, status);
		}
	}
	return failed;
}

/* Has it been done since the node came up?  A VPS that was stopped since is to stay so. */
static bool boot_is_done(const struct node *node, const char *boot)
{
	char last[64];
	struct err ignored;

	return file_read(node->dir, BOOTED, last, sizeof(last), &ignored) >= 0 &&
	       strcmp(last, boot) == 0;
}

static int queue_print(const struct queue *queue, struct err *err)
{
	json_t *names = json_array();

	for (size_t i = 0; i < queue->count; i++) {
		cli_say(queue->cli, "%s", queue->vps[i].name);
		json_array_append_new(names, json_string(queue->vps[i].name));
	}
	if (queue->cli->json)
		return json_print(json_pack("{s:o}", "vps", names), err);
	json_decref(names);
	return 0;
}

static int boot_all(struct cli *cli, struct queue *queue, struct err *err)
{
	bool once = cli_option(cli, "once"), dry = cli_option(cli, "dry-run");
	const char *boot = boot_id(err);
	int failed;

	if (!boot)
		return -1;
	if (once && boot_is_done(queue->node, boot))
		return 0;
	if (queue_fill(queue, err) < 0)
		return -1;
	if (dry)
		return queue_print(queue, err);
	failed = queue_run(queue);
	/* what was not really tried is to be tried by the next */
	if (once && !queue->lacking &&
	    file_replace(queue->node->dir, BOOTED, boot, strlen(boot), 0600, err) < 0)
		return -1;
	if (failed || queue->unread)
		return fail_as(err, ERR_SYSTEM, "%zu of %zu did not start",
			       (size_t)failed + queue->unread, queue->count + queue->unread);
	return 0;
}

/* Longer each time, but not beyond the deadline. */
static void pause_before(unsigned long long deadline, unsigned *seconds)
{
	unsigned long long now = now_ms();
	unsigned left = now < deadline ? (unsigned)((deadline - now + 999) / 1000) : 0;

	sleep(*seconds < left ? *seconds : left);
	*seconds *= 2;
}

/*
 * Until none runs: one may have been in somebody's hands just now, or been between init's end
 * and its next start.
 */
static int shutdown_all(struct cli *cli, struct queue *queue, struct err *err)
{
	unsigned seconds = STOP_SECONDS, pause = 1;
	bool last, stopped = false;
	int failed;

	if (cli_seconds(cli, "timeout", STOP_SECONDS, &seconds, err) < 0)
		return -1;
	/* where the node comes up again without its kernel, what went down with it is due */
	(void)unlinkat(queue->node->dir, BOOTED, 0);
	queue->begun = now_ms();
	queue->deadline = queue->begun + (cli_option(cli, "force") ? 0 : seconds * 1000ull);
	/* the last time at the deadline, or when it has passed: what is there still is killed
	 */
	do {
		unsigned long long now = now_ms();

		last = now >= queue->deadline;
		if (queue_fill(queue, err) < 0)
			return -1;
		/* one that comes back all the time is not raced with */
		if (stopped && queue->count)
			pause_before(queue->deadline, &pause);
		failed = queue_run(queue);
		stopped = !failed;
		if (failed && !last)
			pause_before(queue->deadline, &pause);
	} while (queue->count && !last);
	if (failed)
		return fail_as(err, ERR_NOT_STOPPED, "%d of %zu could not be stopped", failed,
			       queue->count);
	return 0;
}

static int queue_all(struct cli *cli, bool booting, struct err *err)
{
	own_node node = node_none();
	struct queue queue = { .cli = cli, .node = &node, .booting = booting };
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	result = (booting ? boot_all : shutdown_all)(cli, &queue, err);
	free(queue.vps);
	return result;
}

int cmd_boot(struct cli *cli, struct err *err)
{
	return queue_all(cli, true, err);
}

/* With names it is what it is elsewhere: stop. */
int cmd_shutdown(struct cli *cli, struct err *err)
{
	if (cli->args_count || cli_option(cli, "all"))
		return cmd_stop(cli, err);
	if (!cli_confirm(cli, "Stop every VPS of this node?"))
		return fail_as(err, ERR_SYSTEM, "nothing was stopped");
	return queue_all(cli, false, err);
}

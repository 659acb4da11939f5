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
#include "str.h"

#define STOP_SECONDS 90u
#define PRESSURE     60.0 /* percent of the last ten seconds in which something waited */

/* The VPSs of the node in the order in which they start. */
struct queue {
	const struct node *node;
	struct place_in_queue {
		char name[64];
		unsigned order, id;
	} * vps;
	size_t count;
	bool booting; /* only those that belong up and are not; else only those that run */
};

static int queue_add(const struct vps *vps, const struct err *broken, void *arg,
		     struct err *err)
{
	struct queue *queue = arg;
	struct status status;

	if (broken) {
		error_print(broken);
		return 0;
	}
	vps_status(queue->node, vps, &status);
	if (queue->booting ? status.init || !vps_wants_boot(queue->node, vps) : !status.init)
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

/* "some avg10=12.34": the part of the last ten seconds in which a task of the node waited. */
static double pressure_of(const char *path)
{
	char text[256];
	struct err ignored;
	double some = 0;

	if (file_read(AT_FDCWD, path, text, sizeof(text), &ignored) > 0)
		(void)sscanf(text, "some avg10=%lf", &some);
	return some;
}

/* May one more start?  The node's own pressure paces a boot, instead of a fixed number. */
static bool has_room(size_t alive)
{
	size_t cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);

	if (alive < 2)
		return true;
	return alive < 4 * cpus && pressure_of("/proc/pressure/io") < PRESSURE &&
	       pressure_of("/proc/pressure/memory") < PRESSURE;
}

static int start_one(const struct cli *cli, const struct node *node, const char *name,
		     struct err *err)
{
	own_held held = held_none();

	(void)cli;
	if (vps_hold(node, name, "boot", &held, err) < 0)
		return -1;
	/* it was promised: if the node has become smaller meanwhile, that is noted */
	return node_start(node, &held, ADMIT_FORCED, err);
}

static int stop_one(const struct cli *cli, const struct node *node, const char *name,
		    struct err *err)
{
	struct stopping how = { .shutdown = true };
	own_held held = held_none();
	bool forced;

	if ((!cli_option(cli, "force") &&
	     cli_seconds(cli, "timeout", STOP_SECONDS, &how.timeout, err) < 0) ||
	    vps_hold(node, name, "shutdown", &held, err) < 0)
		return -1;
	if (held.vps.stop_timeout < how.timeout)
		how.timeout = held.vps.stop_timeout;
	return node_stop(node, &held, &how, &forced, err);
}

/* One process a VPS.  At shutdown all at once: each has its own bound. */
static int queue_run(const struct cli *cli, const struct queue *queue, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	size_t next = 0, alive = 0, failed = 0;

	while (next < queue->count || alive) {
		int status;
		pid_t pid;

		if (next < queue->count && (!queue->booting || has_room(alive))) {
			size_t i = queue->booting ? next : queue->count - 1 - next;
			const char *name = queue->vps[i].name;

			pid = fork();
			if (pid == 0) {
				int result = queue->booting
						 ? start_one(cli, queue->node, name, err)
						 : stop_one(cli, queue->node, name, err);

				if (result < 0)
					fprintf(stderr, "nodectl: %s: %s\n", name, err->msg);
				else
					cli_say(cli, "%s: %s", name,
						queue->booting ? "running" : "stopped");
				_exit(result < 0);
			}
			if (pid < 0)
				return fail(err, errno, "cannot fork");
			next++;
			alive++;
			continue;
		}
		pid = waitpid(-1, &status, next < queue->count ? WNOHANG : 0);
		if (pid == 0)
			nanosleep(&pause, NULL);
		if (pid <= 0)
			continue;
		alive--;
		failed += status != 0;
	}
	if (failed)
		return fail_as(err, ERR_SYSTEM, "%zu of %zu failed", failed, queue->count);
	return 0;
}

static int queue_all(struct cli *cli, bool booting, struct err *err)
{
	own_node node = node_none();
	struct queue queue = { .node = &node, .booting = booting };
	int result;

	if (cli_expect(cli, 0, 0, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	result = vps_each(&node, queue_add, &queue, err);
	if (queue.count)
		qsort(queue.vps, queue.count, sizeof(*queue.vps), by_order);
	if (result == 0 && cli_option(cli, "dry-run")) {
		for (size_t i = 0; i < queue.count; i++)
			cli_say(cli, "%s", queue.vps[i].name);
	} else if (result == 0) {
		result = queue_run(cli, &queue, err);
	}
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

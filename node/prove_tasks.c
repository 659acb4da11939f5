/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "cgroups.h"
#include "lab.h"
#include "own.h"

/* While it has all the processes that it may have, can its neighbour make some? */
static int tasks_meet(const struct lab *lab, uint64_t *tasks, uint64_t *code, uint64_t *others,
		      struct err *err)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	own_probe forker = probe_none(), other = probe_none();
	struct cgroup_usage usage;

	if (probe_start(&forker, main, err, "fork %u", main->vps.limits.tasks + 8) < 0 ||
	    probe_ready(&forker, err) < 0 ||
	    cgroup_usage(main->vps.id, USAGE_TASKS, &usage, err) < 0)
		return -1;
	if (probe_start(&other, &lab->subjects[ROLE_NEIGHBOUR], err, "fork 4") < 0 ||
	    probe_ready(&other, err) < 0)
		return -1;
	/* they end by themselves: whoever comes next needs tasks */
	if (probe_finish(&forker, err) < 0 || probe_finish(&other, err) < 0)
		return -1;
	*tasks = usage.tasks;
	*code = probe_number(&forker, "errno");
	*others = probe_number(&other, "made");
	return 0;
}

static void tasks_prove(struct lab *lab)
{
	unsigned limit = lab->subjects[ROLE_MAIN].vps.limits.tasks;
	struct proof proof = proof_of("tasks", limit, NAN, "tasks");
	uint64_t tasks, code, others;
	struct err err;

	if (!limit || lab->lacks & LIMIT_TASKS) {
		lab_prove(lab, &proof, VERDICT_UNSUPPORTED, "%s",
			  limit ? "this node cannot enforce 'tasks'"
				: "the plan has no limit of tasks");
		return;
	}
	if (tasks_meet(lab, &tasks, &code, &others, &err) < 0) {
		lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
		return;
	}
	proof.measured = (double)tasks;
	if (code != EAGAIN || tasks > limit)
		lab_prove(lab, &proof, VERDICT_FAIL,
			  "fork(2) ended with errno %" PRIu64 ", not EAGAIN", code);
	else if (tasks < limit)
		lab_prove(lab, &proof, VERDICT_FAIL, "fork(2) was refused too early");
	else if (others != 4)
		lab_prove(lab, &proof, VERDICT_FAIL, "its neighbour could make none either");
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

void prove_tasks(struct lab *lab)
{
	if (lab_has(lab, ROLE_MAIN, "tasks") && lab_has(lab, ROLE_NEIGHBOUR, "tasks"))
		tasks_prove(lab);
}

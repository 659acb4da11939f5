/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cgroups.h"
#include "images.h"
#include "io.h"
#include "lab.h"
#include "node.h"
#include "own.h"
#include "probe.code.h"
#include "store.h"
#include "str.h"

#define MEBI (UINT64_C(1) << 20)

/* What is run into costs its size: memory that is really taken. */
#define MEMORY_MOST (256 * MEBI)

static const char *const role_names[] = {
	[ROLE_MAIN] = "main",	[ROLE_NEIGHBOUR] = "neighbour",	  [ROLE_ONE] = "one",
	[ROLE_THREE] = "three", [ROLE_GUARANTEED] = "guaranteed", [ROLE_HOG] = "hog",
};
_Static_assert(ARRAY_SIZE(role_names) == ROLE_COUNT, "one name for each role");

/* Small limits of our own: each can be run into within a moment, at next to no cost. */
static void limits_small(struct vps *vps)
{
	vps->limits.memory = 64 * MEBI;
	vps->limits.tasks = 64;
	vps->volume.size = 64 * MEBI;
	vps->volume.inodes = 1024;
}

static void main_small(struct vps *vps)
{
	limits_small(vps);
	vps->limits.cpus = 50;
	vps->limits.io_read = (struct io_limit){ 4 * MEBI, 250 };
	vps->limits.io_write = (struct io_limit){ 4 * MEBI, 250 };
	vps->link.rate_in = 20000000;
	vps->link.rate_out = 10000000;
}

static uint64_t memory_available(void)
{
	char text[8192];
	const char *line;
	struct err ignored;

	if (file_read(AT_FDCWD, "/proc/meminfo", text, sizeof(text), &ignored) < 0)
		return 0;
	line = strstr(text, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

/* As the plan has it, but for what would take too much of the node to run into. */
static void limits_bound(struct vps *vps)
{
	uint64_t most = memory_available() / 4;

	if (most > MEMORY_MOST)
		most = MEMORY_MOST;
	most = most / MEBI * MEBI;
	if (vps->limits.memory > most)
		vps->limits.memory = most;
	if (vps->limits.memory_guaranteed > vps->limits.memory / 2)
		vps->limits.memory_guaranteed = vps->limits.memory / 2;
}

/* What each is made with; a plan is that of those which are named so. */
static int role_fill(const struct lab *lab, enum role role, const char *plan, struct vps *vps,
		     struct err *err)
{
	bool by_plan = plan && (role == ROLE_MAIN || role == ROLE_GUARANTEED);

	if (by_plan && plan_load(lab->node, plan, vps, err) < 0)
		return -1;
	if (by_plan) {
		limits_bound(vps);
		return 0;
	}
	limits_small(vps);
	switch (role) {
	case ROLE_MAIN:
		main_small(vps);
		break;
	case ROLE_ONE:
		vps->limits.weight = 100;
		break;
	case ROLE_THREE:
		vps->limits.weight = 300;
		break;
	case ROLE_GUARANTEED:
		vps->limits.cpus_guaranteed = lab->cpus / 4;
		vps->limits.memory_guaranteed = vps->limits.memory / 2;
		break;
	case ROLE_HOG:
		/* all that can still be promised: what is guaranteed to the other is then all
		 * that is left to it */
		vps->limits.cpus_guaranteed =
		    lab->cpus - lab->subjects[ROLE_GUARANTEED].vps.limits.cpus_guaranteed;
		break;
	case ROLE_NEIGHBOUR:
	case ROLE_COUNT:
		break;
	}
	return 0;
}

/* A name that nobody has: node_create() would say so, and it is a mark that tells ours. */
static void role_name(const struct lab *lab, enum role role, char *name, size_t size)
{
	str_format(name, size, "selftest-%s-%s", lab->image + strlen(lab->image) - 8,
		   role_names[role]);
}

static int subject_start(struct lab *lab, struct subject *subject, struct err *err)
{
	own_held held = held_none();
	struct status status;

	if (vps_hold(lab->node, subject->vps.name, "selftest", &held, err) < 0 ||
	    node_start(lab->node, &held, ADMIT_KNOWN, err) < 0)
		return -1;
	if (held_status(&held, &status, err) < 0)
		return -1;
	subject->init = status.init;
	return 0;
}

int lab_discard(const struct node *node, const char *name, struct err *err)
{
	const struct stopping now = { .whole = true };
	own_held held = held_none();
	struct status status;
	bool forced;

	if (vps_hold(node, name, "selftest", &held, err) < 0)
		return err->kind == ERR_NO_VPS ? 0 : -1;
	if (held_status(&held, &status, err) < 0)
		return -1;
	if (status.init && node_stop(node, &held, &now, &forced, err) < 0)
		return -1;
	return node_destroy(node, &held, err);
}

/* Rates are measured over a network, and forged frames go into one. */
static bool wants_network(const struct lab *lab, const struct subject *subject)
{
	const struct link *link = &subject->vps.link;

	return subject == &lab->subjects[ROLE_MAIN] || link->rate_in || link->rate_out;
}

/* It is made in a node that is this one but for its templates: those of our sizes are of no use
 * to others. */
static int subject_create(struct lab *lab, struct subject *subject, struct err *err)
{
	const struct wanted wanted = {
		.publish = true,
		.selftest = true,
		.auto4 = wants_network(lab, subject) && !lab->net_lacks[0],
	};
	struct node home = *lab->node;
	own_fd templates = dir_make(lab->node->templates, LAB_TEMPLATES, 0700, err);

	home.templates = templates;
	if (templates < 0 || node_create(&home, &subject->vps, &wanted, err) < 0)
		return -1;
	return subject_start(lab, subject, err);
}

/* A disk that cannot be limited does not keep the other limits from being proven. */
static bool io_give_up(struct lab *lab, struct subject *subject, const struct err *err)
{
	const unsigned io = LIMIT_IO_READ | LIMIT_IO_WRITE | LIMIT_IO_WEIGHT;

	if (err->kind != ERR_KERNEL || !(cgroup_asked(&subject->vps.limits) & io) ||
	    (subject->vps.limits.accepted & io) == io)
		return false;
	str_format(lab->io_lacks, sizeof(lab->io_lacks), "%.190s", err->msg);
	subject->vps.limits.accepted |= io;
	return true;
}

/* Nor does a node without an address left. */
static bool net_give_up(struct lab *lab, const struct subject *subject, const struct err *err)
{
	if (err->kind != ERR_ADDRESS || lab->net_lacks[0] || !wants_network(lab, subject))
		return false;
	str_format(lab->net_lacks, sizeof(lab->net_lacks), "%.190s", err->msg);
	return true;
}

/* A little less may fit: to others some is guaranteed, too. */
static bool hog_give_up(const struct lab *lab, enum role role, struct subject *subject,
			const struct err *err)
{
	unsigned *guaranteed = &subject->vps.limits.cpus_guaranteed;
	unsigned step = lab->cpus / 40 > 5 ? lab->cpus / 40 : 5;

	if (err->kind != ERR_LEDGER || role != ROLE_HOG || !*guaranteed)
		return false;
	*guaranteed = *guaranteed > step ? *guaranteed - step : 0;
	return true;
}

static int subject_make(struct lab *lab, enum role role, const char *plan, struct err *err)
{
	struct subject *subject = &lab->subjects[role];
	struct vps *vps = &subject->vps;
	struct err again;

	vps_init(vps);
	strcpy(vps->image, lab->image);
	vps->restart = VPS_RESTART_NO;
	vps->onboot = VPS_ONBOOT_NO;
	vps->limits.accepted = lab->lacks;
	vps->link.accepted = lab->rates_lacking;
	role_name(lab, role, vps->name, sizeof(vps->name));
	if (role_fill(lab, role, plan, vps, err) < 0)
		return -1;
	for (;;) {
		struct vps wanted = *vps;

		if (subject_create(lab, subject, &subject->refused) == 0)
			return 0;
		if (lab_discard(lab->node, vps->name, &again) < 0) {
			*err = again;
			return -1;
		}
		*vps = wanted;
		if (!io_give_up(lab, subject, &subject->refused) &&
		    !net_give_up(lab, subject, &subject->refused) &&
		    !hog_give_up(lab, role, subject, &subject->refused))
			return 0;
	}
}

static int image_make(struct lab *lab, struct err *err)
{
	struct image image;
	unsigned random = 0;

	(void)!getrandom(&random, sizeof(random), 0);
	str_format(lab->image, sizeof(lab->image), "selftest:%08x", random);
	return image_build_single(lab->node->images, lab->image, probe_code, sizeof(probe_code),
				  LAB_SOURCE, &image, err);
}

int lab_make(struct lab *lab, const char *plan, struct err *err)
{
	lab->lacks = node_lacks(lab->node);
	lab->rates_lacking = link_rates_lacking();
	lab->cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) * 100;
	if (image_make(lab, err) < 0)
		return fail_in(err, "image");
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		if (subject_make(lab, role, plan, err) < 0)
			return -1;
	}
	return 0;
}

/* All are tried; the first failure is told. */
int lab_remove(struct lab *lab, struct err *err)
{
	struct image image;
	struct err one;
	int result = 0;

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		struct subject *subject = &lab->subjects[role];

		if (subject->vps.name[0] &&
		    lab_discard(lab->node, subject->vps.name, &one) < 0 && result == 0) {
			*err = one;
			result = -1;
		}
		vps_free(&subject->vps);
	}
	if (tree_remove(lab->node->templates, LAB_TEMPLATES, &one) < 0 && result == 0) {
		*err = one;
		result = -1;
	}
	if (lab->image[0] && node_image_remove(lab->node, lab->image, &image, &one) < 0 &&
	    one.kind != ERR_NO_IMAGE && result == 0) {
		*err = one;
		result = -1;
	}
	return result;
}

bool lab_has(struct lab *lab, enum role role, const char *name)
{
	const struct subject *subject = &lab->subjects[role];
	struct proof proof = proof_of(name, NAN, NAN, "");
	const struct err *why = &subject->refused;

	if (subject->init)
		return true;
	/* no room, no address, no controller: nothing that was promised to anybody */
	lab_prove(lab, &proof,
		  why->kind == ERR_LEDGER || why->kind == ERR_KERNEL ||
			  why->kind == ERR_NO_SPACE
		      ? VERDICT_UNSUPPORTED
		      : VERDICT_FAIL,
		  "no VPS '%s': %.150s", role_names[role], why->msg);
	return false;
}

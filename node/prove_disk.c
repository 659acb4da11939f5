/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cgroups.h"
#include "images.h"
#include "io.h"
#include "lab.h"
#include "node.h"
#include "own.h"
#include "str.h"

#define MEBI (UINT64_C(1) << 20)

/* A file system needs some of its disk itself; and of what it calls free it keeps little. */
#define USABLE	  0.75
#define AS_SAID	  0.95
#define INODES	  20000u /* more are not made, one by one, within a moment */
#define SPEED_MS  1500u
#define TOLERANCE 0.10
#define OPERATION 4096u /* small, so that bytes are not what limits them */

static void size_prove(struct lab *lab)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	struct proof proof = proof_of("disk", (double)main->vps.volume.size, NAN, "bytes");
	own_probe probe = probe_none();
	uint64_t used = 0;
	struct err err;

	own_fd dir = vps_dir(lab->node, main->vps.name, &err);
	if (dir < 0 ||
	    probe_start(&probe, main, &err, "fill %" PRIu64, 2 * main->vps.volume.size) < 0 ||
	    probe_finish(&probe, &err) < 0 || volume_usage(dir, &used, &err) < 0) {
		lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
		return;
	}

	double total = (double)probe_number(&probe, "total");
	double free = (double)probe_number(&probe, "free");
	double written = (double)probe_number(&probe, "written");
	uint64_t code = probe_number(&probe, "errno");

	proof.measured = written;
	if (code != ENOSPC || written > proof.promised || (double)used > proof.promised)
		lab_prove(lab, &proof, VERDICT_FAIL,
			  "more was written than its disk holds (errno %" PRIu64 ")", code);
	else if (total > proof.promised || total < USABLE * proof.promised ||
		 written < AS_SAID * free)
		lab_prove(lab, &proof, VERDICT_FAIL,
			  "df does not agree: %.0f bytes, of which %.0f free", total, free);
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

static void inodes_prove(struct lab *lab)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	struct proof proof = proof_of("inodes", main->vps.volume.inodes, NAN, "files");
	own_probe probe = probe_none();
	struct err err;

	if (!main->vps.volume.inodes || main->vps.volume.inodes > INODES) {
		lab_prove(lab, &proof, VERDICT_UNSUPPORTED,
			  main->vps.volume.inodes ? "so many files take too long to make"
						  : "the plan has no limit of files");
		return;
	}
	if (probe_start(&probe, main, &err, "files %u", 2 * main->vps.volume.inodes) < 0 ||
	    probe_finish(&probe, &err) < 0) {
		lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
		return;
	}

	double total = (double)probe_number(&probe, "total");
	double free = (double)probe_number(&probe, "free");
	double made = (double)probe_number(&probe, "made");

	proof.measured = made;
	if (probe_number(&probe, "errno") != ENOSPC || made > proof.promised)
		lab_prove(lab, &proof, VERDICT_FAIL, "more files were made than it may have");
	else if (total > proof.promised || made < AS_SAID * free)
		lab_prove(lab, &proof, VERDICT_FAIL,
			  "df -i does not agree: %.0f files, of which %.0f free", total, free);
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

/* What one speed is told of: "io-read" by bytes, "io-read-ops" by operations. */
static const struct speed {
	const char *name, *verb, *unit;
	unsigned limit;
	unsigned block;
} speeds[] = {
	{ "io-write", "write", "bytes/s", LIMIT_IO_WRITE, 65536 },
	{ "io-read", "read", "bytes/s", LIMIT_IO_READ, 65536 },
	{ "io-read-ops", "read", "ops/s", LIMIT_IO_READ, OPERATION },
	{ "io-write-ops", "write", "ops/s", LIMIT_IO_WRITE, OPERATION },
};

static double speed_promised(const struct lab *lab, const struct speed *speed)
{
	const struct limits *limits = &lab->subjects[ROLE_MAIN].vps.limits;
	const struct io_limit *io =
	    speed->limit == LIMIT_IO_READ ? &limits->io_read : &limits->io_write;

	return speed->block == OPERATION ? io->ops : (double)io->bytes;
}

static struct proof speed_told(struct proof proof, enum verdict verdict, const char *reason)
{
	proof.verdict = verdict;
	str_format(proof.reason, sizeof(proof.reason), "%.150s", reason);
	return proof;
}

static struct proof speed_measure(const struct lab *lab, const struct speed *speed)
{
	struct proof proof =
	    proof_of(speed->name, speed_promised(lab, speed), NAN, speed->unit);
	own_probe probe = probe_none();
	struct err err;

	if (probe_start(&probe, &lab->subjects[ROLE_MAIN], &err, "%s %u %u", speed->verb,
			SPEED_MS, speed->block) < 0 ||
	    probe_ready(&probe, &err) < 0 || probe_finish(&probe, &err) < 0)
		return speed_told(proof, VERDICT_FAIL, err.msg);
	switch (probe_number(&probe, "errno")) {
	case 0:
		break;
	case EINVAL:
		return speed_told(proof, VERDICT_UNSUPPORTED,
				  "this file system does nothing past the page cache");
	default:
		return speed_told(proof, VERDICT_FAIL,
				  strerror((int)probe_number(&probe, "errno")));
	}
	proof.measured = (double)probe_number(&probe, "bytes") * 1e6 /
			 (double)(probe_number(&probe, "usec") + 1);
	if (speed->block == OPERATION)
		proof.measured /= speed->block;
	return speed_judge(&proof, TOLERANCE, "disk");
}

static void speed_prove(struct lab *lab, const struct speed *speed)
{
	double promised = speed_promised(lab, speed);
	struct proof proofs[LAB_ATTEMPTS],
	    best = proof_of(speed->name, promised, NAN, speed->unit);
	unsigned count = 0;

	if (promised <= 0)
		return;
	if (lab->io_lacks[0] || lab->lacks & speed->limit) {
		lab_prove(lab, &best, VERDICT_UNSUPPORTED, "%s",
			  lab->io_lacks[0] ? lab->io_lacks
					   : "this node cannot limit the speed of a disk");
		return;
	}
	do {
		proofs[count++] = speed_measure(lab, speed);
		best = proof_best(proofs, count);
	} while (best.verdict != VERDICT_PASS && count < LAB_ATTEMPTS && now_ms() < lab->end);
	lab_prove(lab, &best, best.verdict, "%s", best.reason);
}

void prove_disk(struct lab *lab)
{
	if (lab_has(lab, ROLE_MAIN, "inodes"))
		inodes_prove(lab);
	if (lab_has(lab, ROLE_MAIN, "disk"))
		size_prove(lab);
}

void prove_io(struct lab *lab)
{
	for (size_t i = 0; lab->subjects[ROLE_MAIN].init && i < ARRAY_SIZE(speeds); i++)
		speed_prove(lab, &speeds[i]);
}

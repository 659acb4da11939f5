/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "../node/lab.h"
#include "io.h"
#include "own.h"

static struct probe said(const char *text)
{
	struct probe probe = probe_none();

	strcpy(probe.text, text);
	probe.used = strlen(text);
	return probe;
}

Test(lab, a_probe_says_numbers_line_by_line)
{
	const struct probe probe = said("made 62\nerrno 11\nready 1\n");

	cr_expect_eq(probe_number(&probe, "made"), 62);
	cr_expect_eq(probe_number(&probe, "errno"), 11);
	cr_expect_eq(probe_number(&probe, "mad"), 0);
	cr_expect_eq(probe_number(&probe, "none"), 0);
}

Test(lab, a_probe_says_words_which_are_listed)
{
	const struct probe probe = said("opened /dev/mem\nrefused 3\nopened /dev/kmsg\n");
	char words[64];

	probe_words(&probe, "opened", words, sizeof(words));
	cr_expect_str_eq(words, "/dev/mem, /dev/kmsg");
	probe_words(&probe, "made", words, sizeof(words));
	cr_expect_str_eq(words, "");
}

Test(lab, words_that_do_not_fit_are_cut)
{
	const struct probe probe = said("opened /dev/mem\nopened /dev/kmsg\n");
	char words[12];

	probe_words(&probe, "opened", words, sizeof(words));
	cr_expect_str_eq(words, "/dev/mem, /");
}

/* A lab whose subject could not be had for @kind, and the proof that comes of it. */
static struct proof refused(enum err_kind kind, bool *has)
{
	struct lab lab = { .out = -1 };
	struct proof proof;
	int pipe[2];

	cr_assert_eq(pipe2(pipe, 0), 0);
	lab.out = pipe[1];
	fail_as(&lab.subjects[ROLE_HOG].refused, kind, "it does not fit");
	*has = lab_has(&lab, ROLE_HOG, "cpu-guarantee");
	cr_assert_eq(read_all(pipe[0], &proof, sizeof(proof)), 0);
	close(pipe[0]);
	close(pipe[1]);
	return proof;
}

Test(lab, a_vps_that_the_node_has_no_room_for_proves_nothing)
{
	bool has = true;
	struct proof proof = refused(ERR_LEDGER, &has);

	cr_expect_eq(has, false);
	cr_expect_eq(proof.verdict, VERDICT_UNSUPPORTED);
	cr_expect_str_eq(proof.name, "cpu-guarantee");
	cr_expect_str_eq(proof.reason, "no VPS 'hog': it does not fit");
}

Test(lab, a_vps_that_cannot_be_started_is_a_failure)
{
	bool has = true;

	cr_expect_eq(refused(ERR_SYSTEM, &has).verdict, VERDICT_FAIL);
}

Test(lab, one_that_runs_is_there)
{
	struct lab lab = { .subjects[ROLE_HOG].init = 17, .out = -1 };

	cr_expect(lab_has(&lab, ROLE_HOG, "cpu-guarantee"));
}

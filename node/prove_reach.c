/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lab.h"
#include "own.h"
#include "str.h"

/*
 * Device nodes that a VPS should never have, put into its /dev for a moment: whether one opens
 * is then up to the device policy alone.
 */
static const struct {
	const char *name;
	mode_t type;
	unsigned major, minor;
} nodes[] = {
	{ "proof-mem", S_IFCHR, 1, 1 },	    { "proof-kmsg", S_IFCHR, 1, 11 },
	{ "proof-fuse", S_IFCHR, 10, 229 }, { "proof-tun", S_IFCHR, 10, 200 },
	{ "proof-loop", S_IFCHR, 10, 237 }, { "proof-loop0", S_IFBLK, 7, 0 },
};

/* Its /dev, from outside. There runs nothing but the probe, yet we go by the rule. */
static int dev_open(const struct subject *subject, struct err *err)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
						 RESOLVE_NO_MAGICLINKS };
	char path[48];

	str_format(path, sizeof(path), "/proc/%d/root", subject->init);
	own_fd root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dev = root < 0 ? -1 : (int)syscall(SYS_openat2, root, "dev", &how, sizeof(how));

	return dev < 0 ? fail(err, errno, "cannot open the VPS's /dev") : dev;
}

static int nodes_make(int dev, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (mknodat(dev, nodes[i].name, nodes[i].type,
			    makedev(nodes[i].major, nodes[i].minor)) < 0 ||
		    fchmodat(dev, nodes[i].name, 0666, 0) < 0)
			return fail(err, errno, "cannot make '/dev/%s'", nodes[i].name);
	}
	return 0;
}

static void nodes_remove(int dev)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		(void)unlinkat(dev, nodes[i].name, 0);
}

/* All that it tried was refused, or else what was not. */
static void refusals_judge(struct lab *lab, const char *name, const struct probe *probe,
			   const char *key, uint64_t tried)
{
	char words[160];
	uint64_t refused = probe_number(probe, "refused");

	probe_words(probe, key, words, sizeof(words));
	if (!tried)
		tried = refused + (*words ? 1 : 0);
	struct proof proof = proof_of(name, (double)tried, (double)refused, "refusals");
	if (*words)
		lab_prove(lab, &proof, VERDICT_FAIL, "%s: %s", key, words);
	else if (refused != tried)
		lab_prove(lab, &proof, VERDICT_FAIL, "some failed in another way");
	else
		lab_prove(lab, &proof, VERDICT_PASS, "%s", "");
}

static int opens_try(const struct subject *subject, struct probe *probe, struct err *err)
{
	char paths[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		used += (size_t)snprintf(paths + used, sizeof(paths) - used, " /dev/%s",
					 nodes[i].name);
	own_fd dev = dev_open(subject, err);
	if (dev < 0 || nodes_make(dev, err) < 0)
		return -1;
	int result = probe_start(probe, subject, err, "open%s", paths);
	if (result == 0)
		result = probe_finish(probe, err);
	nodes_remove(dev);
	return result;
}

static void devices_prove(struct lab *lab)
{
	own_probe probe = probe_none();
	struct err err;

	if (opens_try(&lab->subjects[ROLE_MAIN], &probe, &err) < 0) {
		struct proof proof = proof_of("devices", NAN, NAN, "");

		lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
		return;
	}
	refusals_judge(lab, "devices", &probe, "opened", ARRAY_SIZE(nodes));
}

static void verb_prove(struct lab *lab, const char *name, const char *verb, const char *key)
{
	own_probe probe = probe_none();
	struct err err;

	if (probe_start(&probe, &lab->subjects[ROLE_MAIN], &err, "%s", verb) < 0 ||
	    probe_finish(&probe, &err) < 0) {
		struct proof proof = proof_of(name, NAN, NAN, "");

		lab_prove(lab, &proof, VERDICT_FAIL, "%s", err.msg);
		return;
	}
	refusals_judge(lab, name, &probe, key, 0);
}

void prove_reach(struct lab *lab)
{
	if (lab_has(lab, ROLE_MAIN, "devices"))
		devices_prove(lab);
	if (lab_has(lab, ROLE_MAIN, "mknod"))
		verb_prove(lab, "mknod", "mknod", "made");
	if (lab_has(lab, ROLE_MAIN, "reach"))
		verb_prove(lab, "reach", "reach", "reached");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "floor.h"
#include "own.h"
#include "str.h"

/*
 * The kernel's share of starting a VPS, and nothing else: the same mounts, namespaces, groups
 * and links as nodectl makes, in one straight line without libraries.  What
 * "nodectl start" takes more than this is our own.
 */

#define ROUNDS_MAX 10000

/* The host ids of VPS 28000, which a node of this size never has. */
#define BASE (524288u + 65536u * 28000u)

static const char *const names[PHASES] = {
	[PHASE_CGROUPS] = "cgroups and limits",
	[PHASE_NAMESPACE] = "mount namespace",
	[PHASE_VOLUME] = "loop and ext4",
	[PHASE_IDMAP] = "idmap namespace",
	[PHASE_OVERLAY] = "idmapped layers, overlay",
	[PHASE_CLONE] = "clone3, 7 namespaces",
	[PHASE_MAPS] = "id maps",
	[PHASE_JOIN] = "join v1 cgroups",
	[PHASE_LINK] = "veth pair",
	[PHASE_WAKE] = "wake the guest",
	[PHASE_MOUNTS] = "guest mounts",
	[PHASE_PIVOT] = "pivot_root",
	[PHASE_SECCOMP] = "seccomp",
	[PHASE_EXEC] = "exec",
	[PHASE_START] = "START",
	[PHASE_KILL] = "kill and wait",
	[PHASE_UNLINK] = "veth gone",
	[PHASE_UNMOUNT] = "unmount, loop free",
	[PHASE_RMDIR] = "cgroups gone",
	[PHASE_STOP] = "STOP",
};

static int compare(const void *one, const void *two)
{
	double a = *(const double *)one, b = *(const double *)two;

	return (a > b) - (a < b);
}

static void table_print(double (*spent)[PHASES], unsigned rounds)
{
	double *column = xcalloc(rounds, sizeof(*column));

	printf("%-26s %8s %8s\n", "microseconds", "median", "p95");
	for (unsigned phase = 0; phase < PHASES; phase++) {
		for (unsigned i = 0; i < rounds; i++)
			column[i] = spent[i][phase];
		qsort(column, rounds, sizeof(*column), compare);
		printf("%-26s %8.0f %8.0f\n", names[phase], column[rounds / 2],
		       column[rounds * 95 / 100]);
	}
	free(column);
}

/* What is not a hole; the copy has no name any more, only our descriptor. */
static int volume_copy(const char *from, char *path, size_t size, struct err *err)
{
	own_fd source = open(from, O_RDONLY | O_CLOEXEC);
	int copy = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct stat stat;
	off_t at = 0, end;

	if (source < 0 || copy < 0 || fstat(source, &stat) < 0 ||
	    ftruncate(copy, stat.st_size) < 0)
		return fail(err, errno, "cannot copy '%s'", from);
	while ((at = lseek(source, at, SEEK_DATA)) >= 0) {
		end = lseek(source, at, SEEK_HOLE);
		if (lseek(copy, at, SEEK_SET) < 0)
			return fail(err, errno, "cannot copy '%s'", from);
		while (at < end) {
			if (copy_file_range(source, &at, copy, NULL, (size_t)(end - at), 0) <=
			    0)
				return fail(err, errno, "cannot copy '%s'", from);
		}
	}
	str_format(path, size, "/proc/%d/fd/%d", getpid(), copy);
	return fsync(copy) < 0 ? fail(err, errno, "cannot copy '%s'", from) : 0;
}

/* Between two rounds nothing of ours exists, so that is when to obey an interrupt. */
static bool interrupted(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM);
}

static int measure(struct floor *floor, unsigned rounds, struct err *err)
{
	size_t size = (rounds + 1) * sizeof(double[PHASES]);
	double(*spent)[PHASES] =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned done = 0;

	if (spent == MAP_FAILED)
		return fail(err, errno, "cannot allocate");

	/* the first fills caches and counts for nothing */
	for (unsigned i = 0; i <= rounds && !interrupted(); i++) {
		floor->spent = spent[i];
		if (floor_run(floor, err) < 0)
			return -1;
		done = i;
	}
	if (done)
		table_print(spent + 1, done);
	return 0;
}

int main(int argc, char *argv[])
{
	static const char *const init[] = { "/sbin/init", NULL };
	struct floor floor = { .base = BASE, .argv = init };
	unsigned long rounds = 20;
	struct err err;
	sigset_t quit;
	int option;

	while ((option = getopt(argc, argv, "+n:s")) != -1) {
		if (option == 'n')
			rounds = strtoul(optarg, NULL, 10);
		else if (option == 's')
			floor.filter = true;
		else
			rounds = 0;
	}
	if (argc - optind < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: floor [-s] [-n rounds] image-root volume.img "
				"[program [argument ...]]\n");
		return 2;
	}
	floor.image = argv[optind];
	if (argc - optind > 2)
		floor.argv = (const char *const *)argv + optind + 2;
	str_format(floor.name, sizeof(floor.name), "floor%d", getpid());

	sigemptyset(&quit);
	sigaddset(&quit, SIGINT);
	sigaddset(&quit, SIGTERM);
	sigprocmask(SIG_BLOCK, &quit, NULL);

	if (volume_copy(argv[optind + 1], floor.volume, sizeof(floor.volume), &err) < 0 ||
	    measure(&floor, (unsigned)rounds, &err) < 0) {
		fprintf(stderr, "floor: %s\n", err.msg);
		return 1;
	}
	return 0;
}

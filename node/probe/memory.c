/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../probe.h"
#include "probe.h"
#include "program.h"

#define PAGE 4096u

/* What a child tells while it lives: nobody hears it when it is killed. */
struct told {
	uint64_t steps;
	uint32_t usec[]; /* of each step */
};

static void *memory_take(size_t size)
{
	void *memory =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* page by page: a huge one would be 32 steps at once */
	(void)madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

/* Whoever runs out of memory, it shall be us. */
static void victim_become(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) == 4)
		close(fd);
}

static void touch_child(pid_t parent, struct told *told, uint64_t steps)
{
	char *memory = memory_take(steps * PROBE_STEP);

	if (!end_with(parent))
		_exit(1);
	victim_become();
	for (uint64_t i = 0; memory && i < steps; i++) {
		uint64_t began = now_ns();

		for (unsigned at = 0; at < PROBE_STEP; at += PAGE)
			memory[i * PROBE_STEP + at] = 1;
		told->usec[i] = (uint32_t)((now_ns() - began) / 1000);
		told->steps = i + 1;
	}
	_exit(memory ? 0 : 1);
}

static int compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* One that was interrupted for long says nothing of memory: the median. */
static uint64_t median(uint32_t *usec, uint64_t count)
{
	if (!count)
		return 0;
	qsort(usec, count, sizeof(*usec), compare);
	return usec[count / 2];
}

static uint64_t mean(const uint32_t *usec, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += usec[i];
	return count ? sum / count : 0;
}

int probe_touch(char *argv[])
{
	uint64_t steps = number(argv[0]) / PROBE_STEP, gap = number(argv[1]) / PROBE_STEP;
	size_t size = sizeof(struct told) + steps * sizeof(uint32_t);
	struct told *told =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), pid;
	int status;

	if (told == MAP_FAILED)
		return 1;
	/* not when the memory is needed that it takes */
	memset(told, 0, size);
	pid = fork();
	if (pid == 0)
		touch_child(parent, told, steps);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	say("touched", told->steps * PROBE_STEP);
	say("signal", WIFSIGNALED(status) ? (unsigned)WTERMSIG(status) : 0);
	/* the middle half of the gap: where it begins is known to some pages only, and at its
	 * end the kernel looks for memory before it kills */
	if (told->steps > 4 * gap) {
		say("near", 1000 * mean(told->usec + told->steps - gap + gap / 4, gap / 2));
		say("before", 1000 * median(told->usec, told->steps - 2 * gap));
	}
	return 0;
}

int probe_hold(char *argv[])
{
	uint64_t size = number(argv[0]);
	char *memory = memory_take(size);
	uint64_t wrong = 0;

	if (!memory)
		return 1;
	for (uint64_t at = 0; at < size; at += PAGE)
		memory[at] = (char)(at / PAGE);
	stay();
	for (uint64_t at = 0; at < size; at += PAGE)
		wrong += memory[at] != (char)(at / PAGE);
	say("intact", wrong == 0);
	return 0;
}

/* A clean file in the page cache: memory that can be had for nothing, and goes first. */
static int cache_fill(const char *path, uint64_t size)
{
	static char block[PROBE_STEP];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	memset(block, 'x', sizeof(block));
	for (uint64_t at = 0; fd >= 0 && at < size; at += sizeof(block)) {
		if (write(fd, block, sizeof(block)) != sizeof(block)) {
			close(fd);
			return -1;
		}
	}
	return fd >= 0 && fsync(fd) == 0 ? fd : -1;
}

static uint64_t resident(const void *memory, uint64_t size)
{
	static unsigned char in[PROBE_STEP];
	uint64_t count = 0;

	for (uint64_t at = 0; at < size; at += sizeof(in) * PAGE) {
		uint64_t length = size - at < sizeof(in) * PAGE ? size - at : sizeof(in) * PAGE;

		if (mincore((char *)memory + at, length, in) < 0)
			return 0;
		for (uint64_t i = 0; i < length / PAGE; i++)
			count += in[i] & 1;
	}
	return count * PAGE;
}

int probe_cache(char *argv[])
{
	uint64_t size = number(argv[0]) / PROBE_STEP * PROBE_STEP;
	int fd = cache_fill("/cache", size);
	void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return 1;
	say("before", resident(memory, size));
	stay();
	say("resident", resident(memory, size));
	return unlink("/cache") < 0;
}

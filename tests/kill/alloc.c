// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LD_PRELOAD this, and one allocation of a command and all that it forks gets no memory.
 *
 * The file that ALLOC names is what they all count in (struct count): it is there before, and
 * tells afterwards how many allocations there were.  What comes before main() is not counted,
 * nor what is linked statically.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct count {
	_Atomic int64_t made;
	int64_t fails; /* the number of the one that gets nothing; 0: none does */
};

static struct count *count;

/* What glibc calls its own. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t members, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv("ALLOC");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *there =
	    fd < 0 ? MAP_FAILED
		   : mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (there != MAP_FAILED)
		count = there;
	if (fd >= 0)
		close(fd);
}

static int is_refused(void)
{
	if (!count || atomic_fetch_add(&count->made, 1) + 1 != count->fails)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t members, size_t size)
{
	return is_refused() ? NULL : __libc_calloc(members, size);
}

void *realloc(void *old, size_t size)
{
	return is_refused() ? NULL : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
	return is_refused() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	void *got = memalign(alignment, size);

	if (!got)
		return ENOMEM;
	*memory = got;
	return 0;
}

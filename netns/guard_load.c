/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "err.h"
#include "guard.object.h"
#include "io.h"
#include "link.h"
#include "own.h"
#include "str.h"

#define BPF_FS	     "/sys/fs/bpf"
#define BPF_FS_TYPE  0xcafe4a11
#define RCU_KNOB     "/sys/kernel/rcu_expedited"
#define HURRY_MARKER GUARD_TOP "/hurry"

static const char *way_name(enum guard_way way)
{
	switch (way) {
	case GUARD_FROM:
		return "from";
	case GUARD_TO:
		return "to";
	}
	return "";
}

#define HERE "/proc/thread-self/ns/net"

/*
 * A directory for each network namespace, by its inode number.  Nobody sweeps those of others,
 * for nothing tells that a namespace is gone: it may live by a mount or an open file that no
 * /proc of ours shows, without an interface, and what is counted in its meters is wanted by the
 * next nodectl there.  They end with the boot; a namespace that gets the number again finds
 * what repair removes from its own.
 */
void guard_path(char path[GUARD_PATH], const char *format, ...)
{
	struct stat here;
	size_t used;
	va_list args;

	/* where that cannot be told nothing is absent (ENOENT) either: below a file is ENOTDIR
	 */
	if (stat(HERE, &here) == 0)
		str_format(path, GUARD_PATH, GUARD_TOP "/%lu/", (unsigned long)here.st_ino);
	else
		str_format(path, GUARD_PATH, HERE "/");
	used = strlen(path);
	va_start(args, format);
	(void)vsnprintf(path + used, GUARD_PATH - used, format, args);
	va_end(args);
}

/* Another nodectl's program has another sum, and both may be there. */
static void program_path(enum guard_way way, char path[GUARD_PATH])
{
	guard_path(path, "%s-" GUARD_SUM, way_name(way));
}

void guard_link_path(unsigned id, enum guard_way way, char path[GUARD_PATH])
{
	guard_path(path, "nv%u-%s", id, way_name(way));
}

static int mounted(struct err *err)
{
	struct statfs stat;

	if (statfs(BPF_FS, &stat) == 0 && (unsigned)stat.f_type == BPF_FS_TYPE)
		return 0;
	if (mount("bpf", BPF_FS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return fail(err, errno, "cannot mount the BPF file system on '%s'", BPF_FS);
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* Unknown to this kernel, or forbidden on it. */
static int refused(struct err *err, int code, const char *what)
{
	return fail_as(err, ERR_KERNEL,
		       "this kernel cannot %s the guard (%s), and there is no link without it; "
		       "see 'nodectl doctor'",
		       what, strerror(code));
}

static void object_free(struct bpf_object **object)
{
	bpf_object__close(*object);
}

#define own_object __attribute__((cleanup(object_free))) struct bpf_object

static int object_load(struct bpf_object **loaded, bool pin, struct err *err)
{
	char home[GUARD_PATH];
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "guard",
		    .pin_root_path = home);
	own_object *object = NULL;
	struct bpf_map *map;

	guard_path(home, ".");
	libbpf_set_print(quiet);
	object = bpf_object__open_mem(guard_object, sizeof(guard_object), &options);
	if (!object)
		return fail(err, errno, "cannot read the guard");
	bpf_object__for_each_map(map, object)
	{
		if (!pin && bpf_map__set_pin_path(map, NULL) < 0)
			return fail(err, errno, "cannot read the guard");
	}
	if (bpf_object__load(object) < 0)
		return refused(err, errno, "load");
	*loaded = object;
	object = NULL;
	return 0;
}

static int program_of(const struct bpf_object *object, enum guard_way way)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(
	    object, way == GUARD_FROM ? "guard_from" : "guard_to");

	return program ? bpf_program__fd(program) : -1;
}

int guard_load(int programs[GUARD_WAYS], struct err *err)
{
	own_object *object = NULL;

	if (object_load(&object, false, err) < 0)
		return -1;
	for (unsigned i = 0; i < GUARD_WAYS; i++)
		programs[i] = fcntl(program_of(object, i), F_DUPFD_CLOEXEC, 3);
	return 0;
}

static bool is_loaded(void)
{
	char path[GUARD_PATH];

	for (unsigned i = 0; i < GUARD_WAYS; i++) {
		program_path(i, path);
		if (access(path, F_OK) < 0)
			return false;
	}
	return true;
}

/* Programs of nodectls that were here before: what they are attached to keeps them. */
static void older_unpin(void)
{
	char home[GUARD_PATH];
	struct dirent *entry;

	guard_path(home, ".");
	own_dir dir = opendir(home);

	while (dir && (entry = readdir(dir))) {
		const char *name = entry->d_name, *sum = strchr(name, '-');

		if (sum && (strncmp(name, "from-", 5) == 0 || strncmp(name, "to-", 3) == 0) &&
		    strcmp(sum + 1, GUARD_SUM) != 0)
			(void)unlinkat(dirfd(dir), name, 0);
	}
}

static int load_and_pin(struct err *err)
{
	own_object *object = NULL;
	char path[GUARD_PATH];

	if (object_load(&object, true, err) < 0)
		return -1;
	for (unsigned i = 0; i < GUARD_WAYS; i++) {
		program_path(i, path);
		(void)unlink(path);
		if (bpf_obj_pin(program_of(object, i), path) < 0)
			return fail(err, errno, "cannot pin '%s'", path);
	}
	older_unpin();
	return 0;
}

int guard_ensure(struct err *err)
{
	char home[GUARD_PATH];

	if (is_loaded())
		return 0;
	guard_path(home, ".");
	if (mounted(err) < 0)
		return -1;
	home[strlen(home) - 2] = 0;
	if (mkdir(GUARD_TOP, 0700) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot make '" GUARD_TOP "'");
	own_fd lock = dir_take(home, err);
	if (lock < 0)
		return -1;
	return is_loaded() ? 0 : load_and_pin(err);
}

int guard_index_note(unsigned id, uint32_t index, struct err *err)
{
	char path[GUARD_PATH], text[16];

	guard_path(path, "nv%u", id);
	str_format(text, sizeof(text), "%u", index);
	if (symlink(text, path) == 0 || (errno == EEXIST && guard_index_find(id) == index))
		return 0;
	if (unlink(path) < 0 || symlink(text, path) < 0)
		return fail(err, errno, "cannot make '%s'", path);
	return 0;
}

uint32_t guard_index_find(unsigned id)
{
	char path[GUARD_PATH], text[16] = { 0 };

	guard_path(path, "nv%u", id);
	return readlink(path, text, sizeof(text) - 1) > 0 ? (uint32_t)strtoul(text, NULL, 10)
							  : 0;
}

void guard_index_forget(unsigned id)
{
	char path[GUARD_PATH];

	guard_path(path, "nv%u", id);
	(void)unlink(path);
}

void guard_index_each(void (*each)(unsigned id, void *arg), void *arg)
{
	char home[GUARD_PATH];
	struct dirent *entry;
	unsigned id;

	guard_path(home, ".");
	own_dir dir = opendir(home);
	while (dir && (entry = readdir(dir))) {
		if (link_id(entry->d_name, &id))
			each(id, arg);
	}
}

static int pinned_open(const char *path, struct err *err)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return fail(err, errno, "cannot open the guard's '%s'", path);
	return fd;
}

int guard_map_open(const char *name, struct err *err)
{
	char path[GUARD_PATH];

	guard_path(path, "%s", name);
	return pinned_open(path, err);
}

int guard_program_open(enum guard_way way, unsigned *number, struct err *err)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	char path[GUARD_PATH];

	program_path(way, path);
	own_fd program = pinned_open(path, err);
	if (program < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(program, &info, &size) < 0)
		return fail(err, errno, "cannot look at '%s'", path);
	*number = info.id;
	return take_fd(&program);
}

static bool knob_write(char value)
{
	own_fd knob = open(RCU_KNOB, O_WRONLY | O_CLOEXEC);

	return knob >= 0 && write(knob, &value, 1) == 1;
}

static char knob_read(void)
{
	own_fd knob = open(RCU_KNOB, O_RDONLY | O_CLOEXEC);
	char value = 0;

	return knob >= 0 && read(knob, &value, 1) == 1 ? value : 0;
}

/*
 * The marker tells an operator's own setting from one that somebody who was killed has left:
 * the next one ends it.
 */
void guard_hurry_begin(struct guard_hurry *hurry)
{
	if (hurry->fd >= 0)
		return;
	hurry->fd = open(GUARD_TOP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (hurry->fd < 0 || flock(hurry->fd, LOCK_EX) < 0)
		return;
	hurry->set = knob_read() == '0'
			 ? symlink("1", HURRY_MARKER) == 0 || errno == EEXIST
			 : faccessat(AT_FDCWD, HURRY_MARKER, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (hurry->set)
		(void)knob_write('1');
}

/* The marker goes last: without it the knob would be taken for the operator's own. */
static int hurry_undo(struct err *err)
{
	if (!knob_write('0') || unlink(HURRY_MARKER) < 0)
		return fail(err, errno, "cannot set '%s' back", RCU_KNOB);
	return 0;
}

int guard_hurry_left(bool dry, struct err *err)
{
	if (faccessat(AT_FDCWD, HURRY_MARKER, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	own_fd top = open(GUARD_TOP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* or somebody is in a hurry just now */
	if (top < 0 || flock(top, LOCK_EX | LOCK_NB) < 0 ||
	    faccessat(AT_FDCWD, HURRY_MARKER, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return dry || hurry_undo(err) == 0 ? 1 : -1;
}

void guard_hurry_end(struct guard_hurry *hurry)
{
	struct err ignored;

	if (hurry->set)
		(void)hurry_undo(&ignored);
	if (hurry->fd >= 0)
		close(hurry->fd);
	*hurry = (struct guard_hurry){ .fd = -1 };
}

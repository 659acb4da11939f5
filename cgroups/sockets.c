/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "sockets.object.h"
#include "sockets_map.h"

#define TOP  "/sys/fs/bpf/nodectl"
#define HOME TOP "/sockets"

/* Each nodectl's program has a sum of its own; all count in the same map. */
#define PROGRAM HOME "/program-" SOCKETS_SUM
#define MAP	HOME "/states"

static void object_free(struct bpf_object **object)
{
	bpf_object__close(*object);
}

#define own_object __attribute__((cleanup(object_free))) struct bpf_object

/* A descriptor of the program, or -errno. */
static int program_load(bool pin)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "sockets",
		    .pin_root_path = HOME);
	own_object *object = NULL;
	struct bpf_program *program;
	struct bpf_map *map;
	int result;

	libbpf_set_print(NULL);
	object = bpf_object__open_mem(sockets_object, sizeof(sockets_object), &options);
	if (!object)
		return -errno;
	bpf_object__for_each_map(map, object)
	{
		if (!pin && bpf_map__set_pin_path(map, NULL) < 0)
			return -errno;
	}
	result = bpf_object__load(object);
	if (result < 0)
		return result;
	program = bpf_object__find_program_by_name(object, "sockets");
	if (pin && bpf_obj_pin(bpf_program__fd(program), PROGRAM) < 0)
		return -errno;
	result = fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 3);
	return result < 0 ? -errno : result;
}

/* A descriptor of it, or -errno; it is pinned from then on.  What has no network may come
 * before the BPF file system is mounted, which takes the pins. */
static int program_pinned(void)
{
	struct err ignored;
	int program = bpf_obj_get(PROGRAM);

	if (program >= 0)
		return program;
	if (mkdir(TOP, 0700) < 0 && errno != EEXIST)
		return program_load(false);
	own_fd lock = dir_take(HOME, &ignored);
	if (lock < 0)
		return -ignored.code;
	program = bpf_obj_get(PROGRAM);
	return program >= 0 ? program : program_load(true);
}

/* Is it among those of the group? */
static bool is_attached(int dir, int program)
{
	uint32_t ids[16], flags, count = ARRAY_SIZE(ids);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_prog_query(dir, BPF_CGROUP_SETSOCKOPT, 0, &flags, ids, &count) < 0 || !count ||
	    bpf_obj_get_info_by_fd(program, &info, &size) < 0)
		return false;
	for (uint32_t i = 0; i < count && i < ARRAY_SIZE(ids); i++) {
		if (ids[i] == info.id)
			return true;
	}
	return false;
}

int sockets_attach(int dir, struct err *err)
{
	own_fd program = program_pinned();

	/* what this kernel can do without pins it can do with them */
	if (program < 0 && (is_passing(-program) || sockets_try()))
		return fail(err, -program, "cannot load what bounds the rings of sockets");
	if (program >= 0 && !is_attached(dir, program) &&
	    bpf_prog_attach(program, dir, BPF_CGROUP_SETSOCKOPT, BPF_F_ALLOW_MULTI) < 0)
		return fail(err, errno, "cannot bound the rings of its sockets");
	return 0;
}

bool sockets_attached(int dir)
{
	own_fd program = bpf_obj_get(PROGRAM);

	return program >= 0 ? is_attached(dir, program) : !sockets_try();
}

bool sockets_try(void)
{
	own_fd program = program_load(false);

	return program >= 0;
}

int cgroup_sockets(unsigned id, struct cgroup_sockets *sockets)
{
	struct sockets_state state;
	struct err ignored;
	struct stat stat;
	uint64_t key;

	own_fd group = group_open_unified(id, &ignored);
	own_fd map = bpf_obj_get(MAP);
	if (group < 0 || map < 0 || fstat(group, &stat) < 0)
		return -1;
	key = stat.st_ino;
	if (bpf_map_lookup_elem(map, &key, &state) < 0)
		return -1;
	*sockets = (struct cgroup_sockets){ .bound = SOCKETS_BYTES, .refused = state.refused };
	for (unsigned i = 0; i < SOCKETS_RINGS; i++)
		sockets->asked += state.rings[i].bytes[0] + state.rings[i].bytes[1];
	return 0;
}

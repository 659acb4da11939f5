/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "neighbours.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "guard_load.h"
#include "io.h"
#include "neighbours.object.h"
#include "neighbours_map.h"
#include "netns.h"
#include "own.h"
#include "str.h"

#define HOME GUARD_TOP "/neighbours"

/* There are nine, not all of them at a time. */
#define PROGRAMS 8u

/* What is left where all has been done: which way it is held. */
#define NOTE HOME "/way-" NEIGHBOURS_SUM

static const char *const notes[] = { "refuse", "kill", "none" };

/* The best first; NULL ends what is loaded beside what counts. */
static const struct {
	enum neighbours_way way;
	const char *programs[5];
} ways[] = {
	{ NEIGHBOURS_REFUSE,
	  { "neighbours_sent", "pressure_opened", "neighbours_asked", "neighbours_asked32" } },
	/* before Linux 6.8 */
	{ NEIGHBOURS_REFUSE, { "neighbours_sent", "pressure_opened", "neighbours_asked" } },
	{ NEIGHBOURS_KILL, { "neighbours_forked" } },
};

static bool is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static int object_open(struct bpf_object **object, const char *const *programs, bool pin,
		       bool kill)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "neighbours",
		    .pin_root_path = HOME);
	struct bpf_program *program;
	const uint8_t kills = kill;
	struct bpf_map *map;
	size_t size;

	*object = bpf_object__open_mem(neighbours_object, sizeof(neighbours_object), &options);
	if (!*object)
		return -errno;
	bpf_object__for_each_map(map, *object)
	{
		/* the only one that has a value from the beginning: whether it kills */
		if (bpf_map__initial_value(map, &size) &&
		    bpf_map__set_initial_value(map, &kills, sizeof(kills)) < 0)
			return -errno;
		if (!pin && bpf_map__pin_path(map) && bpf_map__set_pin_path(map, NULL) < 0)
			return -errno;
	}
	bpf_object__for_each_program(program, *object)
	{
		if (is_among(bpf_program__name(program), programs) &&
		    bpf_program__set_autoload(program, true) < 0)
			return -errno;
	}
	return 0;
}

static int program_attach(const struct bpf_program *program, bool pin, struct bpf_link **link)
{
	char path[GUARD_PATH];

	*link = bpf_program__attach(program);
	if (!*link)
		return -errno;
	str_format(path, sizeof(path), HOME "/%s-" NEIGHBOURS_SUM, bpf_program__name(program));
	return pin ? bpf_link__pin(*link, path) : 0;
}

/*
 * A kernel that is built with BPF LSM and not told to use it attaches what it never calls: so
 * something is sent, and whether it was heard is looked at.
 */
static bool is_called(const struct bpf_object *object)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct nlmsghdr nothing = { .nlmsg_len = sizeof(nothing),
					  .nlmsg_type = NLMSG_NOOP };
	uint32_t first = 0, called = 0;
	own_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int ran = bpf_object__find_map_fd_by_name(object, "ran");

	return fd >= 0 &&
	       sendto(fd, &nothing, sizeof(nothing), 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) == sizeof(nothing) &&
	       bpf_map_lookup_elem(ran, &first, &called) == 0 && called;
}

/* Pinned, it stays; else it was tried and nothing more.  0, or what libbpf says: -errno. */
static int way_begin(size_t way, bool pin)
{
	struct bpf_object *object = NULL;
	struct bpf_program *program;
	struct bpf_link *links[PROGRAMS] = { NULL };
	unsigned count = 0;
	int result =
	    object_open(&object, ways[way].programs, pin, ways[way].way == NEIGHBOURS_KILL);

	if (!object)
		return result;
	if (result == 0)
		result = bpf_object__load(object);
	bpf_object__for_each_program(program, object)
	{
		if (result == 0 && bpf_program__autoload(program) && count < PROGRAMS)
			result = program_attach(program, pin, &links[count++]);
	}
	if (result == 0 && ways[way].way == NEIGHBOURS_REFUSE && !is_called(object))
		result = -EOPNOTSUPP;
	/* what is pinned stays */
	while (count--)
		(void)bpf_link__destroy(links[count]);
	bpf_object__close(object);
	return result;
}

/* Links that are pinned, ours that were not all there and those of other nodectls; the maps
 * stay, for what they count is still there. */
static void links_unpin(void)
{
	own_dir dir = opendir(HOME);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strchr(entry->d_name, '-'))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

static int best(enum neighbours_way *way, bool pin, struct err *err)
{
	libbpf_set_print(NULL);
	*way = NEIGHBOURS_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(ways) && *way == NEIGHBOURS_NONE; i++) {
		int code = -way_begin(i, pin);

		if (!code)
			*way = ways[i].way;
		else if (pin)
			links_unpin();
		if (is_passing(code))
			return fail(err, code, "cannot load what bounds neighbour entries");
	}
	return 0;
}

enum neighbours_way neighbours_try(void)
{
	enum neighbours_way way;
	struct err ignored;

	return best(&way, false, &ignored) < 0 ? NEIGHBOURS_NONE : way;
}

/* The programs of a way, and those that count. */
static bool is_pinned(const char *program)
{
	char path[GUARD_PATH];

	str_format(path, sizeof(path), HOME "/%s-" NEIGHBOURS_SUM, program);
	return access(path, F_OK) == 0;
}

/* Whoever removed one of them has ended it. */
static bool is_done(void)
{
	char note[8] = "";

	if (readlink(NOTE, note, sizeof(note) - 1) < 0)
		return false;
	if (strcmp(note, notes[NEIGHBOURS_NONE]) == 0)
		return true;
	return is_pinned("neighbours_made") && is_pinned("neighbours_freed") &&
	       is_pinned("queues_made") && is_pinned("queues_freed") &&
	       (strcmp(note, notes[NEIGHBOURS_KILL]) == 0
		    ? is_pinned("neighbours_forked")
		    : is_pinned("neighbours_sent") && is_pinned("pressure_opened"));
}

int neighbours_ensure(struct err *err)
{
	if (is_done())
		return 0;
	own_fd lock = dir_take(HOME, err);
	if (lock < 0)
		return -1;
	if (is_done())
		return 0;
	/* first theirs, lest all is counted twice */
	links_unpin();
	enum neighbours_way way;
	if (best(&way, true, err) < 0)
		return -1;
	if (symlink(notes[way], NOTE) < 0)
		return fail(err, errno, "cannot make '" NOTE "'");
	return 0;
}

/* -1 with ENOENT where nothing is counted. */
static int map_open(const char *name)
{
	char path[GUARD_PATH];

	str_format(path, sizeof(path), HOME "/%s", name);
	return bpf_obj_get(path);
}

/* Which cell is that of VPS @id, 0: it has none; and forget it. */
static uint32_t space_of(int spaces, unsigned id)
{
	uint32_t space = 0;

	return bpf_map_lookup_elem(spaces, &id, &space) < 0 ? 0 : space;
}

static void former_remove(int spaces, int cells, unsigned id)
{
	uint32_t space = space_of(spaces, id), none = 0;
	struct neighbours_cell cell;

	/* its number may be another's by now */
	if (space && bpf_map_lookup_elem(cells, &space, &cell) == 0 && cell.id == id)
		(void)bpf_map_delete_elem(cells, &space);
	if (space)
		(void)bpf_map_update_elem(spaces, &id, &none, BPF_ANY);
}

int link_neighbours_bound(unsigned id, int init, struct err *err)
{
	struct neighbours_cell cell = { .id = id, .bound = LINK_NEIGHBOURS };
	char path[40];
	struct stat stat_of;
	uint32_t space;
	own_fd spaces = map_open("spaces"), cells = map_open("accounts");

	/* this kernel counts none */
	if ((spaces < 0 || cells < 0) && errno == ENOENT)
		return 0;
	str_format(path, sizeof(path), "/proc/%d/ns/user", init);
	if (spaces < 0 || cells < 0 || stat(path, &stat_of) < 0)
		return fail(err, errno, "cannot bound its neighbour entries");
	space = (uint32_t)stat_of.st_ino;
	if (space_of(spaces, id) == space && bpf_map_lookup_elem(cells, &space, &cell) == 0 &&
	    cell.id == id)
		return 0;
	former_remove(spaces, cells, id);
	/* the note first, by which it is found again */
	if (bpf_map_update_elem(spaces, &id, &space, BPF_ANY) < 0 ||
	    bpf_map_update_elem(cells, &space, &cell, BPF_ANY) < 0)
		return fail(err, errno, "cannot bound its neighbour entries");
	return 0;
}

void link_neighbours_forget(unsigned id)
{
	own_fd spaces = map_open("spaces"), cells = map_open("accounts");

	if (spaces >= 0 && cells >= 0)
		former_remove(spaces, cells, id);
}

bool neighbours_lack(unsigned id)
{
	struct link_neighbours neighbours;

	return access(HOME "/accounts", F_OK) == 0 && !link_neighbours(id, &neighbours);
}

bool link_neighbours(unsigned id, struct link_neighbours *neighbours)
{
	own_fd spaces = map_open("spaces"), cells = map_open("accounts");
	uint32_t space = spaces >= 0 ? space_of(spaces, id) : 0;
	struct neighbours_cell cell;

	if (cells < 0 || !space || bpf_map_lookup_elem(cells, &space, &cell) < 0 ||
	    cell.id != id)
		return false;
	*neighbours = (struct link_neighbours){
		.held = cell.held > 0 ? (uint64_t)cell.held : 0,
		.bound = cell.bound,
		.refused = cell.refused,
	};
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oom.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "group.h"
#include "io.h"
#include "own.h"
#include "str.h"

/*
 * What the kernel prints (mm/oom_kill.c, mm/memcontrol.c), with words of the tenant's in it:
 * names of processes and groups.  So lines are known by their beginning, which is the kernel's
 * alone, and read from their end, behind which no such word comes.
 *
 *	memory: usage 65536kB, limit 65536kB, failcnt 0
 *	Memory cgroup stats for /nodectl-vps.service/17:
 *	anon 66183168
 *	...					before Linux 6.5 all of them in one record
 *	Tasks state (memory values in pages):
 *	Memory cgroup out of memory: Killed process 9221 (tail) total-vm:65184kB,
 *	anon-rss:62976kB, file-rss:1296kB, shmem-rss:0kB, UID:1809317888 pgtables:160kB ...
 *
 * All but the last the kernel leaves out when it has killed much.
 */

/* Of memory.stat: what v2 and v1 call it. */
static const struct {
	const char *key, *name;
} stat_keys[] = {
	{ "anon", "anon" },   { "rss", "anon" },
	{ "file", "file" },   { "cache", "file" },
	{ "shmem", "shmem" }, { "kernel", "kernel" },
	{ "slab", "slab" },   { "pagetables", "pagetables" },
	{ "sock", "sock" },   { "swap", "swap" },
};

/* Does the text begin so?  What follows then. */
static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* The last occurrence. */
static char *last_of(char *text, const char *word)
{
	char *found = NULL;

	for (char *at = text; (at = strstr(at, word)); at++)
		found = at;
	return found;
}

static void report_reset(struct oom_reader *reader)
{
	reader->in_stat = false;
	reader->where = OOM_UNKNOWN;
	reader->limit = 0;
	reader->stat[0] = 0;
}

/* "/nodectl-vps.service/17:" is its own limit, "/nodectl-vps.service/17/guest/x:" one inside.
 */
static void group_take(struct oom_reader *reader, const char *path)
{
	unsigned id = group_id(path);
	char ours[GROUP_NAME];

	reader->in_stat = true;
	reader->stat[0] = 0;
	reader->where = OOM_UNKNOWN;
	group_name(reader->id, ours);
	if (strncmp(path + 1, ours, strlen(ours)) != 0)
		return;
	if (id == reader->id)
		reader->where = OOM_INSIDE;
	else if (strcmp(path + 1 + strlen(ours), ":") == 0)
		reader->where = OOM_VPS;
}

/* "anon 66183168", and nothing else */
static void stat_take(struct oom_reader *reader, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);
	size_t used = strlen(reader->stat);
	uint64_t bytes;
	char size[24];

	if (!blank || blank + 1 == line + len)
		return;
	for (const char *digit = blank + 1; digit < line + len; digit++) {
		if (!isdigit((unsigned char)*digit))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(stat_keys); i++) {
		if (strlen(stat_keys[i].key) != (size_t)(blank - line) ||
		    memcmp(stat_keys[i].key, line, (size_t)(blank - line)) != 0)
			continue;
		bytes = strtoull(blank + 1, NULL, 10);
		size_human(bytes, size, sizeof(size));
		if (bytes &&
		    used + strlen(stat_keys[i].name) + strlen(size) + 4 < sizeof(reader->stat))
			(void)sprintf(reader->stat + used, "%s%s %s", used ? ", " : "",
				      stat_keys[i].name, size);
	}
}

/* Lines of one record are parted by "\x0a", as /dev/kmsg escapes it. */
static void stats_take(struct oom_reader *reader, const char *text)
{
	const char *end;

	while ((end = strstr(text, "\\x0a"))) {
		stat_take(reader, text, (size_t)(end - text));
		text = end + 4;
	}
	stat_take(reader, text, strlen(text));
}

/* Already escaped by the kernel, but for what would end the quotes that we put around it. */
static void name_take(const char *from, const char *end, char *name, size_t size)
{
	size_t used = 0;

	for (; from < end && used + 5 < size; from++) {
		if (*from == '\'')
			used += (size_t)sprintf(name + used, "\\x27");
		else
			name[used++] = isprint((unsigned char)*from) ? *from : '?';
	}
	name[used] = 0;
}

/* "9221 (tail) total-vm:...", which is cut up. */
static bool kill_parse(char *text, struct oom_kill *kill, unsigned *uid)
{
	unsigned long long anon, file, shmem;
	char *sizes = last_of(text, ") total-vm:"), *name = strstr(text, " (");

	if (!sizes || !name || name + 2 > sizes ||
	    sscanf(
		sizes,
		") total-vm:%*ukB, anon-rss:%llukB, file-rss:%llukB, shmem-rss:%llukB, UID:%u",
		&anon, &file, &shmem, uid) != 4)
		return false;
	kill->pid = (pid_t)strtol(text, NULL, 10);
	kill->rss = (anon + file + shmem) * 1024;
	name_take(name + 2, sizes, kill->name, sizeof(kill->name));
	return kill->pid > 0;
}

static void kill_take(struct oom_reader *reader, uint64_t seq, char *text, bool node)
{
	struct oom_kill kill = { .seq = seq };
	unsigned uid;

	/* whose it was the kernel says as a number, which no tenant can choose */
	if (kill_parse(text, &kill, &uid) && seq > reader->after && uid >= reader->first &&
	    uid <= reader->last) {
		kill.where = node ? OOM_NODE : reader->where;
		kill.limit = reader->limit;
		strcpy(kill.stat, reader->stat);
		reader->last_kill = kill;
		reader->count++;
	}
	report_reset(reader);
}

void oom_record(struct oom_reader *reader, const char *record)
{
	unsigned priority;
	unsigned long long seq, limit;
	const char *start = strchr(record, ';'), *rest;
	char text[8192];

	/* whose facility is not 0, the kernel's, was written by a program */
	if (!start || sscanf(record, "%u,%llu,", &priority, &seq) != 2 || priority >> 3)
		return;
	/* what follows the first line tells of devices */
	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(start + 1, "\n"), start + 1);

	if (sscanf(text, "memory: usage %*ukB, limit %llukB,", &limit) == 1) {
		report_reset(reader);
		/* without a limit the kernel has one that no machine can meet */
		reader->limit = limit >> 50 ? 0 : limit * 1024;
	} else if ((rest = after(text, "Memory cgroup stats for "))) {
		group_take(reader, rest);
	} else if (after(text, "Tasks state ") || after(text, "oom-kill:")) {
		reader->in_stat = false;
	} else if ((rest = after(text, "Memory cgroup out of memory: Killed process "))) {
		kill_take(reader, seq, text + (rest - text), false);
	} else if ((rest = after(text, "Out of memory: Killed process "))) {
		kill_take(reader, seq, text + (rest - text), true);
	} else if (reader->in_stat) {
		stats_take(reader, text);
	}
}

/* As long as it is not reaped: the number that its own VPS knows it by. */
static pid_t inside_of(const struct oom_kill *kill, uid_t first, uid_t last)
{
	char path[32], text[4096], *uid, *inside;
	struct err gone;
	pid_t pid = 0;

	str_format(path, sizeof(path), "/proc/%d/status", kill->pid);
	if (file_read(AT_FDCWD, path, text, sizeof(text), &gone) < 0)
		return 0;
	uid = strstr(text, "\nUid:\t");
	inside = strstr(text, "\nNSpid:");
	if (!uid || !inside || strtoul(uid + 6, NULL, 10) < first ||
	    strtoul(uid + 6, NULL, 10) > last)
		return 0;
	/* the last number is that of the innermost namespace */
	for (inside += 7; *inside && *inside != '\n'; inside += strspn(inside, " \t"))
		pid = (pid_t)strtol(inside, &inside, 10);
	return pid;
}

unsigned cgroup_oom_kills(unsigned id, uid_t first, uid_t last, uint64_t after_seq,
			  struct oom_kill *kill)
{
	struct oom_reader reader = {
		.id = id, .first = first, .last = last, .after = after_seq
	};
	char record[8192];
	ssize_t len;

	own_fd log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0)
		return 0;
	/* EPIPE: what was to come next has been overwritten meanwhile */
	while ((len = read(log, record, sizeof(record) - 1)) > 0 ||
	       (len < 0 && (errno == EPIPE || errno == EINTR))) {
		if (len < 0)
			continue;
		record[len] = 0;
		oom_record(&reader, record);
	}
	if (!reader.count)
		return 0;
	*kill = reader.last_kill;
	kill->inside = inside_of(kill, first, last);
	return reader.count;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "lab.h"
#include "own.h"
#include "probe.h"
#include "program.h"
#include "runtime.h"
#include "str.h"

#define PATIENCE_MS 30000u
#define WORDS	    24

struct probe probe_none(void)
{
	return (struct probe){ .in = -1, .out = -1 };
}

/* Who ends with us takes along what it runs inside (runtime/inside.c). */
void probe_free(struct probe *probe)
{
	own_close(&probe->in);
	own_close(&probe->out);
	if (probe->pid > 0) {
		kill(probe->pid, SIGKILL);
		(void)waitpid(probe->pid, NULL, 0);
	}
	*probe = probe_none();
}

/*
 * runtime_exec() waits for its command, so it gets a process of its own.  That one keeps
 * nothing of ours but the two pipes: another probe would not see the end of its input.
 */
static __attribute__((noreturn)) void relay_main(pid_t parent, const struct subject *subject,
						 int in, int out, char *text)
{
	const char *argv[WORDS] = { PROBE_PATH };
	struct inside inside = { .argv = argv, .cwd = "/", .in = 3, .out = 4, .err = -1 };
	struct err err;
	size_t count = 1;
	char *rest = text;
	int status;

	if (!end_with(parent))
		_exit(ERR_SYSTEM);
	while (rest && count < WORDS - 1)
		argv[count++] = strsep(&rest, " ");
	in = fcntl(in, F_DUPFD_CLOEXEC, 10);
	out = fcntl(out, F_DUPFD_CLOEXEC, 10);
	/* one more for our own words: runtime_exec() gives up its streams */
	if (in < 0 || out < 0 || dup2(in, 3) < 0 || dup2(out, 4) < 0 || dup2(out, 5) < 0 ||
	    close_range(6, ~0u, 0) < 0)
		_exit(ERR_SYSTEM);
	if (runtime_exec(subject->vps.id, subject->init, &inside, &status, &err) < 0) {
		dprintf(5, "failed %s\n", err.msg);
		_exit(ERR_SYSTEM);
	}
	if (status != 0)
		dprintf(5, "failed with status %d\n", status);
	_exit(0);
}

int probe_start(struct probe *probe, const struct subject *subject, struct err *err,
		const char *fmt, ...)
{
	pid_t parent = getpid();
	int in[2], out[2];
	va_list ap;
	char text[512];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (pipe2(in, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	own_fd their_in = in[0];
	probe->in = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	probe->out = out[0];
	own_fd their_out = out[1];
	probe->pid = fork();
	if (probe->pid == 0)
		relay_main(parent, subject, their_in, their_out, text);
	return probe->pid < 0 ? fail(err, errno, "cannot fork") : 0;
}

/* The line that begins with @key, or NULL. */
static const char *line_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; *line; line += strspn(line, "\n")) {
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return line + len + 1;
		line += strcspn(line, "\n");
	}
	return NULL;
}

/* It has: has it done what it should, and said @key if there is one? */
static int probe_ended(struct probe *probe, const char *key, struct err *err)
{
	const char *why = line_of(probe->text, "failed");
	int status = 0;

	(void)waitpid(probe->pid, &status, 0);
	probe->pid = 0;
	if (why)
		return fail_as(err, ERR_SYSTEM, "the probe failed: %.*s",
			       (int)strcspn(why, "\n"), why);
	if (WIFSIGNALED(status))
		return fail_as(err, ERR_SYSTEM, "the probe was ended by signal %d",
			       WTERMSIG(status));
	if (status || key || !probe->used)
		return fail_as(err, ERR_SYSTEM, "the probe ended too early");
	return 0;
}

/* Read until @key has come whole, or with NULL until it has ended. */
static int probe_read(struct probe *probe, const char *key, struct err *err)
{
	unsigned long long end = now_ms() + PATIENCE_MS;

	for (;;) {
		struct pollfd more = { .fd = probe->out, .events = POLLIN };
		unsigned long long now = now_ms();
		const char *line = key ? line_of(probe->text, key) : NULL;
		ssize_t len;

		if (line && strchr(line, '\n'))
			return 0;
		if (now >= end)
			return fail(err, ETIMEDOUT, "the probe does not answer");
		int ready = poll(&more, 1, (int)(end - now));
		if (ready < 0 && errno != EINTR)
			return fail(err, errno, "cannot wait for the probe");
		if (ready <= 0)
			continue;
		len = read(probe->out, probe->text + probe->used,
			   sizeof(probe->text) - 1 - probe->used);
		if (len < 0)
			return fail(err, errno, "cannot read what the probe says");
		probe->used += (size_t)len;
		probe->text[probe->used] = 0;
		if (len == 0)
			break;
	}

	return probe_ended(probe, key, err);
}

int probe_ready(struct probe *probe, struct err *err)
{
	return probe_read(probe, "ready", err);
}

int probe_finish(struct probe *probe, struct err *err)
{
	own_close(&probe->in);
	probe->in = -1;
	return probe_read(probe, NULL, err);
}

uint64_t probe_number(const struct probe *probe, const char *key)
{
	const char *line = line_of(probe->text, key);

	return line ? strtoull(line, NULL, 10) : 0;
}

void probe_words(const struct probe *probe, const char *key, char *words, size_t size)
{
	const char *rest = probe->text, *line;
	size_t used = 0;

	*words = 0;
	while ((line = line_of(rest, key)) && used < size) {
		size_t len = strcspn(line, "\n");

		used += (size_t)snprintf(words + used, size - used, "%s%.*s", used ? ", " : "",
					 (int)len, line);
		rest = line + len;
	}
}

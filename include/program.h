/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

struct err;

/*
 * Other programs, for what is not a hot path.  No shell: argv goes to execvp
 * as it is.  Standard input is /dev/null unless @in is a descriptor.
 */
struct program {
	const char *const *argv;
	int in;	    /* -1: /dev/null */
	int out;    /* -1: ours */
	int err;    /* -1: ours */
	int dir;    /* working directory, -1: ours */
	bool bound; /* killed when we are: it works on what is ours alone */
};

/* As a child just forked: end when @parent does.  False if it has already. */
static inline bool end_with(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

/* Start it; returns its pid, to be waited for with program_wait(). */
pid_t program_start(const struct program *program, struct err *err);

/* Wait until it ended.  An exit status other than 0, or a signal, is an error naming @name. */
int program_wait(pid_t pid, const char *name, struct err *err);

/* Start and wait. */
int program_run(const struct program *program, struct err *err);

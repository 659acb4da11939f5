/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "err.h"
#include "io.h"
#include "own.h"

static int program_exec(const struct program *program, pid_t parent)
{
	sigset_t none;

	/* from the fork on: until the exec it has a copy of all we hold, locks too */
	if (program->bound && !end_with(parent))
		_exit(127);
	int null = program->in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : program->in;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(null, 0) < 0 || (program->out >= 0 && dup2(program->out, 1) < 0) ||
	    (program->err >= 0 && dup2(program->err, 2) < 0) ||
	    (program->dir >= 0 && fchdir(program->dir) < 0))
		return -1;
	return execvp(program->argv[0], (char *const *)program->argv);
}

pid_t program_start(const struct program *program, struct err *err)
{
	int pipe[2], code = 0;
	pid_t parent = getpid(), pid;

	/* the child's errno comes back through a pipe that a successful exec closes */
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot run '%s'", program->argv[0]);

	pid = fork();
	if (pid == 0) {
		(void)program_exec(program, parent);
		code = errno;
		(void)write_all(pipe[1], &code, sizeof(code));
		_exit(127);
	}
	close(pipe[1]);
	own_fd answer = pipe[0];
	if (pid < 0)
		return fail(err, errno, "cannot run '%s'", program->argv[0]);
	if (read_all(answer, &code, sizeof(code)) == 0) {
		(void)waitpid(pid, NULL, 0);
		return fail(err, code, "cannot run '%s'", program->argv[0]);
	}
	return pid;
}

int program_wait(pid_t pid, const char *name, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return fail(err, errno, "cannot wait for '%s'", name);
	}
	if (WIFSIGNALED(status))
		return fail(err, 0, "'%s' was ended by signal %d", name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return fail(err, 0, "'%s' failed with exit status %d", name,
			    WEXITSTATUS(status));
	return 0;
}

int program_run(const struct program *program, struct err *err)
{
	pid_t pid = program_start(program, err);

	return pid < 0 ? -1 : program_wait(pid, program->argv[0], err);
}

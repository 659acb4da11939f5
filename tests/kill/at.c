// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * at [-e ERRNO [-p] | -s] [-k one|root|tree] [-t SECONDS] [-o FILE] [-l LIST] N COMMAND...:
 * run COMMAND and let nothing but its N-th system call go wrong.
 *
 * Calls are counted over the command and all that it starts, in the order in which they come.
 * At the N-th, before it is made, the whole tree is killed with SIGKILL, or only who makes it
 * (-k one) or the command itself (-k root), or the call returns an error (-e) without being
 * made; with -p so do all of its kind that come after it.  N = 0 lets all be made.  With -s
 * only reads and writes of files and pipes count, and the N-th moves no more than half of what
 * it was asked to.
 *
 * What a VPS runs is the tenant's, not ours: a process that executes a program in another pid
 * namespace is let go.  Counting ends when the command has ended and what it has left to
 * others is quiet.
 *
 * FILE gets one line: RESULT COUNT CALL COMM STATUS.  RESULT is "end" (the N-th call never
 * came), "hit" or "hang"; CALL is the number of the call, COMM who made it, STATUS the
 * command's exit status or minus the signal that ended it.  LIST gets the number of each call
 * that was counted, a line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS                                                                                \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |                    \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)
#define QUIET_MS                                                                               \
	120 /* what goes on after the command has ended, and has this long made no call */
#define TREE	  256
#define LASTING_S 1

static struct {
	long n;
	int error; /* instead of the call, or 0 */
	bool one, root, cut, persists;
	double seconds;
	const char *out;
	FILE *list;
} ask = { .seconds = 20 };

static struct {
	pid_t pid[TREE];
	bool fails[TREE]; /* the call that it is in returns the error */
	int pids;
	pid_t root;
	int status; /* the root's */
	bool ended; /* the root has */
	long count;
	long call;     /* the N-th */
	char comm[17]; /* who made it */
	bool loaded; /* the dynamic loader of the command is through: it reports nothing well */
} tree;

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[got < 0 ? 0 : got] = 0;
	return got < 0 ? -1 : 0;
}

/* Is it process 1, 2… of a pid namespace that is not ours? */
static bool is_inside(pid_t pid)
{
	char text[4096], *ids, *end;

	if (file(pid, "status", text, sizeof(text)) < 0 || !(ids = strstr(text, "\nNSpid:")))
		return false;
	ids += strlen("\nNSpid:");
	end = strchr(ids, '\n');
	if (end)
		*end = 0;
	return strtok(ids, "\t") && strtok(NULL, "\t");
}

/* Where it stands, as the last one if it was not there. */
static int tree_add(pid_t pid)
{
	for (int i = 0; i < tree.pids; i++)
		if (tree.pid[i] == pid)
			return i;
	if (tree.pids == TREE)
		die("too many processes");
	tree.pid[tree.pids] = pid;
	tree.fails[tree.pids] = false;
	return tree.pids++;
}

static void tree_drop(pid_t pid)
{
	for (int i = 0; i < tree.pids; i++) {
		if (tree.pid[i] != pid)
			continue;
		tree.pid[i] = tree.pid[--tree.pids];
		tree.fails[i] = tree.fails[tree.pids];
	}
}

/* Calls that cannot fail, or whose failure nobody could act on. */
static bool cannot_fail(long call)
{
	switch (call) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigaction:
	case SYS_restart_syscall:
	case SYS_getpid:
	case SYS_gettid:
	case SYS_getppid:
	case SYS_getuid:
	case SYS_geteuid:
	case SYS_getgid:
	case SYS_getegid:
	case SYS_umask:
	case SYS_munmap:
	case SYS_close:
	case SYS_close_range:
	case SYS_futex:
	case SYS_sched_yield:
	case SYS_set_robust_list:
	case SYS_rseq:
	case SYS_arch_prctl:
	case SYS_set_tid_address:
	case SYS_clock_gettime:
	case SYS_brk:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_kill:
	case SYS_pidfd_send_signal:
	case SYS_alarm:
	/* once a node has booted; glibc ends a program that it fails */
	case SYS_getrandom:
	case SYS_setitimer:
		return true;
	}
	return false;
}

/* May it move less than it was asked to, as far as POSIX goes?  Not what the kernel makes up
 * (/proc, /sys), and not messages. */
static bool can_be_short(pid_t pid, const struct __ptrace_syscall_info *info)
{
	char path[64], target[64];
	struct stat found;

	if ((info->entry.nr != SYS_read && info->entry.nr != SYS_pread64 &&
	     info->entry.nr != SYS_write && info->entry.nr != SYS_pwrite64) ||
	    info->entry.args[2] < 2)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)info->entry.args[0]);
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	if (len < 0 || stat(path, &found) < 0)
		return false;
	target[len] = 0;
	return S_ISFIFO(found.st_mode) ||
	       (S_ISREG(found.st_mode) && strncmp(target, "/proc/", 6) != 0 &&
		strncmp(target, "/sys/", 5) != 0);
}

static void kill_all(void)
{
	for (int i = 0; i < tree.pids; i++)
		kill(tree.pid[i], SIGKILL);
}

/* The entry of a call. */
static void at_call(pid_t pid, const struct __ptrace_syscall_info *info)
{
	if ((ask.error || ask.cut) && !tree.loaded) {
		tree.loaded = info->entry.nr == SYS_munmap;
		return;
	}
	if (ask.error && cannot_fail((long)info->entry.nr))
		return;
	if (ask.cut && !can_be_short(pid, info))
		return;
	if (ask.list)
		fprintf(ask.list, "%ld\n", (long)info->entry.nr);
	tree.count++;
	if (tree.count != ask.n &&
	    !(ask.persists && ask.n && tree.count > ask.n && tree.call == (long)info->entry.nr))
		return;
	if (tree.count == ask.n) {
		tree.call = (long)info->entry.nr;
		file(pid, "comm", tree.comm, sizeof(tree.comm));
		tree.comm[strcspn(tree.comm, "\n")] = 0;
	}
	if (ask.error || ask.cut) {
		struct user_regs_struct regs;

		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
			return;
		/* one that every filter of system calls allows: those look after us */
		if (ask.cut)
			regs.rdx /= 2;
		else
			regs.orig_rax = SYS_getpid;
		(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		tree.fails[tree_add(pid)] = !ask.cut;
	} else if (ask.root) {
		kill(tree.root, SIGKILL);
	} else if (ask.one) {
		kill(pid, SIGKILL);
	} else {
		kill_all();
	}
}

static void at_return(pid_t pid)
{
	struct user_regs_struct regs;

	if (!tree.fails[tree_add(pid)] || ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		return;
	regs.rax = (unsigned long long)-ask.error;
	(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	tree.fails[tree_add(pid)] = false;
}

static void stopped(pid_t pid, int status)
{
	struct __ptrace_syscall_info info;
	int event = status >> 16, number = WSTOPSIG(status);
	long deliver = 0;

	tree_add(pid);
	if (number == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0) {
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
				at_call(pid, &info);
			else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
				at_return(pid);
		}
	} else if (event == PTRACE_EVENT_EXEC && is_inside(pid)) {
		(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
		tree_drop(pid);
		return;
	} else if (event == PTRACE_EVENT_STOP && number != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* a stop signal */
		return;
	} else if (!event) {
		deliver = number;
	}
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, deliver);
}

/* All that has happened; was it anything? */
static bool look(void)
{
	bool any = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		any = true;
		if (WIFSTOPPED(status)) {
			stopped(pid, status);
			continue;
		}
		tree_drop(pid);
		if (pid != tree.root)
			continue;
		tree.ended = true;
		tree.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	}
	return any;
}

static void let_go(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return;
	/* its next stop, whatever it is for */
	if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		long deliver =
		    status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		(void)ptrace(PTRACE_DETACH, pid, NULL, deliver);
	}
}

/* false: it hangs */
static bool follow(const sigset_t *child)
{
	double began = now(), last = began, over = 0;

	for (;;) {
		struct timespec wait = { .tv_nsec = 20000000 };

		if (look())
			last = now();
		if (tree.ended && !over)
			over = now();
		if (tree.ended && (!tree.pids || now() - last > QUIET_MS / 1e3))
			return true;
		/* a call that never works again is tried again by who lives on */
		if (tree.ended && ask.persists && now() - over > LASTING_S)
			return true;
		if (now() - began > ask.seconds)
			return false;
		(void)sigtimedwait(child, NULL, &wait);
	}
}

static pid_t begin(char *argv[])
{
	int gate[2];
	char byte;

	if (pipe(gate) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(125);
		close(gate[0]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(gate[0]);
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		die("cannot trace");
	if (waitpid(pid, NULL, __WALL) != pid || ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
		die("cannot trace");
	if (write(gate[1], "", 1) != 1)
		die("write");
	close(gate[1]);
	return pid;
}

int main(int argc, char *argv[])
{
	sigset_t child;
	int option;

	while ((option = getopt(argc, argv, "+e:psk:t:o:l:")) > 0) {
		switch (option) {
		case 'e':
			ask.error = atoi(optarg);
			break;
		case 'k':
			ask.one = strcmp(optarg, "one") == 0;
			ask.root = strcmp(optarg, "root") == 0;
			break;
		case 'p':
			ask.persists = true;
			break;
		case 's':
			ask.cut = true;
			break;
		case 't':
			ask.seconds = atof(optarg);
			break;
		case 'o':
			ask.out = optarg;
			break;
		case 'l':
			ask.list = fopen(optarg, "we");
			if (!ask.list)
				die(optarg);
			break;
		default:
			return 125;
		}
	}
	if (argc - optind < 2) {
		fputs(
		    "usage: at [-e ERRNO [-p] | -s] [-k one|root|tree] [-t SECONDS] [-o FILE] "
		    "[-l LIST] N COMMAND...\n",
		    stderr);
		return 125;
	}
	ask.n = atol(argv[optind]);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	tree.root = begin(argv + optind + 1);
	tree_add(tree.root);

	bool hangs = !follow(&child);
	if (hangs)
		kill_all();
	while (tree.pids) {
		pid_t pid = tree.pid[tree.pids - 1];

		if (hangs)
			waitpid(pid, NULL, __WALL);
		else
			let_go(pid);
		tree_drop(pid);
	}
	FILE *out = ask.out ? fopen(ask.out, "we") : stderr;
	if (!out)
		die(ask.out);
	fprintf(out, "%s %ld %ld %s %d\n",
		hangs			       ? "hang"
		: ask.n && tree.count >= ask.n ? "hit"
					       : "end",
		tree.count, tree.call, tree.comm[0] ? tree.comm : "-", tree.status);
	return fclose(out) || (ask.list && fclose(ask.list)) ? 125 : 0;
}

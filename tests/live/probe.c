/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * What the live tests need and a shell cannot do.  Static: it is pushed into
 * VPSs as well.
 *	probe call NAME...		each system call's errno, a line each
 *	probe open PATH...		the same for open(2)
 *	probe euid
 *	probe i386			a system call of another ABI
 *	probe killat USEC WHOM CMD...	run CMD, kill -9 it after that time;
 *					WHOM: one (the command), tree (and all that it forked)
 */

static long sctp(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

static long ulp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3);
}

static long set_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}

static long make_node(mode_t type, unsigned major, unsigned minor)
{
	(void)unlink("/tmp/node");
	return mknod("/tmp/node", type | 0666, makedev(major, minor));
}

#define CALL(what, expr)                                                                       \
	static long call_##what(void)                                                          \
	{                                                                                      \
		return (long)(expr);                                                           \
	}

CALL(bpf, syscall(SYS_bpf, 0, NULL, 0))
CALL(keyctl, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
CALL(add_key, syscall(SYS_add_key, "user", "a", "b", 1, -3))
CALL(io_uring_setup, syscall(SYS_io_uring_setup, 1, NULL))
CALL(perf_event_open, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
CALL(userfaultfd, syscall(SYS_userfaultfd, 0))
CALL(fsopen, syscall(SYS_fsopen, "tmpfs", 0))
CALL(unknown, syscall(5000))
CALL(kexec_load, syscall(SYS_kexec_load, 0, 0, NULL, 0))
CALL(init_module, syscall(SYS_init_module, NULL, 0, ""))
CALL(swapon, syscall(SYS_swapon, "/dev/null", 0))
CALL(acct, syscall(SYS_acct, NULL))
CALL(open_by_handle_at, syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY))
CALL(quotactl, syscall(SYS_quotactl, 0, NULL, 0, NULL))
CALL(iopl, syscall(SYS_iopl, 3))
CALL(umount_force, umount2("/proc", MNT_FORCE))
CALL(personality, personality(0x0400000))
CALL(socket_vsock, socket(40, SOCK_STREAM, 0))
CALL(socket_alg, socket(38, SOCK_SEQPACKET, 0))
CALL(socket_sctp, sctp())
CALL(socket_audit, socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT))
CALL(socket_xfrm, socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM))
CALL(socket_inet, socket(AF_INET, SOCK_STREAM, 0))
CALL(tcp_ulp, ulp())
CALL(clock_settime, set_clock())
CALL(mknod_char, make_node(S_IFCHR, 1, 1))
CALL(mknod_block, make_node(S_IFBLK, 7, 0))
CALL(mknod_null, make_node(S_IFCHR, 1, 3))
CALL(mknod_fifo, make_node(S_IFIFO, 0, 0))
CALL(mount_proc, mount("proc", "/mnt", "proc", 0, NULL))
CALL(mount_ext4, mount("/tmp/node", "/mnt", "ext4", 0, NULL))
CALL(mount_debugfs, mount("debugfs", "/mnt", "debugfs", 0, NULL))
CALL(mount_bpf, mount("bpf", "/mnt", "bpf", 0, NULL))
CALL(remount_dev, mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL))

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
#define ROW(what)                                                                              \
	{                                                                                      \
#what, call_##what                                                             \
	}
	ROW(bpf),	   ROW(keyctl),	      ROW(add_key),	ROW(io_uring_setup),
	ROW(fsopen),	   ROW(userfaultfd),  ROW(kexec_load),	ROW(perf_event_open),
	ROW(unknown),	   ROW(init_module),  ROW(swapon),	ROW(open_by_handle_at),
	ROW(acct),	   ROW(quotactl),     ROW(iopl),	ROW(umount_force),
	ROW(personality),  ROW(socket_vsock), ROW(socket_alg),	ROW(socket_sctp),
	ROW(socket_audit), ROW(socket_xfrm),  ROW(socket_inet), ROW(tcp_ulp),
	ROW(mknod_char),   ROW(mknod_block),  ROW(mknod_null),	ROW(clock_settime),
	ROW(mknod_fifo),   ROW(mount_proc),   ROW(mount_ext4),	ROW(mount_debugfs),
	ROW(mount_bpf),	   ROW(remount_dev),
};

static const char *word(long result)
{
	return result >= 0 ? "0" : strerrorname_np(errno);
}

static int cmd_call(char *names[])
{
	for (; *names; names++) {
		const char *got = "?";

		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			if (strcmp(calls[i].name, *names) == 0)
				got = word(calls[i].call());
		}
		printf("%s %s\n", *names, got);
	}
	return 0;
}

static int cmd_open(char *paths[])
{
	for (; *paths; paths++)
		printf("%s %s\n", *paths, word(open(*paths, O_RDONLY | O_NONBLOCK | O_NOCTTY)));
	return 0;
}

/* getpid by the gate of i386 programs */
static int cmd_i386(void)
{
#ifdef __x86_64__
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	printf("%ld\n", result);
	return 0;
#else
	raise(SIGSYS);
	return 1;
#endif
}

/* Is it one of the programs under test?  What the guest has executed is not. */
static int is_nodectl(pid_t pid)
{
	char path[64], exe[4096];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	len = readlink(path, exe, sizeof(exe) - 1);
	exe[len > 0 ? len : 0] = 0;
	return strncmp(basename(exe), "nodectl", 7) == 0;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[1024], *rest;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file) && (rest = strrchr(line, ')')))
		(void)sscanf(rest, ") %*c %d", &parent);
	fclose(file);
	return parent;
}

static int descends(pid_t pid)
{
	for (int depth = 0; pid > 1 && depth < 20; depth++) {
		if (pid == getpid())
			return 1;
		pid = parent_of(pid);
	}
	return 0;
}

/* One that is killed and is not gone yet still looks like one that runs: wait for it. */
static int kill_tree(void)
{
	DIR *proc = opendir("/proc");
	struct pollfd killed[64];
	struct dirent *entry;
	int count = 0;

	while (proc && (entry = readdir(proc)) && count < 64) {
		pid_t pid = atoi(entry->d_name);

		/* those made since we began are the last in the list */
		if (pid <= 1 || pid == getpid() || !is_nodectl(pid) || !descends(pid))
			continue;
		killed[count] = (struct pollfd){ .fd = pidfd_open(pid, 0), .events = POLLIN };
		if (killed[count].fd >= 0 && kill(pid, SIGKILL) == 0)
			count++;
	}
	closedir(proc);
	for (int i = 0; i < count; i++) {
		(void)poll(&killed[i], 1, 5000);
		close(killed[i].fd);
	}
	return count;
}

static int cmd_killat(char *argv[])
{
	long usec = atol(argv[0]);
	int tree = strcmp(argv[1], "tree") == 0, status;
	struct timespec at;
	sigset_t child;
	pid_t pid;

	/* what the command leaves comes to us, so that it can be found */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		sigprocmask(SIG_UNBLOCK, &child, NULL);
		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(126);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	at = (struct timespec){ usec / 1000000, usec % 1000000 * 1000 };
	if (sigtimedwait(&child, NULL, &at) == SIGCHLD) {
		while (waitpid(pid, &status, WNOHANG) != pid)
			usleep(100);
		puts("done");
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	kill(pid, SIGKILL);
	/* twice: one may have forked while we looked */
	if (tree && kill_tree())
		kill_tree();
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	waitpid(pid, NULL, 0);
	puts("killed");
	return 0;
}

/* Ends one process of those whose program begins with @prefix: a command if there is one, every
 * other time; else whichever.  A number that is another's by now is not met: it is looked at
 * again when it is held. */
static const char *kill_one(const char *prefix)
{
	static char name[256];
	pid_t all[2048], commands[2048], pid;
	size_t count = 0, busy = 0;
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[64], exe[4096];
	ssize_t len;
	int held;

	while (proc && (entry = readdir(proc)) && count < 2048) {
		snprintf(path, sizeof(path), "/proc/%d/exe", atoi(entry->d_name));
		len = readlink(path, exe, sizeof(exe) - 1);
		exe[len > 0 ? len : 0] = 0;
		if (len <= 0 || strncmp(exe, prefix, strlen(prefix)) != 0)
			continue;
		all[count++] = atoi(entry->d_name);
		if (!strstr(exe, "nodectl-"))
			commands[busy++] = atoi(entry->d_name);
	}
	closedir(proc);
	if (!count)
		return NULL;
	pid =
	    busy && rand() % 4 ? commands[(size_t)rand() % busy] : all[(size_t)rand() % count];
	held = pidfd_open(pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	len = readlink(path, exe, sizeof(exe) - 1);
	exe[len > 0 ? len : 0] = 0;
	if (held < 0 || len <= 0 || strncmp(exe, prefix, strlen(prefix)) != 0 ||
	    pidfd_send_signal(held, SIGKILL, NULL, 0) < 0)
		exe[0] = 0;
	close(held);
	snprintf(name, sizeof(name), "%s", basename(exe));
	return exe[0] ? name : NULL;
}

/* killer PREFIX EACH-MS SECONDS SEED: names what it has killed, one a line */
static int cmd_killer(char *argv[])
{
	time_t end = time(NULL) + atol(argv[2]);
	const char *killed;

	srand((unsigned)atol(argv[3]));
	while (time(NULL) < end) {
		killed = kill_one(argv[0]);
		if (killed)
			puts(killed);
		usleep((useconds_t)atol(argv[1]) * 1000);
	}
	return 0;
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "call") == 0)
		return cmd_call(argv + 2);
	if (strcmp(what, "open") == 0)
		return cmd_open(argv + 2);
	if (strcmp(what, "euid") == 0)
		return printf("%u\n", geteuid()) < 0;
	if (strcmp(what, "i386") == 0)
		return cmd_i386();
	if (strcmp(what, "killat") == 0 && argc > 4)
		return cmd_killat(argv + 2);
	if (strcmp(what, "killer") == 0 && argc > 5)
		return cmd_killer(argv + 2);
	/* whatever comes after us is stopped */
	while (strcmp(what, "stop-all") == 0) {
		for (pid_t pid = getpid() + 1; pid < getpid() + 400; pid++)
			(void)kill(pid, SIGSTOP);
	}
	fputs("usage: probe call|open|euid|i386|killat|killer|stop-all ...\n", stderr);
	return 2;
}

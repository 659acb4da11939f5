/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lxcfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "creds.h"
#include "err.h"
#include "handover.h"
#include "io.h"
#include "own.h"
#include "record.h"
#include "str.h"
#include "tree.h"
#include "view.h"

#define START_MS  5000u /* for lxcfs to answer for the first time */
#define END_MS	  2000u /* for it to end when asked to */
#define SILENT_MS 5000u /* without a sign of life it hangs */
#define BEAT_S	  1
/* A tenant that opens its files by the million makes it big.  It needs 3 MB, and some 10 KB for
 * each VPS. */
#define FAT_BYTES (256ull << 20)

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const char *const paths[] = { "/usr/bin/lxcfs", "/usr/local/bin/lxcfs" };

static const char *path_find(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	}
	return NULL;
}

bool lxcfs_is_installed(void)
{
	return path_find() != NULL;
}

/* ---- the record */

static const char format[] =
    "lxcfs = %d\nlxcfs-start = %" SCNu64 "\nholder = %d\nholder-start = %" SCNu64
    "\ndevice = %" SCNu64 "\nend\n%n";

void lxcfs_print(const struct lxcfs *lxcfs, char *text, size_t size)
{
	str_format(text, size,
		   "lxcfs = %d\nlxcfs-start = %" PRIu64 "\nholder = %d\nholder-start = %" PRIu64
		   "\ndevice = %" PRIu64 "\nend\n",
		   lxcfs->server, lxcfs->server_start, lxcfs->holder, lxcfs->holder_start,
		   lxcfs->device);
}

int lxcfs_parse(const char *text, struct lxcfs *lxcfs)
{
	struct lxcfs got;
	int whole = 0;

	if (sscanf(text, format, &got.server, &got.server_start, &got.holder, &got.holder_start,
		   &got.device, &whole) != 5 ||
	    !whole)
		return -1;
	*lxcfs = got;
	return 0;
}

int lxcfs_read(int dir, struct lxcfs *lxcfs)
{
	char text[400];
	struct lxcfs got;
	struct err ignored;

	if (dir < 0 || file_read(dir, "server", text, sizeof(text), &ignored) < 0 ||
	    lxcfs_parse(text, &got) < 0 || !process_is(got.server, got.server_start) ||
	    !process_is(got.holder, got.holder_start))
		return -1;
	*lxcfs = got;
	return 0;
}

/* ---- lxcfs itself */

/* As libfuse would, but nowhere: who has the descriptor decides where it is seen. */
static int fuse_mount(int fuse, struct err *err)
{
	char fd[16];

	str_format(fd, sizeof(fd), "fd=%d", fuse);
	return tree_mount("fuse", "lxcfs", QUIET | MOUNT_ATTR_RDONLY,
			  (const char *const[]){ "subtype=lxcfs", fd, "rootmode=40000",
						 "user_id=0", "group_id=0", "allow_other",
						 NULL },
			  err);
}

/*
 * Nothing of the session that a VPS happened to be started from.  What lxcfs does for a tenant
 * counts against no limit of his, and one who reads without end makes it busy: it gets what the
 * others leave.  On cgroup2 that is so by the weight of the monitors' group.
 */
static int server_limits(void)
{
	struct rlimit files;
	const struct rlimit stack = { 1 << 20, 1 << 20 }, core = { 0, 0 };

	/* one for each VPS, and for each of its threads a few */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	files.rlim_cur = files.rlim_max;
	if (setpriority(PRIO_PROCESS, 0, 10) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    setrlimit(RLIMIT_STACK, &stack) < 0 || setrlimit(RLIMIT_CORE, &core) < 0)
		return -1;
	return 0;
}

static __attribute__((noreturn)) void server_exec(const char *path, int fuse, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int device = fcntl(fuse, F_DUPFD, 10);
	/* it insists on a file with its pid, and locks that: nobody else's */
	int pid = fcntl(memfd_create("lxcfs.pid", MFD_CLOEXEC), F_DUPFD, device + 1);
	char mountpoint[32], pidfile[32];
	struct err err;

	str_format(mountpoint, sizeof(mountpoint), "/dev/fd/%d", device);
	str_format(pidfile, sizeof(pidfile), "/dev/fd/%d", pid);
	/* load averages are not made unless asked for; pidfds, so that it mistakes no process
	 * for one that had its number */
	const char *const argv[] = { path, "-f",    "-l",	"--enable-pidfd",
				     "-p", pidfile, mountpoint, NULL };
	const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

	(void)setsid();
	oom_score_set(0, 0);
	if (null < 0 || device < 0 || pid < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0 || chdir("/") < 0 || session_reset(&err) < 0 ||
	    server_limits() < 0)
		_exit(1);
	/* those two alone are not closed by exec */
	execve(path, (char *const *)argv, (char *const *)env);
	dprintf(STDERR_FILENO, "cannot execute '%s': %s\n", path, strerror(errno));
	_exit(127);
}

/* ---- the holder */

struct hello {
	struct err err;
	uint64_t device;
};

static int file_bind(int root, size_t i, struct err *err)
{
	const struct mount_attr attr = { .attr_set = QUIET | MOUNT_ATTR_RDONLY };
	const struct view_file *file = &view_files[i];
	char from[80], name[8];

	view_name(i, name);
	str_format(from, sizeof(from), "lxcfs/%s/%s", file->dir, file->name);
	own_fd tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	/* an lxcfs that does not have that one */
	if (tree < 0 && errno == ENOENT && i != view_probe)
		return 0;
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, (struct mount_attr *)&attr,
				      sizeof(attr)) < 0)
		return fail(err, errno, "cannot take '%s'", from);
	own_fd made = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
	if (made < 0 || move_mount(tree, "", root, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot place '%s'", from);
	return 0;
}

/*
 * Our mount namespace gets a root with the files as bind mounts, and nothing else: neither the
 * node's tree, of which no mount is kept busy, nor lxcfs's.  Whoever takes a file from here
 * asks lxcfs nothing.
 */
static int holder_build(int mount, uint64_t *device, struct err *err)
{
	struct stat stat;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE,
			  &(struct mount_attr){ .propagation = MS_PRIVATE },
			  sizeof(struct mount_attr)) < 0)
		return fail(err, errno, "cannot make a mount namespace");
	own_fd root = tree_mount("tmpfs", "view", QUIET,
				 (const char *const[]){ "size=64k", "mode=700", NULL }, err);
	if (root < 0)
		return -1;
	if (mkdirat(root, "lxcfs", 0700) < 0 ||
	    move_mount(root, "", AT_FDCWD, "/run", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(root) < 0 ||
	    move_mount(mount, "", root, "lxcfs", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return fail(err, errno, "cannot leave the node's mounts");

	for (size_t i = 0; i < VIEW_FILES; i++) {
		if (file_bind(root, i, err) < 0)
			return -1;
	}
	if (fstat(mount, &stat) < 0 || umount2("/lxcfs", MNT_DETACH) < 0)
		return fail(err, errno, "cannot hide the rest of lxcfs");
	*device = stat.st_dev;
	return 0;
}

static __attribute__((noreturn)) void holder_main(int mount, int beats)
{
	const int keep[] = { mount, beats };
	const struct timespec pause = { .tv_sec = BEAT_S };
	struct hello hello = { .device = 0 };
	struct err ignored;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    descriptors_close(keep, ARRAY_SIZE(keep), &hello.err) == 0 &&
	    holder_build(mount, &hello.device, &hello.err) == 0 &&
	    view_answers(&hello.err) == 0)
		hello.err = (struct err){ 0 };
	close(mount);
	if (write_all(beats, &hello, sizeof(hello)) < 0 || hello.err.kind)
		_exit(1);
	for (;;) {
		if (nanosleep(&pause, NULL) < 0 && errno != EINTR)
			_exit(1);
		if (view_answers(&ignored) == 0 && write(beats, "", 1) < 0)
			_exit(0);
	}
}

/* ---- the keeper's part */

/* The last that lxcfs said. */
static void complaint_read(int complaints, char *line, size_t size)
{
	char text[4096];
	const char *last = text;
	ssize_t len = read(complaints, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = 0;
	for (char *end; (end = strchr(last, '\n')); last = end + 1) {
		*end = 0;
		if (!end[1])
			break;
	}
	str_escape(last, line, size);
}

/* Until the holder has its files; lxcfs may end meanwhile, or never answer. */
static int hello_wait(struct lxcfs_kept *kept, int complaints, struct err *err)
{
	struct pollfd waits[] = { { .fd = kept->beats, .events = POLLIN },
				  { .fd = kept->pidfd, .events = POLLIN } };
	struct hello hello;
	char line[160];
	int ready;

	do {
		ready = poll(waits, ARRAY_SIZE(waits), START_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return fail_as(err, ERR_SYSTEM, "lxcfs does not answer");
	if (waits[1].revents) {
		complaint_read(complaints, line, sizeof(line));
		return fail_as(err, ERR_SYSTEM, "lxcfs ended at once: %s", line);
	}
	if (read_all(kept->beats, &hello, sizeof(hello)) < 0)
		return fail_as(err, ERR_SYSTEM, "the holder of lxcfs's files was killed");
	if (hello.err.kind) {
		*err = hello.err;
		return -1;
	}
	kept->lxcfs.device = hello.device;
	kept->heard = now_ms();
	return 0;
}

static void kept_end(struct lxcfs_kept *kept)
{
	pid_t pids[] = { kept->lxcfs.holder, kept->lxcfs.server };

	/* neither has anything to save */
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (pids[i] > 0)
			(void)waitpid(pids[i], NULL, 0);
	}
	own_close(&kept->pidfd);
	own_close(&kept->beats);
	*kept = (struct lxcfs_kept){ .pidfd = -1, .beats = -1 };
}

static int processes_start(const char *path, struct lxcfs_kept *kept, int *complaints,
			   struct err *err)
{
	int said[2], beats[2];

	own_fd fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return fail(err, errno, "cannot open '/dev/fuse'");
	own_fd mount = fuse_mount(fuse, err);
	if (mount < 0)
		return -1;
	/* nobody reads what it says while it runs: when the pipe is full, it is lost */
	if (pipe2(said, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(err, errno, "cannot make a pipe");
	*complaints = said[0];
	own_fd out = said[1];
	if (pipe2(beats, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	kept->beats = beats[0];
	own_fd beat = beats[1];

	kept->lxcfs.server = fork();
	if (kept->lxcfs.server == 0)
		server_exec(path, fuse, out);
	/* the kernel takes lxcfs for alive as long as anybody has this one */
	close(take_fd(&fuse));
	kept->lxcfs.holder = fork();
	if (kept->lxcfs.holder == 0)
		holder_main(mount, beat);
	if (kept->lxcfs.server < 0 || kept->lxcfs.holder < 0)
		return fail(err, errno, "cannot fork");
	kept->pidfd = pidfd_open(kept->lxcfs.server, 0);
	if (kept->pidfd < 0)
		return fail(err, errno, "cannot watch lxcfs");
	return 0;
}

static int record_keep(int dir, struct lxcfs *lxcfs, struct err *err)
{
	char text[400];

	lxcfs->server_start = process_start(lxcfs->server);
	lxcfs->holder_start = process_start(lxcfs->holder);
	lxcfs_print(lxcfs, text, sizeof(text));
	return file_replace_volatile(dir, "server", text, strlen(text), 0600, err);
}

int lxcfs_start(int dir, struct lxcfs_kept *kept, struct err *err)
{
	const char *path = path_find();
	own_fd complaints = -1;

	*kept = (struct lxcfs_kept){ .pidfd = -1, .beats = -1 };
	if (!path)
		return fail_as(err, ERR_SYSTEM, "lxcfs is not installed");
	if (processes_start(path, kept, &complaints, err) < 0 ||
	    hello_wait(kept, complaints, err) < 0 || record_keep(dir, &kept->lxcfs, err) < 0) {
		kept_end(kept);
		return -1;
	}
	return 0;
}

void lxcfs_end(int dir, struct lxcfs_kept *kept)
{
	(void)unlinkat(dir, "server", 0);
	kept_end(kept);
}

static uint64_t memory_of(pid_t pid)
{
	char path[32], text[128];
	unsigned long long pages = 0;
	struct err ignored;

	str_format(path, sizeof(path), "/proc/%d/statm", pid);
	if (file_read(AT_FDCWD, path, text, sizeof(text), &ignored) > 0)
		(void)sscanf(text, "%*u %llu", &pages);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum lxcfs_health lxcfs_watch(struct lxcfs_kept *kept, unsigned wait_ms)
{
	struct pollfd waits[] = { { .fd = kept->pidfd, .events = POLLIN },
				  { .fd = kept->beats, .events = POLLIN } };
	char beats[64];

	if (poll(waits, ARRAY_SIZE(waits), (int)wait_ms) < 0) {
		waits[0].revents = waits[1].revents = 0;
		/* that says nothing of lxcfs, but there is no end to it either */
		if (errno != EINTR)
			usleep(wait_ms * 1000);
	}
	if (waits[0].revents)
		return LXCFS_ENDED;
	if (waits[1].revents) {
		if (read(kept->beats, beats, sizeof(beats)) <= 0)
			return LXCFS_SILENT;
		kept->heard = now_ms();
	}
	if (now_ms() - kept->heard > SILENT_MS)
		return LXCFS_SILENT;
	return memory_of(kept->lxcfs.server) > FAT_BYTES ? LXCFS_FAT : LXCFS_WELL;
}

/* ---- a keeper */

static __attribute__((noreturn)) void keeper_exec(const char *self, const char *config,
						  int said)
{
	const char *const argv[] = { "nodectl", "--config", config, "@view", NULL };
	const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	oom_score_set(0, -800);
	if (null < 0 || dup2(null, 0) < 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0 ||
	    close_range(3, ~0u, 0) < 0 || chdir("/") < 0)
		_exit(1);
	execve(self, (char *const *)argv, (char *const *)env);
	dprintf(2, "cannot execute '%s': %s\n", self, strerror(errno));
	_exit(127);
}

/* It prints one line: "ready", or like any command what is wrong. */
static int keeper_hear(int said, struct err *err)
{
	static const char prefix[] = "nodectl: ";
	struct pollfd wait = { .fd = said, .events = POLLIN };
	char text[300];
	const char *from = text;
	ssize_t len;

	while (poll(&wait, 1, START_MS + 1000) < 0 && errno == EINTR)
		;
	len = wait.revents ? read(said, text, sizeof(text) - 1) : -1;
	if (len < 0)
		return fail_as(err, ERR_SYSTEM, "lxcfs does not answer");
	text[len] = 0;
	text[strcspn(text, "\n")] = 0;
	if (strcmp(text, "ready") == 0)
		return 0;
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		from += strlen(prefix);
	return fail_as(err, ERR_SYSTEM, "%s", *from ? from : "the keeper of lxcfs ended");
}

int lxcfs_keeper_start(const char *config, struct err *err)
{
	char self[512];
	int pipe[2];
	pid_t pid;

	if (self_path(self, sizeof(self), err) < 0)
		return -1;
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	own_fd ours = pipe[0], theirs = pipe[1];
	/* twice, so that it is nobody's child: we may be about to become a monitor */
	pid = fork();
	if (pid == 0) {
		if (monitor_fork() == 0)
			keeper_exec(self, config, theirs);
		_exit(0);
	}
	close(take_fd(&theirs));
	if (pid < 0)
		return fail(err, errno, "cannot fork");
	(void)waitpid(pid, NULL, 0);
	return keeper_hear(ours, err);
}

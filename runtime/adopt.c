/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "err.h"
#include "handover.h"
#include "io.h"
#include "lost.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "vps.h"

#define CONSOLE_MS 3000u
#define ANSWER_MS  20000 /* with the time to enter */

/* In the run directory: the monitor came when the VPS was frozen, and nothing that enters it
 * then gets anywhere, so there is no console.  Tells runtime_thaw(). */
#define UNHEARD "unheard"

/*
 * The old console's master died with the old monitor, and with it the terminal
 * hung up.  Inside the VPS, as its root, a new one takes the place of
 * /dev/console; whoever opens it next is heard again.
 */
static int console_renew(void *arg, struct err *err)
{
	int back = *(int *)arg, unlock = 0;
	own_fd master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(err, errno, "cannot make a console");

	own_fd peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	own_fd tree =
	    peer < 0 ? -1
		     : open_tree(peer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return fail(err, errno, "cannot open the console");
	(void)umount2("/dev/console", MNT_DETACH | UMOUNT_NOFOLLOW);
	if (move_mount(tree, "", AT_FDCWD, "/dev/console", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fd_send(back, master) < 0)
		return fail(err, errno, "cannot place the console");
	return 0;
}

/*
 * By a process of its own: where those that enter are killed on their way there may be one left
 * inside that nobody knows of.  As a child of the monitor, which waits for init alone, its
 * remains would keep the pid namespace, and with that init, from ending.
 */
static int console_take(const struct vps *vps, const struct place *place, pid_t init)
{
	int pair[2], console;
	struct err ignored;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	own_fd ours = pair[0], theirs = pair[1];
	const struct inside_work work = { .work = console_renew,
					  .arg = &theirs,
					  .keep = &theirs,
					  .keep_count = 1,
					  .wait_ms = CONSOLE_MS };
	pid = fork();
	if (pid == 0) {
		/* and may be left there, if it cannot be killed where the tenant's disk is
		 * waited for */
		close(place->lock);
		_exit(runtime_inside(vps->id, init, &work, &ignored) < 0);
	}
	close(take_fd(&theirs));
	struct pollfd answer = { .fd = ours, .events = POLLIN };

	console = poll(&answer, 1, ANSWER_MS) > 0 ? fd_receive(ours) : -1;
	process_bury(pid);
	return console;
}

static __attribute__((noreturn)) void adopt_main(const struct vps *vps,
						 const struct place *place,
						 struct record *record, int pidfd, int answer)
{
	struct err err = { 0 };
	own_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
	own_fd monitor = handover_open(&err);
	/* without a console a monitor is still worth having */
	bool frozen = cgroup_is_frozen(vps->id);
	own_fd console = frozen ? -1 : console_take(vps, place, record->init);
	struct err ignored;

	if (frozen)
		(void)file_replace_volatile(place->run, UNHEARD, "", 0, 0600, &ignored);
	else
		(void)unlinkat(place->run, UNHEARD, 0);

	(void)setsid();
	signal(SIGPIPE, SIG_IGN);
	record->monitor = getpid();
	if (monitor >= 0 &&
	    (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0))
		fail(&err, errno, "cannot open /dev/null");
	else if (monitor >= 0 && record_write(place->run, record, &err) == 0) {
		(void)write_all(answer, &err, sizeof(err));
		(void)handover(monitor, vps, place, pidfd, console >= 0 ? console : null, &err);
	}
	(void)write_all(answer, &err, sizeof(err));
	_exit(1);
}

/* Field 22 of proc_pid_stat(5) as seconds since 1970. */
static int64_t time_of(uint64_t start)
{
	struct timespec boot;

	(void)clock_gettime(CLOCK_BOOTTIME, &boot);
	return time(NULL) - boot.tv_sec + (int64_t)(start / (uint64_t)sysconf(_SC_CLK_TCK));
}

int runtime_find(const struct vps *vps, const struct place *place, struct err *err)
{
	struct record record = {
		.id = vps->id,
		.init = lost_init(vps->id),
		.monitor = lost_monitor(vps->name, place->config),
	};

	if (!record.init)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	record.started = time_of(process_start(record.init));
	return record_write(place->run, &record, err);
}

int runtime_adopt(const struct vps *vps, const struct place *place, struct err *err)
{
	struct record record;
	struct err got;
	int pipe[2];

	if (record_read(place->run, &record) < 0)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	own_fd pidfd = process_open(record.init, record.init_start);
	if (pidfd < 0)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");

	pid_t pid = monitor_fork();
	if (pid == 0)
		adopt_main(vps, place, &record, pidfd, pipe[1]);
	close(pipe[1]);
	own_fd answer = pipe[0];
	if (pid < 0)
		return fail(err, errno, "cannot fork");
	if (read_all(answer, &got, sizeof(got)) < 0)
		return fail(err, 0, "the new monitor was killed");
	if (got.kind) {
		(void)waitpid(pid, NULL, 0);
		*err = got;
		return -1;
	}
	return 0;
}

int runtime_thaw(const struct vps *vps, const struct place *place, struct err *err)
{
	struct record record;
	struct err ignored;

	if (cgroup_freeze(vps->id, false, err) < 0)
		return -1;
	if (faccessat(place->run, UNHEARD, F_OK, 0) < 0 || record_read(place->run, &record) < 0)
		return 0;
	own_fd deaf = process_open(record.monitor, record.monitor_start);
	if (deaf >= 0 && pidfd_send_signal(deaf, SIGKILL, NULL, 0) == 0)
		(void)process_wait(deaf, CONSOLE_MS);
	/* who looks at it next tries again */
	(void)runtime_adopt(vps, place, &ignored);
	return 0;
}

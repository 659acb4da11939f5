/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "creds.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "program.h"
#include "record.h"
#include "str.h"
#include "tree.h"

#define ANSWER_MS 1000u
#define LAYERS	  4 /* of views that a VPS may have over one file, after crashes of ours */

/*
 * Not diskstats: lxcfs reads the files of an io scheduler that is gone since Linux 5.0, and
 * without them it passes on the node's (masks[] in mounts.c).
 */
const struct view_file view_files[VIEW_FILES] = {
	{ "proc", "cpuinfo" },
	{ "proc", "loadavg" },
	{ "proc", "meminfo" },
	{ "proc", "stat" },
	{ "proc", "swaps" },
	{ "proc", "uptime" },
	{ "sys/devices/system/cpu", "online" },
};
const size_t view_probe = 5;

void view_name(size_t i, char name[8])
{
	str_format(name, 8, "%zu", i);
}

int view_answers(struct err *err)
{
	char path[8], text[256];

	view_name(view_probe, path);
	own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	/* once, and not to its end: each call is a question */
	if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
		return fail(err, errno, "cannot read a file of lxcfs");
	return 0;
}

/* ---- what a VPS has, in its run directory */

void view_state_read(int run, struct view_state *state)
{
	char text[400];
	struct err ignored;

	*state = (struct view_state){ 0 };
	if (run < 0 || file_read(run, "view", text, sizeof(text), &ignored) < 0)
		return;
	state->is_known = true;
	state->has = lxcfs_parse(text, &state->by) == 0;
	if (state->has)
		return;
	text[strcspn(text, "\n")] = 0;
	(void)snprintf(state->reason, sizeof(state->reason), "%.*s", 150, text);
}

int view_state_write(int run, const struct lxcfs *lxcfs, const char *reason, struct err *err)
{
	char text[400];

	if (lxcfs)
		lxcfs_print(lxcfs, text, sizeof(text));
	else
		str_format(text, sizeof(text), "%.*s\n", 150, reason);
	return file_replace_volatile(run, "view", text, strlen(text), 0600, err);
}

bool view_is_alive(const struct view_state *state)
{
	return state->has && process_is(state->by.server, state->by.server_start);
}

bool view_is_by(const struct view_state *state, const struct lxcfs *lxcfs)
{
	return state->has && state->by.holder == lxcfs->holder &&
	       state->by.holder_start == lxcfs->holder_start;
}

/* ---- asking lxcfs, from a process that may be killed when it hangs */

struct task {
	int holder;	/* pidfd; -1: the VPS is to have none */
	int init;	/* pidfd of the VPS; -1: hand the files over */
	uint64_t stale; /* device of what the VPS has */
};

static void files_none(struct view_files *files)
{
	for (size_t i = 0; i < VIEW_FILES; i++)
		files->tree[i] = -1;
}

void view_close(struct view_files *files)
{
	for (size_t i = 0; i < VIEW_FILES; i++)
		own_close(&files->tree[i]);
	files_none(files);
}

/* In the holder's root: nothing is there but the files, so that no name leads elsewhere. */
static int files_take(int holder, struct view_files *files, struct err *err)
{
	char name[8];

	if (setns(holder, CLONE_NEWNS) < 0)
		return fail(err, errno, "cannot enter the mounts of lxcfs");
	for (size_t i = 0; i < VIEW_FILES; i++) {
		view_name(i, name);
		files->tree[i] = open_tree(AT_FDCWD, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		/* what this lxcfs does not have */
		if (files->tree[i] < 0 && errno != ENOENT)
			return fail(err, errno, "cannot take a file of lxcfs");
	}
	return view_answers(err);
}

static bool is_on(int dir, long wanted)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 && fs.f_type == wanted;
}

/* The device of what is at @name, as the kernel knows it: lxcfs is not asked, it may be dead.
 */
static int device_at(int dir, const char *name, uint64_t *device)
{
	struct statx found;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0,
		  &found) < 0)
		return -1;
	*device = makedev(found.stx_dev_major, found.stx_dev_minor);
	return 0;
}

/*
 * One file of a VPS that runs.  Its mounts are the tenant's to change, so @dir was found to be
 * a directory of proc or sys, is our working directory, and @name has no way out of it.
 */
static void file_replace_in(int dir, const char *name, int tree, uint64_t stale)
{
	uint64_t own, now;
	struct err ignored;

	if (device_at(dir, ".", &own) < 0 || device_at(dir, name, &now) < 0)
		return;
	for (int i = 0; i < LAYERS && now != own && now == stale; i++) {
		if (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ||
		    device_at(dir, name, &now) < 0)
			return;
	}
	/* the tenant has put something there himself: it stays */
	if (now != own || tree < 0)
		return;
	own_fd target = tree_open(dir, name, O_PATH, &ignored);
	if (target >= 0)
		(void)move_mount(tree, "", target, "",
				 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int files_replace(const struct task *task, const struct view_files *files,
			 struct err *err)
{
	/* From here we are root of the VPS and no more: whatever its mounts lead to, the tenant
	 * could do as well.  Its processes do not see us, and it cannot stop us. */
	if (setns(task->init, CLONE_NEWUSER | CLONE_NEWNS) < 0 || setresgid(0, 0, 0) < 0 ||
	    setresuid(0, 0, 0) < 0)
		return fail(err, errno, "cannot enter its mounts");
	own_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(err, errno, "cannot open its root");
	for (size_t i = 0; i < VIEW_FILES; i++) {
		const struct view_file *file = &view_files[i];
		struct err ignored;
		own_fd dir =
		    tree_open(root, file->dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK, &ignored);

		if (dir >= 0 && (is_on(dir, PROC_SUPER_MAGIC) || is_on(dir, SYSFS_MAGIC)) &&
		    fchdir(dir) == 0)
			file_replace_in(dir, file->name, files->tree[i], task->stale);
	}
	return 0;
}

/* What comes back: a reason, or which files there are, with their mounts beside it. */
struct answer {
	struct err err;
	unsigned present; /* a bit for each of view_files[] */
};

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(VIEW_FILES * sizeof(int))];
};

static void answer_send(int channel, const struct answer *answer, const int *fds, size_t count)
{
	union control control = { .room = { 0 } };
	struct iovec iov = { .iov_base = (void *)answer, .iov_len = sizeof(*answer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	(void)sendmsg(channel, &msg, MSG_NOSIGNAL);
}

static int answer_receive(int channel, struct view_files *files, struct err *err)
{
	struct answer answer;
	union control control;
	struct iovec iov = { .iov_base = &answer, .iov_len = sizeof(answer) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	const struct cmsghdr *cmsg;
	const unsigned char *next;

	if (recvmsg(channel, &msg, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(answer))
		return fail(err, 0, "the process that asks lxcfs was killed");
	if (answer.err.kind) {
		*err = answer.err;
		return -1;
	}
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!answer.present)
		return 0;
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len !=
		CMSG_LEN((size_t)__builtin_popcount(answer.present) * sizeof(int)))
		return fail(err, EBADMSG, "cannot take the files of lxcfs");
	next = CMSG_DATA(cmsg);
	for (size_t i = 0; i < VIEW_FILES; i++) {
		if (!(answer.present & 1u << i))
			continue;
		memcpy(&files->tree[i], next, sizeof(int));
		next += sizeof(int);
	}
	return 0;
}

/* Nothing of the node's is open when the tenant's mounts are met. */
static int task_protect(const struct task *task, const struct view_files *files, int channel,
			struct err *err)
{
	int keep[VIEW_FILES + 2] = { channel, task->init };
	size_t count = 2;

	for (size_t i = 0; i < VIEW_FILES; i++) {
		if (files->tree[i] >= 0)
			keep[count++] = files->tree[i];
	}
	if (setgroups(0, NULL) < 0)
		return fail(err, errno, "cannot leave our groups");
	return descriptors_close(keep, count, err);
}

static int task_do(const struct task *task, struct view_files *files, int channel,
		   struct err *err)
{
	if (task->holder >= 0 && files_take(task->holder, files, err) < 0)
		return -1;
	if (task->init < 0)
		return 0;
	if (task_protect(task, files, channel, err) < 0)
		return -1;
	return files_replace(task, files, err);
}

static __attribute__((noreturn)) void task_main(const struct task *task, int channel)
{
	const int keep[] = { channel, task->holder, task->init };
	struct answer answer = { .err = { 0 } };
	struct view_files files;
	int fds[VIEW_FILES];
	size_t count = 0;

	(void)prctl(PR_SET_DUMPABLE, 0);
	files_none(&files);
	/* lxcfs may never answer, and whoever asked goes on: not what is locked, nor what waits
	 * for the end of his output */
	if (stdio_null(&answer.err) == 0 &&
	    descriptors_close(keep, ARRAY_SIZE(keep), &answer.err) == 0 &&
	    task_do(task, &files, channel, &answer.err) == 0) {
		answer.err = (struct err){ 0 };
		for (size_t i = 0; task->init < 0 && i < VIEW_FILES; i++) {
			if (files.tree[i] < 0)
				continue;
			answer.present |= 1u << i;
			fds[count++] = files.tree[i];
		}
	}
	answer_send(channel, &answer, fds, count);
	_exit(0);
}

static int task_start(const struct task *task, struct view_question *question, struct err *err)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(err, errno, "cannot make a channel");
	own_fd ours = pair[0], theirs = pair[1];
	question->pid = fork();
	if (question->pid == 0) {
		/* whoever asked and is gone has no use for the answer */
		if (!end_with(parent))
			_exit(1);
		close(ours);
		task_main(task, theirs);
	}
	if (question->pid < 0)
		return fail(err, errno, "cannot fork");
	question->channel = take_fd(&ours);
	return 0;
}

/*
 * One that has answered ends by itself.  One that waits for a dead lxcfs can be killed; when
 * lxcfs has read the question and then stopped, not even that: it ends when lxcfs does, and
 * nobody waits for it.
 */
static void task_end(struct view_question *question, bool answered)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int options = answered ? 0 : WNOHANG;

	own_close(&question->channel);
	if (!answered)
		kill(question->pid, SIGKILL);
	for (int i = 0; i < 50 && waitpid(question->pid, NULL, options) == 0; i++)
		nanosleep(&pause, NULL);
	*question = (struct view_question){ .channel = -1 };
}

int view_take(struct view_question *question, unsigned wait_ms, struct view_files *files,
	      struct err *err)
{
	struct pollfd answer = { .fd = question->channel, .events = POLLIN };
	unsigned long long end = now_ms() + wait_ms;
	int ready, result;

	files_none(files);
	do {
		unsigned long long now = now_ms();

		ready = poll(&answer, 1, now < end ? (int)(end - now) : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready > 0)
		result = answer_receive(question->channel, files, err);
	else
		result = fail_as(err, ERR_SYSTEM, "lxcfs does not answer");
	task_end(question, ready > 0);
	return result;
}

static bool has_files(const struct view_files *files)
{
	return files->tree[view_probe] >= 0;
}

void view_accept(struct view_offer *offer, int run)
{
	struct err err, ignored;

	if (has_files(&offer->files))
		return;
	if (offer->question.channel >= 0 &&
	    view_take(&offer->question, ANSWER_MS, &offer->files, &err) < 0)
		(void)snprintf(offer->reason, sizeof(offer->reason), "%.*s", 150, err.msg);
	(void)view_state_write(run, has_files(&offer->files) ? &offer->lxcfs : NULL,
			       offer->reason, &ignored);
}

int view_ask(const struct lxcfs *lxcfs, struct view_question *question, struct err *err)
{
	own_fd holder = process_open(lxcfs->holder, lxcfs->holder_start);
	const struct task task = { .holder = holder, .init = -1 };

	if (holder < 0)
		return fail_as(err, ERR_SYSTEM, "lxcfs has ended");
	return task_start(&task, question, err);
}

int view_attach(int run, pid_t init, const struct lxcfs *lxcfs, const char *reason,
		struct err *err)
{
	struct view_question question;
	struct view_files none;
	struct view_state state;
	own_fd holder = lxcfs ? process_open(lxcfs->holder, lxcfs->holder_start) : -1;
	own_fd pidfd = pidfd_open(init, 0);

	if (pidfd < 0)
		return fail_as(err, ERR_NOT_RUNNING, "it is not running");
	if (lxcfs && holder < 0)
		return fail_as(err, ERR_SYSTEM, "lxcfs has ended");
	view_state_read(run, &state);

	const struct task task = { .holder = holder,
				   .init = pidfd,
				   .stale = state.has ? state.by.device : 0 };
	if (task_start(&task, &question, err) < 0 ||
	    view_take(&question, ANSWER_MS, &none, err) < 0)
		return -1;
	return view_state_write(run, lxcfs, reason, err);
}

/* Not worth a failed start: what cannot be placed stays the node's. */
void view_place(int root, const struct view_files *files)
{
	for (size_t i = 0; i < VIEW_FILES; i++) {
		char path[64];
		struct err ignored;

		if (files->tree[i] < 0)
			continue;
		str_format(path, sizeof(path), "%s/%s", view_files[i].dir, view_files[i].name);
		own_fd target = tree_open(root, path, O_PATH, &ignored);
		if (target >= 0)
			(void)move_mount(files->tree[i], "", target, "",
					 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	}
}

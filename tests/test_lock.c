/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

static struct err err;

TestSuite(lock, .init = scratch_make, .fini = scratch_remove);

Test(lock, is_free_again_when_its_descriptor_is_closed)
{
	int first = lock_take(scratch, "lock", "first", 0, &err);
	cr_assert_geq(first, 0, "%s", err.msg);
	close(first);

	own_fd second = lock_take(scratch, "lock", "second", 0, &err);
	cr_expect_geq(second, 0, "%s", err.msg);
}

Test(lock, names_its_holder_to_whoever_is_refused)
{
	own_fd held = lock_take(scratch, "lock", "'nodectl stop' (pid 7)\n", 0, &err);

	cr_assert_geq(held, 0);
	cr_expect_eq(lock_take(scratch, "lock", "me", 0, &err), -1);
	cr_expect_eq(err.kind, ERR_LOCKED);
	cr_expect_str_eq(err.msg, "locked by 'nodectl stop' (pid 7)");
}

Test(lock, names_the_present_holder_and_nothing_of_the_one_before)
{
	close(lock_take(scratch, "lock", "a holder with a long name", 0, &err));
	own_fd held = lock_take(scratch, "lock", "b", 0, &err);

	cr_assert_geq(held, 0);
	cr_expect_eq(lock_take(scratch, "lock", "me", 0, &err), -1);
	cr_expect_str_eq(err.msg, "locked by b");
}

Test(lock, of_a_holder_who_has_not_written_yet_is_another_commands)
{
	own_fd held = openat(scratch, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(flock(held, LOCK_EX), 0);
	cr_expect_eq(lock_take(scratch, "lock", "me", 0, &err), -1);
	cr_expect_str_eq(err.msg, "locked by another command");
}

Test(lock, holders_name_cannot_drive_the_terminal)
{
	own_fd held = lock_take(scratch, "lock", "\033[2Jx", 0, &err);

	cr_assert_geq(held, 0);
	cr_expect_eq(lock_take(scratch, "lock", "me", 0, &err), -1);
	cr_expect_str_eq(err.msg, "locked by \\x1b[2Jx");
}

Test(lock, is_waited_for_as_long_as_was_said)
{
	own_fd held = lock_take(scratch, "lock", "x", 0, &err);
	unsigned long long start = now_ms(), waited;

	cr_assert_geq(held, 0);
	cr_expect_eq(lock_take(scratch, "lock", "me", 150, &err), -1);
	waited = now_ms() - start;
	cr_expect_geq(waited, 150);
	cr_expect_lt(waited, 2000);
}

/* A process that holds the lock; returns once it does. */
static pid_t holder_start(unsigned hold_ms)
{
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = lock_take(scratch, "lock", "child", 0, &err);

		(void)!write(ready[1], fd < 0 ? "-" : "+", 1);
		usleep(hold_ms * 1000);
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(byte, '+');
	return pid;
}

Test(lock, is_taken_as_soon_as_it_is_free)
{
	pid_t pid = holder_start(100);
	unsigned long long start = now_ms();
	own_fd fd = lock_take(scratch, "lock", "me", 10000, &err);

	cr_expect_geq(fd, 0, "%s", err.msg);
	cr_expect_lt(now_ms() - start, 5000);
	waitpid(pid, NULL, 0);
}

Test(lock, of_a_process_that_was_killed_is_free)
{
	pid_t pid = holder_start(60000);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	own_fd fd = lock_take(scratch, "lock", "me", 0, &err);
	cr_expect_geq(fd, 0, "%s", err.msg);
}

Test(lock, is_seen_to_be_held_only_while_it_is)
{
	cr_expect_not(lock_is_held(scratch, "lock"), "a file that is not there");
	int fd = lock_take(scratch, "lock", "me", 0, &err);
	cr_expect(lock_is_held(scratch, "lock"));
	cr_expect(lock_is_held(scratch, "lock"), "looking changes nothing");
	close(fd);
	cr_expect_not(lock_is_held(scratch, "lock"));
}

Test(lock, is_not_inherited_by_a_program_that_is_executed)
{
	own_fd fd = lock_take(scratch, "lock", "me", 0, &err);

	cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

Test(lock, is_not_taken_through_a_symbolic_link)
{
	scratch_put(scratch, "victim", "precious");
	cr_assert_eq(symlinkat("victim", scratch, "lock"), 0);
	cr_expect_eq(lock_take(scratch, "lock", "me", 0, &err), -1);
	cr_expect_eq(err.code, ELOOP);
	cr_expect(scratch_holds(scratch, "victim", "precious"));
}

/* A tmpfs of one page with a file "lock", which then is full or takes no writes.  Nobody else
 * sees it, and it goes with its descriptor. */
static int poor_disk(bool full)
{
	int dir;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("it takes root to mount");
	cr_assert_eq(mount("none", scratch_path, "tmpfs", 0, "size=4k"), 0);
	dir = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
	close(openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (full) {
		own_fd filler = openat(dir, "filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		char page[4096] = { 0 };

		cr_assert_eq(write(filler, page, sizeof(page)), sizeof(page));
	} else {
		cr_assert_eq(mount(NULL, scratch_path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	}
	cr_assert_eq(umount2(scratch_path, MNT_DETACH), 0);
	return dir;
}

Test(lock, is_taken_without_room_for_its_holders_name)
{
	own_fd dir = poor_disk(true);
	own_fd held = lock_take(dir, "lock", "me", 0, &err);

	cr_assert_geq(held, 0, "%s", err.msg);
	cr_expect_eq(lock_take(dir, "lock", "you", 0, &err), -1);
	cr_expect_str_eq(err.msg, "locked by another command");
}

Test(lock, that_is_there_is_taken_on_a_disk_that_takes_no_writes)
{
	own_fd dir = poor_disk(false);
	own_fd held = lock_take(dir, "lock", "me", 0, &err);
	cr_assert_geq(held, 0, "%s", err.msg);
	cr_expect(lock_is_held(dir, "lock"));
	cr_expect_eq(lock_take(dir, "lock", "you", 0, &err), -1);
	cr_expect_eq(err.kind, ERR_LOCKED);
	cr_expect_eq(lock_take(dir, "new", "me", 0, &err), -1);
	cr_expect_eq(err.code, EROFS);
}

/* What follows passes descriptors over a socket. */
static int ends[2];

static void pair_make(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

TestSuite(fd, .init = pair_make);

Test(fd, arrives_as_the_same_open_file)
{
	int pipes[2], got;
	char byte;

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(fd_send(ends[0], pipes[1]), 0);
	got = fd_receive(ends[1]);
	cr_assert_geq(got, 0);
	cr_expect_neq(got, pipes[1]);
	cr_expect_eq(write(got, "!", 1), 1);
	cr_expect_eq(read(pipes[0], &byte, 1), 1);
	cr_expect_eq(byte, '!');
	cr_expect_neq(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);
}

Test(fd, from_a_peer_that_is_gone_is_a_broken_pipe)
{
	close(ends[0]);
	cr_expect_eq(fd_receive(ends[1]), -1);
	cr_expect_eq(errno, EPIPE);
}

Test(fd, to_a_peer_that_is_gone_fails_without_a_signal)
{
	close(ends[1]);
	cr_expect_eq(fd_send(ends[0], 0), -1);
	cr_expect_eq(errno, EPIPE);
}

Test(fd, that_does_not_come_with_the_message_is_missed)
{
	cr_assert_eq(send(ends[0], "x", 1, 0), 1);
	cr_expect_eq(fd_receive(ends[1]), -1);
	cr_expect_eq(errno, EBADMSG);
}

Test(fd, that_is_not_open_cannot_be_sent)
{
	cr_expect_eq(fd_send(ends[0], 9999), -1);
	cr_expect_eq(errno, EBADF);
}

Test(lock, of_a_directory_makes_it_and_holds_it_alone)
{
	char path[96], again[96];
	struct stat stat_of;

	str_format(path, sizeof(path), "%s/home", scratch_path);
	own_fd held = dir_take(path, &err);
	cr_assert_geq(held, 0, "%s", err.msg);
	cr_assert_eq(fstat(held, &stat_of), 0);
	cr_expect_eq(stat_of.st_mode, S_IFDIR | 0700u);
	own_fd other = openat(scratch, "home", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_expect_eq(flock(other, LOCK_EX | LOCK_NB), -1);
	close(take_fd(&held));
	cr_expect_eq(flock(other, LOCK_EX | LOCK_NB), 0);

	str_format(again, sizeof(again), "%s/none/home", scratch_path);
	cr_expect_eq(dir_take(again, &err), -1);
	cr_expect_eq(err.code, ENOENT);
	cr_expect(strstr(err.msg, "none/home"), "%s", err.msg);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../runtime/relay.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"

static struct relay relay;

/* The command's pipe and the caller's, as exec has them. */
static int command[2], caller[2];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(20);
	cr_assert_eq(pipe2(command, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(caller, O_CLOEXEC), 0);
}

TestSuite(relay, .init = setup);

/* Let it go on for as long as it has something to do: how many turns. */
static int go(void)
{
	struct pollfd fds[2];
	int turns = 0;

	for (relay_awaits(&relay, fds); relay.from >= 0 && poll(fds, 2, 0) > 0; turns++) {
		cr_assert_lt(turns, 1000, "it goes round and round");
		relay_go(&relay, fds);
		relay_awaits(&relay, fds);
	}
	return turns;
}

static void output(int to)
{
	cr_assert_eq(fcntl(command[0], F_SETFL, O_NONBLOCK), 0);
	relay_out(&relay, command[0], to);
}

static void input(void)
{
	cr_assert_eq(fcntl(command[1], F_SETFL, O_NONBLOCK), 0);
	relay_in(&relay, caller[0], command[1]);
}

static void has(int fd, const char *expected)
{
	char text[64] = "";

	cr_expect_eq(read(fd, text, sizeof(text) - 1), (ssize_t)strlen(expected));
	cr_expect_str_eq(text, expected);
}

static ssize_t fill(int fd)
{
	static char block[4096];
	ssize_t all = 0, len;

	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((len = write(fd, block, sizeof(block))) > 0)
		all += len;
	(void)fcntl(fd, F_SETFL, 0);
	return all;
}

static void drain(int fd, ssize_t left)
{
	char block[4096];

	while (left > 0)
		left -= read(fd, block, sizeof(block));
}

Test(relay, output_goes_to_a_pipe)
{
	output(caller[1]);
	cr_assert_eq(write(command[1], "out", 3), 3);
	go();
	has(caller[0], "out");
	cr_expect_geq(relay.from, 0);
}

Test(relay, input_goes_to_the_command)
{
	input();
	cr_assert_eq(write(caller[1], "in", 2), 2);
	go();
	has(command[0], "in");
}

Test(relay, the_end_of_the_input_is_the_end_of_the_commands)
{
	input();
	cr_assert_eq(write(caller[1], "last", 4), 4);
	close(caller[1]);
	go();
	cr_expect_eq(relay.from, -1);
	cr_expect_eq(relay.failed, 0);
	has(command[0], "last");
	has(command[0], "");
}

Test(relay, output_that_nobody_takes_is_not_waited_for)
{
	output(caller[1]);
	ssize_t before = fill(caller[1]);

	cr_assert_eq(write(command[1], "late", 4), 4);
	go();
	relay_owe(&relay);
	cr_expect(relay_is_owing(&relay));
	drain(caller[0], before);
	go();
	has(caller[0], "late");
	cr_expect_not(relay_is_owing(&relay));
}

Test(relay, input_that_the_command_does_not_take_is_held)
{
	input();
	ssize_t before = fill(command[1]);

	cr_assert_eq(fcntl(command[1], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(write(caller[1], "late", 4), 4);
	close(caller[1]);
	go();
	cr_expect_geq(relay.from, 0);
	drain(command[0], before);
	go();
	has(command[0], "late");
	has(command[0], "");
}

Test(relay, a_command_learns_that_nobody_reads_its_output)
{
	output(caller[1]);
	close(caller[0]);
	go();
	cr_expect_eq(relay.from, -1);
	cr_expect_eq(relay.failed, 0);
	cr_expect_eq(write(command[1], "x", 1), -1);
	cr_expect_eq(errno, EPIPE);
}

Test(relay, whoever_writes_to_us_learns_that_the_command_does_not_read)
{
	input();
	close(command[0]);
	go();
	cr_expect_eq(relay.from, -1);
	cr_expect_eq(write(caller[1], "x", 1), -1);
	cr_expect_eq(errno, EPIPE);
}

Test(relay, whoever_reads_from_us_learns_of_the_end)
{
	output(caller[1]);
	cr_assert_eq(write(command[1], "last", 4), 4);
	close(command[1]);
	go();
	has(caller[0], "last");
	has(caller[0], "");
}

Test(relay, output_is_appended_to_a_file)
{
	own_fd file = memfd_create("log", MFD_CLOEXEC);

	cr_assert_eq(fcntl(file, F_SETFL, O_APPEND), 0);

	cr_assert_eq(write(file, "old ", 4), 4);
	output(file);
	cr_assert_eq(write(command[1], "new", 3), 3);
	go();
	cr_assert_eq(lseek(file, 0, SEEK_SET), 0);
	has(file, "old new");
}

Test(relay, output_goes_to_a_socket)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	output(pair[0]);
	cr_assert_eq(write(command[1], "out", 3), 3);
	go();
	has(pair[1], "out");
	close(pair[1]);
	go();
	cr_expect_eq(relay.from, -1);
	cr_expect_eq(relay.failed, 0);
}

Test(relay, a_full_disk_is_a_failure)
{
	output(open("/dev/full", O_WRONLY));
	cr_assert_eq(write(command[1], "lost", 4), 4);
	go();
	cr_expect_eq(relay.from, -1);
	cr_expect_eq(relay.failed, ENOSPC);
}

Test(relay, a_directory_as_input_is_a_failure)
{
	close(caller[0]);
	cr_assert_eq(open("/", O_RDONLY | O_DIRECTORY), caller[0]);
	input();
	go();
	cr_expect_eq(relay.failed, EISDIR);
	has(command[0], "");
}

/* Or somebody whom the command has left behind could keep us for ever. */
Test(relay, what_comes_after_the_end_is_not_owed)
{
	output(caller[1]);
	cr_assert_eq(write(command[1], "before", 6), 6);
	relay_owe(&relay);
	cr_expect(relay_is_owing(&relay));
	go();
	cr_expect_not(relay_is_owing(&relay));
	cr_assert_eq(write(command[1], "after", 5), 5);
	cr_expect_not(relay_is_owing(&relay));
}

Test(relay, what_was_taken_back_inside_is_not_owed)
{
	output(caller[1]);
	cr_assert_eq(write(command[1], "before", 6), 6);
	relay_owe(&relay);
	drain(command[0], 6);
	cr_expect_not(relay_is_owing(&relay));
}

Test(relay, a_page_of_a_file_never_gets_into_the_commands_pipe)
{
	input();
	cr_expect_not(relay.spliced);
	relay_end(&relay);
	cr_expect_eq(relay.from, -1);
	relay_end(&relay);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "own.h"
#include "str.h"
#include "test_scratch.h"

static struct err err;

TestSuite(io, .init = scratch_make, .fini = scratch_remove);

static mode_t mode_of(const char *name)
{
	struct stat stat;

	cr_assert_eq(fstatat(scratch, name, &stat, AT_SYMLINK_NOFOLLOW), 0, "%s", name);
	return stat.st_mode & 07777;
}

static bool exists(const char *name)
{
	return faccessat(scratch, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A file of @count times the letter x. */
static void fill(const char *name, size_t count)
{
	own_str text = xmalloc(count + 1);

	memset(text, 'x', count);
	text[count] = 0;
	scratch_put(scratch, name, text);
}

static void make_dir(const char *name)
{
	cr_assert_eq(mkdirat(scratch, name, 0700), 0, "%s", name);
}

Test(io, a_file_that_just_fits_is_read_and_ended)
{
	char buf[5] = "####";

	scratch_put(scratch, "f", "abcd");
	cr_expect_eq(file_read(scratch, "f", buf, sizeof(buf), &err), 4);
	cr_expect_str_eq(buf, "abcd");
}

Test(io, a_file_one_byte_too_long_is_not_read_in_part)
{
	char buf[5];

	scratch_put(scratch, "f", "abcde");
	cr_expect_eq(file_read(scratch, "f", buf, sizeof(buf), &err), -1);
	cr_expect_eq(err.code, EFBIG);
	cr_expect_str_eq(err.msg, "cannot read 'f': File too large");
}

Test(io, an_empty_file_is_an_empty_string)
{
	char buf[5] = "####";

	scratch_put(scratch, "f", "");
	cr_expect_eq(file_read(scratch, "f", buf, sizeof(buf), &err), 0);
	cr_expect_str_eq(buf, "");
}

Test(io, a_missing_file_is_told_by_errno)
{
	char buf[5];

	cr_expect_eq(file_read(scratch, "f", buf, sizeof(buf), &err), -1);
	cr_expect_eq(err.code, ENOENT);
	cr_expect_null(file_slurp(scratch, "f", 10, &err));
	cr_expect_eq(err.code, ENOENT);
}

Test(io, a_directory_is_no_file_to_read)
{
	char buf[5];

	cr_expect_eq(file_read(scratch, ".", buf, sizeof(buf), &err), -1);
	cr_expect_eq(err.code, EISDIR);
	cr_expect_null(file_slurp(scratch, ".", 10, &err));
	cr_expect_eq(err.code, EISDIR);
}

Test(io, a_slurped_file_may_have_any_length_up_to_the_limit)
{
	static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 20000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill("f", lengths[i]);
		own_str text = file_slurp(scratch, "f", 20000, &err);
		cr_assert_not_null(text, "%zu: %s", lengths[i], err.msg);
		cr_expect_eq(strlen(text), lengths[i]);
	}
}

Test(io, a_slurped_file_may_not_be_longer_than_the_limit)
{
	static const size_t limits[] = { 0, 10, 4095, 4096, 5000, 65536 };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		fill("f", limits[i] + 1);
		own_str text = file_slurp(scratch, "f", limits[i], &err);
		cr_expect_null(text, "limit %zu", limits[i]);
		cr_expect_eq(err.code, EFBIG);
	}
}

Test(io, a_file_without_end_is_refused, .timeout = 10)
{
	cr_expect_null(file_slurp(AT_FDCWD, "/dev/zero", 1 << 20, &err));
	cr_expect_eq(err.code, EFBIG);
}

Test(io, a_file_of_proc_is_read_whole_although_its_size_is_0)
{
	own_str text = file_slurp(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &err);

	cr_assert_not_null(text);
	cr_expect_gt(strlen(text), 0);
}

Test(io, a_knob_is_written_but_never_made)
{
	cr_expect_eq(file_write(scratch, "knob", "1", &err), -1);
	cr_expect_eq(err.code, ENOENT);
	cr_expect_not(exists("knob"));
	scratch_put(scratch, "knob", "");
	cr_expect_eq(file_write(scratch, "knob", "max", &err), 0);
	cr_expect(scratch_holds(scratch, "knob", "max"));
}

Test(io, a_knob_that_refuses_is_named_with_the_value)
{
	cr_expect_eq(file_write(AT_FDCWD, "/dev/full", "7", &err), -1);
	cr_expect_str_eq(err.msg, "cannot set '/dev/full' to '7': No space left on device");
	cr_expect_eq(err.kind, ERR_NO_SPACE);
}

Test(io, a_record_is_replaced_whole)
{
	scratch_put(scratch, "r", "a long old content");
	cr_expect_eq(file_replace(scratch, "r", "new", 3, 0600, &err), 0);
	cr_expect(scratch_holds(scratch, "r", "new"));
	cr_expect_eq(scratch_count(scratch), 1);
}

Test(io, a_record_has_exactly_its_mode)
{
	umask(077);
	cr_expect_eq(file_replace(scratch, "open", "", 0, 0644, &err), 0);
	cr_expect_eq(mode_of("open"), 0644);
	umask(0);
	cr_expect_eq(file_replace_volatile(scratch, "closed", "", 0, 0600, &err), 0);
	cr_expect_eq(mode_of("closed"), 0600);
	umask(022);
}

Test(io, a_record_may_be_replaced_in_the_working_directory)
{
	cr_assert_eq(fchdir(scratch), 0);
	cr_expect_eq(file_replace(AT_FDCWD, "r", "new", 3, 0600, &err), 0, "%s", err.msg);
	cr_expect(scratch_holds(scratch, "r", "new"));
	cr_assert_eq(chdir("/"), 0);
}

Test(io, a_symbolic_link_is_replaced_and_not_followed)
{
	scratch_put(scratch, "victim", "precious");
	cr_assert_eq(symlinkat("victim", scratch, "r"), 0);
	cr_expect_eq(file_replace(scratch, "r", "new", 3, 0600, &err), 0);
	cr_expect(scratch_holds(scratch, "victim", "precious"));
	cr_expect(scratch_holds(scratch, "r", "new"));
}

Test(io, what_somebody_put_in_place_of_the_temporary_file_is_not_followed)
{
	char temporary[32];

	str_format(temporary, sizeof(temporary), ".r.%d", getpid());
	scratch_put(scratch, "victim", "precious");
	cr_assert_eq(symlinkat("victim", scratch, temporary), 0);
	cr_expect_eq(file_replace(scratch, "r", "new", 3, 0600, &err), 0);
	cr_expect(scratch_holds(scratch, "victim", "precious"));
	cr_expect_not(exists(temporary));
}

Test(io, a_rename_that_fails_leaves_no_temporary_file)
{
	make_dir("r");
	scratch_put(scratch, "r/inside", "");
	cr_expect_eq(file_replace(scratch, "r", "new", 3, 0600, &err), -1);
	cr_expect_eq(scratch_count(scratch), 1);
}

Test(io, a_write_that_fails_leaves_the_old_record_and_no_temporary_file)
{
	const struct rlimit limit = { 4, 4 };

	scratch_put(scratch, "r", "old");
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(file_replace(scratch, "r", "too long", 8, 0600, &err), -1);
	cr_expect_eq(err.code, EFBIG);
	cr_expect(scratch_holds(scratch, "r", "old"));
	cr_expect_eq(scratch_count(scratch), 1);
}

#define RECORD 20000

/* Reads as long as the writer lives; a record of two different letters is torn. */
static void __attribute__((noreturn)) reader_run(pid_t writer)
{
	static char text[RECORD + 1];

	while (getppid() == writer) {
		if (file_read(scratch, "r", text, sizeof(text), &err) != RECORD ||
		    strspn(text, text[0] == 'a' ? "a" : "b") != RECORD)
			_exit(1);
		if (exists("done"))
			_exit(0);
	}
	_exit(2);
}

Test(io, readers_see_the_old_or_the_new_record_never_a_mixture)
{
	static char a[RECORD], b[RECORD];
	pid_t writer = getpid(), readers[3];
	int status;

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	cr_assert_eq(file_replace(scratch, "r", a, sizeof(a), 0600, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i] = fork();
		if (readers[i] == 0)
			reader_run(writer);
	}
	for (int i = 0; i < 500; i++)
		cr_assert_eq(
		    file_replace_volatile(scratch, "r", i % 2 ? a : b, RECORD, 0600, &err), 0);
	scratch_put(scratch, "done", "");
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		cr_assert_eq(waitpid(readers[i], &status, 0), readers[i]);
		cr_expect_eq(status, 0, "a reader saw a torn record");
	}
}

Test(io, a_directory_is_made_with_exactly_its_mode)
{
	umask(077);
	own_fd fd = dir_make(scratch, "d", 0755, &err);
	umask(022);

	cr_expect_geq(fd, 0);
	cr_expect_eq(mode_of("d"), 0755);
}

Test(io, a_directory_that_is_there_gets_the_mode)
{
	make_dir("d");
	own_fd fd = dir_make(scratch, "d", 0711, &err);

	cr_expect_geq(fd, 0);
	cr_expect_eq(mode_of("d"), 0711);
}

Test(io, neither_a_file_nor_a_symbolic_link_passes_for_a_directory)
{
	scratch_put(scratch, "file", "");
	make_dir("d");
	cr_assert_eq(symlinkat("d", scratch, "link"), 0);
	cr_expect_eq(dir_make(scratch, "file", 0711, &err), -1);
	cr_expect_eq(dir_make(scratch, "link", 0711, &err), -1);
	cr_expect_eq(dir_open(scratch, "link", &err), -1);
	cr_expect_eq(mode_of("d"), 0700);
}

Test(io, a_path_is_made_with_its_parents)
{
	own_str path = xasprintf("%s/a/b/c", scratch_path);

	umask(022);
	cr_expect_eq(dir_make_path(path, 0700, &err), 0, "%s", err.msg);
	cr_expect_eq(mode_of("a"), 0755);
	cr_expect_eq(mode_of("a/b"), 0755);
	cr_expect_eq(mode_of("a/b/c"), 0700);
	cr_expect_eq(dir_make_path(path, 0700, &err), 0, "%s", err.msg);
}

Test(io, a_path_through_a_file_names_what_stands_in_the_way)
{
	own_str path = xasprintf("%s/file/b/c", scratch_path);

	scratch_put(scratch, "file", "");
	cr_expect_eq(dir_make_path(path, 0700, &err), -1);
	cr_expect_eq(err.code, ENOTDIR);
	cr_expect_not_null(strstr(err.msg, "/file/b'"), "%s", err.msg);
}

static int each_until(int dir, const char *name, void *arg, struct err *failure)
{
	unsigned *left = arg;

	(void)dir;
	return --*left ? 0 : fail(failure, 0, "stopped at %s", name);
}

Test(io, each_name_is_visited_but_for_the_two_dots)
{
	scratch_put(scratch, "a", "");
	scratch_put(scratch, ".hidden", "");
	make_dir("d");
	cr_expect_eq(scratch_count(scratch), 3);
	cr_expect_eq(scratch_count(scratch), 3, "the second walk begins where the first did");
}

Test(io, a_walk_stops_at_the_first_failure)
{
	unsigned left = 2;

	scratch_put(scratch, "a", "");
	scratch_put(scratch, "b", "");
	scratch_put(scratch, "c", "");
	cr_expect_eq(dir_each(scratch, each_until, &left, &err), -1);
	cr_expect_eq(left, 0);
	cr_expect_eq(strncmp(err.msg, "stopped at ", 11), 0);
}

Test(io, a_tree_is_removed_with_all_that_is_below)
{
	make_dir("t");
	make_dir("t/a");
	make_dir("t/a/b");
	scratch_put(scratch, "t/a/b/file", "x");
	cr_assert_eq(mkfifoat(scratch, "t/fifo", 0600), 0);
	cr_assert_eq(symlinkat("nowhere", scratch, "t/a/dangling"), 0);
	cr_expect_eq(tree_remove(scratch, "t", &err), 0, "%s", err.msg);
	cr_expect_not(exists("t"));
}

Test(io, a_tree_that_is_not_there_is_removed)
{
	cr_expect_eq(tree_remove(scratch, "t", &err), 0);
}

Test(io, a_single_file_is_a_tree)
{
	scratch_put(scratch, "t", "");
	cr_expect_eq(tree_remove(scratch, "t", &err), 0);
	cr_expect_not(exists("t"));
}

Test(io, symbolic_links_are_removed_and_not_followed)
{
	make_dir("outside");
	scratch_put(scratch, "outside/precious", "x");
	make_dir("t");
	cr_assert_eq(symlinkat("../outside", scratch, "t/link"), 0);
	cr_assert_eq(symlinkat("outside", scratch, "top"), 0);
	cr_expect_eq(tree_remove(scratch, "t", &err), 0, "%s", err.msg);
	cr_expect_eq(tree_remove(scratch, "top", &err), 0, "%s", err.msg);
	cr_expect_not(exists("t"));
	cr_expect_not(exists("top"));
	cr_expect(exists("outside/precious"));
}

/* Mount something at @name of the scratch directory, seen by this test alone. */
static void mount_at(const char *source, const char *type, unsigned long flags,
		     const char *name)
{
	own_str target = xasprintf("%s/%s", scratch_path, name);

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("only root may mount");
	cr_assert_eq(mount(source, target, type, flags, NULL), 0);
	/* a descriptor from before sees the mounts of the namespace that we left */
	close(scratch);
	scratch = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void unmount_at(const char *name)
{
	own_str target = xasprintf("%s/%s", scratch_path, name);

	cr_expect_eq(umount2(target, MNT_DETACH), 0);
}

Test(io, another_file_system_is_not_removed)
{
	make_dir("t");
	make_dir("t/m");
	mount_at("none", "tmpfs", 0, "t/m");
	scratch_put(scratch, "t/m/precious", "x");
	make_dir("t/a");
	scratch_put(scratch, "t/a/file", "x");
	scratch_put(scratch, "t/z", "x");
	cr_expect_eq(tree_remove(scratch, "t", &err), -1);
	cr_expect(exists("t/m/precious"));
	cr_expect_str_eq(err.msg, "t: cannot remove 'm': Device or resource busy");
	cr_expect_not(exists("t/a") || exists("t/z"), "the rest is removed");
	unmount_at("t/m");
}

Test(io, a_bind_mount_of_the_same_file_system_is_not_removed)
{
	own_str source = xasprintf("%s/outside", scratch_path);

	make_dir("outside");
	scratch_put(scratch, "outside/precious", "x");
	make_dir("t");
	make_dir("t/m");
	mount_at(source, NULL, MS_BIND, "t/m");
	cr_expect_eq(tree_remove(scratch, "t", &err), -1);
	cr_expect(exists("outside/precious"));
	unmount_at("t/m");
}

Test(io, a_tree_that_is_a_mount_itself_is_not_emptied)
{
	make_dir("t");
	mount_at("none", "tmpfs", 0, "t");
	scratch_put(scratch, "t/precious", "x");
	cr_expect_eq(tree_remove(scratch, "t", &err), -1);
	cr_expect(exists("t/precious"));
	unmount_at("t");
}

Test(io, all_is_read_through_short_counts)
{
	int ends[2];
	char got[11] = "";

	cr_assert_eq(pipe(ends), 0);
	if (fork() == 0) {
		for (const char *c = "0123456789"; *c; c++) {
			usleep(500);
			(void)!write(ends[1], c, 1);
		}
		_exit(0);
	}
	cr_expect_eq(read_all(ends[0], got, 10), 0);
	cr_expect_str_eq(got, "0123456789");
}

Test(io, an_early_end_is_a_broken_pipe)
{
	char got[4];
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "ab", 2), 2);
	close(ends[1]);
	cr_expect_eq(read_all(ends[0], got, sizeof(got)), -1);
	cr_expect_eq(errno, EPIPE);
}

Test(io, all_is_written_through_a_pipe_smaller_than_it)
{
	size_t size = 1 << 20;
	own_str big = xmalloc(size);
	own_str back = xcalloc(1, size);
	int ends[2], status;
	pid_t pid;

	memset(big, 'x', size);
	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		_exit(write_all(ends[1], big, size) == 0 ? 0 : 1);
	cr_expect_eq(read_all(ends[0], back, size), 0);
	cr_expect_eq(memcmp(big, back, size), 0);
	cr_expect_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

Test(io, the_clock_of_deadlines_goes_forward)
{
	unsigned long long before = now_ms();

	usleep(20000);
	cr_expect_geq(now_ms(), before + 19);
	cr_expect_lt(now_ms(), before + 5000);
}

Test(io, a_name_that_cannot_be_looked_at_is_not_missing)
{
	scratch_put(scratch, "f", "");
	cr_assert_eq(symlinkat("loop", scratch, "loop"), 0);
	cr_expect_eq(name_look(scratch, "f", &err), 1);
	cr_expect_eq(name_look(scratch, "g", &err), 0);
	cr_expect_eq(name_look(scratch, "f/g", &err), -1);
	cr_expect_eq(err.code, ENOTDIR);
	cr_expect_eq(name_look(scratch, "loop", &err), -1);
	cr_expect_eq(err.code, ELOOP);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <shadow.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

#define PASSWORD_MS 10000u

/* What exec and enter have in common: a command in a VPS that runs. */
static int run_inside(const struct cli *cli, struct inside *inside, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	pid_t init;
	int status;

	if (node_open(&node, cli->config, err) < 0 ||
	    awake_load(&node, cli->args[0], &vps, &init, err) < 0)
		return -1;
	inside->in = cli_option(cli, "no-stdin") ? -1 : STDIN_FILENO;
	inside->out = STDOUT_FILENO;
	inside->err = STDERR_FILENO;
	if (runtime_exec(vps.id, init, inside, &status, err) < 0) {
		/* 126 and 127 as a shell has them; what is not the command's fault keeps its
		 * kind */
		if (err->kind == ERR_SYSTEM)
			err->kind = ERR_CANNOT_RUN;
		return fail_in(err, "%s: exec", vps.name);
	}
	return EXIT_AS(status);
}

static bool ours_is_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

int cmd_exec(struct cli *cli, struct err *err)
{
	const char **env = xcalloc(cli->options_count + 1, sizeof(*env));
	struct inside inside = { .cwd = cli_option(cli, "cwd"), .env = env };
	const int command = 1;
	int result;
	size_t count = 0;

	for (size_t i = 0; i < cli->options_count; i++) {
		if (strcmp(cli->options[i].name, "env") == 0)
			env[count++] = cli->options[i].value;
	}
	for (size_t i = 0; i < count; i++) {
		if (strchr(env[i], '=') > env[i])
			continue;
		free(env);
		return fail_as(err, ERR_VALUE, "--env: not NAME=VALUE");
	}
	if (cli->args_count <= command) {
		free(env);
		return cli_expect(cli, 1 << 20, -1, err);
	}
	inside.argv = (const char *const *)cli->args + command;
	inside.tty =
	    cli_option(cli, "tty") ||
	    (!cli_option(cli, "no-tty") && !cli_option(cli, "no-stdin") && ours_is_terminal());
	if (inside.tty && (!isatty(STDIN_FILENO) || cli_option(cli, "no-stdin"))) {
		free(env);
		return fail_as(err, ERR_VALUE, "--tty: standard input is no terminal");
	}
	result = run_inside(cli, &inside, err);
	free(env);
	return result;
}

int cmd_enter(struct cli *cli, struct err *err)
{
	/* a login shell as root's own: bash where there is one */
	static const char *const argv[] = {
		"/bin/sh", "-c",
		"cd; if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi",
		NULL
	};
	char chroot[100];
	/* Debian's and busybox' prompts show it: who is in several VPSs must know in which */
	const char *const env[] = { chroot, NULL };
	struct inside inside = { .argv = argv, .env = env, .tty = ours_is_terminal() };

	if (cli_expect(cli, 1, 1, err) < 0)
		return -1;
	str_format(chroot, sizeof(chroot), "debian_chroot=%.80s", cli->args[0]);
	return run_inside(cli, &inside, err);
}

int cmd_console(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	struct status status;

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    vps_load(&node, cli->args[0], &vps, err) < 0)
		return -1;
	vps_status(&node, &vps, &status);
	adopt_quietly(&node, vps.name, &status);
	/* it may be attached before the VPS starts */
	own_fd run = dir_make(node.runs, vps.name, 0700, err);
	if (run < 0)
		return -1;
	return runtime_console(vps.name, run, err);
}

int password_read(const struct cli *cli, char *password, size_t size, struct err *err)
{
	struct termios before, quiet;
	char again[256];
	bool tty = !cli_option(cli, "password-stdin");

	if (tty && !isatty(STDIN_FILENO))
		return fail_as(
		    err, ERR_USAGE,
		    "standard input is no terminal; give the password with --password-stdin");
	if (tty) {
		if (tcgetattr(STDIN_FILENO, &before) < 0)
			return fail(err, errno, "cannot read the terminal's mode");
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		fputs("New password: ", stderr);
	}
	char *got = fgets(password, (int)size, stdin);
	if (tty) {
		fputs("\nAgain: ", stderr);
		if (!fgets(again, sizeof(again), stdin))
			again[0] = 0;
		fputc('\n', stderr);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		if (got && strcmp(password, again) != 0)
			return fail_as(err, ERR_VALUE, "the two are not the same");
	}
	if (got)
		password[strcspn(password, "\r\n")] = 0;
	if (!got || !*password)
		return fail_as(err, ERR_VALUE, "the password is empty");
	for (const char *c = password; *c; c++) {
		if ((unsigned char)*c < 0x20)
			return fail_as(err, ERR_VALUE, "the password has a control character");
	}
	return 0;
}

/* More than any file of users' passwords is. */
#define SHADOW_MAX (1u << 20)

/* One line of /etc/shadow that gets a new hash. */
struct secret {
	const char *user, *hash;
};

/*
 * Inside the VPS, as its root.  Its /etc/shadow is read as data and replaced by
 * a new file: no program of the tenant's learns the password, any system that has shadow(5)
 * will do, and a fifo in the file's place stops nobody.
 */
static int shadow_write(void *arg, struct err *err)
{
	const struct secret *secret = arg;
	static const char from[] = "/etc/shadow", to[] = "/etc/.shadow.nodectl";
	bool found = false;
	struct spwd *entry;
	struct stat stat;

	own_fd old = open(from, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (old < 0 || fstat(old, &stat) < 0 || !S_ISREG(stat.st_mode))
		return fail(err, errno, "the VPS has no '%s'", from);
	/* to read a line takes the square of its length */
	if (stat.st_size > SHADOW_MAX)
		return fail_as(err, ERR_VALUE, "'%s' in the VPS is larger than %u KiB", from,
			       SHADOW_MAX >> 10);
	(void)unlink(to);
	own_fd new = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (new < 0 || fchown(new, stat.st_uid, stat.st_gid) < 0 ||
	    fchmod(new, stat.st_mode & 0777) < 0)
		return fail(err, errno, "cannot write '%s' in the VPS", from);

	own_file in = fdopen(take_fd(&old), "r");
	own_file out = fdopen(take_fd(&new), "w");
	while (in && out && (entry = fgetspent(in))) {
		if (strcmp(entry->sp_namp, secret->user) == 0) {
			entry->sp_pwdp = (char *)secret->hash;
			entry->sp_lstchg = time(NULL) / 86400;
			found = true;
		}
		if (putspent(entry, out) < 0)
			break;
	}
	/* half of it is none */
	if (!in || !out || ferror(in) || ferror(out)) {
		fail(err, errno, "cannot copy '%s' in the VPS", from);
		(void)unlink(to);
		return -1;
	}
	if (!found) {
		(void)unlink(to);
		return fail_as(err, ERR_VALUE, "the VPS has no user '%s'", secret->user);
	}
	if (fflush(out) == EOF || fdatasync(fileno(out)) < 0 || rename(to, from) < 0) {
		fail(err, errno, "cannot write '%s' in the VPS", from);
		(void)unlink(to);
		return -1;
	}
	return dir_sync(AT_FDCWD, "/etc", err);
}

int password_set(const struct held *held, const char *user, const char *password,
		 struct err *err)
{
	struct crypt_data data = { 0 };
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct secret secret = { .user = user };
	struct status status;

	for (const char *c = user; *c; c++) {
		if (*c == ':' || (unsigned char)*c <= 0x20)
			return fail_as(err, ERR_VALUE, "'%s' is not a user's name", user);
	}
	/* SHA-512: every login program there is knows it, busybox' and dropbear too */
	if (!crypt_gensalt_rn("$6$", 0, NULL, 0, salt, sizeof(salt)))
		return fail(err, errno, "cannot make a salt");
	secret.hash = crypt_r(password, salt, &data);
	if (!secret.hash || secret.hash[0] == '*')
		return fail(err, errno, "cannot hash the password");

	if (held_status(held, &status, err) < 0)
		return -1;
	if (status.state == STATE_FROZEN)
		return fail_as(err, ERR_NOT_RUNNING, "it is frozen; thaw it first");
	/* the lock is held meanwhile */
	const struct inside_work work = { .work = shadow_write,
					  .arg = &secret,
					  .wait_ms = PASSWORD_MS };
	if (status.init)
		return runtime_inside(held->vps.id, status.init, &work, err);
	return runtime_offline(&held->vps, &held->place, shadow_write, &secret, err);
}

int cmd_passwd(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_held held = held_none();
	const char *user = cli_option(cli, "user");
	char password[256];

	if (cli_expect(cli, 1, 1, err) < 0 || node_open(&node, cli->config, err) < 0)
		return -1;
	/* an unknown name is told before anybody types */
	own_vps vps = { 0 };
	if (vps_load(&node, cli->args[0], &vps, err) < 0 ||
	    password_read(cli, password, sizeof(password), err) < 0 ||
	    vps_hold(&node, cli->args[0], "passwd", &held, err) < 0)
		return -1;
	if (password_set(&held, user ? user : "root", password, err) < 0)
		return fail_in(err, "%s: passwd", vps.name);
	explicit_bzero(password, sizeof(password));
	vps_log(&node, vps.name, "password of '%s' set", user ? user : "root");
	cli_say(cli, "%s: password of '%s' set", vps.name, user ? user : "root");
	return 0;
}

/* One file to be copied, and the pipe that it goes through. */
struct copy {
	const char *path; /* inside */
	int fd;		  /* the pipe's end, inside */
	mode_t mode;
};

static int stream(int from, int to, struct err *err)
{
	char buf[65536];

	for (;;) {
		ssize_t len = read(from, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return fail(err, errno, "cannot read");
		if (len == 0)
			return 0;
		if (write_all(to, buf, (size_t)len) < 0)
			return fail(err, errno, "cannot write");
	}
}

/* Inside, as the VPS's root: a fifo or device in place of the file is refused, not waited for,
 * and so is a link of /proc to a descriptor, for the other end of the copy is one. */
static int inside_open(const char *path, int flags, mode_t mode, struct err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	struct stat stat;
	own_fd fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd < 0)
		return fail(err, errno, "cannot open '%s' in the VPS", path);
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return fail_as(err, ERR_VALUE, "'%s' in the VPS is not a regular file", path);
	return take_fd(&fd);
}

static int push_inside(void *arg, struct err *err)
{
	const struct copy *copy = arg;
	own_fd to = inside_open(copy->path, O_WRONLY | O_CREAT, copy->mode, err);

	if (to < 0)
		return -1;
	if (ftruncate(to, 0) < 0 || fchmod(to, copy->mode) < 0)
		return fail(err, errno, "cannot write '%s' in the VPS", copy->path);
	if (stream(copy->fd, to, err) < 0)
		return fail_in(err, "'%s' in the VPS", copy->path);
	return 0;
}

static int pull_inside(void *arg, struct err *err)
{
	const struct copy *copy = arg;
	own_fd from = inside_open(copy->path, O_RDONLY, 0, err);

	return from < 0 ? -1 : stream(from, copy->fd, err);
}

/* The file of ours is opened before anything is entered, and goes in as a descriptor. */
int cmd_push(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	struct stat stat;
	pid_t init;

	if (cli_expect(cli, 3, 3, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    awake_load(&node, cli->args[0], &vps, &init, err) < 0)
		return -1;
	own_fd from = strcmp(cli->args[1], "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
						     : open(cli->args[1], O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &stat) < 0)
		return fail(err, errno, "cannot open '%s'", cli->args[1]);
	if (S_ISDIR(stat.st_mode))
		return fail_as(err, ERR_VALUE,
			       "'%s' is a directory; use: tar -c -C %s . | nodectl exec %s -- "
			       "tar -x -C %s",
			       cli->args[1], cli->args[1], vps.name, cli->args[2]);

	struct copy copy = { cli->args[2], from,
			     S_ISREG(stat.st_mode) ? stat.st_mode & 0777 : 0644 };
	const struct inside_work work = {
		.work = push_inside, .arg = &copy, .keep = &copy.fd, .keep_count = 1
	};
	if (runtime_inside(vps.id, init, &work, err) < 0)
		return fail_in(err, "%s: push", vps.name);
	cli_say(cli, "%s: %s written", vps.name, cli->args[2]);
	return 0;
}

int cmd_pull(struct cli *cli, struct err *err)
{
	own_node node = node_none();
	own_vps vps = { 0 };
	bool out = cli->args_count == 3 && strcmp(cli->args[2], "-") == 0;
	pid_t init;

	if (cli_expect(cli, 3, 3, err) < 0 || node_open(&node, cli->config, err) < 0 ||
	    awake_load(&node, cli->args[0], &vps, &init, err) < 0)
		return -1;

	/* under another name until it is whole */
	own_str part = xasprintf("%s.part.%d", cli->args[2], getpid());
	own_fd to =
	    out ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
		: open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (to < 0)
		return fail(err, errno, "cannot create '%s'", cli->args[2]);

	struct copy copy = { cli->args[1], to, 0 };
	const struct inside_work work = {
		.work = pull_inside, .arg = &copy, .keep = &copy.fd, .keep_count = 1
	};
	if (runtime_inside(vps.id, init, &work, err) < 0 ||
	    (!out && rename(part, cli->args[2]) < 0 &&
	     fail(err, errno, "cannot create '%s'", cli->args[2]) < 0)) {
		if (!out)
			(void)unlink(part);
		return fail_in(err, "%s: pull", vps.name);
	}
	if (!out)
		cli_say(cli, "%s: %s read", vps.name, cli->args[1]);
	return 0;
}

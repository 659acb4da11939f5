/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "motd.h"
#include "own.h"
#include "program.h"
#include "sources.h"
#include "store.h"
#include "str.h"

/*
 * Scripts that mmdebstrap runs with sh after the packages are installed; $1 is the new root.
 * They make one system many: what identifies a machine goes, and comes back at the first boot
 * of each VPS.
 */
static const char *const common_hooks[] = {
	": > \"$1/etc/machine-id\" && rm -f \"$1/var/lib/dbus/machine-id\"",
	"rm -f \"$1\"/etc/ssh/ssh_host_*_key \"$1\"/etc/ssh/ssh_host_*_key.pub",
	"rm -f \"$1/etc/hostname\" \"$1/etc/resolv.conf\"",
	"printf '127.0.0.1\\tlocalhost\\n::1\\t\\tlocalhost ip6-localhost ip6-loopback\\n' "
	"> \"$1/etc/hosts\"",
	"passwd --root \"$1\" --lock root",
	"mkdir -p \"$1/etc/update-motd.d\" && cat > \"$1/etc/update-motd.d/50-vps\" "
	"<<'END'\n" MOTD_SCRIPT "END\nchmod 755 \"$1/etc/update-motd.d/50-vps\"",
	"rm -rf \"$1\"/var/log/apt/* \"$1/var/log/dpkg.log\" \"$1/var/log/bootstrap.log\" "
	"\"$1/var/log/alternatives.log\" \"$1/var/cache/ldconfig/aux-cache\"",
};

/*
 * sshd has no keys to start with, and a VPS without a log across reboots is one that nobody
 * can help.  The masked units touch what belongs to the node.
 */
static const char *const systemd_hooks[] = {
	"mkdir -p \"$1/etc/systemd/system/ssh.service.d\" && printf "
	"'[Service]\\nExecStartPre=\\nExecStartPre=/usr/bin/ssh-keygen -A\\n"
	"ExecStartPre=/usr/sbin/sshd -t\\n' "
	"> \"$1/etc/systemd/system/ssh.service.d/host-keys.conf\"",
	"mkdir -p \"$1/var/log/journal\"",
	"chroot \"$1\" systemctl set-default multi-user.target",
	"chroot \"$1\" systemctl mask systemd-udevd.service systemd-udev-trigger.service "
	"systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-modules-load.service "
	"sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount "
	"sys-fs-fuse-connections.mount dev-hugepages.mount "
	"proc-sys-fs-binfmt_misc.automount",
};

/* There are no tty1 to tty6, and no disks, clocks or modules to look after. */
static const char *const sysvinit_hooks[] = {
	"sed -i -e '/^[1-6]:.*getty/d' -e '/^T[0-9]:/d' \"$1/etc/inittab\" && printf "
	"'co:2345:respawn:/sbin/getty --noclear --keep-baud console 115200,38400,9600 linux\\n'"
	" >> \"$1/etc/inittab\"",
	"printf '%s\\n' '#!/bin/sh' '### BEGIN INIT INFO' '# Provides: ssh-host-keys' "
	"'# Required-Start: $local_fs' '# Required-Stop:' '# X-Start-Before: ssh' "
	"'# Default-Start: 2 3 4 5' '# Default-Stop:' "
	"'# Short-Description: make the host keys of sshd' '### END INIT INFO' "
	"'[ \"$1\" != start ] || ssh-keygen -A' > \"$1/etc/init.d/ssh-host-keys\" && "
	"chmod 755 \"$1/etc/init.d/ssh-host-keys\" && "
	"chroot \"$1\" update-rc.d ssh-host-keys defaults",
	("for script in checkroot.sh checkfs.sh checkroot-bootclean.sh hwclock.sh umountfs "
	 "umountroot udev kmod; do chroot \"$1\" update-rc.d -f $script remove; done"),
};

#define MERGED_USR "/usr/share/mmdebstrap/hooks/merged-usr"
#define PACKAGES                                                                               \
	"apt,ca-certificates,dbus,iproute2,iputils-ping,netbase,openssh-server,procps,usr-is-" \
	"merged"

/* What makes an init system of the packages. */
static const struct init {
	const char *name;
	const char *packages;
	const char *const *hooks;
	size_t count;
} inits[] = {
	{ "systemd", PACKAGES ",systemd,systemd-sysv,libpam-systemd", systemd_hooks,
	  ARRAY_SIZE(systemd_hooks) },
	{ "sysvinit-core", PACKAGES ",sysvinit-core,initscripts,sysv-rc,insserv,cron,rsyslog",
	  sysvinit_hooks, ARRAY_SIZE(sysvinit_hooks) },
};

enum {
	ARGS_MAX = 64,
	TAIL_MAX = 400,
};

/* The command line of mmdebstrap; @owned are the words of it that were made for it. */
struct command {
	const char *argv[ARGS_MAX];
	size_t count;
	char *owned[ARGS_MAX];
	size_t owns;
};

static void add(struct command *command, const char *arg)
{
	assert(command->count + 1 < ARGS_MAX);
	command->argv[command->count++] = arg;
}

static void add_owned(struct command *command, char *arg)
{
	command->owned[command->owns++] = arg;
	add(command, arg);
}

static void command_free(struct command *command)
{
	for (size_t i = 0; i < command->owns; i++)
		free(command->owned[i]);
}

static void add_hooks(struct command *command, const char *const *hooks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_owned(command, xasprintf("--customize-hook=%s", hooks[i]));
}

static void command_make(struct command *command, const struct debian *debian,
			 const struct init *init, const struct sources *sources,
			 const char *temporary)
{
	add(command, "env");
	add(command, "LC_ALL=C");
	add_owned(command, xasprintf("TMPDIR=%s", temporary));
	/* its mounts end with it, even when it is killed; by itself it makes them in the host's
	 */
	add(command, "unshare");
	add(command, "--mount");
	/* nor does apt, or what a package runs, go on without us */
	add(command, "--pid");
	add(command, "--fork");
	add(command, "--kill-child");
	add(command, "--mount-proc");
	add(command, "mmdebstrap");
	add(command, "--mode=root");
	add(command, "--variant=minbase");
	add(command, "--format=tar");
	/* an image carries no device nodes: a VPS finds its /dev made */
	add(command, "--skip=output/dev");
	/* else bookworm merges /usr with a program that brings 47 MB of perl */
	if (access(MERGED_USR, F_OK) == 0)
		add(command, "--hook-dir=" MERGED_USR);
	add_owned(command, xasprintf("--include=%s", init->packages));
	if (debian->include)
		add_owned(command, xasprintf("--include=%s", debian->include));
	add_hooks(command, common_hooks, ARRAY_SIZE(common_hooks));
	add_hooks(command, init->hooks, init->count);
	add(command, debian->suite);
	add(command, "-");
	for (size_t i = 0; i < sources->count; i++)
		add(command, sources->lines[i]);
	add(command, NULL);
}

/*
 * Forward what it is doing, and keep its last complaints for the error: "I: " is progress,
 * "E: " is why it ended.
 */
static void log_follow(FILE *log, const struct progress *progress, char tail[TAIL_MAX])
{
	own_str line = NULL;
	size_t room = 0;
	char shown[TAIL_MAX / 2];

	*tail = 0;
	while (getline(&line, &room, log) > 0) {
		line[strcspn(line, "\n")] = 0;
		str_escape(line, shown, sizeof(shown));
		if (strncmp(line, "I: ", 3) == 0 && progress) {
			/* the scripts themselves follow a colon */
			shown[strcspn(shown + 3, ":") + 3] = 0;
			progress->report(shown + 3, 0, 0, progress->arg);
		}
		if (strncmp(line, "E: ", 3) != 0)
			continue;
		/* the first of two is apt's, the second says that apt failed */
		size_t used = strlen(tail);
		if (used + strlen(shown) + 3 < TAIL_MAX)
			snprintf(tail + used, TAIL_MAX - used, "%s%s", used ? "; " : "",
				 shown + 3);
	}
}

/* Run it with its archive going to @out. */
static int command_run(const struct command *command, int out, const struct progress *progress,
		       struct err *err)
{
	char tail[TAIL_MAX];
	int channel[2];

	if (pipe2(channel, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot make a pipe");
	own_file log = fdopen(channel[0], "r");
	own_fd end = channel[1];
	if (!log) {
		close(channel[0]);
		return fail(err, errno, "cannot make a pipe");
	}

	const struct program program = { .argv = command->argv,
					 .in = -1,
					 .out = out,
					 .err = end,
					 .dir = -1,
					 .bound = true };
	pid_t pid = program_start(&program, err);
	if (pid < 0)
		return -1;
	close(take_fd(&end));

	log_follow(log, progress, tail);
	/* what it still has to say, where it could not be read to its end, holds nobody up */
	fclose(log);
	log = NULL;
	if (program_wait(pid, "mmdebstrap", err) == 0)
		return 0;
	return *tail ? fail(err, 0, "mmdebstrap failed: %s", tail) : -1;
}

/*
 * Into a file first, and the file has no name: when mmdebstrap fails, its error is told and
 * not that of an archive cut off.
 */
static int archive_build(struct staging *staging, const struct debian *debian,
			 const struct init *init, const struct sources *sources,
			 const struct progress *progress, struct err *err)
{
	struct command command = { .count = 0 };
	char link[64], path[PATH_MAX];
	own_fd archive =
	    openat(staging->dir, "archive", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (archive < 0 || unlinkat(staging->dir, "archive", 0) < 0)
		return fail(err, errno, "cannot create a temporary file");

	str_format(link, sizeof(link), "/proc/self/fd/%d", staging->dir);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return fail(err, errno, "cannot find the staging directory");
	path[len] = 0;

	command_make(&command, debian, init, sources, path);
	int result = command_run(&command, archive, progress, err);
	command_free(&command);
	return result < 0 ? -1 : take_fd(&archive);
}

static int archive_import(int store, const char *name, int archive, const char *suite,
			  const struct progress *progress, struct image *image, struct err *err)
{
	char source[128];
	off_t size = lseek(archive, 0, SEEK_END);

	if (size < 0 || lseek(archive, 0, SEEK_SET) < 0)
		return fail(err, errno, "cannot read the image");
	str_format(source, sizeof(source), "mmdebstrap %.64s", suite);
	return image_import(store, name, archive, (uint64_t)size, source, progress, image, err);
}

static const struct init *init_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(inits); i++) {
		if (strcmp(inits[i].name, name ? name : "systemd") == 0)
			return &inits[i];
	}
	return NULL;
}

static int debian_check(const char *name, const struct debian *debian, struct err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.,";

	if (!image_name_is_valid(name))
		return fail_as(err, ERR_VALUE, "'%s' is not a valid image name", name);
	if (!*debian->suite || *debian->suite == '-' || strlen(debian->suite) > 64 ||
	    debian->suite[strspn(debian->suite, letters)] || strchr(debian->suite, ','))
		return fail_as(err, ERR_VALUE, "'%s' is not a release of Debian",
			       debian->suite);
	if (debian->include && debian->include[strspn(debian->include, letters)])
		return fail_as(err, ERR_VALUE, "'%s' is not a list of packages",
			       debian->include);
	return 0;
}

int image_build_debian(int store, const char *name, const struct debian *debian,
		       const struct progress *progress, struct image *image, struct err *err)
{
	const struct init *init = init_find(debian->init);
	struct staging staging;
	struct sources sources;
	own_fd archive = -1;

	if (!init)
		return fail_as(err, ERR_VALUE, "'%s' is not systemd or sysvinit-core",
			       debian->init);
	if (debian_check(name, debian, err) < 0 ||
	    sources_find(debian->suite, debian->mirror, &sources, err) < 0)
		return -1;
	if (staging_make(&staging, store, err) == 0)
		archive = archive_build(&staging, debian, init, &sources, progress, err);
	staging_free(&staging);
	sources_free(&sources);
	if (archive < 0)
		return -1;
	return archive_import(store, name, archive, debian->suite, progress, image, err);
}

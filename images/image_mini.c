/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "motd.h"
#include "output.h"
#include "own.h"
#include "str.h"
#include "tar.h"

#define BUSYBOX	    "/bin/busybox"
#define DROPBEAR    "/usr/sbin/dropbear"
#define DROPBEARKEY "/usr/bin/dropbearkey"

enum {
	PROGRAM_MAX = 64 << 20,
};

static const struct {
	const char *path;
	mode_t mode;
} dirs[] = {
	{ ".", 0755 },
	{ "bin", 0755 },
	{ "dev", 0755 },
	{ "etc", 0755 },
	{ "etc/dropbear", 0700 },
	{ "etc/init.d", 0755 },
	{ "home", 0755 },
	{ "mnt", 0755 },
	{ "proc", 0555 },
	{ "root", 0700 },
	{ "run", 0755 },
	{ "sbin", 0755 },
	{ "srv", 0755 },
	{ "sys", 0555 },
	{ "tmp", 01777 },
	{ "usr", 0755 },
	{ "usr/bin", 0755 },
	{ "usr/local", 0755 },
	{ "usr/local/bin", 0755 },
	{ "usr/local/sbin", 0755 },
	{ "usr/sbin", 0755 },
	{ "var", 0755 },
	{ "var/cache", 0755 },
	{ "var/lib", 0755 },
	{ "var/log", 0755 },
	{ "var/spool", 0755 },
	{ "var/spool/cron", 0755 },
	{ "var/spool/cron/crontabs", 0700 },
	{ "var/tmp", 01777 },
};

static const struct {
	const char *path;
	const char *target;
} links[] = {
	{ "etc/mtab", "/proc/self/mounts" },
	{ "var/lock", "/run/lock" },
	{ "var/run", "/run" },
};

/*
 * /dev, /proc, /sys, the host name and the addresses are set before init runs.  dropbear makes
 * its host keys at the first connection, so that no two VPSs share one.  The root account has
 * no password until it is given one.
 */
static const struct {
	const char *path;
	mode_t mode;
	const char *text;
} files[] = {
	{ "etc/inittab", 0644,
	  "::sysinit:/etc/init.d/rcS\n"
	  "::respawn:/sbin/syslogd -n\n"
	  "::respawn:/usr/sbin/crond -f\n"
	  "::respawn:/usr/sbin/dropbear -F -R\n"
	  "::respawn:/sbin/getty -L 0 console linux\n"
	  "::ctrlaltdel:/sbin/reboot\n"
	  "::shutdown:/etc/init.d/rcK\n"
	  "::restart:/sbin/init\n" },
	{ "etc/init.d/rcS", 0755,
	  "#!/bin/sh\n"
	  "# At boot, before anything of /etc/inittab: make what /run begins without, then\n"
	  "# start the scripts /etc/init.d/S* in order.\n"
	  "mkdir -p /run/lock\n"
	  ": > /run/utmp\n"
	  "[ -e /var/log/wtmp ] || : > /var/log/wtmp\n"
	  "for script in /etc/init.d/S*; do\n"
	  "\t[ -x \"$script\" ] && \"$script\" start\n"
	  "done\n"
	  "[ -x /etc/rc.local ] && /etc/rc.local\n"
	  "exit 0\n" },
	{ "etc/init.d/rcK", 0755,
	  "#!/bin/sh\n"
	  "# At shutdown, before init ends all processes: stop what rcS started.\n"
	  "for script in /etc/init.d/S*; do\n"
	  "\t[ -x \"$script\" ] && \"$script\" stop\n"
	  "done\n"
	  "exit 0\n" },
	{ "var/spool/cron/crontabs/root", 0600,
	  "# min hour day month weekday command\n"
	  "17 3 * * 0 mv /var/log/messages /var/log/messages.0\n" },
	{ "etc/passwd", 0644,
	  "root:x:0:0:root:/root:/bin/sh\n"
	  "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
	  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "etc/shadow", 0600,
	  "root:*:19000:0:99999:7:::\n"
	  "daemon:*:19000:0:99999:7:::\n"
	  "nobody:*:19000:0:99999:7:::\n" },
	{ "etc/group", 0644,
	  "root:x:0:\ndaemon:x:1:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nmail:x:8:\n"
	  "utmp:x:43:\nusers:x:100:\nnogroup:x:65534:\n" },
	{ "etc/shells", 0644, "/bin/sh\n/bin/ash\n" },
	{ "etc/profile", 0644,
	  "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	  "PS1='\\u@\\h:\\w\\$ '\n"
	  "umask 022\n"
	  "case $- in *i*) vps-status ;; esac\n" },
	{ "usr/local/bin/vps-status", 0755, MOTD_SCRIPT },
	{ "etc/nsswitch.conf", 0644,
	  "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n" },
	{ "etc/hosts", 0644,
	  "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n" },
	{ "etc/issue", 0644, "nodectl mini \\n \\l\n" },
	{ "etc/os-release", 0644,
	  "NAME=\"nodectl mini\"\nPRETTY_NAME=\"nodectl mini\"\nID=nodectl-mini\n" },
};

/* A file of the host's own packages, under its own name; that may be a symbolic link. */
static int host_file_add(FILE *out, const char *path, struct err *err)
{
	struct stat stat;
	own_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &stat) < 0)
		return fail(err, errno, "cannot open '%s'", path);
	if (!S_ISREG(stat.st_mode) || stat.st_size > PROGRAM_MAX)
		return fail(err, EINVAL, "cannot use '%s'", path);

	own_str data = xmalloc((size_t)stat.st_size);
	if (read_all(fd, data, (size_t)stat.st_size) < 0)
		return fail(err, errno, "cannot read '%s'", path);
	tar_file(out, path + strspn(path, "/"), 0755, data, (size_t)stat.st_size);
	return 0;
}

/* The dynamic linker that the program asks for, which knows its libraries. */
static int linker_path(const char *program, char path[PATH_MAX], struct err *err)
{
	ElfW(Ehdr) header;
	own_fd fd = open(program, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(err, errno, "cannot open '%s'", program);
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return fail(err, ENOEXEC, "cannot use '%s'", program);

	for (unsigned i = 0; i < header.e_phnum; i++) {
		ElfW(Phdr) part;
		off_t at = (off_t)(header.e_phoff + i * sizeof(part));

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			break;
		if (part.p_type != PT_INTERP || part.p_filesz >= PATH_MAX)
			continue;
		ssize_t len = pread(fd, path, part.p_filesz, (off_t)part.p_offset);
		path[len > 0 ? len : 0] = 0;
		return len > 0 ? 0 : fail(err, EIO, "cannot read '%s'", program);
	}
	return fail(err, ENOEXEC, "'%s' has no dynamic linker", program);
}

/* Lines like "\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x7f...)". */
static int libraries_add(FILE *out, const char *program, struct err *err)
{
	char linker[PATH_MAX];
	const char *const argv[] = { linker, "--list", program, NULL };
	own_str text = NULL;
	char *rest = NULL;

	if (linker_path(program, linker, err) < 0 || host_file_add(out, linker, err) < 0)
		return -1;
	text = output_read(argv, err);
	if (!text)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *path = strstr(line, "=> /");

		if (!path)
			continue;
		path += 3;
		path[strcspn(path, " ")] = 0;
		if (strcmp(path, linker) != 0 && host_file_add(out, path, err) < 0)
			return -1;
	}
	return 0;
}

/* Every applet under the name that busybox wants it to have. */
static int applets_add(FILE *out, struct err *err)
{
	static const char *const argv[] = { BUSYBOX, "--list-full", NULL };
	own_str text = output_read(argv, err);
	char *rest = NULL;

	if (!text)
		return -1;
	for (char *name = strtok_r(text, "\n", &rest); name;
	     name = strtok_r(NULL, "\n", &rest)) {
		if (strcmp(name, "linuxrc") != 0 && strcmp(name, "bin/busybox") != 0)
			tar_symlink(out, name, BUSYBOX);
	}
	return 0;
}

static int system_write(FILE *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		tar_dir(out, dirs[i].path, dirs[i].mode);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		tar_file(out, files[i].path, files[i].mode, files[i].text,
			 strlen(files[i].text));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		tar_symlink(out, links[i].path, links[i].target);

	if (host_file_add(out, BUSYBOX, err) < 0 || applets_add(out, err) < 0 ||
	    host_file_add(out, DROPBEAR, err) < 0 || host_file_add(out, DROPBEARKEY, err) < 0 ||
	    libraries_add(out, DROPBEAR, err) < 0)
		return -1;
	tar_end(out);
	if (fflush(out) != 0 || ferror(out))
		return fail(err, errno, "cannot write the image");
	return 0;
}

/* "BusyBox v1.35.0 (Debian ...)" on the first line of its help. */
static int version_read(char *version, size_t size, struct err *err)
{
	static const char *const argv[] = { BUSYBOX, "--help", NULL };
	own_str text = output_read(argv, err);

	if (!text)
		return -1;
	const char *at = strstr(text, " v");
	snprintf(version, size, "busybox-static %.*s", at ? (int)strcspn(at + 2, " \n") : 0,
		 at ? at + 2 : "");
	return 0;
}

static int ingredients_check(struct err *err)
{
	static const char *const paths[] = { BUSYBOX, DROPBEAR, DROPBEARKEY };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (access(paths[i], X_OK) < 0)
			return fail_as(err, ERR_SYSTEM,
				       "there is no '%s': apt-get install busybox-static "
				       "dropbear-bin",
				       paths[i]);
	}
	return 0;
}

/*
 * The archive is made in memory and goes the way of every other: one path into the store, and
 * what a stranger's archive has to prove, ours proves each time.
 */
int image_build_mini(int store, const char *name, const struct progress *progress,
		     struct image *image, struct err *err)
{
	char version[64];

	if (ingredients_check(err) < 0 || version_read(version, sizeof(version), err) < 0)
		return -1;

	own_fd memory = memfd_create("mini", MFD_CLOEXEC);
	int copy = memory < 0 ? -1 : fcntl(memory, F_DUPFD_CLOEXEC, 3);
	own_file out = copy < 0 ? NULL : fdopen(copy, "w");
	if (!out)
		return fail(err, errno, "cannot make the image");
	if (system_write(out, err) < 0)
		return -1;

	off_t size = lseek(memory, 0, SEEK_END);
	if (size < 0 || lseek(memory, 0, SEEK_SET) < 0)
		return fail(err, errno, "cannot read the image");
	return image_import(store, name, memory, (uint64_t)size, version, progress, image, err);
}

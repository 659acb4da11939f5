/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/loop.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "str.h"

/* The device's name into @path; the device itself is returned and released with its mount. */
static int loop_attach(int file, char *path, size_t size, struct err *err)
{
	struct loop_config config = { .fd = (unsigned)file, .block_size = 4096 };
	own_fd control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
	for (unsigned i = 0; i < 1000; i++) {
		str_format(path, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));

		own_fd device = open(path, O_RDWR | O_CLOEXEC);
		if (device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) == 0)
			return take_fd(&device);
		if (errno != EBUSY)
			break;
	}
	return fail(err, errno, "cannot attach '%s'", path);
}

int volume_attach(const char *path, struct err *err)
{
	char source[32];

	own_fd file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0 || flock(file, LOCK_EX | LOCK_NB) < 0)
		return fail(err, errno, "cannot lock '%s'", path);

	own_fd device = loop_attach(file, source, sizeof(source), err);
	if (device < 0)
		return -1;

	own_fd context = fsopen("ext4", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "discard", NULL, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "noinit_itable", NULL, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(err, errno, "cannot mount '%s'", path);

	int mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return mount < 0 ? fail(err, errno, "cannot mount '%s'", path) : mount;
}

void volume_detached(const char *path)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	own_fd file = open(path, O_RDONLY | O_CLOEXEC);

	for (unsigned i = 0; flock(file, LOCK_SH | LOCK_NB) < 0 && i < 10000; i++)
		nanosleep(&pause, NULL);
}

int maps_write(pid_t pid, uid_t base, struct err *err)
{
	char path[64], map[64];

	str_format(map, sizeof(map), "0 %u 65536", base);
	str_format(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (file_write(AT_FDCWD, path, map, err) < 0)
		return -1;
	str_format(path, sizeof(path), "/proc/%d/uid_map", pid);
	return file_write(AT_FDCWD, path, map, err);
}

/* A user namespace is made by a process that lives in it; it has nothing else to do. */
int idmap_make(uid_t base, struct err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	char path[64];

	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		for (;;)
			pause();
	}
	if (pid < 0)
		return fail(err, errno, "cannot make a user namespace");

	str_format(path, sizeof(path), "/proc/%d/ns/user", pid);
	int userns = maps_write(pid, base, err) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int code = errno;

	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return userns < 0 ? fail(err, code, "cannot map a user namespace") : userns;
}

/* An overlay cannot be idmapped afterwards, its layers can be before. */
int layers_attach(const char *image, int volume, int userns, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (uint64_t)userns };

	own_fd lower = open_tree(AT_FDCWD, image, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (lower < 0)
		return fail(err, errno, "cannot open '%s'", image);
	if (mount_setattr(volume, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail(err, errno, "cannot idmap the volume");
	attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (mount_setattr(lower, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail(err, errno, "cannot idmap the image");

	if (mkdir("lower", 0700) < 0 || mkdir("upper", 0700) < 0 || mkdir("root", 0755) < 0 ||
	    move_mount(lower, "", AT_FDCWD, "lower", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    move_mount(volume, "", AT_FDCWD, "upper", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot attach the layers");
	return 0;
}

/* The overlay remembers who mounted it, and writes to the volume as that user. */
static int become(uid_t uid, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || syscall(SYS_capget, &head, caps) < 0)
		return fail(err, errno, "cannot become user %u", uid);
	caps[0].effective = caps[0].permitted;
	caps[1].effective = caps[1].permitted;
	if (syscall(SYS_capset, &head, caps) < 0)
		return fail(err, errno, "cannot keep capabilities");
	return 0;
}

int overlay_mount(uid_t base, struct err *err)
{
	if (become(base, err) < 0)
		return -1;

	own_fd context = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", "lower", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "upperdir", "upper/up", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "workdir", "upper/work", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(err, errno, "cannot make the overlay");

	own_fd mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	if (mount < 0 || move_mount(mount, "", AT_FDCWD, "root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot mount the overlay");
	return 0;
}

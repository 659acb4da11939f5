/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "err.h"
#include "images.h"
#include "own.h"
#include "runtime.h"
#include "start.h"
#include "str.h"
#include "tree.h"
#include "vps.h"

/*
 * The files of the VPS's /dev, on a tmpfs of the initial user namespace: there
 * a device node works, while the tenant can neither make one (CAP_MKNOD of the
 * initial namespace) nor open any other (cgroups/devices.bpf.c).
 */
static const struct {
	const char *name;
	mode_t mode;
	unsigned major, minor;
	const char *target;
} devices[] = {
	{ "null", S_IFCHR | 0666, 1, 3, NULL },
	{ "zero", S_IFCHR | 0666, 1, 5, NULL },
	{ "full", S_IFCHR | 0666, 1, 7, NULL },
	{ "random", S_IFCHR | 0666, 1, 8, NULL },
	{ "urandom", S_IFCHR | 0666, 1, 9, NULL },
	{ "tty", S_IFCHR | 0666, 5, 0, NULL },
	{ "console", S_IFREG | 0620, 0, 0, NULL },
	{ "pts", S_IFDIR | 0755, 0, 0, NULL },
	{ "shm", S_IFDIR | 0755, 0, 0, NULL },
	{ "mqueue", S_IFDIR | 0755, 0, 0, NULL },
	{ "ptmx", S_IFLNK, 0, 0, "pts/ptmx" },
	{ "fd", S_IFLNK, 0, 0, "/proc/self/fd" },
	{ "stdin", S_IFLNK, 0, 0, "/proc/self/fd/0" },
	{ "stdout", S_IFLNK, 0, 0, "/proc/self/fd/1" },
	{ "stderr", S_IFLNK, 0, 0, "/proc/self/fd/2" },
};

/*
 * The kernel counts a user namespace against the uid that made it, and overlay
 * acts later with the credentials of whoever mounted it: both must be the VPS's
 * own base.  NO_SETUID_FIXUP keeps the capabilities across the change.
 */
int become_base(const struct vps *vps, struct err *err)
{
	uid_t base = vps_base(vps->id);

	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return fail(err, errno, "cannot keep capabilities");
	if (setresgid(base, base, base) < 0 || setresuid(base, base, base) < 0)
		return fail(err, errno, "cannot become uid %u", base);
	return 0;
}

int become_root(struct err *err)
{
	if (setresuid(0, 0, 0) < 0 || setresgid(0, 0, 0) < 0 || prctl(PR_SET_SECUREBITS, 0) < 0)
		return fail(err, errno, "cannot become root again");
	return 0;
}

int rootfs_prepare(struct start *start, struct err *err)
{
	/* The image is cloned while its directory is still in our mount namespace. */
	start->image = open_tree(start->place->image, "",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (start->image < 0)
		return fail(err, errno, "cannot take image '%s'", start->vps->image);

	start->host_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (start->host_mounts < 0)
		return fail(err, errno, "cannot open our mount namespace");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail(err, errno, "cannot make a mount namespace");

	/* A scratch place for the layers, in this namespace only: "l", "u" and "r" are all
	 * that the guest's mount table will ever tell of the node's paths. */
	own_fd scratch = tree_mount("tmpfs", "scratch", MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
				    (const char *const[]){ "size=64k", "mode=755", NULL }, err);
	if (scratch < 0)
		return -1;
	if (mkdirat(scratch, "l", 0755) < 0 || mkdirat(scratch, "u", 0755) < 0 ||
	    mkdirat(scratch, "r", 0755) < 0)
		return fail(err, errno, "cannot make the scratch directories");
	if (move_mount(scratch, "", AT_FDCWD, "/run", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot mount the scratch directory");
	if (fchdir(scratch) < 0)
		return fail(err, errno, "cannot enter the scratch directory");
	return 0;
}

int rootfs_leave(struct start *start, struct err *err)
{
	if (start->host_mounts < 0)
		return 0;
	/* The last process leaves the namespace, and with it all that was built in it goes. */
	if (setns(start->host_mounts, CLONE_NEWNS) < 0)
		return fail(err, errno, "cannot go back to our mount namespace");
	close(take_fd(&start->host_mounts));
	return 0;
}

/* 0 inside is the VPS's base outside: files lie 0-based on disk, so that a volume moves to
 * another id as it is. */
static int layer_place(int tree, int userns, uint64_t attributes, const char *where,
		       struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP | attributes,
		.userns_fd = (uint64_t)userns,
	};

	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return fail(err, errno, "cannot map the ids of a layer");
	if (move_mount(tree, "", AT_FDCWD, where, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot place a layer");
	return 0;
}

static int device_make(int dev, size_t i, struct err *err)
{
	const char *name = devices[i].name;
	mode_t mode = devices[i].mode;
	int made;

	if (S_ISDIR(mode))
		made = mkdirat(dev, name, mode & 07777);
	else if (S_ISLNK(mode))
		made = symlinkat(devices[i].target, dev, name);
	else
		made = mknodat(dev, name, mode, makedev(devices[i].major, devices[i].minor));
	if (made < 0)
		return fail(err, errno, "cannot make '/dev/%s'", name);
	return 0;
}

static int dev_build(const struct vps *vps, int root, struct err *err)
{
	char uid[32], gid[32];
	mode_t mask = umask(0);

	str_format(uid, sizeof(uid), "uid=%u", vps_base(vps->id));
	str_format(gid, sizeof(gid), "gid=%u", vps_base(vps->id));

	own_fd dev = tree_mount(
	    "tmpfs", "dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	    (const char *const[]){ "size=1m", "nr_inodes=1024", "mode=755", uid, gid, NULL },
	    err);
	if (dev < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		if (device_make(dev, i, err) < 0)
			return -1;
	}
	umask(mask);
	return tree_place(dev, root, "dev", err);
}

/* Relative names: overlay shows its option strings to the guest verbatim. */
static int overlay_mount(struct err *err)
{
	return tree_mount("overlay", "root", MOUNT_ATTR_NODEV,
			  (const char *const[]){
			      "lowerdir=l", "upperdir=u/up", "workdir=u/work", "metacopy=off",
			      "redirect_dir=nofollow", "index=off", "xino=auto", NULL },
			  err);
}

/* For its working directory it needs a block: without one it is mounted read-only, and only
 * the kernel's log says so. */
static bool has_no_room(int overlay, const struct err *err)
{
	struct statvfs fs;

	if (overlay < 0)
		return err->code == ENOSPC;
	return fstatvfs(overlay, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}

/* Nothing can be removed without the mount; but a larger disk has more inodes. */
static int no_inode(int volume, struct err *err)
{
	struct statvfs fs;

	if (err->code != ENOSPC || fstatvfs(volume, &fs) < 0 || fs.f_ffree > 1)
		return -1;
	return fail(err, ENOSPC,
		    "its disk has no inode left to mount it; 'nodectl set' with a larger "
		    "--disk makes more");
}

/* Overlay tries out what the upper layer can do, and needs a few inodes for that. */
static int overlay_build(const struct vps *vps, struct err *err)
{
	own_fd volume = open("u", O_PATH | O_DIRECTORY | O_CLOEXEC);
	own_fd overlay = overlay_mount(err);

	if (has_no_room(overlay, err)) {
		own_close(&overlay);
		volume_spares(volume, false);
		overlay = overlay_mount(err);
		volume_spares(volume, true);
	} else {
		volume_spares_make(volume);
	}
	if (overlay < 0)
		return no_inode(volume, err);
	if (move_mount(overlay, "", AT_FDCWD, "r", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, errno, "cannot place the root");

	return dev_build(vps, overlay, err);
}

int rootfs_build(struct start *start, struct err *err)
{
	char path[64];

	str_format(path, sizeof(path), "/proc/%d/ns/user", start->pid);
	own_fd userns = open(path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return fail(err, errno, "cannot open the guest's user namespace");

	if (layer_place(start->image, userns, MOUNT_ATTR_RDONLY, "l", err) < 0 ||
	    layer_place(start->volume, userns, 0, "u", err) < 0)
		return -1;
	close(take_fd(&start->image));
	close(take_fd(&start->volume));

	if (become_base(start->vps, err) < 0)
		return -1;
	if (overlay_build(start->vps, err) < 0) {
		struct err again;

		(void)become_root(&again);
		return -1;
	}
	return become_root(err);
}

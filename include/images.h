/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * The image store, a directory 0700 (@store is open on it):
 *	sha256/<digest>/root	the tree, ids 0..65535 as in the archive, never changed again
 *	sha256/<digest>/info	"key = value" lines: digest, source, size, files, created
 *	names/<name>		symbolic link to ../sha256/<digest>
 *	staging/		imports under way; each is locked by its importer, so that what
 *				nobody holds is left from a crash and is swept away
 *	lock			held for the moment in which names and trees change
 * Two names may share a digest.  A name moves to a new digest when it is imported again; the
 * tree it leaves stays for the VPSs made from it, and goes by the first 12 digits of its digest
 * where a name is wanted.
 */
struct image {
	char name[128];	  /* "debian-12" or "debian-12:tag" */
	char digest[65];  /* sha256 of the tree's canonical manifest, hex: without file times */
	char source[128]; /* "mmdebstrap bookworm", "busybox-static 1.35", file name */
	uint64_t size;	  /* bytes of file data */
	uint64_t files;
	int64_t created; /* seconds since 1970 */
};

/* Progress of long work, called a few times a second.  @total 0: not known. */
struct progress {
	void (*report)(const char *what, uint64_t done, uint64_t total, void *arg);
	void *arg;
};

/* name[:tag], [a-z0-9._-], at most 127. */
bool image_name_is_valid(const char *name);

/*
 * Read a tar archive (plain, gz, xz, zst) from @fd into the store under @name.  The parser
 * runs in a jailed child.  What is hostile or broken (path outside, device node, id over 65535,
 * forbidden xattr, truncation, no /sbin/init is ERR_NOT_SYSTEM) is ERR_BAD_IMAGE naming the
 * entry, and nothing of it stays.  The directories /dev, /proc, /run and /sys are made when the
 * archive left them out.
 * @size is the archive's length for the progress, 0 when not known.
 */
int image_import(int store, const char *name, int fd, uint64_t size, const char *source,
		 const struct progress *progress, struct image *image, struct err *err);

/* What to build with mmdebstrap(1). */
struct debian {
	const char *suite;   /* "bookworm", "trixie" */
	const char *mirror;  /* NULL: the host's own */
	const char *include; /* further packages, comma-separated, or NULL */
	const char *init;    /* NULL: systemd; or "sysvinit-core" */
};

int image_build_debian(int store, const char *name, const struct debian *debian,
		       const struct progress *progress, struct image *image, struct err *err);

/* The small system from the host's busybox-static and dropbear. */
int image_build_mini(int store, const char *name, const struct progress *progress,
		     struct image *image, struct err *err);

/* A system of one file: @program, @size bytes that need nothing else, as its /sbin/init. */
int image_build_single(int store, const char *name, const void *program, size_t size,
		       const char *source, struct image *image, struct err *err);

/* Find by name or by digest (or a prefix of at least 12 digits); ERR_NO_IMAGE. */
int image_find(int store, const char *name, struct image *image, struct err *err);

/* The root directory of an image, open O_PATH; the caller owns it. */
int image_open(int store, const char *digest, struct err *err);

/* Call @each for every name, and then for every tree that has none; stops at the first -1. */
int image_each(int store, int (*each)(const struct image *image, void *arg, struct err *err),
	       void *arg, struct err *err);

/*
 * Remove the name, and the tree when no other name points at it; or, by digest, a tree that has
 * no name.  The caller has made sure that no VPS uses @digest, and a name that is another
 * image's by now is refused (ERR_LOCKED).  @guard, the lock under which that is so, or NULL, is
 * closed as soon as nobody finds the image any more: to remove its files may take minutes.
 */
int image_remove(int store, const char *name, const char *digest, int *guard, struct err *err);

/* Remove what a killed import or remove left.  Returns how many; with @dry nothing is removed.
 * @found is called with a line for each. */
int image_sweep(int store, bool dry, void (*found)(const char *what, void *arg), void *arg,
		struct err *err);

/*
 * The volume of one VPS: a sparse file "volume.img" with ext4 in the VPS's directory @dir.
 * Inside: "up" and "work" for the overlay.  The interface names no file, so
 * that another driver (project quota) can take its place.
 */
struct volume {
	uint64_t size;	 /* bytes */
	unsigned inodes; /* 0: in proportion to the size */
};

/* Make it: milliseconds whatever the size, from a template kept in @templates (a directory). */
int volume_create(int dir, int templates, const struct volume *volume, struct err *err);

/*
 * Mount it, detached: returns a mount descriptor (fsmount(2)) for move_mount(2), whose
 * last reference ends the mount and gives back the loop device.  The file is locked (flock,
 * held by the loop device itself) as long as it is mounted anywhere, so a second mount
 * waits up to @wait_ms for the first to be gone, and then is ERR_LOCKED.
 * @name is what the guest sees as source in its mount table.
 */
int volume_mount(int dir, const char *name, unsigned wait_ms, struct err *err);

/* Wait until no mount of it is left; ERR_LOCKED after @wait_ms. */
int volume_wait(int dir, unsigned wait_ms, struct err *err);

/*
 * A mounted volume, @root, keeps a few files and blocks for the time when it has no others
 * left: without them it could not even be mounted as an upper layer.  Give them up, or take
 * them back as far as it has room.
 */
void volume_spares(int root, bool keep);

/* Make what is missing of them, as far as there is room. */
void volume_spares_make(int root);

/*
 * Can it become @wanted?  What cannot be is ERR_VALUE with the numbers and what could be:
 * fewer bytes than are in use, inodes that no group of ext4 brings; ERR_RUNNING for one that is
 * mounted and would shrink; ERR_NO_SPACE when the storage is too full to try.
 */
int volume_check(int dir, const struct volume *wanted, struct err *err);

/* May this process make a mounted one larger?  Linux wants CAP_SYS_RESOURCE for it. */
bool volume_grows_live(void);

/* Make one that is mounted larger; it has its new size at once.  Cut off, it has some size
 * between, and volume_settle() does the rest. */
int volume_grow(int dir, const struct volume *wanted, struct err *err);

/*
 * Make one that is not mounted larger or smaller; waits @wait_ms for a mount to go.  Cut off
 * at any point the old or the new one is there, or one of some size between.
 */
int volume_resize(int dir, const struct volume *wanted, unsigned wait_ms, struct err *err);

/* The same where its size is not @wanted's, as before a mount: one read where it is. */
int volume_settle(int dir, const struct volume *wanted, unsigned wait_ms, struct err *err);

/* 1 if it is, and nothing is left of a resize that was cut off; else 0.  A mounted one may be
 * larger, for it cannot shrink. */
int volume_is_settled(int dir, const struct volume *wanted, struct err *err);

/* Bytes that it takes on the node's disk. */
int volume_usage(int dir, uint64_t *bytes, struct err *err);

/* The size of its file system, with its tables; see volume_is_settled(). */
int volume_size(int dir, uint64_t *bytes, struct err *err);

/* What a volume holds.  @size, @used and @available are what df(1) says inside. */
struct volume_figures {
	uint64_t size, used, available; /* bytes; the tables of the file system are not in it */
	uint64_t inodes, inodes_used;
	uint64_t node; /* bytes that it takes on the node's disk */
	bool mounted;  /* it is in use: the figures are those of this moment */
};

/*
 * Find them out, of a volume that is mounted or not, without the VPS noticing.  No path of the
 * VPS is resolved, and nothing waited for that it can hold.  0.1 ms.
 */
int volume_figures(int dir, struct volume_figures *figures, struct err *err);

/*
 * The disk that the file system of @dir (a VPS's directory) lies on, for limits of its
 * speed: the whole disk below partitions, loop devices and logical volumes; dm-crypt, md and
 * whatever lies on several disks are one themselves.  What has no disk (tmpfs, overlay, 9p,
 * a btrfs over several) is ERR_KERNEL naming the file system.
 */
int volume_device(int dir, dev_t *device, struct err *err);

/* One row for doctor. */
struct image_fact {
	const char *name;
	bool present;
	const char *consequence;
};

unsigned image_facts(struct image_fact *facts, unsigned max);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "images.h"

#define VOLUME_FILE	"volume.img"
#define VOLUME_SIZE_MIN (16ull << 20)

/* The name of the template that fits @volume: equal volumes share one. */
void volume_template_name(const struct volume *volume, char *name, size_t size);

/* What the journal gets: enough for bursts, yet it is the part that is never sparse. */
unsigned volume_journal_mib(uint64_t size);

/* Open the template of @volume, making it first if nobody has; the caller owns it. */
int volume_template_open(int templates, const struct volume *volume, struct err *err);

/* A new file without a name, which vanishes by itself unless it is given one. */
int volume_file_new(int dir, uint64_t size, struct err *err);

/*
 * Give it its name, durably, with its content before its name.  -1 with EEXIST in
 * err->code when there is one.
 */
int volume_file_keep(int fd, int dir, const char *name, struct err *err);

/* All of @from that is no hole into the empty @to, with shared blocks where possible. */
int volume_copy(int to, int from, struct err *err);

/* Lock a volume's open file as a mount of it would be; ERR_LOCKED after @wait_ms. */
int volume_lock(int file, unsigned wait_ms, struct err *err);

/*
 * Attach @file to a free loop device.  A lock on @file is held by that device until it is
 * released, which happens by itself when its last user is gone.  Returns a directory with
 * one device node, called @name; @device is the device, open, which the caller keeps open
 * until it is mounted.
 */
int volume_loop(int file, const char *name, int *device, struct err *err);

/*
 * The same for the device that @file is attached to already; ENODEV in err->code when there is
 * none.  While @device is open it stays attached.
 */
int volume_loop_find(int file, const char *name, int *device, struct err *err);

/*
 * One more mount of a device's ext4, detached; of a mounted one it is the very same file
 * system, at its root: no path of the VPS is resolved.  That waits, and cannot be interrupted,
 * while the VPS has it written out.  One that is mounted read-only, as ext4 does after an
 * error, is EBUSY.  @nodes and @name are those of volume_loop().
 */
int volume_ext4_mount(int nodes, const char *name, struct err *err);

/* Where /sys has what ext4 tells of itself, or is told, while it has @device mounted. */
#define VOLUME_KNOB_PATH 128
int volume_knob(dev_t device, const char *knob, char path[VOLUME_KNOB_PATH], struct err *err);

/* What a block device lies on: a device, or for a loop device the path of its file. */
struct below {
	dev_t device;
	char file[4096]; /* empty: @device it is */
};

/*
 * One step down from @device, as @sys (a directory, /sys) has it.  Returns 1, or 0 for one
 * that has nothing below, or takes limits better than what it has: dm-crypt, md, and
 * whatever lies on several.
 */
int volume_device_below(int sys, dev_t device, struct below *below, struct err *err);

/* Rows of image_facts() that are about volumes; returns how many. */
unsigned volume_facts(struct image_fact *facts, unsigned max);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

/* Allocation that never fails: out of memory ends the process with a message.  or_exit() does
 * that with what a library gives back, NULL being out of memory. */
void *or_exit(void *memory);
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);

/* @list with room for one more behind its @count elements of @size bytes; *@room is how many it
 * has room for.  NULL and 0 begin one. */
void *xgrow(void *list, size_t count, size_t *room, size_t size);
char *xstrdup(const char *text);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

/*
 * As open_memstream(3), in the same manner: @text is the caller's to free after fclose(3), and
 * whole, as nobody looks whether each print was (glibc's own ends where there was no memory).
 */
FILE *xmemstream(char **text, size_t *size);

/* fmemopen(3) for writing, in the same manner. */
FILE *xfmemopen(char *text, size_t size);

/*
 * From now on this process does not print that there is no memory, for nobody would read it,
 * but calls @tell with @fd, and then ends.
 */
void no_memory_tell(void (*tell)(int fd, const char *what), int fd);

/* Copy a string that must fit; one that does not is ERR_VALUE, never cut. */
int str_copy(char *to, size_t size, const char *from, struct err *err);

/* snprintf for names and paths that fit by construction; asserts that they did. */
__attribute__((format(printf, 3, 4))) void str_format(char *to, size_t size, const char *fmt,
						      ...);

/*
 * The units of the command line (nodectl(8), UNITS).  Whole string or nothing:
 * white space, signs, and what overflows are ERR_VALUE.
 */
int size_parse(const char *text, uint64_t *bytes,
	       struct err *err);				   /* 512M = 512 MiB = 512MiB */
int rate_parse(const char *text, uint64_t *bits, struct err *err); /* 100M = 100 Mbit/s */
int cpus_parse(const char *text, unsigned *hundredths, struct err *err); /* 1.5 */
int seconds_parse(const char *text, unsigned *seconds, struct err *err); /* 90, 10m, 2h, 7d */
int number_parse(const char *text, unsigned long min, unsigned long max, unsigned long *number,
		 struct err *err);

/* The shortest text that the parser reads back as the same value, "1G", "1536M", "1.5". */
void size_print(uint64_t bytes, char *text, size_t size);
void rate_print(uint64_t bits, char *text, size_t size);
void cpus_print(unsigned hundredths, char *text, size_t size);

/* For people: "1.5G", "12d 3h", "4.2 GiB/s"-like rounding; not meant to be read back. */
void size_human(uint64_t bytes, char *text, size_t size);
void seconds_human(uint64_t seconds, char *text, size_t size);

/* [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most 63, not all digits: VPS and plan names. */
bool name_is_valid(const char *name);

/* @text without control bytes: each becomes \xNN, so that a tenant's words cannot drive
 * the operator's terminal.  Cut at @size. */
void str_escape(const char *text, char *to, size_t size);

/*
 * The same for text of many lines: only colours, blanks and line ends are left to the terminal,
 * other controls become ^[ and the like.  @to has room for twice @len; returns how much of it
 * is used.
 */
size_t str_visible(const char *text, size_t len, char *to);

/* RFC 3339 in UTC, 2026-11-21T17:40:28Z. */
void time_print(int64_t seconds, char *text, size_t size);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* Verbs of ../probe.h: the exit status. */
int probe_touch(char *argv[]);
int probe_hold(char *argv[]);
int probe_cache(char *argv[]);
int probe_fork(char *argv[]);
int probe_spin(char *argv[]);
int probe_fill(char *argv[]);
int probe_files(char *argv[]);
int probe_write(char *argv[]);
int probe_read(char *argv[]);
int probe_open(char *argv[]);
int probe_mknod(char *argv[]);
int probe_reach(char *argv[]);
int probe_receive(char *argv[]);
int probe_send(char *argv[]);
int probe_forge(char *argv[]);

/* Print one line, at once. */
void say(const char *key, uint64_t value);
void say_text(const char *key, const char *text);

/* Wait until standard input ends. */
void stay(void);

/* An argument as a number. */
uint64_t number(const char *text);

uint64_t now_ns(void);

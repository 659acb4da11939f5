/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <termios.h>

struct err;

/* Our own terminal in raw mode; terminal_restore() takes it back, also when it never was raw.
 */
struct terminal {
	bool raw;
	struct termios before;
};

int terminal_raw(struct terminal *terminal, struct err *err);
void terminal_restore(struct terminal *terminal);

#define own_terminal __attribute__((cleanup(terminal_restore))) struct terminal

/* Block the signals that a relay wants to read; returns a signalfd. */
int terminal_signals(struct err *err);

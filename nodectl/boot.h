/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct cli;
struct err;
struct node;
struct held;

/*
 * With --wait SECONDS: wait until the VPS has booted.  For systemd that is when it says so, for
 * others when port 22 answers.  ERR_WAITED when the time is up.  The lock of @held is let go.
 */
int boot_wait(const struct cli *cli, const struct node *node, struct held *held,
	      struct err *err);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;

/*
 * /run/vps in a VPS: what the node tells its tenant, in files that nobody inside can change.
 */

/* Make it, with @text as its status.json: a detached mount, which the caller owns. */
int notice_make(unsigned id, const char *text, struct err *err);

/* Place it below @root, on the /run that we have just mounted there. */
int notice_place(int root, int tree, struct err *err);

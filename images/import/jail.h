/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct err;

/*
 * Give up everything that unpacking beneath @root does not need: the file system above it,
 * the network, all capabilities but those that files of many owners take, most system calls.
 * There is no way back.
 */
int jail_enter(int root, struct err *err);

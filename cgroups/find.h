/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The id of the VPS that a /proc/PID/cgroup, given as text, belongs to; 0 for none. */
unsigned id_of_cgroup_text(const char *text);

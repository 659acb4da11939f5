/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct node_fact;

/* Make the kernel's pools that all VPSs share as large as they ought to be; none is made
 * smaller.
 * @sysctls is /proc/sys. */
void pools_raise(int sysctls);

/* What of those settings is as it ought to be; the number of @facts. */
unsigned settings_look(int sysctls, struct node_fact *facts, unsigned max);

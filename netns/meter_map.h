/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct err;
struct guard_cell;
struct meter_total;

/* Count for VPS @id from now on; what is counted already goes on. */
int meter_begin(unsigned id, struct err *err);

/* What @cells, one for each CPU, come to.  Pure. */
void meter_sum(const struct guard_cell *cells, unsigned count, struct meter_total *total);

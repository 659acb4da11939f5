/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "knobs.h"

/* Look at the host for what the knobs of VPS @id follow from besides its limits; the parent of
 * all groups exists. */
int basis_make(const struct hierarchies *hierarchies, unsigned id, const struct limits *limits,
	       struct basis *basis, struct err *err);

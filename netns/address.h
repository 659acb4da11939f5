/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "netns.h"

/* Length in bytes: 4 or 16. */
unsigned address_size(const struct address *address);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

struct address;
struct nlmsghdr;

/* Ask for all connections of a family that are tracked; and read one, which some may have not:
 * who began it, and who answers, behind whatever address it was sent to. */
void track_put_dump(struct nlmsghdr *nlh, int family);
bool track_read(const struct nlmsghdr *nlh, struct address *from, struct address *to);

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bridge;
struct err;

/* What distinguishes the near end of a routed VPS from a port. */

/* Its sysctls, while it is down: it listens to no tenant, and makes up no address. */
int routed_harden(const char *name, const struct bridge *bridge, struct err *err);

/* Are they as they should be? */
bool routed_is_hard(const char *name, const struct bridge *bridge);

/* Its address, by which IPv6 goes out; it must be up.  @fd is a socket of NETLINK_ROUTE. */
int routed_address(int fd, uint32_t index, const struct bridge *bridge, struct err *err);

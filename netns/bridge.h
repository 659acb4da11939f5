/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "rtnl_msg.h"

/*
 * What the kernel knows of the link called @name.  An absent one is ENODEV in
 * err->code.  @fd is a socket of NETLINK_ROUTE.
 */
int link_find(int fd, const char *name, struct rtnl_link *found, struct err *err);

/* Has the bridge the MAC address that nodectl gives its own?  That of an operator's may be any,
 * and change. */
bool bridge_has_its_mac(const struct bridge *bridge);

/* Let the node's end of what tenants are on listen to none of them. */
int interface_harden(const char *name, struct err *err);
bool interface_is_hard(const char *name);

#define MAC_TEXT 18

void mac_print(struct mac mac, char text[MAC_TEXT]);

/* The MAC address with number @id, 0 being the bridge's; @near: the node's end of that VPS. */
struct mac link_mac(unsigned id, bool near);

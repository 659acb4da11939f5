/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routed.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "bridge.h"
#include "err.h"
#include "netlink.h"
#include "own.h"
#include "rtnl_msg.h"
#include "sysctl.h"

/*
 * Beside what the bridge has.  A packet from an address that does not lead back here is
 * nobody's; nobody is answered for; and the one address of IPv6 is ours to give.
 */
static const struct sysctl sysctls[] = { { "ipv4", "proxy_arp", "0" },
					 { "ipv4", "forwarding", "1" } };
static const struct sysctl sysctls6[] = { { "ipv6", "proxy_ndp", "0" },
					  { "ipv6", "addr_gen_mode", "1" },
					  { "ipv6", "disable_ipv6", "0" } };
static const struct sysctl without6[] = { { "ipv6", "disable_ipv6", "1" } };

int routed_harden(const char *name, const struct bridge *bridge, struct err *err)
{
	if (interface_harden(name, err) < 0 ||
	    sysctls_set(sysctls, ARRAY_SIZE(sysctls), name, err) < 0)
		return -1;
	return bridge->ipv6.family ? sysctls_set(sysctls6, ARRAY_SIZE(sysctls6), name, err)
				   : sysctls_set(without6, ARRAY_SIZE(without6), name, err);
}

bool routed_is_hard(const char *name, const struct bridge *bridge)
{
	return interface_is_hard(name) && sysctls_are_set(sysctls, ARRAY_SIZE(sysctls), name) &&
	       (!bridge->ipv6.family || sysctls_are_set(sysctls6, ARRAY_SIZE(sysctls6), name));
}

int routed_address(int fd, uint32_t index, const struct bridge *bridge, struct err *err)
{
	static const struct link routed = { .mode = LINK_ROUTED };
	const struct address *gateway = link_gateway(bridge, &routed, AF_INET6);
	struct netlink_batch batch;

	netlink_start(&batch);
	if (gateway)
		rtnl_put_address(netlink_next(&batch, "set its address", EEXIST), index,
				 gateway);
	return netlink_run(fd, &batch, NULL, NULL, err);
}

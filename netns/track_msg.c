/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "track_msg.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "netns.h"

void track_put_dump(struct nlmsghdr *nlh, int family)
{
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = (uint8_t)family;
	nfg->version = NFNETLINK_V0;
}

/* The source of a tuple. */
static void tuple_read(const struct nlattr *tuple, struct address *source)
{
	const struct nlattr *ip, *attr;

	mnl_attr_for_each_nested(ip, tuple)
	{
		if (mnl_attr_get_type(ip) != CTA_TUPLE_IP)
			continue;
		mnl_attr_for_each_nested(attr, ip)
		{
			bool v6 = mnl_attr_get_type(attr) == CTA_IP_V6_SRC;
			unsigned size = v6 ? 16 : 4;

			if ((!v6 && mnl_attr_get_type(attr) != CTA_IP_V4_SRC) ||
			    mnl_attr_get_payload_len(attr) != size)
				continue;
			*source = (struct address){ .family = v6 ? AF_INET6 : AF_INET,
						    .prefix = size * 8 };
			memcpy(source->bytes, mnl_attr_get_payload(attr), size);
		}
	}
}

bool track_read(const struct nlmsghdr *nlh, struct address *from, struct address *to)
{
	const struct nlattr *attr;

	*from = *to = (struct address){ 0 };
	if (nlh->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG)
			tuple_read(attr, from);
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY)
			tuple_read(attr, to);
	}
	return from->family && to->family;
}

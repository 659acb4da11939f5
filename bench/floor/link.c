/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "floor.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "own.h"

/* One request, written by hand. */
struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	char rest[256];
};

static void *request_put(struct request *request, unsigned type, const void *data, size_t len)
{
	struct rtattr *attr =
	    (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attr->rta_type = (unsigned short)type;
	attr->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attr), data, len);
	request->head.nlmsg_len =
	    NLMSG_ALIGN(request->head.nlmsg_len) + (unsigned)RTA_SPACE(len);
	return attr;
}

static void request_end(struct request *request, struct rtattr *attr)
{
	attr->rta_len =
	    (unsigned short)((char *)request + request->head.nlmsg_len - (char *)attr);
}

/* 0, or the kernel's errno. */
static int request_send(struct request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr answer;
		char rest[512];
	} reply;
	own_fd socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (socket_fd < 0 || send(socket_fd, request, request->head.nlmsg_len, 0) < 0 ||
	    recv(socket_fd, &reply, sizeof(reply), 0) < (ssize_t)sizeof(reply.head))
		return errno;
	return -reply.answer.error;
}

int link_make(const char *name, pid_t pid, struct err *err)
{
	struct request request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			  .nlmsg_type = RTM_NEWLINK,
			  .nlmsg_flags =
			      NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
	};
	const struct ifinfomsg peer_link = { .ifi_family = AF_UNSPEC };

	request_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	struct rtattr *info = request_put(&request, IFLA_LINKINFO, NULL, 0);
	request_put(&request, IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = request_put(&request, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *peer =
	    request_put(&request, VETH_INFO_PEER, &peer_link, sizeof(peer_link));
	request_put(&request, IFLA_IFNAME, "eth0", 5);
	request_put(&request, IFLA_NET_NS_PID, &pid, sizeof(pid));
	request_end(&request, peer);
	request_end(&request, data);
	request_end(&request, info);

	int code = request_send(&request);
	return code ? fail(err, code, "cannot make link '%s'", name) : 0;
}

void link_remove(const char *name)
{
	struct request request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			  .nlmsg_type = RTM_DELLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
	};

	request_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	(void)request_send(&request);
}

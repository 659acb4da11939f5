/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "start.h"

int channel_go(const struct channel *channel, int fd, struct err *err)
{
	struct err go = { 0 };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = &go, .iov_len = sizeof(go) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	/* a peer that ended has left its reason to be received */
	if (sendmsg(channel->fd, &msg, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		return fail(err, errno, "cannot reach the other side of the start");
	return 0;
}

int channel_wait(struct channel *channel, int *fd, struct err *err)
{
	struct err got;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &got, .iov_len = sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t len;

	do {
		len = recvmsg(channel->fd, &msg, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	channel->ended = len == 0;
	if (channel->ended)
		return fail(err, EPIPE, "the other side of the start ended");
	if (len != sizeof(got))
		return fail(err, len < 0 ? errno : EBADMSG, "cannot hear the other side");

	cmsg = CMSG_FIRSTHDR(&msg);
	if (fd && cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(int));
	if (got.kind == 0)
		return 0;
	got.msg[sizeof(got.msg) - 1] = 0;
	*err = got;
	return -1;
}

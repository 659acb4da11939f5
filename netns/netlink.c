/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "netns.h"
#include "own.h"
#include "str.h"

/* The kernel makes none that are longer. */
#define DATAGRAM_MAX 32768

/* How often a dump is asked for that others change while it is read. */
#define DUMP_TRIES	  20
#define DUMP_PAUSE_MAX_NS 16000000
#define HOME_TRIES	  10 /* it takes a little memory */

/* What is known while the answers to one batch come in. */
struct answers {
	struct netlink_batch *batch;
	unsigned pending; /* requests whose end was not seen yet */
	void (*reply)(const struct nlmsghdr *nlh, void *arg);
	void *arg;
	int failed; /* -1 after the first failure */
	struct err *err;
};

void netlink_start_in(struct netlink_batch *batch, void *data, size_t size, size_t message)
{
	batch->count = 0;
	batch->failed = 0;
	batch->used = 0;
	batch->streams = false;
	batch->data = data;
	batch->size = size;
	batch->message = message;
}

void netlink_start(struct netlink_batch *batch)
{
	netlink_start_in(batch, batch->buf, sizeof(batch->buf), NETLINK_MESSAGE_MAX);
}

/* Where the next message goes: behind the last one, whose length its builder has set. */
static void *batch_end(struct netlink_batch *batch)
{
	struct nlmsghdr *last = (struct nlmsghdr *)(void *)(batch->data + batch->used);

	if (batch->count == 0)
		return last;
	return (char *)last + MNL_ALIGN(last->nlmsg_len);
}

struct nlmsghdr *netlink_next(struct netlink_batch *batch, const char *what, int fine)
{
	char *end = batch_end(batch);

	batch->used = (size_t)(end - batch->data);
	assert(batch->count < NETLINK_BATCH_MAX);
	assert(batch->used + batch->message <= batch->size);

	/* libmnl leaves the padding between attributes as it finds it */
	memset(end, 0, batch->message);
	batch->about[batch->count].what = what;
	batch->about[batch->count].fine = fine;
	batch->count++;
	return mnl_nlmsg_put_header(end);
}

int netlink_open(int protocol, struct err *err)
{
	own_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int on = 1;

	if (fd < 0)
		return fail(err, errno, "cannot open a netlink socket");

	/* niceties, all of them: without them messages are longer and errors shorter */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return take_fd(&fd);
}

void netns_home(int home)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (unsigned tries = 0; setns(home, CLONE_NEWNET) < 0; tries++) {
		if (tries == HOME_TRIES) {
			fprintf(stderr, "nodectl: cannot leave a network namespace: %s\n",
				strerror(errno));
			_exit(ERR_SYSTEM);
		}
		nanosleep(&pause, NULL);
	}
}

/* A socket belongs for ever to the network namespace it was made in, so this process need not
 * stay there. */
int netlink_open_in(int netns, int protocol, struct err *err)
{
	own_fd home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (home < 0)
		return fail(err, errno, "cannot open '/proc/thread-self/ns/net'");
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail(err, errno, "cannot enter the network namespace");

	fd = netlink_open(protocol, err);
	netns_home(home);
	return fd;
}

/* The kernel's explanation, behind the error code and, unless capped, our own message. */
static const char *ext_ack(const struct nlmsghdr *nlh, const struct nlmsgerr *error)
{
	size_t skip = sizeof(*error);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - sizeof(error->msg);

	mnl_attr_for_each(attr, nlh, skip)
	{
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attr);
	}
	return NULL;
}

static void answer_end(struct answers *answers, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	unsigned index = nlh->nlmsg_seq;
	const char *why;

	if (answers->pending)
		answers->pending--;
	/* both kinds of end begin with the error code, a dump's in 4 bytes */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error->error) || error->error >= 0)
		return;
	if (answers->failed || index >= answers->batch->count ||
	    answers->batch->about[index].fine == -error->error)
		return;

	answers->batch->failed = index;
	why = nlh->nlmsg_type == NLMSG_ERROR ? ext_ack(nlh, error) : NULL;
	answers->failed = fail(answers->err, -error->error, "cannot %s%s%s%s",
			       answers->batch->about[index].what, why ? " (" : "",
			       why ? why : "", why ? ")" : "");
}

static void answers_read(struct answers *answers, const void *buf, int len)
{
	const struct nlmsghdr *nlh;

	for (nlh = buf; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
			answer_end(answers, nlh);
		else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && answers->reply)
			answers->reply(nlh, answers->arg);
	}
}

/* Number the messages for their answers; how many will be ended by one? */
static unsigned batch_number(struct netlink_batch *batch)
{
	unsigned ends = 0, seq = 0;

	for (char *at = batch->data; at < batch->data + batch->used;) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)at;

		nlh->nlmsg_seq = seq++;
		ends += (nlh->nlmsg_flags & NLM_F_ACK) != 0;
		at += MNL_ALIGN(nlh->nlmsg_len);
	}
	return ends;
}

/* Answers as they came, one behind the other. */
struct inbox {
	char *data;
	size_t used, size;
	unsigned ends;
	bool torn;		 /* a dump of what was changed meanwhile */
	struct answers *streams; /* sees them at once */
};

/* One datagram, which lies at the end of the inbox. */
static void inbox_add(struct inbox *inbox, int len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)(inbox->data + inbox->used);

	inbox->used += MNL_ALIGN((size_t)len);
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		inbox->ends += nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE;
		inbox->torn = inbox->torn || (nlh->nlmsg_flags & NLM_F_DUMP_INTR);
	}
}

/*
 * The kernel has done the work and queued the answers when send() returns, and
 * each receive of a dump queues its next part.  So nothing is ever waited for,
 * and a missing answer (an nft batch refused as a whole gives one error for
 * all) cannot hang us.
 */
static int inbox_fill(int fd, struct inbox *inbox, unsigned ends)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };

	while (inbox->ends < ends) {
		socklen_t size = sizeof(from);

		if (inbox->size - inbox->used < DATAGRAM_MAX) {
			inbox->size *= 2;
			inbox->data = xrealloc(inbox->data, inbox->size);
		}
		ssize_t len = recvfrom(fd, inbox->data + inbox->used, DATAGRAM_MAX,
				       MSG_DONTWAIT, (struct sockaddr *)&from, &size);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			break;
		if (len < 0)
			return -1;
		if (from.nl_pid == 0)
			inbox_add(inbox, (int)len);
		if (inbox->streams) {
			answers_read(inbox->streams, inbox->data, (int)inbox->used);
			inbox->used = 0;
		}
	}
	return 0;
}

/* Of a dump that is torn, things may be missing that were there all the time: it is asked for
 * again, and its answers are seen once. */
static int batch_ask(int fd, const struct netlink_batch *batch, struct inbox *inbox,
		     unsigned ends, struct err *err)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct nlmsghdr *first = (const void *)batch->data;
	struct timespec pause = { .tv_nsec = 500000 };
	bool again = !inbox->streams && batch->count == 1 &&
		     (first->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	for (unsigned tries = 0; tries < (again ? DUMP_TRIES : 1); tries++) {
		inbox->used = inbox->ends = 0;
		inbox->torn = false;
		if (sendto(fd, batch->data, batch->used, 0, (const struct sockaddr *)&kernel,
			   sizeof(kernel)) < 0)
			return fail(err, errno, "cannot send to the kernel");
		if (inbox_fill(fd, inbox, ends) < 0)
			return fail(err, errno, "cannot receive from the kernel");
		if (!inbox->torn)
			return 0;
		if (again)
			nanosleep(&pause, NULL);
		if (pause.tv_nsec < DUMP_PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
	return !again ? 0
		      : fail(err, EAGAIN, "cannot %s: it changes while it is read",
			     batch->about[0].what);
}

int netlink_run(int fd, struct netlink_batch *batch,
		void (*reply)(const struct nlmsghdr *nlh, void *arg), void *arg,
		struct err *err)
{
	struct answers answers = { .batch = batch, .reply = reply, .arg = arg, .err = err };
	struct inbox inbox = { .size = 2 * DATAGRAM_MAX };

	if (batch->count == 0)
		return 0;
	batch->used = (size_t)((char *)batch_end(batch) - batch->data);
	answers.pending = batch_number(batch);

	inbox.streams = batch->streams ? &answers : NULL;
	inbox.data = xmalloc(inbox.size);
	int asked = batch_ask(fd, batch, &inbox, answers.pending, err);
	own_str data = inbox.data;
	if (asked < 0)
		return -1;
	answers_read(&answers, data, (int)inbox.used);

	if (!answers.failed && answers.pending)
		return fail(err, EPROTO, "cannot %s", batch->about[batch->count - 1].what);
	return answers.failed;
}

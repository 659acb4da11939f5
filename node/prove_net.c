/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io.h"
#include "lab.h"
#include "netns.h"
#include "node.h"
#include "own.h"
#include "probe.h"
#include "str.h"

#define PORT	  7u
#define SPEED_MS  1500u
#define TOLERANCE 0.05

/* To the probe, which listens; by no other bridge, which somebody may have given the same
 * subnet. */
static int connection(const struct address *address, const char *bridge, struct err *err)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	const struct timeval patience = { .tv_sec = 5 };

	memcpy(&there.sin_addr, address->bytes, sizeof(there.sin_addr));
	own_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bridge, (socklen_t)strlen(bridge)) <
		0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (const struct sockaddr *)&there, sizeof(there)) < 0)
		return fail(err, errno, "cannot connect to the VPS");
	return take_fd(&fd);
}

/* Send until the other side has had enough. */
static void pour(int fd)
{
	static const char block[PROBE_STEP];

	while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
}

/* Bits a second that come, without what has piled up at first. */
static double drain(int fd)
{
	static char block[PROBE_STEP];
	unsigned long long first = 0, began = 0, now = 0;
	double bytes = 0;
	ssize_t len;

	while ((len = recv(fd, block, sizeof(block), 0)) > 0) {
		now = now_ms();
		first = first ? first : now;
		bytes += (double)len;
		if (now - first < PROBE_PILED_MS) {
			began = now;
			bytes = 0;
		}
	}
	return now > began ? bytes * 8000 / (double)(now - began) : 0;
}

static int rate_measure(const struct lab *lab, const char *verb, double *measured,
			struct err *err)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	own_probe probe = probe_none();

	if (probe_start(&probe, main, err, "%s %u %u", verb, PORT, SPEED_MS) < 0 ||
	    probe_ready(&probe, err) < 0)
		return -1;
	own_fd fd = connection(&main->vps.link.ipv4, lab->node->bridge.name, err);
	if (fd < 0)
		return -1;
	if (strcmp(verb, "send") == 0)
		*measured = drain(fd);
	else
		pour(fd);
	if (probe_finish(&probe, err) < 0)
		return -1;
	if (strcmp(verb, "receive") == 0)
		*measured = (double)probe_number(&probe, "bytes") * 8e6 /
			    (double)(probe_number(&probe, "usec") + 1);
	return 0;
}

static void rate_prove(struct lab *lab, const char *name, const char *verb, uint64_t rate,
		       unsigned bit)
{
	const struct subject *main = &lab->subjects[ROLE_MAIN];
	struct proof proofs[LAB_ATTEMPTS], proof = proof_of(name, (double)rate, NAN, "bits/s");
	unsigned count = 0;
	struct err err;

	if (!rate)
		return;
	if (lab->net_lacks[0] || main->vps.link.accepted & bit) {
		lab_prove(lab, &proof, VERDICT_UNSUPPORTED, "%s",
			  lab->net_lacks[0] ? lab->net_lacks
					    : "this kernel cannot hold it (see doctor)");
		return;
	}
	do {
		proof.measured = NAN;
		if (rate_measure(lab, verb, &proof.measured, &err) == 0) {
			proofs[count++] = speed_judge(&proof, TOLERANCE, "node");
			continue;
		}
		proofs[count] = proof;
		proofs[count].verdict = VERDICT_FAIL;
		str_format(proofs[count++].reason, sizeof(proof.reason), "%.150s", err.msg);
	} while (proof_best(proofs, count).verdict != VERDICT_PASS && count < LAB_ATTEMPTS &&
		 now_ms() < lab->end);
	proof = proof_best(proofs, count);
	lab_prove(lab, &proof, proof.verdict, "%s", proof.reason);
}

void prove_net(struct lab *lab)
{
	const struct link *link = &lab->subjects[ROLE_MAIN].vps.link;

	if (!lab->subjects[ROLE_MAIN].init)
		return;
	rate_prove(lab, "rate-in", "receive", link->rate_in, LINK_RATE_IN);
	rate_prove(lab, "rate-out", "send", link->rate_out, LINK_RATE_OUT);
}

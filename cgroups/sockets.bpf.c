/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What root of a VPS may have the kernel keep by an option of a socket, and for which the
 * kernel charges no group: rings of packet sockets (packet(7), PACKET_RX_RING), of gibibytes
 * each, and multicast groups, some hundred bytes each, with as many in one socket as it likes.
 *
 * A ring lives as long as its socket, and nothing tells when that is closed: so who has one is
 * noted, and looked at when somebody asks for the next.  A ring may also be given back sooner,
 * and another be asked for; what counts is the most that a socket has asked for, for it is not
 * seen here whether the kernel did as it was asked.  Whoever holds a page of a ring in another
 * way (a packet that waits, a pipe) keeps its whole block from being freed: so bytes have a
 * bucket, too.
 *
 * Groups, and memberships of packet sockets, each of which may write lines to the log of the
 * node (an interface becomes promiscuous), have a bucket: so many at once, so many a second.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_packet.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bucket.h"
#include "sockets_map.h"

/* socket.h, in.h and in6.h are not for programs like this one */
#define AF_PACKET		 17
#define SOL_PACKET		 263
#define IPPROTO_IP		 0
#define IP_ADD_MEMBERSHIP	 35
#define IP_BLOCK_SOURCE		 38
#define IP_ADD_SOURCE_MEMBERSHIP 39
#define IP_MSFILTER		 41
#define MCAST_JOIN_GROUP	 42
#define MCAST_BLOCK_SOURCE	 43
#define MCAST_JOIN_SOURCE_GROUP	 46
#define MCAST_MSFILTER		 48
#define IPPROTO_IPV6		 41
#define IPV6_JOIN_GROUP		 20
#define IPV6_JOIN_ANYCAST	 27

/* Memberships; and bytes of rings, by the KiB: tcpdump(8) asks for two MiB. */
static const struct bucket buckets[SOCKETS_BUCKETS] = {
	[SOCKETS_JOINS] = { 16384, 16 },
	[SOCKETS_KIB] = { 256 << 10, 128 },
};

/* For so many sockets the kernel makes room in a group of them at once; it would for 65536, and
 * does for 256 if it is not told. */
#define FANOUT 1024u

#define KERNEL __attribute__((preserve_access_index))

struct inode {
	unsigned long i_ino;
} KERNEL;

struct socket {
	struct sock *sk;
} KERNEL;

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
} KERNEL;

struct sock {
	struct socket *sk_socket;
} KERNEL;

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct sockets_state);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} states SEC(".maps");

/* The number of a socket's inode, 0 when what lies at @address is none any more. */
static __always_inline __u64 number_of(__u64 address)
{
	struct sock *sock = (struct sock *)address;
	struct socket *socket = BPF_CORE_READ(sock, sk_socket);

	if (!socket || BPF_CORE_READ(socket, sk) != sock)
		return 0;
	return BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

static __always_inline int refuse(struct sockets_state *state, int code)
{
	__sync_fetch_and_add(&state->refused, 1);
	(void)bpf_set_retval(-code);
	return 0;
}

static __always_inline int spend(struct sockets_state *state, enum sockets_bucket which,
				 __u64 amount)
{
	return bucket_spend(&buckets[which], &state->busy[which], amount);
}

/* Whose ring one of them is, and which one is nobody's. */
struct search {
	struct sockets_state *state;
	__u64 number;
	__u32 own, free;
};

/* Forget those whose socket is closed, too. */
static long look(__u32 i, struct search *search)
{
	volatile struct sockets_ring *ring;
	__u64 number, sock;

	if (i >= SOCKETS_RINGS)
		return 1;
	ring = &search->state->rings[i];
	number = ring->number;
	sock = ring->sock;
	if (number == search->number) {
		search->own = i;
		return 0;
	}
	if (number && number_of(sock) != number) {
		bpf_spin_lock(&search->state->lock);
		/* and not one that somebody has put there meanwhile */
		if (ring->number == number && ring->sock == sock) {
			ring->number = 0;
			ring->bytes[0] = 0;
			ring->bytes[1] = 0;
		}
		bpf_spin_unlock(&search->state->lock);
		number = 0;
	}
	if (!number)
		search->free = i;
	return 0;
}

/* A socket asks for so much: note it, when there is room.  Who has been faster is told so as if
 * there were none. */
static __always_inline int note(struct sockets_state *state, __u64 address, __u64 number,
				int sends, __u64 bytes)
{
	struct search search = {
		.state = state, .number = number, .own = SOCKETS_RINGS, .free = SOCKETS_RINGS
	};
	volatile struct sockets_ring *ring;
	__u64 sum = 0, was, fits = 0;
	__u32 i;

	bpf_loop(SOCKETS_RINGS, look, &search, 0);
	i = search.own < SOCKETS_RINGS ? search.own : search.free;
	if (i >= SOCKETS_RINGS)
		return 0;
	ring = &state->rings[i];
	bpf_spin_lock(&state->lock);
	for (__u32 n = 0; n < SOCKETS_RINGS; n++)
		sum += state->rings[n].bytes[0] + state->rings[n].bytes[1];
	was = sends ? ring->bytes[1] : ring->bytes[0];
	if (was < bytes)
		sum += bytes - was;
	if ((!ring->number || ring->number == number) && sum <= SOCKETS_BYTES) {
		if (was < bytes && sends)
			ring->bytes[1] = bytes;
		else if (was < bytes)
			ring->bytes[0] = bytes;
		ring->sock = address;
		/* last, for look() does without the lock */
		ring->number = number;
		fits = 1;
	}
	bpf_spin_unlock(&state->lock);
	return fits;
}

static __always_inline int ring_decide(struct bpf_sockopt *ctx, struct sockets_state *state)
{
	const struct tpacket_req *asked = ctx->optval;
	struct bpf_sock *sock = ctx->sk;
	__u64 address, number, bytes, block = 4096;

	/* the kernel refuses it, too */
	if ((void *)(asked + 1) > ctx->optval_end)
		return 1;
	/* the kernel makes room for powers of two */
	while (block < asked->tp_block_size && block < 1ull << 32)
		block *= 2;
	bytes = block * asked->tp_block_nr;
	/* and what it goes by is what was looked at, not what is there later */
	if (ctx->optlen > (int)sizeof(struct tpacket_req3))
		ctx->optlen = sizeof(struct tpacket_req3);
	if (!bytes)
		return 1;
	/* as a number, not as what the verifier knows to be a socket */
	number = bpf_probe_read_kernel(&address, sizeof(address), &sock) < 0
		     ? 0
		     : number_of(address);
	/* libpcap asks for less then */
	return number && note(state, address, number, ctx->optname == PACKET_TX_RING, bytes) &&
		       spend(state, SOCKETS_KIB, bytes >> 10)
		   ? 1
		   : refuse(state, ENOMEM);
}

static __always_inline int fanout_decide(struct bpf_sockopt *ctx, struct sockets_state *state)
{
	const struct fanout_args *asked = ctx->optval;

	if ((void *)(asked + 1) > ctx->optval_end)
		return 1;
	if (ctx->optlen > (int)sizeof(*asked))
		ctx->optlen = sizeof(*asked);
	if (asked->max_num_members > FANOUT)
		return refuse(state, EINVAL);
	return spend(state, SOCKETS_JOINS, 1 + asked->max_num_members / 64)
		   ? 1
		   : refuse(state, ENOBUFS);
}

static __always_inline int joins(int level, int option)
{
	if (level == SOL_PACKET)
		return option == PACKET_ADD_MEMBERSHIP;
	if (level == IPPROTO_IPV6 && (option == IPV6_JOIN_GROUP || option == IPV6_JOIN_ANYCAST))
		return 1;
	if (level == IPPROTO_IP &&
	    (option == IP_ADD_MEMBERSHIP || option == IP_BLOCK_SOURCE ||
	     option == IP_ADD_SOURCE_MEMBERSHIP || option == IP_MSFILTER))
		return 1;
	return (level == IPPROTO_IP || level == IPPROTO_IPV6) &&
	       (option == MCAST_JOIN_GROUP || option == MCAST_BLOCK_SOURCE ||
		option == MCAST_JOIN_SOURCE_GROUP || option == MCAST_MSFILTER);
}

SEC("cgroup/setsockopt")
int sockets(struct bpf_sockopt *ctx)
{
	struct sockets_state *state = bpf_get_local_storage(&states, 0);
	int level = ctx->level, option = ctx->optname;
	/* anybody may ask any other socket for it, and be refused by the kernel */
	int packets = level == SOL_PACKET && ctx->sk->family == AF_PACKET;

	if (packets && (option == PACKET_RX_RING || option == PACKET_TX_RING))
		return ring_decide(ctx, state);
	if (packets && option == PACKET_FANOUT)
		return fanout_decide(ctx, state);
	/* what the kernel showed us may be only the beginning of it: it takes what was given */
	ctx->optlen = 0;
	return (level == SOL_PACKET && !packets) || !joins(level, option) ||
		       spend(state, SOCKETS_JOINS, 1)
		   ? 1
		   : refuse(state, ENOBUFS);
}

char terms[] SEC("license") = "GPL";

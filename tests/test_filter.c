/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter.h"
#include "own.h"

/* What the program answers instead of an errno. */
enum { ALLOWED = 0, KILLED = -1, BROKEN = -2 };

static uint32_t word_at(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	cr_assert(offset % 4 == 0 && offset + 4 <= sizeof(*data));
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static int answer_of(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return ALLOWED;
	case SECCOMP_RET_KILL_PROCESS:
		return KILLED;
	case SECCOMP_RET_ERRNO:
		return (int)(action & SECCOMP_RET_DATA);
	}
	return BROKEN;
}

/* Classic BPF, as far as seccomp allows and libseccomp writes it. */
static int filter_run(const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned i = 0; i < FILTER_LENGTH; i++) {
		const struct sock_filter *line = &filter_program[i];

		switch (line->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = word_at(data, line->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= line->k;
			break;
		case BPF_JMP | BPF_JA:
			i += line->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += a == line->k ? line->jt : line->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			i += a > line->k ? line->jt : line->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			i += a >= line->k ? line->jt : line->jf;
			break;
		case BPF_RET | BPF_K:
			return answer_of(line->k);
		default:
			return BROKEN;
		}
	}
	return BROKEN;
}

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static int filter_asks(int nr, uint64_t first, uint64_t second, uint64_t third)
{
	struct seccomp_data data = { .nr = nr,
				     .arch = NATIVE,
				     .args = { first, second, third } };

	return filter_run(&data);
}

#ifdef __x86_64__

static bool number_in(int nr, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == nr)
			return true;
	}
	return false;
}

/* Written down from the kernel's table of x86-64, and on purpose not from ours. */
static int answer_expected(int nr)
{
	static const int not_permitted[] = { 163, 167, 168, 172, 173, 175,
					     176, 179, 246, 304, 313, 443 };
	static const int absent[] = { 134, 154, 180, 212, 248, 249, 250, 298,
				      300, 301, 320, 321, 323, 425, 426, 427,
				      430, 431, 432, 433, 447, 451, 460 };

	if (nr < 0 || nr > 469 || (nr > 334 && nr < 424))
		return ENOSYS;
	if (number_in(nr, absent, ARRAY_SIZE(absent)))
		return ENOSYS;
	return number_in(nr, not_permitted, ARRAY_SIZE(not_permitted)) ? EPERM : ALLOWED;
}

Test(filter, decides_every_number_as_the_kernels_table_says)
{
	for (int nr = 0; nr < 1024; nr++) {
		/* harmless arguments for the calls that look at them: AF_UNIX, PER_LINUX32 */
		uint64_t first = nr == SYS_personality ? PER_LINUX32 : AF_UNIX;

		cr_expect_eq(filter_asks(nr, first, 0, 0), answer_expected(nr), "number %d",
			     nr);
	}
	cr_assert_eq(filter_asks(0x3fffffff, 1, 0, 0), ENOSYS);
}

Test(filter, answers_alike_whatever_the_arguments_where_they_do_not_matter)
{
	static const int looked_at[] = { SYS_personality, SYS_socket, SYS_socketpair,
					 SYS_setsockopt, SYS_umount2 };

	for (int nr = 0; nr < 1024; nr++) {
		if (number_in(nr, looked_at, ARRAY_SIZE(looked_at)))
			continue;
		cr_expect_eq(filter_asks(nr, 17, 100, 9), answer_expected(nr), "number %d", nr);
		cr_expect_eq(filter_asks(nr, UINT64_MAX, UINT64_MAX, UINT64_MAX),
			     answer_expected(nr), "number %d", nr);
	}
}

Test(filter, kills_other_architectures)
{
	static const uint32_t others[] = { AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM,
					   0, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		for (int nr = -1; nr < 1024; nr++) {
			struct seccomp_data data = { .nr = nr, .arch = others[i] };

			cr_expect_eq(filter_run(&data), KILLED);
		}
	}
}

Test(filter, kills_x32)
{
	for (int nr = 0; nr < 1024; nr++)
		cr_expect_eq(filter_asks(nr | 0x40000000, AF_UNIX, 0, 0), KILLED);
}

#endif

Test(filter, lets_a_tracer_skip_a_call)
{
	cr_assert_eq(filter_asks(-1, 0, 0, 0), ALLOWED);
}

static int socket_expected(uint32_t family, uint32_t protocol)
{
	switch (family) {
	case AF_UNIX:
	case AF_PACKET:
		return ALLOWED;
	case AF_NETLINK:
		switch (protocol) {
		case 0:
		case 4:
		case 12:
		case 15:
		case 16:
			return ALLOWED;
		case 9:
			return EAFNOSUPPORT;
		}
		return EPROTONOSUPPORT;
	case AF_INET:
	case AF_INET6:
		switch (protocol) {
		case 0:
		case 1:
		case 6:
		case 17:
		case 58:
		case 255:
			return ALLOWED;
		}
		return EPROTONOSUPPORT;
	}
	return EAFNOSUPPORT;
}

/* Bits that the filter leaves to the kernel, see the next but one test. */
static bool is_beyond(uint32_t family, uint32_t protocol)
{
	return family > 0xff || protocol > 0xfff;
}

/* Small values, every single bit, and neighbours of both. */
static uint32_t probe_of(unsigned index)
{
	return index < 512 ? index : (1u << (index - 512) % 32) + (index - 512) / 32 - 1;
}

enum { PROBES = 512 + 3 * 32 };

Test(filter, offers_only_the_families_and_protocols_of_a_server)
{
	for (unsigned i = 0; i < PROBES; i++) {
		for (unsigned j = 0; j < PROBES; j++) {
			uint32_t family = probe_of(i), protocol = probe_of(j);
			int expected = socket_expected(family, protocol);

			if (is_beyond(family, protocol))
				continue;
			cr_assert_eq(filter_asks(SYS_socket, family, SOCK_RAW, protocol),
				     expected, "family %u protocol %u", family, protocol);
		}
		if (is_beyond(probe_of(i), 0))
			continue;
	}
}

/* The kernel makes the socket before it says that such do not come in pairs. */
Test(filter, makes_pairs_of_local_sockets_alone)
{
	for (unsigned i = 0; i < PROBES; i++) {
		for (uint64_t protocol = 0; protocol < 300; protocol++) {
			uint32_t family = probe_of(i);
			int expected = family == AF_UNIX		       ? ALLOWED
				       : socket_expected(family, 0) == ALLOWED ? EOPNOTSUPP
									       : EAFNOSUPPORT;

			if (is_beyond(family, 0))
				continue;
			cr_assert_eq(filter_asks(SYS_socketpair, family, SOCK_STREAM, protocol),
				     expected, "family %u protocol %u", family,
				     (unsigned)protocol);
		}
	}
}

/* 0 asks for the protocol that belongs to the type: SCTP to SOCK_SEQPACKET, DCCP to 6. */
Test(filter, offers_no_protocol_by_its_type)
{
	static const uint32_t families[] = { AF_INET, AF_INET6 };

	for (unsigned type = 0; type < 16; type++) {
		int expected = type >= 1 && type <= 3 ? ALLOWED : ESOCKTNOSUPPORT;

		for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
			cr_expect_eq(filter_asks(SYS_socket, families[i], type, 0), expected,
				     "type %u", type);
			cr_expect_eq(filter_asks(SYS_socket, families[i],
						 type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
				     expected, "type %u with flags", type);
		}
		cr_expect_eq(filter_asks(SYS_socket, AF_UNIX, type, 0), ALLOWED);
	}
}

Test(filter, leaves_no_gap_above_the_bits_that_it_compares)
{
	static const int families[] = { AF_INET, AF_INET6, AF_NETLINK };

	for (unsigned bit = 8; bit < 32; bit++) {
		int high = (int)(1u << bit);

		cr_assert_lt(socket(AF_INET | high, SOCK_STREAM, 0), 0);
		for (size_t i = 0; bit >= 12 && i < ARRAY_SIZE(families); i++)
			cr_assert_lt(socket(families[i], SOCK_RAW, high), 0);
	}
}

Test(filter, is_not_passed_by_bits_that_the_kernel_ignores)
{
	const uint64_t high = 0xdeadbeef00000000;

	cr_assert_eq(filter_asks(SYS_socket, high | AF_VSOCK, high, high), EAFNOSUPPORT);
	cr_assert_eq(filter_asks(SYS_socket, high | AF_INET, high | 1, high | 262),
		     EPROTONOSUPPORT);
	cr_assert_eq(filter_asks(SYS_socket, high | AF_INET, high | 1, high | 6), ALLOWED);
	cr_assert_eq(filter_asks(SYS_socket, high | AF_INET, high | 5, high), ESOCKTNOSUPPORT);
	cr_assert_eq(filter_asks(SYS_setsockopt, high, high | 17, high | 100), ENOPROTOOPT);
	cr_assert_eq(filter_asks(SYS_umount2, high, high | 3, 0), EPERM);
	cr_assert_eq(filter_asks(SYS_personality, high | 0x400000, 0, 0), EPERM);
	cr_assert_eq(filter_asks(SYS_personality, UINT64_MAX, 0, 0), ALLOWED);
}

Test(filter, refuses_socket_options)
{
	for (unsigned i = 0; i < PROBES; i++) {
		for (unsigned j = 0; j < PROBES; j++) {
			uint32_t level = probe_of(i), option = probe_of(j);
			bool refused =
			    (level == 17 && option == 100) || (level == 6 && option == 31) ||
			    (level == 41 && (option == 200 || option == 204 || option == 210));

			cr_assert_eq(filter_asks(SYS_setsockopt, 3, level, option),
				     refused ? ENOPROTOOPT : ALLOWED);
		}
	}
}

Test(filter, refuses_forced_unmounts_and_unusual_personalities)
{
	for (unsigned i = 0; i < PROBES; i++) {
		uint32_t value = probe_of(i);
		bool usual = value == 0 || value == 8 || value == 0x20000 || value == 0x20008 ||
			     value == 0x40000 || value == 0xffffffff;

		cr_assert_eq(filter_asks(SYS_umount2, 0, value, 0),
			     value & 1 ? EPERM : ALLOWED);
		cr_assert_eq(filter_asks(SYS_personality, value, 0, 0),
			     usual ? ALLOWED : EPERM);
	}
	cr_assert_eq(filter_asks(SYS_personality, 0x20008, 0, 0), ALLOWED);
}

/* From here on with the real kernel: as root of a user namespace, as a guest is. */

static void filter_load(void)
{
	struct sock_fprog program = { .len = FILTER_LENGTH,
				      .filter = (struct sock_filter *)filter_program };

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(errno);
}

struct probe {
	const char *what;
	long nr, args[3];
	int code;
};

static const struct probe probes[] = {
	{ "socket(AF_ALG)", SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, EAFNOSUPPORT },
	{ "socket(AF_VSOCK)", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, EAFNOSUPPORT },
	{ "socket(audit)", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_AUDIT }, EAFNOSUPPORT },
	{ "socket(xfrm)", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_XFRM }, EPROTONOSUPPORT },
	{ "socket(mptcp)", SYS_socket, { AF_INET, SOCK_STREAM, 262 }, EPROTONOSUPPORT },
	{ "socket(sctp)", SYS_socket, { AF_INET6, SOCK_STREAM, 132 }, EPROTONOSUPPORT },
	{ "socket(a packet)", SYS_socket, { AF_INET, SOCK_SEQPACKET, 0 }, ESOCKTNOSUPPORT },
	{ "pair(tcp)", SYS_socketpair, { AF_INET, SOCK_STREAM, 0 }, EOPNOTSUPP },
	{ "socket(tcp)", SYS_socket, { AF_INET, SOCK_STREAM, 6 }, 0 },
	{ "setsockopt(ulp)", SYS_setsockopt, { 0, IPPROTO_TCP, 31 }, ENOPROTOOPT },
	{ "setsockopt(routes)", SYS_setsockopt, { 0, IPPROTO_IPV6, 204 }, ENOPROTOOPT },
	{ "keyctl", SYS_keyctl, { 0, 0, 0 }, ENOSYS },
	{ "bpf", SYS_bpf, { 0, 0, 0 }, ENOSYS },
	{ "io_uring_setup", SYS_io_uring_setup, { 1, 0, 0 }, ENOSYS },
	{ "fsopen", SYS_fsopen, { 0, 0, 0 }, ENOSYS },
	{ "number 999", 999, { 0, 0, 0 }, ENOSYS },
	{ "swapon", SYS_swapon, { 0, 0, 0 }, EPERM },
	{ "personality(get)", SYS_personality, { 0xffffffff, 0, 0 }, 0 },
	{ "personality(whole)", SYS_personality, { 0x400000, 0, 0 }, EPERM },
	{ "clone3", SYS_clone3, { 0, 0, 0 }, EINVAL },
};

Test(filter, is_loaded_without_no_new_privs_by_root_of_a_user_namespace)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		filter_load();
		for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
			const struct probe *probe = &probes[i];

			errno = 0;
			(void)syscall(probe->nr, probe->args[0], probe->args[1],
				      probe->args[2]);
			if (errno != probe->code)
				_exit(100 + (int)i);
		}
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	status = WEXITSTATUS(status);
	if (status == 77)
		cr_skip_test("no user namespaces here");
	cr_assert_eq(status, 0, "%s",
		     status < 100 ? strerror(status) : probes[status - 100].what);
}

#ifdef __x86_64__

Test(filter, ends_a_process_that_calls_as_i386)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		long nr = 20;

		filter_load();
		__asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("no user namespaces here");

	/* a kernel without that entry ends it as well, by SIGSEGV */
	cr_assert(WIFSIGNALED(status));
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "split.h"

/*
 * Compile the table into a C header while the program is built.  So libseccomp is neither
 * loaded nor asked when a VPS starts: the runtime hands a constant array to seccomp(2).
 */

static void die(int code, const char *what)
{
	fprintf(stderr, "filter-generator: %s: %s\n", what, strerror(code));
	exit(1);
}

static void check(int result, const char *what)
{
	if (result < 0)
		die(-result, what);
}

/* A name with a typing error would silently be allowed. */
static void rules_check(void)
{
	for (size_t i = 0; i < rules_count; i++) {
		if (!rules[i].nr &&
		    seccomp_syscall_resolve_name(rules[i].name) == __NR_SCMP_ERROR)
			die(EINVAL, rules[i].name);
	}
}

static scmp_filter_ctx filter_new(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

	if (!filter)
		die(ENOMEM, "seccomp_init");
	check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
	      "action for other architectures");
	check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0), "no_new_privs");
	check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");

	/* a tracer inside the guest skips a call by making its number -1 */
	check(seccomp_attr_set(filter, SCMP_FLTATR_API_TSKIP, 1), "skipped calls");
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, -1, 0), "skipped calls");
	return filter;
}

/*
 * The limit and not libseccomp's own table decides which numbers exist, so that building
 * with a newer libseccomp gives the same filter.
 */
static void calls_add(scmp_filter_ctx filter)
{
	for (int nr = 0; nr <= RULES_LAST_BY_NAME; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (name)
			check(split_call(filter, nr, name), name);
		free(name);
	}
	for (size_t i = 0; i < rules_count; i++) {
		if (rules[i].nr)
			check(split_call(filter, rules[i].nr, rules[i].name), rules[i].name);
	}
}

static void header_print(scmp_filter_ctx filter)
{
	struct sock_filter line;
	unsigned count = 0;
	FILE *program = tmpfile();

	if (!program)
		die(errno, "temporary file");
	check(seccomp_export_bpf(filter, fileno(program)), "compile");
	rewind(program);

	printf("/* Made by build/filter-generator from runtime/filter/rules.c */\n"
	       "#pragma once\n\n"
	       "#include <linux/filter.h>\n\n"
	       "static const struct sock_filter filter_program[] = {\n");
	while (fread(&line, sizeof(line), 1, program) == 1) {
		printf("\t{ 0x%02x, %u, %u, 0x%x },\n", line.code, line.jt, line.jf, line.k);
		count++;
	}
	printf("};\n\nenum { FILTER_LENGTH = %u };\n", count);
	fclose(program);
	if (count > BPF_MAXINSNS)
		die(E2BIG, "program");
}

int main(void)
{
	rules_check();

	scmp_filter_ctx filter = filter_new();
	calls_add(filter);
	header_print(filter);
	seccomp_release(filter);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/pool.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

#include "node.h"
#include "test_scratch.h"

TestSuite(pool, .init = scratch_make, .fini = scratch_remove);

static void sysctls_make(const char *terminals, const char *aio, const char *pids)
{
	mkdirat(scratch, "kernel", 0755);
	mkdirat(scratch, "kernel/pty", 0755);
	mkdirat(scratch, "fs", 0755);
	scratch_put(scratch, "kernel/pty/max", terminals);
	scratch_put(scratch, "fs/aio-max-nr", aio);
	scratch_put(scratch, "kernel/pid_max", pids);
}

Test(pool, that_is_small_is_made_large)
{
	sysctls_make("4096\n", "65536\n", "32768\n");
	pools_raise(scratch);
	cr_expect(scratch_holds(scratch, "kernel/pty/max", "1048576"));
	cr_expect(scratch_holds(scratch, "fs/aio-max-nr", "16777216"));
	cr_expect(scratch_holds(scratch, "kernel/pid_max", "4194304"));
}

Test(pool, of_neighbours_is_made_large_for_both_families)
{
	static const char *const folders[] = {
		"net",	    "net/ipv4",	      "net/ipv4/neigh",	       "net/ipv4/neigh/default",
		"net/ipv6", "net/ipv6/neigh", "net/ipv6/neigh/default"
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		mkdirat(scratch, folders[i], 0755);
	scratch_put(scratch, "net/ipv4/neigh/default/gc_thresh2", "512\n");
	scratch_put(scratch, "net/ipv4/neigh/default/gc_thresh3", "1024\n");
	scratch_put(scratch, "net/ipv6/neigh/default/gc_thresh2", "512\n");
	scratch_put(scratch, "net/ipv6/neigh/default/gc_thresh3", "100000\n");
	pools_raise(scratch);
	cr_expect(scratch_holds(scratch, "net/ipv4/neigh/default/gc_thresh2", "32768"));
	cr_expect(scratch_holds(scratch, "net/ipv4/neigh/default/gc_thresh3", "65536"));
	cr_expect(scratch_holds(scratch, "net/ipv6/neigh/default/gc_thresh2", "32768"));
	cr_expect(scratch_holds(scratch, "net/ipv6/neigh/default/gc_thresh3", "100000\n"));
}

Test(pool, that_an_operator_made_larger_stays)
{
	sysctls_make("2000000\n", "18446744073709551615\n", "4194304\n");
	pools_raise(scratch);
	cr_expect(scratch_holds(scratch, "kernel/pty/max", "2000000\n"));
	cr_expect(scratch_holds(scratch, "fs/aio-max-nr", "18446744073709551615\n"));
	cr_expect(scratch_holds(scratch, "kernel/pid_max", "4194304\n"));
}

Test(pool, that_this_kernel_has_not_is_not_made)
{
	pools_raise(scratch);
	cr_expect_eq(scratch_count(scratch), 0);
}

/* Is the one that is called so as it ought to be? */
static bool present(const char *name)
{
	struct node_fact facts[24];
	unsigned count = settings_look(scratch, facts, 24);

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].present;
	}
	cr_assert_fail("nothing is called '%s'", name);
	return false;
}

static void quiet_make(const char *trace, const char *pattern)
{
	mkdirat(scratch, "debug", 0755);
	mkdirat(scratch, "kernel", 0755);
	scratch_put(scratch, "debug/exception-trace", trace);
	scratch_put(scratch, "kernel/core_pattern", pattern);
}

Test(pool, a_log_that_any_tenant_can_write_is_told_of)
{
	quiet_make("1\n", "core\n");
	cr_expect_not(present("log free of crashes"));
	quiet_make("0\n", "core\n");
	cr_expect(present("log free of crashes"));
	/* not on this kernel: nobody logs by it */
	cr_expect(present("log free of VPSs' rules"));
}

Test(pool, core_dumps_that_the_node_handles_are_told_of)
{
	quiet_make("0\n", "|/usr/lib/systemd/systemd-coredump %P\n");
	cr_expect_not(present("core dumps stay in a VPS"));
	quiet_make("0\n", "@/run/dumps.socket\n");
	cr_expect_not(present("core dumps stay in a VPS"));
	quiet_make("0\n", "/var/crash/core.%p\n");
	cr_expect(present("core dumps stay in a VPS"));
	quiet_make("0\n", "\n");
	cr_expect(present("core dumps stay in a VPS"));
}

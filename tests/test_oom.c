/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../cgroups/oom.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "own.h"
#include "test_scratch.h"

#define FIRST 1809317888u
#define LAST  (FIRST + 65535u)

static struct oom_reader reader_of(unsigned id)
{
	return (struct oom_reader){ .id = id, .first = FIRST, .last = LAST };
}

static void feed(struct oom_reader *reader, const char *const *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		oom_record(reader, records[i]);
}

#define FEED(reader, records) feed(&reader, records, ARRAY_SIZE(records))

/* Linux 6.18 with cgroup v1, as it was, but for the lines of the stack. */
static const char *const hybrid[] = {
	"4,123059,15270736278,-;tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, "
	"oom_score_adj=0\n",
	"4,123060,15270736289,-;CPU: 1 UID: 1809317888 PID: 9221 Comm: tail Not tainted "
	"6.18.44 #1 PREEMPT(none) \n",
	"4,123063,15270736312,-; dump_stack_lvl+0x57/0x80\n",
	"6,123114,15270736520,-;memory: usage 65536kB, limit 65536kB, failcnt 0\n",
	"6,123115,15270736525,-;memory+swap: usage 65536kB, limit 65536kB, failcnt 0\n",
	"6,123116,15270736526,-;kmem: usage 888kB, limit 9007199254740988kB, failcnt 0\n",
	"6,123117,15270736528,-;Memory cgroup stats for /nodectl-vps.service/27600:\n",
	"6,123118,15270736551,-;cache 16384\n",
	"6,123119,15270736553,-;rss 66183168\n",
	"6,123120,15270736554,-;rss_huge 0\n",
	"6,123121,15270736554,-;shmem 16384\n",
	"6,123138,15270736598,-;hierarchical_memory_limit 67108864\n",
	"6,123140,15270736601,-;total_cache 16384\n",
	"6,123160,15270736616,-;Tasks state (memory values in pages):\n",
	"6,123161,15270736617,-;[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file "
	"rss_shmem pgtables_bytes swapents oom_score_adj name\n",
	"6,123169,15270736708,-;[   9221] 1809317888  9221    16296    16068    15744      324 "
	"       0   163840        0             0 tail\n",
	"6,123170,15270736711,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,"
	"mems_allowed=0,oom_memcg=/nodectl-vps.service/27600,task_memcg=/nodectl-vps.service/"
	"27600,task=tail,pid=9221,uid=1809317888\n",
	"3,123171,15270736727,-;Memory cgroup out of memory: Killed process 9221 (tail) "
	"total-vm:65184kB, anon-rss:62976kB, file-rss:1296kB, shmem-rss:0kB, UID:1809317888 "
	"pgtables:160kB oom_score_adj:0\n",
	"6,123172,15270915268,-;loop12: detected capacity change from 0 to 4194304\n",
};

Test(oom, a_kill_is_read_with_what_the_memory_was)
{
	struct oom_reader reader = reader_of(27600);

	FEED(reader, hybrid);
	cr_assert_eq(reader.count, 1);
	cr_expect_eq(reader.last_kill.seq, 123171);
	cr_expect_eq(reader.last_kill.pid, 9221);
	cr_expect_str_eq(reader.last_kill.name, "tail");
	cr_expect_eq(reader.last_kill.rss, (62976 + 1296) * 1024);
	cr_expect_eq(reader.last_kill.where, OOM_VPS);
	cr_expect_eq(reader.last_kill.limit, 64 << 20);
	cr_expect_str_eq(reader.last_kill.stat, "file 16K, anon 63M, shmem 16K");
}

Test(oom, kills_of_others_and_known_ones_do_not_count)
{
	struct oom_reader other = reader_of(27600), known = reader_of(27600);

	other.first = LAST + 1;
	other.last = LAST + 65536;
	FEED(other, hybrid);
	cr_expect_eq(other.count, 0);
	known.after = 123171;
	FEED(known, hybrid);
	cr_expect_eq(known.count, 0);
}

/* Linux 6.1 with cgroup v2: one record for all of memory.stat, as /dev/kmsg escapes it. */
static const char *const pure[] = {
	"6,2001,100,-;memory: usage 98304kB, limit 98304kB, failcnt 83\n",
	"6,2002,101,-;swap: usage 0kB, limit 0kB, failcnt 0\n",
	"6,2003,102,-;Memory cgroup stats for /nodectl-vps.service/27600:\n",
	"6,2004,103,-;anon 97099776\\x0afile 8192\\x0akernel 3207168\\x0akernel_stack 65536"
	"\\x0apagetables 401408\\x0asec_pagetables 0\\x0apercpu 7168\\x0asock 4096\\x0avmalloc "
	"0\\x0ashmem 0\\x0afile_mapped 0\\x0aanon_thp 0\\x0aslab 2529016\\x0aworkingset_ref\n",
	"6,2005,104,-;Tasks state (memory values in pages):\n",
	"6,2006,105,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),"
	"cpuset=nodectl-vps.service,mems_allowed=0,oom_memcg=/nodectl-vps.service/27600,"
	"task_memcg=/nodectl-vps.service/27600/guest/"
	"user.slice,task=dd,pid=77,uid=1809317888\n",
	"3,2007,106,-;Memory cgroup out of memory: Killed process 77 (dd) total-vm:160000kB, "
	"anon-rss:94000kB, file-rss:4kB, shmem-rss:2kB, UID:1809317888 pgtables:300kB "
	"oom_score_adj:0\n",
};

Test(oom, linux_6_1_prints_memory_stat_in_one_record)
{
	struct oom_reader reader = reader_of(27600);

	FEED(reader, pure);
	cr_assert_eq(reader.count, 1);
	cr_expect_eq(reader.last_kill.rss, 94006 * 1024);
	cr_expect_eq(reader.last_kill.limit, 96 << 20);
	cr_expect_eq(reader.last_kill.where, OOM_VPS);
	cr_expect_str_eq(reader.last_kill.stat,
			 "anon 93M, file 8K, kernel 3.1M, pagetables 392K, sock 4K, slab 2.4M");
}

Test(oom, a_kill_of_which_the_kernel_says_no_more_has_no_figures_of_another)
{
	static const char *const quiet[] = {
		"3,2008,107,-;Memory cgroup out of memory: Killed process 78 (sh) "
		"total-vm:1600kB, anon-rss:10kB, file-rss:0kB, shmem-rss:0kB, UID:1809317888 "
		"pgtables:30kB oom_score_adj:0\n",
	};
	struct oom_reader reader = reader_of(27600);

	FEED(reader, pure);
	FEED(reader, quiet);
	cr_assert_eq(reader.count, 2);
	cr_expect_eq(reader.last_kill.pid, 78);
	cr_expect_eq(reader.last_kill.where, OOM_UNKNOWN);
	cr_expect_eq(reader.last_kill.limit, 0);
	cr_expect_str_empty(reader.last_kill.stat);
}

#define KILL(pid, name, uid)                                                                   \
	"3,9,9,-;Memory cgroup out of memory: Killed process " pid " (" name                   \
	") total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:1kB, UID:" uid                  \
	" pgtables:1kB oom_score_adj:0\n"

static struct oom_kill killed(const char *record)
{
	struct oom_reader reader = reader_of(27600);

	oom_record(&reader, record);
	cr_assert_eq(reader.count, 1, "%s", record);
	return reader.last_kill;
}

Test(oom, a_name_can_hold_anything)
{
	cr_expect_str_eq(killed(KILL("5", "a b)(c", "1809317888")).name, "a b)(c");
	cr_expect_str_eq(killed(KILL("5", ") total-vm:9kB", "1809317888")).name,
			 ") total-vm:9kB");
	cr_expect_str_eq(killed(KILL("5", "x, UID:0 ", "1809317889")).name, "x, UID:0 ");
	cr_expect_str_eq(killed(KILL("5", "", "1809317888")).name, "");
	/* a new line, as the kernel's log escapes it, and the quotes of our own line */
	cr_expect_str_eq(killed(KILL("5", "a\\x0ab'c", "1809317888")).name, "a\\x0ab\\x27c");
}

Test(oom, only_the_kernel_is_believed)
{
	struct oom_reader reader = reader_of(27600);

	/* facility "user": a program wrote it into /dev/kmsg */
	oom_record(&reader, "11,10,10,-;Memory cgroup out of memory: Killed process 5 (x) "
			    "total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:1kB, "
			    "UID:1809317888 pgtables:1kB oom_score_adj:0\n");
	/* not at the beginning of a line */
	oom_record(&reader, "3,11,11,-;x: Memory cgroup out of memory: Killed process 5 (x) "
			    "total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:1kB, "
			    "UID:1809317888 pgtables:1kB oom_score_adj:0\n");
	/* of root's */
	oom_record(&reader, KILL("5", "x", "0"));
	cr_expect_eq(reader.count, 0);
}

Test(oom, the_node_s_own_want_of_memory_is_told_apart)
{
	struct oom_kill kill = killed(
	    "3,9,9,-;Out of memory: Killed process 5 (x) total-vm:1kB, anon-rss:1kB, "
	    "file-rss:1kB, shmem-rss:1kB, UID:1809317888 pgtables:1kB oom_score_adj:0\n");

	cr_expect_eq(kill.where, OOM_NODE);
}

static enum oom_where where_of(const char *group)
{
	struct oom_reader reader = reader_of(27600);
	char record[300];

	snprintf(record, sizeof(record), "6,8,8,-;Memory cgroup stats for %s:\n", group);
	oom_record(&reader, record);
	oom_record(&reader, KILL("5", "x", "1809317888"));
	return reader.last_kill.where;
}

Test(oom, limits_inside_are_told_from_the_vps_s_own)
{
	cr_expect_eq(where_of("/nodectl-vps.service/27600"), OOM_VPS);
	cr_expect_eq(where_of("/nodectl-vps.service/27600/guest/a"), OOM_INSIDE);
	cr_expect_eq(where_of("/nodectl-vps.service/27600/guest/a:"), OOM_INSIDE);
	cr_expect_eq(where_of("/nodectl-vps.service/2760"), OOM_UNKNOWN);
	cr_expect_eq(where_of("/nodectl-vps.service/276001"), OOM_UNKNOWN);
	cr_expect_eq(where_of("/nodectl-vps.service"), OOM_UNKNOWN);
	cr_expect_eq(where_of("/"), OOM_UNKNOWN);
}

Test(oom, lines_that_are_no_figures_are_none)
{
	static const char *const records[] = {
		"6,1,1,-;Memory cgroup stats for /nodectl-vps.service/27600:\n",
		"6,2,2,-;anon 4096 invoked oom-killer: gfp_mask=0xcc0\n",
		"6,3,3,-;anon\n",
		"6,3,3,-;anon \n",
		"6,4,4,-;anon -5\n",
		"6,5,5,-;file 8192\n SUBSYSTEM=x\n",
		"6,6,6,-;Tasks state (memory values in pages):\n",
		"6,7,7,-;shmem 4096\n",
		KILL("5", "x", "1809317888"),
	};
	struct oom_reader reader = reader_of(27600);

	FEED(reader, records);
	cr_assert_eq(reader.count, 1);
	cr_expect_str_eq(reader.last_kill.stat, "file 8K");
}

Test(oom, random_records_do_no_harm)
{
	static const char letters[] = "0123456789,;-() :kBUIDrsanom\\x\n";
	struct oom_reader reader = reader_of(27600);
	uint64_t seed = 7;
	char text[600], record[700];

	for (int i = 0; i < 20000; i++) {
		random_text(&seed, letters, text, sizeof(text));
		snprintf(record, sizeof(record), "%s%s",
			 i % 3 == 0   ? "3,1,1,-;Memory cgroup out of memory: Killed process "
			 : i % 3 == 1 ? "6,1,1,-;Memory cgroup stats for "
				      : "6,1,1,-;",
			 text);
		oom_record(&reader, record);
		cr_assert(strlen(reader.last_kill.name) < sizeof(reader.last_kill.name));
		cr_assert(strlen(reader.stat) < sizeof(reader.stat));
	}
}

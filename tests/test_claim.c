/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/claim.h"

#include <criterion/criterion.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

static struct err err;

/* 8.3G less 512M, two CPUs, no limit of traffic. */
static struct capacity example(void)
{
	return (struct capacity){
		.has = { [RESOURCE_CPUS] = 2000000,
			 [RESOURCE_MEMORY] = 8499 * M,
			 [RESOURCE_DISK] = 100 * G,
			 [RESOURCE_TASKS] = 30000,
			 [RESOURCE_ADDRESSES] = 10,
			 [RESOURCE_IDS] = 10 },
		.reserve = { [RESOURCE_MEMORY] = 512 * M, [RESOURCE_DISK] = 2 * G },
		.ratio = { [RESOURCE_CPUS] = 1600,
			   [RESOURCE_MEMORY] = 400,
			   [RESOURCE_DISK] = 400,
			   [RESOURCE_TASKS] = 1600,
			   [RESOURCE_ADDRESSES] = 100,
			   [RESOURCE_IDS] = 100 },
		.disk_left = 50 * G,
	};
}

static struct claim memory(uint64_t guaranteed, uint64_t max)
{
	return (struct claim){ .guaranteed = { [RESOURCE_MEMORY] = guaranteed },
			       .max = { [RESOURCE_MEMORY] = max } };
}

static int admit(struct claim others, struct claim old, struct claim want)
{
	const struct capacity capacity = example();

	memset(&err, 0, sizeof(err));
	return claim_admit(&capacity, &others, &old, &want, NULL, &err);
}

static void refused(struct claim others, struct claim old, struct claim want,
		    const char *message)
{
	cr_expect_eq(admit(others, old, want), -1, "%s", message);
	cr_expect_eq(err.kind, ERR_LEDGER);
	cr_expect_str_eq(err.msg, message);
}

static const struct claim none;

Test(claim, guarantees_may_come_to_all_but_the_reserve_and_no_more)
{
	cr_expect_eq(admit(memory(7 * G, 0), none, memory(7987 * M - 7 * G, 0)), 0);
	refused(memory(7373 * M, 0), none, memory(G, 0),
		"memory: 1G guaranteed does not fit: 7.2G promised + 1G > 7.8G (8.3G less 512M "
		"reserve)");
}

Test(claim, one_vps_has_no_more_than_the_node_less_its_reserve)
{
	cr_expect_eq(admit(none, none, memory(0, 7987 * M)), 0);
	refused(none, none, memory(0, 8 * G),
		"memory: 8G does not fit: 8G > 7.8G (8.3G less 512M reserve)");
}

Test(claim, upper_limits_may_come_to_the_ratio)
{
	cr_expect_eq(admit(memory(0, 32 * G), none, memory(0, G)), 0);
	refused(memory(0, 33 * G), none, memory(0, G),
		"memory: 1G does not fit: 33G in all + 1G > 33.2G (ratio-memory 4 of 8.3G)");
}

Test(claim, a_vps_without_limit_counts_as_the_whole_node)
{
	const struct claim all = { .whole = { [RESOURCE_MEMORY] = 1 } };
	const struct claim three = { .whole = { [RESOURCE_MEMORY] = 3 } };
	const struct claim four = { .whole = { [RESOURCE_MEMORY] = 4 } };

	cr_expect_eq(admit(three, none, all), 0);
	refused(
	    four, none, all,
	    "memory: 8.3G (no limit) does not fit: 33.2G in all + 8.3G > 33.2G (ratio-memory "
	    "4 of 8.3G)");
}

Test(claim, what_does_not_grow_is_not_asked_for)
{
	const struct claim much = memory(9 * G, 40 * G);

	cr_expect_eq(admit(much, memory(2 * G, 9 * G), memory(G, 9 * G)), 0);
	cr_expect_eq(admit(much, memory(2 * G, 4 * G), memory(G, 5 * G)), -1);
}

Test(claim, cpus_are_told_in_cores)
{
	const struct claim most = { .guaranteed = { [RESOURCE_CPUS] = 1800000 } };
	const struct claim half = { .guaranteed = { [RESOURCE_CPUS] = 500000 } };

	refused(most, none, half,
		"cpus: 0.5 guaranteed does not fit: 1.8 promised + 0.5 > 2 (2 less 0 reserve)");
}

Test(claim, what_the_node_has_without_limit_always_fits)
{
	const struct claim much = { .max = { [RESOURCE_TRAFFIC] = UINT64_MAX / 2 } };

	cr_expect_eq(admit(much, none, much), 0);
}

Test(claim, leases_are_not_the_ledgers_to_refuse)
{
	const struct claim all = { .max = { [RESOURCE_ADDRESSES] = 10, [RESOURCE_IDS] = 10 } };
	const struct claim one = { .max = { [RESOURCE_ADDRESSES] = 1, [RESOURCE_IDS] = 1 } };

	cr_expect_eq(admit(all, none, one), 0);
}

Test(claim, what_is_forced_is_told_in_full)
{
	const struct capacity capacity = example();
	const struct claim want = memory(9 * G, 9 * G), others = memory(0, 33 * G);
	struct refusals forced;

	cr_expect_eq(claim_admit(&capacity, &others, &none, &want, &forced, &err), 0);
	cr_expect_eq(forced.count, 3);
	cr_expect(strstr(forced.text[0], "9G guaranteed does not fit"));
	cr_expect(strstr(forced.text[2], "ratio-memory"));
}

Test(claim, a_sum_that_cannot_be_counted_is_refused_and_stays)
{
	struct claim sum = memory(1, UINT64_MAX - 5);
	const struct claim more = memory(1, 6);

	cr_expect_eq(claim_add(&sum, &more, &err), -1);
	cr_expect_eq(err.kind, ERR_VALUE);
	cr_expect_eq(sum.guaranteed[RESOURCE_MEMORY], 1);
}

Test(claim, what_is_added_and_subtracted_again_leaves_nothing)
{
	struct claim sum = { 0 };
	const struct claim a = { .guaranteed = { 1, 2 },
				 .max = { 3, 4, 5 },
				 .whole = { 0, 1 } };

	cr_expect_eq(claim_add(&sum, &a, &err), 0);
	cr_expect_not(claim_is_equal(&sum, &none));
	claim_subtract(&sum, &a);
	cr_expect(claim_is_equal(&sum, &none));
}

Test(claim, no_limit_is_larger_than_any)
{
	const struct claim some = memory(2, 9), all = { .guaranteed = { [RESOURCE_MEMORY] = 1 },
							.whole = { [RESOURCE_MEMORY] = 1 } };
	const struct claim larger = claim_larger(&some, &all);

	cr_expect_eq(larger.guaranteed[RESOURCE_MEMORY], 2);
	cr_expect_eq(larger.whole[RESOURCE_MEMORY], 1);
	cr_expect_eq(larger.max[RESOURCE_MEMORY], 0);
}

Test(claim, of_a_definition_is_what_it_says)
{
	struct vps vps;
	struct claim claim;

	vps_init(&vps);
	vps.limits.memory_guaranteed = G;
	vps.limits.tasks = 7;
	vps.limits.cpus = 150;
	vps.limits.weight = cgroup_weight_of_cpu();
	vps.volume.size = 3 * G;
	vps.link.ipv4.family = 2;
	claim_of(&vps, &claim);
	cr_expect_eq(claim.guaranteed[RESOURCE_MEMORY], G);
	cr_expect_eq(claim.guaranteed[RESOURCE_CPUS], 1000000, "a weight is a share too");
	cr_expect_eq(claim.max[RESOURCE_CPUS], 1500000);
	cr_expect_eq(claim.whole[RESOURCE_CPUS], 0);
	cr_expect_eq(claim.whole[RESOURCE_MEMORY], 1);
	cr_expect_eq(claim.max[RESOURCE_TASKS], 7);
	cr_expect_eq(claim.max[RESOURCE_DISK], 3 * G);
	cr_expect_eq(claim.whole[RESOURCE_DISK], 0);
	cr_expect_eq(claim.whole[RESOURCE_TRAFFIC], 1);
	cr_expect_eq(claim.max[RESOURCE_ADDRESSES], 1);
	cr_expect_eq(claim.max[RESOURCE_IDS], 1);
}

static uint64_t room(struct claim promised, struct claim one, enum resource *bottleneck)
{
	const struct capacity capacity = example();

	one.max[RESOURCE_IDS] = 1;
	return capacity_room(&capacity, &promised, &one, bottleneck);
}

Test(claim, room_is_what_the_scarcest_resource_has)
{
	enum resource bottleneck = RESOURCE_COUNT;

	cr_expect_eq(room(memory(5 * G, 0), memory(G, 0), &bottleneck), 2);
	cr_expect_eq(bottleneck, RESOURCE_MEMORY);
	cr_expect_eq(room(none, memory(M, 0), &bottleneck), 10);
	cr_expect_eq(bottleneck, RESOURCE_IDS);
	cr_expect_eq(room(none, memory(0, 8 * G), &bottleneck), 0, "no VPS has more than that");
	cr_expect_eq(room(memory(9 * G, 0), memory(M, 0), &bottleneck), 0);
}

Test(claim, there_is_no_room_on_a_full_disk)
{
	struct capacity capacity = example();
	enum resource bottleneck = RESOURCE_COUNT;
	const struct claim one = memory(M, M);

	capacity.disk_left = 2 * G;
	cr_expect_eq(capacity_room(&capacity, &none, &one, &bottleneck), 0);
	cr_expect_eq(bottleneck, RESOURCE_DISK);
}

/* As many as it says are admitted, one after the other, and then none. */
Test(claim, room_is_what_is_admitted)
{
	const struct claim one = {
		.guaranteed = { [RESOURCE_CPUS] = 130000, [RESOURCE_MEMORY] = 300 * M },
		.max = { [RESOURCE_CPUS] = 1700000,
			 [RESOURCE_MEMORY] = 2 * G,
			 [RESOURCE_TASKS] = 900 }
	};
	const struct capacity capacity = example();
	enum resource bottleneck = RESOURCE_COUNT;
	uint64_t expected = capacity_room(&capacity, &none, &one, &bottleneck), count = 0;
	struct claim sum = none;

	while (admit(sum, none, one) == 0 && claim_add(&sum, &one, &err) == 0)
		count++;
	cr_expect_eq(count, expected, "%lu, not %lu", (unsigned long)count,
		     (unsigned long)expected);
	cr_expect_eq(bottleneck, RESOURCE_CPUS);
}

static void printed(enum resource r, uint64_t amount, const char *expected)
{
	char text[24];

	resource_print(r, amount, text, sizeof(text));
	cr_expect_str_eq(text, expected);
}

Test(claim, amounts_are_told_so_that_a_sum_can_be_followed)
{
	printed(RESOURCE_MEMORY, 7987 * M, "7.8G");
	printed(RESOURCE_MEMORY, 512 * M, "512M");
	printed(RESOURCE_MEMORY, UINT64_MAX, "16E");
	printed(RESOURCE_CPUS, 50000, "0.05");
	printed(RESOURCE_CPUS, 1000, "0.001");
	printed(RESOURCE_CPUS, 10000000, "10");
	printed(RESOURCE_TASKS, 1024, "1024");
}

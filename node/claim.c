/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "claim.h"

#include <inttypes.h>
#include <string.h>

#include "cgroups.h"
#include "err.h"
#include "own.h"
#include "str.h"

/* A CPU is counted in millionths, so that the share of any weight is a whole number. */
#define CPU	  1000000u
#define HUNDREDTH (CPU / 100)

enum unit { UNIT_CORES, UNIT_BYTES, UNIT_PIECES };

static const struct {
	const char *name;
	enum unit unit;
	bool alone;  /* one VPS may have no more than the node less its reserve */
	bool leased; /* who gives it out knows what is left */
} resources[] = {
	[RESOURCE_CPUS] = { "cpus", UNIT_CORES, .alone = true },
	[RESOURCE_MEMORY] = { "memory", UNIT_BYTES, .alone = true },
	[RESOURCE_DISK] = { .name = "disk", .unit = UNIT_BYTES },
	[RESOURCE_TASKS] = { "tasks", UNIT_PIECES, .alone = true },
	[RESOURCE_TRAFFIC] = { .name = "traffic", .unit = UNIT_BYTES },
	[RESOURCE_ADDRESSES] = { "addresses", UNIT_PIECES, .leased = true },
	[RESOURCE_IDS] = { "ids", UNIT_PIECES, .leased = true },
};
_Static_assert(ARRAY_SIZE(resources) == RESOURCE_COUNT, "a row for each");

const char *resource_name(enum resource resource)
{
	return resources[resource].name;
}

double resource_number(enum resource resource, uint64_t amount)
{
	return resources[resource].unit == UNIT_CORES ? (double)amount / CPU : (double)amount;
}

static void bytes_text(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	int unit = 0;

	while (value >= 1023.95 && unit < 6) {
		value /= 1024;
		unit++;
	}
	str_format(text, size, value == (double)(uint64_t)value ? "%.0f%c" : "%.1f%c", value,
		   units[unit]);
}

static void cores_text(uint64_t amount, char *text, size_t size)
{
	size_t len;

	str_format(text, size, "%.3f", (double)amount / CPU);
	for (len = strlen(text); text[len - 1] == '0'; len--)
		text[len - 1] = 0;
	if (text[len - 1] == '.')
		text[len - 1] = 0;
}

void resource_print(enum resource resource, uint64_t amount, char *text, size_t size)
{
	switch (resources[resource].unit) {
	case UNIT_CORES:
		cores_text(amount, text, size);
		break;
	case UNIT_BYTES:
		bytes_text(amount, text, size);
		break;
	case UNIT_PIECES:
		str_format(text, size, "%" PRIu64, amount);
		break;
	}
}

static void upper(struct claim *claim, enum resource resource, uint64_t limit)
{
	claim->max[resource] = limit;
	claim->whole[resource] = limit == 0;
}

void claim_of(const struct vps *vps, struct claim *claim)
{
	uint64_t one = cgroup_weight_of_cpu();

	*claim = (struct claim){ 0 };
	/* up, so that the sum is never less than the truth */
	claim->guaranteed[RESOURCE_CPUS] =
	    (cgroup_weight(&vps->limits) * (uint64_t)CPU + one - 1) / one;
	claim->guaranteed[RESOURCE_MEMORY] = vps->limits.memory_guaranteed;
	upper(claim, RESOURCE_CPUS, (uint64_t)vps->limits.cpus * HUNDREDTH);
	upper(claim, RESOURCE_MEMORY, vps->limits.memory);
	upper(claim, RESOURCE_TASKS, vps->limits.tasks);
	upper(claim, RESOURCE_TRAFFIC, vps->traffic);
	claim->max[RESOURCE_DISK] = vps->volume.size;
	claim->max[RESOURCE_ADDRESSES] = vps->link.ipv4.family != 0;
	claim->max[RESOURCE_IDS] = 1;
}

int claim_add(struct claim *sum, const struct claim *claim, struct err *err)
{
	struct claim result;

	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		result.whole[r] = sum->whole[r] + claim->whole[r];
		if (__builtin_add_overflow(sum->max[r], claim->max[r], &result.max[r]) ||
		    __builtin_add_overflow(sum->guaranteed[r], claim->guaranteed[r],
					   &result.guaranteed[r]))
			return fail_as(err, ERR_VALUE, "%s: more than can be counted",
				       resources[r].name);
	}
	*sum = result;
	return 0;
}

void claim_subtract(struct claim *sum, const struct claim *claim)
{
	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		sum->max[r] -= claim->max[r];
		sum->guaranteed[r] -= claim->guaranteed[r];
		sum->whole[r] -= claim->whole[r];
	}
}

bool claim_is_equal(const struct claim *a, const struct claim *b)
{
	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		if (a->max[r] != b->max[r] || a->guaranteed[r] != b->guaranteed[r] ||
		    a->whole[r] != b->whole[r])
			return false;
	}
	return true;
}

struct claim claim_larger(const struct claim *a, const struct claim *b)
{
	struct claim larger = *a;

	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		if (b->guaranteed[r] > a->guaranteed[r])
			larger.guaranteed[r] = b->guaranteed[r];
		/* none at all is more than any */
		if (b->whole[r] > a->whole[r] ||
		    (b->whole[r] == a->whole[r] && b->max[r] > a->max[r])) {
			larger.max[r] = b->max[r];
			larger.whole[r] = b->whole[r];
		}
	}
	return larger;
}

/* Past the end of the numbers it is the end. */
static uint64_t times(uint64_t amount, uint64_t factor)
{
	uint64_t product;

	return __builtin_mul_overflow(amount, factor, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t capacity_guaranteed(const struct capacity *capacity, enum resource r)
{
	return capacity->has[r] > capacity->reserve[r] ? capacity->has[r] - capacity->reserve[r]
						       : 0;
}

uint64_t capacity_max(const struct capacity *capacity, enum resource r)
{
	uint64_t has = capacity->has[r];

	if (!has || !capacity->ratio[r])
		return UINT64_MAX;
	/* in this order it is exact for all that a node has */
	return has > UINT64_MAX / 1000000 ? times(has / 100, capacity->ratio[r])
					  : has * capacity->ratio[r] / 100;
}

uint64_t claim_max(const struct claim *claim, const struct capacity *capacity, enum resource r)
{
	return plus(claim->max[r], times(claim->whole[r], capacity->has[r]));
}

/* One line of arithmetic. */
struct sum {
	enum resource r;
	char want[24], others[24], limit[24], has[24], reserve[24];
};

static void sum_print(struct sum *sum, const struct capacity *capacity, uint64_t want,
		      uint64_t others, uint64_t limit)
{
	resource_print(sum->r, want, sum->want, sizeof(sum->want));
	resource_print(sum->r, others, sum->others, sizeof(sum->others));
	resource_print(sum->r, limit, sum->limit, sizeof(sum->limit));
	resource_print(sum->r, capacity->has[sum->r], sum->has, sizeof(sum->has));
	resource_print(sum->r, capacity->reserve[sum->r], sum->reserve, sizeof(sum->reserve));
}

static bool is_guaranteed_too_much(const struct capacity *capacity, const struct claim *others,
				   const struct claim *want, enum resource r, char *text,
				   size_t size)
{
	uint64_t limit = capacity_guaranteed(capacity, r);
	struct sum sum = { .r = r };

	if (!capacity->has[r] || plus(others->guaranteed[r], want->guaranteed[r]) <= limit)
		return false;
	sum_print(&sum, capacity, want->guaranteed[r], others->guaranteed[r], limit);
	snprintf(text, size,
		 "%s: %s guaranteed does not fit: %s promised + %s > %s (%s less %s reserve)",
		 resources[r].name, sum.want, sum.others, sum.want, sum.limit, sum.has,
		 sum.reserve);
	return true;
}

static bool is_alone_too_much(const struct capacity *capacity, const struct claim *want,
			      enum resource r, char *text, size_t size)
{
	uint64_t limit = capacity_guaranteed(capacity, r);
	struct sum sum = { .r = r };

	if (!resources[r].alone || want->max[r] <= limit)
		return false;
	sum_print(&sum, capacity, want->max[r], 0, limit);
	snprintf(text, size, "%s: %s does not fit: %s > %s (%s less %s reserve)",
		 resources[r].name, sum.want, sum.want, sum.limit, sum.has, sum.reserve);
	return true;
}

static bool is_in_all_too_much(const struct capacity *capacity, const struct claim *others,
			       const struct claim *want, enum resource r, char *text,
			       size_t size)
{
	uint64_t limit = capacity_max(capacity, r);
	uint64_t mine = claim_max(want, capacity, r), theirs = claim_max(others, capacity, r);
	struct sum sum = { .r = r };
	char ratio[16];

	if (resources[r].leased || plus(theirs, mine) <= limit)
		return false;
	sum_print(&sum, capacity, mine, theirs, limit);
	cpus_print(capacity->ratio[r], ratio, sizeof(ratio));
	snprintf(text, size, "%s: %s%s does not fit: %s in all + %s > %s (ratio-%s %s of %s)",
		 resources[r].name, sum.want, want->whole[r] ? " (no limit)" : "", sum.others,
		 sum.want, sum.limit, resources[r].name, ratio, sum.has);
	return true;
}

static bool max_grows(const struct capacity *capacity, const struct claim *old,
		      const struct claim *want, enum resource r)
{
	return claim_max(want, capacity, r) > claim_max(old, capacity, r);
}

/* All that does not fit of one resource. */
static void refusals_add(struct refusals *refusals, const struct capacity *capacity,
			 const struct claim *others, const struct claim *old,
			 const struct claim *want, enum resource r)
{
	const size_t size = sizeof(refusals->text[0]);

	if (want->guaranteed[r] > old->guaranteed[r])
		refusals->count += is_guaranteed_too_much(
		    capacity, others, want, r, refusals->text[refusals->count], size);
	if (!max_grows(capacity, old, want, r))
		return;
	refusals->count +=
	    is_alone_too_much(capacity, want, r, refusals->text[refusals->count], size);
	refusals->count += is_in_all_too_much(capacity, others, want, r,
					      refusals->text[refusals->count], size);
}

int claim_admit(const struct capacity *capacity, const struct claim *others,
		const struct claim *old, const struct claim *want, struct refusals *forced,
		struct err *err)
{
	struct refusals all = { 0 };

	for (unsigned r = 0; r < RESOURCE_COUNT; r++)
		refusals_add(&all, capacity, others, old, want, r);
	if (forced)
		*forced = all;
	else if (all.count)
		return fail_as(err, ERR_LEDGER, "%s", all.text[0]);
	return 0;
}

/* How many times @one fits into what is left of @limit. */
static uint64_t fit(uint64_t limit, uint64_t used, uint64_t one)
{
	if (!one || limit == UINT64_MAX)
		return UINT64_MAX;
	return limit > used ? (limit - used) / one : 0;
}

uint64_t capacity_room(const struct capacity *capacity, const struct claim *promised,
		       const struct claim *one, enum resource *bottleneck)
{
	uint64_t room = UINT64_MAX;

	if (capacity->disk_left <= capacity->reserve[RESOURCE_DISK]) {
		*bottleneck = RESOURCE_DISK;
		return 0;
	}
	for (unsigned r = 0; r < RESOURCE_COUNT; r++) {
		uint64_t guaranteed = fit(capacity_guaranteed(capacity, r),
					  promised->guaranteed[r], one->guaranteed[r]);
		uint64_t max = fit(capacity_max(capacity, r), claim_max(promised, capacity, r),
				   claim_max(one, capacity, r));

		if (!capacity->has[r])
			continue;
		if (resources[r].alone && one->max[r] > capacity_guaranteed(capacity, r))
			max = 0;
		if (guaranteed < max)
			max = guaranteed;
		if (max < room) {
			room = max;
			*bottleneck = r;
		}
	}
	return room;
}

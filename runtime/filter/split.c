/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "split.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "own.h"
#include "rules.h"

/*
 * Why parts that do not overlap: libseccomp joins rules of one call by OR.  An allowing rule
 * with fewer conditions swallows a refusing one with more, two conditions on one
 * argument are not AND, and there is no "none of these".  Disjoint
 * rules leave it nothing to join, and their order means nothing.
 */
struct split {
	scmp_filter_ctx filter;
	int nr;
	const struct rule *rules[8];
	unsigned count;
};

/* What is known of the arguments in the part at hand. */
struct part {
	bool live[8]; /* rules that may still hold */
	struct scmp_arg_cmp known[6];
	unsigned count;
};

/* All values that agree with @value in the bits of @mask. */
struct range {
	uint32_t mask, value;
};

struct ranges {
	struct range list[256];
	unsigned count;
};

static const struct match *match_on(const struct rule *rule, unsigned arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(rule->when); i++) {
		if (rule->when[i].mask && rule->when[i].arg == arg)
			return &rule->when[i];
	}
	return NULL;
}

/* The next argument, from @arg on, that decides between the rules still live; -1: none. */
static int arg_next(const struct split *split, const struct part *part, unsigned arg)
{
	for (; arg < 6; arg++) {
		for (unsigned i = 0; i < split->count; i++) {
			if (part->live[i] && match_on(split->rules[i], arg))
				return (int)arg;
		}
	}
	return -1;
}

/* Divide @within along the bits of @mask until each value stands alone. */
static void ranges_divide(struct ranges *ranges, uint32_t mask, const struct ranges *values,
			  struct range within)
{
	uint32_t left = mask & ~within.mask;
	bool empty = true;

	for (unsigned i = 0; i < values->count; i++)
		empty = empty && (values->list[i].value & within.mask) != within.value;
	if (empty || !left) {
		assert(ranges->count < ARRAY_SIZE(ranges->list));
		ranges->list[ranges->count++] = within;
		return;
	}

	uint32_t bit = 1u << (31 - __builtin_clz(left));
	ranges_divide(ranges, mask, values, (struct range){ within.mask | bit, within.value });
	ranges_divide(ranges, mask, values,
		      (struct range){ within.mask | bit, within.value | bit });
}

/* Every value that a live rule names for @arg, and everything else, as ranges. */
static void ranges_of(struct ranges *ranges, const struct split *split, const struct part *part,
		      unsigned arg)
{
	struct ranges values = { .count = 0 };
	uint32_t mask = 0;

	for (unsigned i = 0; i < split->count; i++) {
		const struct match *match = match_on(split->rules[i], arg);

		if (!match || !part->live[i])
			continue;
		assert(!mask || mask == match->mask);
		mask = match->mask;
		for (unsigned j = 0; j < match->count; j++)
			values.list[values.count++].value = match->values[j];
	}
	ranges->count = 0;
	ranges_divide(ranges, mask, &values, (struct range){ 0, 0 });
}

static bool match_holds(const struct match *match, struct range range)
{
	for (unsigned i = 0; i < match->count; i++) {
		if (range.mask == match->mask && range.value == match->values[i])
			return match->inside;
	}
	return !match->inside;
}

static int part_add(const struct split *split, const struct part *part, unsigned from);

static int part_narrow(const struct split *split, const struct part *part, unsigned arg,
		       struct range range)
{
	struct part inner = *part;

	for (unsigned i = 0; i < split->count; i++) {
		const struct match *match = match_on(split->rules[i], arg);

		if (match && !match_holds(match, range))
			inner.live[i] = false;
	}
	inner.known[inner.count++] =
	    SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, (scmp_datum_t)range.mask, range.value);
	return part_add(split, &inner, arg + 1);
}

/* Nothing more to decide: the first live rule, or else "allowed", is the answer. */
static int part_finish(const struct split *split, const struct part *part)
{
	uint32_t action = SCMP_ACT_ALLOW, fallback;

	for (unsigned i = 0; i < split->count; i++) {
		if (!part->live[i])
			continue;
		if (split->rules[i]->error)
			action = SCMP_ACT_ERRNO((unsigned)split->rules[i]->error);
		break;
	}

	/* libseccomp refuses a rule that says what happens anyway */
	seccomp_attr_get(split->filter, SCMP_FLTATR_ACT_DEFAULT, &fallback);
	if (action == fallback)
		return 0;
	return seccomp_rule_add_exact_array(split->filter, action, split->nr, part->count,
					    part->known);
}

static int part_add(const struct split *split, const struct part *part, unsigned from)
{
	struct ranges ranges;
	int arg = arg_next(split, part, from);

	if (arg < 0)
		return part_finish(split, part);

	ranges_of(&ranges, split, part, (unsigned)arg);
	for (unsigned i = 0; i < ranges.count; i++) {
		int result = part_narrow(split, part, (unsigned)arg, ranges.list[i]);

		if (result < 0)
			return result;
	}
	return 0;
}

int split_call(scmp_filter_ctx filter, int nr, const char *name)
{
	struct split split = { .filter = filter, .nr = nr };
	struct part whole = { .count = 0 };

	for (size_t i = 0; i < rules_count; i++) {
		if (strcmp(rules[i].name, name) != 0)
			continue;
		assert(split.count < ARRAY_SIZE(split.rules));
		whole.live[split.count] = true;
		split.rules[split.count++] = &rules[i];
	}
	return part_add(&split, &whole, 0);
}

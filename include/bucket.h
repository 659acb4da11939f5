/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A bucket, for programs of the kernel: so much at once, and so much a second.  All that is
 * kept of it is until when it is spoken for (nanoseconds of CLOCK_MONOTONIC); many may spend at
 * the same time.  Include <linux/bpf.h> and <bpf/bpf_helpers.h> before.
 */
struct bucket {
	__u64 at_once, second;
};

#define BUCKET_SECOND 1000000000ull

/* Nanoseconds for which one of what is in it speaks for it. */
static __always_inline __u64 bucket_one(const struct bucket *bucket)
{
	return BUCKET_SECOND / bucket->second;
}

/* Speak for it @amount longer, whether there is so much or not; until when, from @now on. */
static __always_inline __u64 bucket_take(const struct bucket *bucket, __u64 *busy, __u64 now,
					 __u64 amount)
{
	__u64 was = *busy, cost = amount * bucket_one(bucket);

	if (was < now)
		(void)__sync_val_compare_and_swap(busy, was, now);
	return __sync_fetch_and_add(busy, cost) + cost;
}

/* 1, or 0 when there is not so much in it: then nothing is taken. */
static __always_inline int bucket_spend(const struct bucket *bucket, __u64 *busy, __u64 amount)
{
	__u64 now = bpf_ktime_get_ns();

	if (bucket_take(bucket, busy, now, amount) <=
	    now + bucket->at_once * bucket_one(bucket))
		return 1;
	__sync_fetch_and_add(busy, -(amount * bucket_one(bucket)));
	return 0;
}

/* What has been made already is paid for later: until then there is no more. */
static __always_inline void bucket_owe(const struct bucket *bucket, __u64 *busy, __u64 amount)
{
	(void)bucket_take(bucket, busy, bpf_ktime_get_ns(), amount);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "knobs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "own.h"
#include "str.h"

/* A CPU cap of n hundredths is n milliseconds of every 100. */
enum { PERIOD_USEC = 100000, USEC_PER_HUNDREDTH = PERIOD_USEC / 100 };

/* What everybody has, and bfq's most. */
enum { WEIGHT_USUAL = 100, BFQ_MOST = 1000 };

uint64_t page_round(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return bytes < page ? page : bytes / page * page;
}

/*
 * 1/64 below the limit.  Reclaim then starts in time, while a process that
 * leaks beyond it meets the OOM killer within about a second: the kernel slows
 * an allocator with the square of how far it is above memory.high, and at the
 * often used 5 % a VPS without swap would crawl for minutes instead.
 */
uint64_t high_of_memory(uint64_t memory)
{
	return page_round(memory - memory / 64);
}

unsigned weight_of(const struct limits *limits, unsigned of_cpu)
{
	/* up: no part of a guarantee is rounded away */
	uint64_t guaranteed = ((uint64_t)limits->cpus_guaranteed * of_cpu + 99) / 100;
	uint64_t weight = limits->weight	    ? limits->weight
			  : limits->cpus_guaranteed ? guaranteed
						    : of_cpu / 1000;

	return weight < 1 ? 1 : weight > WEIGHT_MOST ? WEIGHT_MOST : (unsigned)weight;
}

unsigned cgroup_weight_of_cpu(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 && cpus < WEIGHT_MOST ? WEIGHT_MOST / (unsigned)cpus : 1;
}

unsigned cgroup_weight(const struct limits *limits)
{
	return weight_of(limits, cgroup_weight_of_cpu());
}

unsigned shares_of_weight(unsigned weight)
{
	/* the kernel takes 2..262144; 10000 gives 102400 */
	unsigned shares = weight * 1024 / 100;

	return shares < 2 ? 2 : shares;
}

unsigned bfq_of_weight(unsigned weight)
{
	if (weight <= WEIGHT_USUAL)
		return weight;
	return WEIGHT_USUAL + (weight - WEIGHT_USUAL) * (BFQ_MOST - WEIGHT_USUAL) /
				  (WEIGHT_MOST - WEIGHT_USUAL);
}

static void number(uint64_t value, char *text)
{
	str_format(text, KNOB_TEXT, "%" PRIu64, value);
}

static void bytes_or(const char *unlimited, uint64_t bytes, char *text)
{
	if (bytes)
		number(page_round(bytes), text);
	else
		str_format(text, KNOB_TEXT, "%s", unlimited);
}

static void v2_swap(const struct basis *basis, char *text)
{
	bytes_or("0", basis->limits->swap, text);
}

static void guaranteed(const struct basis *basis, char *text)
{
	bytes_or("0", basis->limits->memory_guaranteed, text);
}

/*
 * The guest's group has its own too: where cgroup2 is mounted without memory_recursiveprot,
 * nothing of its parent's would reach it.  But what it has also holds against the limit of the
 * outer group itself: with as much as that, no page of a file could make room for another, and
 * reading one would end in the OOM killer.
 */
static void guest_guaranteed(const struct basis *basis, char *text)
{
	uint64_t most = basis->limits->memory / 4 * 3, want = basis->limits->memory_guaranteed;

	bytes_or("0", most && want > most ? most : want, text);
}

static void v2_high(const struct basis *basis, char *text)
{
	uint64_t memory = basis->limits->memory;

	bytes_or("max", memory ? high_of_memory(memory) : 0, text);
}

static void v2_memory(const struct basis *basis, char *text)
{
	bytes_or("max", basis->limits->memory, text);
}

static void zero(const struct basis *basis, char *text)
{
	(void)basis;
	number(0, text);
}

static void v2_cpu(const struct basis *basis, char *text)
{
	uint64_t quota = (uint64_t)basis->limits->cpus * USEC_PER_HUNDREDTH;

	if (quota)
		str_format(text, KNOB_TEXT, "%" PRIu64 " %d", quota, PERIOD_USEC);
	else
		str_format(text, KNOB_TEXT, "max %d", PERIOD_USEC);
}

static void v2_weight(const struct basis *basis, char *text)
{
	number(weight_of(basis->limits, basis->weight_of_cpu), text);
}

static void cpus(const struct basis *basis, char *text)
{
	str_format(text, KNOB_TEXT, "%s", basis->cpus);
}

static void mems(const struct basis *basis, char *text)
{
	str_format(text, KNOB_TEXT, "%s", basis->mems);
}

static void tasks(const struct basis *basis, char *text)
{
	if (basis->limits->tasks)
		number(basis->limits->tasks, text);
	else
		str_format(text, KNOB_TEXT, "max");
}

static void v1_memory(const struct basis *basis, char *text)
{
	bytes_or("-1", basis->limits->memory, text);
}

/* v1 counts memory and swap together: without a limit of memory there is none of swap. */
static void v1_memsw(const struct basis *basis, char *text)
{
	uint64_t memory = basis->limits->memory, swap = basis->limits->swap;

	bytes_or("-1", memory ? page_round(memory) + (swap ? page_round(swap) : 0) : 0, text);
}

static void v1_period(const struct basis *basis, char *text)
{
	(void)basis;
	number(PERIOD_USEC, text);
}

static void v1_quota(const struct basis *basis, char *text)
{
	uint64_t quota = (uint64_t)basis->limits->cpus * USEC_PER_HUNDREDTH;

	if (quota)
		number(quota, text);
	else
		str_format(text, KNOB_TEXT, "-1");
}

static void v1_shares(const struct basis *basis, char *text)
{
	number(shares_of_weight(weight_of(basis->limits, basis->weight_of_cpu)), text);
}

static unsigned io_weight_of(const struct basis *basis)
{
	return basis->limits->io_weight ? basis->limits->io_weight : WEIGHT_USUAL;
}

static void io_weight(const struct basis *basis, char *text)
{
	number(io_weight_of(basis), text);
}

static void bfq_weight(const struct basis *basis, char *text)
{
	number(bfq_of_weight(io_weight_of(basis)), text);
}

/* "254:0 ", after which the rest of the line follows. */
static size_t device_of(const struct basis *basis, char *text)
{
	dev_t device = basis->limits->device;

	str_format(text, KNOB_TEXT, "%u:%u ", major(device), minor(device));
	return strlen(text);
}

/* The rest of the line of a device in io.max without any; read back it is no line at all. */
static const char no_limit[] = "rbps=max wbps=max riops=max wiops=max";

static void v2_io(const struct basis *basis, char *text)
{
	const struct limits *limits = basis->limits;
	const struct {
		const char *key;
		uint64_t value;
	} parts[] = {
		{ "rbps", limits->io_read.bytes },
		{ "wbps", limits->io_write.bytes },
		{ "riops", limits->io_read.ops },
		{ "wiops", limits->io_write.ops },
	};
	size_t len = device_of(basis, text);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char value[24] = "max";

		if (parts[i].value)
			str_format(value, sizeof(value), "%" PRIu64, parts[i].value);
		str_format(text + len, KNOB_TEXT - len, "%s%s=%s", i ? " " : "", parts[i].key,
			   value);
		len += strlen(text + len);
	}
}

static void v1_throttle(const struct basis *basis, uint64_t limit, char *text)
{
	size_t len = device_of(basis, text);

	str_format(text + len, KNOB_TEXT - len, "%" PRIu64, limit);
}

static void v1_read_bytes(const struct basis *basis, char *text)
{
	v1_throttle(basis, basis->limits->io_read.bytes, text);
}

static void v1_write_bytes(const struct basis *basis, char *text)
{
	v1_throttle(basis, basis->limits->io_write.bytes, text);
}

static void v1_read_ops(const struct basis *basis, char *text)
{
	v1_throttle(basis, basis->limits->io_read.ops, text);
}

static void v1_write_ops(const struct basis *basis, char *text)
{
	v1_throttle(basis, basis->limits->io_write.ops, text);
}

/* The limits of which one knob carries several. */
enum {
	IO_SPEED = LIMIT_IO_READ | LIMIT_IO_WRITE,
	CPU_SHARE = LIMIT_WEIGHT | LIMIT_CPU_GUARANTEE,
};

/*
 * Which knob says what, per version.  Those of memory stand in the order in which it is
 * lowered: what is guaranteed goes before the limit that it must fit in, swap before memory,
 * since lowering memory reclaims at once, into the swap allowed by then.
 *
 * Huge pages come from a pool of the node's that no limit of memory counts: none, neither used
 * (max) nor reserved (rsvd.max), of any size that x86-64 and arm64 have.
 */
static const struct row {
	enum controller controller;
	unsigned version;
	enum knob_kind kind;
	unsigned needs; /* enum disk_ability bits */
	unsigned limits;
	const char *name;
	void (*value)(const struct basis *basis, char *text);
} rows[] = {
	{ CONTROLLER_MEMORY, 2, KNOB_PLAIN, 0, LIMIT_SWAP, "memory.swap.max", v2_swap },
	{ CONTROLLER_MEMORY, 2, KNOB_PLAIN, 0, LIMIT_MEMORY_GUARANTEE, "guest/memory.min",
	  guest_guaranteed },
	{ CONTROLLER_MEMORY, 2, KNOB_PLAIN, 0, LIMIT_MEMORY_GUARANTEE, "memory.min",
	  guaranteed },
	{ CONTROLLER_MEMORY, 2, KNOB_PLAIN, 0, LIMIT_MEMORY, "memory.high", v2_high },
	{ CONTROLLER_MEMORY, 2, KNOB_PLAIN, 0, LIMIT_MEMORY, "memory.max", v2_memory },
	/* an OOM kill takes one process of the guest, not the whole VPS */
	{ CONTROLLER_MEMORY, 2, KNOB_PLAIN, 0, 0, "memory.oom.group", zero },
	{ CONTROLLER_CPU, 2, KNOB_PLAIN, 0, LIMIT_CPU, "cpu.max", v2_cpu },
	{ CONTROLLER_CPU, 2, KNOB_PLAIN, 0, CPU_SHARE, "cpu.weight", v2_weight },
	{ CONTROLLER_CPUSET, 2, KNOB_CPUS, 0, 0, "cpuset.cpus", cpus },
	{ CONTROLLER_PIDS, 2, KNOB_PLAIN, 0, LIMIT_TASKS, "pids.max", tasks },
	{ CONTROLLER_IO, 2, KNOB_DEVICE, DISK_KNOWN, IO_SPEED, "io.max", v2_io },
	{ CONTROLLER_IO, 2, KNOB_DEFAULT, DISK_IOCOST, LIMIT_IO_WEIGHT, "io.weight",
	  io_weight },
	{ CONTROLLER_IO, 2, KNOB_DEFAULT, DISK_BFQ, LIMIT_IO_WEIGHT, "io.bfq.weight",
	  bfq_weight },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.64KB.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.64KB.rsvd.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.2MB.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.2MB.rsvd.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.32MB.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.32MB.rsvd.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.512MB.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.512MB.rsvd.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.1GB.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.1GB.rsvd.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.16GB.max", zero },
	{ CONTROLLER_HUGETLB, 2, KNOB_PLAIN, 0, 0, "hugetlb.16GB.rsvd.max", zero },
	{ CONTROLLER_MEMORY, 1, KNOB_BYTES, 0, LIMIT_MEMORY_GUARANTEE,
	  "memory.soft_limit_in_bytes", guaranteed },
	{ CONTROLLER_MEMORY, 1, KNOB_BYTES, 0, LIMIT_MEMORY, "memory.limit_in_bytes",
	  v1_memory },
	{ CONTROLLER_MEMORY, 1, KNOB_BYTES, 0, LIMIT_SWAP, "memory.memsw.limit_in_bytes",
	  v1_memsw },
	{ CONTROLLER_CPU, 1, KNOB_PLAIN, 0, LIMIT_CPU, "cpu.cfs_period_us", v1_period },
	{ CONTROLLER_CPU, 1, KNOB_PLAIN, 0, LIMIT_CPU, "cpu.cfs_quota_us", v1_quota },
	{ CONTROLLER_CPU, 1, KNOB_PLAIN, 0, CPU_SHARE, "cpu.shares", v1_shares },
	{ CONTROLLER_CPUSET, 1, KNOB_PLAIN, 0, 0, "cpuset.mems", mems },
	{ CONTROLLER_CPUSET, 1, KNOB_PLAIN, 0, 0, "cpuset.cpus", cpus },
	{ CONTROLLER_PIDS, 1, KNOB_PLAIN, 0, LIMIT_TASKS, "pids.max", tasks },
	{ CONTROLLER_IO, 1, KNOB_DEVICE, DISK_KNOWN, LIMIT_IO_READ,
	  "blkio.throttle.read_bps_device", v1_read_bytes },
	{ CONTROLLER_IO, 1, KNOB_DEVICE, DISK_KNOWN, LIMIT_IO_READ,
	  "blkio.throttle.read_iops_device", v1_read_ops },
	{ CONTROLLER_IO, 1, KNOB_DEVICE, DISK_KNOWN, LIMIT_IO_WRITE,
	  "blkio.throttle.write_bps_device", v1_write_bytes },
	{ CONTROLLER_IO, 1, KNOB_DEVICE, DISK_KNOWN, LIMIT_IO_WRITE,
	  "blkio.throttle.write_iops_device", v1_write_ops },
	{ CONTROLLER_IO, 1, KNOB_PLAIN, DISK_BFQ, LIMIT_IO_WEIGHT, "blkio.bfq.weight",
	  bfq_weight },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.64KB.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.64KB.rsvd.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.2MB.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.2MB.rsvd.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.32MB.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.32MB.rsvd.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.512MB.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.512MB.rsvd.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.1GB.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.1GB.rsvd.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.16GB.limit_in_bytes", zero },
	{ CONTROLLER_HUGETLB, 1, KNOB_PLAIN, 0, 0, "hugetlb.16GB.rsvd.limit_in_bytes", zero },
};

unsigned knobs_plan(const struct basis *basis, enum controller controller, unsigned version,
		    struct knob *knobs)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct knob *knob = &knobs[count];

		if (row->controller != controller || row->version != version ||
		    (row->needs & ~basis->disk))
			continue;
		knob->limits = row->limits;
		knob->controller = controller;
		knob->kind = row->kind;
		/* a part of them has to be said */
		if (knob->kind == KNOB_CPUS && strcmp(basis->cpus, basis->all_cpus) != 0)
			knob->kind = KNOB_PLAIN;
		knob->name = row->name;
		row->value(basis, knob->value);
		count++;
	}
	return count;
}

uint64_t knob_bytes(const char *text)
{
	/* "-1" is ULLONG_MAX here, as it should be */
	return strcmp(text, "max") == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
}

bool knob_is_guests(const struct knob *knob)
{
	return strncmp(knob->name, "guest/", strlen("guest/")) == 0;
}

const char *knob_in_force(enum controller controller, unsigned version)
{
	if (controller != CONTROLLER_MEMORY)
		return NULL;
	return version == 2 ? "memory.max" : "memory.memsw.limit_in_bytes";
}

/* The limit itself, of either version. */
static uint64_t memory_wanted(const struct knob *knobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(knobs[i].name, "memory.max") == 0 ||
		    strcmp(knobs[i].name, "memory.limit_in_bytes") == 0)
			return knob_bytes(knobs[i].value);
	}
	return 0;
}

void knobs_order(struct knob *knobs, unsigned count, uint64_t in_force)
{
	if (memory_wanted(knobs, count) <= in_force)
		return;
	for (unsigned i = 0; i < count / 2; i++) {
		struct knob first = knobs[i];

		knobs[i] = knobs[count - 1 - i];
		knobs[count - 1 - i] = first;
	}
}

/* The line of @knob's device; of none where it has no limit. */
static void device_text(const struct knob *knob, const char *got, char *text, size_t size)
{
	size_t len = strcspn(knob->value, " ") + 1;

	while (*got && strncmp(got, knob->value, len) != 0) {
		got += strcspn(got, "\n");
		got += strspn(got, "\n");
	}
	if (*got)
		str_format(text, size, "%.*s", (int)strcspn(got, "\n"), got);
	else
		str_format(text, size, "%.*s%s", (int)len, knob->value,
			   strchr(knob->value, '=') ? no_limit : "0");
}

void knob_text(const struct knob *knob, const char *got, char *text, size_t size)
{
	static const char usual[] = "default ";

	if (knob->kind == KNOB_DEVICE) {
		device_text(knob, got, text, size);
		return;
	}
	if (knob->kind == KNOB_DEFAULT && strncmp(got, usual, strlen(usual)) == 0)
		got += strlen(usual);
	str_format(text, size, "%.*s", (int)strcspn(got, "\n"), got);
}

bool knob_matches(const struct knob *knob, const char *got)
{
	/* v1 shows "no limit" as the highest number of pages it can count */
	if (knob->kind == KNOB_BYTES && strcmp(knob->value, "-1") == 0 &&
	    knob_bytes(got) >= UINT64_C(1) << 62)
		return true;
	if (knob->kind == KNOB_CPUS && !*got)
		return true;
	return strcmp(knob->value, got) == 0;
}

unsigned cgroup_asked(const struct limits *limits)
{
	const struct {
		enum limit limit;
		bool asked;
	} asked[] = {
		{ LIMIT_MEMORY, limits->memory },
		/* no swap is a limit as well */
		{ LIMIT_SWAP, true },
		{ LIMIT_CPU, limits->cpus },
		{ LIMIT_WEIGHT, limits->weight },
		{ LIMIT_TASKS, limits->tasks },
		{ LIMIT_MEMORY_GUARANTEE, limits->memory_guaranteed },
		{ LIMIT_CPU_GUARANTEE, limits->cpus_guaranteed },
		{ LIMIT_IO_READ, limits->io_read.bytes || limits->io_read.ops },
		{ LIMIT_IO_WRITE, limits->io_write.bytes || limits->io_write.ops },
		{ LIMIT_IO_WEIGHT, limits->io_weight },
	};
	unsigned bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		bits |= asked[i].asked ? asked[i].limit : 0u;
	return bits;
}

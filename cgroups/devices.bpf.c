/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define ANY 0xffffffffu

/*
 * The character devices that a VPS may read and write; nothing else is opened,
 * and no node of any kind is made.  (A whiteout, c 0:0, that overlayfs makes for
 * it is no device to the kernel and is not asked about here.)
 *
 * The loop is unrolled, so that the table ends up in the instructions and no
 * map has to be made for it.
 */
static const struct {
	unsigned major, minor;
} allowed[] = {
	{ 1, 3 },     /* null */
	{ 1, 5 },     /* zero */
	{ 1, 7 },     /* full */
	{ 1, 8 },     /* random */
	{ 1, 9 },     /* urandom */
	{ 5, 0 },     /* tty */
	{ 5, 1 },     /* console */
	{ 5, 2 },     /* ptmx */
	{ 136, ANY }, /* pts */
};

SEC("cgroup/dev")
int devices(struct bpf_cgroup_dev_ctx *ctx)
{
	unsigned type = ctx->access_type & 0xffff, access = ctx->access_type >> 16;
	unsigned major = ctx->major, minor = ctx->minor;

	if (type != BPF_DEVCG_DEV_CHAR || (access & BPF_DEVCG_ACC_MKNOD))
		return 0;

#pragma unroll
	for (unsigned i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (major == allowed[i].major &&
		    (allowed[i].minor == ANY || minor == allowed[i].minor))
			return 1;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

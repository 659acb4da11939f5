/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <dlfcn.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "err.h"
#include "own.h"

/*
 * libnftables is opened when it is used, which is when the table is loaded:
 * once after a boot.  Linked, it would cost every command 0.7 ms of dynamic
 * linking, half of what `nodectl list` takes.
 */
struct nft {
	void *library;
	struct nft_ctx *ctx;
	__typeof__(nft_ctx_new) *ctx_new;
	__typeof__(nft_ctx_free) *ctx_free;
	__typeof__(nft_ctx_buffer_error) *ctx_buffer_error;
	__typeof__(nft_ctx_get_error_buffer) *ctx_get_error_buffer;
	__typeof__(nft_run_cmd_from_buffer) *run_cmd_from_buffer;
};

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
	{ "nft_ctx_new", offsetof(struct nft, ctx_new) },
	{ "nft_ctx_free", offsetof(struct nft, ctx_free) },
	{ "nft_ctx_buffer_error", offsetof(struct nft, ctx_buffer_error) },
	{ "nft_ctx_get_error_buffer", offsetof(struct nft, ctx_get_error_buffer) },
	{ "nft_run_cmd_from_buffer", offsetof(struct nft, run_cmd_from_buffer) },
};

#define own_nft __attribute__((cleanup(nft_close))) struct nft

static void nft_close(struct nft *nft)
{
	if (nft->ctx)
		nft->ctx_free(nft->ctx);
	if (nft->library)
		dlclose(nft->library);
}

static int nft_open(struct nft *nft, struct err *err)
{
	nft->library = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!nft->library)
		return fail_as(err, ERR_KERNEL, "no libnftables.so.1: install libnftables1");

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(nft->library, symbols[i].name);

		if (!symbol)
			return fail_as(err, ERR_KERNEL, "libnftables.so.1 has no '%s'",
				       symbols[i].name);
		memcpy((char *)nft + symbols[i].offset, &symbol, sizeof(symbol));
	}

	nft->ctx = nft->ctx_new(NFT_CTX_DEFAULT);
	if (!nft->ctx || nft->ctx_buffer_error(nft->ctx) != 0)
		return fail_as(err, ERR_SYSTEM, "cannot use libnftables");
	return 0;
}

int nft_run(const char *commands, struct err *err)
{
	own_nft nft = { 0 };
	const char *why;

	if (nft_open(&nft, err) < 0)
		return -1;
	if (nft.run_cmd_from_buffer(nft.ctx, commands) == 0)
		return 0;

	/* "Error: <cause>\n<the command>\n<a line of carets>" */
	why = nft.ctx_get_error_buffer(nft.ctx);
	why += strncmp(why, "Error: ", 7) == 0 ? 7 : 0;
	return fail_as(err, ERR_KERNEL, "nft: %.*s", (int)strcspn(why, "\n"), why);
}

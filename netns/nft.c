/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "own.h"
#include "program.h"

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
		return fail_as(err, ERR_SYSTEM, "%s: is libnftables1 installed?", dlerror());

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(nft->library, symbols[i].name);

		if (!symbol)
			return fail_as(err, ERR_SYSTEM, "libnftables.so.1 has no '%s'",
				       symbols[i].name);
		memcpy((char *)nft + symbols[i].offset, &symbol, sizeof(symbol));
	}

	nft->ctx = nft->ctx_new(NFT_CTX_DEFAULT);
	if (!nft->ctx || nft->ctx_buffer_error(nft->ctx) != 0)
		return fail_as(err, ERR_SYSTEM, "cannot use libnftables");
	return 0;
}

/* Behind the last error of Linux, EHWPOISON. */
enum { ERRORS_END = 134 };

/* The error that the text ends with; 0: with none. */
static int error_of(const char *text, int len)
{
	for (int error = 1; error < ERRORS_END; error++) {
		const char *said = strerror(error);
		int size = (int)strlen(said);

		if (size <= len && strncmp(text + len - size, said, (size_t)size) == 0)
			return error;
	}
	return 0;
}

/* libnftables tells its user what is wrong, and a program nothing else. */
static enum err_kind kind_of(const char *why, int len)
{
	switch (error_of(why, len)) {
	case 0: /* it is the language that it does not know */
	case ENOENT:
	case EINVAL:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return ERR_KERNEL;
	default:
		return ERR_SYSTEM;
	}
}

static int run_here(const char *commands, struct err *err)
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
	int len = (int)strcspn(why, "\n");
	return fail_as(err, kind_of(why, len), "nft: %.*s", len, why);
}

/* What ends a process runs its exit handlers, of which ours are none of the child's business.
 */
static void leave_at_once(void)
{
	_exit(1);
}

static __attribute__((noreturn)) void child_main(pid_t parent, const char *commands, int answer,
						 int words)
{
	struct err told;

	if (!end_with(parent) || atexit(leave_at_once) != 0)
		_exit(1);
	(void)dup2(words, STDERR_FILENO);
	if (run_here(commands, &told) == 0)
		told = (struct err){ 0 };
	_exit(write_all(answer, &told, sizeof(told)) < 0);
}

/*
 * In a process of its own: where memory or its socket fails, libnftables ends the process that
 * it is in, with a word on standard error.
 */
int nft_run(const char *commands, struct err *err)
{
	own_fd words = memfd_create("nft", MFD_CLOEXEC);
	char text[200];
	struct err told;
	int ends[2];

	if (words < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return fail(err, errno, "cannot use libnftables");
	own_fd ours = ends[0], theirs = ends[1];
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		child_main(parent, commands, theirs, words);
	close(take_fd(&theirs));
	if (pid < 0)
		return fail(err, errno, "cannot use libnftables");
	bool answered = read_all(ours, &told, sizeof(told)) == 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (answered && !told.kind)
		return 0;
	if (answered) {
		*err = told;
		return -1;
	}
	ssize_t len = pread(words, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = 0;
	return fail_as(err, ERR_SYSTEM, "libnftables gave up: %.*s", (int)strcspn(text, "\n"),
		       *text ? text : "it was killed");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

#include "err.h"

/* What nodectl-import says on its standard output, to nodectl. */
enum message_kind {
	MESSAGE_UNPACK = 1, /* progress: @done bytes of the archive are read */
	MESSAGE_DIGEST,	    /* progress: @done bytes of the tree are digested */
	MESSAGE_DONE,	    /* the tree is whole: @digest, @size, @files */
	MESSAGE_FAILED,	    /* @err */
};

/*
 * Of one size, below PIPE_BUF, so that a message is whole or not there at all.  Its reader
 * believes nothing of it: the writer has parsed what may be hostile.
 */
struct message {
	int kind;
	uint64_t done;
	uint64_t size;
	uint64_t files;
	char digest[65];
	struct err err;
};

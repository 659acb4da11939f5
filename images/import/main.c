/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../message.h"
#include "err.h"
#include "images.h"
#include "io.h"
#include "jail.h"
#include "manifest.h"
#include "own.h"
#include "unpack.h"

/*
 * nodectl-import: unpack the archive on standard input into the new directory "root" of the
 * working directory, and say on standard output how it goes (struct message).  For nodectl
 * alone; a program of its own because the parser of archives is the most exposed code there
 * is, and because its libraries would make every command start slower.
 */
enum {
	TICK_MS = 200,
};

static void tell(const struct message *message)
{
	/* nobody listens any more: what is unpacked here is nobody's */
	if (write_all(STDOUT_FILENO, message, sizeof(*message)) < 0)
		_exit(ERR_SYSTEM);
}

struct teller {
	enum message_kind kind;
	unsigned long long last;
};

static void tell_progress(const char *what, uint64_t done, uint64_t total, void *arg)
{
	struct teller *teller = arg;
	unsigned long long now = now_ms();
	struct message message = { .kind = (int)teller->kind, .done = done };

	(void)what;
	(void)total;
	if (now - teller->last < TICK_MS)
		return;
	teller->last = now;
	tell(&message);
}

/* In the working directory, and left jailed in "root". */
static int root_enter(struct err *err)
{
	own_fd root = dir_make(AT_FDCWD, "root", 0755, err);

	if (root < 0)
		return -1;
	/*
	 * Ours for as long as we live, beside our parent's hold of the directory above: a
	 * sweep must not meet a writer.  That directory is not held from here, since a
	 * descriptor of it would be a way out of the jail.
	 */
	if (flock(root, LOCK_SH | LOCK_NB) < 0)
		return fail(err, errno, "cannot hold the staging directory");
	return jail_enter(root, err) < 0 ? -1 : take_fd(&root);
}

static int import(struct manifest *manifest, struct err *err)
{
	struct teller teller = { .kind = MESSAGE_UNPACK };
	const struct progress progress = { .report = tell_progress, .arg = &teller };
	own_fd root = root_enter(err);

	if (root < 0 || archive_unpack(STDIN_FILENO, root, &progress, err) < 0)
		return -1;
	if (system_check(root, err) < 0)
		return -1;
	teller.kind = MESSAGE_DIGEST;
	return manifest_read(root, manifest, &progress, err);
}

int main(void)
{
	struct message message = { .kind = MESSAGE_DONE };
	struct manifest manifest;

	/* and nothing that whoever started nodectl forgot to close */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close_range(3, ~0U, 0) < 0)
		return ERR_SYSTEM;
	(void)umask(0);
	if (import(&manifest, &message.err) < 0) {
		message.kind = MESSAGE_FAILED;
		tell(&message);
		return 1;
	}
	message.size = manifest.size;
	message.files = manifest.files;
	memcpy(message.digest, manifest.digest, sizeof(message.digest));
	tell(&message);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cgroups.h"
#include "creds.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "str.h"
#include "vps.h"

#define KILL_MS	   10000u
#define MONITOR_MS 3000u
#define DAY_S	   86400u
#define ASK_S	   30u

/* How an init is asked to power off; the first row that fits.  The last one fits all. */
static const struct init_kind kinds[] = {
	{ "systemd", "SIGRTMIN+3", { NULL } }, /* systemd(1), SIGNALS */
	{ "busybox", "SIGUSR2", { NULL } },    /* init/init.c of busybox */
	{ "runit", "SIGCONT", { NULL } },      /* runit(8): with /etc/runit/stopit */
	{ "openrc-init", NULL, { "openrc-shutdown", "--poweroff", "now", NULL } },
	{ "init",
	  NULL,
	  { "telinit", "0", NULL } }, /* sysvinit: SIGPWR is a power failure there */
	{ NULL, "SIGPWR", { NULL } }, /* what LXC has taught images to expect */
};

const struct init_kind *init_kind_of(pid_t init)
{
	static const char gone[] = " (deleted)";
	char path[32], exe[256];
	const char *name;
	ssize_t len;

	/* only the text of the link: nothing of the tenant's is opened */
	str_format(path, sizeof(path), "/proc/%d/exe", init);
	len = readlink(path, exe, sizeof(exe) - 1);
	exe[len > 0 ? len : 0] = 0;
	/* an upgrade has put another file in its place */
	if (len > (ssize_t)strlen(gone) && strcmp(exe + len - strlen(gone), gone) == 0)
		exe[len - (ssize_t)strlen(gone)] = 0;
	name = strrchr(exe, '/');
	name = name ? name + 1 : exe;

	for (size_t i = 0;; i++) {
		if (!kinds[i].program || strcmp(kinds[i].program, name) == 0)
			return &kinds[i];
	}
}

int signal_parse(const char *text, int *signal, struct err *err)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {
		{ "SIGHUP", SIGHUP },	{ "SIGINT", SIGINT },	{ "SIGQUIT", SIGQUIT },
		{ "SIGTERM", SIGTERM }, { "SIGUSR1", SIGUSR1 }, { "SIGUSR2", SIGUSR2 },
		{ "SIGPWR", SIGPWR },	{ "SIGCONT", SIGCONT }, { "SIGKILL", SIGKILL },
	};
	struct err ignored;
	unsigned long offset;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i].name) == 0) {
			*signal = names[i].number;
			return 0;
		}
	}
	if (strncmp(text, "SIGRTMIN+", 9) == 0 &&
	    number_parse(text + 9, 0, (unsigned long)(SIGRTMAX - SIGRTMIN), &offset,
			 &ignored) == 0) {
		*signal = SIGRTMIN + (int)offset;
		return 0;
	}
	return fail_as(err, ERR_VALUE, "'%s' is not a signal (like SIGTERM or SIGRTMIN+3)",
		       text);
}

/* The bits of a signal set in /proc/PID/status (proc(5)), "SigBlk:" or "SigCgt:". */
static uint64_t signal_set(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/*
 * A signal to the init of a pid namespace that has no handler for it is dropped
 * (pid_namespaces(7)), and one that was just executed has none yet: send it when init catches
 * it, or blocks it to read it from a descriptor.  One that waits in sigtimedwait(2), as that of
 * busybox does, shows neither, so it is sent now and then all the while.  -1 when the time is
 * up.
 */
static int signal_send(pid_t init, int pidfd, int signal, unsigned wait_ms)
{
	unsigned long long deadline = now_ms() + wait_ms;
	char path[32];
	struct err ignored;

	str_format(path, sizeof(path), "/proc/%d/status", init);
	for (unsigned tries = 0;; tries++) {
		/* as long as its groups are many */
		own_str status = file_slurp(AT_FDCWD, path, 2u << 20, &ignored);
		bool heard =
		    status &&
		    ((signal_set(status, "\nSigCgt:") | signal_set(status, "\nSigBlk:")) >>
			 (signal - 1) &
		     1);

		if ((heard || tries % 25 == 0) && pidfd_send_signal(pidfd, signal, NULL, 0) < 0)
			return errno == ESRCH ? 0 : -1;
		if (heard || process_wait(pidfd, 20))
			return 0;
		if (now_ms() >= deadline)
			return -1;
	}
}

/* The command is the tenant's and may hang: it gets a process and a time of its own, and its
 * end is not waited for. */
static int ask_inside(const struct vps *vps, const struct place *place, pid_t init, int pidfd,
		      const char *const *command)
{
	const struct inside inside = { .argv = command, .in = -1, .out = -1, .err = -1 };
	struct err ignored;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		alarm(ASK_S);
		/* who waits for the end of the stop, or for the VPS, does not wait for us */
		close(place->lock);
		if (stdio_null(&ignored) < 0)
			_exit(1);
		/* just after a start there may be nobody yet to hear it */
		while (runtime_exec(vps->id, init, &inside, &status, &ignored) == 0 &&
		       status != 0 && !process_wait(pidfd, 1000))
			;
		_exit(0);
	}
	return pid < 0 ? -1 : 0;
}

/* An init that cannot be asked is killed when the time is up, like one that does not listen. */
static int ask(const struct vps *vps, const struct place *place, pid_t init, int pidfd,
	       unsigned wait_ms)
{
	const struct init_kind *kind = init_kind_of(init);
	const char *name =
	    strcmp(vps->stop_signal, "auto") == 0 ? kind->signal : vps->stop_signal;
	struct err ignored;
	int signal;

	if (!name)
		return ask_inside(vps, place, init, pidfd, kind->command);
	if (signal_parse(name, &signal, &ignored) < 0)
		return -1;
	return signal_send(init, pidfd, signal, wait_ms);
}

int runtime_stop(const struct vps *vps, const struct place *place, unsigned timeout,
		 bool *forced, struct err *err)
{
	struct record record = { 0 };
	unsigned long long deadline = now_ms() + timeout * 1000ull;
	own_fd monitor = -1, init = -1;
	char intent[64];
	unsigned left;

	*forced = true;
	/* The monitor reads it when init ends, and leaves the cleaning to us while we live.
	 * Where it cannot be written, for /run is full, the monitor will find that we were
	 * faster. */
	uint64_t start = process_start(getpid());
	str_format(intent, sizeof(intent), "%s %d %" PRIu64 "\n", timeout ? "stop" : "kill",
		   getpid(), start);
	(void)intent_write(place->run, intent, err);
	int read = record_read(place->run, &record);
	if (read == 0) {
		init = process_open(record.init, record.init_start);
		monitor = process_open(record.monitor, record.monitor_start);
	}
	/* who is to be asked is not killed because he could not be looked at */
	if (timeout && (read == RECORD_UNKNOWN ||
			(init < 0 && process_is(record.init, record.init_start)))) {
		(void)intent_remove(place->run, err);
		return fail_as(err, ERR_SYSTEM, "cannot look at its init");
	}
	if (init >= 0 && timeout) {
		struct err ignored;

		if (cgroup_is_frozen(vps->id))
			(void)cgroup_freeze(vps->id, false, &ignored);
		/* one that was asked, or that ended by itself just now, was not killed */
		(void)ask(vps, place, record.init, init,
			  timeout < DAY_S ? timeout * 1000 : DAY_S * 1000);
		left = deadline > now_ms() ? (unsigned)(deadline - now_ms()) : 0;
		*forced = !process_wait(init, left);
		/* from here on there is no going back */
		str_format(intent, sizeof(intent), "kill %d %" PRIu64 "\n", getpid(), start);
		(void)intent_write(place->run, intent, err);
	}

	/* What init left behind is killed too; then the monitor has nothing to wait for. */
	if (cgroup_kill(vps->id, KILL_MS, err) < 0)
		return -1;
	/* moved to another group, by whoever manages the node's: its pid namespace ends with it
	 */
	if (init >= 0 && !process_wait(init, 0)) {
		/* or only just ending, and gone before the signal comes */
		(void)pidfd_send_signal(init, SIGKILL, NULL, 0);
		if (!process_wait(init, KILL_MS))
			return fail_as(err, ERR_NOT_STOPPED,
				       "init is still there after SIGKILL");
	}
	if (monitor >= 0 && !process_wait(monitor, MONITOR_MS))
		(void)pidfd_send_signal(monitor, SIGKILL, NULL, 0);
	return 0;
}

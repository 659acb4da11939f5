/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "creds.h"
#include "err.h"
#include "io.h"
#include "own.h"
#include "record.h"
#include "runtime.h"
#include "start.h"
#include "str.h"
#include "vps.h"

#define KEYGEN_MS 10000u

/* Who removes this line keeps his own file. */
#define MARK "# written by nodectl at each start; remove this line to keep your own\n"

/*
 * We are root of the VPS, inside its root, and every path is the tenant's: a
 * fifo in place of a file must not stop us.  So nothing is opened for writing;
 * a new file takes the name.  True when there is one.
 */
static bool file_put(int dir, const char *name, const char *text, mode_t mode)
{
	struct err err;
	char old[4096];
	own_fd fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t len = read(fd, old, sizeof(old) - 1);

		old[len > 0 ? len : 0] = 0;
		if (strcmp(old, text) == 0)
			return false;
	}
	if (file_replace_volatile(dir, name, text, strlen(text), mode, &err) == 0)
		return true;
	dprintf(STDERR_FILENO, "nodectl: %s\r\n", err.msg);
	return false;
}

static bool is_ours(int dir, const char *name)
{
	char head[sizeof(MARK)] = "";
	own_fd fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && read(fd, head, sizeof(MARK) - 1) == sizeof(MARK) - 1 &&
	       strcmp(head, MARK) == 0;
}

static bool hosts_put(const struct start *start, int etc)
{
	const struct vps *vps = start->vps;
	struct link link = vps->link;
	char v4[ADDRESS_TEXT] = "127.0.1.1", v6[ADDRESS_TEXT] = "";

	link_settle(&link);
	if (link.ipv4.family)
		address_print(&link.ipv4, false, v4, sizeof(v4));
	if (link.ipv6.family)
		address_print(&link.ipv6, false, v6, sizeof(v6));

	own_str text = xasprintf(MARK "127.0.0.1\tlocalhost\n"
				      "::1\t\tlocalhost ip6-localhost ip6-loopback\n"
				      "ff02::1\t\tip6-allnodes\n"
				      "ff02::2\t\tip6-allrouters\n"
				      "%s\t%s\n%s%s%s%s",
				 v4, vps->hostname, v6, *v6 ? "\t" : "",
				 *v6 ? vps->hostname : "", *v6 ? "\n" : "");
	return file_put(etc, "hosts", text, 0644);
}

static bool resolv_put(const struct start *start, int etc)
{
	const struct address *server = start->vps->nameserver;
	own_str text = xstrdup(MARK);

	if (!server[0].family)
		server = start->place->nameservers;
	for (size_t i = 0; i < VPS_NAMESERVERS && server[i].family; i++) {
		char name[ADDRESS_TEXT];
		char *longer;

		address_print(&server[i], false, name, sizeof(name));
		longer = xasprintf("%snameserver %s\n", text, name);
		free(text);
		text = longer;
	}
	return file_put(etc, "resolv.conf", text, 0644);
}

static bool authorized_put(const struct start *start)
{
	struct err err;
	own_fd home = open("/root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	own_fd ssh = home < 0 ? -1 : dir_make(home, ".ssh", 0700, &err);

	if (ssh >= 0)
		return file_put(ssh, "authorized_keys", start->vps->ssh_keys, 0600);
	dprintf(STDERR_FILENO, "nodectl: cannot write /root/.ssh\r\n");
	return false;
}

/*
 * What systemd starts inherits its own oom_score_adj, unless it is told otherwise: it is
 * lowered soon (see OOM_SCORE_VPS), and restarts services later.
 */
static void systemd_tell(void)
{
	struct err err;

	if (access("/lib/systemd/systemd", X_OK) < 0 &&
	    access("/usr/lib/systemd/systemd", X_OK) < 0)
		return;
	own_fd run = open("/run", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	own_fd systemd = run < 0 ? -1 : dir_make(run, "systemd", 0755, &err);
	own_fd conf = systemd < 0 ? -1 : dir_make(systemd, "system.conf.d", 0755, &err);
	if (conf < 0)
		return;
	own_str text = xasprintf("# written by nodectl: the OOM killer takes init last\n"
				 "[Manager]\nDefaultOOMScoreAdjust=%d\n",
				 OOM_SCORE_VPS);
	(void)file_put(conf, "50-nodectl.conf", text, 0644);
}

/*
 * A full disk or a broken /etc must not keep a VPS from starting: what cannot
 * be written is said on its console, which the operator sees as well.
 */
int names_write(struct start *start, struct err *err)
{
	const char *hostname = start->vps->hostname;

	if (sethostname(hostname, strlen(hostname)) < 0)
		return fail(err, errno, "cannot set the host name");
	if (start->work)
		return 0;

	own_fd console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (console >= 0)
		(void)dup2(console, STDERR_FILENO);
	systemd_tell();
	own_fd etc = open("/etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (etc < 0) {
		dprintf(STDERR_FILENO, "nodectl: cannot write into /etc\r\n");
		return 0;
	}

	own_str line = xasprintf("%s\n", hostname);
	start->unsynced |= file_put(etc, "hostname", line, 0644);
	if (start->fresh || is_ours(etc, "hosts"))
		start->unsynced |= hosts_put(start, etc);
	if (start->fresh || is_ours(etc, "resolv.conf"))
		start->unsynced |= resolv_put(start, etc);
	if (start->fresh && start->vps->ssh_keys)
		start->unsynced |= authorized_put(start);
	return 0;
}

/* Runs a program of the image: everything that guest init gets is in force for it too. */
static void __attribute__((noreturn)) keygen_exec(const char *type)
{
	own_str path = xasprintf("/etc/ssh/ssh_host_%s_key", type);
	const char *const argv[] = { "/usr/bin/ssh-keygen",
				     "-q",
				     "-t",
				     type,
				     "-N",
				     "",
				     "-C",
				     "root@vps",
				     "-f",
				     path,
				     NULL };
	char **env = environment_make(NULL, NULL, NULL);
	struct err err;

	if (session_reset(&err) == 0 && close_range(3, ~0u, 0) == 0 && filter_load(&err) == 0)
		execve(argv[0], (char *const *)argv, env);
	_exit(127);
}

static int keygen(const char *type, struct err *err)
{
	own_str path = xasprintf("/etc/ssh/ssh_host_%s_key", type);
	pid_t pid;

	if (access(path, F_OK) == 0 || access("/usr/bin/ssh-keygen", X_OK) < 0)
		return 0;
	pid = fork();
	if (pid == 0)
		keygen_exec(type);
	if (pid < 0)
		return fail(err, errno, "cannot start ssh-keygen");

	/* the image's program may hang; the start must not */
	own_fd pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		fail(err, errno, "cannot wait for ssh-keygen");
		process_bury(pid);
		return -1;
	}
	if (!process_wait(pidfd, KEYGEN_MS)) {
		dprintf(STDERR_FILENO, "nodectl: ssh-keygen takes too long\r\n");
		kill(pid, SIGKILL);
	}
	(void)waitpid(pid, NULL, 0);
	return 0;
}

/* An image holds no host keys; OpenSSH's are made at the first start, dropbear makes its own.
 */
int names_keys(struct start *start, struct err *err)
{
	if (!start->fresh || start->work)
		return 0;
	return keygen("ed25519", err) < 0 || keygen("ecdsa", err) < 0 ? -1 : 0;
}

/*
 * What the first start wrote no other writes again, and a file of ours that the power cut short
 * would pass for the tenant's own.  So all of it is on the disk before the host forgets that
 * this was the first.
 */
int names_sync(struct start *start, struct err *err)
{
	if (start->work || !(start->fresh || start->unsynced))
		return 0;
	own_fd root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || syncfs(root) < 0)
		return fail(err, errno, "cannot write to the disk what the start has changed");
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sources.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "io.h"
#include "output.h"
#include "own.h"
#include "str.h"

#define KEYRING	 "/usr/share/keyrings/debian-archive-keyring.gpg"
#define SECURITY "-security"

static bool host_is_debian(void)
{
	char text[4096];
	struct err ignored;

	return file_read(AT_FDCWD, "/etc/os-release", text, sizeof(text), &ignored) > 0 &&
	       strstr(text, "\nID=debian\n");
}

/* Of lines "<uri> <release>", the address of the first whose release is @release. */
static const char *uri_of(char *const lines[][2], size_t count, const char *release)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(lines[i][1], release) == 0)
			return lines[i][0];
	}
	return NULL;
}

/*
 * What apt on this host knows.  The release that has a "-security" beside it is Debian's, and
 * not that of some third party.
 */
static void host_mirrors(char **mirror, char **security)
{
	static const char *const argv[] = { "apt-get",
					    "indextargets",
					    "--format",
					    "$(REPO_URI) $(RELEASE)",
					    "Created-By: Packages",
					    NULL };
	struct err ignored;
	own_str text = host_is_debian() ? output_read(argv, &ignored) : NULL;
	char *lines[64][2], *rest = NULL;
	size_t count = 0;

	for (char *line = strtok_r(text ? text : (char[]){ "" }, "\n", &rest);
	     line && count < ARRAY_SIZE(lines); line = strtok_r(NULL, "\n", &rest)) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = 0;
		lines[count][0] = line;
		lines[count++][1] = space + 1;
	}
	for (size_t i = 0; i < count && !*mirror; i++) {
		char release[128];
		const char *beside;

		if (snprintf(release, sizeof(release), "%s" SECURITY, lines[i][1]) >=
		    (int)sizeof(release))
			continue;
		beside = uri_of(lines, count, release);
		if (!beside)
			continue;
		*mirror = xstrdup(lines[i][0]);
		*security = xstrdup(beside);
	}
}

static void line_add(struct sources *sources, const char *uri, const char *suite,
		     const char *pocket)
{
	/* Debian 13 no longer trusts its keys for every repository, so each line names them */
	const char *signer = access(KEYRING, R_OK) == 0 ? "[signed-by=" KEYRING "] " : "";

	sources->lines[sources->count++] =
	    xasprintf("deb %s%s %s%s main", signer, uri, suite, pocket);
}

/* A space would begin another field of the line, an option perhaps. */
static bool mirror_is_valid(const char *mirror)
{
	for (const char *at = mirror; *at; at++) {
		if (*at <= ' ' || *at > '~' || strchr("[]\"'", *at))
			return false;
	}
	return strstr(mirror, ":/") && *mirror >= 'a' && *mirror <= 'z';
}

int sources_find(const char *suite, const char *mirror, struct sources *sources,
		 struct err *err)
{
	own_str host = NULL;
	own_str security = NULL;

	*sources = (struct sources){ .count = 0 };
	if (mirror && !mirror_is_valid(mirror))
		return fail_as(err, ERR_VALUE, "'%s' is not the address of a mirror", mirror);

	host_mirrors(&host, &security);
	if (!mirror)
		mirror = host;
	if (!mirror)
		return 0;
	line_add(sources, mirror, suite, "");
	line_add(sources, mirror, suite, "-updates");
	if (security)
		line_add(sources, security, suite, SECURITY);
	return 0;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	for (size_t i = 0; i < sources->count; i++)
		free(sources->lines[i]);
	sources->count = 0;
}

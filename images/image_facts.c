/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <unistd.h>

#include "images.h"
#include "own.h"
#include "volume.h"

static const struct {
	const char *name;
	const char *path;
	const char *consequence;
} facts_known[] = {
	{ "mmdebstrap", "/usr/bin/mmdebstrap",
	  "Debian images cannot be built (apt-get install mmdebstrap)" },
	{ "debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg",
	  "Debian packages cannot be verified (apt-get install debian-archive-keyring)" },
	{ "busybox-static", "/bin/busybox",
	  "the mini image cannot be built (apt-get install busybox-static)" },
	{ "dropbear", "/usr/sbin/dropbear",
	  "the mini image cannot be built (apt-get install dropbear-bin)" },
};

unsigned image_facts(struct image_fact *facts, unsigned max)
{
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(facts_known) && count < max; i++)
		facts[count++] = (struct image_fact){
			.name = facts_known[i].name,
			.present = access(facts_known[i].path, F_OK) == 0,
			.consequence = facts_known[i].consequence,
		};
	return count + volume_facts(facts + count, max - count);
}

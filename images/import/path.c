/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path.h"

#include <string.h>

#include "err.h"
#include "str.h"

int entry_refuse(struct err *err, const char *name, const char *why)
{
	char shown[256];

	str_escape(name, shown, sizeof(shown));
	return fail_as(err, ERR_BAD_IMAGE, "'%s' %s", shown, why);
}

/* What is wrong with one component, or NULL. */
static const char *component_fault(const char *part, size_t len)
{
	if (len == 0)
		return "has an empty component";
	if (len == 1 && part[0] == '.')
		return "has a '.' component";
	if (len == 2 && memcmp(part, "..", 2) == 0)
		return "has a '..' component";
	if (len > ENTRY_NAME_MAX)
		return "has a component of more than 255 bytes";
	/* a layer of an OCI image, whose deletions mean nothing in a plain archive */
	if (len >= 4 && memcmp(part, ".wh.", 4) == 0)
		return "is a whiteout";
	return NULL;
}

int entry_path(const char *name, char path[ENTRY_PATH_MAX], struct err *err)
{
	const char *from = name;
	unsigned depth = 0;
	size_t len, at = 0;

	if (!name || !*name)
		return fail_as(err, ERR_BAD_IMAGE, "an entry has no name");
	if (*name == '/')
		return entry_refuse(err, name, "is an absolute name");
	if (strcmp(from, ".") == 0)
		from++;
	else if (strncmp(from, "./", 2) == 0)
		from += 2;

	len = strlen(from);
	if (len && from[len - 1] == '/')
		len--;
	if (len >= ENTRY_PATH_MAX)
		return entry_refuse(err, name, "is longer than 4095 bytes");

	while (at < len || (at == len && len && from[at - 1] == '/')) {
		size_t part = strcspn(from + at, "/");
		const char *fault = component_fault(from + at, part);

		if (fault)
			return entry_refuse(err, name, fault);
		if (++depth > ENTRY_DEPTH_MAX)
			return entry_refuse(err, name, "is more than 256 directories deep");
		at += part + 1;
	}
	memcpy(path, from, len);
	path[len] = 0;
	return 0;
}

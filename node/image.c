/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "images.h"
#include "io.h"
#include "node.h"
#include "own.h"
#include "store.h"

struct use {
	const char *digest;
	char *by;
	size_t size;
};

static int use_one(const struct vps *vps, const struct err *broken, void *arg, struct err *err)
{
	struct use *use = arg;

	(void)err;
	/* one that cannot be read may use any image */
	if (!use->by[0] && (broken || strcmp(vps->digest, use->digest) == 0))
		snprintf(use->by, use->size, "%s", vps->name);
	return 0;
}

int image_in_use(const struct node *node, const char *digest, char *by, size_t size,
		 struct err *err)
{
	struct use use = { digest, by, size };

	by[0] = 0;
	return vps_each(node, use_one, &use, err);
}

int node_image_remove(const struct node *node, const char *name, struct image *image,
		      struct err *err)
{
	char by[80];
	own_fd naming = naming_take(node, "'nodectl image remove'\n", err);

	if (naming < 0 || image_find(node->images, name, image, err) < 0 ||
	    image_in_use(node, image->digest, by, sizeof(by), err) < 0)
		return -1;
	if (by[0])
		return fail_as(err, ERR_EXISTS, "image '%s' is in use by VPS '%s'", image->name,
			       by);
	return image_remove(node->images, name, image->digest, &naming, err);
}

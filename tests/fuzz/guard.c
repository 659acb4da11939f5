/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include "../guard/oracle.h"

/* A frame of a tenant's: the guard in the kernel and its model are of one mind. */

static struct oracle oracle;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	if (oracle_open(&oracle) < 0)
		WRONG("cannot load the guard; are you root?");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *said[2];

	if (!size || !oracle_takes(data + 1, size - 1))
		return 0;
	oracle_smtp(&oracle, data[0] & 1);
	if (oracle_ask(&oracle, data + 1, size - 1, said))
		return 0;
	oracle_tell(data + 1, size - 1, said);
	WRONG("they differ");
}

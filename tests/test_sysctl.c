/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../netns/sysctl.h"

#include <criterion/criterion.h>

#include "own.h"

/* Of an interface that every kernel has. */
static bool is_set(const char *name, const char *value)
{
	const struct sysctl sysctls[] = { { "ipv4", "none_is_called_so", "1" },
					  { "ipv4", name, value } };

	return sysctls_are_set(sysctls, ARRAY_SIZE(sysctls), "lo");
}

Test(sysctl, what_has_another_value_is_not_set)
{
	const char has[2] = { sysctl_get("ipv4", "lo", "arp_ignore") };

	cr_assert(*has);
	cr_expect(is_set("arp_ignore", has));
	cr_expect_not(is_set("arp_ignore", "x"));
}

Test(sysctl, what_this_kernel_does_not_have_is_as_wanted)
{
	cr_expect(is_set("nor_is_this", "1"));
}

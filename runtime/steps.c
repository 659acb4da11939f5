/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "steps.h"

#include <stdbool.h>

#include "err.h"

static int undo(const struct step *steps, size_t count, bool slow_too, struct start *start,
		struct err *err)
{
	struct err again;
	int result = 0;

	while (count-- > 0) {
		struct err *to = result < 0 ? &again : err;

		/* the first tells the next command that there is something to undo */
		if (count == 0 && result < 0)
			break;
		if (!steps[count].undo || (steps[count].speed == SLOW && !slow_too) ||
		    steps[count].undo(start, to) == 0)
			continue;
		fail_in(to, "undo of %s", steps[count].name);
		result = -1;
	}
	return result;
}

int steps_undo_fast(const struct step *steps, size_t count, struct start *start,
		    struct err *err)
{
	return undo(steps, count, false, start, err);
}

int steps_undo(const struct step *steps, size_t count, struct start *start, struct err *err)
{
	return undo(steps, count, true, start, err);
}

int steps_apply(const struct step *steps, size_t count, struct start *start, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		struct err again;

		if (steps[i].apply(start, err) == 0)
			continue;
		/* a failed step may be half done: undo it too; why it failed matters more
		 * than what the undo says, and what the undo leaves repair finds by id */
		(void)steps_undo(steps, i + 1, start, &again);
		return fail_in(err, "%s", steps[i].name);
	}
	return 0;
}

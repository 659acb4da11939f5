/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include <fcntl.h>

#include "../../cgroups/hierarchy.h"
#include "../../cgroups/usage.h"
#include "../../images/super.h"
#include "../../node/quota.h"
#include "../../runtime/record.h"
#include "../../runtime/view.h"
#include "cgroups.h"
#include "err.h"
#include "history.h"
#include "io.h"
#include "own.h"
#include "runtime.h"

/* What nodectl has written down and finds again after a crash; and what the kernel says. */

static int run = -1;

/* As the file @name of a VPS's run directory. */
static void file_put(const char *name, const char *text)
{
	struct err err;

	if (file_replace_volatile(run, name, text, strlen(text), 0600, &err) < 0)
		WRONG("%s", err.msg);
}

static void records(const char *text)
{
	struct record record;
	char intent[32];

	file_put("run", text);
	file_put("intent", text);
	(void)record_read(run, &record);
	(void)intent_read(run, intent, sizeof(intent));
}

static void views(const char *text)
{
	struct view_state state;
	struct lxcfs lxcfs;

	file_put("view", text);
	view_state_read(run, &state);
	(void)lxcfs_parse(text, &lxcfs);
}

static void stats(const char *text)
{
	uint64_t start;
	char state;

	(void)stat_parse(text, &state, &start);
}

static void quotas(const char *text)
{
	struct quota_record record, again;
	char printed[512], reprinted[512];

	quota_parse(text, &record);
	quota_print(&record, printed, sizeof(printed));
	quota_parse(printed, &again);
	quota_print(&again, reprinted, sizeof(reprinted));
	if (strcmp(printed, reprinted) != 0)
		WRONG("%s is read as %s", printed, reprinted);
}

static void totals(const char *text)
{
	struct total total, again;
	char printed[TOTAL_TEXT], reprinted[TOTAL_TEXT];

	if (total_parse(text, &total) < 0)
		return;
	total_print(&total, printed, sizeof(printed));
	if (total_parse(printed, &again) < 0)
		WRONG("%s is not read", printed);
	total_print(&again, reprinted, sizeof(reprinted));
	if (strcmp(printed, reprinted) != 0)
		WRONG("%s is read as %s", printed, reprinted);
}

static bool counts(unsigned major, unsigned minor, void *arg)
{
	(void)major, (void)minor, (void)arg;
	return true;
}

static void kernel(const char *text)
{
	const struct disk_filter all = { .counts = counts };
	struct hierarchies hierarchies;
	struct cgroup_usage usage = { 0 };
	struct pressure pressure;
	uint64_t read, written;

	hierarchies_parse(text, &hierarchies);
	pressure_parse(text, &pressure);
	io_stat_parse(text, &all, &usage);
	blkio_parse(text, &all, &read, &written);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	run = open(getenv("FUZZ_SCRATCH"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *text) = { records, views,  stats,
							     quotas,  totals, kernel };
	struct super super;
	struct err err;
	uint8_t bytes[SUPER_SIZE] = { 0 };

	if (!size)
		return 0;
	own_str text = text_of(data + 1, size - 1);
	parsers[data[0] % (sizeof(parsers) / sizeof(parsers[0]))](text);
	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	(void)super_parse(bytes, &super, &err);
	return 0;
}

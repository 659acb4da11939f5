/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "../nodectl/view.h"
#include "err.h"
#include "own.h"

static struct vps example(void)
{
	struct vps vps;

	vps_init(&vps);
	strcpy(vps.name, "web1");
	vps.id = 7;
	vps.limits.memory = 1ull << 30;
	vps.limits.cpus = 50;
	vps.volume.size = 10ull << 30;
	return vps;
}

/* It runs, and nothing of it is known. */
static struct view running(const struct vps *vps)
{
	struct view view = { .vps = vps };

	view.status.state = STATE_RUNNING;
	view.status.init = 4242;
	view.status.started = time(NULL) - 100;
	memset(&view.usage, 0xff, sizeof(view.usage));
	memset(&view.volume, 0xff, sizeof(view.volume));
	return view;
}

static const struct column *column_of(const char *name)
{
	for (size_t i = 0; i < usage_columns_count; i++) {
		if (strcmp(usage_columns[i].name, name) == 0)
			return &usage_columns[i];
	}
	cr_assert_fail("there is no column %s", name);
	return NULL;
}

static void shows(const struct view *view, const char *name, const char *expected)
{
	char text[512] = "";

	column_text(column_of(name), view, text, sizeof(text));
	cr_expect_str_eq(text, expected, "%s", name);
}

/* "memory.events.max" of an object */
static json_t *member(json_t *object, const char *key)
{
	char path[64], *rest = path;

	snprintf(path, sizeof(path), "%s", key);
	for (const char *name; (name = strsep(&rest, "."));)
		object = json_object_get(object, name);
	return object;
}

Test(usage_view, every_column_has_a_text_and_a_value_of_its_own)
{
	struct vps vps = example();
	const struct view view = running(&vps);

	for (size_t i = 0; i < usage_columns_count; i++) {
		const struct column *column = &usage_columns[i];
		json_t *value = column_json(column, &view);
		char text[512] = "";

		column_text(column, &view, text, sizeof(text));
		cr_expect_str_not_empty(text, "%s", column->name);
		cr_expect_not_null(value, "%s", column->name);
		json_decref(value);
		for (size_t j = 0; j < i; j++) {
			cr_expect_str_neq(column->name, usage_columns[j].name);
			cr_expect_str_neq(column->label, usage_columns[j].label);
		}
	}
}

Test(usage_view, the_json_has_every_column)
{
	struct vps vps = example();
	const struct view view = running(&vps);
	json_t *object = usage_object(&view);

	for (size_t i = 0; i < usage_columns_count; i++)
		cr_expect_not_null(member(object, usage_columns[i].key), "%s",
				   usage_columns[i].key);
	json_decref(object);
}

Test(usage_view, what_is_not_known_is_null_and_a_hyphen)
{
	struct vps vps = example();
	const struct view view = running(&vps);
	json_t *object = usage_object(&view);

	cr_expect(json_is_null(member(object, "memory.used")));
	cr_expect(json_is_null(member(object, "memory.events.oom_kill")));
	cr_expect(json_is_null(member(object, "io.pressure.some")));
	cr_expect(json_is_null(member(object, "io.pressure.full_avg10")));
	cr_expect(json_is_null(member(object, "cpu.of_limit")));
	cr_expect(json_is_null(member(object, "cpu.of_periods")));
	cr_expect(json_is_null(member(object, "disk.used")));
	cr_expect_eq(json_integer_value(member(object, "disk.limit")), 10ll << 30);
	shows(&view, "MEMORY", "-/1G");
	shows(&view, "KILLED", "-");
	shows(&view, "THROTTLED", "-");
	shows(&view, "CAP", "-");
	shows(&view, "IOWAIT", "-");
	json_decref(object);
}

Test(usage_view, of_a_vps_that_does_not_run_is_0)
{
	struct vps vps = example();
	const struct view view = { .vps = &vps };
	json_t *object = usage_object(&view);

	cr_expect(json_is_integer(member(object, "memory.used")));
	cr_expect_eq(json_integer_value(member(object, "memory.used")), 0);
	cr_expect_eq(json_real_value(member(object, "cpu.used")), 0);
	cr_expect_str_eq(json_string_value(member(object, "state")), "stopped");
	json_decref(object);
}

Test(usage_view, figures_are_in_the_units_of_the_manual)
{
	struct vps vps = example();
	struct view view = running(&vps);
	json_t *object;

	view.usage.cpu_usec = 25000000;
	view.usage.periods = 1000;
	view.usage.throttled = 125;
	view.usage.throttled_usec = 1500000;
	view.usage.cpu_pressure = (struct pressure){ 2500000, 0, 1234, 0 };
	view.usage.memory = 52ull << 20;
	view.usage.oom_kills = 3;
	object = usage_object(&view);

	/* half a core for 100 seconds is 50 seconds of CPU */
	cr_expect_float_eq(json_real_value(member(object, "cpu.of_limit")), 0.5, 0.02);
	cr_expect_float_eq(json_real_value(member(object, "cpu.used")), 25, 1e-6);
	cr_expect_float_eq(json_real_value(member(object, "cpu.limit")), 0.5, 1e-6);
	cr_expect_float_eq(json_real_value(member(object, "cpu.throttled")), 1.5, 1e-6);
	cr_expect_float_eq(json_real_value(member(object, "cpu.of_periods")), 0.125, 1e-6);
	cr_expect_float_eq(json_real_value(member(object, "cpu.pressure.some")), 2.5, 1e-6);
	cr_expect_float_eq(json_real_value(member(object, "cpu.pressure.some_avg10")), 0.1234,
			   1e-6);
	cr_expect_eq(json_integer_value(member(object, "memory.events.oom_kill")), 3);
	shows(&view, "CPU", "25.00s");
	shows(&view, "CPUWAIT", "12.3%");
	shows(&view, "THROTTLED", "12.5%");
	shows(&view, "MEMORY", "52M/1G");
	shows(&view, "KILLED", "3");
	json_decref(object);
}

Test(usage_view, without_a_cap_there_is_no_part_of_it)
{
	struct vps vps = example();
	struct view view = running(&vps);
	json_t *object;

	vps.limits.cpus = 0;
	view.usage.cpu_usec = 25000000;
	view.usage.periods = view.usage.throttled = 0;
	object = usage_object(&view);
	cr_expect(json_is_null(member(object, "cpu.of_limit")));
	cr_expect_eq(json_real_value(member(object, "cpu.of_periods")), 0);
	shows(&view, "CAP", "-");
	json_decref(object);
}

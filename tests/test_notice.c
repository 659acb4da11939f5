/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../node/notice.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "cgroups.h"
#include "vps.h"

#define DAY 1763769600ll /* 2025-11-22, 00:00 UTC */
#define NOW (DAY + 13 * SPAN_HOUR)
#define G   (UINT64_C(1) << 30)

static struct vps sold(void)
{
	struct vps vps = { .name = "web1", .plan = "small", .traffic = 100 * G };

	vps.limits.cpus = 150;
	vps.limits.cpus_guaranteed = 5;
	vps.limits.memory = G;
	vps.limits.tasks = 1024;
	vps.volume.size = 10 * G;
	return vps;
}

static json_t *told(const struct vps *vps, const struct quota_record *record,
		    const struct sampled *one, uint64_t used)
{
	char text[NOTICE_TEXT];
	json_error_t why;

	notice_print(vps, record, one, used, NOW, text, sizeof(text));
	json_t *json = json_loads(text, 0, &why);

	cr_assert(json, "%s: %s", why.text, text);
	return json;
}

static json_t *at(json_t *json, const char *one, const char *other)
{
	json_t *value = json_object_get(json, one);

	return other ? json_object_get(value, other) : value;
}

Test(notice, before_a_sample_it_says_what_was_sold)
{
	const struct quota_record record = { 0 };
	const struct vps vps = sold();
	json_t *json = told(&vps, &record, NULL, 0);

	cr_assert_str_eq(json_string_value(at(json, "plan", NULL)), "small");
	cr_assert(json_is_null(at(json, "time", NULL)));
	cr_assert_float_eq(json_number_value(at(json, "cpus", "limit")), 1.5, 1e-9);
	cr_assert_float_eq(json_number_value(at(json, "cpus", "guaranteed")), 0.05, 1e-9);
	cr_assert_eq(json_integer_value(at(json, "memory", "limit")), (json_int_t)G);
	cr_assert(json_is_null(at(json, "memory", "used")));
	cr_assert(json_is_null(at(json, "traffic", "used")));
	cr_assert(json_is_null(at(json, "traffic", "left")));
	cr_assert_str_eq(json_string_value(at(json, "traffic", "reset")),
			 "2025-12-01T00:00:00Z");
	json_decref(json);
}

Test(notice, after_one_what_was_used_and_what_is_left)
{
	const struct quota_record record = { .traffic = QUOTA_OVER, .throttle = 4000000 };
	const struct vps vps = sold();
	struct sampled one = { .vps = &vps };

	one.reading.memory = 12345;
	one.reading.tasks = 7;
	one.total.disk = 2 * G;
	one.total.inodes = FIGURE_UNKNOWN;
	json_t *json = told(&vps, &record, &one, 30 * G);

	cr_assert_str_eq(json_string_value(at(json, "time", NULL)), "2025-11-22T13:00:00Z");
	cr_assert_eq(json_integer_value(at(json, "memory", "used")), 12345);
	cr_assert_eq(json_integer_value(at(json, "tasks", "used")), 7);
	cr_assert_eq(json_integer_value(at(json, "disk", "used")), (json_int_t)(2 * G));
	cr_assert(json_is_null(at(json, "inodes", "used")));
	cr_assert_eq(json_integer_value(at(json, "traffic", "left")), (json_int_t)(70 * G));
	cr_assert_str_eq(json_string_value(at(json, "traffic", "state")), "throttled");
	cr_assert_eq(json_integer_value(at(json, "traffic", "throttle")), 4000000);
	json_decref(json);

	json = told(&vps, &record, &one, 130 * G);
	cr_assert_eq(json_integer_value(at(json, "traffic", "left")), 0);
	json_decref(json);
}

Test(notice, without_limits_there_is_nothing_left_to_tell)
{
	const struct quota_record record = { 0 };
	struct vps vps = { .name = "web1", .quota.period = QUOTA_ROLLING };
	struct sampled one = { .vps = &vps };
	json_t *json = told(&vps, &record, &one, 5);

	cr_assert(json_is_null(at(json, "plan", NULL)));
	cr_assert(json_is_null(at(json, "cpus", "limit")));
	cr_assert(json_is_null(at(json, "traffic", "limit")));
	cr_assert_eq(json_integer_value(at(json, "traffic", "used")), 5);
	cr_assert(json_is_null(at(json, "traffic", "left")));
	cr_assert(json_is_null(at(json, "traffic", "reset")), "what rolls has no end");
	cr_assert_str_eq(json_string_value(at(json, "traffic", "state")), "none");
	json_decref(json);
}

Test(notice, the_longest_fits)
{
	struct quota_record record = { .traffic = QUOTA_OVER, .suspended = true };
	struct sampled one;
	struct vps vps = sold();

	memset(&one, 0x7f, sizeof(one));
	memset(vps.name, 'n', sizeof(vps.name) - 1);
	memset(vps.plan, 'p', sizeof(vps.plan) - 1);
	vps.limits.memory = vps.limits.memory_guaranteed = vps.volume.size = INT64_MAX;
	vps.traffic = INT64_MAX;
	record.throttle = INT64_MAX;
	json_decref(told(&vps, &record, &one, INT64_MAX));
}

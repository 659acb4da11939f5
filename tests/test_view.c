/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../nodectl/view.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "err.h"
#include "own.h"

static struct err err;

static const struct column *column_of(const char *name)
{
	for (size_t i = 0; i < columns_count; i++) {
		if (strcmp(columns[i].name, name) == 0)
			return &columns[i];
	}
	cr_assert_fail("there is no column %s", name);
	return NULL;
}

static void shows(const struct view *view, const char *name, const char *expected)
{
	char text[512] = "";

	column_of(name)->text(view, text, sizeof(text));
	cr_expect_str_eq(text, expected, "%s", name);
}

static struct vps example(void)
{
	struct vps vps;

	vps_init(&vps);
	strcpy(vps.name, "web1");
	vps.id = 7;
	vps.limits.memory = 1ull << 30;
	vps.limits.cpus = 150;
	vps.limits.weight = 100;
	vps.limits.tasks = 100;
	vps.volume.size = 10ull << 30;
	cr_assert_eq(address_parse("10.77.0.8/16", &vps.link.ipv4, &err), 0);
	cr_assert_eq(publish_parse("8080:80", &vps.link.publish[0], &err), 0);
	cr_assert_eq(publish_parse("53:53/udp", &vps.link.publish[1], &err), 0);
	vps.link.publish_count = 2;
	return vps;
}

Test(view, columns_have_names_and_keys_of_their_own)
{
	for (size_t i = 0; i < columns_count; i++) {
		for (size_t j = 0; j < i; j++) {
			cr_expect_str_neq(columns[i].name, columns[j].name);
			cr_expect_str_neq(columns[i].key, columns[j].key);
			cr_expect(!columns[i].label || !columns[j].label ||
				  strcmp(columns[i].label, columns[j].label) != 0);
		}
	}
}

Test(view, what_people_see_has_text_and_a_label)
{
	for (size_t i = 0; i < columns_count; i++) {
		const char *name = columns[i].name;

		cr_expect(!(columns[i].flags & (IN_LIST | IN_SHOW)) ||
			      (columns[i].text && columns[i].label),
			  "%s", name);
		cr_expect(columns[i].json, "%s", name);
		for (; *name; name++)
			cr_expect(isupper((unsigned char)*name) ||
				  isdigit((unsigned char)*name));
	}
}

Test(view, of_a_vps_that_does_not_run_shows_what_it_may_use)
{
	struct vps vps = example();
	const struct view view = { .vps = &vps };

	shows(&view, "ID", "7");
	shows(&view, "STATE", "stopped");
	shows(&view, "CPUS", "1.5");
	shows(&view, "WEIGHT", "100");
	shows(&view, "MEMORY", "1G");
	shows(&view, "TASKS", "100");
	shows(&view, "DISK", "0B/10G");
	shows(&view, "TRAFFIC", "-");
	shows(&view, "UPTIME", "-");
	shows(&view, "PID", "");
	shows(&view, "IPV4", "10.77.0.8");
	shows(&view, "IPV6", "");
	shows(&view, "PUBLISH", "8080:80, 53:53/udp");
	shows(&view, "INTERFACE", "nv7");
	shows(&view, "IDS", "983040 to 1048575");
	shows(&view, "CGROUP", "nodectl-vps.service/7");
}

Test(view, of_a_vps_that_runs_shows_what_it_uses)
{
	struct vps vps = example();
	const struct view view = {
		.vps = &vps,
		.status = { .state = STATE_RUNNING, .init = 4242 },
		.usage = { .memory = 52ull << 20, .tasks = 9, .cpu_usec = 1230000 },
		.link = { .rx_bytes = 1024, .tx_bytes = 2048 }
	};

	shows(&view, "STATE", "running");
	shows(&view, "MEMORY", "52M/1G");
	shows(&view, "TASKS", "9/100");
	shows(&view, "TRAFFIC", "3K");
	shows(&view, "CPU", "1.23s");
	shows(&view, "PID", "4242");
	shows(&view, "MONITOR", "");
}

Test(view, of_a_vps_without_limits_says_all)
{
	struct vps vps;
	const struct view view = { .vps = &vps };

	vps_init(&vps);
	shows(&view, "CPUS", "all");
	shows(&view, "MEMORY", "all");
	shows(&view, "TASKS", "all");
	shows(&view, "INTERFACE", "");
}

Test(view, as_json_has_every_key_whatever_the_vps)
{
	struct vps vps = example(), empty = { 0 };
	const struct err broken = { .kind = ERR_VALUE, .msg = "bad" };
	const struct view views[] = { { .vps = &vps }, { .vps = &empty, .broken = &broken } };

	for (size_t v = 0; v < ARRAY_SIZE(views); v++) {
		json_t *object = view_json(&views[v]);

		cr_expect_eq(json_object_size(object), columns_count);
		for (size_t i = 0; i < columns_count; i++)
			cr_expect_not_null(json_object_get(object, columns[i].key), "%s",
					   columns[i].key);
		json_decref(object);
	}
}

Test(view, as_json_gives_numbers_as_numbers)
{
	struct vps vps = example();
	const struct view view = { .vps = &vps };
	json_t *object = view_json(&view);

	cr_expect_eq(json_integer_value(json_object_get(object, "memory")), 1 << 30);
	cr_expect_eq(json_real_value(json_object_get(object, "cpus")), 1.5);
	cr_expect_eq(json_array_size(json_object_get(object, "publish")), 2);
	cr_expect(json_is_null(json_object_get(object, "pid")));
	cr_expect(json_is_null(json_object_get(object, "error")));
	json_decref(object);
}

Test(view, what_is_promised_and_not_met_is_told_with_the_reason)
{
	struct vps vps = example();
	const struct view view = { .vps = &vps };
	char text[512] = "";

	shows(&view, "UNENFORCED", "");
	vps.traffic = 1;
	shows(&view, "UNENFORCED", "traffic (it is counted, but no traffic-action is set)");
	vps.limits.cpus_guaranteed = 50;
	vps.limits.weight = 1;
	column_of("UNENFORCED")->text(&view, text, sizeof(text));
	cr_expect(strstr(text, "cpu-guaranteed (its weight is worth less)"), "%s", text);
	vps.limits.weight = 0;
	shows(&view, "UNENFORCED", "traffic (it is counted, but no traffic-action is set)");
}

Test(view, guarantees_and_what_is_its_own_are_told)
{
	struct vps vps = example();
	const struct view view = { .vps = &vps };

	shows(&view, "GUARANTEES", "");
	shows(&view, "OVERRIDES", "");
	vps.limits.memory_guaranteed = 64u << 20;
	shows(&view, "GUARANTEES", "64M memory");
	vps.limits.cpus_guaranteed = 5;
	shows(&view, "GUARANTEES", "0.05 CPU, 64M memory");
	vps.overrides = field_bit(field_find("memory")) | field_bit(field_find("traffic"));
	shows(&view, "OVERRIDES", "memory, traffic");
}

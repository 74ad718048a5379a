/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration texts carry what durability and isolation depend on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/config.h"

static const struct engine_policy policies[] = {
    {"analytics", "events", "tenant_id"}, {"uptime", "checks", "tenant"}, {"analytics", "hourly_mv", "tenant_id"},
    {"own", "records", NULL}};

static struct engine_settings make_settings(void)
{
    return (struct engine_settings){
        .memory_limit_bytes = 900000000, .threads = 3, .query_limit = 5, .policies = policies, .policy_count = 4};
}

static bool contains(const struct buffer *text, const char *needle)
{
    return slice_find(buffer_slice(text), slice_from_string(needle)) >= 0;
}

static size_t occurrences(const struct buffer *text, const char *needle)
{
    struct slice rest = buffer_slice(text);
    size_t count = 0;
    for (ptrdiff_t at; (at = slice_find(rest, slice_from_string(needle))) >= 0; count++)
        rest = slice_from(rest, (size_t)at + 1);
    return count;
}

static void main_file_keeps_memory_small_and_every_table_durable(void **state)
{
    struct engine_settings settings = make_settings();
    struct buffer out = {0};
    engine_config_write_main(&settings, "/data/a&b/users.xml", &out);
    static const char *const needles[] = {
        "<users_config>/data/a&amp;b/users.xml</users_config>",
        "<max_server_memory_usage>900000000</max_server_memory_usage>",
        "<mark_cache_size>33554432</mark_cache_size>",
        "<fsync_after_insert>1</fsync_after_insert>",
        "<fsync_part_directory>1</fsync_part_directory>",
        "<min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>",
        "<max_suspicious_broken_parts_bytes>100000000000</max_suspicious_broken_parts_bytes>",
        "<non_replicated_deduplication_window>10000</non_replicated_deduplication_window>"};
    for (size_t i = 0; i < sizeof needles / sizeof needles[0]; i++)
        if (!contains(&out, needles[i])) fail_msg("missing: %s", needles[i]);
    buffer_free(&out);
}

static void users_file_has_one_element_per_database(void **state)
{
    struct engine_settings settings = make_settings();
    struct buffer out = {0};
    struct error error;
    assert_int_equal(engine_config_write_users(&settings, &out, &error), 0);
    assert_true(contains(&out, "<use_top_k_dynamic_filtering>0<"));
    assert_true(contains(&out, "<max_threads>3<"));
    assert_true(contains(&out, "<max_memory_usage>300000000<"));
    assert_true(contains(&out, "<max_untracked_memory>1048576<"));
    assert_true(contains(&out, "<hourly_mv><filter>splitByChar(' ', getSetting('log_comment'))[1] = '*' OR tenant_id = "
                               "splitByChar(' ', getSetting('log_comment'))[1]</filter></hourly_mv>"));
    assert_int_equal(occurrences(&out, "<analytics>"), 1);
    assert_int_equal(occurrences(&out, "<uptime>"), 1);
    assert_true(contains(&out, "<records><filter>splitByChar(' ', getSetting('log_comment'))[1] = '*'</filter></records>"));
    assert_int_equal(occurrences(&out, "<filter>"), 4);
    buffer_free(&out);
}

static void refuses_names_that_are_not_plain_and_double_policies(void **state)
{
    static const struct engine_policy bad[][2] = {
        {{"a b", "t", "c"}, {"x", "y", "z"}},
        {{"a", "t>", "c"}, {"x", "y", "z"}},
        {{"a", "t", "1 OR 1"}, {"x", "y", "z"}},
        {{"a", "t", "c"}, {"a", "t", "d"}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct engine_settings settings = make_settings();
        settings.policies = bad[i];
        settings.policy_count = 2;
        struct buffer out = {0};
        struct error error;
        assert_int_equal(engine_config_write_users(&settings, &out, &error), ERROR_INVALID);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_file_keeps_memory_small_and_every_table_durable),
        cmocka_unit_test(users_file_has_one_element_per_database),
        cmocka_unit_test(refuses_names_that_are_not_plain_and_double_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

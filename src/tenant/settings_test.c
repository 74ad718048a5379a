/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of tenants: what they mean is read, what means nothing is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "tenant/settings.h"

static struct {
    struct arena *arena;
    struct json_parser *parser;
    struct buffer text;
    struct tenant_settings settings;
    struct error error;
} test;

static enum error_code read_settings(const char *json)
{
    struct json_value root;
    buffer_clear(&test.text);
    buffer_append_string(&test.text, json);
    buffer_append_zeros(&test.text, JSON_PADDING);
    assert_int_equal(ERROR_NONE, json_parse(test.parser, slice_make(test.text.data, strlen(json)), &root, &test.error));
    return tenant_settings_read(root, test.arena, &test.settings, &test.error);
}

static void what_is_set_is_read_and_other_names_are_left_alone(void **state)
{
    static const char *const nothing[] = {"{}", "null", "{\"do_not_track\":null,\"filters\":null}", "{\"theme\":\"dark\",\"filters\":[]}"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        assert_int_equal(ERROR_NONE, read_settings(nothing[i]));
        assert_int_equal(TENANT_TRACK_ALL, test.settings.do_not_track);
        assert_false(test.settings.allow_public_revenue);
        assert_int_equal(0, test.settings.filter_count);
    }
    assert_int_equal(ERROR_NONE, read_settings("{\"do_not_track\":\"ignore\",\"retention_days\":36500}"));
    assert_int_equal(30, test.settings.retention_days[TENANT_SIGNAL_TRACES]);
    assert_int_equal(ERROR_NONE, read_settings("{\"retention_days_logs\":7,\"retention_days_metrics\":400}"));
    assert_int_equal(30, test.settings.retention_days[TENANT_SIGNAL_TRACES]);
    assert_int_equal(7, test.settings.retention_days[TENANT_SIGNAL_LOGS]);
    assert_int_equal(400, test.settings.retention_days[TENANT_SIGNAL_METRICS]);
    assert_int_equal(ERROR_NONE, read_settings("{\"do_not_track\":\"drop\",\"allow_public_revenue\":true}"));
    assert_int_equal(TENANT_TRACK_DROP, test.settings.do_not_track);
    assert_true(test.settings.allow_public_revenue);
    assert_int_equal(ERROR_NONE, read_settings("{\"filters\":[{\"type\":\"ip\",\"ip\":\"203.0.113.0/24\"},{\"type\":\"profile_id\",\"profileId\":\"ada\"},"
                                               "{\"type\":\"event\",\"name\":\"ping\"},{\"type\":\"event\",\"name\":\"*\",\"filters\":["
                                               "{\"name\":\"path\",\"operator\":\"startsWith\",\"value\":[\"/admin\",7,true]},"
                                               "{\"name\":\"plan\",\"operator\":\"isNull\"}]}]}"));
    assert_int_equal(4, test.settings.filter_count);
    uint8_t address[16];
    assert_true(network_address_parse(SLICE("203.0.113.200"), address));
    assert_true(network_prefix_matches(&test.settings.filters[0].address, address));
    assert_true(slice_equal(test.settings.filters[1].text, SLICE("ada")));
    const struct tenant_filter *last = &test.settings.filters[3];
    assert_int_equal(2, last->condition_count);
    assert_int_equal(TENANT_FILTER_STARTS_WITH, last->conditions[0].operator);
    assert_int_equal(3, last->conditions[0].value_count);
    assert_true(slice_equal(last->conditions[0].values[1], SLICE("7")));
    assert_true(slice_equal(last->conditions[0].values[2], SLICE("true")));
}

static void what_means_nothing_is_refused_by_name(void **state)
{
    static const struct { const char *json, *field, *says; } rows[] = {
        {"[]", "settings", "an object"},
        {"\"x\"", "settings", "an object"},
        {"{\"do_not_track\":\"cookiless\"}", "settings.do_not_track", "ignore, cookieless, drop"},
        {"{\"retention_days_logs\":0}", "settings.retention_days_logs", "from 1 to 36500"},
        {"{\"do_not_track\":true}", "settings.do_not_track", "ignore, cookieless, drop"},
        {"{\"do_not_track\":\"\"}", "settings.do_not_track", "ignore, cookieless, drop"},
        {"{\"allow_public_revenue\":\"true\"}", "settings.allow_public_revenue", "true or false"},
        {"{\"retention_days\":0}", "settings.retention_days", "1 to 36500"},
        {"{\"retention_days\":1.5}", "settings.retention_days", "1 to 36500"},
        {"{\"retention_days\":\"10\"}", "settings.retention_days", "1 to 36500"},
        {"{\"filters\":{}}", "settings.filters", "array of at most 50"},
        {"{\"filters\":[7]}", "settings.filters.0", "ip, profile_id, event"},
        {"{\"filters\":[{\"type\":\"country\"}]}", "settings.filters.0", "ip, profile_id, event"},
        {"{\"filters\":[{\"type\":\"ip\",\"ip\":\"10.0.0.1\"},{\"type\":\"ip\",\"ip\":\"10.0.0\"}]}", "settings.filters.1", "203.0.113.7"},
        {"{\"filters\":[{\"type\":\"profile_id\",\"profileId\":7}]}", "settings.filters.0", "profileId"},
        {"{\"filters\":[{\"type\":\"profile_id\",\"profileId\":\"\"}]}", "settings.filters.0", "profileId"},
        {"{\"filters\":[{\"type\":\"event\"}]}", "settings.filters.0", "name must be"},
        {"{\"filters\":[{\"type\":\"event\",\"name\":\"a\",\"filters\":{}}]}", "settings.filters.0", "at most 10 conditions"},
        {"{\"filters\":[{\"type\":\"event\",\"name\":\"a\",\"filters\":[{\"operator\":\"is\"}]}]}", "settings.filters.0", "with name"},
        {"{\"filters\":[{\"type\":\"event\",\"name\":\"a\",\"filters\":[{\"name\":\"b\",\"operator\":\"regex\",\"value\":[\"(a+)+\"]}]}]}", "settings.filters.0", TENANT_FILTER_WORDS},
        {"{\"filters\":[{\"type\":\"event\",\"name\":\"a\",\"filters\":[{\"name\":\"b\",\"operator\":\"is\",\"value\":[]}]}]}", "settings.filters.0", "must not be empty"},
        {"{\"filters\":[{\"type\":\"event\",\"name\":\"a\",\"filters\":[{\"name\":\"b\",\"operator\":\"is\",\"value\":\"c\"}]}]}", "settings.filters.0", "an array"},
        {"{\"filters\":[{\"type\":\"event\",\"name\":\"a\",\"filters\":[{\"name\":\"b\",\"operator\":\"is\",\"value\":[{}]}]}]}", "settings.filters.0", "texts"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (read_settings(rows[i].json) != ERROR_INVALID) fail_msg("taken: %s", rows[i].json);
        assert_string_equal(rows[i].field, test.error.field);
        if (!strstr(test.error.message, rows[i].says)) fail_msg("%s: %s", rows[i].json, test.error.message);
    }
}

/* A server must act by what it can read, also when somebody wrote past the checks. */
static void a_wrong_setting_does_not_hide_the_others(void **state)
{
    assert_int_equal(ERROR_INVALID, read_settings("{\"do_not_track\":\"no\",\"allow_public_revenue\":true,\"filters\":["
                                                  "{\"type\":\"ip\",\"ip\":\"10.0.0.1\"},{\"type\":\"what\"}]}"));
    assert_string_equal("settings.do_not_track", test.error.field);
    assert_int_equal(TENANT_TRACK_ALL, test.settings.do_not_track);
    assert_true(test.settings.allow_public_revenue);
    assert_int_equal(1, test.settings.filter_count);
}

static void more_filters_than_the_limit_are_refused(void **state)
{
    struct buffer json = {0};
    buffer_append_string(&json, "{\"filters\":[");
    for (int i = 0; i <= TENANT_FILTER_LIMIT; i++) buffer_printf(&json, "%s{\"type\":\"profile_id\",\"profileId\":\"p%d\"}", i ? "," : "", i);
    buffer_append(&json, "]}", 3);
    assert_int_equal(ERROR_INVALID, read_settings(json.data));
    assert_string_equal("settings.filters", test.error.field);
    buffer_free(&json);
}

static int set_up(void **state)
{
    test.arena = arena_create(0);
    test.parser = json_parser_create();
    return test.arena && test.parser ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_destroy(test.arena);
    json_parser_destroy(test.parser);
    buffer_free(&test.text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_read_and_other_names_are_left_alone),
        cmocka_unit_test(what_means_nothing_is_refused_by_name),
        cmocka_unit_test(a_wrong_setting_does_not_hide_the_others),
        cmocka_unit_test(more_filters_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

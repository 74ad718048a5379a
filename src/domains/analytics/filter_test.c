/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant does not want: refused or dropped as each dialect's clients expect, and everything else kept. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "domain/harness.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/row.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

static struct harness harness;
static struct arena *arena;

/* Also forgets request and rows of before. */
static void set_filters(const char *filters)
{
    struct tenant_settings settings;
    struct json_value root;
    struct buffer text = {0};
    harness_reset(&harness);
    buffer_printf(&text, "{\"filters\":[%s]}", filters);
    size_t size = text.size;
    buffer_append_zeros(&text, JSON_PADDING);
    assert_int_equal(ERROR_NONE, json_parse(harness.json, slice_make(text.data, size), &root, &harness.error));
    if (tenant_settings_read(root, arena, &settings, &harness.error)) fail_msg("%s: %s", filters, harness.error.message);
    harness.tenant.filters = settings.filters;
    harness.tenant.filter_count = settings.filter_count;
    buffer_free(&text);
}

/* Rows of events after one event of our own dialect. */
static size_t stored(const char *event, const char *filters)
{
    set_filters(filters);
    harness_header(&harness, "authorization", "Bearer mrw_key");
    harness_header(&harness, "content-type", "application/json");
    harness_header(&harness, "user-agent", FIREFOX);
    assert_true(harness_post(&harness, "/v1/events", "", slice_from_string(event)));
    assert_int_equal(200, harness.status);
    assert_int_equal(1, harness.output.accepted + harness.output.filtered);
    assert_true(slice_find(buffer_slice(&harness.body), SLICE("\"accepted\":1,")) >= 0); /* whoever sends learns nothing */
    return harness_row_count(&harness, ANALYTICS_TABLE_EVENTS);
}

static void conditions_are_compared_as_they_say(void **state)
{
    static const char event[] = "{\"name\":\"buy\",\"path\":\"/shop/cart\",\"properties\":{\"plan\":\"pro\",\"seats\":\"12\",\"vip\":true}}";
    static const struct { const char *name, *operator, *value; bool fits; } rows[] = {
        {"path", "is", "[\"/shop/cart\"]", true},         {"path", "is", "[\"/\",\"/shop/cart\"]", true},
        {"path", "is", "[\"/shop\"]", false},             {"path", "isNot", "[\"/shop\"]", true},
        {"path", "isNot", "[\"/\",\"/shop/cart\"]", false}, {"path", "contains", "[\"hop/c\"]", true},
        {"path", "contains", "[\"HOP\"]", false},         {"path", "doesNotContain", "[\"admin\",\"cart\"]", false},
        {"path", "doesNotContain", "[\"admin\"]", true},  {"path", "startsWith", "[\"/shop\"]", true},
        {"path", "startsWith", "[\"shop\"]", false},      {"path", "endsWith", "[\"cart\"]", true},
        {"path", "endsWith", "[\"/shop/cart/more\"]", false}, {"plan", "is", "[\"pro\"]", true},
        {"properties.plan", "is", "[\" pro \"]", true},   {"properties.path", "is", "[\"/shop/cart\"]", false},
        {"seats", "gt", "[9]", true},                     {"seats", "gt", "[12]", false},
        {"seats", "gte", "[12]", true},                   {"seats", "lt", "[100]", true},
        {"seats", "lte", "[11]", false},                  {"plan", "gt", "[0]", false},
        {"vip", "is", "[true]", true},                    {"nothing", "isNull", "[]", true},
        {"plan", "isNull", "[]", false},                  {"plan", "isNotNull", "[]", true},
        {"nothing", "is", "[\"x\"]", false},              {"nothing", "isNot", "[\"x\"]", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char filter[256];
        snprintf(filter, sizeof filter, "{\"type\":\"event\",\"name\":\"*\",\"filters\":[{\"name\":\"%s\",\"operator\":\"%s\",\"value\":%s}]}",
                 rows[i].name, rows[i].operator, rows[i].value);
        if ((stored(event, filter) == 0) != rows[i].fits) fail_msg("%s %s %s", rows[i].name, rows[i].operator, rows[i].value);
    }
}

static void names_conditions_profiles_and_addresses_decide(void **state)
{
    static const char event[] = "{\"name\":\"buy\",\"path\":\"/a\",\"profile_id\":\"ada\"}";
    assert_int_equal(1, stored(event, ""));
    assert_int_equal(0, stored(event, "{\"type\":\"event\",\"name\":\"buy\"}"));
    assert_int_equal(0, stored(event, "{\"type\":\"event\",\"name\":\"*\"}"));
    assert_int_equal(1, stored(event, "{\"type\":\"event\",\"name\":\"sell\"}"));
    /* All conditions of a filter, any filter. */
    assert_int_equal(1, stored(event, "{\"type\":\"event\",\"name\":\"buy\",\"filters\":[{\"name\":\"path\",\"operator\":\"is\",\"value\":[\"/a\"]},"
                                      "{\"name\":\"path\",\"operator\":\"is\",\"value\":[\"/b\"]}]}"));
    assert_int_equal(0, stored(event, "{\"type\":\"event\",\"name\":\"sell\"},{\"type\":\"event\",\"name\":\"buy\"}"));
    assert_int_equal(0, stored(event, "{\"type\":\"profile_id\",\"profileId\":\"ada\"}"));
    assert_int_equal(1, stored(event, "{\"type\":\"profile_id\",\"profileId\":\"bob\"}"));
    assert_int_equal(0, stored(event, "{\"type\":\"ip\",\"ip\":\"203.0.113.9\"}"));
    assert_int_equal(0, stored(event, "{\"type\":\"ip\",\"ip\":\"203.0.113.0/24\"}"));
    assert_int_equal(1, stored(event, "{\"type\":\"ip\",\"ip\":\"203.0.114.0/24\"}"));
}

static bool openpanel(const char *filters, const char *agent, const char *path, const char *body)
{
    set_filters(filters);
    harness_header(&harness, "openpanel-client-id", "mrw_key");
    harness_header(&harness, "content-type", "application/json");
    harness_header(&harness, "user-agent", agent);
    assert_true(harness_post(&harness, path, "", slice_from_string(body)));
    return harness_row_count(&harness, ANALYTICS_TABLE_EVENTS) > 0;
}

static void openpanel_refuses_senders_and_profiles_and_drops_events(void **state)
{
    static const char track[] = "{\"type\":\"track\",\"payload\":{\"name\":\"ping\",\"profileId\":\"ada\"}}";
    static const char numeric[] = "{\"type\":\"track\",\"payload\":{\"name\":\"ping\",\"profileId\":7}}";
    static const char old[] = "{\"name\":\"ping\",\"profileId\":\"ada\"}";
    static const char identify[] = "{\"type\":\"identify\",\"payload\":{\"profileId\":\"ada\"}}";
    static const char ada[] = "{\"type\":\"profile_id\",\"profileId\":\"ada\"}", here[] = "{\"type\":\"ip\",\"ip\":\"203.0.113.9\"}",
                      ping[] = "{\"type\":\"event\",\"name\":\"ping\"}", seven[] = "{\"type\":\"profile_id\",\"profileId\":\"7\"}";
    static const struct { const char *filters, *path, *body; } refused[] = {
        {here, "/track", track}, {ada, "/track", track}, {ada, "/track", identify}, {ada, "/event", old}, {here, "/event", old}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_false(openpanel(refused[i].filters, FIREFOX, refused[i].path, refused[i].body));
        assert_int_equal(401, harness.status);
        assert_true(slice_starts_with(buffer_slice(&harness.body), SLICE("Ingestion: ")));
    }
    assert_true(openpanel(seven, FIREFOX, "/track", numeric)); /* ids are compared strictly: a number is no text */
    assert_false(openpanel(ping, FIREFOX, "/track", track));
    assert_int_equal(200, harness.status);
    assert_true(slice_find(buffer_slice(&harness.body), SLICE("\"sessionId\"")) >= 0);
    assert_int_equal(1, harness.output.filtered);
    assert_true(openpanel(ping, "node", "/track", track)); /* events of programs are wanted */
}

static int set_up(void **state)
{
    harness_create(&harness, &analytics_domain);
    arena = arena_create(0);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_destroy(arena);
    harness_destroy(&harness);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(conditions_are_compared_as_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_conditions_profiles_and_addresses_decide, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openpanel_refuses_senders_and_profiles_and_drops_events, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The tables agree with each other: columns, names, limits, block layout and the DDL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/embedded.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/event.h"

static const char *const name_texts[] = {
#define COLUMN_NAME(text, column) text,
#include "domains/analytics/names.def"
#undef COLUMN_NAME
};
#define NAME_COUNT (sizeof name_texts / sizeof name_texts[0])

static void names_are_ordered_for_the_search(void **state)
{
    (void)state;
    for (size_t i = 1; i < NAME_COUNT; i++) {
        size_t before = strlen(name_texts[i - 1]), size = strlen(name_texts[i]);
        bool ordered = before < size || (before == size && strcmp(name_texts[i - 1], name_texts[i]) < 0);
        if (!ordered) fail_msg("%s must not stand behind %s", name_texts[i], name_texts[i - 1]);
    }
}

static void clients_find_every_column_that_is_theirs(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_COLUMN_COUNT; i++) {
        enum analytics_column found = analytics_column_find(slice_from_string(analytics_columns[i].name));
        assert_int_equal(found, analytics_columns[i].client ? i : EVENT_UNKNOWN);
    }
}

static void names_are_found_in_every_spelling(void **state)
{
    (void)state;
    static const struct { const char *name; int column; } cases[] = {
        {"time", EVENT_CREATED_AT}, {"timestamp", EVENT_CREATED_AT}, {"__timestamp", EVENT_CREATED_AT},
        {"createdAt", EVENT_CREATED_AT}, {"event_name", EVENT_NAME}, {"eventName", EVENT_NAME},
        {"anonymousId", EVENT_DEVICE_ID}, {"deviceID", EVENT_DEVICE_ID}, {"__osVersion", EVENT_OS_VERSION},
        {"os_name", EVENT_OS}, {"browserName", EVENT_BROWSER}, {"device_type", EVENT_DEVICE},
        {"deviceBrand", EVENT_BRAND}, {"device_model", EVENT_MODEL}, {"url", EVENT_URL}, {"utmSource", EVENT_UTM_SOURCE},
        {"tenant_id", EVENT_UNKNOWN}, {"client_id", EVENT_UNKNOWN}, {"ingestedAt", EVENT_UNKNOWN}, {"", EVENT_UNKNOWN},
        {"__", EVENT_UNKNOWN}, {"NAME", EVENT_NAME}, {"a_name_that_is_much_longer_than_any_column", EVENT_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if ((int)analytics_column_find(slice_from_string(cases[i].name)) != cases[i].column)
            fail_msg("%s", cases[i].name);
}

static const char *migration_text(const char *name)
{
    for (const struct embedded_file *file = analytics_domain.migrations; file->name; file++)
        if (strcmp(file->name, name) == 0) return (const char *)file->data;
    fail_msg("no migration %s", name);
    return NULL;
}

/* A later migration that adds a column must be looked for here too. */
static void ddl_has_every_column_with_its_type_in_order(void **state)
{
    (void)state;
    const char *at = migration_text("0008_events_sorted.up.sql");
    for (size_t i = 0; i < EVENT_COLUMN_COUNT; i++) {
        char line[160];
        snprintf(line, sizeof line, "    `%s` %s", analytics_columns[i].name, analytics_columns[i].clickhouse_type);
        const char *found = strstr(at, line);
        if (!found) fail_msg("not found, or out of order: %s", line);
        at = found + strlen(line);
    }
    assert_non_null(strstr(at, "    `segment` UInt64"));
}

static void block_types_are_the_ddl_types_without_low_cardinality(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_COLUMN_COUNT; i++) {
        struct buffer actual = {0}, expected = {0};
        block_type_write_name(analytics_columns[i].type, &actual);
        struct slice text = slice_from_string(analytics_columns[i].clickhouse_type);
        for (ptrdiff_t at; (at = slice_find(text, SLICE("LowCardinality("))) >= 0;) {
            buffer_append_slice(&expected, slice_first(text, (size_t)at));
            text = slice_from(text, (size_t)at + strlen("LowCardinality("));
            buffer_append_slice(&expected, slice_cut(&text, ')'));
        }
        buffer_append_slice(&expected, text);
        if (!slice_equal(buffer_slice(&actual), buffer_slice(&expected)))
            fail_msg("%s: block %.*s, DDL %.*s", analytics_columns[i].name, SLICE_ARGS(buffer_slice(&actual)),
                     SLICE_ARGS(buffer_slice(&expected)));
        buffer_free(&actual);
        buffer_free(&expected);
    }
}

static void every_text_limit_is_kept(void **state)
{
    (void)state;
    struct analytics_event *event = malloc(sizeof *event);
    char text[5000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < EVENT_COLUMN_COUNT; i++) {
        const struct analytics_column_info *info = &analytics_columns[i];
        if (info->kind != EVENT_KIND_TEXT) continue;
        struct error error = {0};
        analytics_event_init(event);
        enum analytics_column column = (enum analytics_column)i;
        struct slice name = slice_from_string(info->name);
        assert_int_equal(analytics_event_set_text(event, column, name, slice_make(text, (size_t)info->maximum), &error),
                         ERROR_NONE);
        assert_true(analytics_event_has(event, column));
        assert_int_equal(
            analytics_event_set_text(event, column, name, slice_make(text, (size_t)info->maximum + 1), &error),
            ERROR_INVALID);
        assert_string_equal(error.field, info->name);
        assert_non_null(strstr(error.message, "bytes long; at most"));
    }
    free(event);
}

static void every_number_limit_is_kept(void **state)
{
    (void)state;
    struct analytics_event *event = malloc(sizeof *event);
    struct json_parser *parser = json_parser_create();
    struct arena *arena = arena_create(0);
    struct analytics_context context = {.arena = arena, .received_ms = 1780920000000};
    for (size_t i = 0; i < EVENT_COLUMN_COUNT; i++) {
        const struct analytics_column_info *info = &analytics_columns[i];
        if (info->kind != EVENT_KIND_INTEGER && info->kind != EVENT_KIND_REAL && info->kind != EVENT_KIND_DECIMAL)
            continue;
        const struct { long long value; bool good; } cases[] = {
            {info->minimum, true}, {info->maximum, true}, {info->minimum - 1, false}, {info->maximum + 1, false}};
        for (size_t j = 0; j < 4; j++) {
            char json[128] = {0}; /* with JSON_PADDING behind the number */
            int size = snprintf(json, 40, "%lld", cases[j].value);
            struct json_value value;
            struct error error = {0};
            assert_int_equal(json_parse(parser, slice_make(json, (size_t)size), &value, &error), ERROR_NONE);
            analytics_event_init(event);
            enum error_code code = analytics_event_set(event, &context, (enum analytics_column)i,
                                                       slice_from_string(info->name), value, &error);
            if ((code == ERROR_NONE) != cases[j].good)
                fail_msg("%s = %lld: %s", info->name, cases[j].value, error.message);
            assert_int_equal(analytics_event_has(event, (enum analytics_column)i), cases[j].good);
        }
    }
    arena_destroy(arena);
    json_parser_destroy(parser);
    free(event);
}

static const char *documentation;

/* docs/events.md has one table row per field: "| `name` | aliases | value | meaning |". */
static void documentation_has_every_field_with_its_meaning(void **state)
{
    (void)state;
    static char text[64 * 1024];
    FILE *file = fopen(documentation, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    for (size_t i = 0; i < NAME_COUNT; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s`", name_texts[i]);
        if (!strstr(text, quoted)) fail_msg("%s is not in docs/events.md", name_texts[i]);
    }
    for (size_t i = 0; i < EVENT_COLUMN_COUNT; i++)
        if (analytics_columns[i].client && !strstr(text, analytics_columns[i].meaning))
            fail_msg("docs/events.md does not say of %s: %s", analytics_columns[i].name, analytics_columns[i].meaning);
}

int main(int argc, char **argv)
{
    documentation = argc > 2 ? argv[2] : "docs/events.md";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_ordered_for_the_search),
        cmocka_unit_test(clients_find_every_column_that_is_theirs),
        cmocka_unit_test(names_are_found_in_every_spelling),
        cmocka_unit_test(ddl_has_every_column_with_its_type_in_order),
        cmocka_unit_test(block_types_are_the_ddl_types_without_low_cardinality),
        cmocka_unit_test(every_text_limit_is_kept),
        cmocka_unit_test(every_number_limit_is_kept),
        cmocka_unit_test(documentation_has_every_field_with_its_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

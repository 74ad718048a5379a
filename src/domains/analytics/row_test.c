/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of rows.def are those of the migrations; rows take values within their limits and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/row.h"

static const char *migration_text(const char *name)
{
    char file_name[80];
    snprintf(file_name, sizeof file_name, "%s.up.sql", name);
    for (const struct embedded_file *file = analytics_domain.migrations; file->name; file++)
        if (strcmp(file->name, file_name) == 0) return (const char *)file->data;
    fail_msg("no migration %s", file_name);
    return NULL;
}

static void tables_are_those_of_their_migrations(void **state)
{
    (void)state;
    for (size_t t = ANALYTICS_TABLE_EVENTS + 1; t < ANALYTICS_TABLE_COUNT; t++) {
        const struct analytics_row_table *table = &analytics_row_tables[t];
        char start[160], line[200];
        snprintf(start, sizeof start, "CREATE TABLE IF NOT EXISTS %s.%s\n(", table->schema->database, table->schema->table);
        const char *at = strstr(migration_text(table->migration), start);
        if (!at) fail_msg("%s does not make %s", table->migration, table->schema->table);
        at += strlen(start);
        for (size_t i = 0; i < table->schema->column_count; i++) {
            snprintf(line, sizeof line, "\n    `%s` %s ", table->columns[i].name, table->columns[i].clickhouse_type);
            if (strncmp(at, line, strlen(line)) != 0) fail_msg("%s: not %s but %.60s", table->schema->table, line, at);
            at = strchr(at + 1, '\n');
        }
        if (strncmp(at, "\n    `segment` UInt64", 21) != 0) fail_msg("%s: no segment behind its columns", table->schema->table);
        assert_ptr_equal(analytics_domain.tables[t].schema, table->schema);
    }
}

/* Sets a value of GROUP_CHANGES or REPLAY_CHUNKS; gives back what was wrong with it. */
static const char *set(struct harness *harness, enum analytics_table table, size_t column, const char *json)
{
    static struct error error;
    struct analytics_context context = {.arena = harness->arena, .received_ms = HARNESS_NOW_MS, .tenant = SLICE("t")};
    struct analytics_row row;
    struct json_value value;
    buffer_clear(&harness->padded);
    buffer_append_string(&harness->padded, json);
    buffer_append_zeros(&harness->padded, JSON_PADDING);
    error = (struct error){0};
    assert_int_equal(json_parse(harness->json, slice_first(buffer_slice(&harness->padded), strlen(json)), &value, &error), ERROR_NONE);
    analytics_row_begin(&row, &harness->rows, table, &context);
    enum error_code code = analytics_row_set(&row, column, SLICE("place"), value, &error);
    analytics_row_rollback(&row);
    assert_int_equal(harness_row_count(harness, table), 0);
    if (code != ERROR_NONE) assert_string_equal(error.field, "place");
    return error.message;
}

static void values_over_their_limits_are_refused(void **state)
{
    static const struct { enum analytics_table table; size_t column; const char *json, *reason; } cases[] = {
        {ANALYTICS_TABLE_GROUP_CHANGES, GROUP_CHANGES_TYPE, "\"0123456789012345678901234567890123456789012345678901234567890123\"", ""},
        {ANALYTICS_TABLE_GROUP_CHANGES, GROUP_CHANGES_TYPE, "\"01234567890123456789012345678901234567890123456789012345678901234\"", "is 65 bytes long; at most 64 are allowed"},
        {ANALYTICS_TABLE_GROUP_CHANGES, GROUP_CHANGES_TYPE, "[]", "must be a string"},
        {ANALYTICS_TABLE_GROUP_CHANGES, GROUP_CHANGES_TYPE, "7", ""},
        {ANALYTICS_TABLE_GROUP_CHANGES, GROUP_CHANGES_TYPE, "null", ""},
        {ANALYTICS_TABLE_GROUP_CHANGES, GROUP_CHANGES_ID, "\"7\"", "must be a UUID"},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_CHUNK_INDEX, "65535", ""},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_CHUNK_INDEX, "65536", "must be between 0 and 65535"},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_CHUNK_INDEX, "-1", "must be between 0 and 65535"},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_CHUNK_INDEX, "\"many\"", "must be a number"},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_IS_FULL_SNAPSHOT, "1", "must be true or false"},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_STARTED_AT, "\"2026-06-08T12:00:00Z\"", ""},
        {ANALYTICS_TABLE_REPLAY_CHUNKS, REPLAY_CHUNKS_STARTED_AT, "true", "must be an ISO 8601 time like 2026-01-31T08:00:00.123Z or Unix milliseconds"},
        {ANALYTICS_TABLE_PROFILE_CHANGES, PROFILE_CHANGES_AMOUNT, "\"2.5\"", ""},
        {ANALYTICS_TABLE_PROFILE_CHANGES, PROFILE_CHANGES_AMOUNT, "1e300", "must be between -10000000000 and 10000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(set(*state, cases[i].table, cases[i].column, cases[i].json), cases[i].reason);
}

static void texts_of_the_server_are_cut_after_a_whole_character(void **state)
{
    struct harness *harness = *state;
    struct analytics_context context = {.arena = harness->arena, .received_ms = HARNESS_NOW_MS, .tenant = SLICE("t")};
    struct analytics_row row;
    struct buffer rows = {0};
    char text[65] = {0};
    memset(text, 'a', 63);
    memcpy(text + 63, "\xc3\xa9", 2); /* its second byte is the 65th */
    harness_reset(harness);
    analytics_row_begin(&row, &harness->rows, ANALYTICS_TABLE_GROUP_CHANGES, &context);
    analytics_row_put_text(&row, GROUP_CHANGES_TYPE, slice_make(text, sizeof text));
    analytics_row_commit(&row);
    harness_write_rows(harness, ANALYTICS_TABLE_GROUP_CHANGES, &rows);
    text[63] = 0;
    char expected[200];
    snprintf(expected, sizeof expected, "{\"tenant_id\":\"t\",\"type\":\"%s\",\"ingested_at\":\"2026-06-08T12:00:10.000Z\"}\n", text);
    assert_true(slice_equal(buffer_slice(&rows), slice_from_string(expected)));
    buffer_free(&rows);
}

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create(harness, &analytics_domain);
    *state = harness;
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_those_of_their_migrations),
        cmocka_unit_test_setup_teardown(values_over_their_limits_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_of_the_server_are_cut_after_a_whole_character, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

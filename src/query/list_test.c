/* SPDX-License-Identifier: Apache-2.0 */
/* The exact SQL of lists, the owner in every read, the asker's words only in parameters, and pages that fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "block/block.h"
#include "query/list.h"
#include "query/test_catalog.h"

static const struct query_list_column test_columns[] = {
    {"id", QUERY_LIST_UUID, "id", false, ""},
    {"timestamp", QUERY_LIST_TIME, "timestamp", false, ""},
    {"action", QUERY_LIST_TEXT, "action", true, ""},
    {"user_id", QUERY_LIST_TEXT, "user_id", true, ""},
    {"number", QUERY_LIST_INTEGER, "number", false, ""},
    {"metadata", QUERY_LIST_JSON, "metadata", false, ""},
};
static const struct query_list test_list = {
    .name = "things", .database = "shop", .table = "things", .owner_column = "organization_id", .tenant_column = "tenant_id",
    .time_column = "timestamp", .id_column = "id", .once_by_id = true, .columns = test_columns, .column_count = 6};
#define COLUMN_SQL                                                                                         \
    "SELECT\n    id AS query_column_1,\n    timestamp AS query_column_2,\n    action AS query_column_3,\n" \
    "    user_id AS query_column_4,\n    number AS query_column_5,\n    metadata AS query_column_6,\n"     \
    "    toUnixTimestamp64Nano(toDateTime64(timestamp, 9, 'UTC')) AS query_time,\n    toString(id) AS query_id\n"

static enum error_code parse(const char *text, struct arena *arena, struct query_list_plan *plan, struct error *error)
{
    struct query_parameter parameters[TEST_PARAMETER_LIMIT];
    size_t count = test_parameters(text, parameters);
    return query_list_parse(&test_list, parameters, count, TEST_NOW_MS, arena, plan, error);
}

static struct slice parameter(const struct query_statement *statement, const char *name)
{
    for (size_t i = 0; i < statement->parameter_count; i++)
        if (slice_equal(statement->parameters[i].name, slice_from_string(name))) return statement->parameters[i].value;
    return SLICE_EMPTY;
}

static void assert_text(struct slice is, const char *expected)
{
    if (!slice_equal(is, slice_from_string(expected))) fail_msg("is:\n%.*s\nexpected:\n%s", SLICE_ARGS(is), expected);
}

static void make(const char *text, struct query_list_reader reader, struct arena *arena, struct query_statement *statement)
{
    struct query_list_plan plan;
    struct error error = {0};
    if (parse(text, arena, &plan, &error)) fail_msg("%s: %s", text, error.message);
    assert_int_equal(ERROR_NONE, query_list_statement(&plan, &reader, arena, statement, &error));
}

static void a_list_reads_only_its_owners_rows(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_statement statement;
    make("from=2026-01-01&to=2026-01-01&action=key.created&action=it's&user_id=", (struct query_list_reader){SLICE("o'1"), SLICE("t1")},
         arena, &statement);
    assert_text(statement.sql,
        COLUMN_SQL
        "FROM shop.things\n"
        "WHERE organization_id = {owner:String}\n"
        "  AND tenant_id = {tenant:String}\n"
        "  AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')\n"
        "  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')\n"
        "  AND action IN {filter_1:Array(String)}\n"
        "  AND user_id IN {filter_2:Array(String)}\n"
        "ORDER BY timestamp DESC, query_id DESC\n"
        "LIMIT 1 BY query_id\n"
        "LIMIT {limit:UInt32}\n");
    assert_text(parameter(&statement, "owner"), "o'1");
    assert_text(parameter(&statement, "tenant"), "t1");
    assert_text(parameter(&statement, "from_ms"), "1767225600000");
    assert_text(parameter(&statement, "to_ms"), "1767312000000");
    assert_text(parameter(&statement, "filter_1"), "['key.created','it''s']");
    assert_text(parameter(&statement, "filter_2"), "['']");
    assert_text(parameter(&statement, "limit"), "51");

    make("cursor=1767225600000000001.0190A6F0-0000-7000-8000-000000000001&limit=2&from=2026-01-01",
         (struct query_list_reader){SLICE(STORE_ALL_TENANTS), SLICE_EMPTY}, arena, &statement);
    assert_text(statement.sql,
        COLUMN_SQL
        "FROM shop.things\n"
        "WHERE timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')\n"
        "  AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')\n"
        "  AND timestamp <= fromUnixTimestamp64Nano({cursor_ns:Int64}, 'UTC')\n"
        "  AND (query_time, query_id) < ({cursor_ns:Int64}, {cursor_id:String})\n"
        "ORDER BY timestamp DESC, query_id DESC\n"
        "LIMIT 1 BY query_id\n"
        "LIMIT {limit:UInt32}\n");
    assert_text(parameter(&statement, "cursor_id"), "0190a6f0-0000-7000-8000-000000000001");
    assert_text(parameter(&statement, "limit"), "3");
    arena_destroy(arena);
}

static void a_list_without_an_owner_is_refused(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_list_plan plan;
    struct query_statement statement;
    struct error error = {0};
    assert_int_equal(ERROR_NONE, parse("", arena, &plan, &error));
    struct query_list_reader reader = {SLICE_EMPTY, SLICE("t")};
    assert_int_equal(ERROR_FORBIDDEN, query_list_statement(&plan, &reader, arena, &statement, &error));
    arena_destroy(arena);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct { const char *text, *field, *message; } cases[] = {
        {"acton=x", "acton", "unknown parameter \"acton\". Did you mean \"action\"? The list things knows: from, to, period, timezone, limit, cursor, action, user_id"},
        {"number=1", "number", NULL},
        {"limit=0", "limit", "limit=0 must be a number from 1 to 1000"},
        {"limit=1001", "limit", NULL},
        {"limit=x", "limit", NULL},
        {"limit=1&limit=2", "limit", "limit is given twice"},
        {"cursor=", "cursor", NULL},
        {"cursor=1.x", "cursor", NULL},
        {"cursor=x.0190a6f0-0000-7000-8000-000000000001", "cursor", NULL},
        {"from=2026-01-02&to=2026-01-01", "from", NULL},
        {"from=yesterday", "from", NULL},
        {"action=a\xFF", "action", "action must be UTF-8 text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_create(0);
        struct query_list_plan plan;
        struct error error = {0};
        if (parse(cases[i].text, arena, &plan, &error) != ERROR_INVALID) fail_msg("%s", cases[i].text);
        assert_string_equal(error.field, cases[i].field);
        if (cases[i].message) assert_string_equal(error.message, cases[i].message);
        arena_destroy(arena);
    }
}

static const struct block_type TEXT = {.kind = BLOCK_STRING}, UUID = {.kind = BLOCK_UUID}, INT64 = {.kind = BLOCK_INT64},
                               NANOSECONDS = {.kind = BLOCK_DATETIME64, .parameter = 9};
static const struct block_schema_column answer_columns[] = {
    {"query_column_1", &UUID}, {"query_column_2", &NANOSECONDS}, {"query_column_3", &TEXT}, {"query_column_4", &TEXT},
    {"query_column_5", &INT64}, {"query_column_6", &TEXT}, {"query_time", &INT64}, {"query_id", &TEXT}};
static const struct block_schema answer_schema = {"x", "y", answer_columns, 8};

static void append_answer_row(struct block *block, int64_t ns, const char *id, const char *metadata)
{
    struct uuid uuid;
    assert_true(uuid_parse(slice_from_string(id), &uuid));
    block_append_uuid(block, 0, &uuid);
    block_append_int(block, 1, ns);
    block_append_string(block, 2, SLICE("key.created"));
    block_append_string(block, 3, SLICE("\"u\""));
    block_append_int(block, 4, 7);
    block_append_string(block, 5, slice_from_string(metadata));
    block_append_int(block, 6, ns);
    block_append_string(block, 7, slice_from_string(id));
    block_row_commit(block);
}

static void rows_become_json_and_the_cursor_is_the_last_shown_row(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_list_plan plan;
    struct error error = {0};
    struct buffer native = {0}, out = {0};
    struct block *block = block_create(&answer_schema);
    append_answer_row(block, 1767225600000000003, "0190a6f0-0000-7000-8000-000000000003", "{\"a\":[1,2]}");
    append_answer_row(block, 1767225600000000002, "0190a6f0-0000-7000-8000-000000000002", "{broken");
    append_answer_row(block, 1767225600000000001, "0190a6f0-0000-7000-8000-000000000001", "{}");
    assert_int_equal(ERROR_NONE, block_seal(block, &error));
    block_write_native(block, NULL, 0, &native);
    block_destroy(block);

#define ROW(n, metadata)                                                                                       \
    "{\"id\":\"0190a6f0-0000-7000-8000-00000000000" n "\",\"timestamp\":\"2026-01-01T00:00:00.000Z\","         \
    "\"action\":\"key.created\",\"user_id\":\"\\\"u\\\"\",\"number\":7,\"metadata\":" metadata "}"
    assert_int_equal(ERROR_NONE, parse("limit=2", arena, &plan, &error));
    assert_int_equal(ERROR_NONE, query_list_answer(&plan, buffer_slice(&native), arena, &out, &error));
    assert_text(buffer_slice(&out), "{\"data\":[" ROW("3", "{\"a\":[1,2]}") "," ROW("2", "null")
                "],\"next_cursor\":\"1767225600000000002.0190a6f0-0000-7000-8000-000000000002\"}");
    buffer_clear(&out);
    assert_int_equal(ERROR_NONE, parse("limit=3", arena, &plan, &error));
    assert_int_equal(ERROR_NONE, query_list_answer(&plan, buffer_slice(&native), arena, &out, &error));
    assert_text(slice_from(buffer_slice(&out), out.size - 22), "}}],\"next_cursor\":null}" + 1);
    buffer_clear(&out);
    assert_int_equal(ERROR_NONE, query_list_answer(&plan, SLICE_EMPTY, arena, &out, &error));
    assert_text(buffer_slice(&out), "{\"data\":[],\"next_cursor\":null}");

    /* Bytes that are not an answer leave what was there alone. */
    assert_int_equal(ERROR_CORRUPT, query_list_answer(&plan, slice_first(buffer_slice(&native), 40), arena, &out, &error));
    assert_text(buffer_slice(&out), "{\"data\":[],\"next_cursor\":null}");
    buffer_free(&native);
    buffer_free(&out);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_reads_only_its_owners_rows),
        cmocka_unit_test(a_list_without_an_owner_is_refused),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(rows_become_json_and_the_cursor_is_the_last_shown_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The exact SQL of each question, the tenant in every read, and the asker's words only in parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "query/test_catalog.h"

#define MARKER "Mark'er\\42"

static size_t make(enum query_question question, const char *text, struct arena *arena,
                   struct query_statement statements[QUERY_STATEMENT_LIMIT])
{
    struct query_plan plan;
    struct error error = {0};
    size_t count = 0;
    if (test_plan(question, text, arena, &plan, &error)) fail_msg("%s: %s", text, error.message);
    assert_int_equal(query_statement_make(question, &plan, SLICE("t'1"), arena, statements, &count, &error),
                     ERROR_NONE);
    return count;
}

static struct slice parameter(const struct query_statement *statement, const char *name)
{
    for (size_t i = 0; i < statement->parameter_count; i++) {
        if (slice_equal(statement->parameters[i].name, slice_from_string(name))) return statement->parameters[i].value;
    }
    return SLICE_EMPTY;
}

static void assert_text(struct slice is, const char *expected)
{
    if (!slice_equal(is, slice_from_string(expected))) fail_msg("is:\n%.*s\nexpected:\n%s", SLICE_ARGS(is), expected);
}

static void timeseries_is_one_read_with_totals(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_statement statements[QUERY_STATEMENT_LIMIT];
    assert_int_equal(make(QUERY_TIMESERIES, "measures=visitors,page_views&from=2026-01-01&to=2026-01-02&interval=day&"
                          "filter=path:is:/a|it's|c\\d&filter=name:not_contains:x", arena, statements), 1);
    assert_text(statements[0].sql,
        "SELECT\n"
        "    grouping(query_bucket) AS query_is_total,\n"
        "    roundDown(toUnixTimestamp64Milli(created_at), [1767225600000,1767312000000]) AS query_bucket,\n"
        "    uniqExactIf(device_id, device_id != '') AS query_measure_1,\n"
        "    countIf(name = 'screen_view') AS query_measure_2\n"
        "FROM analytics.events\n"
        "WHERE tenant_id = {tenant:String}\n"
        "  AND created_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')\n"
        "  AND created_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')\n"
        "  AND path IN {filter_1:Array(String)}\n"
        "  AND NOT multiSearchAnyCaseInsensitiveUTF8(name, {filter_2:Array(String)})\n"
        "GROUP BY query_bucket WITH ROLLUP\n"
        "ORDER BY query_is_total, query_bucket\n");
    assert_text(parameter(&statements[0], "tenant"), "t'1");
    assert_text(parameter(&statements[0], "from_ms"), "1767225600000");
    assert_text(parameter(&statements[0], "to_ms"), "1767398400000");
    assert_text(parameter(&statements[0], "filter_1"), "['/a','it''s','c\\d']");
    assert_text(parameter(&statements[0], "filter_2"), "['x']");
    arena_destroy(arena);
}

static void top_reads_the_list_then_totals_then_the_period_before(void **state)
{
    struct arena *arena = arena_create(0);
    struct query_statement statements[QUERY_STATEMENT_LIMIT];
    assert_int_equal(make(QUERY_TOP, "dimension=path&measures=page_views&from=2026-01-03&to=2026-01-04&limit=5&"
                          "compare=previous", arena, statements), 3);
    assert_text(statements[0].sql,
        "SELECT\n"
        "    query_now.query_value AS query_value,\n"
        "    query_now.query_measure_1 AS query_measure_1,\n"
        "    query_before.query_present AS query_present,\n"
        "    query_before.query_measure_1 AS query_previous_1\n"
        "FROM (\n"
        "SELECT\n"
        "    toString(path) AS query_value,\n"
        "    countIf(name = 'screen_view') AS query_measure_1\n"
        "FROM analytics.events\n"
        "WHERE tenant_id = {tenant:String}\n"
        "  AND created_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')\n"
        "  AND created_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')\n"
        "  AND (name = 'screen_view')\n"
        "GROUP BY query_value\n"
        "ORDER BY query_measure_1 DESC, query_value ASC\n"
        "LIMIT {limit:UInt32}\n"
        ") AS query_now\n"
        "LEFT JOIN (\n"
        "SELECT toUInt8(1) AS query_present, * FROM (\n"
        "SELECT\n"
        "    toString(path) AS query_value,\n"
        "    countIf(name = 'screen_view') AS query_measure_1\n"
        "FROM analytics.events\n"
        "WHERE tenant_id = {tenant:String}\n"
        "  AND created_at >= fromUnixTimestamp64Milli({previous_from_ms:Int64}, 'UTC')\n"
        "  AND created_at < fromUnixTimestamp64Milli({previous_to_ms:Int64}, 'UTC')\n"
        "  AND (name = 'screen_view')\n"
        "GROUP BY query_value\n"
        ")\n"
        ") AS query_before ON query_now.query_value = query_before.query_value\n"
        "ORDER BY query_measure_1 DESC, query_value ASC\n");
    assert_text(parameter(&statements[0], "limit"), "5");
    assert_text(parameter(&statements[0], "previous_from_ms"), "1767225600000");
    assert_text(parameter(&statements[0], "previous_to_ms"), "1767398400000");
    assert_text(statements[1].sql,
        "SELECT\n"
        "    toUInt8(1) AS query_is_total,\n"
        "    countIf(name = 'screen_view') AS query_measure_1\n"
        "FROM analytics.events\n"
        "WHERE tenant_id = {tenant:String}\n"
        "  AND created_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')\n"
        "  AND created_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')\n"
        "  AND (name = 'screen_view')\n");
    assert_true(slice_equal(statements[1].sql, statements[2].sql));
    assert_text(parameter(&statements[1], "from_ms"), "1767398400000");
    assert_text(parameter(&statements[2], "from_ms"), "1767225600000");
    assert_text(parameter(&statements[2], "to_ms"), "1767398400000");
    arena_destroy(arena);
}

static size_t count_of(struct slice text, const char *needle)
{
    size_t count = 0;
    ptrdiff_t at;
    while ((at = slice_find(text, slice_from_string(needle))) >= 0) {
        text = slice_from(text, (size_t)at + strlen(needle));
        count++;
    }
    return count;
}

static void every_read_starts_with_the_tenant_and_holds_no_word_of_the_asker(void **state)
{
    static const struct { enum query_question question; const char *text; } cases[] = {
        {QUERY_TIMESERIES, "timezone=Europe/Berlin"},
        {QUERY_TIMESERIES, "compare=previous&filter=path:is:" MARKER "&filter=name:is_not:" MARKER},
        {QUERY_TIMESERIES, "interval=month&filter=path:contains:" MARKER "&filter=name:not_contains:" MARKER},
        {QUERY_TIMESERIES, "measures=events,sessions&filter=device:starts_with:" MARKER},
        {QUERY_TOP, "dimension=path"},
        {QUERY_TOP, "dimension=name&compare=previous&filter=path:is:" MARKER "&filter=name:is_not:" MARKER},
        {QUERY_TOP, "dimension=device&filter=path:contains:" MARKER "&filter=name:not_contains:" MARKER},
        {QUERY_TOP, "dimension=path&compare=previous&filter=device:starts_with:" MARKER},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query_statement statements[QUERY_STATEMENT_LIMIT];
        size_t count = make(cases[i].question, cases[i].text, arena, statements);
        for (size_t j = 0; j < count; j++) {
            struct slice sql = statements[j].sql;
            size_t reads = count_of(sql, "analytics.events");
            assert_true(reads >= 1);
            assert_int_equal(count_of(sql, "FROM analytics.events\nWHERE tenant_id = {tenant:String}\n  AND "), reads);
            assert_int_equal(count_of(sql, " OR "), 0);
            assert_int_equal(count_of(sql, "Mark"), 0);
            assert_int_equal(count_of(sql, "Berlin"), 0);
            assert_text(parameter(&statements[j], "tenant"), "t'1");
            /* Every parameter of the text is given, and none besides. */
            size_t used = 0;
            for (size_t k = 0; k < statements[j].parameter_count; k++) {
                char name[80];
                snprintf(name, sizeof name, "{%.*s:", SLICE_ARGS(statements[j].parameters[k].name));
                assert_true(count_of(sql, name) >= 1);
                used += count_of(sql, name);
            }
            assert_int_equal(used, count_of(sql, "{"));
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void refuses_to_ask_without_a_tenant_and_reports_lack_of_memory(void **state)
{
    struct arena *arena = arena_create(0), *small = arena_create(300);
    struct query_plan plan;
    struct error error = {0};
    struct query_statement statements[QUERY_STATEMENT_LIMIT];
    size_t count;
    assert_int_equal(test_plan(QUERY_TIMESERIES, "", arena, &plan, &error), ERROR_NONE);
    assert_int_equal(query_statement_make(QUERY_TIMESERIES, &plan, SLICE_EMPTY, arena, statements, &count, &error),
                     ERROR_FORBIDDEN);
    assert_int_equal(query_statement_make(QUERY_TIMESERIES, &plan, SLICE("a"), small, statements, &count, &error),
                     ERROR_MEMORY);
    arena_destroy(small);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeseries_is_one_read_with_totals),
        cmocka_unit_test(top_reads_the_list_then_totals_then_the_period_before),
        cmocka_unit_test(every_read_starts_with_the_tenant_and_holds_no_word_of_the_asker),
        cmocka_unit_test(refuses_to_ask_without_a_tenant_and_reports_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

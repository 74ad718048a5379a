/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and TraceQL: what is understood, what it becomes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domains/observability/ask/traces/dialect.h"

static void test_durations_are_read_as_go_writes_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"5ns", 5},
                {"20us", 20000},
                {"20\xC2\xB5s", 20000},
                {"20\xCE\xBCs", 20000},
                {"100ms", 100000000},
                {"1.5s", 1500000000},
                {".5s", 500000000},
                {"1m", 60000000000},
                {"1h30m", 5400000000000},
                {"2d", INT64_C(172800000000000)},
                {"0s", 0}};
    static const char *const bad[] = {
        "",   "5", "ms", "-5s", "+5s", "1e3s", "0x5s", "1..5s", "5 s", "5sec", "nan", "infs", "99999999999999999999h",
        "1s1"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ns = -1;
        assert_true(traces_duration_parse(slice_from_string(good[i].text), &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns;
        if (traces_duration_parse(slice_from_string(bad[i]), &ns))
            fail_msg("%s was read as %lld", bad[i], (long long)ns);
    }
}

static void test_traceql_becomes_conditions_with_parameters(void **state)
{
    static const struct {
        const char *query, *sql, *parameters;
    } cases[] = {
        {"", "", ""},
        {" { } ", "", ""},
        {"{true}", " AND ((1))", ""},
        {"{ name = \"a'b\" }", " AND ((((span_name IN {p1:Array(String)}))))", "['a''b'];"},
        {"{ duration > 1.5s && kind=server }",
         " AND ((((duration_nano > {p1:Float64})) AND ((span_kind IN {p2:Array(String)}))))", "1500000000;['server'];"},
        {"{ span.x >= 5 || false }",
         " AND ((((toFloat64OrNull(other_attributes[{p1:String}]) >= {p2:Float64}))) OR (0))", "x;5;"},
        {"{ nestedSetParent<0 }", " AND (((substring(span_ids, 9, 8) = repeat('\\0', 8))))", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct buffer parameters = {0};
        struct query_context context = {.arena = arena_create(0)};
        struct traces_filter filter;
        traces_filter_init(&context, 1, 2, &filter);
        if (traces_traceql_parse(&filter, slice_from_string(cases[i].query), &error))
            fail_msg("%s: %s", cases[i].query, error.message);
        for (size_t j = 0; j < filter.text.parameter_count; j++) {
            buffer_append_slice(&parameters, filter.text.parameters[j].value);
            buffer_append_byte(&parameters, ';');
        }
        buffer_append_byte(&parameters, 0);
        struct slice sql = traces_filter_conditions(&filter);
        if (!slice_equal(sql, slice_from_string(cases[i].sql)))
            fail_msg("%s became %.*s", cases[i].query, SLICE_ARGS(sql));
        assert_string_equal(parameters.data, cases[i].parameters);
        buffer_free(&parameters);
        arena_destroy(context.arena);
    }
}

static void test_traceql_names_the_place_of_what_it_does_not_know(void **state)
{
    static const struct {
        const char *query;
        int at;
    } cases[] = {{"x", 1},          {"{ rootName = `a` }", 3},      {"{ name ~ `a` }", 8},
                 {"{ name = }", 9}, {"{ true } | count() > 1", 10}, {"{ (true }", 9}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[40];
        struct error error = {0};
        struct query_context context = {.arena = arena_create(0)};
        struct traces_filter filter;
        traces_filter_init(&context, 1, 2, &filter);
        snprintf(wanted, sizeof wanted, "TraceQL, at character %d,", cases[i].at);
        assert_int_equal(traces_traceql_parse(&filter, slice_from_string(cases[i].query), &error), ERROR_INVALID);
        if (!strstr(error.message, wanted)) fail_msg("%s: %s", cases[i].query, error.message);
        arena_destroy(context.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_read_as_go_writes_them),
        cmocka_unit_test(test_traceql_becomes_conditions_with_parameters),
        cmocka_unit_test(test_traceql_names_the_place_of_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

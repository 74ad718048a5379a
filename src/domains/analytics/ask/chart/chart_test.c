/* SPDX-License-Identifier: Apache-2.0 */
/* From a body to statements: what is read, what is refused, that every statement names the tenant and holds no word of the asker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "domains/analytics/ask/chart/chart.h"

#define STATEMENT_LIMIT 16

/* An event store that has no rows, and remembers what it was asked. */
struct asked {
    struct query_context context; /* first */
    struct json_parser *parser;
    struct slice statements[STATEMENT_LIMIT];
    size_t statement_count, parameter_count;
};

static enum error_code remember(struct query_context *context, const struct query_text *text, const char *format,
                                struct buffer *out, struct error *error)
{
    struct asked *asked = (struct asked *)context;
    enum error_code code = query_text_check(text, error);
    if (code) return code;
    /* Whether there are aliases is asked once in a while: not of the chart. */
    if (slice_find(query_text_sql(text), SLICE("profile_aliases")) >= 0) return ERROR_NONE;
    assert_true(asked->statement_count < STATEMENT_LIMIT);
    asked->statements[asked->statement_count++] = arena_copy(context->arena, query_text_sql(text));
    asked->parameter_count += text->parameter_count;
    return ERROR_NONE;
}

static void begin(struct asked *asked, const char *body)
{
    *asked = (struct asked){.context = {.tenant = SLICE("tenant"), .now_ms = 1795255200000, .arena = arena_create(0), .run = remember},
                            .parser = json_parser_create()};
    struct error error = {0};
    char *padded = arena_allocate(asked->context.arena, strlen(body) + JSON_PADDING);
    assert_non_null(padded);
    memset(padded, 0, strlen(body) + JSON_PADDING);
    memcpy(padded, body, strlen(body));
    if (json_parse(asked->parser, slice_make(padded, strlen(body)), &asked->context.body, &error)) fail_msg("%s: %s", body, error.message);
    asked->context.has_body = true;
}

static void end(struct asked *asked)
{
    query_context_close(&asked->context);
    json_parser_destroy(asked->parser);
    arena_destroy(asked->context.arena);
}

static enum error_code ask(struct asked *asked, struct chart_plan *plan, struct chart_result *result, struct error *error)
{
    enum error_code code = chart_plan_read(&asked->context, false, plan, error);
    return code ? code : chart_ask(&asked->context, plan, result, error);
}

static void words_of_both_products_are_read(void **state)
{
    static struct chart_plan plan;
    struct chart_result result;
    struct asked asked;
    struct error error = {0};
    begin(&asked, "{\"chartType\": \"area\", \"range\": \"custom\", \"startDate\": \"2026-01-05\", \"end_date\": \"2026-01-06\", \"interval\": \"hour\","
                  "\"previous\": true, \"series\": [\"signup\", {\"type\": \"event\", \"name\": \"*\", \"segment\": \"property_sum\", \"property\": \"revenue\","
                  "\"displayName\": \"Money\", \"id\": \"m\"}, {\"type\": \"formula\", \"formula\": \"A+B\", \"hideSeries\": true}, {\"name\": \"a\", \"measure\": \"p95\","
                  "\"property\": \"properties.x\"}], \"breakdowns\": [\"country\", {\"name\": \"os\"}], \"limit\": 3, \"rest\": true}");
    if (ask(&asked, &plan, &result, &error)) fail_msg("%s", error.message);
    assert_string_equal(plan.kind, "area");
    assert_true(plan.is_dated && plan.span.has_previous && plan.has_rest);
    assert_int_equal(plan.span.range.bucket_count, 48);
    assert_int_equal(plan.series_count, 4);
    assert_int_equal(plan.series[1].measure, CHART_SUM);
    assert_int_equal(plan.series[3].measure, CHART_P95);
    assert_true(slice_equal(plan.series[1].id, SLICE("m")) && slice_equal(plan.series[0].id, SLICE("A")));
    assert_true(plan.series[0].is_hidden && plan.series[1].is_hidden && !plan.series[2].is_hidden && !plan.series[3].is_hidden);
    assert_int_equal(plan.breakdown_count, 2);
    assert_int_equal(plan.limit, 3);
    /* No row has any label: nothing more is asked. */
    assert_int_equal(asked.statement_count, 1);
    assert_int_equal(result.line_count, 0);
    end(&asked);
}

static void gaps_are_filled_and_one_scan_answers_all_series(void **state)
{
    static struct chart_plan plan;
    struct chart_result result;
    struct asked asked;
    struct error error = {0};
    begin(&asked, "{\"from\": \"2026-01-05\", \"to\": \"2026-01-11\", \"compare\": \"previous\", \"series\": [{\"name\": \"a\"}, {\"name\": \"b\", \"measure\": \"people\"},"
                  "{\"name\": \"c\", \"measure\": \"one_event_per_person\"}, {\"formula\": \"1 + A\"}]}");
    if (ask(&asked, &plan, &result, &error)) fail_msg("%s", error.message);
    /* Two scans, totals and days, now and before. */
    assert_int_equal(asked.statement_count, 8);
    assert_int_equal(result.line_count, 4);
    assert_int_equal(result.value_count, 7);
    for (size_t point = 0; point < 7; point++) {
        assert_true(result.lines[0].now.values[point] == 0 && result.lines[2].before.values[point] == 0);
        assert_true(result.lines[3].now.values[point] == 1);
    }
    assert_true(result.lines[3].now.metrics.sum == 7 && result.lines[3].now.metrics.average == 1);
    end(&asked);
}

static void what_is_asked_becomes_parameters_in_statements_that_name_the_tenant(void **state)
{
    static const char *const bodies[] = {
        "{\"series\": [{\"name\": \"x_evil') OR 1=1 --\", \"filters\": [{\"name\": \"path\", \"operator\": \"is\", \"value\": \"x_evil'\"}]}], \"breakdowns\": [\"path\"]}",
        "{\"series\": [{\"name\": \"a\", \"measure\": \"sum\", \"property\": \"properties.x_evil']) FROM system.one --\"}]}",
        "{\"series\": [\"a\"], \"breakdowns\": [\"properties.x_evil', 1)\", \"properties.__query.x_evil\", \"properties.x_evil*\"]}",
        "{\"series\": [{\"name\": \"*\", \"label\": \"x_evil\", \"id\": \"x_evil\", \"measure\": \"one_event_per_person\"}], \"filters\": [{\"name\": \"country\", \"operator\": \"isNot\", \"value\": [\"x_evil\"]}]}",
    };
    static struct chart_plan plan;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct chart_result result;
        struct asked asked;
        struct error error = {0};
        begin(&asked, bodies[i]);
        if (ask(&asked, &plan, &result, &error)) fail_msg("%s: %s", bodies[i], error.message);
        assert_true(asked.statement_count > 0 && asked.parameter_count > 0);
        for (size_t j = 0; j < asked.statement_count; j++) {
            assert_true(slice_find(asked.statements[j], SLICE("FROM analytics.events WHERE tenant_id = {tenant:String} AND created_at >= ")) >= 0);
            if (slice_find(asked.statements[j], SLICE("x_evil")) >= 0) fail_msg("%.*s", SLICE_ARGS(asked.statements[j]));
        }
        end(&asked);
    }
}

static void mistakes_are_named(void **state)
{
    static const struct { const char *body, *field; } cases[] = {
        {"{}", "series"}, {"[]", "series"}, {"{\"series\": {}}", "series"}, {"{\"series\": [null]}", "series[0]"}, {"{\"series\": [[]]}", "series[0]"},
        {"{\"series\": [\"\"]}", "series[0]"}, {"{\"series\": [{\"name\": 7}]}", "series[0].name"}, {"{\"series\": [{\"name\": \"a\", \"measure\": {}}]}", "series[0].measure"},
        {"{\"series\": [{\"name\": \"a\", \"measure\": \"median\"}]}", "series[0].property"}, {"{\"series\": [{\"name\": \"a\", \"filters\": 3}]}", "series[0].filters"},
        {"{\"series\": [{\"name\": \"a\", \"filters\": [3]}]}", "filters"}, {"{\"series\": [{\"type\": \"formula\"}]}", "formula"},
        {"{\"series\": [{\"formula\": \"A\"}]}", "series[0].formula"}, {"{\"series\": [\"a\", {\"formula\": \"A\"}, {\"formula\": \"C\"}]}", "series[2].formula"},
        {"{\"series\": [{\"formula\": \"1\"}]}", "series"}, {"{\"series\": [\"a\"], \"breakdowns\": {}}", "breakdowns"}, {"{\"series\": [\"a\"], \"breakdowns\": [[]]}", "breakdowns"},
        {"{\"series\": [\"a\"], \"filters\": {}}", "filters"}, {"{\"series\": [\"a\"], \"chart\": \"sankey\"}", "chart"}, {"{\"series\": [\"a\"], \"limit\": -1}", "limit"},
        {"{\"series\": [\"a\"], \"previous\": \"yes\"}", "previous"}, {"{\"series\": [\"a\"], \"compare\": \"never\"}", "compare"}, {"{\"series\": [\"a\"], \"range\": \"9y\"}", "range"},
        {"{\"series\": [\"a\"], \"timezone\": \"Mars\"}", "timezone"}, {"{\"series\": [\"a\"], \"startDate\": \"soon\", \"endDate\": \"later\"}", "startDate"},
    };
    static struct chart_plan plan;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct chart_result result;
        struct asked asked;
        struct error error = {0};
        begin(&asked, cases[i].body);
        if (ask(&asked, &plan, &result, &error) != ERROR_INVALID) fail_msg("%s is taken", cases[i].body);
        if (strcmp(error.field, cases[i].field) != 0) fail_msg("%s: %s: %s", cases[i].body, error.field, error.message);
        end(&asked);
    }
}

static void changes_are_of_the_earlier_figure(void **state)
{
    static const struct { double now, before, percent, ratio; bool has_percent, has_ratio; const char *state; } cases[] = {
        {150, 100, 50, 50, true, true, "positive"}, {50, 100, -50, 100, true, true, "negative"}, {7, 7, 0, 0, true, false, "neutral"},
        {5, 0, 0, 0, false, false, "positive"}, {0, 5, -100, 0, true, false, "negative"}, {0, 0, 0, 0, false, false, "neutral"},
        {2, 3, -33.3, 50, true, true, "negative"}, {-5, -10, 50, -50, true, true, "positive"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct chart_change change = chart_change_make(cases[i].now, cases[i].before);
        assert_true(change.has_percent == cases[i].has_percent && change.has_ratio == cases[i].has_ratio);
        if (change.has_percent) assert_true(change.percent == cases[i].percent);
        if (change.has_ratio) assert_true(change.ratio == cases[i].ratio);
        assert_string_equal(change.state, cases[i].state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_both_products_are_read),
        cmocka_unit_test(gaps_are_filled_and_one_scan_answers_all_series),
        cmocka_unit_test(what_is_asked_becomes_parameters_in_statements_that_name_the_tenant),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(changes_are_of_the_earlier_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

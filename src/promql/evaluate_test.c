/* SPDX-License-Identifier: Apache-2.0 */
/* What expressions give, worked out by hand; limits; JSON. tests/e2e/promql_reference.test.mjs asks Prometheus itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "promql/test_series.h"

/* A counter that falls once; a gauge with a marker of its end and a return; buckets; two jobs. Times in ms. */
static const char *const store =
    "__name__ c job x|0 0 60000 60 120000 20 180000 80 240000 140\n"
    "__name__ c job y|0 100 60000 130 120000 160 180000 190 240000 220\n"
    "__name__ g job x|0 1 60000 2 120000 stale 180000 4\n"
    "__name__ g job y|0 -1 60000 nan 120000 3 180000 0.5\n"
    "__name__ h le 0.1|0 10 60000 10\n"
    "__name__ h le 0.5|0 30 60000 9\n"
    "__name__ h le +Inf|0 40 60000 12\n"
    "__name__ info job x version 1|0 1 600000 1\n"
    "__name__ info job y version 2|0 1 600000 1\n"
    "__name__ far job x|0 7\n";

struct fixture {
    struct test_series series;
    struct arena *arena;
    struct error error;
    struct promql_result result;
    struct buffer out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    f->arena = arena_create(0);
    return !test_series_read(slice_from_string(store), &f->series);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_destroy(f->series.arena);
    arena_destroy(f->arena);
    buffer_free(&f->out);
    free(f);
    return 0;
}

static enum error_code ask(struct fixture *f, const char *text, struct promql_query query)
{
    struct promql_expression *expression;
    if (!query.fetch) query.fetch = test_series_fetch;
    if (!query.context) query.context = &f->series;
    arena_reset(f->arena);
    buffer_clear(&f->out);
    if (promql_parse(slice_from_string(text), &expression, &f->error)) fail_msg("%s: %s", text, f->error.message);
    enum error_code code = promql_evaluate(expression, &query, f->arena, &f->result, &f->error);
    if (!code) promql_result_write_json(&f->result, &f->out);
    buffer_append_byte(&f->out, 0);
    promql_expression_free(expression);
    return code;
}

/* Only what stands in "result" of the answer. */
static void expect(struct fixture *f, const char *text, struct promql_query query, const char *result)
{
    if (ask(f, text, query)) fail_msg("%s: %s", text, f->error.message);
    const char *found = strstr(f->out.data, "\"result\":");
    assert_non_null(found);
    found += strlen("\"result\":");
    size_t size = strlen(found) - 1;
    if (size != strlen(result) || memcmp(found, result, size))
        fail_msg("%s: %.*s, not %s", text, (int)size, found, result);
}

struct example {
    const char *text;
    int64_t time_ms;
    const char *result;
};

static void expect_all(struct fixture *f, const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(f, examples[i].text, (struct promql_query){.start_ms = examples[i].time_ms}, examples[i].result);
}
#define EXPECT_ALL(...)                                                                                                \
    do {                                                                                                               \
        const struct example examples[] = {__VA_ARGS__};                                                               \
        expect_all(*state, examples, sizeof examples / sizeof *examples);                                              \
    } while (0)
#define X(value) "{\"metric\":{\"job\":\"x\"},\"value\":" value "}"
#define Y(value) "{\"metric\":{\"job\":\"y\"},\"value\":" value "}"
#define NONE(value) "[{\"metric\":{},\"value\":" value "}]"
#define BOTH(x, y) "[" X(x) "," Y(y) "]"

static void an_instant_sees_the_newest_sample_of_the_lookback(void **state)
{
    EXPECT_ALL({"far", 0, "[{\"metric\":{\"__name__\":\"far\",\"job\":\"x\"},\"value\":[0,\"7\"]}]"},
               {"far", 300000, "[{\"metric\":{\"__name__\":\"far\",\"job\":\"x\"},\"value\":[300,\"7\"]}]"},
               {"far", 300001, "[]"}, {"far", -1, "[]"},
               {"far offset -1m", -60000, "[{\"metric\":{\"__name__\":\"far\",\"job\":\"x\"},\"value\":[-60,\"7\"]}]"},
               {"far @ 0", 9000001, "[{\"metric\":{\"__name__\":\"far\",\"job\":\"x\"},\"value\":[9000.001,\"7\"]}]"},
               {"timestamp(far)", 1500, "[" X("[1.500,\"0\"]") "]"});
    struct fixture *f = *state;
    expect(f, "far", (struct promql_query){.start_ms = 2000, .lookback_ms = 1000}, "[]");
}

static void a_stale_marker_ends_a_series_until_its_next_sample(void **state)
{
    EXPECT_ALL({"sum by (job) (g)", 119999, BOTH("[119.999,\"2\"]", "[119.999,\"NaN\"]")},
               {"sum by (job) (g)", 120000, "[" Y("[120,\"3\"]") "]"},
               {"sum by (job) (g)", 179999, "[" Y("[179.999,\"3\"]") "]"},
               {"sum by (job) (g)", 180000, BOTH("[180,\"4\"]", "[180,\"0.5\"]")},
               {"count_over_time(g{job='x'}[5m])", 180000, "[" X("[180,\"3\"]") "]"});
}

static void rates_are_stretched_to_the_range_but_not_below_zero(void **state)
{
    EXPECT_ALL(
        /* 60, reset, 20, 60, 60 more: 200 in 240 s of 300 s. The first sample is zero: nothing is added before it. */
        {"increase(c{job='x'}[5m])", 240000, "[" X("[240,\"200\"]") "]"},
        /* 120 in 240 s; both ends are within 1.1 distances: the whole 300 s. */
        {"increase(c{job='y'}[5m])", 270000, "[" Y("[270,\"150\"]") "]"},
        {"rate(c{job='y'}[5m])", 270000, "[" Y("[270,\"0.5\"]") "]"},
        /* Two samples of a range of five minutes: half a distance on the far side. */
        {"delta(c{job='y'}[5m])", 60000, "[" Y("[60,\"45\"]") "]"}, {"rate(c{job='y'}[30s])", 240000, "[]"},
        {"irate(c[5m])", 120000, BOTH("[120,\"0.3333333333333333\"]", "[120,\"0.5\"]")},
        {"idelta(c[5m])", 120000, BOTH("[120,\"-40\"]", "[120,\"30\"]")},
        {"resets(c[5m])", 240000, BOTH("[240,\"1\"]", "[240,\"0\"]")},
        {"changes(g{job='y'}[5m])", 180000, "[" Y("[180,\"3\"]") "]"},
        {"deriv(c{job='y'}[5m])", 240000, "[" Y("[240,\"0.5\"]") "]"},
        {"predict_linear(c{job='y'}[5m], 60)", 240000, "[" Y("[240,\"250\"]") "]"});
}

static void values_over_time_are_combined(void **state)
{
    EXPECT_ALL({"sum_over_time(c[3m])", 240000, BOTH("[240,\"300\"]", "[240,\"700\"]")},
               {"avg_over_time(c[3m])", 240000, BOTH("[240,\"75\"]", "[240,\"175\"]")},
               {"min_over_time(c[3m])", 240000, BOTH("[240,\"20\"]", "[240,\"130\"]")},
               {"max_over_time(g{job='y'}[5m])", 60000, "[" Y("[60,\"-1\"]") "]"},
               {"quantile_over_time(0.5, c[3m])", 240000, BOTH("[240,\"70\"]", "[240,\"175\"]")},
               {"stdvar_over_time(c{job='y'}[2m])", 240000, "[" Y("[240,\"600\"]") "]"},
               {"last_over_time(far[1h])", 3600000, "[{\"metric\":{\"__name__\":\"far\",\"job\":\"x\"},\"value\":[3600,\"7\"]}]"},
               {"present_over_time(far[1m])", 60001, "[]"},
               {"absent_over_time(far[1m])", 60001, NONE("[60.001,\"1\"]")},
               {"absent_over_time(far{job='x'}[1m])", 60000, "[]"},
               {"absent(nothing{job='z',a=~'b'})", 0, "[{\"metric\":{\"job\":\"z\"},\"value\":[0,\"1\"]}]"},
               {"max_over_time(sum(c)[4m:1m])", 250000, NONE("[250,\"360\"]")});
}

static void aggregations_make_groups(void **state)
{
    EXPECT_ALL({"sum(c)", 240000, NONE("[240,\"360\"]")}, {"avg(c)", 240000, NONE("[240,\"180\"]")},
               {"count by (job) (h or c)", 0, "[{\"metric\":{},\"value\":[0,\"3\"]}," X("[0,\"1\"]") "," Y("[0,\"1\"]") "]"},
               {"stdvar(c)", 240000, NONE("[240,\"1600\"]")}, {"stddev(c)", 240000, NONE("[240,\"40\"]")},
               {"max without (job) (c)", 240000, NONE("[240,\"220\"]")},
               {"min(g)", 60000, NONE("[60,\"2\"]")}, {"quantile(0.25, c)", 240000, NONE("[240,\"160\"]")},
               {"group(c)", 240000, NONE("[240,\"1\"]")},
               {"count_values('v', info)", 0, "[{\"metric\":{\"v\":\"1\"},\"value\":[0,\"2\"]}]"},
               {"topk(1, c)", 240000, "[{\"metric\":{\"__name__\":\"c\",\"job\":\"y\"},\"value\":[240,\"220\"]}]"},
               {"bottomk(1, g)", 60000, "[{\"metric\":{\"__name__\":\"g\",\"job\":\"x\"},\"value\":[60,\"2\"]}]"},
               {"topk(0, c)", 240000, "[]"});
}

static void operators_match_series_by_labels(void **state)
{
    EXPECT_ALL({"1 + 2 * 3 ^ 2 % 5", 0, "[0,\"4\"]"}, {"-2 ^ 2", 0, "[0,\"-4\"]"}, {"2 ^ 3 ^ 2", 0, "[0,\"512\"]"},
               {"1 > bool 2", 0, "[0,\"0\"]"},
               {"c - c offset 1m", 240000, BOTH("[240,\"60\"]", "[240,\"30\"]")},
               {"c / on (job) group_left (version) info", 240000,
                "[{\"metric\":{\"job\":\"x\",\"version\":\"1\"},\"value\":[240,\"140\"]},{\"metric\":{\"job\":\"y\",\"version\":\"2\"},\"value\":[240,\"220\"]}]"},
               {"200 < c", 240000, "[{\"metric\":{\"__name__\":\"c\",\"job\":\"y\"},\"value\":[240,\"220\"]}]"},
               {"c > bool 200", 240000, BOTH("[240,\"0\"]", "[240,\"1\"]")},
               {"sum by (job) (c) and on (job) g == 4", 180000, "[" X("[180,\"80\"]") "]"},
               {"sum by (job) (c) unless on (job) g == 4", 180000, "[" Y("[180,\"190\"]") "]"},
               {"vector(1) or far", 0, "[{\"metric\":{},\"value\":[0,\"1\"]},{\"metric\":{\"__name__\":\"far\",\"job\":\"x\"},\"value\":[0,\"7\"]}]"});
    struct fixture *f = *state;
    assert_int_equal(ERROR_INVALID, ask(f, "c * on () c", (struct promql_query){0}));
    assert_string_equal(
        "found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"c\", job=\"y\"}, "
        "{__name__=\"c\", job=\"x\"}];many-to-many matching not allowed: matching labels must be unique on one side",
        f->error.message);
    assert_int_equal(ERROR_INVALID, ask(f, "c * on () sum(c)", (struct promql_query){0}));
    assert_string_equal("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                        f->error.message);
    assert_int_equal(ERROR_INVALID, ask(f, "abs({__name__=~'c|g'})", (struct promql_query){0}));
    assert_string_equal("vector cannot contain metrics with the same labelset", f->error.message);
}

static void functions_change_values_and_labels(void **state)
{
    EXPECT_ALL(
        /* Rank 20 is in the middle of the bucket from 0.1 to 0.5; counts that fall are lifted; the highest has no end. */
        {"histogram_quantile(0.5, h)", 0, NONE("[0,\"0.30000000000000004\"]")},
        {"histogram_quantile(0.5, h)", 60000, NONE("[60,\"0.06\"]")},
        {"histogram_quantile(0.9, h)", 0, NONE("[0,\"0.5\"]")},
        {"histogram_quantile(0.9, h{le!='+Inf'})", 0, NONE("[0,\"NaN\"]")},
        {"label_replace(far, 'job', '$1-${1}$$', 'job', '(.*)')", 0, "[{\"metric\":{\"__name__\":\"far\",\"job\":\"x-x$\"},\"value\":[0,\"7\"]}]"},
        {"label_join(far, 'a', '/', 'job', 'none', 'job')", 0, "[{\"metric\":{\"__name__\":\"far\",\"a\":\"x//x\",\"job\":\"x\"},\"value\":[0,\"7\"]}]"},
        {"clamp(c, 150, 200)", 240000, BOTH("[240,\"150\"]", "[240,\"200\"]")}, {"clamp(c, 2, 1)", 240000, "[]"},
        {"round(far / 3, 0.5)", 0, "[" X("[0,\"2.5\"]") "]"},
        {"scalar(far) + scalar(c)", 0, "[0,\"NaN\"]"}, {"day_of_week(vector(-1))", 0, NONE("[0,\"3\"]")},
        {"days_in_month(vector(951782400))", 0, NONE("[0,\"29\"]")},
        {"day_of_year(vector(951782400))", 0, NONE("[0,\"60\"]")},
        {"hour(vector(-1)) * 100 + minute(vector(-1))", 0, NONE("[0,\"2359\"]")},
        {"year(vector(0 / 0))", 0, NONE("[0,\"NaN\"]")},
        {"sort_desc(g)", 60000, "[{\"metric\":{\"__name__\":\"g\",\"job\":\"x\"},\"value\":[60,\"2\"]},{\"metric\":{\"__name__\":\"g\",\"job\":\"y\"},\"value\":[60,\"NaN\"]}]"},
        {"holt_winters(c{job='y'}[5m], 0.5, 0.5)", 240000, "[" Y("[240,\"220\"]") "]"},
        {"time() - pi()", 5000, "[5,\"1.8584073464102069\"]"}, {"'te\"xt'", 1, "[0.001,\"te\\\"xt\"]"});
}

static void a_range_query_gives_a_matrix_sorted_by_labels(void **state)
{
    struct fixture *f = *state;
    struct promql_query query = {.start_ms = 60000, .end_ms = 185000, .step_ms = 60000};
    expect(
        f, "sort_desc(sum by (job) (g))", query,
        "[{\"metric\":{\"job\":\"x\"},\"values\":[[60,\"2\"],[180,\"4\"]]},{\"metric\":{\"job\":\"y\"},\"values\":[[60,\"NaN\"],[120,\"3\"],[180,\"0.5\"]]}]");
    expect(f, "time()", query, "[{\"metric\":{},\"values\":[[60,\"60\"],[120,\"120\"],[180,\"180\"]]}]");
    expect(f, "sum(c @ end())", query, "[{\"metric\":{},\"values\":[[60,\"270\"],[120,\"270\"],[180,\"270\"]]}]");
    /* Series that take turns under one label set are one series. */
    expect(f, "abs(g{job='x'} < 2 or far > 6 and far offset 1m)", query,
           "[{\"metric\":{\"job\":\"x\"},\"values\":[[60,\"7\"],[120,\"7\"],[180,\"7\"]]}]");
    assert_int_equal(PROMQL_MATRIX, f->result.type);
    assert_int_equal(ERROR_INVALID, ask(f, "c[5m]", query));
    assert_string_equal("invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
                        f->error.message);
    query.end_ms = 0;
    assert_int_equal(ERROR_INVALID, ask(f, "c", query));
    query.end_ms = 60000 + 11000 * 60000ll;
    assert_int_equal(ERROR_INVALID, ask(f, "c", query));
    assert_non_null(strstr(f->error.message, "exceeded maximum resolution of 11,000 points"));
}

static enum error_code stop(void *context, struct error *error)
{
    return error_set(error, ERROR_CANCELLED, "the client went away");
}
static enum error_code broken(void *context, const struct promql_window *window, struct arena *arena,
                              promql_take *take, void *taker, struct error *error)
{
    return error_set(error, ERROR_UNAVAILABLE, "the store is away");
}

static void limits_and_interruptions_end_a_query(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_TOO_LARGE, ask(f, "c[1h]", (struct promql_query){.start_ms = 240000, .sample_limit = 9}));
    assert_string_equal("query processing would load too many samples into memory in query execution (limit 9)",
                        f->error.message);
    assert_int_equal(ERROR_NONE, ask(f, "c[1h]", (struct promql_query){.start_ms = 240000, .sample_limit = 10}));
    assert_int_equal(ERROR_TOO_LARGE, ask(f, "c", (struct promql_query){.series_limit = 1}));
    assert_non_null(strstr(f->error.message, "finds more than 1 series"));
    assert_int_equal(ERROR_TOO_LARGE, ask(f, "time() + sum_over_time(vector(1)[10y:1ms])", (struct promql_query){0}));
    assert_int_equal(ERROR_CANCELLED, ask(f, "sum_over_time(vector(1)[1d:1s])", (struct promql_query){.check = stop}));
    assert_int_equal(ERROR_UNAVAILABLE, ask(f, "c", (struct promql_query){.fetch = broken}));
    assert_int_equal(ERROR_INVALID, ask(f, "c", (struct promql_query){.start_ms = INT64_MAX}));
    struct arena *whole = f->arena;
    f->arena = arena_create(100000);
    assert_int_equal(ERROR_MEMORY, ask(f, "vector(1)[1d:1s]", (struct promql_query){0}));
    arena_destroy(f->arena);
    f->arena = whole;
}

/* What windows look at counts as well: few samples are loaded here, but each of the steps looks at them again. */
static void work_over_the_same_samples_is_interrupted(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_CANCELLED,
                     ask(f, "sum_over_time(c[1d])",
                         (struct promql_query){
                             .start_ms = 240000, .end_ms = 240000 + 10999 * 1000, .step_ms = 1000, .check = stop}));
}

static void numbers_are_written_as_go_writes_them(void **state)
{
    static const struct { double value; const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e15, "1000000000000000"},
                 {123456789012345680.0, "123456789012345680"},
                 {1e21, "1000000000000000000000"},
                 {1e-7, "0.0000001"},
                 {NAN, "NaN"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {1234.5678, "1234.5678"},
                 {100, "100"},
                 {2.5e16, "25000000000000000"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_clear(&f->out);
        promql_number_write(cases[i].value, &f->out);
        buffer_append_byte(&f->out, 0);
        assert_string_equal(cases[i].text, f->out.data);
    }
    /* In samples, as the HTTP API: an exponent below 1e-6 and from 1e21. */
    EXPECT_ALL({"vector(1e21)", 0, NONE("[0,\"1e+21\"]")}, {"vector(-1.5e-7)", 0, NONE("[0,\"-1.5e-07\"]")},
               {"vector(5e-324)", 0, NONE("[0,\"5e-324\"]")}, {"vector(1e-6)", 0, NONE("[0,\"0.000001\"]")},
               {"1e21", 0, "[0,\"1000000000000000000000\"]"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_instant_sees_the_newest_sample_of_the_lookback, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_marker_ends_a_series_until_its_next_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(rates_are_stretched_to_the_range_but_not_below_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(values_over_time_are_combined, setup, teardown),
        cmocka_unit_test_setup_teardown(aggregations_make_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(operators_match_series_by_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(functions_change_values_and_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_query_gives_a_matrix_sorted_by_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_and_interruptions_end_a_query, setup, teardown),
        cmocka_unit_test_setup_teardown(work_over_the_same_samples_is_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_written_as_go_writes_them, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

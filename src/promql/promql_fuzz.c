/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an expression: what is accepted prints as a text that means the same, and is evaluated within limits. */
#include <stdlib.h>

#include "promql/test_series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const store =
    "__name__ up instance a job x|0 1 15000 1 30000 stale 60000 0 75000 1 90000 1\n"
    "__name__ up instance b job x|0 1 15000 1 30000 1 60000 1\n"
    "__name__ up instance c job y|0 nan 15000 inf 30000 -inf 60000 1\n"
    "__name__ a instance a x 1|0 0 15000 10 30000 5 45000 20 60000 1e300\n"
    "__name__ b instance a|0 3 15000 2 30000 1 45000 0 60000 -1e-300\n"
    "__name__ h instance a le 0.1|0 1 15000 2 30000 3\n"
    "__name__ h instance a le 1|0 1 15000 1 30000 5\n"
    "__name__ h instance a le +Inf|0 2 15000 4 30000 6\n";

struct run {
    struct test_series series;
    int checks;
};

/* A native histogram for whoever wants one, whatever its name. */
static enum error_code give_parts(struct arena *arena, promql_take *take, void *taker)
{
    static const struct promql_part parts[] = {
        {PROMQL_PART_COUNT, 0, 0, 0},    {PROMQL_PART_SUM, 0, 0, 0},       {PROMQL_PART_ZERO, 0, 0, 0.001},
        {PROMQL_PART_NEGATIVE, 3, -5, 0}, {PROMQL_PART_POSITIVE, 3, 7, 0}, {PROMQL_PART_POSITIVE, 1, INT32_MAX, 0},
        {PROMQL_PART_POSITIVE, -4, 2, 0}, {PROMQL_PART_NEGATIVE, 8, INT32_MIN, 0}};
    static const int64_t times[] = {15000, 30000, 45000, 60000};
    static const double values[] = {1, 2, 0, 7};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; !code && i < sizeof parts / sizeof *parts; i++) {
        const struct promql_part *p = &parts[i];
        struct promql_label *labels = arena_allocate(arena, 2 * sizeof *labels);
        if (!labels) return ERROR_MEMORY;
        labels[0] = (struct promql_label){promql_part_label,
                                          promql_part_value(p->kind, p->schema, p->index, p->threshold, arena)};
        labels[1] = (struct promql_label){SLICE("__name__"), SLICE("n")};
        if (!labels[0].value.size) return ERROR_MEMORY;
        code = take(taker, &(struct promql_series){{labels, 2}, times, values, 4});
    }
    return code;
}

static enum error_code fetch(void *context, const struct promql_window *window, struct arena *arena,
                             promql_take *take, void *taker, struct error *error)
{
    struct run *run = context;
    ASSERT(window->start_ms <= window->end_ms);
    if (window->selector->hints.histograms) {
        enum error_code code = give_parts(arena, take, taker);
        if (code) return code == ERROR_MEMORY ? error_set(error, code, "out of memory") : code;
    }
    return test_series_fetch(&run->series, window, arena, take, taker, error);
}

static enum error_code check(void *context, struct error *error)
{
    struct run *run = context;
    return ++run->checks > 20 ? error_set(error, ERROR_TIMEOUT, "long enough") : ERROR_NONE;
}

static void evaluate(struct run *run, const struct promql_expression *expression, int64_t step_ms)
{
    struct promql_query query = {.start_ms = 45000,
                                 .end_ms = step_ms ? 90000 : 45000,
                                 .step_ms = step_ms,
                                 .sample_limit = 200000,
                                 .fetch = fetch,
                                 .check = check,
                                 .context = run};
    struct arena *arena = arena_create(32u << 20);
    struct promql_result result;
    struct promql_window *windows;
    struct error error;
    struct buffer out = {0};
    run->checks = 0;
    if (promql_evaluate(expression, &query, arena, &result, &error) == ERROR_NONE) {
        promql_result_write_json(&result, &out);
        ASSERT(out.failed || out.size > 0);
        for (size_t i = 0; i < result.series.count; i++)
            for (size_t k = 0; k < result.series.items[i].count; k++)
                ASSERT(!promql_is_stale(result.series.items[i].values[k]));
    } else {
        ASSERT(error.message[0]);
    }
    if (promql_windows(expression, &query, arena, &windows, &error) != ERROR_NONE) ASSERT(error.message[0]);
    buffer_free(&out);
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    struct promql_expression *expression, *again;
    struct buffer first = {0}, second = {0};
    struct error error;
    if (!run.series.arena) ASSERT(test_series_read(slice_from_string(store), &run.series));
    if (promql_parse(slice_make(data, size), &expression, &error) != ERROR_NONE) {
        ASSERT(expression == NULL && error.message[0]);
        return 0;
    }
    promql_expression_write(expression, &first);
    if (promql_parse(buffer_slice(&first), &again, &error) == ERROR_NONE) {
        promql_expression_write(again, &second);
        ASSERT(slice_equal(buffer_slice(&first), buffer_slice(&second)));
        promql_expression_free(again);
    } else {
        /* Only because the canonical text is longer, or nests a level deeper. */
        ASSERT(error.code == ERROR_TOO_LARGE);
    }
    evaluate(&run, expression, 0);
    if (promql_expression_type(expression) == PROMQL_VECTOR || promql_expression_type(expression) == PROMQL_SCALAR)
        evaluate(&run, expression, 7000);
    promql_expression_free(expression);
    buffer_free(&first);
    buffer_free(&second);
    return 0;
}

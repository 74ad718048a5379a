/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: of those who began in a period, how many came back so many periods later. */
#include <math.h>

#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/behaviour/chain.h"
#include "domains/analytics/ask/behaviour/periods.h"
#include "domains/analytics/ask/behaviour/retention.h"

/*
 * One bit per person and period, so the periods read are at most as many as the widest integer has bits; sums of bits are the cells.
 */
#define RETENTION_BITS 256

static const char *mask_type(size_t bits) { return bits <= 64 ? "toUInt64" : bits <= 128 ? "toUInt128" : "toUInt256"; }

enum error_code analytics_retention_ask(struct query_context *context, const struct analytics_retention *retention,
                                        struct analytics_cohort_row **ret_rows, struct error *error)
{
    const struct analytics_periods *periods = &retention->periods;
    struct query_text text;
    struct query_rows rows;
    if (periods->count >= RETENTION_BITS)
        return error_set_field(error, ERROR_TOO_LARGE, "columns", "the periods of the range and the columns together must be less than %d, not %zu",
                               RETENTION_BITS, periods->count);
    query_text_init(&text, context->arena);
    const char *type = mask_type(periods->count + 1);
    query_text_printf(&text, "SELECT query_cohort, count() AS query_size, sumForEach(arrayMap(query_k -> toUInt64(%s), range(0, %zu))) AS query_values FROM (\n",
                      retention->is_on ? "bitAnd(bitShiftRight(query_mask, query_cohort + query_k), 1)" : "bitShiftRight(query_mask, query_cohort + query_k) != 0",
                      retention->columns + 1);
    query_text_printf(&text, "SELECT minIf(query_period, query_is_first AND query_period <= %zu AND query_period > 0) AS query_cohort, "
                      "groupBitOrIf(bitShiftLeft(%s(1), query_period), query_is_return) AS query_mask FROM (\n", periods->range_count, type);
    enum error_code code = analytics_periods_write(context, &text, periods, error);
    query_text_add(&text, ")\nGROUP BY query_person HAVING query_cohort > 0)\nGROUP BY query_cohort");
    if (!code) code = query_rows_ask(context, &text, 3, &rows, error);
    if (code) return code;
    struct analytics_cohort_row *answer = arena_allocate(context->arena, periods->range_count * sizeof *answer);
    if (!answer) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < periods->range_count; i++) {
        answer[i].values = arena_allocate(context->arena, (retention->columns + 1) * sizeof *answer[i].values);
        if (!answer[i].values) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    }
    for (size_t i = 0; i < rows.count; i++) {
        size_t cohort = (size_t)query_rows_integer(&rows, i, 0) - 1;
        if (cohort >= periods->range_count) return error_set(error, ERROR_CORRUPT, "the event store answered a cohort that is none");
        answer[cohort].size = (uint64_t)query_rows_integer(&rows, i, 1);
        for (size_t k = 0; k <= retention->columns && k < query_rows_items(&rows, i, 2); k++)
            answer[cohort].values[k] = query_rows_item(&rows, i, 2, k)->u;
    }
    *ret_rows = answer;
    return ERROR_NONE;
}

bool analytics_retention_is_over(const struct query_context *context, const struct analytics_retention *retention, size_t cohort, size_t column)
{
    return retention->periods.starts_ms[cohort + column + 1] <= context->now_ms;
}

double analytics_retention_average(const struct query_context *context, const struct analytics_retention *retention,
                                   const struct analytics_cohort_row *rows, size_t column)
{
    double values = 0, sizes = 0;
    for (size_t i = 0; i < retention->periods.range_count; i++) {
        if (!analytics_retention_is_over(context, retention, i, column)) continue;
        values += (double)rows[i].values[column];
        sizes += (double)rows[i].size;
    }
    return sizes > 0 ? values / sizes : NAN;
}

double analytics_retention_mean_size(const struct analytics_retention *retention, const struct analytics_cohort_row *rows)
{
    double people = 0, cohorts = 0;
    for (size_t i = 0; i < retention->periods.range_count; i++) {
        people += (double)rows[i].size;
        cohorts += rows[i].size > 0;
    }
    return cohorts > 0 ? people / cohorts : 0;
}

static void write_cell(struct json_writer *writer, size_t column, double value, double percent, bool is_over)
{
    json_writer_object_begin(writer);
    json_writer_key(writer, "column");
    json_writer_uint(writer, column);
    json_writer_key(writer, "value");
    json_writer_double(writer, value);
    json_writer_key(writer, "percent");
    json_writer_double(writer, percent);
    if (!is_over) {
        json_writer_key(writer, "incomplete");
        json_writer_bool(writer, true);
    }
    json_writer_object_end(writer);
}

static void write_answer(struct query_context *context, struct json_writer *writer, const struct analytics_retention *retention,
                         const struct analytics_cohort_row *rows)
{
    double mean = analytics_retention_mean_size(retention, rows);
    json_writer_object_begin(writer);
    json_writer_key(writer, "average");
    json_writer_object_begin(writer);
    json_writer_key(writer, "size");
    json_writer_double(writer, round(mean * 100) / 100);
    json_writer_key(writer, "cells");
    json_writer_array_begin(writer);
    for (size_t k = 0; k <= retention->columns; k++) {
        double share = analytics_retention_average(context, retention, rows, k);
        write_cell(writer, k, round(share * mean * 100) / 100, round(share * 10000) / 100, true);
    }
    json_writer_array_end(writer);
    json_writer_object_end(writer);
    json_writer_key(writer, "cohorts");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < retention->periods.range_count; i++) {
        json_writer_object_begin(writer);
        analytics_period_write_time(writer, &retention->periods, i + 1);
        json_writer_key(writer, "size");
        json_writer_uint(writer, rows[i].size);
        json_writer_key(writer, "cells");
        json_writer_array_begin(writer);
        for (size_t k = 0; k <= retention->columns; k++)
            write_cell(writer, k, (double)rows[i].values[k], analytics_percent((double)rows[i].values[k], (double)rows[i].size),
                       analytics_retention_is_over(context, retention, i, k));
        json_writer_array_end(writer);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    json_writer_object_end(writer);
}

static enum error_code retention_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const modes[] = {"on_or_after", "on", NULL};
    struct analytics_retention *retention = arena_allocate(context->arena, sizeof *retention);
    struct analytics_step *steps = arena_allocate(context->arena, 2 * sizeof *steps);
    struct analytics_cohort_row *rows;
    struct query_span span;
    size_t mode = 0;
    int64_t columns = 0;
    bool is_identified = false;
    if (!retention || !steps) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = query_context_word(context, "mode", modes, 0, &mode, error);
    if (!code) code = analytics_people_parse(context, &is_identified, error);
    if (!code) code = analytics_step_parse_member(context, "first", &steps[0], error);
    if (!code) code = analytics_step_parse_member(context, "return", &steps[1], error);
    if (!code) code = analytics_periods_parse(context, QUERY_WEEK, 0, 0, &retention->periods, error);
    if (code) return code;
    span = retention->periods.span;
    code = query_context_integer(context, "columns", 0, RETENTION_BITS, (int64_t)retention->periods.range_count, &columns, error);
    if (!code) code = analytics_periods_make(context, &span, 0, (size_t)columns, &retention->periods, error);
    if (code) return code;
    retention->periods.is_identified = is_identified;
    retention->periods.steps[0] = &steps[0];
    retention->periods.steps[1] = &steps[1];
    retention->columns = (size_t)columns;
    retention->is_on = mode == 1;
    code = analytics_retention_ask(context, retention, &rows, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    write_answer(context, &writer, retention, rows);
    return ERROR_NONE;
}

static const struct domain_word retention_words[] = {ANALYTICS_WORDS_WHEN,
    {"interval", "day, week (default) or month."}, {"first", "Step that begins: a name, or {event, page, filters}; any event when absent."},
    {"return", "Step that counts as coming back; any event when absent."}, {"mode", "on_or_after (default): in that period or a later one; on: in that period."},
    {"columns", "Periods after the first; as many as the range has when absent."}, {"people", "all (default) or identified."},
    {"filters", "Filters on all events, see docs/api.md."}, {NULL, NULL}};
const struct domain_question analytics_retention_questions[] = {
    {METHOD_POST, "/v1/query/retention", TENANT_EVENTS_READ, retention_answer, retention_words,
     .summary = "Who came back so many days, weeks or months after the first time"},
    {0},
};

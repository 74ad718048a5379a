/* SPDX-License-Identifier: Apache-2.0 */
/* Funnels, and how a conversion goes over time: chains of steps as answers. */
#include <math.h>

#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/behaviour/chain.h"
#include "domains/analytics/ask/openpanel/range.h"
#include "query/calendar.h"

#define MS_OF_SECOND 1000.0

static void write_number(struct json_writer *writer, const char *key, double value)
{
    json_writer_key(writer, key);
    json_writer_double(writer, value);
}

static void write_count(struct json_writer *writer, const char *key, uint64_t value)
{
    json_writer_key(writer, key);
    json_writer_uint(writer, value);
}

static void write_time(struct json_writer *writer, const struct query_span *span, int64_t unix_ms)
{
    char text[QUERY_TIME_TEXT_SIZE];
    query_calendar_format(span->zone, unix_ms, text);
    json_writer_key(writer, "time");
    json_writer_string(writer, slice_from_string(text));
}

/* The step after which most are lost, the first of them; none when nobody is. */
static size_t highest_dropoff(const struct analytics_chain *chain, const struct analytics_chain_row *row)
{
    uint64_t most = 0;
    size_t place = chain->step_count;
    for (size_t i = 0; i + 1 < chain->step_count; i++) {
        if (row->counts[i] - row->counts[i + 1] <= most) continue;
        most = row->counts[i] - row->counts[i + 1];
        place = i;
    }
    return place;
}

static void write_steps(struct json_writer *writer, const struct analytics_chain *chain, const struct analytics_chain_row *row)
{
    size_t highest = highest_dropoff(chain, row);
    json_writer_key(writer, "steps");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < chain->step_count; i++) {
        uint64_t count = row->counts[i];
        bool is_last = i + 1 == chain->step_count;
        uint64_t lost = is_last ? 0 : count - row->counts[i + 1];
        json_writer_object_begin(writer);
        write_count(writer, "step", i + 1);
        json_writer_key(writer, "name");
        json_writer_string(writer, chain->steps[i].label);
        write_count(writer, "count", count);
        write_number(writer, "percent", analytics_percent((double)count, (double)row->counts[0]));
        write_count(writer, "previous_count", row->counts[i ? i - 1 : 0]);
        write_number(writer, "next_count", is_last ? NAN : (double)row->counts[i + 1]);
        write_number(writer, "dropoff_count", is_last ? NAN : (double)lost);
        write_number(writer, "dropoff_percent", is_last ? NAN : analytics_percent((double)lost, (double)count));
        json_writer_key(writer, "is_highest_dropoff");
        json_writer_bool(writer, i == highest);
        bool has_time = i > 0 && count > 0;
        write_number(writer, "median_seconds", has_time ? row->median_between[i - 1] / MS_OF_SECOND : NAN);
        write_number(writer, "average_seconds", has_time ? row->average_between[i - 1] / MS_OF_SECOND : NAN);
        write_number(writer, "median_seconds_from_start", has_time ? row->median_from_start[i - 1] / MS_OF_SECOND : NAN);
        write_number(writer, "average_seconds_from_start", has_time ? row->average_from_start[i - 1] / MS_OF_SECOND : NAN);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void write_result(struct json_writer *writer, const struct analytics_chain *chain, const struct analytics_chain_row *row)
{
    uint64_t completed = row->counts[chain->step_count - 1];
    write_count(writer, "entered", row->counts[0]);
    write_count(writer, "completed", completed);
    write_number(writer, "percent", analytics_percent((double)completed, (double)row->counts[0]));
}

static void write_value(struct json_writer *writer, const struct analytics_chain_row *row)
{
    json_writer_key(writer, "value");
    if (row->is_other) json_writer_null(writer);
    else json_writer_string(writer, row->value);
    json_writer_key(writer, "is_other");
    json_writer_bool(writer, row->is_other);
}

struct answered { const struct analytics_chain_row *rows; size_t count; };

static void write_breakdown(struct json_writer *writer, const struct analytics_chain *chain, const struct answered *answered)
{
    json_writer_key(writer, "breakdown");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < answered->count; i++) {
        const struct analytics_chain_row *row = &answered->rows[i];
        if (row->kind != ANALYTICS_CHAIN_BY_VALUE) continue;
        json_writer_object_begin(writer);
        write_value(writer, row);
        write_result(writer, chain, row);
        write_steps(writer, chain, row);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static void write_series(struct json_writer *writer, const struct analytics_chain *chain, const struct query_span *span,
                         const struct answered *answered)
{
    json_writer_key(writer, "series");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->range.bucket_count; i++) {
        const struct analytics_chain_row *row = analytics_chain_find(answered->rows, answered->count, ANALYTICS_CHAIN_BY_BUCKET, NULL, span->range.buckets_ms[i]);
        json_writer_object_begin(writer);
        write_time(writer, span, span->range.buckets_ms[i]);
        write_result(writer, chain, row);
        json_writer_key(writer, "counts");
        json_writer_array_begin(writer);
        for (size_t j = 0; j < chain->step_count; j++) json_writer_uint(writer, row->counts[j]);
        json_writer_array_end(writer);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static enum error_code ask(struct query_context *context, const struct analytics_chain *chain, const struct query_range *range, int kinds,
                           struct answered *ret_answered, struct error *error)
{
    struct analytics_chain_row *rows;
    enum error_code code = analytics_chain_ask(context, chain, range, kinds, &rows, &ret_answered->count, error);
    ret_answered->rows = rows;
    return code;
}

static enum error_code funnel_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_chain *chain = arena_allocate(context->arena, sizeof *chain);
    struct query_span span;
    struct answered now, before = {0};
    bool has_series = false;
    if (!chain) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = openpanel_span_read(context, false, false, &span, error);
    if (!code) code = analytics_chain_parse(context, 2, ANALYTICS_CHAIN_STEPS, chain, error);
    if (!code) code = query_context_boolean(context, "series", false, &has_series, error);
    int kinds = ANALYTICS_CHAIN_WHOLE | (chain->breakdown.size ? ANALYTICS_CHAIN_BY_VALUE : 0) | (has_series ? ANALYTICS_CHAIN_BY_BUCKET : 0);
    if (!code) code = ask(context, chain, &span.range, kinds, &now, error);
    if (!code && span.has_previous) code = ask(context, chain, &span.previous, ANALYTICS_CHAIN_WHOLE, &before, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    const struct analytics_chain_row *whole = analytics_chain_find(now.rows, now.count, ANALYTICS_CHAIN_WHOLE, NULL, 0);
    json_writer_object_begin(&writer);
    write_result(&writer, chain, whole);
    write_steps(&writer, chain, whole);
    if (chain->breakdown.size) write_breakdown(&writer, chain, &now);
    if (has_series) write_series(&writer, chain, &span, &now);
    if (span.has_previous) {
        json_writer_key(&writer, "previous");
        json_writer_object_begin(&writer);
        whole = analytics_chain_find(before.rows, before.count, ANALYTICS_CHAIN_WHOLE, NULL, 0);
        write_result(&writer, chain, whole);
        write_steps(&writer, chain, whole);
        json_writer_object_end(&writer);
    }
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static void write_rates(struct json_writer *writer, const struct analytics_chain *chain, const struct query_span *span,
                        const struct answered *now, const struct answered *before, const struct analytics_chain_row *like)
{
    json_writer_key(writer, "data");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < span->range.bucket_count; i++) {
        const struct analytics_chain_row *row = analytics_chain_find(now->rows, now->count, ANALYTICS_CHAIN_BY_BOTH, like, span->range.buckets_ms[i]);
        json_writer_object_begin(writer);
        write_time(writer, span, span->range.buckets_ms[i]);
        write_count(writer, "total", row->counts[0]);
        write_count(writer, "conversions", row->counts[chain->step_count - 1]);
        write_number(writer, "rate", analytics_percent((double)row->counts[chain->step_count - 1], (double)row->counts[0]));
        if (span->has_previous) {
            row = analytics_chain_find(before->rows, before->count, ANALYTICS_CHAIN_BY_BOTH, like, span->previous.buckets_ms[i]);
            write_number(writer, "previous_rate", analytics_percent((double)row->counts[chain->step_count - 1], (double)row->counts[0]));
        }
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static enum error_code check_points(const struct analytics_chain *chain, const struct query_span *span, struct error *error)
{
    size_t lines = chain->breakdown.size ? chain->value_limit + 1 : 1;
    if (lines * span->range.bucket_count <= ANALYTICS_CHAIN_POINTS) return ERROR_NONE;
    return error_set_field(error, ERROR_TOO_LARGE, "limit", "%zu lines of %zu points may be more than the %d points of an answer: use a longer interval, a shorter "
                           "range or a smaller limit", lines, span->range.bucket_count, ANALYTICS_CHAIN_POINTS);
}

static enum error_code conversion_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_chain *chain = arena_allocate(context->arena, sizeof *chain);
    struct query_span span;
    struct answered now, before = {0};
    const int kinds = ANALYTICS_CHAIN_BY_VALUE | ANALYTICS_CHAIN_BY_BOTH;
    if (!chain) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = openpanel_span_read(context, false, false, &span, error);
    if (!code) code = analytics_chain_parse(context, 2, ANALYTICS_CHAIN_STEPS, chain, error);
    if (!code) code = check_points(chain, &span, error);
    if (!code) code = ask(context, chain, &span.range, kinds, &now, error);
    if (!code && span.has_previous) code = ask(context, chain, &span.previous, kinds, &before, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    size_t lines = 0;
    static const struct analytics_chain_row nobody = {.kind = ANALYTICS_CHAIN_BY_VALUE, .value = {"", 0}};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "series");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < now.count || (i == now.count && !lines && !chain->breakdown.size); i++) {
        const struct analytics_chain_row *row = i < now.count ? &now.rows[i] : &nobody;
        if (row->kind != ANALYTICS_CHAIN_BY_VALUE) continue;
        lines++;
        json_writer_object_begin(&writer);
        if (chain->breakdown.size) write_value(&writer, row);
        write_result(&writer, chain, row);
        write_rates(&writer, chain, &span, &now, &before, row);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

#define CHAIN_WORDS                                                                                                    \
    {"steps", "2 to 20 steps: the name of an event, or {event, page, filters, name}."},                                \
    {"filters", "Filters on all events, see docs/api.md."},                                                            \
    {"by", "Whose steps are put together: person (default), session or device."},                                      \
    {"order", "ordered (default): others in between are allowed; strict: they are not."},                              \
    {"window", "Seconds from the first step to the last; a day when absent, at most 90."},                             \
    {"equal_times", "true: steps may be in the same millisecond."},                                                    \
    {"exclude", "Steps that may not come in between, with from and to."},                                              \
    {"breakdown", "Field whose value at step 1 splits the answer."},                                                   \
    {"limit", "Values of the breakdown: 1 to 50, 10 when absent; the others together."},                               \
    {"compare", "previous: the period before as well."}
static const struct domain_word funnel_words[] = {ANALYTICS_WORDS_WHEN, CHAIN_WORDS,
    {"series", "true: a series by the time of entry."}, {"interval", "Of the series."}, {NULL, NULL}};
static const struct domain_word conversion_words[] = {ANALYTICS_WORDS_WHEN, CHAIN_WORDS, {"interval", "Of the series."}, {NULL, NULL}};
const struct domain_question analytics_funnel_questions[] = {
    {METHOD_POST, "/v1/query/funnel", TENANT_EVENTS_READ, funnel_answer, funnel_words,
     .summary = "How far people come along steps, and how long they take"},
    {METHOD_POST, "/v1/query/conversion", TENANT_EVENTS_READ, conversion_answer, conversion_words,
     .summary = "The share that completes steps, over the time of the first step"},
    {0},
};

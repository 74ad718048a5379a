/* SPDX-License-Identifier: Apache-2.0 */
/* POST and GET /v1/query/chart: a chart in our own form. */
#include "domains/analytics/ask/chart/chart.h"
#include "domains/analytics/ask/ask.h"
#include "query/calendar.h"

static void write_time(struct json_writer *writer, const struct query_zone *zone, int64_t unix_ms)
{
    char text[QUERY_TIME_TEXT_SIZE];
    query_calendar_format(zone, unix_ms, text);
    json_writer_string(writer, slice_from_string(text));
}

static void write_range(struct json_writer *writer, const struct query_span *span, const struct query_range *range)
{
    json_writer_key(writer, "from");
    write_time(writer, span->zone, range->from_ms);
    json_writer_key(writer, "to");
    write_time(writer, span->zone, range->to_ms);
}

static void write_times(struct json_writer *writer, const struct query_span *span, const struct query_range *range)
{
    json_writer_key(writer, "times");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < range->bucket_count; i++) write_time(writer, span->zone, range->buckets_ms[i]);
    json_writer_array_end(writer);
}

static const struct {
    const char *name;
    size_t offset;
} metric_names[] = {
    {"sum", offsetof(struct chart_metrics, sum)},     {"average", offsetof(struct chart_metrics, average)},
    {"min", offsetof(struct chart_metrics, least)},   {"max", offsetof(struct chart_metrics, most)},
    {"total", offsetof(struct chart_metrics, total)},
};
#define METRIC_COUNT (sizeof metric_names / sizeof *metric_names)
static double metric_at(const struct chart_metrics *metrics, size_t index)
{
    return *(const double *)((const char *)metrics + metric_names[index].offset);
}

/* `before` may be NULL. Figures of all lines together have no total: people of two lines may be the same. */
static void write_metrics(struct json_writer *writer, const struct chart_metrics *now,
                          const struct chart_metrics *before, bool of_all, bool has_people)
{
    json_writer_object_begin(writer);
    for (size_t i = 0; i < METRIC_COUNT - of_all; i++) {
        json_writer_key(writer, metric_names[i].name);
        json_writer_double(writer, metric_at(now, i));
    }
    if (has_people) {
        json_writer_key(writer, "people");
        json_writer_uint(writer, now->people);
    }
    if (before) {
        json_writer_key(writer, "previous");
        write_metrics(writer, before, NULL, of_all, has_people);
        json_writer_key(writer, "change");
        json_writer_object_begin(writer);
        for (size_t i = 0; i < METRIC_COUNT - of_all; i++) {
            struct chart_change change = chart_change_make(metric_at(now, i), metric_at(before, i));
            json_writer_key(writer, metric_names[i].name);
            if (change.has_percent) json_writer_double(writer, change.percent);
            else json_writer_null(writer);
        }
        json_writer_object_end(writer);
    }
    json_writer_object_end(writer);
}

static void write_values(struct json_writer *writer, const char *name, const double *values, size_t count)
{
    json_writer_key(writer, name);
    json_writer_array_begin(writer);
    for (size_t i = 0; i < count; i++) json_writer_double(writer, values[i]);
    json_writer_array_end(writer);
}

static void write_text(struct json_writer *writer, const char *name, struct slice text)
{
    json_writer_key(writer, name);
    json_writer_string(writer, text);
}

static void write_line(struct json_writer *writer, const struct chart_plan *plan, const struct chart_result *result,
                       const struct chart_line *line)
{
    const struct chart_series *series = &plan->series[line->series];
    char letter = (char)('A' + line->series);
    json_writer_object_begin(writer);
    write_text(writer, "letter", slice_make(&letter, 1));
    write_text(writer, "id", series->id);
    write_text(writer, series->formula ? "formula" : "name", series->name);
    write_text(writer, "label", series->label.size ? series->label : series->name);
    if (!series->formula) write_text(writer, "measure", slice_from_string(chart_measure_name(series->measure)));
    if (series->property.size) write_text(writer, "property", series->property);
    if (plan->breakdown_count) {
        json_writer_key(writer, "is_rest");
        json_writer_bool(writer, !line->labels);
        json_writer_key(writer, "breakdown");
        json_writer_object_begin(writer);
        for (size_t i = 0; line->labels && i < plan->breakdown_count; i++) {
            json_writer_key_slice(writer, plan->breakdowns[i]);
            json_writer_string(writer, line->labels[i]);
        }
        json_writer_object_end(writer);
    }
    if (plan->is_dated) write_values(writer, "values", line->now.values, result->value_count);
    if (plan->is_dated && plan->span.has_previous)
        write_values(writer, "previous", line->before.values, result->value_count);
    json_writer_key(writer, "metrics");
    write_metrics(writer, &line->now.metrics, plan->span.has_previous ? &line->before.metrics : NULL, false,
                  plan->has_people);
    json_writer_object_end(writer);
}

static void write_chart(struct json_writer *writer, const struct chart_plan *plan, const struct chart_result *result)
{
    const struct query_span *span = &plan->span;
    json_writer_object_begin(writer);
    write_text(writer, "question", SLICE("chart"));
    write_text(writer, "chart", slice_from_string(plan->kind));
    write_range(writer, span, &span->range);
    write_text(writer, "timezone", span->timezone);
    if (plan->is_dated) {
        write_text(writer, "interval", slice_from_string(query_interval_name(span->interval)));
        write_times(writer, span, &span->range);
    }
    json_writer_key(writer, "series");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < result->line_count; i++) write_line(writer, plan, result, &result->lines[i]);
    json_writer_array_end(writer);
    json_writer_key(writer, "metrics");
    write_metrics(writer, &result->now, span->has_previous ? &result->before : NULL, true, false);
    if (span->has_previous) {
        json_writer_key(writer, "previous");
        json_writer_object_begin(writer);
        write_range(writer, span, &span->previous);
        if (plan->is_dated) write_times(writer, span, &span->previous);
        json_writer_object_end(writer);
    }
    json_writer_key(writer, "has_more");
    json_writer_bool(writer, result->has_more);
    json_writer_object_end(writer);
}

static enum error_code chart_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct chart_plan *plan = arena_allocate(context->arena, sizeof *plan);
    struct chart_result result;
    if (!plan) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = chart_plan_read(context, false, plan, error);
    if (!code) code = chart_ask(context, plan, &result, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    write_chart(&writer, plan, &result);
    return ERROR_NONE;
}

#define CHART_WORDS                                                                                                    \
    ANALYTICS_WORDS_WHEN,                                                                                              \
        {"range",                                                                                                      \
         "OpenPanel's names of spans instead: 7d, lastMonth, .. with startDate and endDate; see docs/api.md."},        \
        {"interval", "minute, hour, day, week or month."}, {"compare", "previous: with the period before."},           \
        {"chart", "linear, area, histogram: over time; bar, pie, metric, map: one figure per series."},                \
        {"series", "List of {name, measure, property, filters, label} and {formula, hide_series}; see docs/api.md."},  \
        {"breakdowns", "List of fields that split each series."},                                                      \
        {"limit", "Combinations of values that are shown; 10."},                                                       \
    {                                                                                                                  \
        "rest", "true: what lies behind the limit is shown together."                                                  \
    }
static const struct domain_word body_words[] = {CHART_WORDS, {"filters", "Filters of all series."}, {NULL, NULL}};
static const struct domain_word address_words[] = {CHART_WORDS,
                                                   {"event", "Instead of series: the name of one event, * for any."},
                                                   {"measure", "Of that event; events when absent."},
                                                   {"property", "That is measured."},
                                                   {"breakdown", "A field; may be repeated."},
                                                   ANALYTICS_WORDS_WHICH,
                                                   {NULL, NULL}};
const struct domain_question analytics_chart_questions[] = {
    {METHOD_POST, "/v1/query/chart", TENANT_EVENTS_READ, chart_answer, body_words,
     .summary = "A chart: events and formulas, split by fields, over time or as figures"},
    {METHOD_GET, "/v1/query/chart", TENANT_EVENTS_READ, chart_answer, address_words,
     .summary = "The same, asked in the address"},
    {0},
};

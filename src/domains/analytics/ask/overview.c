/* SPDX-License-Identifier: Apache-2.0 */
/* GET and POST /v1/query/overview: the figures a site's first page shows. */
#include "domains/analytics/ask/overview.h"

#include "domains/analytics/ask/ask.h"
#include "query/calendar.h"
#include "query/words.h"

static const struct { const char *name, *title; } measures[OVERVIEW_MEASURE_COUNT] = {
    [OVERVIEW_VISITORS] = {"visitors", "Unique visitors"},
    [OVERVIEW_SESSIONS] = {"sessions", "Sessions"},
    [OVERVIEW_PAGE_VIEWS] = {"page_views", "Page views"},
    [OVERVIEW_BOUNCE_RATE] = {"bounce_rate", "Bounce rate, percent"},
    [OVERVIEW_AVERAGE_DURATION] = {"average_duration", "Average visit duration, seconds"},
    [OVERVIEW_MEDIAN_DURATION] = {"median_duration", "Median visit duration, seconds"},
    [OVERVIEW_VIEWS_PER_SESSION] = {"views_per_session", "Page views per session"},
    [OVERVIEW_REVENUE] = {"revenue", "Revenue"},
    [OVERVIEW_NEW_VISITORS] = {"new_visitors", "New visitors"},
    [OVERVIEW_RETURNING_VISITORS] = {"returning_visitors", "Returning visitors"},
};
/* Who is new is known by looking at all visits there ever were: only when asked for. */
#define USUAL_MEASURES (OVERVIEW_EVERY_MEASURE & ~(1U << OVERVIEW_NEW_VISITORS | 1U << OVERVIEW_RETURNING_VISITORS))

static const char *measure_name(const void *unused, size_t index) { return measures[index].name; }

static enum error_code read_measures(struct query_context *context, unsigned *ret_measures, struct error *error)
{
    struct slice rest = query_context_text(context, "measures");
    *ret_measures = rest.size ? 0 : USUAL_MEASURES;
    while (rest.size) {
        struct slice name = slice_trim(slice_cut(&rest, ','));
        ptrdiff_t index = query_words_find(measure_name, NULL, OVERVIEW_MEASURE_COUNT, name);
        if (index < 0)
            return error_set_field(error, ERROR_INVALID, "measures", "measures: %s is not known.%s There are %s",
                                   query_words_show(name).text,
                                   query_words_suggest(measure_name, NULL, OVERVIEW_MEASURE_COUNT, name).text,
                                   query_words_list(measure_name, NULL, OVERVIEW_MEASURE_COUNT).text);
        *ret_measures |= 1U << index;
    }
    return ERROR_NONE;
}

static void write_time(struct json_writer *writer, const char *key, const struct query_zone *zone, int64_t unix_ms)
{
    char text[QUERY_TIME_TEXT_SIZE];
    query_calendar_format(zone, unix_ms, text);
    json_writer_key(writer, key);
    json_writer_string(writer, slice_from_string(text));
}

void analytics_write_range(struct json_writer *writer, const struct query_zone *zone, const struct query_range *range)
{
    write_time(writer, "from", zone, range->from_ms);
    write_time(writer, "to", zone, range->to_ms);
}

void analytics_write_question(struct json_writer *writer, const char *question, const struct query_span *span)
{
    json_writer_key(writer, "question");
    json_writer_string(writer, slice_from_string(question));
    analytics_write_range(writer, span->zone, &span->range);
    json_writer_key(writer, "timezone");
    json_writer_string(writer, span->timezone);
}

static void write_row(struct json_writer *writer, unsigned asked, const struct analytics_overview_row *row)
{
    for (size_t i = 0; i < OVERVIEW_MEASURE_COUNT; i++) {
        if (!(asked >> i & 1)) continue;
        json_writer_key(writer, measures[i].name);
        json_writer_double(writer, row->values[i]);
    }
}

static void write_figures(struct json_writer *writer, unsigned asked, const struct query_zone *zone,
                          const struct query_range *range,
                          const struct analytics_overview *overview)
{
    json_writer_key(writer, "points");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < range->bucket_count; i++) {
        json_writer_object_begin(writer);
        write_time(writer, "time", zone, range->buckets_ms[i]);
        write_row(writer, asked, &overview->points[i]);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    json_writer_key(writer, "totals");
    json_writer_object_begin(writer);
    write_row(writer, asked, &overview->total);
    json_writer_object_end(writer);
}

static enum error_code overview_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_span span;
    struct analytics_filters filters = {0};
    struct analytics_overview now, before;
    unsigned asked;
    bool is_filtered, is_of_pages;
    enum error_code code = query_span_parse(context, &span, error);
    if (!code) code = read_measures(context, &asked, error);
    if (!code) code = analytics_filters_look(context, &filters, &is_filtered, &is_of_pages, error);
    if (!code) code = analytics_overview_ask(context, &span.range, asked, &filters, &now, error);
    if (!code && span.has_previous) code = analytics_overview_ask(context, &span.previous, asked, &filters, &before,
                                                                  error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    analytics_write_question(&writer, "overview", &span);
    json_writer_key(&writer, "interval");
    json_writer_string(&writer, slice_from_string(query_interval_name(span.interval)));
    json_writer_key(&writer, "counted_from");
    json_writer_string(&writer, is_of_pages ? SLICE("page_views") : SLICE("sessions"));
    json_writer_key(&writer, "measures");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < OVERVIEW_MEASURE_COUNT; i++) {
        if (!(asked >> i & 1)) continue;
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "name");
        json_writer_string(&writer, slice_from_string(measures[i].name));
        json_writer_key(&writer, "title");
        json_writer_string(&writer, slice_from_string(measures[i].title));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    write_figures(&writer, asked, span.zone, &span.range, &now);
    if (span.has_previous) {
        json_writer_key(&writer, "previous");
        json_writer_object_begin(&writer);
        analytics_write_range(&writer, span.zone, &span.previous);
        write_figures(&writer, asked, span.zone, &span.previous, &before);
        json_writer_object_end(&writer);
    }
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word overview_words[] = {
    ANALYTICS_WORDS_WHEN, {"interval", "minute, hour, day, week or month."},
    {"compare", "previous: the period before, too."},
    {"measures", "Some of visitors, sessions, page_views, bounce_rate, average_duration, median_duration, "
                 "views_per_session, revenue; "
                 "new_visitors and returning_visitors, which look at all visits there ever were."},
    ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_overview_questions[] = {
    {METHOD_GET, "/v1/query/overview", TENANT_EVENTS_READ, overview_answer, overview_words,
     .summary = "Visitors, visits, page views, bounces, durations and revenue, per bucket and in total"},
    {0},
};

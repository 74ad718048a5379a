/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPanel's /insights of visits: metrics, overview, pages, and what visits have in common. */
#include <math.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/breakdown.h"
#include "domains/analytics/ask/openpanel/read.h"
#include "domains/analytics/ask/overview.h"
#include "query/words.h"

/* ---- figures ---- */

static void write_figures(struct json_writer *writer, const struct analytics_overview_row *row)
{
    static const struct { const char *key; enum analytics_overview_measure measure; } figures[] = {
        {"bounce_rate", OVERVIEW_BOUNCE_RATE}, {"unique_visitors", OVERVIEW_VISITORS},
        {"total_sessions", OVERVIEW_SESSIONS},
        {"avg_session_duration", OVERVIEW_AVERAGE_DURATION}, {"total_screen_views", OVERVIEW_PAGE_VIEWS},
        {"views_per_session", OVERVIEW_VIEWS_PER_SESSION}, {"total_revenue", OVERVIEW_REVENUE}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        double value = row->values[figures[i].measure];
        json_writer_key(writer, figures[i].key);
        json_writer_double(writer, isfinite(value) ? value : 0);
    }
}

static void write_instant(struct json_writer *writer, const char *key, int64_t unix_ms)
{
    char text[TIME_TEXT_SIZE];
    time_format_ms(unix_ms, text);
    json_writer_key(writer, key);
    json_writer_string(writer, slice_make(text, sizeof text));
}

static void write_overview(struct json_writer *writer, const char *total_key, const struct query_range *range,
                           const struct analytics_overview *overview)
{
    json_writer_key(writer, total_key);
    json_writer_object_begin(writer);
    write_figures(writer, &overview->total);
    json_writer_object_end(writer);
    json_writer_key(writer, "series");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < range->bucket_count; i++) {
        json_writer_object_begin(writer);
        write_instant(writer, "date", range->buckets_ms[i]);
        write_figures(writer, &overview->points[i]);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static enum error_code ask_overview(struct query_context *context, const char *fallback, struct query_span *span,
                                    struct analytics_overview *overview,
                                    struct error *error)
{
    struct analytics_filters filters;
    unsigned measures = OVERVIEW_EVERY_MEASURE & ~(1U << OVERVIEW_NEW_VISITORS | 1U << OVERVIEW_RETURNING_VISITORS | 1U << OVERVIEW_MEDIAN_DURATION);
    enum error_code code = openpanel_read_span(context, fallback, span, error);
    if (!code) code = openpanel_read_filters(context, &filters, error);
    return code ? code : analytics_overview_ask(context, &span->range, measures, &filters, overview, error);
}

static enum error_code metrics_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_span span;
    struct analytics_overview overview;
    enum error_code code = ask_overview(context, "7d", &span, &overview, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    write_overview(&writer, "metrics", &span.range, &overview);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static enum error_code overview_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_span span;
    struct analytics_overview overview;
    enum error_code code = ask_overview(context, "30d", &span, &overview, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    write_overview(&writer, "summary", &span.range, &overview);
    json_writer_key(&writer, "interval");
    json_writer_string(&writer, slice_from_string(query_interval_name(span.interval)));
    write_instant(&writer, "startDate", span.range.from_ms);
    write_instant(&writer, "endDate", span.range.to_ms - 1);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* ---- lists ---- */

struct listing { struct query_span span; struct analytics_filters filters; struct analytics_listing rows; };

static enum error_code read_listing(struct query_context *context, int64_t usual, int64_t most,
                                    struct listing *ret_listing, struct error *error)
{
    *ret_listing = (struct listing){.rows.rows = ANALYTICS_ROWS_OPENPANEL};
    ret_listing->rows.range = &ret_listing->span.range;
    ret_listing->rows.filters = &ret_listing->filters;
    enum error_code code = openpanel_read_span(context, "7d", &ret_listing->span, error);
    if (!code) code = openpanel_read_filters(context, &ret_listing->filters, error);
    return code ? code : openpanel_read_paging(context, usual, most, &ret_listing->rows.limit,
                                               &ret_listing->rows.offset, error);
}

static enum error_code write_pages(struct query_context *context, enum analytics_pages kind, struct buffer *out,
                                   struct error *error)
{
    struct listing listing;
    struct json_writer writer = {.out = out};
    enum error_code code = read_listing(context, ANALYTICS_LISTING_LIMIT, ANALYTICS_LISTING_LIMIT, &listing, error);
    return code ? code : analytics_pages_write(context, kind, &listing.rows, &writer, error);
}

static enum error_code pages_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return write_pages(context, ANALYTICS_PAGES_TOP, out, error);
}

static enum error_code ends_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const modes[] = {"entry", "exit", NULL};
    size_t mode;
    enum error_code code = query_context_word(context, "mode", modes, 0, &mode, error);
    return code ? code : write_pages(context, mode ? ANALYTICS_PAGES_EXIT : ANALYTICS_PAGES_ENTRY, out, error);
}

static enum error_code performance_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const sorts[] = {"sessions", "pageviews", "bounce_rate", "avg_duration", NULL},
    *const orders[] = {"desc", "asc", NULL};
    struct listing listing;
    int64_t total;
    size_t sort, order;
    enum error_code code = read_listing(context, 500, 500, &listing, error);
    if (!code) code = query_context_word(context, "sortBy", sorts, 0, &sort, error);
    if (!code) code = query_context_word(context, "sortOrder", orders, 0, &order, error);
    if (code) return code;
    listing.rows.order = sorts[sort];
    listing.rows.ascending = order == 1;
    listing.rows.search = query_context_text(context, "search");
    code = analytics_pages_count(context, &listing.rows, &total, error);
    if (code) return code;
    int64_t left = total - (int64_t)listing.rows.offset,
        shown = left < 0 ? 0 : left < (int64_t)listing.rows.limit ? left : (int64_t)listing.rows.limit;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "total_pages");
    json_writer_int(&writer, total);
    json_writer_key(&writer, "shown");
    json_writer_int(&writer, shown);
    json_writer_key(&writer, "pages");
    code = analytics_pages_write(context, ANALYTICS_PAGES_PERFORMANCE, &listing.rows, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

/* OpenPanel's eighteen columns are the first of ours. */
#define COLUMN_COUNT 18
static enum error_code write_column(struct query_context *context, struct slice name, struct buffer *out,
                                    struct error *error)
{
    struct listing listing;
    struct json_writer writer = {.out = out};
    ptrdiff_t dimension = query_words_find(analytics_dimension_name, NULL, COLUMN_COUNT, name);
    enum error_code code = openpanel_read_project(context, SLICE_EMPTY, error);
    if (!code && dimension < 0)
        code = error_set_field(error, ERROR_NOT_FOUND, "column", "there is no column %s.%s There are %s",
                               query_words_show(name).text,
                               query_words_suggest(analytics_dimension_name, NULL, COLUMN_COUNT, name).text,
                               query_words_list(analytics_dimension_name, NULL, COLUMN_COUNT).text);
    if (!code) code = read_listing(context, ANALYTICS_LISTING_LIMIT, ANALYTICS_LISTING_LIMIT, &listing, error);
    return code ? code : analytics_breakdown_write(context, (size_t)dimension, &listing.rows, &writer, error);
}

static enum error_code column_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return write_column(context, context->path_values[1], out, error);
}

static enum error_code write_traffic(struct query_context *context, const char *const *columns, struct buffer *out,
                                     struct error *error)
{
    size_t column;
    enum error_code code = query_context_word(context, "breakdown", columns, 0, &column, error);
    return code ? code : write_column(context, slice_from_string(columns[column]), out, error);
}

static enum error_code referrers_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const columns[] = {"referrer_name", "referrer_type", "referrer", "utm_source", "utm_medium",
        "utm_campaign", "utm_term",
                                          "utm_content", NULL};
    return write_traffic(context, columns, out, error);
}

static enum error_code geo_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const columns[] = {"country", "region", "city", NULL};
    return write_traffic(context, columns, out, error);
}

static enum error_code devices_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const columns[] = {"device", "browser", "browser_version", "os", "os_version", "brand",
        "model", NULL};
    return write_traffic(context, columns, out, error);
}

static const struct domain_word figure_words[] = {OPENPANEL_READ_WORDS_WHEN, {"interval", "minute, hour, day, week "
    "or month."}, OPENPANEL_READ_WORDS_WHICH, {NULL, NULL}};
static const struct domain_word list_words[] = {OPENPANEL_READ_WORDS_WHEN, OPENPANEL_READ_WORDS_WHICH,
    OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word end_words[] = {{"mode", "entry or exit."},
OPENPANEL_READ_WORDS_WHEN, OPENPANEL_READ_WORDS_WHICH, OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word reading_words[] = {
    {"search", "A part of the address."}, {"sortBy", "sessions, pageviews, bounce_rate or avg_duration."},
    {"sortOrder", "desc or asc."},
    OPENPANEL_READ_WORDS_WHEN, OPENPANEL_READ_WORDS_WHICH, OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
static const struct domain_word traffic_words[] = {{"breakdown", "Which column."},
OPENPANEL_READ_WORDS_WHEN, OPENPANEL_READ_WORDS_WHICH, OPENPANEL_READ_WORDS_PAGE, {NULL, NULL}};
const struct domain_question openpanel_insight_questions[] = {
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/metrics", metrics_answer, figure_words, "visitors, visits, "
                            "bounces, durations and revenue"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/overview", overview_answer, figure_words, "the same of the last "
                            "30 days, with its bounds"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/pages", pages_answer, list_words, "pages by views"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/pages/top", pages_answer, list_words, "pages by views, too"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/pages/entry_exit", ends_answer, end_words, "where visits begin or "
                            "end"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/pages/performance", performance_answer, reading_words, "how pages "
                            "are read"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/{column}", column_answer, list_words, "visits by referrer, "
                            "utm_source, country, device, browser and so on"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/traffic/referrers", referrers_answer, traffic_words, "visits by "
                            "where they came from"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/traffic/geo", geo_answer, traffic_words, "visits by place"),
    OPENPANEL_READ_QUESTION("/insights/{tenant_id}/traffic/devices", devices_answer, traffic_words, "visits by device"),
    {0},
};

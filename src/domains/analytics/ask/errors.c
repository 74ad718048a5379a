/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/errors: errors in browsers, those that differ only in numbers as one, with whom they met. */
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/breakdown.h"
#include "domains/analytics/ask/overview.h"
#include "query/calendar.h"
#include "query/rows.h"

#define FINGERPRINT ANALYTICS_ERROR_FINGERPRINT
static const char *const filters_of_errors[] = {"path", "page", "origin", "country", "region", "city", "browser",
    "browser_name", "browser_version", "os", "os_name",
                                                "os_version", "device", "device_type", "device_id", "session_id",
                                                    "profile_id", NULL};

struct asked {
    struct query_context *context;
    struct query_text *text;
    struct slice conditions, person;
    bool has_rate;               /* filters are of what visits have, too */
    struct slice visit_conditions;
    struct query_span span;
    struct analytics_listing listing;
    struct error *error;
};

static void write_where(struct asked *asked, const struct query_range *range)
{
    query_text_add(asked->text, " FROM analytics.error_spans WHERE tenant_id = {tenant:String} AND ");
    query_text_range(asked->text, "timestamp", range);
    query_text_slice(asked->text, asked->conditions);
}

static enum error_code write_totals(struct asked *asked, const struct query_range *range, struct json_writer *writer)
{
    static const char *const names[] = {"errors", "fingerprints", "users", "sessions", "error_rate"};
    struct analytics_visits visits;
    struct query_rows rows;
    enum error_code code = analytics_visits_find(asked->context, range->from_ms, range->to_ms, &visits, asked->error);
    if (code) return code;
    /* Of no visits it is no number: null. */
    query_text_printf(asked->text, "SELECT toFloat64(count()), toFloat64(uniqExact(error_type, " FINGERPRINT ")), "
                      "toFloat64(uniqExactIf(%.*s AS query_person, query_person != 0)), "
                      "toFloat64(uniqExactIf(session_id, session_id != '')), toFloat64(floor(10000 * "
                      "uniqExactIf(session_id, session_id != '') / (SELECT count() FROM ",
                      SLICE_ARGS(asked->person));
    analytics_visits_write(asked->text, &visits, range, "id", asked->visit_conditions);
    query_text_add(asked->text, ") + 0.5) / 100)");
    write_where(asked, range);
    code = query_rows_ask(asked->context, asked->text, sizeof names / sizeof *names, &rows, asked->error);
    asked->text->size = 0;
    if (code) return code;
    json_writer_key(writer, "totals");
    json_writer_object_begin(writer);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_writer_key(writer, names[i]);
        bool is_known = asked->has_rate || i + 1 < sizeof names / sizeof *names;
        if (is_known) json_writer_double(writer, query_rows_number(&rows, 0, i));
        else json_writer_null(writer);
    }
    json_writer_object_end(writer);
    return ERROR_NONE;
}

static enum error_code write_rows(struct asked *asked, struct json_writer *writer)
{
    struct query_text *text = asked->text;
    const struct query_range *range = &asked->span.range;
    query_text_add(text, "SELECT query_fingerprint AS fingerprint, toString(query_type) AS type, query_count AS "
                         "count, query_users AS users, query_sessions AS sessions, "
                         "query_first AS first_seen, query_last AS last_seen, query_sample.1 AS message, "
                         "query_sample.2 AS path, query_sample.3 AS filename, query_sample.4 AS "
                         "lineno, query_sample.5 AS colno, query_sample.6 AS stack, query_sample.7 AS browser, "
                         "query_sample.8 AS os, arrayMap(query_at -> if(indexOf(query_trend.1, "
                         "query_at) = 0, 0, query_trend.2[indexOf(query_trend.1, query_at)]), [");
    for (size_t i = 0; i < range->bucket_count; i++) query_text_printf(text, "%s%lld", i ? "," : "",
        (long long)range->buckets_ms[i]);
    query_text_add(text, "]) AS trend FROM (SELECT " FINGERPRINT " AS query_fingerprint, error_type AS query_type, "
                   "count() AS query_count, uniqExactIf(");
    query_text_slice(text, asked->person);
    query_text_add(text, " AS query_person, query_person != 0) AS query_users, uniqExactIf(session_id, session_id != "
                         "'') AS query_sessions, min(timestamp) AS query_first, "
                         "max(timestamp) AS query_last, argMax((message, path, filename, lineno, colno, stack, "
                         "toString(browser), toString(os)), (timestamp, id)) AS query_sample, "
                         "sumMap([toInt64(");
    query_text_bucket(text, "timestamp", range);
    query_text_add(text, ")], [toUInt64(1)]) AS query_trend");
    write_where(asked, range);
    query_text_add(text, " GROUP BY query_fingerprint, query_type)");
    analytics_listing_end(text, &asked->listing, "count", "fingerprint, type");
    json_writer_key(writer, "rows");
    enum error_code code = query_context_write_rows(asked->context, text, writer, asked->error);
    text->size = 0;
    return code;
}

static void write_times(const struct asked *asked, struct json_writer *writer)
{
    json_writer_key(writer, "times");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < asked->span.range.bucket_count; i++) {
        char text[QUERY_TIME_TEXT_SIZE];
        query_calendar_format(asked->span.zone, asked->span.range.buckets_ms[i], text);
        json_writer_string(writer, slice_from_string(text));
    }
    json_writer_array_end(writer);
}

/* The same filters on the visits that errors are compared with: error_rate is null when these do not have what was filtered by. */
static enum error_code find_rate(struct asked *asked, const struct analytics_filters *filters)
{
    bool is_filtered, is_of_pages;
    struct slice one;
    enum error_code code = analytics_filters_look(asked->context, filters, &is_filtered, &is_of_pages, asked->error);
    bool is_of_errors = query_context_texts(asked->context, "fingerprint", &one, 1) ||
                        query_context_texts(asked->context, "type", &one, 1);
    asked->has_rate = !is_of_pages && !is_of_errors;
    asked->visit_conditions = SLICE_EMPTY;
    if (code || !asked->has_rate) return code;
    code = analytics_filters_write_of(asked->context, asked->text, ANALYTICS_SESSIONS, filters, asked->error);
    asked->visit_conditions = query_text_cut(asked->text, 0);
    return code;
}

static enum error_code errors_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const sorts[] = {"count", "users", "sessions", "first_seen", "last_seen", NULL};
    struct query_text text;
    struct asked asked = {.context = context, .text = &text, .error = error};
    struct analytics_filters filters = {0};
    asked.person = analytics_person_number(context, error);
    if (!asked.person.size) return error->code;
    query_text_init(&text, context->arena);
    enum error_code code = query_span_parse(context, &asked.span, error);
    if (!code) code = analytics_listing_read(context, sorts, &asked.listing, error);
    if (!code) code = analytics_filters_only(context, &filters, filters_of_errors, error);
    if (!code) code = analytics_filters_write_of(context, &text, ANALYTICS_EVENTS, &filters, error);
    if (!code) code = analytics_values_write(context, &text, "fingerprint", FINGERPRINT, error);
    if (!code) code = analytics_values_write(context, &text, "type", "error_type", error);
    asked.conditions = query_text_cut(&text, 0);
    if (!code) code = find_rate(&asked, &filters);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    analytics_write_question(&writer, "errors", &asked.span);
    write_times(&asked, &writer);
    code = write_totals(&asked, &asked.span.range, &writer);
    if (!code) code = write_rows(&asked, &writer);
    if (!code && asked.span.has_previous) {
        json_writer_key(&writer, "previous");
        json_writer_object_begin(&writer);
        analytics_write_range(&writer, asked.span.zone, &asked.span.previous);
        code = write_totals(&asked, &asked.span.previous, &writer);
        json_writer_object_end(&writer);
    }
    json_writer_object_end(&writer);
    return code;
}

static const struct domain_word error_words[] = {
    {"fingerprint", "Only this error; may be repeated."}, {"type", "Only errors of this type; may be repeated."},
    ANALYTICS_WORDS_WHEN,
    {"interval", "Of the trend: minute, hour, day, week or month."},
    {"compare", "previous: totals of the period before, too."},
    {"limit", "1 to 1000; 100 when absent."}, {"offset", "Rows to leave out first."},
    {"sort", "count, users, sessions, first_seen or last_seen."},
    {"order", "desc or asc."}, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_error_questions[] = {
    {METHOD_GET, "/v1/query/errors", TENANT_EVENTS_READ, errors_answer, error_words, .summary = "Errors in browsers "
        "by fingerprint, with whom they met and their trend"},
    {0},
};

/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/pages: pages by views, where visits begin and end, and how pages are read. */
#include "base/json_writer.h"
#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/breakdown.h"
#include "domains/analytics/ask/overview.h"
#include "query/rows.h"

#define IS_VIEW "(" ANALYTICS_IS_PAGE_VIEW ")"

/* ---- most seen ---- */

static enum error_code write_top(struct query_context *context, const struct analytics_listing *listing,
                                 struct json_writer *writer,
                                 struct error *error)
{
    struct query_text text;
    struct slice person = analytics_person_hash(context, error);
    if (!person.size) return error->code;
    query_text_init(&text, context->arena);
    bool is_ours = listing->rows == ANALYTICS_ROWS_OURS;
    query_text_add(&text, "SELECT toString(query_origin) AS origin, toString(query_path) AS path, ");
    if (is_ours) query_text_add(&text, "anyIf(query_title, query_title != '') AS title, ");
    query_text_add(&text, "uniqExactIf(query_visit, query_visit != 0 AND query_view) AS sessions, ");
    if (is_ours) query_text_add(&text, "uniqExactIf(query_person, query_person != 0 AND query_view) AS visitors, ");
    query_text_printf(&text, "countIf(query_view) AS %s, toFloat64(ifNull(sum(query_money), 0)) "
                             "AS revenue%s FROM (SELECT origin AS query_origin, "
                             "path AS query_path, title AS query_title, " IS_VIEW " AS query_view, if(session_id = "
                                 "'', 0, cityHash64(session_id)) AS "
                             "query_visit, revenue AS query_money, ", is_ours ? "page_views" : "pageviews",
                      is_ours ? ", " ANALYTICS_ROUND("100 * countIf(query_view) / sum(countIf(query_view)) OVER ()",
                                                     "100") " AS percentage" : "");
    query_text_slice(&text, is_ours ? person : SLICE("toUInt64(0)"));
    query_text_add(&text, " AS query_person FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                          "(" IS_VIEW " OR revenue != 0) AND path != '' AND ");
    query_text_range(&text, "created_at", listing->range);
    enum error_code code = analytics_filters_write_of(context, &text, ANALYTICS_EVENTS, listing->filters, error);
    query_text_add(&text, ") GROUP BY query_origin, query_path HAVING countIf(query_view) > 0");
    analytics_listing_end(&text, listing, is_ours ? "page_views" : "pageviews", "query_origin, query_path");
    return code ? code : query_context_write_rows(context, &text, writer, error);
}

/* ---- where visits begin and end ---- */

static enum error_code write_ends(struct query_context *context, bool is_entry, const struct analytics_listing *listing,
                                  struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct analytics_visits visits;
    struct slice conditions, person = analytics_person_hash_of_visit(context, error);
    if (!person.size) return error->code;
    query_text_init(&text, context->arena);
    enum error_code code = analytics_visits_conditions(context, &text, listing->filters, listing->range,
                                                       &conditions, error);
    if (!code) code = analytics_visits_find(context, listing->range->from_ms, listing->range->to_ms, &visits, error);
    if (code) return code;
    const char *end = is_entry ? "entry" : "exit";
    const char *columns = arena_copy_string(context->arena, arena_printf(context->arena,
        "%s_origin AS query_origin, %s_path AS query_path, %.*s AS query_person, screen_view_count AS query_views, "
        "is_bounce AS query_bounce, "
        "duration AS query_duration, revenue AS query_money", end, end, SLICE_ARGS(person)));
    conditions = arena_printf(context->arena, "%.*s AND %s_path != ''", SLICE_ARGS(conditions), end);
    if (!columns || !conditions.size) return error_set(error, ERROR_MEMORY, "no memory for a question");
    query_text_add(&text, "SELECT toString(query_origin) AS origin, query_path AS path, count() AS sessions, ");
    query_text_add(&text, listing->rows == ANALYTICS_ROWS_OURS
        ? "uniqExactIf(query_person, query_person != 0) AS visitors, sum(query_views) AS page_views, "
          "" ANALYTICS_ROUND("100 * countIf(query_bounce) / count()", "100") " AS "
          "bounce_rate, " ANALYTICS_ROUND("avgIf(query_duration, query_duration > 0) / 1000", "1000") " AS "
              "average_duration, toFloat64(sum(query_money)) AS revenue, "
          "" ANALYTICS_ROUND("100 * count() / sum(count()) OVER ()", "100") " AS percentage"
        : "sum(query_views) AS pageviews, toFloat64(sum(query_money)) AS revenue");
    query_text_add(&text, " FROM ");
    analytics_visits_write(&text, &visits, listing->range, columns, conditions);
    query_text_add(&text, " GROUP BY query_origin, query_path");
    analytics_listing_end(&text, listing, "sessions", "query_origin, query_path");
    return query_context_write_rows(context, &text, writer, error);
}

/* ---- how pages are read ---- */

#define TEXTS                                                                                                          \
    "toString(origin) AS query_origin, toString(path) AS query_path, toString(title) AS query_title"
/* Page views of a visit are laid side by side; those without a visit, of which there is no end, are not.
 * One row per page: query_origin, query_path, query_title, query_sessions, query_views, query_bounces, query_sum (ms looked at), query_median. */
static enum error_code write_reading(struct query_context *context, struct query_text *text,
                                     const struct analytics_listing *listing,
                                     struct error *error)
{
    struct analytics_visits visits;
    struct query_range wide = *listing->range, late = *listing->range;
    wide.from_ms = wide.from_ms > 86400000 ? wide.from_ms - 86400000 : 0; /* visits that began the day before */
    late.to_ms += 86400000;                                              /* the next view may lie behind the range */
    struct slice conditions;
    enum error_code code = analytics_visits_find(context, wide.from_ms, wide.to_ms, &visits, error);
    size_t from = text->size;
    if (!code) code = analytics_filters_write_of(context, text, ANALYTICS_EVENTS, listing->filters, error);
    if (!code && listing->search.size) {
        query_text_add(text, " AND positionCaseInsensitiveUTF8(concat(origin, path), ");
        query_text_value(text, listing->search);
        query_text_add(text, ") > 0");
    }
    conditions = query_text_cut(text, from);
    if (code) return code;
    query_text_add(text, "(SELECT query_origin, query_path, anyIf(query_title, query_title != '') AS query_heading, "
                         "uniqExactIf(query_visit, query_visit != 0) AS query_sessions, "
                         "count() AS query_views, uniqExactIf(query_visit, query_visit IN (SELECT cityHash64(id) "
                         "FROM ");
    analytics_visits_write(text, &visits, &wide, "id", SLICE(" AND is_bounce"));
    query_text_add(text, ")) AS query_bounces, sum(query_length) AS query_sum, "
                         "quantileExactInclusiveIf(0.5)(query_length, query_length > 0) AS query_median FROM (SELECT "
                         "query_visit, query_length, query_origin, query_path, query_title FROM (SELECT query_visit, "
                         "arraySort(groupArray((query_at, query_origin, query_path, query_title, query_fits))) AS "
                         "query_steps, arrayPopFront(arrayPushBack(arrayDifference(query_steps.1), 0)) AS "
                         "query_lengths FROM (SELECT cityHash64(session_id) AS query_visit, "
                         "toUnixTimestamp64Milli(created_at) AS query_at, " TEXTS ", (");
    query_text_printf(text, "query_at < %lld", (long long)listing->range->to_ms);
    query_text_slice(text, conditions);
    query_text_add(text, ") AS query_fits FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                         "" ANALYTICS_IS_PAGE_VIEW " AND path != '' AND session_id != '' AND ");
    query_text_range(text, "created_at", &late);
    query_text_add(text, ") GROUP BY query_visit) ARRAY JOIN query_lengths AS query_length, query_steps.2 AS "
                         "query_origin, query_steps.3 AS query_path, query_steps.4 AS query_title, query_steps.5 AS "
                         "query_fits WHERE query_fits UNION ALL SELECT toUInt64(0) AS query_visit, toInt64(0) AS "
                         "query_length, " TEXTS " FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                         "" ANALYTICS_IS_PAGE_VIEW " AND path != '' AND session_id = '' AND ");
    query_text_range(text, "created_at", listing->range);
    query_text_slice(text, conditions);
    query_text_add(text, ") GROUP BY query_origin, query_path)");
    return ERROR_NONE;
}

/* Minutes, over all views, the last of a visit as none: what the flags are about. */
#define MINUTES "(query_sum / query_views / 60000)"
#define BOUNCED "(100 * query_bounces / query_sessions)"

static enum error_code write_performance(struct query_context *context, const struct analytics_listing *listing,
                                         struct json_writer *writer,
                                         struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    bool is_ours = listing->rows == ANALYTICS_ROWS_OURS;
    query_text_printf(&text, "SELECT query_origin AS origin, query_path AS path, query_heading AS title, "
                             "query_sessions AS sessions, query_views AS %s, "
                             "" ANALYTICS_ROUND(BOUNCED, "100") " AS bounce_rate, ",
                                 is_ours ? "page_views" : "pageviews");
    query_text_add(&text, is_ours
        ? "" ANALYTICS_ROUND("query_sum / query_views / 1000", "1000") " AS average_time, "
            "" ANALYTICS_ROUND("query_median / 1000", "1000") " AS median_time, arrayFilter(query_flag -> query_flag "
                "!= '', ["
          "if(" BOUNCED " > 70, 'high_bounce', ''), if(" MINUTES " < 1, 'low_engagement', ''), if(" BOUNCED " < 40 "
              "AND " MINUTES " > 2, 'good_landing', '')]) AS flags"
        : "" ANALYTICS_ROUND(MINUTES, "100") " AS avg_duration, " BOUNCED " > 70 AS high_bounce, " MINUTES " < 1 AS "
            "low_engagement, " BOUNCED " < 40 AND " MINUTES " > 2 AS good_landing");
    query_text_add(&text, " FROM ");
    enum error_code code = write_reading(context, &text, listing, error);
    analytics_listing_end(&text, listing, is_ours ? "page_views" : "pageviews", "query_origin, query_path");
    return code ? code : query_context_write_rows(context, &text, writer, error);
}

enum error_code analytics_pages_count(struct query_context *context, const struct analytics_listing *listing,
                                      int64_t *ret_count,
                                      struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT uniqExact(origin, path) FROM analytics.events WHERE tenant_id = {tenant:String} "
                          "AND " ANALYTICS_IS_PAGE_VIEW " AND path != '' AND ");
    query_text_range(&text, "created_at", listing->range);
    enum error_code code = analytics_filters_write_of(context, &text, ANALYTICS_EVENTS, listing->filters, error);
    if (!code && listing->search.size) {
        query_text_add(&text, " AND positionCaseInsensitiveUTF8(concat(origin, path), ");
        query_text_value(&text, listing->search);
        query_text_add(&text, ") > 0");
    }
    if (!code) code = query_rows_ask(context, &text, 1, &rows, error);
    *ret_count = !code && rows.count ? query_rows_integer(&rows, 0, 0) : 0;
    return code;
}

enum error_code analytics_pages_write(struct query_context *context, enum analytics_pages kind,
                                      const struct analytics_listing *listing,
                                      struct json_writer *writer, struct error *error)
{
    switch (kind) {
    case ANALYTICS_PAGES_TOP: return write_top(context, listing, writer, error);
    case ANALYTICS_PAGES_ENTRY: return write_ends(context, true, listing, writer, error);
    case ANALYTICS_PAGES_EXIT: return write_ends(context, false, listing, writer, error);
    default: return write_performance(context, listing, writer, error);
    }
}

static enum error_code pages_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const kinds[] = {"top", "entry", "exit", "performance", NULL};
    static const char *const top_sorts[] = {"page_views", "sessions", "visitors", "revenue", "path", NULL};
    static const char *const end_sorts[] = {"sessions", "visitors", "page_views", "bounce_rate", "average_duration",
        "revenue", "path", NULL};
    static const char *const read_sorts[] = {"page_views", "sessions", "bounce_rate", "average_time", "median_time",
        "path", NULL};
    static const char *const *const sorts[] = {top_sorts, end_sorts, end_sorts, read_sorts};
    struct query_span span;
    struct analytics_filters filters = {0};
    struct analytics_listing listing = {.range = &span.range, .filters = &filters};
    size_t kind;
    enum error_code code = query_span_parse(context, &span, error);
    if (!code) code = query_context_word(context, "mode", kinds, 0, &kind, error);
    if (!code) code = analytics_listing_read(context, sorts[kind], &listing, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    analytics_write_question(&writer, "pages", &span);
    json_writer_key(&writer, "mode");
    json_writer_string(&writer, slice_from_string(kinds[kind]));
    json_writer_key(&writer, "rows");
    code = analytics_pages_write(context, (enum analytics_pages)kind, &listing, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

static const struct domain_word pages_words[] = {
    {"mode", "top (when absent), entry, exit or performance."},
    ANALYTICS_WORDS_WHEN, {"limit", "1 to 1000; 100 when absent."},
    {"offset", "Rows to leave out first."}, {"sort", "A figure of the rows, or path."}, {"order", "desc or asc."},
    {"search", "Of performance: a part of the address."}, ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_pages_questions[] = {
    {METHOD_GET, "/v1/query/pages", TENANT_EVENTS_READ, pages_answer, pages_words,
     .summary = "Pages by views, where visits begin and end, how long pages are read and how many leave"},
    {0},
};

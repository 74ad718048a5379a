/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/query/breakdown: visits by country, browser, referrer, campaign, channel, .. */
#include "domains/analytics/ask/breakdown.h"

#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/overview.h"
#include "query/words.h"

static const struct { const char *name, *expression, *prefix; } dimensions[ANALYTICS_DIMENSION_COUNT] = {
    {"referrer", "referrer", NULL}, {"referrer_name", "toString(referrer_name)", NULL},
    {"referrer_type", "toString(referrer_type)", NULL},
    {"utm_source", "toString(utm_source)", NULL}, {"utm_medium", "toString(utm_medium)", NULL},
    {"utm_campaign", "toString(utm_campaign)", NULL}, {"utm_term", "toString(utm_term)", NULL},
    {"utm_content", "toString(utm_content)", NULL}, {"region", "toString(region)", "toString(country)"},
    {"country", "toString(country)", NULL}, {"city", "toString(city)", "toString(country)"},
    {"device", "toString(device)", NULL},
    {"brand", "toString(brand)", NULL}, {"model", "toString(model)", "toString(brand)"},
    {"browser", "toString(browser)", NULL},
    {"browser_version", "toString(browser_version)", "toString(browser)"}, {"os", "toString(os)", NULL},
    {"os_version", "toString(os_version)", "toString(os)"},
    /* OpenPanel's eighteen end here. */
    {"channel", ANALYTICS_CHANNEL, NULL}, {"source", ANALYTICS_SOURCE, NULL},
    {"campaign", "toString(utm_campaign)", ANALYTICS_SOURCE},
    {"entry_page", "entry_path", "toString(entry_origin)"}, {"exit_page", "exit_path", "toString(exit_origin)"},
};

const char *analytics_dimension_name(const void *unused, size_t index) { return dimensions[index].name; }
ptrdiff_t analytics_dimension_find(struct slice name)
{
    return query_words_find(analytics_dimension_name, NULL, ANALYTICS_DIMENSION_COUNT, name);
}

static enum error_code take_order(struct query_context *context, const char *const *sorts,
                                  struct analytics_listing *listing, struct error *error)
{
    static const char *const orders[] = {"desc", "asc", NULL};
    size_t sort, order;
    enum error_code code = query_context_word(context, "sort", sorts, SIZE_MAX, &sort, error);
    if (!code) code = query_context_word(context, "order", orders, 0, &order, error);
    if (code) return code;
    listing->order = sort == SIZE_MAX ? NULL : sorts[sort];
    listing->ascending = order == 1;
    return ERROR_NONE;
}

enum error_code analytics_listing_read(struct query_context *context, const char *const *sorts,
                                       struct analytics_listing *listing,
                                       struct error *error)
{
    int64_t limit, offset;
    enum error_code code = query_context_integer(context, "limit", 1, ANALYTICS_LISTING_LIMIT, 100, &limit, error);
    if (!code) code = query_context_integer(context, "offset", 0, 1000000, 0, &offset, error);
    if (!code) code = take_order(context, sorts, listing, error);
    if (code) return code;
    listing->limit = (size_t)limit;
    listing->offset = (size_t)offset;
    listing->search = query_context_text(context, "search");
    return ERROR_NONE;
}

void analytics_listing_end(struct query_text *text, const struct analytics_listing *listing, const char *usual,
                           const char *then)
{
    query_text_printf(text, " ORDER BY %s %s NULLS LAST, %s LIMIT %zu OFFSET %zu",
                      listing->order ? listing->order : usual,
                      listing->ascending ? "ASC" : "DESC", then, listing->limit, listing->offset);
}

/* The visits of one range, for FROM. */
static enum error_code write_visits(struct query_context *context, struct query_text *text,
                                    const struct analytics_listing *listing,
                                    const struct query_range *range, bool is_now, const char *columns,
                                        struct error *error)
{
    struct analytics_visits visits;
    struct slice conditions;
    enum error_code code = analytics_visits_conditions(context, text, listing->filters, range, &conditions, error);
    if (!code) code = analytics_visits_find(context, range->from_ms, range->to_ms, &visits, error);
    if (code) return code;
    query_text_printf(text, "SELECT *, %d AS query_now FROM ", is_now);
    analytics_visits_write(text, &visits, range, columns, conditions);
    return ERROR_NONE;
}

enum error_code analytics_breakdown_write(struct query_context *context, size_t dimension,
                                          const struct analytics_listing *listing,
                                          struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct slice person = analytics_person_hash_of_visit(context, error);
    if (!person.size) return error->code;
    const char *prefix = dimensions[dimension].prefix;
    bool is_ours = listing->rows == ANALYTICS_ROWS_OURS;
    const char *columns = arena_copy_string(context->arena, arena_printf(context->arena,
        "%s AS query_prefix, %s AS query_name, %.*s AS query_person, screen_view_count AS query_views, is_bounce AS "
        "query_bounce, "
        "duration AS query_duration, revenue AS query_money", prefix ? prefix : "''", dimensions[dimension].expression,
        SLICE_ARGS(is_ours ? person : SLICE("toUInt64(0)"))));
    if (!columns) return error_set(error, ERROR_MEMORY, "no memory for a question");
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT %squery_name AS name, ", prefix ? "query_prefix AS prefix, " : "");
    query_text_add(&text, is_ours
        ? "countIf(query_now) AS sessions, uniqExactIf(query_person, query_person != 0 AND query_now) AS visitors, "
          "sumIf(query_views, query_now) AS page_views, "
          ANALYTICS_ROUND("100 * countIf(query_bounce AND query_now) / countIf(query_now)", "100") " AS bounce_rate, "
          ANALYTICS_ROUND("avgIf(query_duration, query_duration > 0 AND query_now) / 1000", "1000") " AS "
              "average_duration, toFloat64(sumIf(query_money, query_now)) "
          "AS revenue, " ANALYTICS_ROUND("100 * countIf(query_now) / sum(countIf(query_now)) OVER ()", "100") " AS "
              "percentage"
        : "count() AS sessions, sum(query_views) AS pageviews, toFloat64(sum(query_money)) AS revenue");
    if (listing->previous)
        query_text_add(&text, ", CAST((countIf(NOT query_now), uniqExactIf(query_person, query_person != 0 AND NOT "
                              "query_now), sumIf(query_views, NOT query_now)), "
                              "'Tuple(sessions UInt64, visitors UInt64, page_views Int64)') AS previous");
    query_text_add(&text, " FROM (");
    enum error_code code = write_visits(context, &text, listing, listing->range, true, columns, error);
    if (listing->previous) query_text_add(&text, " UNION ALL ");
    if (!code && listing->previous) code = write_visits(context, &text, listing, listing->previous, false, columns,
                                                        error);
    query_text_add(&text, ") GROUP BY query_prefix, query_name HAVING countIf(query_now) > 0");
    analytics_listing_end(&text, listing, "sessions", "query_prefix, query_name");
    return code ? code : query_context_write_rows(context, &text, writer, error);
}

static enum error_code breakdown_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const sorts[] = {"sessions", "visitors", "page_views", "bounce_rate", "average_duration",
        "revenue", "name", NULL};
    struct query_span span;
    struct analytics_filters filters = {0};
    struct analytics_listing listing = {.range = &span.range, .filters = &filters};
    struct slice name = query_context_text(context, "dimension");
    ptrdiff_t dimension = analytics_dimension_find(name);
    if (dimension < 0)
        return error_set_field(error, ERROR_INVALID, "dimension", "dimension=%s is not known.%s There are %s",
                               query_words_show(name).text,
                               query_words_suggest(analytics_dimension_name, NULL, ANALYTICS_DIMENSION_COUNT,
                                                   name).text,
                               query_words_list(analytics_dimension_name, NULL, ANALYTICS_DIMENSION_COUNT).text);
    enum error_code code = query_span_parse(context, &span, error);
    if (!code) code = analytics_listing_read(context, sorts, &listing, error);
    if (code) return code;
    if (span.has_previous) listing.previous = &span.previous;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    analytics_write_question(&writer, "breakdown", &span);
    json_writer_key(&writer, "dimension");
    json_writer_string(&writer, name);
    if (span.has_previous) {
        json_writer_key(&writer, "previous");
        json_writer_object_begin(&writer);
        analytics_write_range(&writer, span.zone, &span.previous);
        json_writer_object_end(&writer);
    }
    json_writer_key(&writer, "rows");
    code = analytics_breakdown_write(context, (size_t)dimension, &listing, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

static const struct domain_word breakdown_words[] = {
    {"dimension", "referrer, referrer_name, referrer_type, source, channel, campaign, utm_source, utm_medium, "
                  "utm_campaign, utm_term, utm_content, "
                  "country, region, city, device, brand, model, browser, browser_version, os, os_version, entry_page "
                  "or exit_page."},
    ANALYTICS_WORDS_WHEN, {"compare", "previous: sessions, visitors and page views of the period before, too."},
    {"limit", "1 to 1000; 100 when absent."}, {"offset", "Rows to leave out first."},
    {"sort", "sessions, visitors, page_views, bounce_rate, average_duration, revenue or name."},
    {"order", "desc or asc."},
    ANALYTICS_WORDS_WHICH, {NULL, NULL}};
const struct domain_question analytics_breakdown_questions[] = {
    {METHOD_GET, "/v1/query/breakdown", TENANT_EVENTS_READ, breakdown_answer, breakdown_words,
     .summary = "Visits by where they came from, from which place, with what device"},
    {0},
};

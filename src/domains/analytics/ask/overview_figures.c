/* SPDX-License-Identifier: Apache-2.0 */
/* Computes the figures of an overview: from visits, or from page views when filters choose pages. */
#include <math.h>

#include "domains/analytics/ask/overview.h"
#include "query/rows.h"

#define LONGEST_VISIT_MS (24 * 3600 * 1000LL) /* visits that began this long before a range are looked for in it */

struct asking {
    struct query_context *context;
    const struct query_range *range;
    const struct analytics_filters *filters;
    unsigned measures;
    bool is_filtered, is_of_pages;
    struct analytics_visits visits;
    struct slice person, visitor; /* over rows of events, of visits */
    struct analytics_overview *overview;
    struct error *error;
};

static bool wants(const struct asking *asking,
                  enum analytics_overview_measure measure) { return asking->measures >> measure & 1; }

/* The row that an answer's row (is_total, bucket, ..) is about; NULL: a bucket that is not in the range. */
static struct analytics_overview_row *row_of(const struct asking *asking, const struct query_rows *rows, size_t row)
{
    if (query_rows_integer(rows, row, 0)) return &asking->overview->total;
    int64_t start = query_rows_integer(rows, row, 1);
    size_t low = 0, high = asking->range->bucket_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (asking->range->buckets_ms[middle] < start) low = middle + 1;
        else high = middle;
    }
    return low < asking->range->bucket_count && asking->range->buckets_ms[low] == start ? &asking->overview->points[low] : NULL;
}

/* " AND (..)" for each filter, over rows of that scope. */
static enum error_code conditions_of(const struct asking *asking, struct query_text *text,
                                     enum analytics_scope scope, struct slice *ret)
{
    size_t from = text->size;
    enum error_code code = analytics_filters_write_of(asking->context, text, scope, asking->filters, asking->error);
    *ret = query_text_cut(text, from);
    return code;
}

/* What was written so far, for use as a part of the text to be written now. */
static const char *cut_string(struct query_text *text)
{
    const char *copy = arena_copy_string(text->arena, query_text_cut(text, 0));
    if (!copy) text->failed = true;
    return copy ? copy : "";
}

static struct query_range widened(const struct query_range *range)
{
    return (struct query_range){.from_ms = range->from_ms > LONGEST_VISIT_MS ? range->from_ms - LONGEST_VISIT_MS : 0, .to_ms = range->to_ms};
}

/* ---- visits, their length, how many bounced ---- */

static void take_visits(struct analytics_overview_row *at, double sessions, double views, double bounced)
{
    at->values[OVERVIEW_SESSIONS] = sessions;
    at->values[OVERVIEW_PAGE_VIEWS] = views;
    at->values[OVERVIEW_BOUNCE_RATE] = analytics_round(100 * bounced / sessions, 2);
    at->values[OVERVIEW_VIEWS_PER_SESSION] = analytics_round(views / sessions, 2);
}

static enum error_code read_visits(struct asking *asking, const struct query_text *text)
{
    struct query_rows rows;
    enum error_code code = query_rows_ask(asking->context, text, 8, &rows, asking->error);
    for (size_t i = 0; !code && i < rows.count; i++) {
        struct analytics_overview_row *at = row_of(asking, &rows, i);
        if (!at) continue;
        at->values[OVERVIEW_VISITORS] = query_rows_number(&rows, i, 2);
        take_visits(at, query_rows_number(&rows, i, 3), query_rows_number(&rows, i, 4), query_rows_number(&rows, i, 5));
        at->values[OVERVIEW_AVERAGE_DURATION] = analytics_round(query_rows_number(&rows, i, 6) / 1000, 3);
        at->values[OVERVIEW_MEDIAN_DURATION] = analytics_round(query_rows_number(&rows, i, 7) / 1000, 3);
    }
    return code;
}

static void write_lengths(const struct asking *asking, struct query_text *text, const char *length)
{
    query_text_printf(text, "avgIf(%s, %s > 0), ", length, length);
    if (wants(asking, OVERVIEW_MEDIAN_DURATION)) query_text_printf(text, "quantileExactInclusiveIf(0.5)(%s, %s > "
                                                                   "0)", length, length);
    else query_text_add(text, "toFloat64(0)");
}

static enum error_code ask_visits(struct asking *asking)
{
    struct query_text text;
    struct slice conditions;
    query_text_init(&text, asking->context->arena);
    query_text_bucket(&text, "created_at", asking->range);
    query_text_add(&text, " AS query_bucket, ");
    query_text_slice(&text, wants(asking, OVERVIEW_VISITORS) ? asking->visitor : SLICE("toUInt64(0)"));
    query_text_add(&text, " AS query_person, screen_view_count, is_bounce, duration");
    const char *columns = cut_string(&text);
    enum error_code code = conditions_of(asking, &text, ANALYTICS_SESSIONS, &conditions);
    if (code) return code;
    query_text_add(&text, "SELECT grouping(query_bucket), query_bucket, uniqExactIf(query_person, query_person != "
                          "0), count(), "
                          "sum(screen_view_count), countIf(is_bounce), ");
    write_lengths(asking, &text, "duration");
    query_text_add(&text, " FROM ");
    analytics_visits_write(&text, &asking->visits, asking->range, columns, conditions);
    query_text_add(&text, " GROUP BY query_bucket WITH ROLLUP");
    return read_visits(asking, &text);
}

/* ---- the same from page views that filters choose ---- */

static void write_chosen_visits(const struct asking *asking, struct query_text *text, struct slice conditions)
{
    query_text_add(text, "(SELECT session_id FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                         "" ANALYTICS_IS_PAGE_VIEW
                         " AND session_id != '' AND ");
    query_text_range(text, "created_at", asking->range);
    query_text_slice(text, conditions);
    query_text_add(text, ")");
}

static void write_view_columns(const struct asking *asking, struct query_text *text)
{
    query_text_bucket(text, "created_at", asking->range);
    query_text_add(text, " AS query_bucket, ");
    query_text_slice(text, asking->person);
    query_text_add(text, " AS query_person, ");
}

/* Page views that fit, each with the time until the next page view of its visit, whatever that one is of (0: the last).
 * Those without a visit apart: together they would be one visit without end. */
static void write_views(const struct asking *asking, struct query_text *text, struct slice conditions)
{
    struct query_range range = *asking->range;
    query_text_add(text, "(SELECT query_bucket, query_person, query_visit, query_length FROM (SELECT query_bucket, "
                         "query_person, query_visit, query_fits, query_at, leadInFrame(query_at, 1, query_at) OVER "
                         "(PARTITION BY query_visit ORDER BY query_at, query_page ROWS BETWEEN CURRENT ROW AND "
                         "UNBOUNDED FOLLOWING) - query_at AS query_length FROM (SELECT ");
    write_view_columns(asking, text);
    query_text_add(text, "toUnixTimestamp64Milli(created_at) AS query_at, concat(origin, path) AS query_page, "
                         "cityHash64(session_id) AS query_visit, (1");
    query_text_slice(text, conditions);
    query_text_add(text, ") AS query_fits FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                         "" ANALYTICS_IS_PAGE_VIEW " AND ");
    range.to_ms += LONGEST_VISIT_MS;
    query_text_range(text, "created_at", &range);
    query_text_add(text, " AND session_id IN ");
    write_chosen_visits(asking, text, conditions);
    query_text_printf(text, ")) WHERE query_fits AND query_at < %lld UNION ALL SELECT ",
                      (long long)asking->range->to_ms);
    write_view_columns(asking, text);
    query_text_add(text, "toUInt64(0) AS query_visit, toInt64(0) AS query_length FROM analytics.events WHERE "
                         "tenant_id = {tenant:String} AND " ANALYTICS_IS_PAGE_VIEW " AND session_id = '' AND ");
    query_text_range(text, "created_at", asking->range);
    query_text_slice(text, conditions);
    query_text_add(text, ")");
}

static enum error_code ask_views(struct asking *asking)
{
    struct query_text text;
    struct query_range wide = widened(asking->range);
    struct slice conditions;
    query_text_init(&text, asking->context->arena);
    enum error_code code = conditions_of(asking, &text, ANALYTICS_EVENTS, &conditions);
    if (code) return code;
    query_text_add(&text, "SELECT grouping(query_bucket), query_bucket, uniqExactIf(query_person, query_person != 0), "
                          "uniqExactIf(query_visit, query_visit != 0), count(), uniqExactIf(query_visit, query_visit "
                          "IN (SELECT cityHash64(id) FROM ");
    analytics_visits_write(&text, &asking->visits, &wide, "id", SLICE(" AND is_bounce"));
    query_text_add(&text, ")), ");
    write_lengths(asking, &text, "query_length");
    query_text_add(&text, " FROM ");
    write_views(asking, &text, conditions);
    query_text_add(&text, " GROUP BY query_bucket WITH ROLLUP");
    return read_visits(asking, &text);
}

/* ---- money ---- */

static enum error_code ask_revenue(struct asking *asking)
{
    struct query_text text;
    struct query_rows rows;
    struct query_range wide = widened(asking->range);
    struct slice conditions = SLICE_EMPTY;
    query_text_init(&text, asking->context->arena);
    enum error_code code = asking->is_filtered
        ? conditions_of(asking, &text, asking->is_of_pages ? ANALYTICS_EVENTS : ANALYTICS_SESSIONS,
                        &conditions) : ERROR_NONE;
    query_text_add(&text, "SELECT grouping(query_bucket), ");
    query_text_bucket(&text, "created_at", asking->range);
    /* The names are not looked at: session_start and session_end have no amount. */
    query_text_add(&text, " AS query_bucket, toFloat64(sum(revenue)) FROM analytics.events WHERE tenant_id = "
                          "{tenant:String} AND revenue != 0 AND ");
    query_text_range(&text, "created_at", asking->range);
    if (asking->is_filtered) query_text_add(&text, " AND session_id IN ");
    if (asking->is_filtered && asking->is_of_pages) write_chosen_visits(asking, &text, conditions);
    else if (asking->is_filtered) analytics_visits_write(&text, &asking->visits, &wide, "id", conditions);
    query_text_add(&text, " GROUP BY query_bucket WITH ROLLUP");
    if (!code) code = query_rows_ask(asking->context, &text, 3, &rows, asking->error);
    for (size_t i = 0; !code && i < rows.count; i++) {
        struct analytics_overview_row *at = row_of(asking, &rows, i);
        if (at) at->values[OVERVIEW_REVENUE] = query_rows_number(&rows, i, 2);
    }
    return code;
}

/* ---- who came for the first time ---- */

static enum error_code ask_new(struct asking *asking)
{
    struct query_text text;
    struct query_rows rows;
    struct query_range past = {.from_ms = 0, .to_ms = asking->range->to_ms};
    struct analytics_visits all;
    struct slice conditions;
    enum error_code code = analytics_visits_find(asking->context, 0, past.to_ms, &all, asking->error);
    query_text_init(&text, asking->context->arena);
    query_text_printf(&text, "toUnixTimestamp64Milli(created_at) AS query_at, %.*s AS query_person",
                      SLICE_ARGS(asking->visitor));
    const char *times = cut_string(&text);
    query_text_bucket(&text, "created_at", asking->range);
    query_text_printf(&text, " AS query_bucket, %.*s AS query_person",
                      SLICE_ARGS(asking->is_of_pages ? asking->person : asking->visitor));
    const char *columns = cut_string(&text);
    if (!code) code = conditions_of(asking, &text, asking->is_of_pages ? ANALYTICS_EVENTS : ANALYTICS_SESSIONS,
                                    &conditions);
    if (code) return code;
    query_text_printf(&text, "SELECT grouping(query_bucket), query_bucket, uniqExactIf(query_person, query_first >= "
                             "greatest(query_start, %lld)), "
                             "uniqExactIf(query_person, query_first >= %lld), uniqExactIf(query_person, query_first < "
                             "greatest(query_start, %lld)), uniqExactIf(query_person, query_first < %lld) FROM "
                             "(SELECT query_bucket, query_bucket "
                             "AS query_start, query_person, "
                             "query_first FROM ", (long long)asking->range->from_ms, (long long)asking->range->from_ms,
                      (long long)asking->range->from_ms, (long long)asking->range->from_ms);
    if (asking->is_of_pages) {
        query_text_printf(&text, "(SELECT %s FROM analytics.events WHERE tenant_id = {tenant:String} AND "
                                 "" ANALYTICS_IS_PAGE_VIEW " AND ", columns);
        query_text_range(&text, "created_at", asking->range);
        query_text_slice(&text, conditions);
        query_text_add(&text, ")");
    } else {
        analytics_visits_write(&text, &asking->visits, asking->range, columns, conditions);
    }
    query_text_add(&text, " AS query_here INNER JOIN (SELECT query_person, min(query_at) AS query_first FROM ");
    analytics_visits_write(&text, &all, &past, times, SLICE_EMPTY);
    query_text_add(&text, " WHERE query_person != 0 GROUP BY query_person) AS query_ever USING (query_person)) GROUP "
                          "BY query_bucket WITH ROLLUP");
    code = query_rows_ask(asking->context, &text, 6, &rows, asking->error);
    for (size_t i = 0; !code && i < rows.count; i++) {
        struct analytics_overview_row *at = row_of(asking, &rows, i);
        bool is_total = at == &asking->overview->total;
        if (!at) continue;
        at->values[OVERVIEW_NEW_VISITORS] = query_rows_number(&rows, i, is_total ? 3 : 2);
        at->values[OVERVIEW_RETURNING_VISITORS] = query_rows_number(&rows, i, is_total ? 5 : 4);
    }
    return code;
}

static void begin_row(struct analytics_overview_row *row)
{
    static const enum analytics_overview_measure ratios[] = {OVERVIEW_BOUNCE_RATE, OVERVIEW_AVERAGE_DURATION,
        OVERVIEW_MEDIAN_DURATION,
                                                             OVERVIEW_VIEWS_PER_SESSION};
    *row = (struct analytics_overview_row){0};
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) row->values[ratios[i]] = NAN;
}

enum error_code analytics_overview_ask(struct query_context *context, const struct query_range *range,
                                       unsigned measures,
                                       const struct analytics_filters *filters, struct analytics_overview *ret_overview,
                                       struct error *error)
{
    struct asking asking = {.context = context, .range = range, .filters = filters, .measures = measures,
        .overview = ret_overview, .error = error};
    ret_overview->points = arena_allocate(context->arena, (range->bucket_count + 1) * sizeof *ret_overview->points);
    if (!ret_overview->points) return error_set(error, ERROR_MEMORY, "no memory for a question");
    for (size_t i = 0; i < range->bucket_count; i++) begin_row(&ret_overview->points[i]);
    begin_row(&ret_overview->total);
    if (wants(&asking, OVERVIEW_NEW_VISITORS) || wants(&asking, OVERVIEW_RETURNING_VISITORS))
        asking.measures |= 1U << OVERVIEW_VISITORS | 1U << OVERVIEW_NEW_VISITORS;
    enum error_code code = analytics_filters_look(context, filters, &asking.is_filtered, &asking.is_of_pages, error);
    if (!code) code = analytics_visits_find(context, widened(range).from_ms, range->to_ms, &asking.visits, error);
    if (code) return code;
    asking.person = analytics_person_hash(context, error);
    asking.visitor = analytics_person_hash_of_visit(context, error);
    if (!asking.person.size || !asking.visitor.size) return error->code;
    if (asking.measures & ~(1U << OVERVIEW_REVENUE)) code = asking.is_of_pages ? ask_views(&asking) : ask_visits(&asking);
    if (!code && wants(&asking, OVERVIEW_REVENUE)) code = ask_revenue(&asking);
    if (!code && wants(&asking, OVERVIEW_NEW_VISITORS)) code = ask_new(&asking);
    return code;
}

double analytics_round(double value, int decimals)
{
    double scale = pow(10, decimals);
    return isfinite(value) ? round(value * scale) / scale : NAN;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A type's SQL and what was asked become one statement. */
#include "domains/analytics/ask/databuddy/sql.h"
#include "domains/analytics/ask/payment.h"
#include "query/calendar.h"
#include "query/words.h"

/* Where rows of a source are, and their time. */
static const struct { const char *word, *table, *time, *more; } sources[DATABUDDY_SOURCE_COUNT] = {
    [DATABUDDY_EVENTS] = {"events", "analytics.events", "created_at", " AND " ANALYTICS_IS_SENT},
    [DATABUDDY_VITALS] = {"vitals", "analytics.web_vitals_spans", "timestamp", ""},
    [DATABUDDY_ERRORS] = {"errors", "analytics.error_spans", "timestamp", ""},
    [DATABUDDY_CUSTOM] = {"custom", "analytics.custom_events", "timestamp", ""},
    [DATABUDDY_LINKS] = {"links", "analytics.outgoing_links", "timestamp", ""},
    [DATABUDDY_ENGAGEMENT] = {"engagement", "analytics.engagement_spans", "timestamp", ""},
    [DATABUDDY_REVENUE] = {"revenue", "analytics.revenue FINAL", "created", ""},
    [DATABUDDY_AI_VISITS] = {"ai_visits", "analytics.ai_traffic_spans", "timestamp", ""},
    [DATABUDDY_LINK_VISITS] = {"link_visits", "analytics.link_visits", "timestamp", ""},
    [DATABUDDY_AI_CALLS] = {"ai_calls", "observability.ai_call_spans", "timestamp", ""},
};

struct writing {
    const struct databuddy_query *query;
    struct query_text *text;
    struct error *error;
};
static enum error_code expand(struct writing *writing, struct slice sql);
static enum error_code expand_string(struct writing *writing, const char *sql) { return expand(writing,
    slice_from_string(sql)); }

static void write_table(struct writing *writing, enum databuddy_source source)
{
    query_text_printf(writing->text, "%s WHERE tenant_id = {tenant:String} AND ", sources[source].table);
    query_text_range(writing->text, sources[source].time, &writing->query->range);
    query_text_add(writing->text, sources[source].more);
}

static enum error_code write_source(struct writing *writing, enum databuddy_source source)
{
    write_table(writing, source);
    return databuddy_filters_write(writing->query, writing->text, source, false, writing->error);
}

static enum error_code write_sessions(struct writing *writing)
{
    bool is_filtered = false;
    for (size_t i = 0; i < writing->query->filter_count; i++) is_filtered |= !writing->query->filters[i].is_having;
    write_table(writing, DATABUDDY_EVENTS);
    query_text_add(writing->text, " AND session_id != ''");
    if (!is_filtered) return ERROR_NONE;
    query_text_add(writing->text, " AND session_id IN (SELECT session_id FROM ");
    enum error_code code = write_source(writing, DATABUDDY_EVENTS);
    query_text_add(writing->text, ")");
    return code;
}

/* With what is known of the visits they came from when that is asked for. */
static enum error_code write_payments(struct writing *writing, bool always)
{
    enum error_code code = ERROR_NONE;
    if (always || databuddy_filters_need_visits(writing->query)) {
        code = analytics_payments_write(writing->query->context, writing->text, &writing->query->range, writing->error);
    } else {
        query_text_add(writing->text, "(SELECT " ANALYTICS_PAYMENT_COLUMNS " FROM ");
        write_table(writing, DATABUDDY_REVENUE);
        query_text_add(writing->text, ")");
    }
    query_text_add(writing->text, " AS payments WHERE 1");
    return code ? code : databuddy_filters_write(writing->query, writing->text, DATABUDDY_REVENUE, false,
                                                 writing->error);
}

static const struct databuddy_filter *find_filter(const struct databuddy_query *query, struct slice field)
{
    for (size_t i = 0; i < query->filter_count; i++)
        if (slice_equal(query->filters[i].field, field)) return &query->filters[i];
    return NULL;
}

static enum error_code write_needed(struct writing *writing)
{
    const struct databuddy_filter *filter = find_filter(writing->query, slice_from_string(writing->query->type->needs));
    if (!filter || filter->comparison != QUERY_EQUALS || filter->value_count != 1 || filter->values[0].size == 0)
        return error_set_field(writing->error, ERROR_INVALID, "filters",
                               "%s needs a filter {\"field\":\"%s\",\"op\":\"eq\",\"value\":..}",
            writing->query->type->name, writing->query->type->needs);
    query_text_value(writing->text, filter->values[0]);
    return ERROR_NONE;
}

static void write_limit(struct writing *writing)
{
    const struct databuddy_query *query = writing->query;
    int64_t limit = query->limit ? query->limit : query->type->limit ? query->type->limit : DATABUDDY_LIMIT_DEFAULT;
    /* A series is whole. */
    if (query->type->series == DATABUDDY_FILLED && !query->limit) return;
    if (query->type->series == DATABUDDY_SPARSE && !query->limit) limit = DATABUDDY_LIMIT;
    query_text_printf(writing->text, " LIMIT %lld OFFSET %lld", (long long)limit,
                      (long long)(limit * (query->page - 1)));
}

static enum error_code write_word(struct writing *writing, struct slice word, struct slice argument)
{
    struct query_text *text = writing->text;
    const struct databuddy_query *query = writing->query;
    for (int i = 0; i < DATABUDDY_SOURCE_COUNT; i++)
        if (slice_equal(word, slice_from_string(sources[i].word))) return write_source(writing,
            (enum databuddy_source)i);
    if (slice_equal(word, SLICE("payments"))) return write_payments(writing, false);
    if (slice_equal(word, SLICE("attributed"))) return write_payments(writing, true);
    if (slice_equal(word, SLICE("sessions"))) return write_sessions(writing);
    if (slice_equal(word, SLICE("needed"))) return write_needed(writing);
    if (slice_equal(word, SLICE("where"))) return databuddy_filters_write(query, text, DATABUDDY_EVENTS, true,
        writing->error);
    if (slice_equal(word, SLICE("person"))) {
        struct slice person = analytics_person(query->context, writing->error);
        if (!person.size) return writing->error->code;
        query_text_slice(text, person);
    } else if (slice_equal(word, SLICE("all"))) {
        write_table(writing, DATABUDDY_EVENTS);
    } else if (slice_equal(word, SLICE("errors_all"))) {
        write_table(writing, DATABUDDY_ERRORS);
    } else if (slice_equal(word, SLICE("tenant"))) {
        query_text_add(text, "tenant_id = {tenant:String}");
    } else if (slice_equal(word, SLICE("bucket"))) {
        query_text_bucket(text, arena_copy_string(text->arena, argument), &query->range);
    } else if (slice_equal(word, SLICE("zone"))) {
        query_text_value(text, query->timezone);
    } else if (slice_equal(word, SLICE("from"))) {
        query_text_instant(text, query->range.from_ms);
    } else if (slice_equal(word, SLICE("to"))) {
        query_text_instant(text, query->range.to_ms);
    } else if (slice_equal(word, SLICE("now"))) {
        query_text_instant(text, query->context->now_ms);
    } else if (slice_equal(word, SLICE("limit"))) {
        write_limit(writing);
    } else if (slice_equal(word, SLICE("value"))) {
        struct slice fallback = argument, name = slice_cut(&fallback, '|');
        const struct databuddy_filter *filter = find_filter(query, name);
        query_text_value(text, filter && filter->value_count ? filter->values[0] : fallback);
    } else {
        bool is_first = slice_equal(word, SLICE("also_first"));
        ASSERT(is_first || slice_equal(word, SLICE("also")));
        for (size_t i = 0; i < query->group_count; i++) {
            if (is_first) query_text_printf(text, ", " FIRST("toString(%s)") " AS also_%zu",
                                            databuddy_group_expression(query->groups[i]), i + 1);
            else query_text_printf(text, ", also_%zu", i + 1);
        }
    }
    return ERROR_NONE;
}

static enum error_code expand(struct writing *writing, struct slice sql)
{
    while (sql.size) {
        ptrdiff_t at = slice_index_of(sql, '$');
        query_text_slice(writing->text, at < 0 ? sql : slice_first(sql, (size_t)at));
        if (at < 0) break;
        sql = slice_from(sql, (size_t)at + 1);
        size_t size = 0;
        while (size < sql.size && ((sql.data[size] >= 'a' && sql.data[size] <= 'z') || sql.data[size] == '_')) size++;
        struct slice word = slice_first(sql, size), argument = SLICE_EMPTY;
        sql = slice_from(sql, size);
        if (sql.size && sql.data[0] == '(' && (slice_equal(word, SLICE("bucket")) || slice_equal(word,
            SLICE("value")))) {
            sql = slice_from(sql, 1);
            argument = slice_cut(&sql, ')');
        }
        enum error_code code = write_word(writing, word, argument);
        if (code) return code;
    }
    return ERROR_NONE;
}

/* ---- around the type's SQL ---- */

/* The name of a bucket: its date, or date and hour, by the zone's clocks. */
static void write_buckets(struct writing *writing)
{
    const struct databuddy_query *query = writing->query;
    query_text_add(writing->text, "(SELECT toInt64(pair.1) AS bucket, pair.2 AS bucket_name FROM (SELECT arrayJoin([");
    for (size_t i = 0; i < query->range.bucket_count; i++) {
        char name[QUERY_TIME_TEXT_SIZE];
        int64_t start = query->range.buckets_ms[i];
        query_calendar_format(query->zone, start, name);
        name[10] = query->interval == QUERY_DAY ? '\0' : ' ';
        name[19] = '\0';
        query_text_printf(writing->text, "%s(%lld,'%s')", i ? "," : "", (long long)start, name);
    }
    query_text_add(writing->text, "]) AS pair)) AS buckets ");
}

static void write_columns(struct writing *writing)
{
    const struct databuddy_query *query = writing->query;
    struct slice rest = slice_from_string(query->type->columns), name;
    bool is_time, is_first = true;
    while (databuddy_next_column(&rest, &name, &is_time)) {
        if (!is_first) query_text_add(writing->text, ", ");
        if (is_first && query->type->series) query_text_printf(writing->text, "bucket_name AS %.*s", SLICE_ARGS(name));
        else if (is_time) query_text_printf(writing->text, "toString(%.*s) AS %.*s", SLICE_ARGS(name),
                                            SLICE_ARGS(name));
        else query_text_slice(writing->text, name);
        is_first = false;
    }
    for (size_t i = 0; i < query->group_count; i++)
        query_text_printf(writing->text, ", also_%zu AS %.*s", i + 1, SLICE_ARGS(query->groups[i]));
}

bool databuddy_next_column(struct slice *columns, struct slice *ret_name, bool *ret_is_time)
{
    if (!columns->size) return false;
    *ret_name = slice_cut(columns, ',');
    *ret_is_time = slice_ends_with(*ret_name, SLICE("@"));
    if (*ret_is_time) ret_name->size--;
    return true;
}

bool databuddy_type_has_column(const struct databuddy_type *type, struct slice column)
{
    struct slice rest = slice_from_string(type->columns), name;
    bool is_time;
    while (databuddy_next_column(&rest, &name, &is_time))
        if (slice_equal(name, column)) return true;
    return false;
}

static enum error_code write_order(struct writing *writing)
{
    const struct databuddy_query *query = writing->query;
    struct query_text *text = writing->text;
    const char *own = query->type->series ? "bucket" : query->type->order;
    if (query->sort_by.size) {
        if (!databuddy_type_has_column(query->type, query->sort_by))
            return error_set_field(writing->error, ERROR_INVALID, "sortBy", "sortBy=%s: %s has the columns %s",
                                   query_words_show(query->sort_by).text, query->type->name, query->type->columns);
        query_text_printf(text, " ORDER BY %.*s %s", SLICE_ARGS(query->sort_by), query->is_descending ? "DESC" : "ASC");
        if (own) query_text_printf(text, ", %s", own);
    } else if (own) {
        query_text_printf(text, " ORDER BY %s", own);
    }
    if (query->type->series && query->type->order) query_text_printf(text, ", %s", query->type->order);
    return ERROR_NONE;
}

enum error_code databuddy_statement_write(const struct databuddy_query *query, struct query_text *text,
                                          struct error *error)
{
    struct writing writing = {query, text, error};
    enum error_code code;
    query_text_add(text, "SELECT ");
    write_columns(&writing);
    query_text_add(text, " FROM ");
    if (query->type->series) {
        write_buckets(&writing);
        query_text_add(text, query->type->series == DATABUDDY_FILLED ? "LEFT JOIN (" : "INNER JOIN (");
    } else {
        query_text_add(text, "(");
    }
    if ((code = expand_string(&writing, query->type->sql))) return code;
    query_text_add(text, query->type->series ? ") AS answer USING (bucket) WHERE 1" : ") AS answer WHERE 1");
    if ((code = databuddy_having_write(query, text, error))) return code;
    if ((code = write_order(&writing))) return code;
    if (!strstr(query->type->sql, "$limit")) write_limit(&writing);
    return query_text_check(text, error);
}

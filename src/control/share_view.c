/* SPDX-License-Identifier: Apache-2.0 */
/* What a share shows: things as JSON without what is nobody else's business, and reports as questions. */
#include "control/share.h"

#include <stdio.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "base/uuid.h"
#include "control/product.h"
#include "decode/json.h"

/* Of one answer: a dashboard with more is no page any more. */
#define SHARE_THINGS_MOST "500"

/* Who made it and how often it was opened is for those who own it. */
static bool share_shows(const struct control_field *field)
{
    static const char *const hidden[] = {"created_by", "view_count", "is_public"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (strcmp(field->name, hidden[i]) == 0) return false;
    return field->type != CONTROL_SECRET;
}

struct share_writing {
    const struct control_resource *resource;
    struct json_writer *writer;
    size_t count;
};

static enum error_code share_write_thing(void *context, const struct meta_row *row, struct error *error)
{
    struct share_writing *writing = context;
    struct json_writer *writer = writing->writer;
    size_t column = 1;
    json_writer_object_begin(writer);
    json_writer_key(writer, writing->resource->id_column);
    json_writer_string(writer, meta_row_text(row, 0));
    for (const struct control_field *field = writing->resource->fields; field->name; field++) {
        if (!share_shows(field)) continue;
        json_writer_key(writer, field->name);
        control_field_write(field, row, column++, writer);
    }
    json_writer_object_end(writer);
    writing->count++;
    return ERROR_NONE;
}

/* Things of the tenant for which `where` holds with $2 = `id`; `where` is ours. */
static enum error_code share_write_things(struct meta_session *session, const struct control_resource *resource, const char *tenant_id,
                                          const char *where, const char *id, struct json_writer *writer, size_t *ret_count,
                                          struct error *error)
{
    struct buffer sql = {0};
    struct share_writing writing = {.resource = resource, .writer = writer};
    buffer_printf(&sql, "select %s", resource->id_column);
    for (const struct control_field *field = resource->fields; field->name; field++) {
        if (!share_shows(field)) continue;
        if (field->type == CONTROL_BOOLEAN) buffer_printf(&sql, ", case when \"%s\" then 1 else 0 end", field->name);
        else if (field->type == CONTROL_JSON) buffer_printf(&sql, ", cast(\"%s\" as text)", field->name);
        else buffer_printf(&sql, ", \"%s\"", field->name);
    }
    buffer_printf(&sql, " from %s where tenant_id = $1 and %s%s order by created_at, %s limit " SHARE_THINGS_MOST, resource->table, where,
                  resource->soft_delete ? " and deleted_at is null" : "", resource->id_column);
    buffer_append_byte(&sql, 0);
    enum error_code code = sql.failed ? error_set(error, ERROR_MEMORY, "out of memory for a share")
                                      : meta_query(session, sql.data, META_PARAMETERS(meta_string(tenant_id), meta_string(id)),
                                                   share_write_thing, &writing, error);
    buffer_free(&sql);
    if (ret_count) *ret_count = writing.count;
    return code;
}

static const char *share_kind(const struct control_share *share)
{
    return share->dashboard_id[0] ? "dashboard" : share->report_id[0] ? "report" : "overview";
}

enum error_code control_share_write(const struct control_call *call, const struct control_share *share, struct buffer *out,
                                    struct error *error)
{
    const struct { const char *kind, *key; const struct control_resource *resource; const char *where, *id; bool is_list; } parts[] = {
        {"dashboard", "dashboard", &control_dashboards, "dashboard_id = $2", share->dashboard_id, false},
        {"dashboard", "widgets", &control_widgets, "dashboard_id = $2", share->dashboard_id, true},
        {"dashboard", "reports", &control_reports, "dashboard_id = $2", share->dashboard_id, true},
        {"report", "report", &control_reports, "report_id = $2", share->report_id, false},
        {NULL, "annotations", &control_annotations, "is_public and $2 = ''", "", true},
    };
    const char *kind = share_kind(share);
    struct json_writer writer = {.out = out};
    struct meta_session *session = NULL;
    char time[TIME_TEXT_SIZE];
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "kind");
    json_writer_string(&writer, slice_from_string(kind));
    json_writer_key(&writer, "name");
    json_writer_string(&writer, share->name);
    json_writer_key(&writer, "tenant_name");
    json_writer_string(&writer, share->tenant_name);
    json_writer_key(&writer, "expires_at");
    if (share->expires_ms) time_format_ms(share->expires_ms, time);
    if (share->expires_ms) json_writer_string(&writer, slice_make(time, sizeof time));
    else json_writer_null(&writer);
    enum error_code code = meta_session_begin(call->control->product, 0, &session, error);
    for (size_t i = 0; !code && i < sizeof parts / sizeof *parts; i++) {
        size_t count = 0;
        if (parts[i].kind && strcmp(parts[i].kind, kind) != 0) continue;
        json_writer_key(&writer, parts[i].key);
        if (parts[i].is_list) json_writer_array_begin(&writer);
        code = share_write_things(session, parts[i].resource, share->tenant_id, parts[i].where, parts[i].id, &writer, &count, error);
        if (parts[i].is_list) json_writer_array_end(&writer);
        else if (!code && count != 1) code = error_set(error, ERROR_NOT_FOUND, "what was shared here is gone");
    }
    meta_session_end(session);
    json_writer_object_end(&writer);
    if (!code && out->failed) code = error_set(error, ERROR_MEMORY, "out of memory for a share");
    return code;
}

/* ---- a report as a question ---- */

/*
 * Which question draws which type of chart, and what it calls the series: a list, or the first and the second (where there is only one, it
 * is both when `is_one_both`). `steps` is what it calls the option of that name. Others are charts.
 */
static const struct share_question {
    const char *chart_type, *path, *list, *single[2], *steps;
    bool is_one_both, has_short_intervals;
} share_questions[] = {
    {"funnel", "/v1/query/funnel", .list = "steps", .has_short_intervals = true},
    {"conversion", "/v1/query/conversion", .list = "steps", .has_short_intervals = true},
    {"retention", "/v1/query/retention", .single = {"first", "return"}},
    {"sankey", "/v1/query/paths", .single = {"start", "end"}, .steps = "depth", .is_one_both = true, .has_short_intervals = true},
    {NULL, "/v1/query/chart", .list = "series", .has_short_intervals = true},
};

struct share_report {
    struct arena *arena;
    bool found;
    struct slice chart_type, interval, range, series, breakdowns, filters, options, formula;
    int64_t start_ms, end_ms;
    bool previous;
};

static enum error_code share_take_report(void *context, const struct meta_row *row, struct error *error)
{
    struct share_report *report = context;
    struct slice *const texts[] = {&report->chart_type, &report->interval, &report->range, &report->series, &report->breakdowns,
                                   &report->filters, &report->options, &report->formula};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = arena_copy(report->arena, meta_row_text(row, i));
    report->start_ms = meta_row_integer(row, 8);
    report->end_ms = meta_row_integer(row, 9);
    report->previous = meta_row_boolean(row, 10);
    report->found = true;
    return arena_failed(report->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a report") : ERROR_NONE;
}

static void share_write_time(struct json_writer *writer, const char *key, int64_t unix_ms)
{
    char time[TIME_TEXT_SIZE];
    if (!unix_ms) return;
    time_format_ms(unix_ms, time);
    json_writer_key(writer, key);
    json_writer_string(writer, slice_make(time, sizeof time));
}

static void share_write_text(struct json_writer *writer, const char *key, struct slice text, bool is_json)
{
    if (!text.size || (is_json && (slice_equal(text, SLICE("[]")) || slice_equal(text, SLICE("{}"))))) return;
    json_writer_key(writer, key);
    if (is_json) json_writer_raw(writer, text);
    else json_writer_string(writer, text);
}

/* Calls `take` with the members of a JSON object or the items of a list. */
static enum error_code share_each(const struct share_report *report, struct slice json, void *context,
                                  void (*take)(void *context, size_t index, struct slice key, struct slice value), struct error *error)
{
    struct json_parser *parser = json_parser_create();
    struct json_value whole, child;
    struct slice key = SLICE_EMPTY;
    struct buffer text = {0};
    size_t index = 0;
    char *padded = arena_allocate(report->arena, json.size + JSON_PADDING);
    if (!parser || !padded) {
        json_parser_destroy(parser);
        return error_set(error, ERROR_MEMORY, "out of memory for a report");
    }
    memcpy(padded, json.data, json.size);
    enum error_code code = json_parse(parser, slice_make(padded, json.size), &whole, error);
    bool has_children = !code && (json_value_type(whole) == JSON_OBJECT || json_value_type(whole) == JSON_ARRAY);
    for (struct json_iterator iterator = has_children ? json_iterate(whole) : (struct json_iterator){0};
         has_children && json_next(&iterator, &key, &child);) {
        buffer_clear(&text);
        json_value_write(child, &text);
        take(context, index++, key, buffer_slice(&text));
    }
    if (!code && text.failed) code = error_set(error, ERROR_MEMORY, "out of memory for a report");
    buffer_free(&text);
    json_parser_destroy(parser);
    return code;
}

/* What the options say already. */
enum { SHARE_SERIES, SHARE_BREAKDOWNS, SHARE_FILTERS, SHARE_INTERVAL, SHARE_COMPARE, SHARE_TIME, SHARE_WORDS };
struct share_asking {
    struct json_writer writer;
    const struct share_question *question;
    struct arena *arena;
    struct slice series[2];
    bool has[SHARE_WORDS];
};

/* The options are the question's own words; where they say something, the report's other fields do not. */
static void share_take_option(void *context, size_t index, struct slice key, struct slice value)
{
    static const struct { const char *name; int word; } words[] = {
        {"series", SHARE_SERIES}, {"steps", SHARE_SERIES}, {"first", SHARE_SERIES}, {"return", SHARE_SERIES},
        {"start", SHARE_SERIES}, {"end", SHARE_SERIES},
        {"breakdowns", SHARE_BREAKDOWNS}, {"filters", SHARE_FILTERS}, {"interval", SHARE_INTERVAL}, {"compare", SHARE_COMPARE},
        {"from", SHARE_TIME}, {"to", SHARE_TIME}, {"period", SHARE_TIME}, {"range", SHARE_TIME}, {"startDate", SHARE_TIME},
        {"endDate", SHARE_TIME},
    };
    struct share_asking *asking = context;
    if (asking->question->steps && slice_equal(key, SLICE("steps"))) key = slice_from_string(asking->question->steps);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_equal(key, slice_from_string(words[i].name))) asking->has[words[i].word] = true;
    json_writer_key_slice(&asking->writer, key);
    json_writer_raw(&asking->writer, value);
}

static void share_take_series(void *context, size_t index, struct slice key, struct slice value)
{
    struct share_asking *asking = context;
    if (index < 2) asking->series[index] = arena_copy(asking->arena, value);
}

static enum error_code share_write_question(const struct share_report *report, const struct share_question *question, struct buffer *body,
                                            struct error *error)
{
    bool is_chart = !question->chart_type;
    struct share_asking asking = {.writer = {.out = body}, .question = question, .arena = report->arena};
    struct json_writer *writer = &asking.writer;
    json_writer_object_begin(writer);
    enum error_code code = share_each(report, report->options, &asking, share_take_option, error);
    if (is_chart) share_write_text(writer, "chart", report->chart_type, false);
    if (!asking.has[SHARE_SERIES] && question->list) share_write_text(writer, question->list, report->series, true);
    else if (!code && !asking.has[SHARE_SERIES]) code = share_each(report, report->series, &asking, share_take_series, error);
    if (question->is_one_both && !asking.series[1].size) asking.series[1] = asking.series[0];
    for (size_t i = 0; i < 2; i++)
        if (asking.series[i].size) share_write_text(writer, question->single[i], asking.series[i], true);
    if (is_chart) {
        if (!asking.has[SHARE_BREAKDOWNS]) share_write_text(writer, "breakdowns", report->breakdowns, true);
        share_write_text(writer, "formula", report->formula, false);
    }
    if (!asking.has[SHARE_FILTERS]) share_write_text(writer, "filters", report->filters, true);
    /* Nobody comes back by the hour: the shortest period of retention is a day. */
    bool is_short = !question->has_short_intervals && (slice_equal(report->interval, SLICE("minute")) || slice_equal(report->interval, SLICE("hour")));
    if (!asking.has[SHARE_INTERVAL]) share_write_text(writer, "interval", is_short ? SLICE("day") : report->interval, false);
    if (report->previous && !asking.has[SHARE_COMPARE]) share_write_text(writer, "compare", SLICE("previous"), false);
    if (!asking.has[SHARE_TIME] && slice_equal(report->range, SLICE("custom"))) {
        share_write_time(writer, "from", report->start_ms);
        share_write_time(writer, "to", report->end_ms);
    } else if (!asking.has[SHARE_TIME]) {
        share_write_text(writer, "range", report->range, false);
    }
    json_writer_object_end(writer);
    return !code && (body->failed || arena_failed(report->arena)) ? error_set(error, ERROR_MEMORY, "out of memory for a report") : code;
}

enum error_code control_share_question(const struct control_call *call, const struct control_share *share, struct slice report_id,
                                       const char **ret_path, struct buffer *body, struct error *error)
{
    struct share_report report = {.arena = call->arena};
    struct meta_session *session = NULL;
    struct uuid uuid;
    if (!uuid_parse(report_id, &uuid)) return error_set(error, ERROR_NOT_FOUND, "this share shows no such report");
    enum error_code code = meta_session_begin(call->control->product, 0, &session, error);
    if (!code)
        code = meta_query(session,
                          "select chart_type, \"interval\", \"range\", cast(series as text), cast(breakdowns as text), cast(filters as text),"
                          " cast(options as text), formula, start_date, end_date, case when previous then 1 else 0 end from reports"
                          " where tenant_id = $1 and report_id = $2 and deleted_at is null and (report_id = $3 or dashboard_id = $4)",
                          META_PARAMETERS(meta_string(share->tenant_id), meta_text(report_id), meta_string(share->report_id),
                                          meta_string(share->dashboard_id)), share_take_report, &report, error);
    meta_session_end(session);
    if (code) return code;
    if (!report.found) return error_set(error, ERROR_NOT_FOUND, "this share shows no such report");
    size_t i = 0;
    while (share_questions[i].chart_type && !slice_equal(report.chart_type, slice_from_string(share_questions[i].chart_type))) i++;
    *ret_path = share_questions[i].path;
    return share_write_question(&report, &share_questions[i], body, error);
}

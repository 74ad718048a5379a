/* SPDX-License-Identifier: Apache-2.0 */
/* From a visit of a web site to its traces, and from a trace to the visit: with their logs and web events. */
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/traces/search.h"
#include "query/rows.h"
#include "query/words.h"

/*
 * Two things link a web event to a trace: the event's property "traceparent" (W3C Trace Context: version-trace-span-flags)
 * names the trace it caused; spans and log records of a browser name the visit in the attribute "session.id" (OpenTelemetry's
 * name), which is the session_id of web events.
 */
#define TRACES_MOST 100
#define ROWS_MOST 1000
#define TRACE_OF_EVENT \
    "if(length(splitByChar('-', properties['traceparent'])) >= 3, lower(splitByChar('-', properties['traceparent'])[2]), '')"

/* Web events of a visit, or of a trace. */
static enum error_code write_events(struct query_context *context, struct slice session, struct slice trace,
                                    int64_t from_ns, int64_t to_ns, struct json_writer *writer, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_add(
        &text,
        "SELECT id, name, created_at AS timestamp, path, session_id AS sessionId, device_id AS deviceId, profile_id AS profileId, " TRACE_OF_EVENT
        " AS traceId\n"
        "FROM analytics.events WHERE tenant_id = {tenant:String} AND created_at >= ");
    query_text_instant(&text, from_ns / TRACES_MS_NS);
    query_text_add(&text, " AND created_at < ");
    query_text_instant(&text, to_ns / TRACES_MS_NS + 1);
    query_text_add(&text, session.size ? " AND session_id = " : " AND traceId = ");
    query_text_value(&text, session.size ? session : trace);
    query_text_printf(&text, "\nORDER BY events.created_at, events.id LIMIT %d", ROWS_MOST);
    return query_context_write_rows(context, &text, writer, error);
}

/* Traces that a visit caused: by spans that name it, and by events that name them. The latest first. */
static enum error_code find_traces(struct query_context *context, struct slice session,
                                   const struct traces_filter *filter, struct slice *ids, size_t *ret_count,
                                   struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(
        &text,
        "SELECT query_trace FROM (SELECT trace_id AS query_trace, timestamp AS query_time FROM observability.traces_v3\nWHERE tenant_id = {tenant:String}");
    traces_range_write(&text, filter->from_ns, filter->to_ns);
    query_text_add(&text, " AND session_id = ");
    query_text_value(&text, session);
    query_text_add(&text, "\nUNION ALL SELECT " TRACE_OF_EVENT
                          " AS query_trace, toDateTime64(created_at, 9, 'UTC') AS query_time\n"
                          "FROM analytics.events WHERE tenant_id = {tenant:String} AND created_at >= ");
    query_text_instant(&text, filter->from_ns / TRACES_MS_NS);
    query_text_add(&text, " AND created_at < ");
    query_text_instant(&text, filter->to_ns / TRACES_MS_NS + 1);
    query_text_add(&text, " AND session_id = ");
    query_text_value(&text, session);
    query_text_printf(
        &text,
        ")\nWHERE length(query_trace) = 32 AND match(query_trace, '^[0-9a-f]+$') GROUP BY query_trace ORDER BY max(query_time) DESC, query_trace LIMIT %d",
        TRACES_MOST);
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    *ret_count = code ? 0 : rows.count;
    for (size_t i = 0; i < *ret_count; i++) ids[i] = query_rows_text(&rows, i, 0);
    return code;
}

static enum error_code write_sessions(struct query_context *context, struct slice trace, int64_t from_ns, int64_t to_ns,
                                      struct json_writer *writer, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(
        &text,
        "SELECT DISTINCT query_session FROM (SELECT session_id AS query_session FROM observability.traces_v3\nWHERE tenant_id = {tenant:String} AND ");
    traces_ids_write(&text, &trace, 1);
    traces_range_write(&text, from_ns, to_ns);
    query_text_add(
        &text,
        "\nUNION ALL SELECT session_id AS query_session FROM analytics.events WHERE tenant_id = {tenant:String} AND created_at >= ");
    query_text_instant(&text, from_ns / TRACES_MS_NS);
    query_text_add(&text, " AND created_at < ");
    query_text_instant(&text, to_ns / TRACES_MS_NS + 1);
    query_text_add(&text, " AND " TRACE_OF_EVENT " = ");
    query_text_value(&text, trace);
    query_text_printf(&text, ")\nWHERE query_session != '' ORDER BY query_session LIMIT %d", TRACES_MOST);
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    json_writer_array_begin(writer);
    for (size_t i = 0; !code && i < rows.count; i++) json_writer_string(writer, query_rows_text(&rows, i, 0));
    json_writer_array_end(writer);
    return code;
}

/* The traces' figures in the order of the ids; their time together into the filter's. */
static enum error_code write_traces(struct query_context *context, const struct slice *ids, size_t count,
                                    struct traces_filter *filter, bool any_time, size_t *ret_found,
                                    struct json_writer *writer, struct error *error)
{
    struct traces_figures *figures;
    enum error_code code = any_time ? traces_figures_ask(context, ids, count, 0, 0, &figures, ret_found, error)
                                    : traces_figures_ask(context, ids, count, filter->from_ns - TRACES_REACH_NS,
                                                         filter->to_ns + TRACES_REACH_NS, &figures, ret_found, error);
    if (!code) code = traces_find_logs(context, figures, *ret_found, error);
    json_writer_array_begin(writer);
    for (size_t i = 0; !code && i < count; i++)
        for (size_t j = 0; j < *ret_found; j++) {
            if (!slice_equal(figures[j].trace_id, ids[i])) continue;
            json_writer_object_begin(writer);
            traces_figures_write(&figures[j], writer);
            json_writer_key(writer, "hasLogs");
            json_writer_bool(writer, figures[j].has_logs);
            json_writer_object_end(writer);
            if (any_time) {
                filter->from_ns = figures[j].start_ns - TRACES_REACH_NS;
                filter->to_ns = figures[j].end_ns + TRACES_REACH_NS;
            }
        }
    json_writer_array_end(writer);
    return code;
}

static enum error_code correlation_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct slice session = query_context_text(context, "sessionId"), trace = query_context_text(context, "traceId"),
                 ids[TRACES_MOST];
    size_t count = 1, found = 0;
    if ((session.size > 0) == (trace.size > 0))
        return error_set_field(error, ERROR_INVALID, "sessionId", "either sessionId or traceId is needed");
    enum error_code code = traces_filter_begin(context, &filter, error);
    if (!code && session.size) code = find_traces(context, session, &filter, ids, &count, error);
    if (!code && trace.size) {
        ids[0] = traces_id_read(context, trace);
        if (!ids[0].size)
            return error_set_field(error, ERROR_INVALID, "traceId",
                                   "traceId=%s is no id of a trace: 32 hexadecimal digits",
                                   query_words_show(trace).text);
    }
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "traces");
    code = write_traces(context, ids, count, &filter, trace.size > 0, &found, &writer, error);
    if (!code && trace.size && !found)
        code = error_set_field(error, ERROR_NOT_FOUND, "traceId", "there is no trace %.*s", SLICE_ARGS(ids[0]));
    if (!code && trace.size) {
        json_writer_key(&writer, "sessions");
        code = write_sessions(context, ids[0], filter.from_ns, filter.to_ns, &writer, error);
    }
    if (!code) {
        json_writer_key(&writer, "logs");
        code = traces_logs_write(context, ids, count, session, filter.from_ns, filter.to_ns, ROWS_MOST, &writer, error);
    }
    if (!code) {
        json_writer_key(&writer, "exemplars");
        code = traces_exemplars_write(context, ids, count, filter.from_ns, filter.to_ns, ROWS_MOST, &writer, error);
    }
    if (!code) {
        json_writer_key(&writer, "events");
        code = write_events(context, session, ids[0], filter.from_ns, filter.to_ns, &writer, error);
    }
    json_writer_object_end(&writer);
    return code;
}

static const enum tenant_permission also[] = {TENANT_LOGS_READ, TENANT_METRICS_READ, TENANT_EVENTS_READ,
                                              TENANT_NO_PERMISSION};
const struct domain_question observability_correlation_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/correlation", TENANT_TRACES_READ, correlation_answer,
     (const struct domain_word[]){{"sessionId", "a visit: its traces, logs and events"},
                                  {"traceId", "a trace: its visits, logs and events"},
                                  {"from", "of a visit: ISO 8601 or Unix ms; a day ago"},
                                  {"to", "exclusive"},
                                  {NULL, NULL}},
     .summary = "What belongs together: traces, logs, exemplars and web events of a visit or of a trace", .also = also},
    {0},
};

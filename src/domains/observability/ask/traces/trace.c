/* SPDX-License-Identifier: Apache-2.0 */
/* One trace by its id: what it comes to, its spans page by page in the order of their beginning, its logs. */
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/traces/traces.h"
#include "query/words.h"

#define PAGE_MOST 20000 /* spans of one page: some twenty megabytes */
#define PAGE_DEFAULT 10000
#define AROUND_MOST 10000 /* log records or exemplars */

static enum error_code not_found(struct slice text, bool is_id, struct error *error)
{
    return error_set_field(error, ERROR_NOT_FOUND, "traceId", "there is no trace %s%s", query_words_show(text).text,
                           is_id ? "" : ": an id has 32 hexadecimal digits");
}

static enum error_code find_trace(struct query_context *context, struct slice *ret_id,
                                  struct traces_figures **ret_figures, struct error *error)
{
    struct slice text = context->path_values[0];
    size_t count = 0;
    *ret_figures = NULL;
    *ret_id = traces_id_read(context, text);
    enum error_code code =
        ret_id->size ? traces_figures_ask(context, ret_id, 1, 0, 0, ret_figures, &count, error) : ERROR_NONE;
    if (code) return code;
    return count ? ERROR_NONE : not_found(text, ret_id->size > 0, error);
}

/* The place of the last span shown: "1795248000123456789.<span id and its parent's>". */
struct place {
    int64_t start_ns;
    char ids[33];
};

static enum error_code place_read(struct slice text, struct place *place, struct error *error)
{
    struct slice rest = text, time = slice_cut(&rest, '.');
    bool is_ours = slice_parse_int64(time, &place->start_ns) && rest.size == 32 && place->start_ns > 0;
    for (size_t i = 0; is_ours && i < 32; i++) is_ours = strchr("0123456789abcdef", rest.data[i]) != NULL;
    if (!is_ours)
        return error_set_field(error, ERROR_INVALID, "cursor", "cursor=%s is not one this trace was answered with",
                               query_words_show(text).text);
    memcpy(place->ids, rest.data, 32);
    place->ids[32] = 0;
    return ERROR_NONE;
}

struct page {
    struct query_context *context;
    struct json_writer *writer;
    size_t count, limit;
    struct place last;
    bool has_more;
    struct traces_figures figures; /* of the spans shown */
};

static enum error_code page_take(void *user, const struct traces_span *span, struct error *error)
{
    struct page *page = user;
    if (page->count == page->limit) {
        page->has_more = true;
        return ERROR_NONE;
    }
    page->count++;
    page->last.start_ns = span->start_ns;
    snprintf(page->last.ids, sizeof page->last.ids, "%.*s%.*s", SLICE_ARGS(span->span_id),
             SLICE_ARGS(span->parent_span_id.size ? span->parent_span_id : SLICE("0000000000000000")));
    traces_span_write(page->writer, span);
    enum error_code code = traces_figures_add(page->context, &page->figures, span, error);
    if (code) return code;
    return page->writer->out->failed ? error_set(error, ERROR_MEMORY, "no memory for an answer") : ERROR_NONE;
}

static enum error_code write_spans(struct query_context *context, struct slice id, const struct place *place,
                                   struct page *page, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    text.is_lookup = true;
    traces_spans_select(&text);
    query_text_add(&text, " AND ");
    traces_ids_write(&text, &id, 1);
    if (place) {
        traces_range_write(&text, place->start_ns, 0);
        query_text_add(&text, " AND (timestamp, span_ids) > (");
        traces_instant_write(&text, place->start_ns);
        query_text_add(&text, ", toFixedString(unhex(");
        query_text_value(&text, slice_from_string(place->ids));
        query_text_add(&text, "), 16))");
    }
    query_text_printf(&text, "\nORDER BY timestamp, span_ids LIMIT 1 BY timestamp, span_ids LIMIT %zu",
                      page->limit + 1);
    return traces_spans_ask(context, &text, page_take, page, error);
}

enum error_code traces_logs_write(struct query_context *context, const struct slice *ids, size_t id_count,
                                  struct slice session, int64_t from_ns, int64_t to_ns, int64_t limit,
                                  struct json_writer *writer, struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_add(
        &text,
        "SELECT timestamp, observed_timestamp AS observedTimestamp, trace_id AS traceId, span_id AS spanId, severity_text AS severityText, "
        "severity_number AS severityNumber, service_name AS serviceName, body, event_name AS eventName, log_attributes AS attributes\n"
        "FROM observability.logs_v3 WHERE tenant_id = {tenant:String}");
    traces_range_write(&text, from_ns, to_ns);
    query_text_add(&text, id_count ? " AND (" : " AND (0");
    if (id_count) traces_ids_write(&text, ids, id_count);
    if (session.size) {
        query_text_add(&text, " OR log_attributes['session.id'] = ");
        query_text_value(&text, session);
    }
    query_text_printf(&text, ")\nORDER BY logs_v3.timestamp, logs_v3.id LIMIT %lld", (long long)limit);
    return query_context_write_rows(context, &text, writer, error);
}

enum error_code traces_exemplars_write(struct query_context *context, const struct slice *ids, size_t id_count,
                                       int64_t from_ns, int64_t to_ns, int64_t limit, struct json_writer *writer,
                                       struct error *error)
{
    struct query_text text;
    query_text_init(&text, context->arena);
    query_text_printf(
        &text,
        "SELECT timestamp, metric_name AS metricName, service_name AS serviceName, value, trace_id AS traceId, span_id AS spanId, attributes\n"
        "FROM observability.exemplars_v3 WHERE tenant_id = {tenant:String} AND %s",
        id_count ? "" : "0");
    if (id_count) traces_ids_write(&text, ids, id_count);
    traces_range_write(&text, from_ns, to_ns);
    query_text_printf(&text, "\nORDER BY exemplars_v3.timestamp, exemplars_v3.metric_name LIMIT %lld",
                      (long long)limit);
    return query_context_write_rows(context, &text, writer, error);
}

/* A page that holds the whole trace says itself what it comes to; parts of one ask for it. */
static enum error_code figures_of(struct query_context *context, struct page *page, bool is_whole,
                                  struct traces_figures **ret_figures, struct error *error)
{
    struct slice id;
    *ret_figures = &page->figures;
    if (!is_whole) return find_trace(context, &id, ret_figures, error);
    return page->count ? traces_figures_end(context, &page->figures, error) : not_found(context->path_values[0], true, error);
}

static enum error_code trace_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_figures *figures;
    struct slice id = traces_id_read(context, context->path_values[0]), cursor = query_context_text(context, "cursor");
    struct place place;
    int64_t limit;
    enum error_code code = query_context_integer(context, "limit", 1, PAGE_MOST, PAGE_DEFAULT, &limit, error);
    if (!code && !id.size) code = not_found(context->path_values[0], false, error);
    if (!code && cursor.size) code = place_read(cursor, &place, error);
    if (code) return code;
    struct page page = {.context = context, .writer = &writer, .limit = (size_t)limit};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    code = write_spans(context, id, cursor.size ? &place : NULL, &page, error);
    if (!code) code = figures_of(context, &page, !cursor.size && !page.has_more, &figures, error);
    if (code) return code;
    json_writer_array_end(&writer);
    json_writer_key(&writer, "total");
    json_writer_uint(&writer, figures->span_count);
    json_writer_key(&writer, "trace");
    json_writer_object_begin(&writer);
    traces_figures_write(figures, &writer);
    json_writer_key(&writer, "hasRoot");
    json_writer_bool(&writer, figures->has_root);
    json_writer_key(&writer, "missingParents");
    json_writer_uint(&writer, figures->missing_parents);
    json_writer_object_end(&writer);
    json_writer_key(&writer, "truncated");
    json_writer_bool(&writer, page.has_more);
    json_writer_key(&writer, "cursor");
    if (page.has_more)
        json_writer_string(&writer,
                           arena_printf(context->arena, "%lld.%s", (long long)page.last.start_ns, page.last.ids));
    else json_writer_null(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

/* {"data": [..]} of what stands around a trace: its log records or exemplars. */
static enum error_code answer_around(struct query_context *context, bool of_logs, struct buffer *out,
                                     struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_figures *figures;
    struct slice id;
    int64_t limit;
    enum error_code code = query_context_integer(context, "limit", 1, AROUND_MOST, 1000, &limit, error);
    if (!code) code = find_trace(context, &id, &figures, error);
    if (code) return code;
    int64_t from_ns = figures->start_ns - TRACES_REACH_NS, to_ns = figures->end_ns + TRACES_REACH_NS;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    code = of_logs ? traces_logs_write(context, &id, 1, SLICE_EMPTY, from_ns, to_ns, limit, &writer, error)
                   : traces_exemplars_write(context, &id, 1, from_ns, to_ns, limit, &writer, error);
    json_writer_object_end(&writer);
    return code;
}

static enum error_code logs_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer_around(context, true, out, error);
}
static enum error_code exemplars_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer_around(context, false, out, error);
}

const struct domain_question observability_trace_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/traces/{trace_id}", TENANT_TRACES_READ, trace_answer,
     (const struct domain_word[]){{"limit", "spans of a page, at most 20000; 10000"},
                                  {"cursor", "the answer's, for its next page"},
                                  {NULL, NULL}},
     .summary = "One trace: what it comes to, and its spans in the order of their beginning"},
    {METHOD_GET, "/api/v2/query/signals/traces/{trace_id}/logs", TENANT_LOGS_READ, logs_answer,
     (const struct domain_word[]){{"limit", "records, at most 10000; 1000"}, {NULL, NULL}},
     .summary = "The log records of one trace"},
    {METHOD_GET, "/api/v2/query/signals/traces/{trace_id}/exemplars", TENANT_METRICS_READ, exemplars_answer,
     (const struct domain_word[]){{"limit", "exemplars, at most 10000; 1000"}, {NULL, NULL}},
     .summary = "The exemplars of one trace: points of metrics that name it"},
    {0},
};
